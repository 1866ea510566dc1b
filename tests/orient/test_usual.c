#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "orient/usual.h"

static void the_range_is_the_inner_98_percent(void **state) {
    (void)state;
    enum { ROWS = 1000 };
    static float values[ROWS];
    struct rng rng;
    rng_seed(&rng, 1);
    for (int i = 0; i < ROWS; i++) {
        values[i] = (float)i;
    }
    for (int i = ROWS - 1; i > 0; i--) {
        size_t j = rng_below(&rng, (uint64_t)i + 1);
        float value = values[i];
        values[i] = values[j];
        values[j] = value;
    }
    struct usual_range range;
    usual_ranges(values, ROWS, 1, NULL, &range);
    assert_true(range.low == 10 && range.high == 989);
    assert_true(usual_excess(&range, 10) == 0 && usual_excess(&range, 989) == 0);
    assert_true(fabs(usual_excess(&range, 989 + range.unit) - log(2)) < 1e-6);
    assert_true(fabs(usual_excess(&range, 10 - 3 * range.unit) - log(4)) < 1e-6);
}

static void a_short_window_is_trusted_less(void **state) {
    (void)state;
    float few[15];
    float many[1500];
    for (int i = 0; i < 1500; i++) {
        few[i % 15] = (float)(i % 15);
        many[i] = (float)(i % 15);
    }
    struct usual_range young;
    struct usual_range old;
    usual_ranges(few, 15, 1, NULL, &young);
    usual_ranges(many, 1500, 1, NULL, &old);
    assert_true(young.low == old.low && young.high == old.high);
    assert_true(young.unit > 1.5F * old.unit);
}

static void a_change_too_small_to_matter_is_a_small_excess(void **state) {
    (void)state;
    float values[15];
    for (int i = 0; i < 15; i++) {
        values[i] = 0.0001F * (float)i;
    }
    double smallest_change = 0.05;
    struct usual_range blind;
    struct usual_range told;
    usual_ranges(values, 15, 1, NULL, &blind);
    usual_ranges(values, 15, 1, &smallest_change, &told);
    assert_true(usual_excess(&blind, 0.03F) > 2);
    assert_true(usual_excess(&told, 0.03F) < 0.5);
    assert_true(usual_excess(&told, 1.0F) > 2.5);
}

static void constant_and_missing_columns_break_nothing(void **state) {
    (void)state;
    float values[8] = {5, NAN, 5, NAN, 5, NAN, 5, NAN};
    struct usual_range ranges[2];
    usual_ranges(values, 4, 2, NULL, ranges);
    assert_true(usual_excess(&ranges[0], 5) == 0);
    assert_true(usual_excess(&ranges[0], 6) > 0 && isfinite(usual_excess(&ranges[0], 3e38F)));
    assert_true(usual_excess(&ranges[0], NAN) == 0);
    assert_true(usual_excess(&ranges[1], 7) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_range_is_the_inner_98_percent),
        cmocka_unit_test(a_short_window_is_trusted_less),
        cmocka_unit_test(a_change_too_small_to_matter_is_a_small_excess),
        cmocka_unit_test(constant_and_missing_columns_break_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
