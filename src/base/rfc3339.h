/* src/base/rfc3339.h - moments as text, as RFC 3339 writes them: 2026-01-02T03:04:05.678901234+01:00. Pure.
 */
#ifndef SENTINEL_BASE_RFC3339_H
#define SENTINEL_BASE_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since the Unix epoch, what is finer cut off. Years 0001 to 9999; a leap second counts as the
 * second after it. False: not such a text, or no such day. */
bool rfc3339_parse(const char *text, int64_t *unix_ms);

#endif
