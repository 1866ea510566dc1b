#include "chaos/lifetime.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/clock.h"

static volatile sig_atomic_t told_to_end; /* the signal; 0: not told */
static int64_t deadline_ms;
static pid_t watched_parent; /* 0: nobody */
static pid_t children[LIFETIME_CHILDREN_MAX];
static size_t child_count;

static const int requests[] = {SIGTERM, SIGINT, SIGHUP};

static void handle_requests_with(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        sigaction(requests[i], &action, NULL);
}

static void note_request(int signal_number) {
    told_to_end = signal_number;
}

/* The parent may be gone already when this is called: getppid() tells, and the alarm ends the rest. */
static void die_with(pid_t parent) {
    watched_parent = parent;
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

static void arm_alarm(void) {
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    alarm((unsigned)(left_ms > 0 ? (left_ms + 999) / 1000 : 0) + 1);
}

void lifetime_begin(int seconds, bool die_with_parent) {
    deadline_ms = clock_monotonic_ms() + (int64_t)seconds * 1000;
    handle_requests_with(note_request);
    if (die_with_parent)
        die_with(getppid());
    arm_alarm();
}

void lifetime_ignore_requests(void) {
    handle_requests_with(SIG_IGN);
}

bool lifetime_is_over(void) {
    return told_to_end != 0 || clock_monotonic_ms() >= deadline_ms ||
           (watched_parent != 0 && getppid() != watched_parent);
}

void lifetime_sleep_ms(int ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&left, NULL);
}

pid_t lifetime_fork(void) {
    if (child_count == LIFETIME_CHILDREN_MAX)
        return -1;
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        child_count = 0;
        handle_requests_with(SIG_DFL);
        die_with(parent);
        arm_alarm();
    } else if (child > 0) {
        children[child_count++] = child;
    }
    return child;
}

size_t lifetime_children(void) {
    return child_count;
}

size_t lifetime_reap(void) {
    size_t ended = 0;
    for (size_t i = 0; i < child_count;) {
        if (waitpid(children[i], NULL, WNOHANG) == 0) {
            i++;
        } else {
            children[i] = children[--child_count];
            ended++;
        }
    }
    return ended;
}

void lifetime_end(void) {
    /* Children are not reaped elsewhere, so these numbers are still theirs. */
    for (size_t i = 0; i < child_count; i++)
        kill(children[i], SIGKILL);
    for (size_t i = 0; i < child_count; i++)
        waitpid(children[i], NULL, 0);
    if (told_to_end) {
        signal(told_to_end, SIG_DFL);
        raise(told_to_end);
    }
    puts("done");
    exit(0);
}
