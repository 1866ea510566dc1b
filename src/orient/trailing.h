/* src/orient/trailing.h - what a point looks like beside the points before it.
 *
 * A forest sees one row and no order of time. These columns put time into the row: for every input its value,
 * a short and a long trailing mean, and how far a short mean has moved away from an older, longer one. A
 * single input may also be compared with the same time of day on earlier days. docs/detection.md says what
 * each is worth. Causal; missing values are left out of means, and a mean of nothing is missing. One owner.
 */
#ifndef SENTINEL_ORIENT_TRAILING_H
#define SENTINEL_ORIENT_TRAILING_H

#include <stddef.h>
#include <stdint.h>

enum trailing_kind { TRAILING_VALUE, TRAILING_SHORT, TRAILING_LONG, TRAILING_CONTRAST, TRAILING_SEASON };

struct trailing;
struct trailing *trailing_create(size_t inputs);
size_t trailing_columns(const struct trailing *trailing);
/* Column c is of kind c / inputs and comes from input c % inputs. */
enum trailing_kind trailing_kind_of(const struct trailing *trailing, size_t column);
/* Takes a point in and writes its trailing_columns() values. */
void trailing_observe(struct trailing *trailing, int64_t timestamp_ms, const double *values, float *out);
size_t trailing_bytes(const struct trailing *trailing);
void trailing_destroy(struct trailing *trailing);

#endif
