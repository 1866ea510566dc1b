#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "decide/policy.h"

struct fixture {
    struct feature_set *set;
    struct policy policy;
    struct watch watch;
    int cpu_busy, filesystem_used;
};

static int set_up(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){.set = feature_set_create_default()};
    policy_init_default(&fixture.policy, fixture.set);
    fixture.cpu_busy = feature_set_find(fixture.set, "cpu_busy");
    fixture.filesystem_used = feature_set_find(fixture.set, "filesystem_used");
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    feature_set_destroy(f->set);
    return 0;
}

/* One point. `leading`: the feature that makes the score; -1: the score is normal. */
static struct verdict watch(struct fixture *f, double cpu_busy, int leading) {
    double values[FEATURES_MAX];
    for (size_t i = 0; i < FEATURES_MAX; i++)
        values[i] = NAN;
    values[f->cpu_busy] = cpu_busy;
    struct assessment assessment = {.score = 0.4, .threshold = 0.6};
    if (leading >= 0) {
        assessment.score = 0.8;
        assessment.anomalous = true;
        assessment.leading_count = 1;
        assessment.leading[0] = (struct leading_feature){
            .feature = (size_t)leading, .share = 0.9, .value = 0.97, .usual_low = 0.1, .usual_high = 0.2};
    }
    struct verdict verdict;
    policy_watch(&f->policy, f->set, &f->watch, &assessment, values, &verdict);
    return verdict;
}

static void the_default_policy_passes_its_own_check_and_only_observes(void **state) {
    struct fixture *f = *state;
    struct error err;
    assert_int_equal(policy_validate(&f->policy, f->set, &err), STATUS_OK);
    assert_int_equal(f->policy.mode, MODE_OBSERVE);
    assert_int_equal(f->policy.rule_count, 3);
    assert_int_equal(f->policy.rules[2].ladder_count, 0);
}

static void a_failsafe_holds_at_its_third_point_in_a_row(void **state) {
    struct fixture *f = *state;
    for (int point = 1; point <= 4; point++) {
        struct verdict verdict = watch(f, 0.95, -1);
        assert_true(verdict.triggered);
        assert_int_equal(verdict.rule, 0);
        assert_int_equal(verdict.held, point >= 3);
        assert_int_equal(verdict.may_act, point >= 3);
    }
    assert_false(watch(f, 0.5, -1).triggered);
    assert_false(watch(f, 0.95, -1).held);
    assert_false(watch(f, 0.95, -1).held);
    assert_true(watch(f, 0.95, -1).held);
}

static void the_limit_itself_is_not_above_the_limit(void **state) {
    struct fixture *f = *state;
    assert_false(watch(f, 0.90, -1).triggered);
    assert_true(watch(f, 0.90 + 1e-9, -1).triggered);
}

static void a_missing_value_triggers_nothing_and_breaks_the_row(void **state) {
    struct fixture *f = *state;
    watch(f, 0.95, -1);
    watch(f, 0.95, -1);
    struct verdict verdict = watch(f, NAN, -1);
    assert_false(verdict.triggered);
    assert_int_equal(verdict.rule, -1);
    assert_string_equal(verdict.reason, "");
    assert_false(watch(f, 0.95, -1).held);
}

static void a_forest_rule_holds_with_three_of_five_points(void **state) {
    struct fixture *f = *state;
    static const bool anomalous[] = {true, false, true, false, true, false, false, true, true};
    static const bool held[] = {false, false, false, false, true, false, false, false, true};
    for (size_t i = 0; i < sizeof anomalous / sizeof anomalous[0]; i++) {
        struct verdict verdict = watch(f, 0.5, anomalous[i] ? f->cpu_busy : -1);
        assert_int_equal(verdict.triggered, anomalous[i]);
        assert_int_equal(verdict.held, held[i]);
        assert_int_equal(verdict.may_act, held[i]);
        assert_int_equal(verdict.rule, anomalous[i] ? 1 : -1);
    }
}

static void a_full_disk_is_no_reason_to_end_a_process_that_computes(void **state) {
    struct fixture *f = *state;
    for (int i = 1; i <= 30; i++) {
        struct verdict verdict = watch(f, 0.5, f->filesystem_used);
        assert_true(verdict.triggered);
        assert_false(verdict.calls_for_deed);
        assert_false(verdict.may_act);
        assert_int_equal(verdict.rule, 2);
        assert_int_equal(verdict.held, i >= 25);
    }
}

static void the_rule_that_may_do_most_speaks(void **state) {
    struct fixture *f = *state;
    watch(f, 0.5, f->cpu_busy);
    watch(f, 0.5, f->cpu_busy);
    struct verdict verdict = watch(f, 0.95, f->cpu_busy); /* the fail-safe's first, the forest's third */
    assert_int_equal(verdict.rule, 1);
    assert_true(verdict.may_act);
    watch(f, 0.95, f->cpu_busy);
    verdict = watch(f, 0.95, f->filesystem_used); /* both hold; only the fail-safe may act */
    assert_int_equal(verdict.rule, 0);
    assert_true(verdict.may_act);
    verdict = watch(f, 0.95, f->cpu_busy); /* both may: the first */
    assert_int_equal(verdict.rule, 0);
}

static void the_reason_gives_the_numbers(void **state) {
    struct fixture *f = *state;
    assert_string_equal(watch(f, 0.957, -1).reason, "cpu_busy 0.957 above 0.9 in 1 of 3 points");
    f->policy.rules[0].enabled = false;
    assert_string_equal(watch(f, 0.95, f->cpu_busy).reason,
                        "score 0.800 above 0.600 in 1 of 5 points: cpu_busy 0.97 (usually 0.1 to 0.2)");
}

static void a_rule_that_is_switched_off_sees_nothing(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < f->policy.rule_count; i++)
        f->policy.rules[i].enabled = false;
    for (int i = 0; i < 5; i++)
        assert_false(watch(f, 1, f->cpu_busy).triggered);
}

static void what_one_rule_saw_does_not_count_for_the_rule_that_takes_its_place(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++)
        watch(f, 0.95, -1);
    f->policy.rules[0].above = 0.94;
    f->policy.generation++;
    assert_false(watch(f, 0.95, -1).held);
    assert_false(watch(f, 0.95, -1).held);
    assert_true(watch(f, 0.95, -1).held);
}

static void a_rule_of_sixty_four_points_counts_them_all(void **state) {
    struct fixture *f = *state;
    f->policy.rules[0].points = f->policy.rules[0].of = RULE_POINTS_MAX;
    for (int i = 1; i <= RULE_POINTS_MAX + 1; i++)
        assert_int_equal(watch(f, 0.95, -1).held, i >= RULE_POINTS_MAX);
}

static void a_mistake_in_a_rule_is_named(void **state) {
    struct fixture *f = *state;
    const struct policy good = f->policy;
    struct error err;
    struct rule *rule = &f->policy.rules[0];

    rule->of = RULE_POINTS_MAX + 1;
    assert_int_equal(policy_validate(&f->policy, f->set, &err), STATUS_INVALID);
    assert_string_equal(err.text, "rule 'cpu-failsafe': of must be 1 to 64 points");

    f->policy = good;
    rule->points = 4;
    assert_int_equal(policy_validate(&f->policy, f->set, &err), STATUS_INVALID);
    assert_string_equal(err.text, "rule 'cpu-failsafe': points must be 1 to 3 (its `of`)");

    f->policy = good;
    rule->feature = -1;
    assert_int_equal(policy_validate(&f->policy, f->set, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "needs `feature`"));

    f->policy = good;
    rule->above = NAN;
    assert_int_equal(policy_validate(&f->policy, f->set, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "needs `above`"));

    f->policy = good;
    memcpy(f->policy.rules[1].name, rule->name, sizeof rule->name);
    assert_int_equal(policy_validate(&f->policy, f->set, &err), STATUS_INVALID);
    assert_string_equal(err.text, "rule 'cpu-failsafe' is there twice: give each its own name");
}

static void triggers_and_modes_have_names(void **state) {
    (void)state;
    enum trigger_kind kind;
    assert_true(trigger_kind_parse(trigger_kind_name(TRIGGER_FOREST), &kind));
    assert_int_equal(kind, TRIGGER_FOREST);
    assert_true(trigger_kind_parse(trigger_kind_name(TRIGGER_FAILSAFE), &kind));
    assert_int_equal(kind, TRIGGER_FAILSAFE);
    assert_false(trigger_kind_parse("Forest", &kind));
    assert_string_equal(mode_name(MODE_OBSERVE), "observe");
    assert_string_equal(mode_name(MODE_ACT), "act");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_default_policy_passes_its_own_check_and_only_observes),
        TEST(a_failsafe_holds_at_its_third_point_in_a_row),
        TEST(the_limit_itself_is_not_above_the_limit),
        TEST(a_missing_value_triggers_nothing_and_breaks_the_row),
        TEST(a_forest_rule_holds_with_three_of_five_points),
        TEST(a_full_disk_is_no_reason_to_end_a_process_that_computes),
        TEST(the_rule_that_may_do_most_speaks),
        TEST(the_reason_gives_the_numbers),
        TEST(a_rule_that_is_switched_off_sees_nothing),
        TEST(what_one_rule_saw_does_not_count_for_the_rule_that_takes_its_place),
        TEST(a_rule_of_sixty_four_points_counts_them_all),
        TEST(a_mistake_in_a_rule_is_named),
        cmocka_unit_test(triggers_and_modes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
