/* src/orient/model.h - one host's model: learning, live, retrained.
 *
 * Holds the host's window of points and the forest in use. The first forest is asked for after
 * `learning_points` points, then again on a schedule that is dense while the window is short and sparse when
 * it is long. Training happens elsewhere: model_training_due() hands out a copy of the window, the trainer
 * thread runs training_run(), and model_adopt() takes the result over; in a backtest the three are called in
 * a row. The model reads no clock and no random source. One owner (core). */
#ifndef SENTINEL_ORIENT_MODEL_H
#define SENTINEL_ORIENT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orient/assessment.h"
#include "orient/forest.h"

struct model_settings {
    size_t learning_points;  /* 15 */
    size_t window_points;    /* longest memory */
    size_t trees;            /* t */
    size_t subsample_size;   /* psi once the window is long enough */
    double false_alarm_rate; /* share of normal points that may lie above the threshold */
    uint64_t seed;           /* mixed with the host's name by the caller */
    /* A stretch of anomalous points is kept out of the window; when it has lasted this long it is what this
     * host does now, and is learned. 0: six hours. */
    int64_t new_normal_after_ms;
    /* For each column the least change that means anything (0.05 for a ratio of busy time), so that a quiet
     * host's fifteen nearly equal points do not make a trifle look enormous. NULL: none is known. Copied. */
    const double *smallest_change;
};

enum { MODEL_COLUMNS_MAX = 200 };

struct model;
/* `columns`: 1 .. MODEL_COLUMNS_MAX. Any other setting that is 0 takes its default (model.c). */
struct model *model_create(size_t columns, const struct model_settings *settings);
/* Takes one point in (`values`: `columns` finite or NaN) and says how unusual it is. Causal: depends on this
 * and earlier points only. */
void model_observe(struct model *model, int64_t timestamp_ms, const double *values, struct assessment *out);

struct training; /* a copy of the window, and afterwards the forest made from it */
/* A training to run, or NULL if none is due or one is out already. The caller owns it. */
struct training *model_training_due(struct model *model);
void training_run(struct training *training); /* any thread */
/* Takes the training back, run or not; a training that was not run is asked for again at the next point. */
void model_adopt(struct model *model, struct training *training);
void training_destroy(struct training *training); /* when the model is gone */

bool model_is_live(const struct model *model);
size_t model_window_points(const struct model *model);
size_t model_bytes(const struct model *model);
void model_destroy(struct model *model);

#endif
