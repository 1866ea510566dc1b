/* helper_client against the real sentinel-helper in its own process, with real children of this test.
 *
 * Only processes that this test started can be touched: each policy asks for descendant_of this test, which
 * the helper pins when it starts. As root the burners also run under a uid of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act/helper_client.h"
#include "base/clock.h"

enum { BURNER_UID = 60983, CALL_MS = 5000, PATIENCE_MS = 20000 };

struct fixture {
    char folder[PATH_MAX / 4], policy[PATH_MAX / 2], socket[PATH_MAX / 2], journal[PATH_MAX / 2];
    pid_t helper, burner;
    const char *grace; /* NULL: 500ms */
    struct helper_client *client;
};

static uid_t burner_uid(void) {
    return geteuid() == 0 ? BURNER_UID : geteuid();
}

static void write_policy(const struct fixture *f, const char *top, const char *rule) {
    FILE *file = fopen(f->policy, "we");
    assert_non_null(file);
    fprintf(file,
            "mode = act\nclient_uid = %u\nlist_above = 1%%\ngrace = %s\nsample_interval = 250ms\n%s\n"
            "[allow test]\nuid = %u\ndescendant_of = %d\nmin_age = 0s\nmin_cpu = 1%%\nfor = 250ms\n%s\n",
            (unsigned)geteuid(), f->grace ? f->grace : "500ms", top, (unsigned)burner_uid(), getpid(), rule);
    fclose(file);
    assert_int_equal(chmod(f->policy, 0600), 0);
}

static void helper_path(char out[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", out, PATH_MAX - 1);
    assert_true(length > 0);
    out[length] = '\0';
    *strrchr(out, '/') = '\0'; /* build/dev/tests/act_test_helper_client -> build/dev/sentinel-helper */
    strcpy(strrchr(out, '/'), "/sentinel-helper");
}

static void start_helper(struct fixture *f) {
    char program[PATH_MAX];
    helper_path(program);
    f->helper = fork();
    assert_true(f->helper >= 0);
    if (f->helper == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, "--policy", f->policy, "--socket", f->socket, "--journal", f->journal,
              (char *)NULL);
        _exit(127);
    }
    /* With a client of its own: burners that are forked later must not inherit the connection of f->client.
     */
    struct helper_client *knocking = helper_client_create(f->socket, CALL_MS);
    struct helper_status status;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (helper_client_status(knocking, &status, NULL) != STATUS_OK && clock_monotonic_ms() < until_ms)
        usleep(10000);
    helper_client_destroy(knocking);
}

static int stop_helper(struct fixture *f, int signal) {
    int status = 0;
    if (f->helper > 0) {
        assert_int_equal(kill(f->helper, signal), 0);
        assert_int_equal(waitpid(f->helper, &status, 0), f->helper);
    }
    f->helper = 0;
    return status;
}

static void start_burner(struct fixture *f, bool ignores_term) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    f->burner = fork();
    assert_true(f->burner >= 0);
    if (f->burner == 0) {
        prctl(PR_SET_NAME, "a) R 1 1\n(");
        signal(SIGTERM, ignores_term ? SIG_IGN : SIG_DFL);
        if (geteuid() == 0)
            setpriority(PRIO_PROCESS, 0, -15); /* hot on a busy machine too */
        if (geteuid() == 0 && (setgid(BURNER_UID) != 0 || setuid(BURNER_UID) != 0))
            _exit(1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60); /* whatever happens to the test, this ends */
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        for (volatile unsigned i = 0;; i++)
            continue;
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
}

/* The signal that ended it; 0: it was still there. */
static int end_burner(struct fixture *f) {
    int status = 0;
    if (f->burner <= 0)
        return 0;
    bool ended = waitpid(f->burner, &status, WNOHANG) == f->burner;
    if (!ended) {
        kill(f->burner, SIGKILL);
        waitpid(f->burner, NULL, 0);
    }
    f->burner = 0;
    return ended && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    const char *home = getenv("HOME");
    snprintf(f->folder, sizeof f->folder, "%s/.sentinel-test-XXXXXX", home ? home : "/root");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->policy, sizeof f->policy, "%s/helper.conf", f->folder);
    snprintf(f->socket, sizeof f->socket, "%s/s", f->folder);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->folder);
    f->client = helper_client_create(f->socket, CALL_MS);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    end_burner(f);
    stop_helper(f, SIGTERM);
    helper_client_destroy(f->client);
    unlink(f->policy);
    unlink(f->journal);
    unlink(f->socket);
    int result = rmdir(f->folder);
    free(f);
    return result;
}

/* Asks for the list until the burner stands in it with `allowed` as wanted. */
static struct candidate wait_for_burner(struct fixture *f, bool allowed) {
    struct candidate seen[CANDIDATES_MAX] = {0};
    size_t count = 0;
    struct error err;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (clock_monotonic_ms() < until_ms) {
        if (helper_client_list(f->client, seen, CANDIDATES_MAX, &count, &err) != STATUS_OK)
            fail_msg("list: %s", err.text);
        for (size_t i = 0; i < count; i++)
            if (seen[i].pid == f->burner && seen[i].allowed == allowed)
                return seen[i];
        usleep(50000);
    }
    for (size_t i = 0; i < count; i++)
        print_error("pid %d %.2f CPU allowed %d: %s\n", seen[i].pid, seen[i].cpu_ratio, seen[i].allowed,
                    seen[i].reason);
    fail_msg("process %d was not listed with allowed = %d", f->burner, allowed);
    return seen[0];
}

static enum action_outcome act(struct fixture *f, const struct candidate *target, enum action_kind kind,
                               const char *key, bool dry_run, char reason[160]) {
    enum action_outcome outcome = OUTCOME_PENDING;
    struct error err;
    if (helper_client_act(f->client, target->handle, kind, key, dry_run, PATIENCE_MS, &outcome, reason,
                          &err) != STATUS_OK)
        fail_msg("act: %s", err.text);
    return outcome;
}

#define KEY_A "0123456789abcdef0123456789abcdef"
#define KEY_B "ffffffffffffffffffffffffffffffff"

static void a_hot_process_that_the_policy_allows_is_terminated(void **state) {
    struct fixture *f = *state;
    char reason[160];
    write_policy(f, "", "");
    start_helper(f);
    start_burner(f, false);
    struct candidate target = wait_for_burner(f, true);
    assert_int_equal(target.uid, burner_uid());
    assert_string_equal(target.comm, "a) R 1 1?("); /* its newline does not get through */
    assert_true(target.cpu_ratio > 0.04 && target.cpu_ratio < 1.5);
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_A, false, reason), OUTCOME_TERMINATED);
    assert_int_equal(end_burner(f), SIGTERM);
}

static void a_process_that_ignores_term_is_killed_after_the_grace(void **state) {
    struct fixture *f = *state;
    char reason[160];
    write_policy(f, "", "");
    start_helper(f);
    start_burner(f, true);
    struct candidate target = wait_for_burner(f, true);
    int64_t asked_ms = clock_monotonic_ms();
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_A, false, reason), OUTCOME_KILLED);
    assert_true(clock_monotonic_ms() - asked_ms >= 500);
    assert_int_equal(end_burner(f), SIGKILL);
}

static void the_same_key_is_done_once_and_answered_again_also_after_kill_9(void **state) {
    struct fixture *f = *state;
    char first[160], again[160];
    write_policy(f, "", "");
    start_helper(f);
    start_burner(f, false);
    struct candidate target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_A, false, first), OUTCOME_TERMINATED);
    end_burner(f);
    start_burner(f, false);
    struct candidate second = wait_for_burner(f, true);
    assert_int_equal(act(f, &second, ACTION_TERMINATE, KEY_A, false, again), OUTCOME_TERMINATED);
    assert_string_equal(first, again);
    stop_helper(f, SIGKILL);
    start_helper(f);
    assert_int_equal(act(f, &second, ACTION_TERMINATE, KEY_A, false, again), OUTCOME_TERMINATED);
    assert_string_equal(first, again);
    assert_int_equal(end_burner(f), 0);
}

/* The intention is on the disk. */
static void wait_for_begin(const struct fixture *f) {
    char text[4096];
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (clock_monotonic_ms() < until_ms) {
        FILE *file = fopen(f->journal, "re");
        assert_non_null(file);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
        if (strstr(text, " begin "))
            return;
        usleep(5000);
    }
    fail_msg("nothing was begun");
}

static void a_helper_killed_in_the_middle_never_signals_again_for_that_key(void **state) {
    struct fixture *f = *state;
    char reason[160];
    f->grace = "30s";
    write_policy(f, "", "");
    start_helper(f);
    start_burner(f, true);
    struct candidate target = wait_for_burner(f, true);
    pid_t asker = fork();
    assert_true(asker >= 0);
    if (asker == 0) { /* asks, and dies with the helper's answer outstanding */
        enum action_outcome outcome;
        struct helper_client *client = helper_client_create(f->socket, CALL_MS);
        if (helper_client_act(client, target.handle, ACTION_TERMINATE, KEY_A, false, 5000, &outcome, reason,
                              NULL) == STATUS_OK)
            _exit(1);
        _exit(0);
    }
    wait_for_begin(f); /* within the grace: TERM is out or about to be, KILL is not */
    stop_helper(f, SIGKILL);
    waitpid(asker, NULL, 0);
    start_helper(f);
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_A, false, reason), OUTCOME_FAILED);
    assert_non_null(strstr(reason, "stopped in the middle"));
    assert_int_equal(end_burner(f), 0);
}

static void a_dry_run_goes_all_the_way_and_touches_nobody(void **state) {
    struct fixture *f = *state;
    char reason[160];
    write_policy(f, "", "");
    start_helper(f);
    start_burner(f, false);
    struct candidate target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_A, true, reason), OUTCOME_WOULD);
    assert_int_equal(end_burner(f), 0);
}

static void another_uid_is_listed_with_the_reason_and_without_a_handle(void **state) {
    struct fixture *f = *state;
    static const uint8_t none[16];
    char reason[160];
    write_policy(f, "", "comm = someone-else");
    start_helper(f);
    start_burner(f, false);
    struct candidate target = wait_for_burner(f, false);
    assert_memory_equal(target.handle, none, sizeof none);
    assert_non_null(strstr(target.reason, "comm"));
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_A, false, reason), OUTCOME_REFUSED);
    assert_int_equal(end_burner(f), 0);
}

static void the_budget_holds_across_kill_9(void **state) {
    struct fixture *f = *state;
    char reason[160];
    write_policy(f, "[budget]\nper_hour = 1", "");
    start_helper(f);
    start_burner(f, false);
    struct candidate target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_A, false, reason), OUTCOME_TERMINATED);
    end_burner(f);
    stop_helper(f, SIGKILL);
    start_helper(f);
    start_burner(f, false);
    target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_B, false, reason), OUTCOME_REFUSED);
    assert_non_null(strstr(reason, "budget"));
    assert_int_equal(end_burner(f), 0);
}

static char state_of(pid_t pid) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    char *end = length ? strrchr(text, ')') : NULL;
    return end ? end[2] : '?';
}

static bool state_becomes(pid_t pid, char wanted) {
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (state_of(pid) != wanted && clock_monotonic_ms() < until_ms)
        usleep(10000);
    return state_of(pid) == wanted;
}

static void a_frozen_process_runs_again_when_its_lease_is_over(void **state) {
    struct fixture *f = *state;
    char reason[160];
    write_policy(f, "", "lease = 3s");
    start_helper(f);
    start_burner(f, false);
    struct candidate target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_FREEZE, KEY_A, false, reason), OUTCOME_DONE);
    assert_true(state_becomes(f->burner, 'T'));
    assert_true(state_becomes(f->burner, 'R'));
}

static void a_frozen_process_runs_again_when_a_killed_helper_comes_back(void **state) {
    struct fixture *f = *state;
    char reason[160];
    write_policy(f, "", "lease = 60s");
    start_helper(f);
    start_burner(f, false);
    struct candidate target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_FREEZE, KEY_A, false, reason), OUTCOME_DONE);
    stop_helper(f, SIGKILL);
    assert_true(state_becomes(f->burner, 'T'));
    start_helper(f);
    assert_true(state_becomes(f->burner, 'R'));
}

static void a_frozen_process_runs_again_when_its_asker_hangs_up_or_the_helper_stops(void **state) {
    struct fixture *f = *state;
    char reason[160];
    write_policy(f, "", "lease = 60s");
    start_helper(f);
    start_burner(f, false);
    struct candidate target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_FREEZE, KEY_A, false, reason), OUTCOME_DONE);
    assert_true(state_becomes(f->burner, 'T'));
    helper_client_destroy(f->client);
    f->client = helper_client_create(f->socket, CALL_MS);
    assert_true(state_becomes(f->burner, 'R'));
    target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_FREEZE, KEY_B, false, reason), OUTCOME_DONE);
    assert_true(state_becomes(f->burner, 'T'));
    assert_int_equal(stop_helper(f, SIGTERM), 0);
    assert_true(state_becomes(f->burner, 'R'));
}

static void paused_means_nobody_is_touched_and_survives_a_restart(void **state) {
    struct fixture *f = *state;
    struct helper_status status;
    char reason[160];
    write_policy(f, "", "");
    start_helper(f);
    assert_int_equal(helper_client_pause(f->client, true, NULL), STATUS_OK);
    stop_helper(f, SIGKILL);
    start_helper(f);
    assert_int_equal(helper_client_status(f->client, &status, NULL), STATUS_OK);
    assert_true(status.paused && status.mode_act && status.policy_ok && status.pinned_signals);
    start_burner(f, false);
    struct candidate target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_A, false, reason), OUTCOME_REFUSED);
    assert_int_equal(helper_client_pause(f->client, false, NULL), STATUS_OK);
    assert_int_equal(act(f, &target, ACTION_TERMINATE, KEY_B, false, reason),
                     OUTCOME_REFUSED); /* its pin is spent */
    target = wait_for_burner(f, true);
    assert_int_equal(act(f, &target, ACTION_TERMINATE, "00000000000000000000000000000001", false, reason),
                     OUTCOME_TERMINATED);
}

static void a_broken_policy_refuses_everything_and_says_why(void **state) {
    struct fixture *f = *state;
    struct helper_status status;
    struct candidate seen[CANDIDATES_MAX];
    size_t count;
    write_policy(f, "grase = 5s", "");
    start_helper(f);
    assert_int_equal(helper_client_status(f->client, &status, NULL), STATUS_OK);
    assert_false(status.policy_ok);
    assert_false(status.mode_act);
    assert_non_null(strstr(status.policy_text, "did you mean 'grace'"));
    start_burner(f, false);
    usleep(600000);
    assert_int_equal(helper_client_list(f->client, seen, CANDIDATES_MAX, &count, NULL), STATUS_OK);
    assert_int_equal(count, 0);
}

static void nobody_listening_is_said_with_what_to_do(void **state) {
    struct fixture *f = *state;
    struct helper_status status;
    struct error err;
    assert_int_equal(helper_client_status(f->client, &status, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, "start sentinel-helper"));
}

static void the_client_itself_and_its_ancestors_are_never_offered(void **state) {
    struct fixture *f = *state;
    write_policy(f, "", "");
    start_helper(f);
    start_burner(f, false);
    wait_for_burner(f, true);
    /* This process burns too, and matches nothing better than the burner does, but it is the client. */
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct candidate seen[CANDIDATES_MAX];
    size_t count = 0;
    bool found = false;
    while (!found && clock_monotonic_ms() < until_ms) {
        for (volatile unsigned i = 0; i < 50000000; i++)
            continue;
        assert_int_equal(helper_client_list(f->client, seen, CANDIDATES_MAX, &count, NULL), STATUS_OK);
        for (size_t i = 0; i < count; i++) {
            if (seen[i].pid != getpid())
                continue;
            found = true;
            assert_false(seen[i].allowed);
            assert_non_null(strstr(seen[i].reason, "client"));
        }
    }
    assert_true(found);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_hot_process_that_the_policy_allows_is_terminated),
        TEST(a_process_that_ignores_term_is_killed_after_the_grace),
        TEST(the_same_key_is_done_once_and_answered_again_also_after_kill_9),
        TEST(a_helper_killed_in_the_middle_never_signals_again_for_that_key),
        TEST(a_dry_run_goes_all_the_way_and_touches_nobody),
        TEST(another_uid_is_listed_with_the_reason_and_without_a_handle),
        TEST(the_budget_holds_across_kill_9),
        TEST(a_frozen_process_runs_again_when_its_lease_is_over),
        TEST(a_frozen_process_runs_again_when_a_killed_helper_comes_back),
        TEST(a_frozen_process_runs_again_when_its_asker_hangs_up_or_the_helper_stops),
        TEST(paused_means_nobody_is_touched_and_survives_a_restart),
        TEST(a_broken_policy_refuses_everything_and_says_why),
        TEST(nobody_listening_is_said_with_what_to_do),
        TEST(the_client_itself_and_its_ancestors_are_never_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
