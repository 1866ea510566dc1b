/* A thousand times, the kernel gives a victim's number to a stranger: between LIST and ACT, and between TERM
 * and KILL. The stranger must feel nothing. The same strangers under plain kill(2) show that the test bites.
 *
 * Runs in a pid namespace of its own, where clone3() may choose a number; needs root. Inside, this process is
 * the helper (offers, deeds and the real Linux processes); only its measurement is invented: everybody is
 * hot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "helper/deeds.h"

enum { ROUNDS = 1000, NUMBER = 4242, VICTIM_UID = 60983 };

static struct processes *processes;
static enum status (*real_scan)(struct processes *, struct process_sample *, size_t, size_t *,
                                struct error *);
static struct helper_world world;
static struct helper_policy policy;
static struct ledger ledger;
static struct offers *offers;
static struct deeds *deeds;
static int64_t now_ms = 1000000;

/* The real list, with one CPU of use for everybody in each interval. */
static enum status hot_scan(struct processes *self, struct process_sample *out, size_t capacity,
                            size_t *count, struct error *err) {
    enum status status = real_scan(self, out, capacity, count, err);
    for (size_t i = 0; status == STATUS_OK && i < *count; i++)
        out[i].own_ns = (uint64_t)now_ms * 1000000;
    return status;
}

/* A child with that very number. It belongs to VICTIM_UID and blocks TERM, so that a TERM stays visible. */
static void spawn(pid_t number) {
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    struct clone_args how = {
        .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&number, .set_tid_size = 1};
    long child = syscall(SYS_clone3, &how, sizeof how);
    if (child == 0) {
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        bool good = sigprocmask(SIG_BLOCK, &term, NULL) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                    setresgid(VICTIM_UID, VICTIM_UID, VICTIM_UID) == 0 &&
                    setresuid(VICTIM_UID, VICTIM_UID, VICTIM_UID) == 0 && write(ready[1], "", 1) == 1;
        while (good)
            pause();
        _exit(1);
    }
    if (child != number)
        fail_msg("clone3 gave %ld: %s", child, strerror(errno));
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
}

static void end(pid_t pid) {
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Felt: TERM is pending, or it is dead. */
static bool felt_anything(pid_t pid) {
    char path[64], line[256];
    unsigned long long pending = 0;
    bool dead = false;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "SigPnd:", 7) == 0 || strncmp(line, "ShdPnd:", 7) == 0)
            pending |= strtoull(line + 7, NULL, 16);
        if (strncmp(line, "State:", 6) == 0)
            dead = strchr("ZX", line[7]) != NULL;
    }
    fclose(file);
    return dead || (pending & 1ULL << (SIGTERM - 1));
}

static void measure(void) {
    now_ms += 500;
    assert_int_equal(watch_update(world.watch, processes, &policy, now_ms, NULL), STATUS_OK);
    deeds_step(deeds, now_ms);
}

static struct helper_act_request request_for(pid_t pid, uint32_t key) {
    static struct helper_list list;
    for (int i = 0; i < 4; i++)
        measure();
    offers_list(offers, now_ms, &list);
    for (size_t i = 0; i < list.count; i++) {
        struct helper_act_request request = {
            .handle = list.items[i].handle, .rung = RUNG_TERMINATE, .deadline_ms = now_ms + 60000};
        memcpy(request.key, &key, sizeof key);
        if (list.items[i].pid == pid && list.items[i].allowed)
            return request;
        if (list.items[i].pid == pid)
            fail_msg("not allowed: %s", list.items[i].reason);
    }
    fail_msg("%d is not listed", pid);
    abort();
}

static void a_stranger_that_comes_between_list_and_act_feels_nothing(void **state) {
    (void)state;
    unsigned felt = 0;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        struct helper_act_reply reply;
        spawn(NUMBER);
        struct helper_act_request request = request_for(NUMBER, round);
        end(NUMBER);
        spawn(NUMBER);
        assert_false(deeds_ask(deeds, &request, 1, now_ms, &reply));
        measure();
        assert_true(deeds_answer(deeds, request.key, &reply));
        assert_int_equal(reply.outcome, HELPER_GONE);
        felt += felt_anything(NUMBER);
        end(NUMBER);
    }
    print_message("between LIST and ACT: %u of %d strangers felt a signal\n", felt, ROUNDS);
    assert_int_equal(felt, 0);
}

static void a_stranger_that_comes_between_term_and_kill_feels_nothing(void **state) {
    (void)state;
    unsigned felt = 0;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        struct helper_act_reply reply;
        spawn(NUMBER);
        struct helper_act_request request = request_for(NUMBER, ROUNDS + round);
        assert_false(deeds_ask(deeds, &request, 1, now_ms, &reply));
        measure();
        assert_true(felt_anything(NUMBER)); /* TERM did reach the victim */
        deeds_step(deeds, now_ms);          /* the grace begins */
        end(NUMBER);
        spawn(NUMBER);
        now_ms += policy.grace_ms + 1;
        deeds_step(deeds, now_ms);
        assert_true(deeds_answer(deeds, request.key, &reply));
        assert_int_equal(reply.outcome, HELPER_TERMINATED);
        felt += felt_anything(NUMBER);
        end(NUMBER);
    }
    print_message("between TERM and KILL: %u of %d strangers felt a signal\n", felt, ROUNDS);
    assert_int_equal(felt, 0);
}

static void with_plain_kill_the_strangers_are_hit(void **state) {
    (void)state;
    unsigned felt = 0;
    for (int round = 0; round < ROUNDS; round++) {
        spawn(NUMBER);
        pid_t remembered = NUMBER;
        end(NUMBER);
        spawn(NUMBER);
        assert_int_equal(kill(remembered, SIGTERM), 0);
        felt += felt_anything(NUMBER);
        end(NUMBER);
    }
    print_message("plain kill(): %u of %d strangers felt a signal\n", felt, ROUNDS);
    assert_true(felt > ROUNDS * 95 / 100);
}

static void with_a_compared_start_time_most_strangers_would_be_hit_too(void **state) {
    (void)state;
    unsigned same = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct process_sample victim, stranger;
        spawn(NUMBER);
        assert_int_equal(processes->look_up(processes, NUMBER, &victim, NULL), STATUS_OK);
        end(NUMBER);
        spawn(NUMBER);
        assert_int_equal(processes->look_up(processes, NUMBER, &stranger, NULL), STATUS_OK);
        same += process_id_equals(victim.id, stranger.id);
        end(NUMBER);
    }
    print_message("start times: %u of %d strangers could not be told from their victims\n", same, ROUNDS);
}

static void open_world(void) {
    struct error err = {.text = "?"};
    char text[512], exe[256] = "";
    assert_true(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    snprintf(text, sizeof text,
             "mode = act\n[allow victims]\nuid = %d\nexe = \"%s\"\nmin_age = 0s\nmin_cpu = 10%%\nfor = 0s\n",
             VICTIM_UID, exe);
    const char *home = getenv("HOME");
    char folder[256], path[300];
    snprintf(folder, sizeof folder, "%s/.sentinel-test-XXXXXX", home ? home : "/root");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/journal", folder);
    if (processes_open("/proc", &processes, &err) != STATUS_OK ||
        helper_policy_parse("test", text, &policy, &err) != STATUS_OK ||
        journal_open(path, NULL, NULL, &world.journal, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    unlink(path);
    rmdir(folder);
    policy.budget = (struct policy_budget){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 1};
    real_scan = processes->scan;
    processes->scan = hot_scan;
    world.processes = processes;
    world.policy = &policy;
    world.policy_ok = true;
    world.ledger = &ledger;
    world.watch = watch_create();
    offers = offers_create(&world);
    deeds = deeds_create(&world, offers, now_ms);
}

static int run_inside(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_that_comes_between_list_and_act_feels_nothing),
        cmocka_unit_test(a_stranger_that_comes_between_term_and_kill_feels_nothing),
        cmocka_unit_test(with_plain_kill_the_strangers_are_hit),
        cmocka_unit_test(with_a_compared_start_time_most_strangers_would_be_hit_too),
    };
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    open_world();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    deeds_destroy(deeds, now_ms);
    offers_destroy(offers);
    watch_destroy(world.watch);
    journal_close(world.journal);
    processes->close(processes);
    return failed;
}

int main(void) {
    int status;
    if (geteuid() != 0) {
        puts("skipped: a pid namespace needs root");
        return 0;
    }
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
        perror("unshare");
        return 1;
    }
    pid_t first = fork();
    if (first == 0) { /* pid 1 of the namespace, never a target */
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("proc", "/proc", "proc", 0, NULL) != 0)
            _exit(1);
        pid_t second = fork();
        if (second == 0) {
            int failed = run_inside();
            fflush(stdout);
            _exit(failed); /* the leak checker does not work inside a pid namespace */
        }
        if (waitpid(second, &status, 0) != second)
            _exit(1);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    if (waitpid(first, &status, 0) != first)
        return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
