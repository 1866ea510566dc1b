#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock_us(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct moment clock_now(void) {
    return (struct moment){.unix_ms = clock_realtime_ms(), .monotonic_ms = clock_monotonic_ms()};
}

int64_t clock_realtime_ms(void) {
    return read_clock_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_monotonic_ms(void) {
    return read_clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_monotonic_us(void) {
    return read_clock_us(CLOCK_MONOTONIC);
}

char *clock_format_rfc3339(int64_t unix_ms, char out[CLOCK_RFC3339_SIZE]) {
    int64_t ms = unix_ms % 1000;
    if (ms < 0)
        ms += 1000;
    time_t seconds = (time_t)((unix_ms - ms) / 1000);
    struct tm utc;
    /* Years beyond four digits do not fit the format; nothing that we accept has one. */
    if (!gmtime_r(&seconds, &utc) || utc.tm_year + 1900 > 9999 || utc.tm_year + 1900 < 0)
        utc = (struct tm){.tm_mday = 1, .tm_year = -1900};
    /* Not strftime: its %Y does not fill up years before 1000. The remainders tell the compiler that it fits.
     */
    snprintf(out, CLOCK_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(utc.tm_year + 1900) % 10000, (unsigned)(utc.tm_mon + 1) % 100,
             (unsigned)utc.tm_mday % 100, (unsigned)utc.tm_hour % 100, (unsigned)utc.tm_min % 100,
             (unsigned)utc.tm_sec % 100, (unsigned)ms % 1000);
    return out;
}
