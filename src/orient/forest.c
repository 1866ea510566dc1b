/* Isolation Forest as Liu, Ting and Zhou describe it, with these differences:
 *
 * - A node draws its column among those that still vary among its rows. The paper draws among all and may
 *   waste a level on a constant one; scikit-learn does as we do.
 * - c(n) uses exact harmonic numbers.
 * - Values may be missing. In training, a row that lacks the value goes to one side by lot, in proportion to
 *   the rows that have it. In scoring, both sides count, weighted by the rows that went there.
 * - Growth stops early at a node whose rows are all equal; its path length is completed by c(n) as at the
 *   height limit.
 *
 * The draws come from one generator seeded by the caller, in an order that depends on nothing but the rows,
 * and the arithmetic is exactly rounded everywhere, so a forest is reproducible bit for bit. */
#include "orient/forest.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "orient/forest_layout.h"
#include "orient/portable_math.h"

double forest_average_path_length(size_t n) {
    if (n <= 1) {
        return 0;
    }
    double harmonic = 0;
    for (size_t k = n - 1; k >= 1; k--) { /* small terms first: less is lost */
        harmonic += 1.0 / (double)k;
    }
    return 2 * harmonic - 2 * (double)(n - 1) / (double)n;
}

/* ceil(log2 psi): the height of a balanced tree; whatever is isolated deeper is not unusual. */
static size_t height_limit_of(size_t subsample_size) {
    size_t height = 0;
    while (((size_t)1 << height) < subsample_size) {
        height++;
    }
    return height;
}

/* ---- Training ---- */

struct grower {
    struct forest *forest;
    const struct feature_matrix *x;
    struct rng rng;
    float *scaled;      /* the scaled rows, column by column */
    uint32_t *shuffled; /* all rows, in a random order that never needs resetting; the first psi are the
                           sample of the tree that grows, and each node owns a stretch of them */
    uint16_t *columns;  /* see draw_column() */
    size_t varying;     /* columns that vary at all */
    size_t capacity;    /* of forest->nodes */
    struct forest_node *tree;
    size_t tree_nodes;
};

static enum status check_input(const struct feature_matrix *x, const struct forest_params *params,
                               struct error *err) {
    if (params->trees < 1 || params->trees > FOREST_TREES_MAX) {
        return error_set(err, STATUS_INVALID, "%zu trees: a forest has 1 to %d", params->trees,
                         FOREST_TREES_MAX);
    }
    if (params->subsample_size < 2 || params->subsample_size > FOREST_SUBSAMPLE_MAX) {
        return error_set(err, STATUS_INVALID, "a subsample of %zu rows: it must have 2 to %d",
                         params->subsample_size, FOREST_SUBSAMPLE_MAX);
    }
    if (x->rows < 2 || x->rows > UINT32_MAX) {
        return error_set(err, STATUS_INVALID, "%zu rows to train on: at least 2 are needed", x->rows);
    }
    if (x->columns < 1 || x->columns > FOREST_COLUMNS_MAX) {
        return error_set(err, STATUS_INVALID, "%zu columns: a forest has 1 to %d", x->columns,
                         FOREST_COLUMNS_MAX);
    }
    for (size_t i = 0; i < x->rows * x->columns; i++) {
        if (isinf(x->values[i])) {
            return error_set(err, STATUS_INVALID, "row %zu, column %zu is infinite", i / x->columns + 1,
                             i % x->columns + 1);
        }
    }
    return STATUS_OK;
}

static void scale_columns(struct forest *forest, const struct feature_matrix *x) {
    double *low = xcalloc(x->columns, sizeof *low);
    double *high = xcalloc(x->columns, sizeof *high);
    for (size_t c = 0; c < x->columns; c++) {
        low[c] = INFINITY;
        high[c] = -INFINITY;
    }
    for (size_t r = 0; r < x->rows; r++) {
        const double *row = x->values + r * x->columns;
        for (size_t c = 0; c < x->columns; c++) {
            low[c] = row[c] < low[c] ? row[c] : low[c];
            high[c] = row[c] > high[c] ? row[c] : high[c];
        }
    }
    for (size_t c = 0; c < x->columns; c++) {
        double factor = 1 / (high[c] - low[c]);
        /* Constant, all missing, or a range that a double cannot hold: not a column to cut. */
        bool varies = low[c] < high[c] && isfinite(factor) && factor > 0;
        forest->scales[c] = (struct column_scale){varies ? low[c] : 0, varies ? factor : 0, false};
    }
    free(low);
    free(high);
}

static float scaled(const struct column_scale *scale, double value) {
    return (float)((value - scale->offset) * scale->factor);
}

/* Row by row into columns, a few rows at a time so that what is written stays in the cache. */
static void scale_rows(struct grower *g) {
    enum { BLOCK = 16 };
    for (size_t first = 0; first < g->x->rows; first += BLOCK) {
        size_t end = first + BLOCK < g->x->rows ? first + BLOCK : g->x->rows;
        for (size_t k = 0; k < g->varying; k++) {
            size_t c = g->columns[k];
            struct column_scale scale = g->forest->scales[c];
            for (size_t r = first; r < end; r++) {
                g->scaled[c * g->x->rows + r] = scaled(&scale, g->x->values[r * g->x->columns + c]);
            }
        }
    }
}

/* A partial Fisher-Yates shuffle: the first psi of `shuffled` are a sample without replacement, whatever
 * order the earlier trees left. */
static void draw_sample(struct grower *g) {
    for (size_t i = 0; i < g->forest->subsample_size; i++) {
        size_t j = i + rng_below(&g->rng, g->x->rows - i);
        uint32_t row = g->shuffled[j];
        g->shuffled[j] = g->shuffled[i];
        g->shuffled[i] = row;
    }
}

struct cut {
    uint16_t column;
    float split;
};

/* Draws a column that varies among the node's rows, and a value between its extremes. columns[0 .. *live) are
 * those not yet known to be constant here; a constant one is moved behind them, and stays there for the whole
 * subtree. Returns false if none varies. */
static bool draw_cut(struct grower *g, const uint32_t *order, size_t count, size_t *live, struct cut *out) {
    while (*live > 0) {
        size_t k = rng_below(&g->rng, *live);
        uint16_t column = g->columns[k];
        const float *values = g->scaled + column * g->x->rows;
        float low = INFINITY;
        float high = -INFINITY;
        for (size_t i = 0; i < count; i++) {
            float value = values[order[i]];
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        if (low < high) {
            float split = (float)(low + rng_uniform(&g->rng) * ((double)high - low));
            *out = (struct cut){column, split > low ? split : high};
            return true;
        }
        (*live)--;
        g->columns[k] = g->columns[*live];
        g->columns[*live] = column;
    }
    return false;
}

/* Puts the rows below the split first; returns how many. Rows without the value follow by lot. */
static size_t partition(struct grower *g, uint32_t *order, size_t count, struct cut cut) {
    const float *values = g->scaled + cut.column * g->x->rows;
    size_t below = 0;
    size_t unknown = 0; /* order[below .. below + unknown) lack the value */
    size_t end = count;
    while (below + unknown < end) {
        size_t at = below + unknown;
        uint32_t row = order[at];
        if (values[row] < cut.split) {
            order[at] = order[below];
            order[below++] = row;
        } else if (values[row] >= cut.split) {
            order[at] = order[--end];
            order[end] = row;
        } else {
            unknown++;
        }
    }
    size_t known_below = below;
    size_t known = count - unknown;
    for (size_t i = below; i < end; i++) {
        if (rng_below(&g->rng, known) < known_below) {
            uint32_t row = order[i];
            order[i] = order[below];
            order[below++] = row;
        }
    }
    return below;
}

static void grow(struct grower *g, size_t at, uint32_t *order, size_t count, size_t depth, size_t live) {
    struct forest *forest = g->forest;
    forest->rows[(size_t)(g->tree - forest->nodes) + at] = (uint16_t)count;
    struct cut cut;
    if (count <= 1 || depth >= forest->height_limit || !draw_cut(g, order, count, &live, &cut)) {
        double path_length = (double)depth + forest->average_path_lengths[count];
        g->tree[at] = (struct forest_node){(float)path_length, (uint16_t)forest->columns, (uint16_t)at};
        return;
    }
    forest->scales[cut.column].used = true;
    size_t below = partition(g, order, count, cut);
    size_t left = g->tree_nodes;
    g->tree_nodes += 2;
    g->tree[at] = (struct forest_node){cut.split, cut.column, (uint16_t)left};
    grow(g, left, order, below, depth + 1, live);
    grow(g, left + 1, order + below, count - below, depth + 1, live);
}

static void reserve_tree(struct grower *g) {
    struct forest *forest = g->forest;
    size_t needed = forest->node_count + 2 * forest->subsample_size;
    if (needed > g->capacity) {
        g->capacity = needed + needed / 2;
        forest->nodes = xrealloc(forest->nodes, g->capacity, sizeof *forest->nodes);
        forest->rows = xrealloc(forest->rows, g->capacity, sizeof *forest->rows);
    }
    g->tree = forest->nodes + forest->node_count;
}

static void grow_all(struct grower *g) {
    struct forest *forest = g->forest;
    for (size_t r = 0; r < g->x->rows; r++) {
        g->shuffled[r] = (uint32_t)r;
    }
    for (size_t c = 0; c < forest->columns; c++) {
        if (forest->scales[c].factor > 0) {
            g->columns[g->varying++] = (uint16_t)c;
        }
    }
    scale_rows(g);
    for (size_t t = 0; t < forest->trees; t++) {
        reserve_tree(g);
        forest->roots[t] = (uint32_t)forest->node_count;
        draw_sample(g);
        g->tree_nodes = 1;
        grow(g, 0, g->shuffled, forest->subsample_size, 0, g->varying);
        forest->node_count += g->tree_nodes;
    }
    forest->roots[forest->trees] = (uint32_t)forest->node_count;
    forest->nodes = xrealloc(forest->nodes, forest->node_count, sizeof *forest->nodes);
    forest->rows = xrealloc(forest->rows, forest->node_count, sizeof *forest->rows);
}

struct forest *forest_create(size_t columns, size_t trees, size_t subsample_size, size_t nodes) {
    struct forest *forest = xcalloc(1, sizeof *forest);
    forest->columns = columns;
    forest->trees = trees;
    forest->subsample_size = subsample_size;
    forest->height_limit = height_limit_of(subsample_size);
    forest->scales = xcalloc(columns, sizeof *forest->scales);
    forest->roots = xcalloc(trees + 1, sizeof *forest->roots);
    forest->node_count = nodes;
    forest->nodes = xcalloc(nodes, sizeof *forest->nodes);
    forest->rows = xcalloc(nodes, sizeof *forest->rows);
    forest->average_path_lengths = xcalloc(subsample_size + 1, sizeof *forest->average_path_lengths);
    double harmonic = 0;
    for (size_t n = 2; n <= subsample_size; n++) {
        harmonic += 1.0 / (double)(n - 1);
        forest->average_path_lengths[n] = 2 * harmonic - 2 * (double)(n - 1) / (double)n;
    }
    return forest;
}

enum status forest_train(const struct feature_matrix *x, const struct forest_params *params,
                         struct forest **out, struct error *err) {
    enum status status = check_input(x, params, err);
    if (status != STATUS_OK) {
        return status;
    }
    size_t psi = params->subsample_size < x->rows ? params->subsample_size : x->rows;
    struct forest *forest = forest_create(x->columns, params->trees, psi, 0);
    scale_columns(forest, x);

    struct grower g = {.forest = forest, .x = x};
    rng_seed(&g.rng, params->seed);
    g.shuffled = xcalloc(x->rows, sizeof *g.shuffled);
    g.scaled = xcalloc(x->rows * x->columns, sizeof *g.scaled);
    g.columns = xcalloc(x->columns, sizeof *g.columns);
    grow_all(&g);
    free(g.shuffled);
    free(g.scaled);
    free(g.columns);
    *out = forest;
    return STATUS_OK;
}

/* ---- Scoring ---- */

bool forest_scale_row(const struct forest *forest, const double *x, float *row) {
    bool complete = true;
    for (size_t c = 0; c < forest->columns; c++) {
        row[c] = scaled(&forest->scales[c], x[c]);
        complete &= !forest->scales[c].used || !isnan(x[c]);
    }
    row[forest->columns] = -INFINITY;
    return complete;
}

double forest_score_of_paths(const struct forest *forest, double path_length_sum) {
    double mean = path_length_sum / (double)forest->trees;
    return portable_exp2(-mean / forest->average_path_lengths[forest->subsample_size]);
}

/* One walk waits for memory most of its time, many side by side hardly at all. */
enum { LANES = 32 };

static double walk_side_by_side(const struct forest *forest, size_t first, size_t count, const float *row) {
    uint32_t at[LANES];
    const uint32_t *roots = forest->roots + first;
    for (size_t i = 0; i < count; i++) {
        at[i] = roots[i];
    }
    for (size_t step = 0; step < forest->height_limit; step++) {
        for (size_t i = 0; i < count; i++) {
            struct forest_node node = forest->nodes[at[i]];
            at[i] = roots[i] + node.left + (row[node.column] >= node.split);
        }
    }
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += forest->nodes[at[i]].split;
    }
    return sum;
}

/* Follows both branches where the value is missing. */
static double walk_weighted(const struct forest *forest, size_t root, size_t at, const float *row) {
    const struct forest_node *node = &forest->nodes[root + at];
    while (!forest_node_is_leaf(forest, node)) {
        float value = row[node->column];
        if (isnan(value)) {
            double below = forest->rows[root + node->left];
            double above = forest->rows[root + node->left + 1];
            return (below * walk_weighted(forest, root, node->left, row) +
                    above * walk_weighted(forest, root, node->left + 1U, row)) /
                   (below + above);
        }
        node = &forest->nodes[root + node->left + (value >= node->split)];
    }
    return node->split;
}

double forest_score(const struct forest *forest, const double *x) {
    float row[FOREST_COLUMNS_MAX + 1];
    double sum = 0;
    if (forest_scale_row(forest, x, row)) {
        for (size_t t = 0; t < forest->trees; t += LANES) {
            size_t count = forest->trees - t < LANES ? forest->trees - t : LANES;
            sum += walk_side_by_side(forest, t, count, row);
        }
    } else {
        for (size_t t = 0; t < forest->trees; t++) {
            sum += walk_weighted(forest, forest->roots[t], 0, row);
        }
    }
    return forest_score_of_paths(forest, sum);
}

size_t forest_columns(const struct forest *forest) {
    return forest->columns;
}

size_t forest_bytes(const struct forest *forest) {
    return sizeof *forest + forest->columns * sizeof *forest->scales +
           (forest->trees + 1) * sizeof *forest->roots +
           forest->node_count * (sizeof *forest->nodes + sizeof *forest->rows) +
           (forest->subsample_size + 1) * sizeof *forest->average_path_lengths;
}

void forest_destroy(struct forest *forest) {
    if (!forest) {
        return;
    }
    free(forest->scales);
    free(forest->roots);
    free(forest->nodes);
    free(forest->rows);
    free(forest->average_path_lengths);
    free(forest);
}
