#include "orient/usual.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "orient/portable_math.h"

static const double TAIL = 0.01; /* of the window lies beyond on either side */
/* A short window has not seen its extremes: 15 points know half of the range that 1,000 will. */
static const double YOUNG_ROWS = 15;
/* A column that never moved has no range of its own; a change by this part of its level is one step. */
static const double LEVEL_PART = 0.01;
/* A column that is nearly always the same and sometimes jumps: its usual range says little about the size of
 * its jumps; one step is at least this part of the largest one. */
static const double SPREAD_PART = 0.03;
/* Every n-th row is enough for a quantile. */
static const size_t ROWS_USED = 1365;
/* Beyond this many steps, further is not more unusual. */
static const double STEPS_MAX = 100;

/* Hoare's selection: afterwards values[k] is the k-th smallest. */
static float select_kth(float *values, size_t count, size_t k) {
    size_t low = 0;
    size_t high = count - 1;
    while (low < high) {
        float pivot = values[low + (high - low) / 2];
        size_t i = low;
        size_t j = high;
        for (;;) {
            while (values[i] < pivot) {
                i++;
            }
            while (values[j] > pivot) {
                j--;
            }
            if (i >= j) {
                break;
            }
            float value = values[i];
            values[i++] = values[j];
            values[j--] = value;
        }
        /* values[low .. j] <= pivot <= values[j + 1 .. high] */
        if (k <= j) {
            high = j;
        } else {
            low = j + 1;
        }
    }
    return values[k];
}

/* The whole range, wild points and all. */
static double spread_of(const float *values, size_t count) {
    float low = values[0];
    float high = values[0];
    for (size_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    return (double)high - low;
}

static struct usual_range range_of(float *values, size_t count, double smallest_change) {
    if (count == 0) {
        return (struct usual_range){NAN, NAN, 1};
    }
    size_t beyond = (size_t)(TAIL * (double)count);
    float low = select_kth(values, count, beyond);
    float high = select_kth(values, count, count - 1 - beyond);
    double level = fabs((double)low) > fabs((double)high) ? fabs((double)low) : fabs((double)high);
    double unit = ((double)high - low) / 2 * (1 + YOUNG_ROWS / (double)count);
    if (!(high > low)) {
        unit = LEVEL_PART * level;
    }
    double least = SPREAD_PART * spread_of(values, count);
    unit = unit > least ? unit : least;
    unit = unit > smallest_change ? unit : smallest_change;
    return (struct usual_range){low, high, unit > 1e-30 ? (float)unit : 1e-30F};
}

void usual_ranges(const float *values, size_t rows, size_t columns, const double *smallest_change,
                  struct usual_range *out) {
    size_t step = 1 + rows / (ROWS_USED + 1);
    float *column = xcalloc(rows + 1, sizeof *column);
    for (size_t c = 0; c < columns; c++) {
        size_t count = 0;
        for (size_t r = 0; r < rows; r += step) {
            float value = values[r * columns + c];
            if (!isnan(value)) {
                column[count++] = value;
            }
        }
        out[c] = range_of(column, count, smallest_change ? smallest_change[c] : 0);
    }
    free(column);
}

double usual_excess(const struct usual_range *range, float value) {
    double beyond = 0;
    if (value > range->high) {
        beyond = (double)value - range->high;
    } else if (value < range->low) {
        beyond = (double)range->low - value;
    }
    if (!(beyond > 0)) {
        return 0;
    }
    double steps = beyond / range->unit;
    return portable_log1p(steps < STEPS_MAX ? steps : STEPS_MAX);
}
