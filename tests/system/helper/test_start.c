/* How the helper comes up: what may stand where its socket goes, a socket made by systemd, and a second
 * helper. */
#include "helper/harness.h"

static struct helper_reply reply;

static int exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The helper's exit code, when it ends by itself. */
static int code_of_helper(void) {
    int status;
    assert_int_equal(waitpid(h.helper, &status, 0), h.helper);
    h.helper = 0;
    return exit_code(status);
}

static void says(const char *text) {
    char log[4096] = "";
    FILE *file = fopen(h.log, "re");
    assert_non_null(file);
    assert_true(fread(log, 1, sizeof log - 1, file) > 0);
    fclose(file);
    if (!strstr(log, text))
        fail_msg("'%s' does not say '%s'", log, text);
}

static void the_socket_is_closed_to_others_and_a_dead_helpers_is_replaced(void **state) {
    (void)state;
    struct stat found;
    write_policy("", "");
    start_helper();
    close(greet_helper(&reply));
    assert_int_equal(stat(h.socket, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0660);
    stop_helper(SIGKILL);
    start_helper();
    close(greet_helper(&reply));
}

static void a_file_or_a_link_where_the_socket_goes_is_left_alone(void **state) {
    (void)state;
    struct stat found;
    write_policy("", "");
    int file = open(h.socket, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    close(file);
    start_helper();
    assert_int_equal(code_of_helper(), 1);
    says("is not a socket");
    assert_int_equal(unlink(h.socket), 0);
    assert_int_equal(symlink("/run/systemd", h.socket), 0);
    start_helper();
    assert_int_equal(code_of_helper(), 1);
    assert_int_equal(lstat(h.socket, &found), 0);
    assert_true(S_ISLNK(found.st_mode));
}

static void a_second_helper_steps_back(void **state) {
    (void)state;
    write_policy("", "");
    start_helper();
    close(greet_helper(&reply));
    pid_t first = h.helper;
    start_helper();
    assert_int_equal(code_of_helper(), 1);
    says("stop it first");
    h.helper = first;
    close(greet_helper(&reply));
}

static void a_socket_of_systemds_is_taken(void **state) {
    (void)state;
    write_policy("", "");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.107s", h.socket);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    char program[PATH_MAX];
    helper_program(program);
    h.helper = fork();
    if (h.helper == 0) {
        char pid[16];
        snprintf(pid, sizeof pid, "%d", getpid());
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(listener, 3) != 3 || setenv("LISTEN_PID", pid, 1) != 0 || setenv("LISTEN_FDS", "1", 1) != 0)
            _exit(126);
        execl(program, program, "--policy", h.policy, "--socket", "/nonexistent/s", "--journal", h.journal,
              (char *)NULL);
        _exit(127);
    }
    close(listener);
    close(greet_helper(&reply));
}

static void too_few_descriptors_are_refused_at_the_start(void **state) {
    (void)state;
    char program[PATH_MAX], command[5 * PATH_MAX];
    write_policy("", "");
    helper_program(program);
    snprintf(command, sizeof command, "ulimit -n 32; exec '%s' --policy %s --socket %s --journal %s 2>%s",
             program, h.policy, h.socket, h.journal, h.log);
    h.helper = fork();
    if (h.helper == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(code_of_helper(), 1);
    says("needs 128 descriptors");
}

static void a_journal_that_was_edited_refuses_everything_until_a_reset(void **state) {
    (void)state;
    char program[PATH_MAX], command[5 * PATH_MAX];
    int status;
    write_policy("", "");
    start_helper();
    close(greet_helper(&reply));
    stop_helper(SIGTERM);
    FILE *journal = fopen(h.journal, "r+e");
    assert_non_null(journal);
    assert_int_equal(fseek(journal, 10, SEEK_SET), 0);
    fputc('#', journal);
    fclose(journal);
    start_helper();
    int fd = greet_helper(&reply);
    assert_true(ask(fd, &(struct helper_request){.op = HELPER_STATUS}, &reply));
    assert_false(reply.status.flags & HELPER_POLICY_OK);
    assert_non_null(strstr(reply.status.text, "was changed"));
    close(fd);
    stop_helper(SIGTERM);
    helper_program(program);
    snprintf(command, sizeof command,
             "'%s' --journal %s --reset >/dev/null && '%s' --verify-journal %s >/dev/null && rm %s.damaged*",
             program, h.journal, program, h.journal, h.journal);
    pid_t shell = fork();
    if (shell == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(shell, &status, 0), shell);
    assert_int_equal(exit_code(status), 0);
    start_helper();
    fd = greet_helper(&reply);
    assert_true(ask(fd, &(struct helper_request){.op = HELPER_STATUS}, &reply));
    assert_true(reply.status.flags & HELPER_POLICY_OK);
    close(fd);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(the_socket_is_closed_to_others_and_a_dead_helpers_is_replaced),
        TEST(a_file_or_a_link_where_the_socket_goes_is_left_alone),
        TEST(a_second_helper_steps_back),
        TEST(a_socket_of_systemds_is_taken),
        TEST(too_few_descriptors_are_refused_at_the_start),
        TEST(a_journal_that_was_edited_refuses_everything_until_a_reset),
    };
    if (geteuid() != 0) {
        puts("skipped: its folder is in /run");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
