/* The state machine of a deed, on a kernel and a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "helper/deeds.h"
#include "helper/fake_kernel.h"

enum { VICTIM = 500, CLIENT = 300, CLIENT_PARENT = 200 };

static struct fake_kernel kernel;
static struct helper_world world;
static struct helper_policy policy;
static struct ledger ledger;
static struct offers *offers;
static struct deeds *deeds;
static struct helper_act_reply reply;
static struct fake_process *victim;
static int64_t now_ms;
static char folder[PATH_MAX / 2], path[PATH_MAX];

static const char policy_text[] =
    "mode = act\ngrace = 5s\n[budget]\nper_minute = 3\nbreaker_deeds = 5\n"
    "[allow burn]\nuid = 1000\nexe = /bin/burn\nmin_age = 1s\nmin_cpu = 50%\nfor = 1s\n";

static void start(void) {
    struct error err;
    if (journal_open(path, ledger_apply, &ledger, &world.journal, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    ledger_set_boot(&ledger, kernel.base.boot_id);
    offers = offers_create(&world);
    deeds = deeds_create(&world, offers, now_ms);
}

static void stop(void) {
    deeds_destroy(deeds, now_ms);
    offers_destroy(offers);
    journal_close(world.journal);
    memset(&ledger, 0, sizeof ledger);
}

static int set_up(void **state) {
    (void)state;
    const char *home = getenv("HOME");
    struct error err;
    snprintf(folder, sizeof folder, "%s/.sentinel-test-XXXXXX", home ? home : "/root");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/journal", folder);
    now_ms = 1000000;
    fake_kernel_init(&kernel);
    memset(&ledger, 0, sizeof ledger);
    if (helper_policy_parse("test", policy_text, &policy, &err) != STATUS_OK)
        return -1;
    world = (struct helper_world){.processes = &kernel.base,
                                  .policy = &policy,
                                  .policy_ok = true,
                                  .ledger = &ledger,
                                  .watch = watch_create(),
                                  .clients = {{CLIENT, 1000 + CLIENT}}};
    fake_start(&kernel, 1, 0);
    fake_start(&kernel, CLIENT_PARENT, 1);
    fake_start(&kernel, CLIENT, CLIENT_PARENT);
    victim = fake_start(&kernel, VICTIM, 1);
    start();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stop();
    watch_destroy(world.watch);
    assert_int_equal(kernel.pins, 0);
    unlink(path);
    return rmdir(folder);
}

/* Half a second in which everybody burns one whole CPU. */
static void burn(void) {
    for (size_t i = 0; i < FAKE_PROCESSES; i++)
        kernel.processes[i].facts.sample.own_ns += 500000000;
    now_ms += 500;
    assert_int_equal(watch_update(world.watch, &kernel.base, &policy, now_ms, NULL), STATUS_OK);
    deeds_step(deeds, now_ms);
}

static const struct helper_candidate *listed(int32_t pid) {
    static struct helper_list list;
    offers_list(offers, now_ms, &list);
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].pid == pid)
            return &list.items[i];
    fail_msg("process %d is not listed", pid);
    return NULL;
}

static struct helper_act_request request_for(int32_t pid, uint8_t key) {
    for (int i = 0; i < 4; i++)
        burn();
    const struct helper_candidate *target = listed(pid);
    if (!target->allowed)
        fail_msg("process %d is not allowed: %s", pid, target->reason);
    return (struct helper_act_request){
        .handle = target->handle, .rung = RUNG_TERMINATE, .key = {key}, .deadline_ms = now_ms + 30000};
}

/* Asks and burns on until the answer is there. */
static enum helper_outcome act(const struct helper_act_request *request) {
    if (deeds_ask(deeds, request, 1, now_ms, &reply))
        return reply.outcome;
    for (int i = 0; i < 100; i++) {
        burn();
        if (deeds_answer(deeds, request->key, &reply))
            return reply.outcome;
    }
    fail_msg("no answer");
    return HELPER_FAILED;
}

static void assert_reason(const char *why) {
    if (!strstr(reply.reason, why))
        fail_msg("'%s' does not say '%s'", reply.reason, why);
}

static void assert_untouched(const struct fake_process *process) {
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(process->signals[i], 0);
}

static void refuses(const struct helper_act_request *request, const char *why) {
    assert_int_equal(act(request), HELPER_REFUSED);
    assert_reason(why);
    assert_untouched(victim);
}

static void a_process_that_obeys_term_is_terminated(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_int_equal(act(&request), HELPER_TERMINATED);
    assert_int_equal(victim->signals[PROCESS_TERM], 1);
    assert_int_equal(victim->signals[PROCESS_KILL], 0);
}

static void kill_comes_after_the_grace_and_not_before(void **state) {
    (void)state;
    victim->ignores_term = true;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_false(deeds_ask(deeds, &request, 1, now_ms, &reply));
    burn();
    assert_int_equal(victim->signals[PROCESS_TERM], 1);
    assert_true(deeds_due_ms(deeds) <= now_ms); /* the next step comes at once, */
    now_ms += 10000;                            /* but the disk was slow: the grace begins now */
    deeds_step(deeds, now_ms);
    assert_int_equal(victim->signals[PROCESS_KILL], 0);
    now_ms += 4999;
    deeds_step(deeds, now_ms);
    assert_int_equal(victim->signals[PROCESS_KILL], 0);
    assert_int_equal(deeds_due_ms(deeds), now_ms + 1);
    now_ms += 1;
    deeds_step(deeds, now_ms);
    assert_int_equal(victim->signals[PROCESS_KILL], 1);
    deeds_step(deeds, now_ms);
    assert_true(deeds_answer(deeds, request.key, &reply));
    assert_int_equal(reply.outcome, HELPER_KILLED);
}

static void a_process_that_survives_kill_is_a_failure(void **state) {
    (void)state;
    victim->immortal = true;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_int_equal(act(&request), HELPER_FAILED);
    assert_reason("still there");
    assert_int_equal(victim->signals[PROCESS_TERM], 1);
    assert_int_equal(victim->signals[PROCESS_KILL], 1);
}

static void the_same_key_while_it_runs_waits_for_the_same_answer(void **state) {
    (void)state;
    victim->ignores_term = true;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_false(deeds_ask(deeds, &request, 1, now_ms, &reply));
    burn();
    assert_false(deeds_ask(deeds, &request, 2, now_ms, &reply));
    assert_int_equal(act(&request), HELPER_KILLED);
    assert_int_equal(act(&request), HELPER_KILLED);
    assert_int_equal(victim->signals[PROCESS_TERM], 1);
    assert_int_equal(victim->signals[PROCESS_KILL], 1);
}

static void a_key_is_remembered_across_a_restart(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_int_equal(act(&request), HELPER_TERMINATED);
    stop();
    victim = fake_start(&kernel, VICTIM + 1, 1);
    start();
    struct helper_act_request again = request_for(VICTIM + 1, 1);
    assert_int_equal(act(&again), HELPER_TERMINATED);
    assert_untouched(victim);
}

static void a_number_that_changed_hands_after_the_list_is_gone(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    victim->exists = false;
    struct fake_process *stranger = fake_start(&kernel, VICTIM, 1);
    stranger->facts.sample.id.start++;
    assert_int_equal(act(&request), HELPER_GONE);
    assert_untouched(stranger);
}

static void a_number_that_changes_hands_within_the_grace_is_not_killed(void **state) {
    (void)state;
    victim->ignores_term = true;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_false(deeds_ask(deeds, &request, 1, now_ms, &reply));
    burn();
    victim->exists = false;
    struct fake_process *stranger = fake_start(&kernel, VICTIM, 1);
    stranger->facts.sample.id.start++;
    assert_int_equal(act(&request), HELPER_TERMINATED);
    assert_untouched(stranger);
}

static void an_exec_between_list_and_act_is_refused(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    victim->facts.exe_inode++;
    refuses(&request, "another program");
}

static void a_rename_is_refused_where_the_executable_cannot_be_read(void **state) {
    (void)state;
    policy.rules[0].match.exe_count = 0;
    policy.rules[0].match.cgroup_count = 1;
    strcpy(policy.rules[0].match.cgroups[0].text, "/user.slice");
    victim->facts.exe[0] = '\0';
    struct helper_act_request request = request_for(VICTIM, 1);
    strcpy(victim->facts.sample.comm, "sshd");
    refuses(&request, "another program");
}

static void an_exec_within_the_grace_is_not_killed(void **state) {
    (void)state;
    victim->ignores_term = true;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_false(deeds_ask(deeds, &request, 1, now_ms, &reply));
    burn();
    strcpy(victim->facts.exe, "/usr/bin/cleanup");
    assert_int_equal(act(&request), HELPER_FAILED);
    assert_reason("it was not killed");
    assert_int_equal(victim->signals[PROCESS_KILL], 0);
}

static void a_process_that_cooled_down_is_refused(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_false(deeds_ask(deeds, &request, 1, now_ms, &reply));
    now_ms += 500; /* nobody burns */
    assert_int_equal(watch_update(world.watch, &kernel.base, &policy, now_ms, NULL), STATUS_OK);
    deeds_step(deeds, now_ms);
    assert_true(deeds_answer(deeds, request.key, &reply));
    assert_int_equal(reply.outcome, HELPER_REFUSED);
    assert_reason("uses 0.00 of a CPU");
    assert_untouched(victim);
}

static void nothing_happens_before_a_measurement_that_is_newer_than_the_request(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_false(deeds_ask(deeds, &request, 1, now_ms, &reply));
    assert_int_equal(deeds_wants_measurement_after_ms(deeds), now_ms);
    now_ms += 100;
    deeds_step(deeds, now_ms);
    assert_untouched(victim);
}

static void handles_that_are_guessed_old_or_spent_are_refused(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1), guessed = request;
    guessed.handle.bytes[15] ^= 1;
    guessed.key[0] = 2;
    refuses(&guessed, "handle is unknown");
    memset(&guessed.handle, 0, sizeof guessed.handle);
    guessed.key[0] = 3;
    refuses(&guessed, "handle is unknown");
    now_ms += HANDLE_LIFE_MS;
    deeds_step(deeds, now_ms);
    request.deadline_ms = now_ms + 1000;
    refuses(&request, "handle is unknown");
    assert_int_equal(kernel.pins, 0);
    request = request_for(VICTIM, 4);
    request.dry_run = true;
    assert_int_equal(act(&request), HELPER_WOULD);
    request.key[0] = 5;
    refuses(&request, "handle is unknown");
}

static void deadlines_that_passed_or_are_absurd_are_refused(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    request.deadline_ms = now_ms;
    refuses(&request, "deadline has passed");
    request.key[0] = 2;
    request.deadline_ms = INT64_MAX;
    refuses(&request, "10 minutes off");
    request.key[0] = 3;
    request.deadline_ms = now_ms + 200; /* passes before the next measurement */
    refuses(&request, "deadline has passed");
}

static void the_first_process_the_client_and_its_parent_are_never_offered(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++)
        burn();
    static const int32_t never[] = {1, CLIENT, CLIENT_PARENT};
    for (size_t i = 0; i < 3; i++)
        assert_false(listed(never[i])->allowed);
    assert_true(listed(VICTIM)->allowed);
}

static void observe_and_dry_runs_do_all_but_the_last_step(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    request.dry_run = true;
    assert_int_equal(act(&request), HELPER_WOULD);
    policy.mode_act = false;
    request = request_for(VICTIM, 2);
    assert_int_equal(act(&request), HELPER_WOULD);
    assert_reason("mode = observe");
    request = request_for(VICTIM, 3);
    victim->facts.age_ms = 10;
    refuses(&request, "younger");
}

static void rungs_that_the_rule_does_not_list_are_refused(void **state) {
    (void)state;
    policy.rules[0].rungs = 1U << RUNG_FREEZE;
    struct helper_act_request request = request_for(VICTIM, 1);
    refuses(&request, "does not list the rung terminate");
    request = request_for(VICTIM, 2);
    request.rung = RUNG_RUN_HOOK;
    refuses(&request, "was not given the means");
}

static void a_paused_helper_refuses(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    assert_true(deeds_pause(deeds, true, now_ms));
    assert_false(deeds_pause(deeds, false, now_ms + 999)); /* a flood of turns would fill the journal */
    refuses(&request, "paused");
    assert_true(deeds_pause(deeds, false, now_ms + 1000));
}

static void nothing_is_done_that_the_journal_does_not_take(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    journal_close(world.journal);
    world.journal = NULL;
    snprintf(world.trouble, sizeof world.trouble, "the journal is gone");
    refuses(&request, "the journal is gone");
}

static void a_broken_policy_lists_nobody_and_refuses(void **state) {
    (void)state;
    static struct helper_list list;
    struct helper_act_request request = request_for(VICTIM, 1);
    world.policy_ok = false;
    snprintf(world.trouble, sizeof world.trouble, "line 3 is wrong");
    refuses(&request, "line 3 is wrong");
    offers_list(offers, now_ms, &list);
    assert_int_equal(list.count, 0);
}

static void the_kernels_refusal_is_a_failure_with_its_reason(void **state) {
    (void)state;
    struct helper_act_request request = request_for(VICTIM, 1);
    kernel.forbids_signals = true;
    assert_int_equal(act(&request), HELPER_FAILED);
    assert_reason("the kernel refused");
}

static void unpinned_signals_need_the_policys_word(void **state) {
    (void)state;
    kernel.base.pins_signals = false;
    struct helper_act_request request = request_for(VICTIM, 1);
    refuses(&request, "cannot signal a pinned process");
    policy.allow_unpinned_signal = true;
    request = request_for(VICTIM, 2);
    assert_int_equal(act(&request), HELPER_TERMINATED);
}

/* One more of the same kind comes up and is asked for. */
static enum helper_outcome respawn_and_act(uint8_t key) {
    victim = fake_start(&kernel, VICTIM + key, 1);
    struct helper_act_request request = request_for(VICTIM + key, key);
    return act(&request);
}

static void the_budget_of_a_minute_is_kept_and_comes_back(void **state) {
    (void)state;
    for (uint8_t key = 1; key <= 3; key++)
        assert_int_equal(respawn_and_act(key), HELPER_TERMINATED);
    assert_int_equal(respawn_and_act(4), HELPER_REFUSED);
    assert_reason("budget of 3 deeds a minute");
    assert_untouched(victim);
    victim->exists = false;
    now_ms += 60000;
    assert_int_equal(respawn_and_act(5), HELPER_TERMINATED);
}

static void a_respawned_successor_inherits_the_rest(void **state) {
    (void)state;
    policy.rules[0].cooldown_ms = 60000;
    assert_int_equal(respawn_and_act(1), HELPER_TERMINATED);
    assert_int_equal(respawn_and_act(2), HELPER_REFUSED);
    assert_reason("lets it rest");
    assert_untouched(victim);
}

static void the_breaker_opens_stays_open_and_only_a_reset_closes_it(void **state) {
    (void)state;
    policy.budget.breaker_deeds = 2;
    assert_int_equal(respawn_and_act(1), HELPER_TERMINATED);
    assert_int_equal(respawn_and_act(2), HELPER_TERMINATED);
    assert_int_equal(respawn_and_act(3), HELPER_REFUSED);
    assert_reason("breaker is open");
    assert_untouched(victim);
    victim->exists = false;
    now_ms += 86400000;
    assert_int_equal(respawn_and_act(4), HELPER_REFUSED);
    victim->exists = false;
    stop();
    start();
    assert_int_equal(respawn_and_act(5), HELPER_REFUSED);
    assert_reason("breaker is open");
    struct journal_record reset = {.at_ms = now_ms};
    assert_int_equal(world_record(&world, &reset, JOURNAL_RESET, now_ms, true, NULL), STATUS_OK);
    victim->exists = false;
    assert_int_equal(respawn_and_act(6), HELPER_TERMINATED);
}

static void a_freeze_ends_with_its_lease_its_asker_or_a_release(void **state) {
    (void)state;
    for (uint8_t way = 1; way <= 3; way++) {
        struct helper_act_request request = request_for(VICTIM, way);
        request.rung = RUNG_FREEZE;
        assert_int_equal(act(&request), HELPER_DONE);
        assert_int_equal(victim->signals[PROCESS_STOP], way);
        assert_int_equal(victim->signals[PROCESS_CONT], way - 1);
        if (way == 1)
            now_ms += 30000;
        else
            assert_int_equal(deeds_release(deeds, way == 2 ? 1 : 0, now_ms), 1);
        deeds_step(deeds, now_ms);
        assert_int_equal(victim->signals[PROCESS_CONT], way);
    }
    assert_int_equal(deeds_release(deeds, 0, now_ms), 0);
}

static void a_frozen_process_can_be_terminated_although_it_is_cool(void **state) {
    (void)state;
    policy.rules[0].cooldown_ms = 60000;
    struct helper_act_request request = request_for(VICTIM, 1);
    request.rung = RUNG_FREEZE;
    assert_int_equal(act(&request), HELPER_DONE);
    for (int i = 0; i < 4; i++) { /* it uses nothing any more */
        now_ms += 500;
        assert_int_equal(watch_update(world.watch, &kernel.base, &policy, now_ms, NULL), STATUS_OK);
    }
    const struct helper_candidate *target = listed(VICTIM);
    assert_true(target->allowed);
    struct helper_act_request again = {
        .handle = target->handle, .rung = RUNG_FREEZE, .key = {2}, .deadline_ms = now_ms + 30000};
    assert_int_equal(act(&again), HELPER_REFUSED);
    assert_reason("frozen already");
    again.handle = listed(VICTIM)->handle;
    again.rung = RUNG_TERMINATE;
    again.key[0] = 3;
    assert_int_equal(act(&again), HELPER_TERMINATED);
    assert_int_equal(victim->signals[PROCESS_TERM], 1);
    struct helper_status_reply status;
    deeds_status(deeds, now_ms, &status);
    assert_int_equal(status.frozen, 0);
}

static void a_flood_of_refusals_is_a_line_in_ten_seconds_and_loses_no_count(void **state) {
    (void)state;
    struct helper_act_request request = {.rung = RUNG_TERMINATE, .deadline_ms = now_ms + 20000};
    uint64_t before = journal_length(world.journal);
    for (uint32_t i = 0; i < 10000; i++) {
        memcpy(request.key, &i, sizeof i);
        assert_true(deeds_ask(deeds, &request, 1, now_ms + i, &reply));
    }
    assert_int_equal(journal_length(world.journal) - before, 1);
    assert_int_equal(world.refusals, 9999);
    now_ms += 10000;
    deeds_step(deeds, now_ms);
    assert_int_equal(journal_length(world.journal) - before, 2);
    assert_int_equal(world.refusals, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_process_that_obeys_term_is_terminated),
        TEST(kill_comes_after_the_grace_and_not_before),
        TEST(a_process_that_survives_kill_is_a_failure),
        TEST(the_same_key_while_it_runs_waits_for_the_same_answer),
        TEST(a_key_is_remembered_across_a_restart),
        TEST(a_number_that_changed_hands_after_the_list_is_gone),
        TEST(a_number_that_changes_hands_within_the_grace_is_not_killed),
        TEST(an_exec_between_list_and_act_is_refused),
        TEST(a_rename_is_refused_where_the_executable_cannot_be_read),
        TEST(an_exec_within_the_grace_is_not_killed),
        TEST(a_process_that_cooled_down_is_refused),
        TEST(nothing_happens_before_a_measurement_that_is_newer_than_the_request),
        TEST(handles_that_are_guessed_old_or_spent_are_refused),
        TEST(deadlines_that_passed_or_are_absurd_are_refused),
        TEST(the_first_process_the_client_and_its_parent_are_never_offered),
        TEST(observe_and_dry_runs_do_all_but_the_last_step),
        TEST(rungs_that_the_rule_does_not_list_are_refused),
        TEST(a_paused_helper_refuses),
        TEST(nothing_is_done_that_the_journal_does_not_take),
        TEST(a_broken_policy_lists_nobody_and_refuses),
        TEST(the_kernels_refusal_is_a_failure_with_its_reason),
        TEST(unpinned_signals_need_the_policys_word),
        TEST(the_budget_of_a_minute_is_kept_and_comes_back),
        TEST(a_respawned_successor_inherits_the_rest),
        TEST(the_breaker_opens_stays_open_and_only_a_reset_closes_it),
        TEST(a_freeze_ends_with_its_lease_its_asker_or_a_release),
        TEST(a_frozen_process_can_be_terminated_although_it_is_cool),
        TEST(a_flood_of_refusals_is_a_line_in_ten_seconds_and_loses_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
