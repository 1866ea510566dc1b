#include "orient/trailing.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Rows [lag, lag + length) before and including the newest. */
struct stretch {
    size_t lag, length;
};
static const struct stretch SHORT = {0, 3}, LONG = {0, 12}, NEAR = {0, 5}, FAR = {5, 48};
enum { REMEMBERED = 64 }; /* rows; at least FAR.lag + FAR.length, and a power of two */

/* The day in slots of five minutes; what is usual in a slot follows the days with this weight. */
enum { SLOTS = 288 };
static const int64_t DAY_MS = 86400000;
static const double SEASON_WEIGHT = 0.3;

struct season {
    double usual[SLOTS]; /* NaN: not seen yet */
    double sum;          /* of the slot that is filling */
    size_t count;
    int64_t slot; /* since the epoch; 0 before the first point */
};

struct trailing {
    size_t inputs, kinds;
    uint64_t seen;
    double *rows;          /* REMEMBERED x inputs, a ring */
    struct season *season; /* one, if there is a single input */
};

struct trailing *trailing_create(size_t inputs) {
    struct trailing *trailing = xcalloc(1, sizeof *trailing);
    trailing->inputs = inputs;
    trailing->rows = xcalloc(REMEMBERED * inputs, sizeof *trailing->rows);
    trailing->kinds = TRAILING_CONTRAST + 1;
    if (inputs == 1) {
        trailing->kinds = TRAILING_SEASON + 1;
        trailing->season = xcalloc(1, sizeof *trailing->season);
        for (size_t i = 0; i < SLOTS; i++) {
            trailing->season->usual[i] = NAN;
        }
    }
    return trailing;
}

size_t trailing_columns(const struct trailing *trailing) {
    return trailing->inputs * trailing->kinds;
}

enum trailing_kind trailing_kind_of(const struct trailing *trailing, size_t column) {
    return (enum trailing_kind)(column / trailing->inputs);
}

static double mean_of(const struct trailing *trailing, size_t input, struct stretch stretch) {
    double sum = 0;
    size_t count = 0;
    for (size_t age = stretch.lag; age < stretch.lag + stretch.length && age < trailing->seen; age++) {
        double value = trailing->rows[((trailing->seen - 1 - age) % REMEMBERED) * trailing->inputs + input];
        if (!isnan(value)) {
            sum += value;
            count++;
        }
    }
    return count > 0 ? sum / (double)count : NAN;
}

/* The value less what is usual at this time of day; NaN on the first day. A slot is learned when it is over,
 * so that a point is never compared with itself. */
static double season_residual(struct season *season, int64_t timestamp_ms, double value) {
    int64_t slot = timestamp_ms / (DAY_MS / SLOTS);
    if (slot != season->slot && season->count > 0) {
        double mean = season->sum / (double)season->count;
        double *usual = &season->usual[((season->slot % SLOTS) + SLOTS) % SLOTS];
        *usual = isnan(*usual) ? mean : *usual + SEASON_WEIGHT * (mean - *usual);
        season->sum = 0;
        season->count = 0;
    }
    season->slot = slot;
    if (isnan(value)) {
        return NAN;
    }
    season->sum += value;
    season->count++;
    return value - season->usual[((slot % SLOTS) + SLOTS) % SLOTS];
}

/* The difference of two means, without the rounding that is left when they are equal. */
static double contrast_of(double near, double far) {
    double difference = near - far;
    return fabs(difference) > 1e-9 * fabs(near) ? difference : difference * 0;
}

/* A number too large for a float is as unusual as the largest float. */
static float narrow(double value) {
    if (value > FLT_MAX) {
        return FLT_MAX;
    }
    return value < -FLT_MAX ? -FLT_MAX : (float)value;
}

void trailing_observe(struct trailing *trailing, int64_t timestamp_ms, const double *values, float *out) {
    size_t inputs = trailing->inputs;
    memcpy(trailing->rows + (trailing->seen % REMEMBERED) * inputs, values, inputs * sizeof *values);
    trailing->seen++;
    for (size_t i = 0; i < inputs; i++) {
        out[TRAILING_VALUE * inputs + i] = narrow(values[i]);
        out[TRAILING_SHORT * inputs + i] = narrow(mean_of(trailing, i, SHORT));
        out[TRAILING_LONG * inputs + i] = narrow(mean_of(trailing, i, LONG));
        out[TRAILING_CONTRAST * inputs + i] =
            narrow(contrast_of(mean_of(trailing, i, NEAR), mean_of(trailing, i, FAR)));
    }
    if (trailing->season) {
        out[TRAILING_SEASON] = narrow(season_residual(trailing->season, timestamp_ms, values[0]));
    }
}

size_t trailing_bytes(const struct trailing *trailing) {
    return sizeof *trailing + REMEMBERED * trailing->inputs * sizeof *trailing->rows +
           (trailing->season ? sizeof *trailing->season : 0);
}

void trailing_destroy(struct trailing *trailing) {
    if (!trailing) {
        return;
    }
    free(trailing->rows);
    free(trailing->season);
    free(trailing);
}
