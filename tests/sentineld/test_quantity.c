#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sentineld/quantity.h"

static void durations_are_read_as_prometheus_writes_them(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0},           {"500ms", 500},    {"2s", 2000},
                {"1m30s", 90000},   {"6h", 21600000},  {"7d", 604800000},
                {"2w", 1209600000}, {"1h0m", 3600000}, {"9223372036854775807ms", INT64_MAX}};
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "-1s",
                                      "1.5s",
                                      " 1s",
                                      "1s ",
                                      "1y2",
                                      "9223372036854775807s",
                                      "9223372036854775807ms1ms",
                                      "99999999999999999999s"};
    int64_t ms = -7;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(quantity_parse_duration(good[i].text, &ms));
        assert_true(ms == good[i].ms);
    }
    ms = -7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(quantity_parse_duration(bad[i], &ms));
    assert_true(ms == -7);
}

static void sizes_are_read_with_their_unit(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},           {"1024", 1024},      {"1B", 1},
                {"64KiB", 65536},   {"32MiB", 33554432}, {"1GiB", 1 << 30},
                {"10MB", 10000000}, {"2kB", 2000},       {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {
        "", "MiB", "-1", "1 MiB", "1Mib", "1KB", "1MiBs", "1.5MiB", "18446744073709551616", "17179869184GiB"};
    uint64_t bytes = 7;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(quantity_parse_bytes(good[i].text, &bytes));
        assert_true(bytes == good[i].bytes);
    }
    bytes = 7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(quantity_parse_bytes(bad[i], &bytes));
    assert_true(bytes == 7);
}

static void counts_are_digits_and_nothing_else(void **state) {
    (void)state;
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x10", "1e3", "18446744073709551616"};
    uint64_t count;
    assert_true(quantity_parse_count("18446744073709551615", &count) && count == UINT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(quantity_parse_count(bad[i], &count));
}

static void numbers_are_finite_and_may_be_per_cent(void **state) {
    (void)state;
    static const char *const bad[] = {"", " 1", "1 ", "nan", "inf", "1e999", "90%%", "%", "abc"};
    double number;
    assert_true(quantity_parse_number("0.90", &number) && number == 0.9);
    assert_true(quantity_parse_number("90%", &number) && number == 0.9);
    assert_true(quantity_parse_number("-1e6", &number) && number == -1e6);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(quantity_parse_number(bad[i], &number));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_as_prometheus_writes_them),
        cmocka_unit_test(sizes_are_read_with_their_unit),
        cmocka_unit_test(counts_are_digits_and_nothing_else),
        cmocka_unit_test(numbers_are_finite_and_may_be_per_cent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
