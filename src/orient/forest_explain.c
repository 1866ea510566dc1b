/* Which columns made a score.
 *
 * A node that n rows of training reached promises a remaining path of c(n). Taking one step towards a child
 * with m rows changes that promise from c(n) to 1 + c(m); a cut that leaves the row nearly alone shortens it,
 * one that keeps it in the crowd lengthens it slightly. The change is the work of the column that was cut.
 * Along a path the changes add up to exactly h(x) - c(psi), so the columns' sums over all trees account for
 * the whole difference between this row and an average one; nothing is estimated. A column's share is its
 * shortening in proportion to that of all columns that shorten. A missing value is nobody's doing: both
 * branches are followed by weight, and the step itself is not attributed. */
#include <math.h>
#include <string.h>

#include "orient/forest.h"
#include "orient/forest_layout.h"

struct attribution {
    const struct forest *forest;
    const float *row;
    double *changes; /* by column: what its cuts did to the path, summed over the trees */
};

static double attribute(const struct attribution *a, size_t root, size_t at, double weight) {
    const struct forest *forest = a->forest;
    const struct forest_node *node = &forest->nodes[root + at];
    while (!forest_node_is_leaf(forest, node)) {
        float value = a->row[node->column];
        if (isnan(value)) {
            double below = forest->rows[root + node->left];
            double above = forest->rows[root + node->left + 1];
            double share = below / (below + above);
            return share * attribute(a, root, node->left, weight * share) +
                   (1 - share) * attribute(a, root, node->left + 1U, weight * (1 - share));
        }
        size_t next = node->left + (size_t)(value >= node->split);
        double promised = forest->average_path_lengths[forest->rows[root + at]];
        double now = 1 + forest->average_path_lengths[forest->rows[root + next]];
        a->changes[node->column] += weight * (now - promised);
        at = next;
        node = &forest->nodes[root + at];
    }
    return node->split;
}

double forest_explain(const struct forest *forest, const double *x, double *shares) {
    float row[FOREST_COLUMNS_MAX + 1];
    double changes[FOREST_COLUMNS_MAX] = {0};
    (void)forest_scale_row(forest, x, row);
    struct attribution a = {forest, row, changes};
    double sum = 0;
    for (size_t t = 0; t < forest->trees; t++) {
        sum += attribute(&a, forest->roots[t], 0, 1);
    }
    double shortened = 0;
    for (size_t c = 0; c < forest->columns; c++) {
        shortened += changes[c] < 0 ? -changes[c] : 0;
    }
    for (size_t c = 0; c < forest->columns; c++) {
        shares[c] = changes[c] < 0 ? -changes[c] / shortened : 0;
    }
    return forest_score_of_paths(forest, sum);
}
