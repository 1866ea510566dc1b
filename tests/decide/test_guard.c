#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "decide/guard.h"

static const int64_t NOW_MS = 1000000000;

static const struct policy policy = {.cooldown_ms = 60000, .fleet_brake_ratio = 0.5, .fleet_brake_hosts = 4};
static const struct incident incident = {.host = "a:9100"};

/* Nothing speaks against it. */
static struct guard_question harmless(void) {
    return (struct guard_question){
        .policy = &policy,
        .incident = &incident,
        .now_ms = NOW_MS,
        .newest_sample_at_ms = NOW_MS - 60000,
        .stale_after_ms = 60000,
        .last_deed_at_ms = NOW_MS - 60000,
        .has_helper = true,
        .hosts = 4,
        .hosts_anomalous = 2,
    };
}

static void assert_refused(const struct guard_question *question, const char *reason_part) {
    char reason[160] = "";
    assert_false(guard_permits(question, reason, sizeof reason));
    assert_non_null(strstr(reason, reason_part));
}

static void assert_permitted(const struct guard_question *question) {
    char reason[160];
    assert_true(guard_permits(question, reason, sizeof reason));
}

static void right_at_every_limit_a_deed_is_permitted(void **state) {
    (void)state;
    struct guard_question question = harmless();
    assert_permitted(&question);
}

static void a_host_without_a_helper_is_refused_and_named(void **state) {
    (void)state;
    struct guard_question question = harmless();
    question.has_helper = false;
    assert_refused(&question, "no helper is configured for host a:9100: add it under act.helpers");
}

static void a_silent_host_is_refused(void **state) {
    (void)state;
    struct guard_question question = harmless();
    question.newest_sample_at_ms--;
    assert_refused(&question, "blind: the last sample came 60 s ago");
}

static void a_deed_soon_after_another_incidents_deed_is_refused(void **state) {
    (void)state;
    struct guard_question question = harmless();
    question.last_deed_at_ms++;
    assert_refused(&question, "cool-down: the last deed on this host was 59 s ago, 60 s must pass");
}

static void a_host_without_an_earlier_deed_has_no_cool_down(void **state) {
    (void)state;
    struct guard_question question = harmless();
    question.last_deed_at_ms = 0;
    question.now_ms = 1000; /* as near to 0 as it gets */
    question.newest_sample_at_ms = 1000;
    assert_permitted(&question);
}

static void too_many_anomalous_hosts_at_once_stop_all_deeds(void **state) {
    (void)state;
    struct guard_question question = harmless();
    question.hosts_anomalous = 3;
    assert_refused(&question, "fleet brake: 3 of 4 hosts are anomalous at once");
}

static void a_small_fleet_has_no_brake(void **state) {
    (void)state;
    struct guard_question question = harmless();
    question.hosts = question.hosts_anomalous = 3;
    assert_permitted(&question);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_at_every_limit_a_deed_is_permitted),
        cmocka_unit_test(a_host_without_a_helper_is_refused_and_named),
        cmocka_unit_test(a_silent_host_is_refused),
        cmocka_unit_test(a_deed_soon_after_another_incidents_deed_is_refused),
        cmocka_unit_test(a_host_without_an_earlier_deed_has_no_cool_down),
        cmocka_unit_test(too_many_anomalous_hosts_at_once_stop_all_deeds),
        cmocka_unit_test(a_small_fleet_has_no_brake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
