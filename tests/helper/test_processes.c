/* The Linux view of processes: a made-up /proc for what is hard to stage, real children for the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/processes.h"

static char proc[PATH_MAX / 2];
static struct processes *processes;
static struct error err;

static void write_file(int pid, const char *name, const char *text) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%d", proc, pid);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%d/%s", proc, pid, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_stat(int pid, const char *comm, int parent, unsigned flags, int utime, int start) {
    char text[512];
    snprintf(text, sizeof text, "%d (%s) S %d 1 1 0 -1 %u 0 0 0 0 %d 2 3 4 20 0 1 0 %d 0 0\n", pid, comm,
             parent, flags, utime, start);
    write_file(pid, "stat", text);
}

static int made_up(void **state) {
    (void)state;
    snprintf(proc, sizeof proc, "/tmp/sentinel-proc-XXXXXX");
    if (!mkdtemp(proc))
        return -1;
    write_stat(1, "init", 0, 0, 0, 1);
    return processes_open(proc, &processes, &err) == STATUS_OK ? 0 : -1;
}

static int real(void **state) {
    (void)state;
    return processes_open("/proc", &processes, &err) == STATUS_OK ? 0 : -1;
}

static int finish(void **state) {
    (void)state;
    processes->close(processes);
    if (!proc[0])
        return 0;
    char command[PATH_MAX];
    static const char *const names[] = {"stat", "status", "cgroup"};
    for (int pid = 1; pid < 100; pid++) {
        for (size_t i = 0; i < 3; i++) {
            snprintf(command, sizeof command, "%s/%d/%s", proc, pid, names[i]);
            unlink(command);
        }
        snprintf(command, sizeof command, "%s/%d", proc, pid);
        rmdir(command);
    }
    int result = rmdir(proc);
    proc[0] = '\0';
    return result;
}

static void a_comm_full_of_traps_does_not_move_the_fields(void **state) {
    (void)state;
    struct process_sample seen;
    write_stat(7, "a) R 1 1\n(", 1, 0, 100, 555);
    assert_int_equal(processes->look_up(processes, 7, &seen, &err), STATUS_OK);
    assert_int_equal(seen.id.pid, 7);
    assert_int_equal(seen.parent, 1);
    assert_int_equal(seen.id.start, 555);
    assert_int_equal(seen.own_ns, (100 + 2) * INT64_C(10000000));
    assert_int_equal(seen.children_ns, (3 + 4) * INT64_C(10000000));
    assert_string_equal(seen.comm, "a) R 1 1\n(");
}

static void kernel_threads_are_known_by_their_flag(void **state) {
    (void)state;
    struct process_sample seen;
    write_stat(8, "kworker", 2, 0x00208040, 0, 1);
    assert_int_equal(processes->look_up(processes, 8, &seen, &err), STATUS_OK);
    assert_true(seen.kernel_thread);
}

static void a_stat_that_is_cut_short_is_an_error(void **state) {
    (void)state;
    struct process_sample seen;
    write_file(9, "stat", "9 (x) S 1 1 1 0");
    assert_int_equal(processes->look_up(processes, 9, &seen, &err), STATUS_CORRUPT);
    write_file(9, "stat", "9 x");
    assert_int_equal(processes->look_up(processes, 9, &seen, &err), STATUS_CORRUPT);
    write_file(9, "stat", "");
    assert_int_equal(processes->look_up(processes, 9, &seen, &err), STATUS_CORRUPT);
    write_stat(9, "x", 1, 0, 0, 1);
    assert_int_equal(processes->look_up(processes, 10, &seen, &err), STATUS_NOT_FOUND);
}

static void more_processes_than_places_is_an_error(void **state) {
    (void)state;
    struct process_sample seen[2];
    size_t count;
    write_stat(2, "b", 1, 0, 0, 1);
    assert_int_equal(processes->scan(processes, seen, 2, &count, &err), STATUS_OK);
    assert_int_equal(count, 2);
    write_stat(3, "c", 1, 0, 0, 1);
    assert_int_equal(processes->scan(processes, seen, 2, &count, &err), STATUS_TOO_LARGE);
}

static void a_lineage_ends_at_the_first_process(void **state) {
    (void)state;
    struct process_id line[LINEAGE_MAX];
    write_stat(2, "b", 1, 0, 0, 22);
    write_stat(3, "c", 2, 0, 0, 33);
    assert_int_equal(processes_lineage(processes, 3, line, LINEAGE_MAX), 2);
    assert_int_equal(line[0].pid, 2);
    assert_int_equal(line[0].start, 22);
    assert_int_equal(line[1].pid, 1);
    write_stat(4, "loop", 5, 0, 0, 1);
    write_stat(5, "loop", 4, 0, 0, 1);
    assert_int_equal(processes_lineage(processes, 4, line, LINEAGE_MAX), LINEAGE_MAX);
}

static void hidden_processes_are_refused_at_the_start(void **state) {
    (void)state;
    char path[PATH_MAX];
    struct processes *other = NULL;
    snprintf(path, sizeof path, "%s/1/stat", proc);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(processes_open(proc, &other, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "hidepid"));
}

/* ---- real children ---- */

static pid_t start_child(void) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return child;
}

static struct process_pin pin_child(pid_t child) {
    struct process_sample sample;
    struct process_pin pin;
    assert_int_equal(processes->look_up(processes, child, &sample, &err), STATUS_OK);
    assert_int_equal(processes->pin(processes, sample.id, &pin, &err), STATUS_OK);
    return pin;
}

static void facts_of_a_child_are_its_own(void **state) {
    (void)state;
    struct process_facts facts;
    char exe[PATH_MAX] = "";
    pid_t child = start_child();
    struct process_pin pin = pin_child(child);
    assert_int_equal(processes->inspect(processes, &pin, &facts, &err), STATUS_OK);
    assert_true(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    assert_string_equal(facts.exe, exe);
    assert_int_equal(facts.uid, geteuid());
    assert_int_equal(facts.sample.parent, getpid());
    assert_int_equal(facts.lineage[0].pid, getpid());
    assert_int_equal(facts.lineage[facts.lineage_count - 1].pid, 1);
    assert_true(facts.age_ms >= 0 && facts.age_ms < 10000);
    assert_false(facts.mixed_uids || facts.foreign_namespace || facts.traced || facts.sample.kernel_thread);
    assert_int_equal(facts.group[0], '/');
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    processes->unpin(processes, &pin);
}

static void a_pin_follows_its_process_and_no_other(void **state) {
    (void)state;
    struct process_facts facts;
    int status;
    pid_t child = start_child();
    struct process_pin pin = pin_child(child), other;
    assert_false(processes->has_exited(processes, &pin));
    struct process_id stranger = {child, pin.id.start + 1};
    assert_int_equal(processes->pin(processes, stranger, &other, &err), STATUS_NOT_FOUND);
    assert_int_equal(processes->signal(processes, &pin, PROCESS_TERM, &err), STATUS_OK);
    waitpid(child, &status, 0);
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_true(processes->has_exited(processes, &pin));
    assert_int_equal(processes->signal(processes, &pin, PROCESS_KILL, &err), STATUS_NOT_FOUND);
    assert_int_equal(processes->inspect(processes, &pin, &facts, &err), STATUS_NOT_FOUND);
    processes->unpin(processes, &pin);
}

static void a_zombie_cannot_be_pinned(void **state) {
    (void)state;
    struct process_sample sample;
    struct process_pin pin;
    siginfo_t ended;
    pid_t child = start_child();
    assert_int_equal(processes->look_up(processes, child, &sample, &err), STATUS_OK);
    kill(child, SIGKILL);
    waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT);
    assert_int_equal(processes->pin(processes, sample.id, &pin, &err), STATUS_NOT_FOUND);
    waitpid(child, NULL, 0);
}

static void a_process_with_two_users_is_told(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (setresuid(60983, 0, 0) != 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct process_pin pin = pin_child(child);
    struct process_facts facts;
    assert_int_equal(processes->inspect(processes, &pin, &facts, &err), STATUS_OK);
    assert_true(facts.mixed_uids);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    processes->unpin(processes, &pin);
    close(ready[0]);
    close(ready[1]);
}

static void every_process_of_the_host_is_listed_once(void **state) {
    (void)state;
    struct process_sample *seen = calloc(PROCESSES_MAX, sizeof *seen);
    size_t count, selves = 0;
    assert_int_equal(processes->scan(processes, seen, PROCESSES_MAX, &count, &err), STATUS_OK);
    for (size_t i = 0; i < count; i++)
        selves += seen[i].id.pid == getpid();
    assert_int_equal(selves, 1);
    free(seen);
}

int main(void) {
#define MADE_UP(name) cmocka_unit_test_setup_teardown(name, made_up, finish)
#define REAL(name) cmocka_unit_test_setup_teardown(name, real, finish)
    const struct CMUnitTest tests[] = {
        MADE_UP(a_comm_full_of_traps_does_not_move_the_fields),
        MADE_UP(kernel_threads_are_known_by_their_flag),
        MADE_UP(a_stat_that_is_cut_short_is_an_error),
        MADE_UP(more_processes_than_places_is_an_error),
        MADE_UP(a_lineage_ends_at_the_first_process),
        MADE_UP(hidden_processes_are_refused_at_the_start),
        REAL(facts_of_a_child_are_its_own),
        REAL(a_pin_follows_its_process_and_no_other),
        REAL(a_zombie_cannot_be_pinned),
        REAL(a_process_with_two_users_is_told),
        REAL(every_process_of_the_host_is_listed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
