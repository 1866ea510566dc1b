/* The subcommands against a sentineld that says what the test wants, over real HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "observe/http_server.h"
#include "sentinelctl/commands.h"

/* What the scripted server answers; changed by a test before it asks. */
static struct {
    const char *mode, *helper_mode, *helper_reachable, *helper_paused, *policy_ok, *archive_failing, *state;
    int64_t sample_age_ms;
    int ready;
    bool no_hosts, no_helpers, not_ours;
} script;

static struct http_server *server;
static char url[64];

static void reply_json(struct http_response *response, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void reply_json(struct http_response *response, const char *fmt, ...) {
    FILE *out = open_memstream(&response->body, &response->body_bytes);
    va_list args;
    va_start(args, fmt);
    vfprintf(out, fmt, args);
    va_end(args);
    fclose(out);
    response->status = 200;
    response->content_type = "application/json";
}

static void on_hosts(void *context, const struct http_request *request, struct http_response *response) {
    (void)context, (void)request;
    char last[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_realtime_ms() - script.sample_age_ms, last);
    if (script.no_hosts)
        reply_json(response, "{\"status\":\"success\",\"data\":[]}");
    else
        reply_json(
            response,
            "{\"status\":\"success\",\"data\":[{\"host\":\"web-1:9100\",\"state\":\"%s\",\"score\":0.41,"
            "\"threshold\":0.62,\"learning\":%s,\"learning_points\":7,\"learning_target\":15,"
            "\"cpu_busy\":0.034,\"last_sample\":\"%s\",\"incident\":null,\"helper\":\"/run/h.sock\"}]}",
            script.state, strcmp(script.state, "LEARNING") == 0 ? "true" : "false", last);
}

static void on_runtime(void *context, const struct http_request *request, struct http_response *response) {
    (void)context, (void)request;
    char now[CLOCK_RFC3339_SIZE], helper[512] = "";
    clock_format_rfc3339(clock_realtime_ms(), now);
    if (!script.no_helpers)
        snprintf(helper, sizeof helper,
                 "{\"path\":\"/run/h.sock\",\"reachable\":%s,\"mode\":\"%s\",\"paused\":%s,\"policy_ok\":%s,"
                 "\"deeds_last_hour\":2,\"budget_per_hour\":20,\"text\":\"why it is so\"}",
                 script.helper_reachable, script.helper_mode, script.helper_paused, script.policy_ok);
    reply_json(response,
               "{\"status\":\"success\",\"data\":{\"mode\":\"%s\",\"archive_failing\":%s,"
               "\"archive_queue\":{\"depth\":3,\"capacity\":9},\"helpers\":[%s],\"server_time\":\"%s\","
               "\"remote_write_url\":\"http://127.0.0.1:9201/api/v1/write\"}}",
               script.mode, script.archive_failing, helper, now);
}

static void on_build(void *context, const struct http_request *request, struct http_response *response) {
    (void)context, (void)request;
    if (script.not_ours)
        http_response_text(response, 404, "nothing here");
    else
        reply_json(response, "{\"status\":\"success\",\"data\":{\"version\":\"9.8.7\"}}");
}

static void on_incidents(void *context, const struct http_request *request, struct http_response *response) {
    (void)context, (void)request;
    reply_json(
        response,
        "{\"status\":\"success\",\"data\":["
        "{\"id\":\"abc00000000000000000000000000002\",\"host\":\"web-1\",\"state\":\"RESOLVED\","
        "\"trigger\":\"failsafe\",\"opened\":\"2026-08-03T10:00:34.567Z\",\"duration_seconds\":12.5,"
        "\"action\":\"terminate\",\"outcome\":\"terminated\",\"target_pid\":4711,\"target_comm\":\"burner\","
        "\"target_cpu_ratio\":1.98},"
        "{\"id\":\"abd00000000000000000000000000001\",\"host\":\"web-1\",\"state\":\"OPEN\","
        "\"trigger\":\"forest\",\"opened\":\"2026-08-03T09:00:00.000Z\",\"target_pid\":null}]}");
}

static void on_actions(void *context, const struct http_request *request, struct http_response *response) {
    (void)context, (void)request;
    reply_json(response, "{\"status\":\"success\",\"data\":["
                         "{\"incident\":\"abc00000000000000000000000000002\",\"outcome\":\"refused\","
                         "\"action\":\"terminate\",\"target_pid\":4711,\"target_comm\":\"runaway\","
                         "\"target_cpu_ratio\":1.98,\"reason\":\"protected\"}]}");
}

static void on_incident(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    if (strcmp(request->path, "/api/v1/incidents/abc00000000000000000000000000002") != 0)
        reply_json(response,
                   "{\"status\":\"error\",\"errorType\":\"not_found\",\"error\":\"no such incident\"}");
    else
        reply_json(response,
                   "{\"status\":\"success\",\"data\":{\"id\":\"abc00000000000000000000000000002\","
                   "\"transitions\":[{\"sequence\":1,\"from\":\"SUSPECTED\",\"to\":\"SUSPECTED\","
                   "\"time\":\"2026-08-03T10:00:34.567Z\",\"why\":\"cpu_busy 0.99\"}],"
                   "\"actions\":[{\"action\":\"terminate\",\"candidates\":[{\"pid\":812,\"comm\":\"sshd\","
                   "\"allowed\":false,\"reason\":\"protected\"}]}]}}");
}

static void on_ready(void *context, const struct http_request *request, struct http_response *response) {
    (void)context, (void)request;
    http_response_text(response, script.ready, "so it is");
}

static void on_healthy(void *context, const struct http_request *request, struct http_response *response) {
    (void)context, (void)request;
    http_response_text(response, 200, "healthy");
}

/* Stands in for Prometheus' own /metrics. */
static void on_metrics(void *context, const struct http_request *request, struct http_response *response) {
    (void)context, (void)request;
    static const char labels[] = "{remote_name=\"s\",url=\"http://127.0.0.1:9201/api/v1/write\"}";
    http_response_text(response, 200,
                       "prometheus_remote_storage_samples_total%s 100\n"
                       "prometheus_remote_storage_queue_highest_sent_timestamp_seconds%s %.3f",
                       labels, labels, (double)(clock_realtime_ms() - script.sample_age_ms) / 1000);
}

static int start_server(void **state) {
    (void)state;
    static const struct http_route routes[] = {
        {.method = "GET", .path = "/-/healthy", .handler = on_healthy},
        {.method = "GET", .path = "/-/ready", .handler = on_ready},
        {.method = "GET", .path = "/metrics", .handler = on_metrics},
        {.method = "GET", .path = "/api/v1/hosts", .handler = on_hosts},
        {.method = "GET", .path = "/api/v1/incidents", .handler = on_incidents},
        {.method = "GET", .path = "/api/v1/actions", .handler = on_actions},
        {.method = "GET", .path = "/api/v1/incidents/*", .handler = on_incident},
        {.method = "GET", .path = "/api/v1/status/runtimeinfo", .handler = on_runtime},
        {.method = "GET", .path = "/api/v1/status/buildinfo", .handler = on_build},
    };
    const struct http_server_settings settings = {.listen_address = "127.0.0.1:0",
                                                  .threads = 1,
                                                  .max_connections = 16,
                                                  .max_body_bytes = 1024,
                                                  .max_event_subscribers = 1,
                                                  .head_and_body_timeout_ms = 5000,
                                                  .event_tick_ms = 1000};
    struct error err = {0};
    if (http_server_create(&settings, routes, sizeof routes / sizeof *routes, &server, &err) != STATUS_OK ||
        http_server_start(server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    snprintf(url, sizeof url, "http://%s", http_server_address(server));
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    http_server_stop(server, 1000);
    http_server_destroy(server);
    return 0;
}

static int all_is_well(void **state) {
    (void)state;
    memset(&script, 0, sizeof script);
    script.mode = script.helper_mode = "act";
    script.helper_reachable = script.policy_ok = "true";
    script.helper_paused = script.archive_failing = "false";
    script.state = "HEALTHY";
    script.ready = 200;
    script.sample_age_ms = 700;
    return 0;
}

/* Runs a subcommand against the scripted server and takes down what it prints. */
static char printed[16384];
static int run(int (*command)(int, char **), const char *name, const char *word, const char *flag) {
    char server_flag[80], *argv[5] = {strdup(name), server_flag};
    int argc = 2;
    snprintf(server_flag, sizeof server_flag, "--server=%s", url);
    if (word)
        argv[argc++] = strdup(word);
    if (flag)
        argv[argc++] = strdup(flag);
    fflush(stdout);
    FILE *file = tmpfile();
    int saved = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    int code = command(argc, argv);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(file);
    printed[fread(printed, 1, sizeof printed - 1, file)] = '\0';
    fclose(file);
    free(argv[0]);
    for (int i = 2; i < argc; i++)
        free(argv[i]);
    return code;
}

static void must_say(const char *text) {
    if (!strstr(printed, text))
        fail_msg("'%s' is missing in:\n%s", text, printed);
}

static void check_is_ok_when_all_is_well(void **state) {
    (void)state;
    char prometheus[96];
    snprintf(prometheus, sizeof prometheus, "--prometheus.url=%s", url);
    assert_int_equal(run(check_main, "check", NULL, prometheus), 0);
    static const char *const hops[] = {"server", "ready", "samples", "prometheus", "helper", "database"};
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        char line[32];
        snprintf(line, sizeof line, "ok    %s ", hops[i]);
        must_say(line);
    }
    must_say("version 9.8.7, mode act");
    assert_null(strstr(printed, "FAIL"));
}

static void check_does_not_ask_a_prometheus_that_was_not_named(void **state) {
    (void)state;
    assert_int_equal(run(check_main, "check", NULL, NULL), 0);
    must_say("--    prometheus  not asked");
}

static void each_broken_hop_is_said_and_fails_the_check(void **state) {
    static const struct {
        const char **place, *value, *says;
    } cases[] = {
        {&script.helper_reachable, "false", "FAIL  helper      /run/h.sock does not answer (why it is so)"},
        {&script.helper_paused, "true", "helper resume"},
        {&script.policy_ok, "false", "refuses its policy: why it is so"},
        {&script.helper_mode, "observe", "only observes while the server is in mode act"},
        {&script.archive_failing, "true", "FAIL  database"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        all_is_well(state);
        *cases[i].place = cases[i].value;
        assert_int_equal(run(check_main, "check", NULL, NULL), 1);
        must_say(cases[i].says);
    }
    all_is_well(state);
    script.ready = 503;
    assert_int_equal(run(check_main, "check", NULL, NULL), 1);
    must_say("FAIL  ready");
    all_is_well(state);
    script.sample_age_ms = 3600 * 1000;
    assert_int_equal(run(check_main, "check", NULL, NULL), 1);
    must_say("is its exporter up");
    all_is_well(state);
    script.no_hosts = true;
    assert_int_equal(run(check_main, "check", NULL, NULL), 1);
    must_say("remote_write: [{url: \"http://127.0.0.1:9201/api/v1/write\"}]");
    all_is_well(state);
    script.not_ours = true;
    assert_int_equal(run(check_main, "check", NULL, NULL), 1);
    must_say("not the answer of a sentineld");
}

static void a_prometheus_whose_remote_write_is_stuck_fails(void **state) {
    (void)state;
    char prometheus[96];
    snprintf(prometheus, sizeof prometheus, "--prometheus.url=%s", url);
    script.sample_age_ms = 3600 * 1000;
    assert_int_equal(run(check_main, "check", NULL, prometheus), 1);
    must_say("does not get through");
}

static void a_server_that_is_not_there_is_one_clear_line(void **state) {
    (void)state;
    char real[sizeof url];
    memcpy(real, url, sizeof url);
    snprintf(url, sizeof url, "http://127.0.0.1:1");
    assert_int_equal(run(check_main, "check", NULL, NULL), 1);
    must_say("FAIL  server      http://127.0.0.1:1 does not answer");
    assert_int_equal(run(status_main, "status", NULL, NULL), 1);
    assert_int_equal(run(incidents_main, "incidents", NULL, NULL), 1);
    assert_int_equal(run(mode_main, "mode", NULL, NULL), 1);
    memcpy(url, real, sizeof url);
}

static void status_says_what_people_ask(void **state) {
    (void)state;
    assert_int_equal(run(status_main, "status", NULL, NULL), 0);
    must_say("web-1:9100");
    must_say("0.410 (above 0.620 is unusual)");
    must_say("3 %");
    must_say("mode act");
    must_say("2 of 20 deeds in the last hour");
    script.state = "LEARNING";
    assert_int_equal(run(status_main, "status", NULL, NULL), 0);
    must_say("LEARNING 7/15");
    script.archive_failing = "true";
    assert_int_equal(run(status_main, "status", NULL, NULL), 0);
    must_say("THE DATABASE FAILS");
    script.no_hosts = true;
    assert_int_equal(run(status_main, "status", NULL, NULL), 0);
    must_say("no host has sent a sample yet");
    assert_int_equal(run(status_main, "status", NULL, "--format=csv"), 0);
}

static void mode_is_act_only_if_a_deed_would_be_done(void **state) {
    static const struct {
        const char **place, *value;
    } cases[] = {{&script.mode, "observe"},
                 {&script.helper_mode, "observe"},
                 {&script.helper_reachable, "false"},
                 {&script.helper_paused, "true"},
                 {&script.policy_ok, "false"}};
    assert_int_equal(run(mode_main, "mode", NULL, NULL), 0);
    assert_string_equal(printed, "act\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        all_is_well(state);
        *cases[i].place = cases[i].value;
        assert_int_equal(run(mode_main, "mode", NULL, NULL), 0);
        assert_int_equal(strncmp(printed, "observe: ", 9), 0);
    }
    all_is_well(state);
    script.no_helpers = true;
    assert_int_equal(run(mode_main, "mode", NULL, NULL), 0);
    assert_string_equal(printed, "observe: no helper is configured\n");
}

static void incidents_are_listed_in_each_format(void **state) {
    (void)state;
    assert_int_equal(run(incidents_main, "incidents", NULL, NULL), 0);
    must_say(
        "abc00000  2026-08-03 10:00:34  web-1  RESOLVED  failsafe  terminate  burner (pid 4711, 198 % cpu)");
    assert_int_equal(run(incidents_main, "incidents", "--format=csv", "--columns=state,target_pid"), 0);
    assert_string_equal(printed, "state,target_pid\nRESOLVED,4711\nOPEN,\n");
    assert_int_equal(run(incidents_main, "incidents", "--format=json", NULL), 0);
    must_say("\"target_pid\": 4711");
    assert_int_equal(run(incidents_main, "incidents", "--format=xml", NULL), 2);
}

static void actions_are_listed_too(void **state) {
    (void)state;
    assert_int_equal(run(actions_main, "actions", NULL, NULL), 0);
    must_say("runaway (pid 4711, 198 % cpu)  refused  protected");
    assert_int_equal(run(actions_main, "actions", "--format=csv", "--columns=incident,outcome"), 0);
    assert_string_equal(printed, "incident,outcome\nabc00000000000000000000000000002,refused\n");
}

static void one_incident_is_found_by_the_first_letters_of_its_id(void **state) {
    (void)state;
    assert_int_equal(run(incident_main, "incident", "abc", NULL), 0);
    must_say("cpu_busy 0.99");
    must_say("sshd");
    must_say("protected");
    assert_int_equal(run(incident_main, "incident", "ab", NULL), 1);  /* two of them */
    assert_int_equal(run(incident_main, "incident", "fff", NULL), 1); /* none */
    assert_int_equal(run(incident_main, "incident", "no-id", NULL), 2);
    assert_int_equal(run(incident_main, "incident", NULL, NULL), 2);
    assert_int_equal(run(incident_main, "incident", "abd00000000000000000000000000001", NULL), 1);
}

#define TOLD_THAT_ALL_IS_WELL(test) cmocka_unit_test_setup(test, all_is_well)

int main(void) {
    const struct CMUnitTest tests[] = {
        TOLD_THAT_ALL_IS_WELL(check_is_ok_when_all_is_well),
        TOLD_THAT_ALL_IS_WELL(check_does_not_ask_a_prometheus_that_was_not_named),
        TOLD_THAT_ALL_IS_WELL(each_broken_hop_is_said_and_fails_the_check),
        TOLD_THAT_ALL_IS_WELL(a_prometheus_whose_remote_write_is_stuck_fails),
        TOLD_THAT_ALL_IS_WELL(a_server_that_is_not_there_is_one_clear_line),
        TOLD_THAT_ALL_IS_WELL(status_says_what_people_ask),
        TOLD_THAT_ALL_IS_WELL(mode_is_act_only_if_a_deed_would_be_done),
        TOLD_THAT_ALL_IS_WELL(incidents_are_listed_in_each_format),
        TOLD_THAT_ALL_IS_WELL(actions_are_listed_too),
        TOLD_THAT_ALL_IS_WELL(one_incident_is_found_by_the_first_letters_of_its_id),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
