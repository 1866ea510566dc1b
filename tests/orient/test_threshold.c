#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "orient/portable_math.h"
#include "orient/threshold.h"

static const struct threshold_settings SETTINGS = {
    .floor = 0.3, .young = 0.7, .ceiling = 0.95, .false_alarm_rate = 1e-3, .memory_points = 5000};

/* Scores with an exponential tail beyond 0.4, the kind that the extrapolation assumes. */
static double tailed(struct rng *rng) {
    double score = 0.4 + 0.03 * portable_log1p(1 / (1 - rng_uniform(rng)) - 1);
    return score < 1 ? score : 1;
}

static void a_young_host_has_the_value_for_the_young(void **state) {
    (void)state;
    struct threshold threshold;
    threshold_init(&threshold, &SETTINGS);
    for (int i = 0; i < 40; i++) {
        threshold_learn(&threshold, 0.4);
        assert_true(threshold.value == SETTINGS.young);
    }
}

/* 200,000 scores at a rate of 1 in 1,000 should give 200 alarms; the estimate of the tail allows a factor 2.
 */
static void the_wanted_false_alarm_rate_comes_out(void **state) {
    (void)state;
    struct threshold threshold;
    threshold_init(&threshold, &SETTINGS);
    struct rng rng;
    rng_seed(&rng, 11);
    unsigned alarms = 0;
    for (int i = 0; i < 205000; i++) {
        double score = tailed(&rng);
        alarms += i >= 5000 && score > threshold.value;
        threshold_learn(&threshold, score);
    }
    assert_true(alarms > 100 && alarms < 400);
}

static void it_stays_between_floor_and_ceiling(void **state) {
    (void)state;
    struct threshold quiet;
    struct threshold wild;
    threshold_init(&quiet, &SETTINGS);
    threshold_init(&wild, &SETTINGS);
    for (int i = 0; i < 1000; i++) {
        threshold_learn(&quiet, 0.1);
        threshold_learn(&wild, i % 10 ? 0.5 : 1.0);
    }
    assert_true(quiet.value == SETTINGS.floor);
    assert_true(wild.value == SETTINGS.ceiling);
}

static void old_scores_fade(void **state) {
    (void)state;
    struct threshold threshold;
    threshold_init(&threshold, &SETTINGS);
    for (int i = 0; i < 20000; i++) {
        threshold_learn(&threshold, 0.8);
    }
    assert_true(threshold.value >= 0.8);
    for (int i = 0; i < 60000; i++) {
        threshold_learn(&threshold, 0.4);
    }
    assert_true(threshold.value < 0.42);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_young_host_has_the_value_for_the_young),
        cmocka_unit_test(the_wanted_false_alarm_rate_comes_out),
        cmocka_unit_test(it_stays_between_floor_and_ceiling),
        cmocka_unit_test(old_scores_fade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
