#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rfc3339.h"

static void moments_are_written_as_rfc_3339_with_milliseconds(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-62135596800000, "0001-01-01T00:00:00.000Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1700000000123, "2023-11-14T22:13:20.123Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    char text[CLOCK_RFC3339_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t back;
        assert_string_equal(clock_format_rfc3339(cases[i].ms, text), cases[i].text);
        assert_true(rfc3339_parse(text, &back));
        assert_true(back == cases[i].ms);
    }
}

static void a_year_that_does_not_fit_is_written_as_year_zero(void **state) {
    (void)state;
    char text[CLOCK_RFC3339_SIZE];
    assert_string_equal(clock_format_rfc3339(253402300800000, text), "0000-01-01T00:00:00.000Z");
    assert_memory_equal(clock_format_rfc3339(INT64_MAX, text), "0000-01-01T", 11);
}

static void the_monotonic_clock_never_runs_back(void **state) {
    (void)state;
    int64_t before_us = clock_monotonic_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now_us = clock_monotonic_us();
        assert_true(now_us >= before_us);
        before_us = now_us;
    }
    struct moment now = clock_now();
    assert_true(now.unix_ms > 1700000000000);
    assert_true(now.monotonic_ms >= before_us / 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_written_as_rfc_3339_with_milliseconds),
        cmocka_unit_test(a_year_that_does_not_fit_is_written_as_year_zero),
        cmocka_unit_test(the_monotonic_clock_never_runs_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
