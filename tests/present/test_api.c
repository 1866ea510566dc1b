/* The routes of src/present/present over a real socket, on a scripted board. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/alloc.h"
#include "present/api.h"
#include "present/web_assets.h"
#include "support/board_story.h"
#include "support/http_client.h"

static const int64_t now_ms = 1800000000000; /* 2027-01-15T08:00:00Z */

struct scene {
    struct feature_set *features;
    struct board *board;
    struct board_story *story;
    struct present *present;
    struct http_server *server;
    bool is_ready;
};

static bool is_ready(void *context) {
    return ((struct scene *)context)->is_ready;
}

static int open_scene(void **state) {
    struct scene *scene = xcalloc(1, sizeof *scene);
    scene->is_ready = true;
    scene->features = feature_set_create_default();
    scene->board = board_create(scene->features, 64, 400, 16);
    scene->story = board_story_create(scene->board, 3, now_ms, 1000000);
    struct present_settings settings = {.board = scene->board,
                                        .started_at_ms = now_ms,
                                        .remote_write_url = "http://127.0.0.1:9201/api/v1/write",
                                        .config_text = "mode: act\n",
                                        .flags_json = "{\"--config.file\":\"sentinel.yml\"}",
                                        .is_ready = is_ready,
                                        .ready_context = scene};
    scene->present = present_create(&settings);
    size_t count = 0;
    const struct http_route *routes = present_routes(scene->present, &count);
    struct http_server_settings http = {.listen_address = "127.0.0.1:0",
                                        .threads = 1,
                                        .max_connections = 16,
                                        .max_body_bytes = 1000,
                                        .max_event_subscribers = 4,
                                        .head_and_body_timeout_ms = 5000,
                                        .event_tick_ms = 10};
    struct error err = {0};
    if (http_server_create(&http, routes, count, &scene->server, &err) != STATUS_OK ||
        http_server_start(scene->server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    http_server_stop(scene->server, 100);
    http_server_destroy(scene->server);
    present_destroy(scene->present);
    board_story_destroy(scene->story);
    board_destroy(scene->board);
    feature_set_destroy(scene->features);
    free(scene);
    return 0;
}

static struct http_reply get(void **state, const char *target, const char *headers) {
    return http_ask(http_server_address(((struct scene *)*state)->server), "GET", target, headers, "", 0);
}

/* The whole envelope; the caller frees it. */
static json_t *get_json(void **state, const char *target, int status) {
    struct http_reply reply = get(state, target, "");
    assert_int_equal(reply.status, status);
    assert_string_equal(http_reply_header(&reply, "content-type"), "application/json");
    assert_string_equal(http_reply_header(&reply, "x-content-type-options"), "nosniff");
    json_t *envelope = json_loadb(reply.body, reply.body_bytes, 0, NULL);
    assert_non_null(envelope);
    assert_string_equal(json_string_value(json_object_get(envelope, "status")),
                        status == 200 ? "success" : "error");
    http_reply_release(&reply);
    return envelope;
}

static json_t *data_of(json_t *envelope) {
    return json_object_get(envelope, "data");
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "(none)";
}

static json_t *find_by(json_t *array, const char *key, const char *value) {
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) {
        if (strcmp(text_of(item, key), value) == 0)
            return item;
    }
    fail_msg("nothing has %s = %s", key, value);
    return NULL;
}

static void hosts_are_listed_with_their_state(void **state) {
    json_t *envelope = get_json(state, "/api/v1/hosts", 200);
    assert_int_equal(json_array_size(data_of(envelope)), 8);
    json_t *learning = find_by(data_of(envelope), "host", "new-9.example.net:9100");
    assert_string_equal(text_of(learning, "state"), "LEARNING");
    assert_int_equal(json_integer_value(json_object_get(learning, "learning_points")), 9);
    assert_true(json_is_null(json_object_get(learning, "score")));
    json_t *anomaly = find_by(data_of(envelope), "host", "build-7.example.net:9100");
    assert_string_equal(text_of(anomaly, "state"), "ANOMALY");
    assert_true(json_real_value(json_object_get(anomaly, "cpu_busy")) > 0.9);
    assert_true(json_is_true(json_object_get(anomaly, "anomalous")));
    assert_string_equal(text_of(anomaly, "last_point"), "2027-01-15T08:00:00.000Z");
    json_decref(envelope);
}

static void a_host_says_why(void **state) {
    json_t *envelope = get_json(state, "/api/v1/hosts/build-7.example.net:9100", 200);
    json_t *first = json_array_get(json_object_get(data_of(envelope), "leading"), 0);
    assert_string_equal(text_of(first, "feature"), "cpu_busy");
    assert_string_equal(text_of(first, "unit"), "ratio");
    assert_true(json_real_value(json_object_get(first, "usual_high")) == 0.31);
    json_t *missing = find_by(json_object_get(data_of(envelope), "features"), "feature", "major_faults");
    assert_true(json_is_null(json_object_get(missing, "value")));
    json_decref(envelope);
}

static void points_can_be_asked_for_since_a_time(void **state) {
    json_t *all = get_json(state, "/api/v1/hosts/web-1.example.net:9100/points", 200);
    assert_int_equal(json_array_size(data_of(all)), 301);
    json_t *first = json_array_get(data_of(all), 0);
    assert_string_equal(text_of(first, "state"), "LEARNING");
    assert_null(json_object_get(first, "major_faults"));
    json_t *since =
        get_json(state, "/api/v1/hosts/web-1.example.net:9100/points?since=2027-01-15T09:59:57%2B02:00", 200);
    assert_int_equal(json_array_size(data_of(since)), 2);
    json_t *seconds = get_json(state, "/api/v1/hosts/web-1.example.net:9100/points?since=1799999999.5", 200);
    assert_int_equal(json_array_size(data_of(seconds)), 1);
    json_decref(all);
    json_decref(since);
    json_decref(seconds);
}

static void a_host_may_have_a_slash_in_its_name(void **state) {
    struct board *board = ((struct scene *)*state)->board;
    struct host_row row = {.state = HOST_HEALTHY};
    snprintf(row.host, sizeof row.host, "http://a/points");
    board_put_host(board, 60, &row, NULL);
    json_t *host = get_json(state, "/api/v1/hosts/http%3A%2F%2Fa%2Fpoints", 200);
    assert_string_equal(text_of(data_of(host), "host"), "http://a/points");
    json_t *points = get_json(state, "/api/v1/hosts/http%3A%2F%2Fa%2Fpoints/points", 200);
    assert_int_equal(json_array_size(data_of(points)), 0);
    json_decref(host);
    json_decref(points);
}

static void an_unknown_host_is_not_found_and_says_what_to_do(void **state) {
    json_t *envelope = get_json(state, "/api/v1/hosts/nobody", 404);
    assert_string_equal(text_of(envelope, "errorType"), "not_found");
    assert_non_null(strstr(text_of(envelope, "error"), "/api/v1/hosts lists"));
    json_decref(envelope);
}

static void incidents_can_be_narrowed(void **state) {
    json_t *all = get_json(state, "/api/v1/incidents", 200);
    assert_int_equal(json_array_size(data_of(all)), 2);
    assert_string_equal(text_of(json_array_get(data_of(all), 0), "host"), "build-7.example.net:9100");
    const char *one[] = {"?host=web-1.example.net:9100", "?state=RESOLVED", "?limit=1", "?since=1799999940"};
    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++) {
        char target[128];
        snprintf(target, sizeof target, "/api/v1/incidents%s", one[i]);
        json_t *envelope = get_json(state, target, 200);
        assert_int_equal(json_array_size(data_of(envelope)), 1);
        json_decref(envelope);
    }
    json_decref(all);
}

static void a_wrong_parameter_is_answered_with_what_is_accepted(void **state) {
    const struct {
        const char *query, *says;
    } cases[] = {
        {"?state=BROKEN", "SUSPECTED"},
        {"?since=yesterday", "RFC 3339"},
        {"?limit=0", "from 1 to"},
        {"?limit=-1", "from 1 to"},
        {"?limit=1x", "from 1 to"},
        {"?format=xml", "json or csv"},
        {"?since=2027-13-45T00:00:00Z", "RFC"},
        {"?outcome=nice", "outcome"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[128];
        snprintf(target, sizeof target, "/api/v1/incidents%s", cases[i].query);
        json_t *envelope = get_json(state, target, 400);
        assert_string_equal(text_of(envelope, "errorType"), "bad_data");
        assert_non_null(strstr(text_of(envelope, "error"), cases[i].says));
        json_decref(envelope);
    }
}

static void an_incident_tells_its_transitions_its_deed_and_who_was_considered(void **state) {
    json_t *list = get_json(state, "/api/v1/incidents?state=RESOLVED", 200);
    char target[128];
    snprintf(target, sizeof target, "/api/v1/incidents/%s", text_of(json_array_get(data_of(list), 0), "id"));
    json_t *envelope = get_json(state, target, 200);
    json_t *transitions = json_object_get(data_of(envelope), "transitions");
    assert_int_equal(json_array_size(transitions), 5);
    assert_string_equal(text_of(json_array_get(transitions, 4), "to"), "RESOLVED");
    json_t *action = json_array_get(json_object_get(data_of(envelope), "actions"), 0);
    assert_string_equal(text_of(action, "outcome"), "terminated");
    assert_string_equal(text_of(action, "target_comm"), "runaway");
    assert_int_equal(json_array_size(json_object_get(action, "candidates")), 3);
    assert_true(json_real_value(json_object_get(action, "action_seconds")) == 1.3);
    json_decref(list);
    json_decref(envelope);
    json_decref(get_json(state, "/api/v1/incidents/none", 404));
}

static void actions_are_a_list_of_their_own(void **state) {
    json_t *all = get_json(state, "/api/v1/actions", 200);
    assert_int_equal(json_array_size(data_of(all)), 2);
    json_t *refused = get_json(state, "/api/v1/actions?outcome=refused", 200);
    assert_int_equal(json_array_size(data_of(refused)), 1);
    assert_string_equal(text_of(json_array_get(data_of(refused), 0), "target_comm"), "postgres");
    json_decref(all);
    json_decref(refused);
}

/* A process may call itself anything: bytes that are no UTF-8, a formula, a quotation mark. */
static void names_of_processes_break_neither_json_nor_csv(void **state) {
    struct board *board = ((struct scene *)*state)->board;
    struct incident_row row = {.incident = {.id = "evil", .opened_at_ms = now_ms + 1}, .action_count = 1};
    row.actions[0] =
        (struct action){.intended_at_ms = now_ms, .target = {.pid = 7, .comm = "=1+\"\xff\xc3,"}};
    board_put_incident(board, &row);
    json_t *envelope = get_json(state, "/api/v1/incidents/evil", 200);
    json_t *action = json_array_get(json_object_get(data_of(envelope), "actions"), 0);
    assert_string_equal(text_of(action, "target_comm"), "=1+\"\xEF\xBF\xBD\xEF\xBF\xBD,");
    json_decref(envelope);
    struct http_reply reply = get(state, "/api/v1/actions?format=csv&limit=1", "");
    assert_int_equal(reply.status, 200);
    assert_string_equal(http_reply_header(&reply, "content-type"), "text/csv; charset=utf-8");
    assert_non_null(strstr(reply.body, ",7,\"'=1+\"\"\xEF\xBF\xBD\xEF\xBF\xBD,\","));
    http_reply_release(&reply);
}

static void an_empty_csv_still_has_its_header(void **state) {
    struct http_reply reply = get(state, "/api/v1/incidents?format=csv&host=nobody", "");
    assert_int_equal(strncmp(reply.body, "id,host,state,trigger,", 22), 0);
    assert_string_equal(strchr(reply.body, '\r'), "\r\n");
    assert_non_null(strstr(http_reply_header(&reply, "content-disposition"), "attachment"));
    http_reply_release(&reply);
}

static void status_pages_answer(void **state) {
    json_t *config = get_json(state, "/api/v1/status/config", 200);
    assert_string_equal(text_of(data_of(config), "yaml"), "mode: act\n");
    json_t *flags = get_json(state, "/api/v1/status/flags", 200);
    assert_string_equal(text_of(data_of(flags), "--config.file"), "sentinel.yml");
    json_t *build = get_json(state, "/api/v1/status/buildinfo", 200);
    assert_string_not_equal(text_of(data_of(build), "version"), "(none)");
    json_t *runtime = get_json(state, "/api/v1/status/runtimeinfo", 200);
    assert_string_equal(text_of(data_of(runtime), "mode"), "act");
    json_t *hosts = json_object_get(data_of(runtime), "hosts");
    assert_int_equal(json_integer_value(json_object_get(hosts, "HEALTHY")), 5);
    assert_int_equal(json_integer_value(json_object_get(hosts, "STALE")), 1);
    json_decref(config);
    json_decref(flags);
    json_decref(build);
    json_decref(runtime);
}

static void health_and_readiness_are_two_questions(void **state) {
    struct scene *scene = *state;
    scene->is_ready = false;
    struct http_reply healthy = get(state, "/-/healthy", ""), ready = get(state, "/-/ready", "");
    assert_int_equal(healthy.status, 200);
    assert_int_equal(ready.status, 503);
    http_reply_release(&ready);
    scene->is_ready = true;
    ready = get(state, "/-/ready", "");
    assert_int_equal(ready.status, 200);
    http_reply_release(&healthy);
    http_reply_release(&ready);
}

static void metrics_carry_the_content_type_that_prometheus_3_insists_on(void **state) {
    struct http_reply reply = get(state, "/metrics", "");
    assert_int_equal(reply.status, 200);
    assert_string_equal(http_reply_header(&reply, "content-type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    http_reply_release(&reply);
}

static void the_page_forbids_itself_everything_from_elsewhere(void **state) {
    struct http_reply reply = get(state, "/", "");
    char policy[256];
    snprintf(policy, sizeof policy, "%s", http_reply_header(&reply, "content-security-policy"));
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(policy, "default-src 'none'"));
    assert_non_null(strstr(policy, "script-src 'self';"));
    assert_null(strstr(policy, "unsafe"));
    assert_string_equal(http_reply_header(&reply, "content-type"), "text/html; charset=utf-8");
    http_reply_release(&reply);
}

static void a_second_load_of_the_page_is_304(void **state) {
    struct http_reply plain = get(state, "/assets/app.js", "");
    char header[128];
    snprintf(header, sizeof header, "If-None-Match: W/\"x\", %s\r\n", http_reply_header(&plain, "etag"));
    struct http_reply again = get(state, "/assets/app.js", header);
    assert_int_equal(again.status, 304);
    assert_int_equal(again.body_bytes, 0);
    assert_string_equal(http_reply_header(&again, "vary"), "Accept-Encoding");
    http_reply_release(&again);
    /* The tag of the plain body does not stand for the packed one. */
    char packed[160];
    snprintf(packed, sizeof packed, "Accept-Encoding: gzip\r\n%s", header);
    again = get(state, "/assets/app.js", packed);
    assert_int_equal(again.status, 200);
    assert_string_equal(http_reply_header(&again, "content-encoding"), "gzip");
    assert_true(again.body_bytes < plain.body_bytes);
    assert_true(again.body_bytes > 2 && (unsigned char)again.body[0] == 0x1f);
    http_reply_release(&again);
    http_reply_release(&plain);
}

static void the_whole_page_is_below_100_kb(void **state) {
    (void)state;
    size_t packed = 0;
    for (size_t i = 0; i < web_asset_count; i++)
        packed += web_assets[i].gzip_bytes;
    assert_true(packed < 100 * 1000);
}

static void an_unknown_file_of_the_page_is_404(void **state) {
    json_decref(get_json(state, "/assets/../secret", 404));
    json_decref(get_json(state, "/assets/", 404));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_listed_with_their_state),
        cmocka_unit_test(a_host_says_why),
        cmocka_unit_test(points_can_be_asked_for_since_a_time),
        cmocka_unit_test(an_unknown_host_is_not_found_and_says_what_to_do),
        cmocka_unit_test(incidents_can_be_narrowed),
        cmocka_unit_test(a_wrong_parameter_is_answered_with_what_is_accepted),
        cmocka_unit_test(an_incident_tells_its_transitions_its_deed_and_who_was_considered),
        cmocka_unit_test(actions_are_a_list_of_their_own),
        cmocka_unit_test(an_empty_csv_still_has_its_header),
        cmocka_unit_test(status_pages_answer),
        cmocka_unit_test(health_and_readiness_are_two_questions),
        cmocka_unit_test(metrics_carry_the_content_type_that_prometheus_3_insists_on),
        cmocka_unit_test(the_page_forbids_itself_everything_from_elsewhere),
        cmocka_unit_test(a_second_load_of_the_page_is_304),
        cmocka_unit_test(the_whole_page_is_below_100_kb),
        cmocka_unit_test(an_unknown_file_of_the_page_is_404),
        /* These two add to the board. */
        cmocka_unit_test(a_host_may_have_a_slash_in_its_name),
        cmocka_unit_test(names_of_processes_break_neither_json_nor_csv),
    };
    return cmocka_run_group_tests(tests, open_scene, close_scene);
}
