/* What can code do that runs inside the helper, after the sandbox is closed? And does the helper work as the
 * unit runs it: a user of its own with CAP_KILL and nothing else? */
#include "helper/harness.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>

#include "helper/sandbox.h"

enum { HELPER_UID = 60985, FILTERED_OUT = EPERM };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { HAS_FILTER = 0 };
#else
enum { HAS_FILTER = 1 };
#endif

static pid_t target; /* this test itself: getppid() is filtered too */

static int try_kill_all(void) {
    return kill(-1, 0);
}
static int try_kill(void) {
    return kill(target, 0);
}
static int try_tgkill(void) {
    return (int)syscall(SYS_tgkill, target, target, 0);
}
static int try_exec(void) {
    return execl("/bin/true", "true", (char *)NULL);
}
static int try_fork(void) {
    return (int)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}
static int try_socket(void) {
    return socket(AF_INET, SOCK_STREAM, 0);
}
static int try_unix_socket(void) {
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static int try_ptrace(void) {
    return (int)ptrace(PTRACE_ATTACH, target, NULL, NULL);
}
static int try_write_file(void) {
    return open("/run/sentinel-test-write", O_WRONLY | O_CREAT, 0600);
}
static int try_truncate_file(void) {
    return open("/dev/null", O_RDONLY | O_TRUNC);
}
static int try_executable_memory(void) {
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static int try_setuid(void) {
    return setuid(0);
}
static int try_chmod(void) {
    return chmod("/run", 0755);
}
static int send_through_pidfd(int signal) {
    int pidfd = (int)syscall(SYS_pidfd_open, target, 0);
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}
static int try_hang_up(void) {
    return send_through_pidfd(SIGHUP);
}
static int try_null_signal(void) {
    return send_through_pidfd(0);
}
static int allowed_continue(void) {
    return send_through_pidfd(SIGCONT);
}
static int allowed_read(void) {
    return open("/proc/1/stat", O_RDONLY);
}

/* In a child of its own: 0 it worked, else errno. */
static int inside(int (*attempt)(void)) {
    int status;
    target = getpid();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error err;
        if (sandbox_enter("/run/none", &err) != STATUS_OK)
            _exit(255);
        _exit(attempt() < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void what_an_intruder_would_want_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int (*attempt)(void);
    } attempts[] = {
        {"kill(-1)", try_kill_all},
        {"kill(pid)", try_kill},
        {"tgkill", try_tgkill},
        {"execve", try_exec},
        {"fork", try_fork},
        {"socket(AF_INET)", try_socket},
        {"socket(AF_UNIX)", try_unix_socket},
        {"ptrace", try_ptrace},
        {"open for writing", try_write_file},
        {"open with O_TRUNC", try_truncate_file},
        {"executable memory", try_executable_memory},
        {"setuid", try_setuid},
        {"chmod", try_chmod},
        {"HUP through a pidfd", try_hang_up},
        {"signal 0 through a pidfd", try_null_signal},
    };
    if (!HAS_FILTER) {
        print_message("skipped: a sanitizer's build has no filter\n");
        skip();
    }
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        int result = inside(attempts[i].attempt);
        if (result != FILTERED_OUT)
            fail_msg("%s: %s", attempts[i].name, result ? strerror(result) : "it worked");
    }
    assert_int_equal(inside(allowed_continue), 0);
    assert_int_equal(inside(allowed_read), 0);
}

/* As deploy/systemd/sentinel-helper.service does it. */
static void start_confined_helper(void) {
    char program[PATH_MAX], uid[16];
    helper_program(program);
    /* A build folder may be closed to that user: run a copy. */
    char copy[PATH_MAX], command[3 * PATH_MAX];
    snprintf(copy, sizeof copy, "%s/program", h.folder);
    snprintf(command, sizeof command, "install -m 755 '%s' '%s'", program, copy);
    int status;
    pid_t installer = fork();
    if (installer == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(installer, &status, 0), installer);
    assert_int_equal(status, 0);
    snprintf(uid, sizeof uid, "%d", HELPER_UID);
    h.helper = fork();
    assert_true(h.helper >= 0);
    if (h.helper == 0) {
        int log = open(h.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (log < 0 || dup2(log, STDERR_FILENO) < 0)
            _exit(126);
        execlp("setpriv", "setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--inh-caps",
               "-all,+kill", "--ambient-caps", "-all,+kill", "--bounding-set", "-all,+kill", "--no-new-privs",
               "--pdeathsig", "KILL", copy, "--policy", h.policy, "--socket", h.socket, "--journal",
               h.journal, (char *)NULL);
        _exit(127);
    }
}

static int make_confined_folder(void **state) {
    char folder[PATH_MAX / 4 + 8];
    if (make_folder(state) != 0)
        return -1;
    snprintf(folder, sizeof folder, "%s/state", h.folder);
    snprintf(h.socket, sizeof h.socket, "%s/s", folder);
    snprintf(h.journal, sizeof h.journal, "%s/journal", folder);
    return mkdir(folder, 0700) == 0 ? chown(folder, HELPER_UID, HELPER_UID) : -1;
}

static int remove_confined_folder(void **state) {
    char path[PATH_MAX];
    stop_helper(SIGTERM);
    unlink(h.socket);
    unlink(h.journal);
    snprintf(path, sizeof path, "%s/state", h.folder);
    rmdir(path);
    snprintf(path, sizeof path, "%s/program", h.folder);
    unlink(path);
    return remove_folder(state);
}

static void a_user_with_cap_kill_alone_can_do_the_work(void **state) {
    (void)state;
    static struct helper_reply reply;
    write_policy("", "");
    start_confined_helper();
    pid_t burner = start_load(ALLOWED_UID, 100);
    int fd = greet_helper(&reply);
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct helper_request request = {
        .op = HELPER_ACT,
        .act = {.rung = RUNG_TERMINATE, .key = {1}, .deadline_ms = reply.hello.monotonic_ms + PATIENCE_MS}};
    bool found = false;
    while (!found && clock_monotonic_ms() < until_ms) {
        usleep(50000);
        assert_true(ask(fd, &(struct helper_request){.op = HELPER_LIST}, &reply));
        for (size_t i = 0; i < reply.list.count; i++) {
            if (reply.list.items[i].pid != burner || !reply.list.items[i].allowed)
                continue;
            request.act.handle = reply.list.items[i].handle;
            found = true;
        }
    }
    assert_true(found);
    assert_true(ask(fd, &request, &reply));
    assert_int_equal(reply.act.outcome, HELPER_TERMINATED);
    assert_false(end_load(burner));
    close(fd);
}

static void it_takes_no_policy_from_its_own_user(void **state) {
    (void)state;
    static struct helper_reply reply;
    write_policy("", "");
    assert_int_equal(chown(h.policy, HELPER_UID, HELPER_UID), 0);
    start_confined_helper();
    int fd = greet_helper(&reply);
    assert_true(ask(fd, &(struct helper_request){.op = HELPER_STATUS}, &reply));
    assert_false(reply.status.flags & HELPER_POLICY_OK);
    assert_non_null(strstr(reply.status.text, "belongs to uid 60985"));
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_intruder_would_want_is_refused),
        cmocka_unit_test_setup_teardown(a_user_with_cap_kill_alone_can_do_the_work, make_confined_folder,
                                        remove_confined_folder),
        cmocka_unit_test_setup_teardown(it_takes_no_policy_from_its_own_user, make_confined_folder,
                                        remove_confined_folder),
    };
    if (geteuid() != 0) {
        puts("skipped: it changes users");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
