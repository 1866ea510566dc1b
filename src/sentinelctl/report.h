/* src/sentinelctl/report.h - an array of flat JSON objects as a table for people, as CSV, or as it is.
 *
 * Text may come from anywhere (names of processes do), so control characters never reach the terminal: they
 * become '?'. Pure apart from `out`. */
#ifndef SENTINEL_SENTINELCTL_REPORT_H
#define SENTINEL_SENTINELCTL_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum report_format { REPORT_TABLE, REPORT_JSON, REPORT_CSV };
/* False after a message on stderr. */
bool report_format_parse(const char *command, const char *text, enum report_format *out);

struct report_column {
    const char *key, *title;
};
/* Aligned columns; what is null or missing is "-". `rows` is an array of objects. */
void report_table(const json_t *rows, const struct report_column *columns, size_t count, FILE *out);

/* One object as "key  value" lines, without what is null or missing. */
void report_pairs(const json_t *object, const char *const *keys, size_t count, FILE *out);

/* RFC 4180 with a header. `keys`: names with commas between them, NULL for all keys of the first row.
 * `epoch`: times become seconds since the epoch. */
void report_csv(const json_t *rows, const char *keys, bool epoch, FILE *out);
void report_json(const json_t *value, FILE *out);

/* "2026-08-03T10:00:34.567Z" as Unix milliseconds; false if it is not such a time. */
bool report_parse_time(const char *text, int64_t *unix_ms);

#endif
