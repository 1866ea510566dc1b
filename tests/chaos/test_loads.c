/* Each load in a process of its own, as it really runs: it does what its name says, and it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "chaos/lifetime.h"
#include "chaos/loads.h"

typedef void load_shape(const struct load_settings *settings);

static const struct load_settings small = {
    .seconds = 1, .threads = 1, .share = 0.3, .megabytes = 8, .children = 2, .respawns = 2, .folder = "/tmp"};

/* `output`: the read end of the load's stdout; NULL: it stays open until the test ends. */
static pid_t start(load_shape *shape, struct load_settings settings, int *output) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        lifetime_begin(settings.seconds, true);
        if (write(STDOUT_FILENO, "begun\n", 6) != 6)
            _exit(9);
        shape(&settings);
        lifetime_end();
    }
    close(ends[1]);
    char begun[6];
    assert_int_equal(read(ends[0], begun, 6), 6);
    if (output)
        *output = ends[0];
    return child;
}

struct ending {
    int status;
    int64_t lasted_ms;
    double cpu_seconds; /* with those of its children that it awaited */
};

static struct ending await(pid_t child) {
    struct ending ending;
    struct rusage usage;
    int64_t begun_ms = clock_monotonic_ms();
    assert_int_equal(wait4(child, &ending.status, 0, &usage), child);
    ending.lasted_ms = clock_monotonic_ms() - begun_ms;
    ending.cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
                         (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    return ending;
}

static void every_load_ends_by_itself(void **state) {
    (void)state;
    static load_shape *const shapes[] = {load_cpu,       load_memory,   load_fork_storm, load_io,
                                         load_respawner, load_stubborn, load_compile};
    enum { COUNT = sizeof shapes / sizeof *shapes };
    pid_t children[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        children[i] = start(shapes[i], small, NULL);
    for (size_t i = 0; i < COUNT; i++) {
        struct ending ending = await(children[i]);
        if (!WIFEXITED(ending.status) || WEXITSTATUS(ending.status) != 0)
            fail_msg("load %zu ended with wait status %#x", i, (unsigned)ending.status);
        assert_true(ending.lasted_ms < 10000);
    }
}

static void the_share_is_kept(void **state) {
    (void)state;
    struct load_settings settings = small;
    struct ending ending = await(start(load_cpu, settings, NULL));
    /* 0.3 of one second. Busy neighbours may take most of that away; nothing may add to it. */
    assert_true(ending.cpu_seconds > 0.02 && ending.cpu_seconds < 0.45);
}

static void a_request_to_end_is_obeyed_at_once(void **state) {
    (void)state;
    struct load_settings settings = small;
    settings.seconds = 60;
    pid_t child = start(load_cpu, settings, NULL);
    kill(child, SIGTERM);
    struct ending ending = await(child);
    assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGTERM);
    assert_true(ending.lasted_ms < 5000);
}

/* Reads one line of what the load says. */
static void read_line(int fd, char *line, size_t size) {
    size_t used = 0;
    while (used + 1 < size && read(fd, &line[used], 1) == 1 && line[used] != '\n')
        used++;
    line[used] = '\0';
}

static void the_respawner_brings_its_burner_back_and_takes_it_along(void **state) {
    (void)state;
    struct load_settings settings = small;
    settings.seconds = 60;
    int output;
    pid_t supervisor = start(load_respawner, settings, &output);
    pid_t burner = 0;
    for (int respawn = 0; respawn <= settings.respawns; respawn++) {
        char line[64];
        int pid, number;
        read_line(output, line, sizeof line);
        assert_int_equal(sscanf(line, "burner pid=%d respawn=%d", &pid, &number), 2);
        assert_int_equal(number, respawn);
        assert_int_not_equal(pid, burner);
        burner = pid;
        if (respawn < settings.respawns)
            kill(burner, SIGKILL);
    }
    kill(supervisor, SIGTERM);
    struct ending ending = await(supervisor);
    assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGTERM);
    assert_int_equal(kill(burner, 0), -1); /* awaited by its supervisor, so nothing of it is left */
    close(output);
}

static void announce_deafness(const struct load_settings *settings) {
    lifetime_ignore_requests();
    if (write(STDOUT_FILENO, "deaf\n", 5) == 5)
        load_stubborn(settings);
}

static void the_stubborn_one_ends_by_its_deadline_and_by_nothing_that_asks(void **state) {
    (void)state;
    int output;
    char line[16];
    pid_t child = start(announce_deafness, small, &output);
    read_line(output, line, sizeof line);
    assert_string_equal(line, "deaf");
    kill(child, SIGTERM);
    kill(child, SIGINT);
    kill(child, SIGHUP);
    struct ending ending = await(child);
    assert_true(WIFEXITED(ending.status));
    assert_int_equal(WEXITSTATUS(ending.status), 0);
    close(output);
}

static void a_load_dies_with_whoever_started_it(void **state) {
    (void)state;
    int alive[2]; /* end of file when the last holder of the write end is gone */
    assert_int_equal(pipe(alive), 0);
    pid_t starter = fork();
    if (starter == 0) {
        struct load_settings settings = small;
        settings.seconds = 60;
        start(load_fork_storm, settings, NULL);
        _exit(0);
    }
    close(alive[1]);
    assert_int_equal(waitpid(starter, NULL, 0), starter);
    char byte;
    assert_int_equal(read(alive[0], &byte, 1), 0);
    close(alive[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_load_ends_by_itself),
        cmocka_unit_test(the_share_is_kept),
        cmocka_unit_test(a_request_to_end_is_obeyed_at_once),
        cmocka_unit_test(the_respawner_brings_its_burner_back_and_takes_it_along),
        cmocka_unit_test(the_stubborn_one_ends_by_its_deadline_and_by_nothing_that_asks),
        cmocka_unit_test(a_load_dies_with_whoever_started_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
