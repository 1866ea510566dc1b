/* src/base/clock.h - the two clocks, read by threads' main loops only.
 *
 * orient and decide never call these: time is a parameter there, so that any decision can be replayed. */
#ifndef SENTINEL_BASE_CLOCK_H
#define SENTINEL_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* One reading of both, as it is handed to everything that must not read a clock itself. */
struct moment {
    int64_t unix_ms, monotonic_ms;
};

struct moment clock_now(void);
int64_t clock_realtime_ms(void);  /* since the Unix epoch; may jump */
int64_t clock_monotonic_ms(void); /* never jumps; from an arbitrary start */
int64_t clock_monotonic_us(void); /* the same, for what takes less than a millisecond */

enum { CLOCK_RFC3339_SIZE = sizeof "2026-01-02T03:04:05.678Z" };
/* Writes UTC with milliseconds, e.g. 2026-01-02T03:04:05.678Z, and returns `out`. */
char *clock_format_rfc3339(int64_t unix_ms, char out[CLOCK_RFC3339_SIZE]);

#endif
