/* The logic of processes_darwin.c on a made-up XNU: it runs here, under sanitizers, although a Mach-O cannot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "helper/processes_darwin.c"

enum { TASKS = 4 };

static struct {
    struct darwin_task task;
    bool exists, out_of_reach, exited;
    int pinned_signals, numbered_signals;
} tasks[TASKS];

static struct darwin_kernel kernel;
static struct processes *processes;
static struct error err;
static uint64_t now_ticks;
static int watches;
static const char *path;
static uint64_t inode;

static int find(int32_t pid) {
    for (int i = 0; i < TASKS; i++)
        if (tasks[i].exists && tasks[i].task.pid == pid)
            return i;
    return -1;
}

static int fake_list(struct darwin_kernel *self, int32_t *pids, size_t capacity, size_t *count) {
    (void)self;
    (void)capacity;
    *count = 0;
    pids[(*count)++] = 0; /* kernel_task is listed, and cannot be asked about */
    for (int i = TASKS - 1; i >= 0; i--)
        if (tasks[i].exists)
            pids[(*count)++] = tasks[i].task.pid;
    return 0;
}

static int fake_task(struct darwin_kernel *self, int32_t pid, struct darwin_task *out) {
    (void)self;
    int i = find(pid);
    if (i < 0)
        return ESRCH;
    if (tasks[i].out_of_reach)
        return EPERM;
    *out = tasks[i].task;
    return 0;
}

static int fake_path(struct darwin_kernel *self, int32_t pid, char *out, size_t size, uint64_t *device,
                     uint64_t *file) {
    (void)self;
    (void)pid;
    snprintf(out, size, "%s", path);
    *device = 1;
    *file = inode;
    return 0;
}

static int fake_watch(struct darwin_kernel *self, int32_t pid, int *fd) {
    (void)self;
    *fd = find(pid);
    watches += *fd >= 0;
    return *fd >= 0 ? 0 : ESRCH;
}

static bool fake_has_exited(struct darwin_kernel *self, int fd) {
    (void)self;
    return tasks[fd].exited;
}

static void fake_unwatch(struct darwin_kernel *self, int fd) {
    (void)self;
    (void)fd;
    watches--;
}

/* As XNU does: pid and version, under one reference. */
static int fake_signal_pinned(struct darwin_kernel *self, int32_t pid, uint32_t version, int signal) {
    (void)self;
    int i = find(pid);
    if (i < 0 || tasks[i].task.id_version != version)
        return ESRCH;
    if (tasks[i].out_of_reach)
        return EPERM;
    tasks[i].pinned_signals += signal == SIGTERM;
    return 0;
}

static int fake_signal_number(struct darwin_kernel *self, int32_t pid, int signal) {
    (void)self;
    int i = find(pid);
    if (i < 0)
        return ESRCH;
    tasks[i].numbered_signals += signal == SIGTERM;
    return 0;
}

static uint64_t fake_now(struct darwin_kernel *self) {
    (void)self;
    return now_ticks;
}

static int set_up(void **state) {
    (void)state;
    memset(tasks, 0, sizeof tasks);
    tasks[0].exists = tasks[1].exists = true;
    tasks[0].task = (struct darwin_task){.pid = 1, .unique_id = 1, .id_version = 1, .name = "launchd"};
    tasks[1].task = (struct darwin_task){.pid = 700,
                                         .parent = 1,
                                         .uid = 501,
                                         .real_uid = 501,
                                         .saved_uid = 501,
                                         .name = "burn",
                                         .unique_id = 90001,
                                         .id_version = 33,
                                         .own_ticks = 24000000,
                                         .children_ticks = 12000000,
                                         .started_ticks = 1000};
    now_ticks = 1000 + 24000000 * UINT64_C(60);
    path = "/opt/burn";
    inode = 7;
    watches = 0;
    kernel = (struct darwin_kernel){.can_signal_pinned = true,
                                    .is_root = true,
                                    .timebase = {125, 3, false, 24000000},
                                    .boot_id = "boot",
                                    .list = fake_list,
                                    .task = fake_task,
                                    .path = fake_path,
                                    .watch_exit = fake_watch,
                                    .has_exited = fake_has_exited,
                                    .unwatch = fake_unwatch,
                                    .signal_pinned = fake_signal_pinned,
                                    .signal_number = fake_signal_number,
                                    .now_ticks = fake_now};
    return processes_darwin_open(&kernel, &processes, &err) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    processes->close(processes);
    return watches; /* every watch was given back */
}

static struct process_pin pin(void) {
    struct process_sample sample;
    struct process_pin out;
    assert_int_equal(processes->look_up(processes, 700, &sample, &err), STATUS_OK);
    assert_int_equal(processes->pin(processes, sample.id, &out, &err), STATUS_OK);
    return out;
}

static void with_timebase(uint32_t numerator, uint32_t denominator, bool translated, uint64_t frequency) {
    processes->close(processes);
    kernel.timebase = (struct darwin_timebase){numerator, denominator, translated, frequency};
    assert_int_equal(processes_darwin_open(&kernel, &processes, &err), STATUS_OK);
}

static uint64_t own_ns(void) {
    struct process_sample sample;
    assert_int_equal(processes->look_up(processes, 700, &sample, &err), STATUS_OK);
    return sample.own_ns;
}

static void ticks_become_nanoseconds_on_every_mac(void **state) {
    (void)state;
    assert_int_equal(own_ns(), 1000000000); /* Apple silicon: 24 MHz */
    tasks[1].task.own_ticks = 1000000000;
    with_timebase(1, 1, false, 1000000000); /* Intel */
    assert_int_equal(own_ns(), 1000000000);
    tasks[1].task.own_ticks = 24000000;
    with_timebase(1, 1, true, 24000000); /* Rosetta: the timebase lies by a factor of 41.67 */
    assert_in_range(own_ns(), 999999999, 1000000001);
}

static void a_tick_of_unknown_length_is_refused(void **state) {
    (void)state;
    struct processes *other = NULL;
    kernel.timebase = (struct darwin_timebase){1, 1, true, 0};
    assert_int_equal(processes_darwin_open(&kernel, &other, &err), STATUS_INVALID);
    kernel.timebase = (struct darwin_timebase){0, 0, false, 0};
    assert_int_equal(processes_darwin_open(&kernel, &other, &err), STATUS_INVALID);
}

static void what_is_out_of_reach_is_not_measured_and_not_pinned(void **state) {
    (void)state;
    static struct process_sample samples[PROCESSES_MAX];
    size_t count;
    struct process_pin out;
    assert_int_equal(processes->scan(processes, samples, PROCESSES_MAX, &count, &err), STATUS_OK);
    assert_int_equal(count, 2);
    tasks[1].out_of_reach = true;
    assert_int_equal(processes->scan(processes, samples, PROCESSES_MAX, &count, &err), STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(processes->pin(processes, (struct process_id){700, 90001}, &out, &err), STATUS_DENIED);
}

static void facts_are_read_between_two_looks_at_the_identity(void **state) {
    (void)state;
    struct process_facts facts;
    struct process_pin held = pin();
    assert_int_equal(processes->inspect(processes, &held, &facts, &err), STATUS_OK);
    assert_int_equal(facts.uid, 501);
    assert_int_equal(facts.age_ms, 60000);
    assert_string_equal(facts.exe, "/opt/burn");
    assert_int_equal(facts.exe_inode, 7);
    assert_int_equal(facts.lineage_count, 1);
    assert_false(facts.mixed_uids);
    tasks[1].task.saved_uid = 0;
    assert_int_equal(processes->inspect(processes, &held, &facts, &err), STATUS_OK);
    assert_true(facts.mixed_uids);
    processes->unpin(processes, &held);
}

static void a_reused_number_is_another_process(void **state) {
    (void)state;
    struct process_facts facts;
    struct process_pin held = pin(), other;
    tasks[1].task.unique_id++;
    tasks[1].task.id_version++;
    assert_int_equal(processes->inspect(processes, &held, &facts, &err), STATUS_NOT_FOUND);
    assert_int_equal(processes->signal(processes, &held, PROCESS_TERM, &err), STATUS_NOT_FOUND);
    assert_int_equal(processes->pin(processes, held.id, &other, &err), STATUS_NOT_FOUND);
    assert_int_equal(tasks[1].pinned_signals + tasks[1].numbered_signals, 0);
    processes->unpin(processes, &held);
}

static void an_execd_successor_is_refused_by_its_version(void **state) {
    (void)state;
    struct process_facts facts;
    struct process_pin held = pin();
    tasks[1].task.id_version++;
    assert_int_equal(processes->inspect(processes, &held, &facts, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "another program"));
    assert_int_equal(processes->signal(processes, &held, PROCESS_TERM, &err), STATUS_NOT_FOUND);
    assert_int_equal(tasks[1].pinned_signals, 0);
    processes->unpin(processes, &held);
}

static void signals_go_through_the_token(void **state) {
    (void)state;
    struct process_pin held = pin();
    assert_int_equal(processes->signal(processes, &held, PROCESS_TERM, &err), STATUS_OK);
    assert_int_equal(tasks[1].pinned_signals, 1);
    assert_int_equal(tasks[1].numbered_signals, 0);
    tasks[1].out_of_reach = true;
    assert_int_equal(processes->signal(processes, &held, PROCESS_TERM, &err), STATUS_DENIED);
    processes->unpin(processes, &held);
}

static void without_the_token_the_identity_is_compared_first(void **state) {
    (void)state;
    processes->close(processes);
    kernel.can_signal_pinned = false;
    assert_int_equal(processes_darwin_open(&kernel, &processes, &err), STATUS_OK);
    assert_false(processes->pins_signals);
    struct process_pin held = pin();
    assert_int_equal(processes->signal(processes, &held, PROCESS_TERM, &err), STATUS_OK);
    assert_int_equal(tasks[1].numbered_signals, 1);
    tasks[1].task.unique_id++;
    assert_int_equal(processes->signal(processes, &held, PROCESS_TERM, &err), STATUS_NOT_FOUND);
    tasks[1].task.unique_id--;
    tasks[1].exited = true;
    assert_int_equal(processes->signal(processes, &held, PROCESS_TERM, &err), STATUS_NOT_FOUND);
    assert_int_equal(tasks[1].numbered_signals, 1);
    processes->unpin(processes, &held);
}

static void an_exit_is_seen_by_the_watch(void **state) {
    (void)state;
    struct process_facts facts;
    struct process_pin held = pin();
    assert_false(processes->has_exited(processes, &held));
    tasks[1].exited = true;
    assert_true(processes->has_exited(processes, &held));
    assert_int_equal(processes->inspect(processes, &held, &facts, &err), STATUS_NOT_FOUND);
    processes->unpin(processes, &held);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ticks_become_nanoseconds_on_every_mac),
        TEST(a_tick_of_unknown_length_is_refused),
        TEST(what_is_out_of_reach_is_not_measured_and_not_pinned),
        TEST(facts_are_read_between_two_looks_at_the_identity),
        TEST(a_reused_number_is_another_process),
        TEST(an_execd_successor_is_refused_by_its_version),
        TEST(signals_go_through_the_token),
        TEST(without_the_token_the_identity_is_compared_first),
        TEST(an_exit_is_seen_by_the_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
