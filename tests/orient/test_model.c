#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "orient/model.h"
#include "orient/simulated_host.h"

enum { SCRAPE_S = 2, POINTS_AN_HOUR = 3600 / SCRAPE_S };
static const int64_t HOUR_MS = 3600000;

/* A host and its model, one scrape after the other; trained on the spot as a backtest does. */
struct pair {
    struct simulated_host host;
    struct model *model;
    int64_t now_ms;
    struct assessment seen;
    double values[SIMULATED_COLUMNS];
};

static struct pair pair_create(uint64_t seed, double busy_level, double burst_chance) {
    struct model_settings settings = {.learning_points = 15,
                                      .trees = 16,
                                      .subsample_size = 512,
                                      .seed = seed,
                                      .smallest_change = SIMULATED_SMALLEST_CHANGE};
    return (struct pair){.host = simulated_host(seed, busy_level, burst_chance),
                         .model = model_create(SIMULATED_COLUMNS, &settings),
                         .now_ms = 1700000000000};
}

static void train_if_due(struct model *model) {
    struct training *training = model_training_due(model);
    if (training) {
        training_run(training);
        model_adopt(model, training);
    }
}

static void pair_step(struct pair *pair) {
    pair->now_ms += 1000 * SCRAPE_S;
    simulated_host_step(&pair->host, SCRAPE_S, pair->values);
    model_observe(pair->model, pair->now_ms, pair->values, &pair->seen);
    train_if_due(pair->model);
}

static void fifteen_points_are_learned_before_the_first_score(void **state) {
    (void)state;
    struct pair pair = pair_create(1, 0.03, 0);
    for (size_t i = 1; i <= 15; i++) {
        assert_false(model_is_live(pair.model));
        pair_step(&pair);
        assert_int_equal(pair.seen.learning_points, i);
        assert_int_equal(pair.seen.learning_target, 15);
        assert_true(isnan(pair.seen.score) && isnan(pair.seen.threshold));
        assert_false(pair.seen.anomalous);
    }
    assert_true(model_is_live(pair.model));
    pair_step(&pair);
    assert_true(pair.seen.score > 0 && pair.seen.score < pair.seen.threshold);
    assert_int_equal(pair.seen.learning_points, 15);
    model_destroy(pair.model);
}

static void a_point_without_any_value_teaches_nothing(void **state) {
    (void)state;
    struct model *model = model_create(2, &(struct model_settings){.learning_points = 3});
    struct assessment seen;
    for (int64_t i = 0; i < 10; i++) {
        model_observe(model, i, (double[]){NAN, NAN}, &seen);
    }
    assert_int_equal(seen.learning_points, 0);
    assert_null(model_training_due(model));
    model_destroy(model);
}

static void a_burner_is_seen_at_the_first_point_after_learning(void **state) {
    (void)state;
    unsigned seen = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct pair pair = pair_create(seed, 0.03, 0);
        for (int i = 0; i < 15; i++) {
            pair_step(&pair);
        }
        pair.host.burner = 0.95;
        pair_step(&pair);
        assert_true(pair.seen.score > 0.62);
        if (pair.seen.anomalous) {
            seen++;
            assert_true(pair.seen.alert);
            assert_int_equal(pair.seen.leading[0].feature, CPU_BUSY);
            assert_true(pair.seen.leading[0].share > 0.5);
            assert_true(pair.seen.leading[0].value > 0.9);
            assert_true(pair.seen.leading[0].usual_high < 0.2);
        }
        model_destroy(pair.model);
    }
    assert_true(seen >= 28);
}

static void a_quiet_host_does_not_alarm(void **state) {
    (void)state;
    unsigned alerts = 0;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct pair pair = pair_create(seed, 0.03, 0);
        for (int i = 0; i < 2 * POINTS_AN_HOUR; i++) {
            pair_step(&pair);
            alerts += pair.seen.alert;
        }
        model_destroy(pair.model);
    }
    assert_true(alerts <= 1);
}

/* Cutting the input after a point cannot change what was said up to it: the same run, seen twice, with a
 * different future. */
static void the_future_does_not_reach_back(void **state) {
    (void)state;
    struct pair calm = pair_create(8, 0.03, 0.01);
    struct pair burns = pair_create(8, 0.03, 0.01);
    for (int i = 0; i < 400; i++) {
        pair_step(&calm);
        pair_step(&burns);
        assert_memory_equal(&calm.seen.score, &burns.seen.score, sizeof calm.seen.score);
        assert_int_equal(calm.seen.alert, burns.seen.alert);
    }
    burns.host.burner = 0.95;
    pair_step(&calm);
    pair_step(&burns);
    assert_true(burns.seen.score > calm.seen.score);
    model_destroy(calm.model);
    model_destroy(burns.model);
}

static void a_host_that_burns_for_an_hour_stays_anomalous(void **state) {
    (void)state;
    struct pair pair = pair_create(3, 0.03, 0);
    for (int i = 0; i < POINTS_AN_HOUR; i++) {
        pair_step(&pair);
    }
    pair.host.burner = 0.95;
    unsigned anomalous = 0;
    unsigned alerts = 0;
    for (int i = 0; i < POINTS_AN_HOUR; i++) {
        pair_step(&pair);
        anomalous += pair.seen.anomalous;
        alerts += pair.seen.alert;
    }
    assert_true(anomalous >= POINTS_AN_HOUR - 5);
    assert_true(pair.seen.anomalous);
    assert_int_equal(alerts, 1);
    pair.host.burner = 0;
    for (int i = 0; i < 100; i++) {
        pair_step(&pair);
    }
    assert_false(pair.seen.anomalous);
    pair.host.burner = 0.95;
    for (int i = 0; i < 5; i++) {
        pair_step(&pair);
    }
    assert_true(pair.seen.anomalous); /* and it is not forgotten either */
    model_destroy(pair.model);
}

static void a_lasting_change_becomes_the_new_normal_after_the_set_time(void **state) {
    (void)state;
    struct pair pair = pair_create(4, 0.03, 0);
    model_destroy(pair.model);
    pair.model = model_create(SIMULATED_COLUMNS, &(struct model_settings){
                                                     .learning_points = 15,
                                                     .trees = 16,
                                                     .subsample_size = 256,
                                                     .seed = 4,
                                                     .new_normal_after_ms = HOUR_MS,
                                                     .smallest_change = SIMULATED_SMALLEST_CHANGE,
                                                 });
    for (int i = 0; i < 1000; i++) {
        pair_step(&pair);
    }
    pair.host.burner = 0.95;
    for (int i = 0; i < POINTS_AN_HOUR - 1; i++) {
        pair_step(&pair);
    }
    assert_true(pair.seen.anomalous);
    for (int i = 0; i < 300; i++) {
        pair_step(&pair);
    }
    assert_false(pair.seen.anomalous);
    model_destroy(pair.model);
}

static void constant_and_missing_columns_break_nothing(void **state) {
    (void)state;
    struct model *model = model_create(3, &(struct model_settings){.learning_points = 15, .trees = 20});
    struct assessment seen = {0};
    for (int64_t i = 0; i < 200; i++) {
        model_observe(model, i * 1000, (double[]){0.1, NAN, 0}, &seen);
        train_if_due(model);
        assert_false(seen.anomalous);
    }
    model_observe(model, 200000, (double[]){5, NAN, 0}, &seen);
    assert_true(seen.anomalous);
    assert_int_equal(seen.leading[0].feature, 0);
    model_destroy(model);
}

static void the_same_points_give_the_same_scores(void **state) {
    (void)state;
    struct pair one = pair_create(5, 0.3, 0.01);
    struct pair two = pair_create(5, 0.3, 0.01);
    for (int i = 0; i < 500; i++) {
        pair_step(&one);
        pair_step(&two);
        assert_memory_equal(&one.seen.score, &two.seen.score, sizeof one.seen.score);
        assert_memory_equal(&one.seen.threshold, &two.seen.threshold, sizeof one.seen.threshold);
    }
    model_destroy(one.model);
    model_destroy(two.model);
}

static void a_training_that_was_not_run_is_asked_for_again(void **state) {
    (void)state;
    struct model *model = model_create(1, &(struct model_settings){.learning_points = 2, .trees = 5});
    struct assessment seen;
    model_observe(model, 1, (double[]){1}, &seen);
    assert_null(model_training_due(model));
    model_observe(model, 2, (double[]){2}, &seen);
    struct training *training = model_training_due(model);
    assert_non_null(training);
    assert_null(model_training_due(model)); /* one is out */
    model_adopt(model, training);
    assert_false(model_is_live(model));
    training = model_training_due(model);
    assert_non_null(training);
    training_run(training);
    model_adopt(model, training);
    assert_true(model_is_live(model));
    training_destroy(NULL);
    model_destroy(model);
}

/* What docs/detection.md promises a host: the window's 4,096 rows of floats and a forest, whatever comes. */
static void memory_is_bounded(void **state) {
    (void)state;
    struct pair pair = pair_create(6, 0.3, 0.01);
    for (int i = 0; i < 4700; i++) {
        pair_step(&pair);
    }
    size_t row_bytes = 4 * SIMULATED_COLUMNS * sizeof(float);
    assert_true(model_bytes(pair.model) < (4096 + 512) * row_bytes + 600000);
    model_destroy(pair.model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifteen_points_are_learned_before_the_first_score),
        cmocka_unit_test(a_point_without_any_value_teaches_nothing),
        cmocka_unit_test(a_burner_is_seen_at_the_first_point_after_learning),
        cmocka_unit_test(a_quiet_host_does_not_alarm),
        cmocka_unit_test(the_future_does_not_reach_back),
        cmocka_unit_test(a_host_that_burns_for_an_hour_stays_anomalous),
        cmocka_unit_test(a_lasting_change_becomes_the_new_normal_after_the_set_time),
        cmocka_unit_test(constant_and_missing_columns_break_nothing),
        cmocka_unit_test(the_same_points_give_the_same_scores),
        cmocka_unit_test(a_training_that_was_not_run_is_asked_for_again),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
