/* chaos.sh judges by what happened to the process that it started, not by what the server says.
 *
 * The server here is a puppet: the test reads what the drill prints, does to the load what the case wants,
 * and publishes whatever story goes with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "observe/http_server.h"

enum { PATIENCE_MS = 4000 }; /* less than the load would live by itself */

/* What the server tells; the http thread reads it. */
static struct {
    pthread_mutex_t lock;
    const char *mode;
    bool has_incident;
    const char *state, *outcome; /* outcome "": no deed yet */
    int target_pid;
    int earlier_pid; /* 0: there was no deed before that */
} story = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct http_server *server;
static char build_folder[4096];

static void tell(const char *state, const char *outcome, int target_pid) {
    pthread_mutex_lock(&story.lock);
    story.has_incident = true;
    story.state = state;
    story.outcome = outcome;
    story.target_pid = target_pid;
    pthread_mutex_unlock(&story.lock);
}

static void begin_story(const char *mode) {
    pthread_mutex_lock(&story.lock);
    story.mode = mode;
    story.has_incident = false;
    story.earlier_pid = 0;
    pthread_mutex_unlock(&story.lock);
}

static const char incident_id[] = "000000000000000000000000000000aa";

static void write_incident(FILE *out, const char *now) {
    fprintf(out,
            "{\"id\":\"%s\",\"host\":\"here\",\"state\":\"%s\",\"opened\":\"%s\",\"closed\":\"%s\","
            "\"transitions\":[{\"sequence\":1,\"to\":\"%s\",\"time\":\"%s\",\"why\":\"a, \\\"b\\\"\"}]}",
            incident_id, story.state, now, now, story.state, now);
}

static void write_action(FILE *out, const char *now, const char *outcome, int pid) {
    fprintf(out,
            "{\"incident\":\"%s\",\"outcome\":\"%s\",\"target_pid\":%d,\"finished\":\"%s\","
            "\"target_comm\":\"x\",\"target_uid\":1,\"reason\":\"the host cools down\"}",
            incident_id, outcome, pid, now);
}

static void write_actions(FILE *out, const char *now) {
    if (!story.has_incident || !story.outcome[0])
        return;
    write_action(out, now, story.outcome, story.target_pid);
    if (story.earlier_pid) {
        fputc(',', out);
        write_action(out, now, "terminated", story.earlier_pid);
    }
}

static void answer(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    char now[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_realtime_ms(), now);
    FILE *out = open_memstream(&response->body, &response->body_bytes);
    fputs("{\"status\":\"success\",\"data\":", out);
    pthread_mutex_lock(&story.lock);
    if (strcmp(request->path, "/api/v1/hosts") == 0)
        fputs("[{\"host\":\"here\",\"state\":\"HEALTHY\"}]", out);
    else if (strcmp(request->path, "/api/v1/status/runtimeinfo") == 0)
        fprintf(out,
                "{\"mode\":\"%s\",\"helpers\":[{\"reachable\":true,\"policy_ok\":true,\"mode\":\"act\"}]}",
                story.mode);
    else if (strcmp(request->path, "/api/v1/incidents") == 0 ||
             strcmp(request->path, "/api/v1/actions") == 0) {
        fputc('[', out);
        if (strcmp(request->path, "/api/v1/actions") == 0)
            write_actions(out, now);
        else if (story.has_incident)
            write_incident(out, now);
        fputc(']', out);
    } else {
        write_incident(out, now);
    }
    pthread_mutex_unlock(&story.lock);
    fputc('}', out);
    fclose(out);
    response->status = 200;
    response->content_type = "application/json";
}

static int start_server(void **state) {
    (void)state;
    static const struct http_route routes[] = {{.method = "GET", .path = "/api/v1/*", .handler = answer}};
    const struct http_server_settings settings = {.listen_address = "127.0.0.1:0",
                                                  .threads = 1,
                                                  .max_connections = 16,
                                                  .max_body_bytes = 1024,
                                                  .max_event_subscribers = 1,
                                                  .head_and_body_timeout_ms = 5000,
                                                  .event_tick_ms = 1000};
    struct error err = {0};
    if (http_server_create(&settings, routes, 1, &server, &err) != STATUS_OK ||
        http_server_start(server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    http_server_stop(server, 1000);
    http_server_destroy(server);
    return 0;
}

struct drill {
    pid_t script; /* chaos.sh */
    pid_t load;
    FILE *output;
};

/* Returns when the load runs. */
static struct drill start_drill(const char *scenario) {
    struct drill drill = {0};
    int ends[2];
    char address[96], line[512];
    assert_int_equal(pipe(ends), 0);
    snprintf(address, sizeof address, "--server=http://%s", http_server_address(server));
    fflush(stdout);
    drill.script = fork();
    if (drill.script == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        setenv("SENTINEL_BUILD", build_folder, 1);
        execl("./chaos.sh", "chaos.sh", "run", scenario, "--duration", "5s", address, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    drill.output = fdopen(ends[0], "r");
    while (fgets(line, sizeof line, drill.output)) {
        const char *pid = strstr(line, "pid ");
        if (strncmp(line, "started: ", 9) == 0 && pid) {
            drill.load = (pid_t)strtol(pid + 4, NULL, 10);
            return drill;
        }
    }
    fail_msg("the drill did not start its load");
    return drill;
}

/* Reads on to the end; the last line is the verdict. */
static int end_of_drill(struct drill *drill, const char *verdict_begins, const char *verdict_says) {
    char line[512], last[512] = "";
    while (fgets(line, sizeof line, drill->output))
        memcpy(last, line, sizeof last);
    fclose(drill->output);
    int status;
    assert_int_equal(waitpid(drill->script, &status, 0), drill->script);
    if (strncmp(last, verdict_begins, strlen(verdict_begins)) != 0 || !strstr(last, verdict_says))
        fail_msg("the verdict was: %s", last);
    assert_true(WIFEXITED(status));
    /* Whatever the verdict: nothing of the drill is left, as soon as init has buried it. */
    int64_t give_up_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (kill(drill->load, 0) == 0 || errno != ESRCH) {
        assert_true(clock_monotonic_ms() < give_up_ms);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return WEXITSTATUS(status);
}

static void the_burner_really_ended_and_the_host_is_well(void **state) {
    (void)state;
    begin_story("act");
    struct drill drill = start_drill("cpu-spike");
    kill(drill.load, SIGTERM);
    tell("RESOLVED", "terminated", drill.load);
    assert_int_equal(end_of_drill(&drill, "PASS cpu-spike: detected in ", ", healed in "), 0);
}

static void another_process_was_ended(void **state) {
    (void)state;
    begin_story("act");
    struct drill drill = start_drill("cpu-spike");
    tell("VERIFYING", "terminated", 1);
    assert_int_equal(
        end_of_drill(&drill, "FAIL cpu-spike: ", "pid 1 was ended, and the drill did not start it"), 1);
}

static void a_wrong_deed_is_not_made_good_by_the_right_one(void **state) {
    (void)state;
    begin_story("act");
    story.earlier_pid = 1; /* nobody asks before there is an incident */
    struct drill drill = start_drill("cpu-spike");
    kill(drill.load, SIGTERM);
    tell("RESOLVED", "terminated", drill.load);
    assert_int_equal(end_of_drill(&drill, "FAIL cpu-spike: ", "pid 1 was ended"), 1);
}

static void the_server_says_ended_and_the_burner_lives(void **state) {
    (void)state;
    begin_story("act");
    struct drill drill = start_drill("cpu-spike");
    tell("VERIFYING", "terminated", drill.load);
    assert_int_equal(end_of_drill(&drill, "FAIL cpu-spike: ", "and it is still there"), 1);
}

static void a_stubborn_one_had_to_be_killed(void **state) {
    (void)state;
    begin_story("act");
    struct drill drill = start_drill("stubborn");
    kill(drill.load, SIGKILL);
    tell("RESOLVED", "killed", drill.load);
    assert_int_equal(end_of_drill(&drill, "PASS stubborn: ", "healed in"), 0);
}

static void in_observe_mode_the_right_choice_is_enough(void **state) {
    (void)state;
    begin_story("observe");
    struct drill drill = start_drill("cpu-spike");
    tell("OPEN", "would", drill.load);
    assert_int_equal(end_of_drill(&drill, "PASS cpu-spike: ", "would have ended pid"), 0);
}

static void in_observe_mode_the_wrong_choice_fails(void **state) {
    (void)state;
    begin_story("observe");
    struct drill drill = start_drill("cpu-spike");
    tell("OPEN", "would", 1);
    assert_int_equal(end_of_drill(&drill, "FAIL cpu-spike: ", "pid 1 would have been ended"), 1);
}

static void in_observe_mode_a_deed_fails(void **state) {
    (void)state;
    begin_story("observe");
    struct drill drill = start_drill("cpu-spike");
    tell("OPEN", "terminated", drill.load);
    assert_int_equal(end_of_drill(&drill, "FAIL cpu-spike: ", "was ended"), 1);
}

static void nothing_was_noticed(void **state) {
    (void)state;
    begin_story("observe");
    struct drill drill = start_drill("cpu-spike");
    kill(drill.load, SIGTERM); /* sooner than its five seconds */
    assert_int_equal(end_of_drill(&drill, "FAIL cpu-spike: ", "no incident"), 1);
}

static void a_refusal_is_told_with_its_reason(void **state) {
    (void)state;
    begin_story("observe");
    struct drill drill = start_drill("cpu-spike");
    tell("ESCALATED", "refused", drill.load);
    kill(drill.load, SIGTERM);
    assert_int_equal(end_of_drill(&drill, "FAIL cpu-spike: ", "refused: the host cools down"), 1);
}

static void innocent_work_was_ended(void **state) {
    (void)state;
    begin_story("act");
    struct drill drill = start_drill("innocent-compile");
    tell("RESOLVED", "terminated", drill.load);
    assert_int_equal(end_of_drill(&drill, "FAIL innocent-compile: ", "was ended"), 1);
}

static void innocent_work_that_did_not_come_to_its_end_is_noticed(void **state) {
    (void)state;
    begin_story("act");
    struct drill drill = start_drill("innocent-compile");
    kill(drill.load, SIGTERM);
    assert_int_equal(end_of_drill(&drill, "FAIL innocent-compile: ", "its own end"), 1);
}

static void an_interrupted_drill_takes_its_load_along(void **state) {
    (void)state;
    begin_story("act");
    struct drill drill = start_drill("stubborn");
    kill(drill.script, SIGTERM);
    assert_int_equal(end_of_drill(&drill, "", ""), 130);
}

int main(int argc, char **argv) {
    (void)argc;
    /* This program lies in <build>/tests, the programs under test in <build>. */
    char *self = realpath(argv[0], NULL);
    snprintf(build_folder, sizeof build_folder, "%s", dirname(dirname(self)));
    free(self);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_burner_really_ended_and_the_host_is_well),
        cmocka_unit_test(another_process_was_ended),
        cmocka_unit_test(a_wrong_deed_is_not_made_good_by_the_right_one),
        cmocka_unit_test(the_server_says_ended_and_the_burner_lives),
        cmocka_unit_test(a_stubborn_one_had_to_be_killed),
        cmocka_unit_test(in_observe_mode_the_right_choice_is_enough),
        cmocka_unit_test(in_observe_mode_the_wrong_choice_fails),
        cmocka_unit_test(in_observe_mode_a_deed_fails),
        cmocka_unit_test(nothing_was_noticed),
        cmocka_unit_test(a_refusal_is_told_with_its_reason),
        cmocka_unit_test(innocent_work_was_ended),
        cmocka_unit_test(innocent_work_that_did_not_come_to_its_end_is_noticed),
        cmocka_unit_test(an_interrupted_drill_takes_its_load_along),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
