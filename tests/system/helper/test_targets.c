/* Processes that must never be hit, each made for real, hot, and under a policy that would otherwise allow
 * it. */
#include "helper/harness.h"

#include <sched.h>
#include <sys/ptrace.h>

static struct helper_reply reply;
static int fd;

/* Waits until `pid` stands in the list and is judged as wanted, or for another reason than heat. */
static struct helper_candidate wait_for(pid_t pid, bool allowed) {
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct helper_candidate last = {0};
    while (clock_monotonic_ms() < until_ms) {
        usleep(50000);
        assert_true(ask(fd, &(struct helper_request){.op = HELPER_LIST}, &reply));
        for (size_t i = 0; i < reply.list.count; i++) {
            const struct helper_candidate *row = &reply.list.items[i];
            if (row->pid != pid)
                continue;
            last = *row;
            if (row->allowed == allowed && !strstr(row->reason, "hot for") && !strstr(row->reason, "uses"))
                return *row;
        }
    }
    fail_msg("process %d: allowed %d, '%s'", pid, last.allowed, last.reason);
    return last;
}

static void is_refused_because(pid_t pid, const char *why) {
    struct helper_candidate seen = wait_for(pid, false);
    if (!strstr(seen.reason, why))
        fail_msg("'%s' does not say '%s'", seen.reason, why);
    static const struct helper_handle none;
    assert_memory_equal(&seen.handle, &none, sizeof none);
}

static enum helper_outcome terminate(const struct helper_candidate *target) {
    static uint8_t key;
    struct helper_request request = {.op = HELPER_ACT,
                                     .act = {.handle = target->handle,
                                             .rung = RUNG_TERMINATE,
                                             .key = {++key},
                                             .deadline_ms = clock_monotonic_ms() + PATIENCE_MS}};
    assert_true(ask(fd, &request, &reply));
    return reply.act.outcome;
}

static void start(const char *rule) {
    write_policy("", rule);
    start_helper();
    fd = greet_helper(&reply);
}

static int finish(void **state) {
    close(fd);
    return remove_folder(state);
}

static void a_name_full_of_traps_is_no_shield(void **state) {
    (void)state;
    start("");
    pid_t burner = start_load(ALLOWED_UID, 60);
    struct helper_candidate seen = wait_for(burner, true);
    assert_int_equal(terminate(&seen), HELPER_TERMINATED);
    assert_false(end_load(burner));
}

/* As start_load, and calls itself `name`. */
static pid_t start_named(const char *name, uid_t uid) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0)
        return child;
    if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, name);
    alarm(100);
    for (;;)
        continue;
}

static void a_forged_name_protects_its_own_process_and_authorises_no_other(void **state) {
    (void)state;
    start("comm = burn\n[protect]\ncomm = sshd");
    pid_t as_sshd = start_named("sshd", ALLOWED_UID), as_allowed = start_named("burn", OTHER_UID),
          nasty = start_named("a) R 1 1\n(", ALLOWED_UID);
    is_refused_because(as_sshd, "protects");
    is_refused_because(as_allowed, "uid");
    is_refused_because(nasty, "comm");
    assert_true(end_load(as_sshd));
    assert_true(end_load(as_allowed));
    assert_true(end_load(nasty));
}

static void a_setuid_program_and_a_debugged_one_are_refused(void **state) {
    (void)state;
    start("");
    pid_t both = fork();
    if (both == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (setresuid(ALLOWED_UID, 0, 0) != 0)
            _exit(1);
        for (;;)
            continue;
    }
    is_refused_because(both, "users differ");
    assert_true(end_load(both));
    pid_t traced = start_load(ALLOWED_UID, 60);
    assert_int_equal(ptrace(PTRACE_SEIZE, traced, NULL, NULL), 0);
    is_refused_because(traced, "debugger");
    assert_true(end_load(traced));
}

static void a_process_of_another_pid_namespace_is_refused(void **state) {
    (void)state;
    int numbers[2];
    pid_t inner;
    start("");
    assert_int_equal(pipe(numbers), 0);
    pid_t outer = fork();
    if (outer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWPID) != 0)
            _exit(1);
        pid_t child = fork(); /* its number out here */
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (setresuid(ALLOWED_UID, ALLOWED_UID, ALLOWED_UID) != 0)
                _exit(1);
            for (;;)
                continue;
        }
        if (write(numbers[1], &child, sizeof child) != sizeof child)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(numbers[0], &inner, sizeof inner), sizeof inner);
    is_refused_because(inner, "namespace");
    assert_int_equal(kill(inner, 0), 0);
    kill(inner, SIGKILL);
    end_load(outer);
}

static void an_exec_between_list_and_act_is_refused(void **state) {
    (void)state;
    int go[2];
    start("");
    assert_int_equal(pipe(go), 0);
    pid_t burner = fork();
    if (burner == 0) {
        char byte;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fcntl(go[0], F_SETFL, O_NONBLOCK);
        if (setresuid(ALLOWED_UID, ALLOWED_UID, ALLOWED_UID) != 0)
            _exit(1);
        while (read(go[0], &byte, 1) != 1)
            continue;
        execl("/bin/sh", "sh", "-c", "while :; do :; done", (char *)NULL);
        _exit(1);
    }
    struct helper_candidate seen = wait_for(burner, true);
    assert_int_equal(write(go[1], "", 1), 1);
    usleep(50000);
    assert_int_equal(terminate(&seen), HELPER_REFUSED);
    assert_non_null(strstr(reply.act.reason, "another program"));
    assert_true(end_load(burner));
}

static void a_process_that_stopped_itself_is_refused_as_cool(void **state) {
    (void)state;
    start("");
    pid_t burner = start_load(ALLOWED_UID, 100);
    struct helper_candidate seen = wait_for(burner, true);
    assert_int_equal(kill(burner, SIGSTOP), 0);
    usleep(700000);
    assert_int_equal(terminate(&seen), HELPER_REFUSED);
    assert_true(end_load(burner));
}

/* What systemd or launchd do: whenever it ends, it comes back. */
static void a_supervised_process_is_ended_twice_and_then_a_person_is_needed(void **state) {
    (void)state;
    write_policy("[budget]\nper_minute = 100\nper_hour = 100\nper_day = 100\nbreaker_deeds = 2", "");
    start_helper();
    fd = greet_helper(&reply);
    for (int life = 1; life <= 3; life++) {
        pid_t burner = start_load(ALLOWED_UID, 100);
        struct helper_candidate seen = wait_for(burner, true);
        enum helper_outcome outcome = terminate(&seen);
        assert_int_equal(outcome, life <= 2 ? HELPER_TERMINATED : HELPER_REFUSED);
        assert_int_equal(end_load(burner), life == 3);
    }
    assert_non_null(strstr(reply.act.reason, "breaker"));
    assert_true(ask(fd, &(struct helper_request){.op = HELPER_STATUS}, &reply));
    assert_true(reply.status.flags & HELPER_BREAKER_OPEN);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, finish)
    const struct CMUnitTest tests[] = {
        TEST(a_name_full_of_traps_is_no_shield),
        TEST(a_forged_name_protects_its_own_process_and_authorises_no_other),
        TEST(a_setuid_program_and_a_debugged_one_are_refused),
        TEST(a_process_of_another_pid_namespace_is_refused),
        TEST(an_exec_between_list_and_act_is_refused),
        TEST(a_process_that_stopped_itself_is_refused_as_cool),
        TEST(a_supervised_process_is_ended_twice_and_then_a_person_is_needed),
    };
    if (geteuid() != 0) {
        puts("skipped: it changes users");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
