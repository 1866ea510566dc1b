/* tests/system/helper/harness.h - the real sentinel-helper, burners of this test's own, and a client that may
 * say anything.
 *
 * Every policy asks for descendant_of this test and for a uid that nobody else has, so that only processes
 * that the test started itself can ever be touched. */
#ifndef SENTINEL_TESTS_SYSTEM_HELPER_HARNESS_H
#define SENTINEL_TESTS_SYSTEM_HELPER_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "helper/helper_protocol.h"

enum { ALLOWED_UID = 60983, OTHER_UID = 60984, PATIENCE_MS = 20000 };

static struct {
    char folder[PATH_MAX / 4], policy[PATH_MAX / 2], socket[PATH_MAX / 2], journal[PATH_MAX / 2],
        log[PATH_MAX / 2];
    pid_t helper;
} h;

static inline int make_folder(void **state) {
    (void)state;
    snprintf(h.folder, sizeof h.folder, "/run/sentinel-test-XXXXXX"); /* every folder above it is root's */
    if (!mkdtemp(h.folder) || chmod(h.folder, 0755) != 0)
        return -1;
    snprintf(h.policy, sizeof h.policy, "%s/helper.conf", h.folder);
    snprintf(h.socket, sizeof h.socket, "%s/s", h.folder);
    snprintf(h.journal, sizeof h.journal, "%s/journal", h.folder);
    snprintf(h.log, sizeof h.log, "%s/log", h.folder);
    return 0;
}

static inline void write_policy(const char *top, const char *rule) {
    FILE *file = fopen(h.policy, "we");
    assert_non_null(file);
    fprintf(file,
            "mode = act\nclient_uid = 0\ngrace = 500ms\nsample_interval = 250ms\nlist_above = 1%%\n%s\n"
            "[allow test]\nuid = %d\ndescendant_of = %d\nmin_age = 0s\nmin_cpu = 1%%\nfor = 250ms\n%s\n",
            top, ALLOWED_UID, getpid(), rule);
    fclose(file);
}

/* build/dev/tests/this -> build/dev/sentinel-helper */
static inline void helper_program(char program[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", program, PATH_MAX - 1);
    assert_true(length > 0);
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    strcpy(strrchr(program, '/'), "/sentinel-helper");
}

static inline void start_helper(void) {
    char program[PATH_MAX];
    helper_program(program);
    h.helper = fork();
    assert_true(h.helper >= 0);
    if (h.helper == 0) {
        int log = open(h.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (log < 0 || dup2(log, STDERR_FILENO) < 0)
            _exit(126);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, "--policy", h.policy, "--socket", h.socket, "--journal", h.journal,
              (char *)NULL);
        _exit(127);
    }
}

static inline int stop_helper(int signal) {
    int status = 0;
    if (h.helper > 0) {
        assert_int_equal(kill(h.helper, signal), 0);
        assert_int_equal(waitpid(h.helper, &status, 0), h.helper);
    }
    h.helper = 0;
    return status;
}

static inline int remove_folder(void **state) {
    (void)state;
    stop_helper(SIGTERM);
    unlink(h.policy);
    unlink(h.journal);
    unlink(h.socket);
    unlink(h.log);
    return rmdir(h.folder);
}

/* A child of `uid` that burns a share of one CPU; 0: it sleeps. */
static inline pid_t start_load(uid_t uid, int percent) {
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setpriority(PRIO_PROCESS, 0, -15); /* hot on a busy machine too */
        if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
            _exit(1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(280); /* whatever happens to the test, this ends */
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        while (percent == 0)
            pause();
        for (;;) {
            int64_t until_ms = clock_monotonic_ms() + percent / 5;
            while (percent >= 100 || clock_monotonic_ms() < until_ms)
                continue;
            usleep((useconds_t)(20 - percent / 5) * 1000);
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

/* True: it was still there. */
static inline bool end_load(pid_t pid) {
    if (waitpid(pid, NULL, WNOHANG) == pid)
        return false;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return true;
}

/* -1: nobody listens. */
static inline int try_connect(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.107s", h.socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline int connect_to_helper(void) {
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (clock_monotonic_ms() < until_ms) {
        int fd = try_connect();
        if (fd >= 0)
            return fd;
        usleep(5000);
    }
    fail_msg("nobody listens on %s", h.socket);
    return -1;
}

static inline bool send_request(int fd, const struct helper_request *request) {
    uint8_t frame[HELPER_FRAME_MAX];
    size_t length = helper_encode_request(request, frame);
    return send(fd, frame, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* False: hung up, or nothing within `timeout_ms`. */
static inline bool receive_reply(int fd, struct helper_reply *out, int timeout_ms) {
    uint8_t frame[HELPER_FRAME_MAX];
    size_t used = 0, wanted = HELPER_LENGTH_BYTES, length = 0;
    while (used < wanted) {
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        if (poll(&polled, 1, timeout_ms) != 1)
            return false;
        ssize_t got = recv(fd, frame + used, wanted - used, 0);
        if (got <= 0)
            return false;
        used += (size_t)got;
        if (used == HELPER_LENGTH_BYTES) {
            if (helper_frame_length(frame, &length, NULL) != STATUS_OK)
                fail_msg("the helper sent a bad length");
            wanted += length;
        }
    }
    struct error err;
    if (helper_decode_reply(frame + HELPER_LENGTH_BYTES, length, out, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return true;
}

static inline bool ask(int fd, const struct helper_request *request, struct helper_reply *out) {
    return send_request(fd, request) && receive_reply(fd, out, PATIENCE_MS);
}

/* Connected, and greeted; `out` gets the helper's HELLO. */
static inline int greet_helper(struct helper_reply *out) {
    int fd = connect_to_helper();
    if (!ask(fd, &(struct helper_request){.op = HELPER_HELLO}, out))
        fail_msg("no HELLO");
    return fd;
}

/* The other side hung up within the time. */
static inline bool is_hung_up(int fd, int timeout_ms) {
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char byte;
    return poll(&polled, 1, timeout_ms) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static inline long helper_rss_kb(void) {
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", h.helper);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return kb;
}

#endif
