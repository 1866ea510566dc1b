#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "orient/portable_math.h"

static void assert_close(double got, double expected, double relative) {
    assert_true(fabs(got - expected) <= relative * fabs(expected));
}

static void they_agree_with_the_c_library_to_a_few_units_in_the_last_place(void **state) {
    (void)state;
    struct rng rng;
    rng_seed(&rng, 7);
    for (int i = 0; i < 20000; i++) {
        double x = (rng_uniform(&rng) - 0.5) * 60;
        double large = exp2(x);
        assert_close(portable_exp2(x), large, 2e-15);
        assert_close(portable_log1p(large), log1p(large), 4e-15);
    }
}

static void powers_of_two_and_zero_are_exact(void **state) {
    (void)state;
    for (int n = -300; n <= 300; n++) {
        assert_true(portable_exp2(n) == ldexp(1, n));
    }
    assert_true(portable_log1p(0) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_agree_with_the_c_library_to_a_few_units_in_the_last_place),
        cmocka_unit_test(powers_of_two_and_zero_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
