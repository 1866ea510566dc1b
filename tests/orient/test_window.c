#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orient/window.h"

static double mean_of(const struct window *window) {
    double sum = 0;
    for (size_t i = 0; i < window_rows(window); i++) {
        sum += (double)window_values(window)[i];
    }
    return sum / (double)window_rows(window);
}

static void few_rows_are_all_kept_in_order(void **state) {
    (void)state;
    struct window *window = window_create(2, 100, 1000, 1);
    for (int i = 0; i < 100; i++) {
        window_add(window, (float[]){(float)i, (float)-i});
    }
    assert_int_equal(window_rows(window), 100);
    for (int i = 0; i < 100; i++) {
        assert_true(window_values(window)[2 * i] == (float)i);
        assert_true(window_values(window)[2 * i + 1] == (float)-i);
    }
    window_destroy(window);
}

/* The mean of 400 rows drawn evenly from 0 .. 7999 is 4000 with a deviation of 115; four are allowed. */
static void up_to_the_horizon_every_row_is_as_likely_to_be_there(void **state) {
    (void)state;
    struct window *window = window_create(1, 400, 8000, 2);
    for (int i = 0; i < 8000; i++) {
        window_add(window, (float[]){(float)i});
    }
    assert_int_equal(window_rows(window), 400);
    assert_true(mean_of(window) > 4000 - 460 && mean_of(window) < 4000 + 460);
    window_destroy(window);
}

/* Beyond it the age of a row is exponential with the horizon as its mean: 1,000 rows, four deviations of 50.
 */
static void beyond_the_horizon_old_rows_fade(void **state) {
    (void)state;
    struct window *window = window_create(1, 400, 1000, 3);
    for (int i = 0; i < 50000; i++) {
        window_add(window, (float[]){(float)i});
    }
    assert_true(mean_of(window) > 49000 - 200 && mean_of(window) < 49000 + 200);
    window_destroy(window);
}

static void a_forced_row_is_there(void **state) {
    (void)state;
    struct window *window = window_create(1, 10, 1000000, 4);
    for (int i = 0; i < 5000; i++) {
        window_add(window, (float[]){0});
    }
    window_force(window, (float[]){10});
    assert_true(mean_of(window) == 1);
    window_clear(window);
    assert_int_equal(window_rows(window), 0);
    window_destroy(window);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_rows_are_all_kept_in_order),
        cmocka_unit_test(up_to_the_horizon_every_row_is_as_likely_to_be_there),
        cmocka_unit_test(beyond_the_horizon_old_rows_fade),
        cmocka_unit_test(a_forced_row_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
