/* src/sentinelctl/points_csv.h - a table of numbers, one line at a time.
 *
 * The first line names the columns. An empty field, "NaN" or "null" is a missing value. With
 * POINTS_WITH_TIME the first column is a time: Unix seconds (a fraction is allowed) or RFC 3339. Lines may
 * end in CR LF; an empty line is skipped. Every refusal names the line and the column. One thread. */
#ifndef SENTINEL_SENTINELCTL_POINTS_CSV_H
#define SENTINEL_SENTINELCTL_POINTS_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

enum points_layout { POINTS_WITH_TIME, POINTS_WITHOUT_TIME };

struct points_csv;
/* Reads the header. `file` is borrowed; `name` stands for it in errors. */
MUST_CHECK enum status points_csv_open(FILE *file, const char *name, enum points_layout layout,
                                       struct points_csv **out, struct error *err);
/* Columns of values; the time is not among them. */
size_t points_csv_columns(const struct points_csv *csv);
const char *points_csv_column_name(const struct points_csv *csv, size_t column);
/* Fills values[0 .. columns) and, with time, *timestamp_ms. STATUS_NOT_FOUND: the end. */
MUST_CHECK enum status points_csv_next(struct points_csv *csv, int64_t *timestamp_ms, double *values,
                                       struct error *err);
/* The time as it was written in the line read last; points into the reader until the next line. */
const char *points_csv_time_text(const struct points_csv *csv);
uint64_t points_csv_bytes_read(const struct points_csv *csv);
void points_csv_close(struct points_csv *csv);

#endif
