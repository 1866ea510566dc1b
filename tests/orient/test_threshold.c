#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "orient/threshold.h"

static const struct threshold_settings SETTINGS = {
    .floor = 0.5, .ceiling = 0.9, .young = 0.6, .false_alarm_rate = 0.001};

static void the_floor_comes_down_as_a_host_grows_older(void **state) {
    (void)state;
    struct threshold threshold;
    threshold_init(&threshold, &SETTINGS);
    assert_true(threshold.value == SETTINGS.young);
    double last = threshold.value;
    for (int i = 0; i < 30000; i++) {
        threshold_learn(&threshold, false);
        assert_true(threshold.value <= last && threshold.value >= SETTINGS.floor);
        last = threshold.value;
    }
    assert_true(last < SETTINGS.floor + 0.002);
}

/* Uniform scores: an alert at 1 point in 1,000 needs a threshold of 0.999 of their range. The count of alerts
 * in 200,000 points is 200 by design; a third is allowed for the walk of the threshold. */
static void alerts_come_at_the_wanted_rate_in_the_long_run(void **state) {
    (void)state;
    struct threshold threshold;
    threshold_init(&threshold, &SETTINGS);
    struct rng rng;
    rng_seed(&rng, 3);
    unsigned alerts = 0;
    for (int i = 0; i < 250000; i++) {
        bool alert = 0.8 * rng_uniform(&rng) > threshold.value;
        alerts += i >= 50000 && alert;
        threshold_learn(&threshold, alert);
    }
    assert_true(alerts > 133 && alerts < 267);
}

static void it_never_leaves_floor_and_ceiling(void **state) {
    (void)state;
    struct threshold threshold;
    threshold_init(&threshold, &SETTINGS);
    for (int i = 0; i < 1000; i++) {
        threshold_learn(&threshold, true);
        assert_true(threshold.value <= SETTINGS.ceiling);
    }
    assert_true(threshold.value > SETTINGS.ceiling - 1e-9);
    for (int i = 0; i < 2000000; i++) {
        threshold_learn(&threshold, false);
    }
    assert_true(threshold.value >= SETTINGS.floor && threshold.value < SETTINGS.floor + 0.001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_floor_comes_down_as_a_host_grows_older),
        cmocka_unit_test(alerts_come_at_the_wanted_rate_in_the_long_run),
        cmocka_unit_test(it_never_leaves_floor_and_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
