#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orient/trailing.h"

static const int64_t FIVE_MINUTES_MS = 300000;

static void means_cover_their_rows(void **state) {
    (void)state;
    struct trailing *trailing = trailing_create(2);
    assert_int_equal(trailing_columns(trailing), 8);
    float out[8];
    for (int i = 1; i <= 100; i++) {
        trailing_observe(trailing, i, (double[]){i, -i}, out);
    }
    assert_true(out[0] == 100 && out[1] == -100);
    assert_true(out[2] == 99 && out[3] == -99);                /* 98 .. 100 */
    assert_true(out[4] == 94.5F && out[5] == -94.5F);          /* 89 .. 100 */
    assert_true(out[6] == 98 - 71.5F && out[7] == 71.5F - 98); /* 96 .. 100 less 48 .. 95 */
    assert_int_equal(trailing_kind_of(trailing, 5), TRAILING_LONG);
    trailing_destroy(trailing);
}

static void missing_values_are_left_out_and_a_mean_of_nothing_is_missing(void **state) {
    (void)state;
    struct trailing *trailing = trailing_create(2);
    float out[8];
    trailing_observe(trailing, 1, (double[]){4, NAN}, out);
    trailing_observe(trailing, 2, (double[]){NAN, NAN}, out);
    assert_true(isnan(out[0]) && out[2] == 4);
    assert_true(isnan(out[1]) && isnan(out[3]) && isnan(out[5]) && isnan(out[7]));
    trailing_destroy(trailing);
}

static void a_single_input_is_compared_with_the_same_time_on_earlier_days(void **state) {
    (void)state;
    struct trailing *trailing = trailing_create(1);
    assert_int_equal(trailing_columns(trailing), 5);
    float out[5];
    for (int i = 0; i < 2 * 288; i++) {
        trailing_observe(trailing, i * FIVE_MINUTES_MS, (double[]){i % 288}, out);
        assert_true(i < 288 ? isnan(out[TRAILING_SEASON]) : out[TRAILING_SEASON] == 0);
    }
    trailing_observe(trailing, 2 * 288 * FIVE_MINUTES_MS, (double[]){5}, out);
    assert_true(out[TRAILING_SEASON] == 5);
    trailing_destroy(trailing);
}

static void the_largest_numbers_stay_finite(void **state) {
    (void)state;
    struct trailing *trailing = trailing_create(1);
    float out[5];
    trailing_observe(trailing, 1, (double[]){1e300}, out);
    trailing_observe(trailing, 2, (double[]){-1e300}, out);
    for (size_t c = 0; c < 5; c++) {
        assert_false(isinf(out[c]));
    }
    trailing_destroy(trailing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_cover_their_rows),
        cmocka_unit_test(missing_values_are_left_out_and_a_mean_of_nothing_is_missing),
        cmocka_unit_test(a_single_input_is_compared_with_the_same_time_on_earlier_days),
        cmocka_unit_test(the_largest_numbers_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
