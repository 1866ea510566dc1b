/* src/orient/forest.h - isolation forest: how few random cuts set a point apart.
 *
 * F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation Forest", ICDM 2008; "Isolation-Based Anomaly Detection",
 * TKDD 6(1), 2012. Differences from the paper are listed at the top of forest.c. c(n) uses exact harmonic
 * numbers; the logarithmic approximation is 0.46 too small at n = 3. A value may be NaN (missing): a split
 * that lacks its value follows both branches, weighted by the rows that went each way in training.
 *
 * A forest never changes after training, so any number of threads may score with it at once. Same rows,
 * same parameters, same seed: same forest, everywhere. */
#ifndef SENTINEL_ORIENT_FOREST_H
#define SENTINEL_ORIENT_FOREST_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    FOREST_COLUMNS_MAX = 1024,
    FOREST_TREES_MAX = 10000,
    FOREST_SUBSAMPLE_MAX = 16384, /* nodes of one tree are counted in 16 bits */
};

struct forest;
struct forest_params {
    size_t trees;          /* t: 1 .. FOREST_TREES_MAX */
    size_t subsample_size; /* psi: 2 .. FOREST_SUBSAMPLE_MAX; reduced to the number of rows if larger */
    uint64_t seed;
};
/* Row-major, rows x columns; finite or NaN. */
struct feature_matrix {
    const double *values;
    size_t rows, columns;
};

/* STATUS_INVALID: fewer than 2 rows, no column, an infinite value, or a parameter out of bounds. */
MUST_CHECK enum status forest_train(const struct feature_matrix *x, const struct forest_params *params,
                                    struct forest **out, struct error *err);
size_t forest_columns(const struct forest *forest);
size_t forest_bytes(const struct forest *forest);
/* s(x, psi) in (0, 1]. `x` has forest_columns() values. Allocates nothing. */
double forest_score(const struct forest *forest, const double *x);
/* The same score, and how much of it each column is answerable for: shares[0 .. columns), >= 0, sum 1 (all 0
 * when nothing stands out). See forest_explain.c for what "answerable" means. */
double forest_explain(const struct forest *forest, const double *x, double *shares);
/* c(n) = 2 H(n-1) - 2 (n-1)/n; 0 for n <= 1, 1 for n = 2. */
double forest_average_path_length(size_t n);
void forest_destroy(struct forest *forest);

#endif
