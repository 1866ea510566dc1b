/* src/sentineld/quantity.h - numbers with units, as people write them in a configuration. Pure.
 *
 * Each takes the whole text or nothing; `what` is what was expected, for error texts. */
#ifndef SENTINEL_SENTINELD_QUANTITY_H
#define SENTINEL_SENTINELD_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool quantity_parse_count(const char *text, uint64_t *out); /* 15 */
bool quantity_parse_bytes(const char *text, uint64_t *out); /* 1024, 64KiB, 32MiB, 1GiB, 10MB */
bool quantity_parse_duration(const char *text,
                             int64_t *out_ms);             /* 500ms, 2s, 1m30s, 6h, 7d as in Prometheus */
bool quantity_parse_number(const char *text, double *out); /* finite: 0.90, 1e6, 90% */

#endif
