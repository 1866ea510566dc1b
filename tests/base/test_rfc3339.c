/* src/base/rfc3339: moments as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/rfc3339.h"

static void moments_are_read_to_the_millisecond(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T23:30:00.5-00:30", 500},
        {"2026-11-23T20:50:00.123456789Z", INT64_C(1795467000123)},
        {"2000-02-29 12:00:00z", INT64_C(951825600000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800000)},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t unix_ms;
        if (!rfc3339_parse(cases[i].text, &unix_ms) || unix_ms != cases[i].unix_ms)
            fail_msg("%s", cases[i].text);
    }
}

static void every_day_of_eight_centuries_agrees_with_the_c_library(void **state) {
    (void)state;
    for (int64_t day = -146097; day < 146097; day++) {
        time_t seconds = (time_t)(day * 86400);
        struct tm civil;
        char text[40];
        gmtime_r(&seconds, &civil);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &civil);
        int64_t unix_ms;
        assert_true(rfc3339_parse(text, &unix_ms));
        assert_int_equal(unix_ms, day * 86400000);
    }
}

static void what_is_no_moment_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "2026",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05Zx",
        "2026-1-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "1900-02-29T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "0000-01-01T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+1:00",
        "2026-01-02T03:04:05+0100",
        "-026-01-02T03:04:05Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t unix_ms;
        if (rfc3339_parse(texts[i], &unix_ms))
            fail_msg("%s", texts[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_read_to_the_millisecond),
        cmocka_unit_test(every_day_of_eight_centuries_agrees_with_the_c_library),
        cmocka_unit_test(what_is_no_moment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
