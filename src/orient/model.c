/* From points to assessments.
 *
 *   point -> trailing columns -> forest score, moved up by the excess beyond the usual ranges
 *         -> threshold -> alert; window <- points that are not part of an anomalous stretch
 *
 * The forest says how unusual the combination is; the excess says how far out a value is, which a forest
 * cannot see. What each part is worth is measured in docs/detection.md. */
#include "orient/model.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "orient/portable_math.h"
#include "orient/threshold.h"
#include "orient/trailing.h"
#include "orient/usual.h"
#include "orient/window.h"

static const size_t WINDOW_ROWS_MAX = 4096;
static const size_t DEFAULT_TREES = 32, DEFAULT_SUBSAMPLE = 2048;
static const size_t HELD_ROWS_MAX = 512;
/* Of an anomalous stretch that has passed, points are learned up to this part of the window: a kind of
 * stretch that keeps coming becomes known, and one that came once stays beyond the usual range. */
static const size_t WINDOW_PER_HELD_ROW = 200;
/* Fifteen points do not show how a host breathes: a load average that was still falling, a cache that was
 * still filling. While the window holds fewer rows than this, what has lasted for PERSISTENCE_POINTS and
 * still lies only so little beyond the threshold is learned; by then a runaway process lies far beyond it. */
static const size_t YOUNG_ROWS = 128;
static const double MILD_EXCESS = 0.10;
/* A stretch is over after so many points in a row that are not anomalous. */
static const size_t QUIET_POINTS = 60;
/* Fits follow each other after a tenth of what is known, within these bounds. */
static const size_t REFIT_LEAST = 5, REFIT_MOST = 50;
/* What one unit of excess takes away from 1 - score: a factor 2^-weight. */
static const double EXCESS_WEIGHT = 0.15;
/* A score is half this row's and half the mean of so many: what lasts outweighs what flashes. */
enum { PERSISTENCE_POINTS = 20 };
static const double THRESHOLD_FLOOR = 0.61, THRESHOLD_YOUNG = 0.66, THRESHOLD_CEILING = 0.75;
/* From this part of the threshold on a point is suspect: its leading features are named, and an anomalous
 * stretch goes on (it begins at the threshold itself, so that it does not flicker). */
static const double SUSPECT_FROM = 0.97;

struct fitted {
    struct forest *forest; /* NULL: not live yet */
    struct usual_range *usual;
};

struct anomalous_stretch {
    bool open;
    bool accepted; /* lasted so long that it is learned */
    int64_t began_ms;
    size_t quiet_points; /* since the last anomalous one */
};

/* The newest scores of single rows, and their sum. */
struct recent_scores {
    double rows[PERSISTENCE_POINTS];
    double sum;
    size_t count, next;
};

struct model {
    struct model_settings settings;
    size_t inputs, columns;  /* columns: of the trailing row */
    double *smallest_change; /* by column, or NULL */
    struct trailing *trailing;
    struct window *window, *held;
    struct threshold threshold;
    struct fitted fitted;
    struct anomalous_stretch stretch;
    struct recent_scores recent;
    size_t points, points_since_fit;
    uint64_t trainings;
    bool training_out;
    float *row;
};

struct training {
    float *values;
    size_t rows, columns;
    struct forest_params params;
    double *smallest_change; /* by column, or NULL */
    struct fitted fitted;
};

static void fitted_release(struct fitted *fitted) {
    forest_destroy(fitted->forest);
    free(fitted->usual);
    *fitted = (struct fitted){0};
}

static size_t at_most(size_t value, size_t limit) {
    return value < limit ? value : limit;
}

static size_t size_or(size_t value, size_t otherwise) {
    return value > 0 ? value : otherwise;
}

static struct model_settings with_defaults(struct model_settings s) {
    s.learning_points = size_or(s.learning_points, 15);
    s.learning_points = s.learning_points < 2 ? 2 : s.learning_points;
    s.window_points = size_or(s.window_points, 20000);
    s.window_points = s.window_points < s.learning_points ? s.learning_points : s.window_points;
    s.trees = at_most(size_or(s.trees, DEFAULT_TREES), FOREST_TREES_MAX);
    s.subsample_size = at_most(size_or(s.subsample_size, DEFAULT_SUBSAMPLE), FOREST_SUBSAMPLE_MAX);
    s.false_alarm_rate = s.false_alarm_rate > 0 ? s.false_alarm_rate : 1e-3;
    s.new_normal_after_ms = s.new_normal_after_ms > 0 ? s.new_normal_after_ms : INT64_C(6) * 3600 * 1000;
    s.smallest_change = NULL; /* copied elsewhere */
    return s;
}

struct model *model_create(size_t columns, const struct model_settings *settings) {
    assert(columns >= 1 && columns <= MODEL_COLUMNS_MAX);
    struct model *model = xcalloc(1, sizeof *model);
    model->settings = with_defaults(*settings);
    model->inputs = columns;
    model->trailing = trailing_create(columns);
    model->columns = trailing_columns(model->trailing);
    model->row = xcalloc(model->columns, sizeof *model->row);
    if (settings->smallest_change) {
        model->smallest_change = xcalloc(model->columns, sizeof *model->smallest_change);
        for (size_t c = 0; c < model->columns; c++) {
            model->smallest_change[c] = settings->smallest_change[c % columns];
        }
    }
    uint64_t seed = model->settings.seed;
    model->window = window_create(model->columns, WINDOW_ROWS_MAX, model->settings.window_points, seed);
    model->held = window_create(model->columns, HELD_ROWS_MAX, SIZE_MAX, rng_mix(seed));
    threshold_init(&model->threshold, &(struct threshold_settings){
                                          .floor = THRESHOLD_FLOOR,
                                          .young = THRESHOLD_YOUNG,
                                          .ceiling = THRESHOLD_CEILING,
                                          .false_alarm_rate = model->settings.false_alarm_rate,
                                      });
    return model;
}

/* ---- Scoring ---- */

/* How far out an input is: the sum over its trailing columns, which all see the same trouble. */
static double excess_of_input(const struct model *model, size_t input) {
    double sum = 0;
    for (size_t c = input; c < model->columns; c += model->inputs) {
        sum += usual_excess(&model->fitted.usual[c], model->row[c]);
    }
    return sum;
}

/* The root of the sum of squares: one input that is far out counts for more than many that are a little, and
 * many still for more than one. */
static double excess_of_row(const struct model *model) {
    double sum = 0;
    for (size_t i = 0; i < model->inputs; i++) {
        double excess = excess_of_input(model, i);
        sum += excess * excess;
    }
    return sqrt(sum);
}

static double raised_by_excess(double forest_part, double excess) {
    double halvings = EXCESS_WEIGHT * excess;
    return 1 - (1 - forest_part) * portable_exp2(halvings < 50 ? -halvings : -50);
}

static void widen(const struct model *model, double *out) {
    for (size_t c = 0; c < model->columns; c++) {
        out[c] = model->row[c];
    }
}

static double score_row(const struct model *model) {
    double x[FOREST_COLUMNS_MAX];
    widen(model, x);
    return raised_by_excess(forest_score(model->fitted.forest, x), excess_of_row(model));
}

static double with_persistence(struct recent_scores *recent, double score) {
    if (recent->count == PERSISTENCE_POINTS) {
        recent->sum -= recent->rows[recent->next];
    } else {
        recent->count++;
    }
    recent->rows[recent->next] = score;
    recent->sum += score;
    recent->next = (recent->next + 1) % PERSISTENCE_POINTS;
    return (score + recent->sum / (double)recent->count) / 2;
}

/* Adds to shares[] (zeroed): the forest's shares count for what the forest found above its own neutral
 * one half, the excess for what it added. */
static void input_shares(const struct model *model, double *shares) {
    double x[FOREST_COLUMNS_MAX];
    double forest_shares[FOREST_COLUMNS_MAX];
    widen(model, x);
    double forest_part = forest_explain(model->fitted.forest, x, forest_shares);
    double excess = excess_of_row(model);
    double forest_weight = forest_part > 0.5 ? forest_part - 0.5 : 0;
    double excess_weight = raised_by_excess(forest_part, excess) - forest_part;
    double total = forest_weight + excess_weight;
    if (!(total > 0)) {
        return;
    }
    for (size_t c = 0; c < model->columns; c++) {
        shares[c % model->inputs] += forest_weight / total * forest_shares[c];
    }
    for (size_t i = 0; i < model->inputs && excess > 0; i++) {
        double part = excess_of_input(model, i) / excess;
        shares[i] += excess_weight / total * part * part;
    }
}

static void name_leading(const struct model *model, const double *values, struct assessment *out) {
    double shares[MODEL_COLUMNS_MAX] = {0};
    input_shares(model, shares);
    out->leading_count = 0;
    while (out->leading_count < LEADING_FEATURES_MAX) {
        size_t best = 0;
        for (size_t i = 1; i < model->inputs; i++) {
            best = shares[i] > shares[best] ? i : best;
        }
        if (!(shares[best] > 0)) {
            return;
        }
        const struct usual_range *usual = &model->fitted.usual[TRAILING_VALUE * model->inputs + best];
        out->leading[out->leading_count++] =
            (struct leading_feature){best, shares[best], values[best], usual->low, usual->high};
        shares[best] = 0;
    }
}

/* ---- Learning ---- */

/* A stretch has passed: a few of its points are learned, evenly spread over it. */
static void learn_some_held(struct model *model) {
    size_t rows = window_rows(model->held);
    size_t learned = at_most(rows, 1 + window_rows(model->window) / WINDOW_PER_HELD_ROW);
    for (size_t i = 0; i < learned; i++) {
        window_force(model->window, window_values(model->held) + (i * rows / learned) * model->columns);
    }
    window_clear(model->held);
}

static void learn_all_held(struct model *model) {
    for (size_t i = 0; i < window_rows(model->held); i++) {
        window_force(model->window, window_values(model->held) + i * model->columns);
    }
    window_clear(model->held);
    model->points_since_fit = REFIT_MOST; /* do not wait */
}

/* Follows the stretch; returns whether this point begins one. */
static bool follow_stretch(struct model *model, int64_t timestamp_ms, bool anomalous) {
    struct anomalous_stretch *stretch = &model->stretch;
    if (anomalous) {
        bool begins = !stretch->open;
        if (begins) {
            *stretch = (struct anomalous_stretch){.open = true, .began_ms = timestamp_ms};
        }
        stretch->quiet_points = 0;
        if (!stretch->accepted && timestamp_ms - stretch->began_ms >= model->settings.new_normal_after_ms) {
            stretch->accepted = true;
            learn_all_held(model);
        }
        return begins;
    }
    if (stretch->open && ++stretch->quiet_points >= QUIET_POINTS) {
        stretch->open = false;
        learn_some_held(model);
    }
    return false;
}

static bool is_growing_pain(const struct model *model, const struct assessment *seen) {
    return window_rows(model->window) < YOUNG_ROWS && window_rows(model->held) >= PERSISTENCE_POINTS &&
           seen->score < seen->threshold + MILD_EXCESS;
}

/* A stretch's quiet points are learned at once. */
static void learn_row(struct model *model, const struct assessment *seen) {
    if (!seen->anomalous || is_growing_pain(model, seen)) {
        window_add(model->window, model->row);
    } else if (model->stretch.accepted) {
        window_force(model->window, model->row);
    } else {
        window_add(model->held, model->row);
    }
}

static bool says_anything(const double *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!isnan(values[i])) {
            return true;
        }
    }
    return false;
}

void model_observe(struct model *model, int64_t timestamp_ms, const double *values, struct assessment *out) {
    size_t target = model->settings.learning_points;
    struct assessment seen = {
        .at_ms = timestamp_ms, .score = NAN, .threshold = NAN, .learning_target = target};
    if (says_anything(values, model->inputs)) {
        model->points++;
        model->points_since_fit++;
        trailing_observe(model->trailing, timestamp_ms, values, model->row);
        if (model->fitted.forest) {
            seen.score = with_persistence(&model->recent, score_row(model));
            seen.threshold = model->threshold.value;
            bool suspect = seen.score > SUSPECT_FROM * seen.threshold;
            seen.anomalous = seen.score > seen.threshold || (model->stretch.open && suspect);
            seen.alert = follow_stretch(model, timestamp_ms, seen.anomalous);
            threshold_learn(&model->threshold, seen.alert);
            if (suspect) {
                name_leading(model, values, &seen);
            }
        }
        learn_row(model, &seen);
    }
    seen.learning_points = model->points < target ? model->points : target;
    *out = seen;
}

/* ---- Training ---- */

static bool is_due(const struct model *model) {
    size_t rows = window_rows(model->window);
    if (model->training_out || rows < model->settings.learning_points) {
        return false;
    }
    size_t wait = rows / 10;
    wait = wait < REFIT_LEAST ? REFIT_LEAST : wait;
    wait = wait > REFIT_MOST ? REFIT_MOST : wait;
    return !model->fitted.forest || model->points_since_fit >= wait;
}

struct training *model_training_due(struct model *model) {
    if (!is_due(model)) {
        return NULL;
    }
    struct training *training = xcalloc(1, sizeof *training);
    training->rows = window_rows(model->window);
    training->columns = model->columns;
    size_t count = training->rows * training->columns;
    training->values = xcalloc(count, sizeof *training->values);
    memcpy(training->values, window_values(model->window), count * sizeof *training->values);
    if (model->smallest_change) {
        training->smallest_change = xcalloc(model->columns, sizeof *training->smallest_change);
        memcpy(training->smallest_change, model->smallest_change,
               model->columns * sizeof *training->smallest_change);
    }
    training->params = (struct forest_params){
        .trees = model->settings.trees,
        .subsample_size = model->settings.subsample_size,
        .seed = rng_mix(model->settings.seed + model->trainings),
    };
    model->training_out = true;
    return training;
}

void training_run(struct training *training) {
    size_t count = training->rows * training->columns;
    double *values = xcalloc(count, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i] = training->values[i];
    }
    struct feature_matrix x = {values, training->rows, training->columns};
    struct error err;
    enum status status = forest_train(&x, &training->params, &training->fitted.forest, &err);
    assert(status == STATUS_OK); /* the model hands out finite rows and sound parameters */
    free(values);
    training->fitted.usual = xcalloc(training->columns, sizeof *training->fitted.usual);
    usual_ranges(training->values, training->rows, training->columns, training->smallest_change,
                 training->fitted.usual);
}

void model_adopt(struct model *model, struct training *training) {
    assert(model->training_out);
    model->training_out = false;
    if (training->fitted.forest) {
        fitted_release(&model->fitted);
        model->fitted = training->fitted;
        training->fitted = (struct fitted){0};
        model->trainings++;
        model->points_since_fit = 0;
    }
    training_destroy(training);
}

void training_destroy(struct training *training) {
    if (!training) {
        return;
    }
    fitted_release(&training->fitted);
    free(training->values);
    free(training->smallest_change);
    free(training);
}

bool model_is_live(const struct model *model) {
    return model->fitted.forest != NULL;
}

size_t model_window_points(const struct model *model) {
    return window_rows(model->window);
}

size_t model_bytes(const struct model *model) {
    size_t forest = model->fitted.forest ? forest_bytes(model->fitted.forest) : 0;
    return sizeof *model + trailing_bytes(model->trailing) + window_bytes(model->window) +
           window_bytes(model->held) + forest +
           model->columns * (sizeof *model->row + sizeof *model->fitted.usual);
}

void model_destroy(struct model *model) {
    if (!model) {
        return;
    }
    fitted_release(&model->fitted);
    trailing_destroy(model->trailing);
    window_destroy(model->window);
    window_destroy(model->held);
    free(model->smallest_change);
    free(model->row);
    free(model);
}
