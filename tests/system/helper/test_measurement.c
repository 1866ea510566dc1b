/* Does the helper measure right, and at what price? Truth is what the kernel itself booked for each burner
 * (its CPU clock, nanoseconds), so that a busy machine cannot fail the test. */
#include "helper/harness.h"

#include <pthread.h>

#include "helper/processes.h"

enum { SECONDS = 8, POINTS = 2 /* of error, in hundredths of one CPU, on average */ };

/* CPU time of all threads, by the kernel's own clock of that process. */
static double booked_ms(pid_t pid) {
    clockid_t clock;
    struct timespec used = {0};
    assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
    assert_int_equal(clock_gettime(clock, &used), 0);
    return (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6;
}

/* What the list says of `pid`, in thousandths of one CPU; -1: not listed. */
static double listed_milli(const struct helper_list *list, pid_t pid) {
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].pid == pid)
            return list->items[i].cpu_milli;
    return -1;
}

static void shares_are_right_within_two_points(void **state) {
    (void)state;
    static const int percents[] = {10, 50, 90, 100};
    enum { LOADS = sizeof percents / sizeof percents[0] };
    static struct helper_reply reply;
    pid_t loads[LOADS];
    double said[LOADS] = {0}, began[LOADS];
    unsigned answers = 0;
    FILE *file = fopen(h.policy, "we");
    assert_non_null(file);
    fputs("mode = observe\nclient_uid = 0\nsample_interval = 500ms\nlist_above = 1%\n", file);
    fclose(file);
    start_helper();
    int fd = greet_helper(&reply);
    for (size_t i = 0; i < LOADS; i++)
        loads[i] = start_load(ALLOWED_UID, percents[i]);
    sleep(2);
    int64_t began_ms = clock_monotonic_ms();
    for (size_t i = 0; i < LOADS; i++)
        began[i] = booked_ms(loads[i]);
    while (clock_monotonic_ms() - began_ms < SECONDS * 1000) {
        usleep(100000);
        assert_true(ask(fd, &(struct helper_request){.op = HELPER_LIST}, &reply));
        for (size_t i = 0; i < LOADS; i++)
            said[i] += listed_milli(&reply.list, loads[i]) < 0 ? 0 : listed_milli(&reply.list, loads[i]);
        answers++;
    }
    double elapsed_ms = (double)(clock_monotonic_ms() - began_ms);
    for (size_t i = 0; i < LOADS; i++) {
        double truth = 100 * (booked_ms(loads[i]) - began[i]) / elapsed_ms, measured = said[i] / answers / 10;
        print_message("burner of %d %%: kernel booked %.1f %%, the helper says %.1f %%\n", percents[i], truth,
                      measured);
        end_load(loads[i]);
        assert_true(measured > truth - POINTS && measured < truth + POINTS);
    }
    close(fd);
}

static void *spin(void *nothing) {
    for (;;)
        continue;
    return nothing;
}

/* A child whose four threads burn, or (`children`) whose children live 50 ms each. */
static pid_t start_family(bool children) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(60);
    pthread_t thread;
    for (int i = 0; i < 3 && !children; i++)
        if (pthread_create(&thread, NULL, spin, NULL) != 0)
            _exit(1);
    for (; children;) {
        pid_t grandchild = fork();
        int64_t until_ms = clock_monotonic_ms() + 50;
        while (grandchild == 0)
            if (clock_monotonic_ms() > until_ms)
                _exit(0);
        waitpid(grandchild, NULL, 0);
    }
    spin(NULL);
    _exit(1);
}

/* The average of what is listed for two seconds, in CPUs; `truth` is what the kernel booked meanwhile. */
static double average_share(pid_t pid, double *truth) {
    static struct helper_reply reply;
    int fd = greet_helper(&reply);
    double sum = 0;
    int answers = 0;
    sleep(2);
    int64_t began_ms = clock_monotonic_ms();
    double began = booked_ms(pid);
    for (; answers < 40; answers++) {
        usleep(100000);
        assert_true(ask(fd, &(struct helper_request){.op = HELPER_LIST}, &reply));
        sum += listed_milli(&reply.list, pid) < 0 ? 0 : listed_milli(&reply.list, pid);
    }
    close(fd);
    *truth = (booked_ms(pid) - began) / (double)(clock_monotonic_ms() - began_ms);
    return sum / answers / 1000;
}

static void threads_and_short_lived_children_are_seen(void **state) {
    (void)state;
    double truth, own;
    write_policy("", "");
    start_helper();
    pid_t threads = start_family(false);
    double by_threads = average_share(threads, &truth);
    kill(threads, SIGKILL);
    waitpid(threads, NULL, 0);
    pid_t forks = start_family(true);
    double by_children = average_share(forks, &own);
    kill(forks, SIGKILL);
    waitpid(forks, NULL, 0);
    print_message(
        "four threads: kernel booked %.2f CPU, the helper says %.2f; children of 50 ms each: %.2f, of which "
        "the parent itself %.2f\n",
        truth, by_threads, by_children, own);
    assert_true(by_threads > truth * 0.9 && by_threads < truth * 1.1);
    assert_true(by_children > 10 * own);
}

static double helper_cpu_seconds(void) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", h.helper);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    unsigned long user = 0, kernel = 0;
    assert_int_equal(
        sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel),
        2);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static void five_thousand_processes_cost_little(void **state) {
    (void)state;
    enum { CROWD = 5000 };
    static pid_t crowd[CROWD];
    static struct process_sample samples[PROCESSES_MAX];
    struct processes *processes;
    struct error err;
    size_t count;
    write_policy("", "");
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = fork();
        assert_true(crowd[i] >= 0);
        if (crowd[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            alarm(200);
            for (;;)
                pause();
        }
    }
    assert_int_equal(processes_open("/proc", &processes, &err), STATUS_OK);
    double best_ms = 1e9;
    for (int i = 0; i < 10; i++) {
        struct timespec a, b;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        assert_int_equal(processes->scan(processes, samples, PROCESSES_MAX, &count, &err), STATUS_OK);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
        best_ms = ms < best_ms ? ms : best_ms;
    }
    processes->close(processes);
    start_helper();
    close(greet_helper(&(struct helper_reply){0}));
    sleep(6); /* the first scans follow at once */
    double before = helper_cpu_seconds();
    sleep(20);
    double share = (helper_cpu_seconds() - before) / 20;
    long rss_kb = helper_rss_kb();
    for (size_t i = 0; i < CROWD; i++)
        kill(crowd[i], SIGKILL);
    for (size_t i = 0; i < CROWD; i++)
        waitpid(crowd[i], NULL, 0);
    print_message(
        "%zu processes: a scan takes %.1f ms of CPU; the helper uses %.2f %% of one CPU and %ld kB\n", count,
        best_ms, share * 100, rss_kb);
    double load = 0;
    assert_int_equal(getloadavg(&load, 1), 1);
    if (load < (double)sysconf(_SC_NPROCESSORS_ONLN)) /* caches and siblings of a busy machine are not ours */
        assert_true(best_ms <= 50);
    assert_true(share < 0.01);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(shares_are_right_within_two_points),
        TEST(threads_and_short_lived_children_are_seen),
        TEST(five_thousand_processes_cost_little),
    };
    if (geteuid() != 0) {
        puts("skipped: children of several users need root");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
