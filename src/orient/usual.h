/* src/orient/usual.h - between which values a column usually lies, and how far beyond a value is.
 *
 * A forest only knows the order of values: once a value is outermost, ten times further out changes little.
 * Distance is measured here, in units of half the usual range (1 % to 99 % quantile of the window). Pure. */
#ifndef SENTINEL_ORIENT_USUAL_H
#define SENTINEL_ORIENT_USUAL_H

#include <stddef.h>

struct usual_range {
    float low, high; /* NaN: the column was missing in every row */
    float unit;      /* what one step beyond is; > 0 */
};

/* One range a column of `values` (row-major, finite or NaN). `smallest_change`: a column's least change that
 * means anything, or NULL. */
void usual_ranges(const float *values, size_t rows, size_t columns, const double *smallest_change,
                  struct usual_range *out);
/* ln(1 + steps beyond the range); 0 within it or when something is missing. */
double usual_excess(const struct usual_range *range, float value);

#endif
