/* src/observe/alerts and alert_intake: what Alertmanager 0.25 and Prometheus send, and what nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/counters.h"
#include "observe/alert_intake.h"
#include "observe/alerts.h"
#include "support/http_client.h"

static const struct alert_limits limits = {.max_body_bytes = 1 << 16, .max_alerts = 8};
static const int64_t now_ms = INT64_C(1795467000000); /* 2026-11-23T20:50:00Z */

/* As Alertmanager 0.25.0 sends it: a group with one alert over is still "firing". */
static const char webhook[] =
    "{\"receiver\":\"sentinel\",\"status\":\"firing\",\"alerts\":["
    "{\"status\":\"firing\",\"labels\":{\"alertname\":\"HostHot\",\"instance\":\"db1:9100\",\"severity\":"
    "\"page\"},"
    "\"annotations\":{\"description\":\"long\",\"summary\":\"db1 is hot\"},"
    "\"startsAt\":\"2026-11-23T20:40:00.123456789Z\",\"endsAt\":\"0001-01-01T00:00:00Z\","
    "\"generatorURL\":\"http://p/graph\",\"fingerprint\":\"c4b3dde0a14d5e3f\"},"
    "{\"status\":\"resolved\",\"labels\":{\"alertname\":\"HostHot\",\"instance\":\"db2:9100\"},"
    "\"annotations\":{},"
    "\"startsAt\":\"2026-11-23T20:30:00Z\",\"endsAt\":\"2026-11-23T20:45:00Z\",\"generatorURL\":\"\","
    "\"fingerprint\":\"0011223344556677\"}],"
    "\"groupLabels\":{\"alertname\":\"HostHot\"},\"commonLabels\":{\"alertname\":\"HostHot\"},"
    "\"commonAnnotations\":{},\"externalURL\":\"http://a:9093\",\"version\":\"4\","
    "\"groupKey\":\"{}:{alertname=\\\"HostHot\\\"}\",\"truncatedAlerts\":3,\"notification_reason\":\"new\"}";

static enum status read_text(enum alert_source source, const char *text, struct alert_reading *out,
                             struct error *err) {
    return alerts_read(source, text, strlen(text), "instance", &limits, now_ms, out, err);
}

static void a_webhook_message_becomes_its_alerts(void **state) {
    (void)state;
    struct alert_reading got;
    struct error err;
    assert_int_equal(read_text(ALERT_FROM_WEBHOOK, webhook, &got, &err), STATUS_OK);
    assert_int_equal(got.batch->count, 2);
    assert_int_equal(got.refused, 0);
    assert_int_equal(got.truncated, 3);
    const struct alert *hot = &got.batch->alerts[0], *over = &got.batch->alerts[1];
    assert_true(hot->is_firing);
    assert_string_equal(hot->name, "HostHot");
    assert_string_equal(hot->host, "db1:9100");
    assert_string_equal(hot->severity, "page");
    assert_string_equal(hot->summary, "db1 is hot");
    assert_string_equal(hot->group_key, "{}:{alertname=\"HostHot\"}");
    assert_string_equal(hot->labels, "{alertname=\"HostHot\", instance=\"db1:9100\", severity=\"page\"}");
    assert_int_equal(hot->starts_at_ms, now_ms - 600000 + 123);
    assert_int_equal(hot->ends_at_ms, 0);
    assert_false(over->is_firing);
    assert_int_equal(over->ends_at_ms, now_ms - 300000);
    assert_int_not_equal(hot->key, over->key);
    free(got.batch);
}

static void an_api_alert_fires_until_its_end(void **state) {
    (void)state;
    static const struct {
        const char *json;
        bool is_firing;
        int64_t starts_at_ms, ends_at_ms;
    } cases[] = {
        {"{\"labels\":{\"a\":\"1\"}}", true, 0, 300000},
        {"{\"labels\":{\"a\":\"1\"},\"startsAt\":\"2026-11-23T20:49:00Z\",\"endsAt\":\"2026-11-23T20:54:"
         "00Z\"}",
         true, -60000, 240000},
        {"{\"labels\":{\"a\":\"1\"},\"startsAt\":\"2026-11-23T20:49:00Z\",\"endsAt\":\"2026-11-23T20:50:"
         "00Z\"}",
         false, -60000, 0},
        {"{\"labels\":{\"a\":\"1\"},\"endsAt\":\"2026-11-23T20:49:00Z\"}", false, -60000, -60000},
        {"{\"labels\":{\"a\":\"1\"},\"startsAt\":null,\"endsAt\":\"0001-01-01T00:00:00Z\"}", true, 0, 300000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[512];
        struct alert_reading got;
        struct error err;
        snprintf(body, sizeof body, "[%s]", cases[i].json);
        assert_int_equal(read_text(ALERT_FROM_API, body, &got, &err), STATUS_OK);
        assert_int_equal(got.batch->count, 1);
        const struct alert *alert = &got.batch->alerts[0];
        if (alert->is_firing != cases[i].is_firing || alert->starts_at_ms != now_ms + cases[i].starts_at_ms ||
            alert->ends_at_ms != now_ms + cases[i].ends_at_ms)
            fail_msg("case %zu", i);
        free(got.batch);
    }
}

static void the_order_of_labels_and_empty_ones_make_no_other_alert(void **state) {
    (void)state;
    struct alert_reading got;
    struct error err;
    assert_int_equal(
        read_text(ALERT_FROM_API,
                  "[{\"labels\":{\"a\":\"1\",\"b\":\"2\"}},{\"labels\":{\"b\":\"2\",\"c\":\"\",\"a\":\"1\"}},"
                  "{\"labels\":{\"a\":\"1b\",\"\x62\":\"2\"}},{\"labels\":{\"a\":\"12\"}}]",
                  &got, &err),
        STATUS_OK);
    assert_int_equal(got.batch->count, 4);
    assert_int_equal(got.batch->alerts[0].key, got.batch->alerts[1].key);
    assert_int_not_equal(got.batch->alerts[0].key, got.batch->alerts[2].key);
    assert_int_not_equal(got.batch->alerts[0].key, got.batch->alerts[3].key);
    free(got.batch);
}

static void a_bad_alert_is_left_out_and_the_others_are_taken(void **state) {
    (void)state;
    static const struct {
        const char *alert, *reason;
    } cases[] = {
        {"null", "not an object"},
        {"[]", "not an object"},
        {"{}", "no labels"},
        {"{\"labels\":{}}", "no labels"},
        {"{\"labels\":{\"a\":\"\"}}", "no labels"},
        {"{\"labels\":[\"a\"]}", "no labels"},
        {"{\"labels\":{\"a\":1}}", "not a name with a text"},
        {"{\"labels\":{\"\":\"1\"}}", "not a name with a text"},
        {"{\"labels\":{\"a\":\"1\"},\"startsAt\":\"yesterday\"}", "startsAt of an alert is not a time"},
        {"{\"labels\":{\"a\":\"1\"},\"endsAt\":17}", "endsAt of an alert is not a time"},
        {"{\"labels\":{\"a\":\"1\"},\"startsAt\":\"2026-01-02T00:00:00Z\",\"endsAt\":\"2026-01-01T00:00:"
         "00Z\"}",
         "ends before it starts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[512];
        struct alert_reading got;
        struct error err;
        snprintf(body, sizeof body, "[{\"labels\":{\"good\":\"1\"}},%s,{\"labels\":{\"good\":\"2\"}}]",
                 cases[i].alert);
        assert_int_equal(read_text(ALERT_FROM_API, body, &got, &err), STATUS_OK);
        assert_int_equal(got.batch->count, 2);
        assert_int_equal(got.refused, 1);
        if (!strstr(got.refusal.text, cases[i].reason) || !strstr(got.refusal.text, "; alert 1"))
            fail_msg("case %zu: %s", i, got.refusal.text);
        free(got.batch);
    }
}

static void a_message_that_is_none_is_refused(void **state) {
    (void)state;
    static const struct {
        enum alert_source source;
        const char *body;
        enum status status;
    } cases[] = {
        {ALERT_FROM_WEBHOOK, "", STATUS_INVALID},
        {ALERT_FROM_WEBHOOK, "{", STATUS_INVALID},
        {ALERT_FROM_WEBHOOK, "[]", STATUS_INVALID},
        {ALERT_FROM_WEBHOOK, "{\"version\":\"3\",\"alerts\":[]}", STATUS_INVALID},
        {ALERT_FROM_WEBHOOK, "{\"version\":4,\"alerts\":[]}", STATUS_INVALID},
        {ALERT_FROM_WEBHOOK, "{\"version\":\"4\"}", STATUS_INVALID},
        {ALERT_FROM_WEBHOOK, "{\"version\":\"4\",\"version\":\"4\",\"alerts\":[]}", STATUS_INVALID},
        {ALERT_FROM_API, "{}", STATUS_INVALID},
        {ALERT_FROM_API, "[] []", STATUS_INVALID},
        {ALERT_FROM_API, "[\"\xff\"]", STATUS_INVALID},
        {ALERT_FROM_API, "[0,1,2,3,4,5,6,7,8]", STATUS_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct alert_reading got;
        struct error err = {0};
        if (read_text(cases[i].source, cases[i].body, &got, &err) != cases[i].status || !err.text[0])
            fail_msg("case %zu", i);
    }
}

static void text_that_does_not_fit_is_cut_and_a_host_that_does_not_is_none(void **state) {
    (void)state;
    char body[4096], longest[1500];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    snprintf(body, sizeof body, "[{\"labels\":{\"alertname\":\"%s\",\"instance\":\"%s\"}}]", longest,
             longest);
    struct alert_reading got;
    struct error err;
    assert_int_equal(read_text(ALERT_FROM_API, body, &got, &err), STATUS_OK);
    const struct alert *alert = &got.batch->alerts[0];
    assert_int_equal(strlen(alert->name), sizeof alert->name - 1);
    assert_int_equal(strlen(alert->labels), sizeof alert->labels - 1);
    assert_string_equal(alert->host, "");
    free(got.batch);
}

/* ---- over the routes ---------------------------------------------------------------------------------- */

struct fixture {
    struct alert_intake *intake;
    struct http_route routes[3];
    struct http_server *server;
    struct alert_batch *delivered;
    enum status answer;
};

static enum status deliver(void *context, struct alert_batch *batch) {
    struct fixture *fixture = context;
    if (fixture->answer != STATUS_OK)
        return fixture->answer;
    free(fixture->delivered);
    fixture->delivered = batch;
    return STATUS_OK;
}

static int open_fixture(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){0};
    struct alert_intake_settings settings = {.limits = limits, .host_label = "instance", .max_remembered = 4};
    fixture.intake = alert_intake_create(&settings, deliver, &fixture);
    fixture.routes[0] = (struct http_route){.method = "POST",
                                            .path = "/api/v1/alertmanager/webhook",
                                            .handler = alert_intake_handle_webhook,
                                            .context = fixture.intake};
    fixture.routes[1] = (struct http_route){.method = "POST",
                                            .path = "/api/v2/alerts",
                                            .handler = alert_intake_handle_api,
                                            .context = fixture.intake};
    fixture.routes[2] = (struct http_route){.method = "GET",
                                            .path = "/api/v2/status",
                                            .handler = alert_intake_handle_status,
                                            .context = fixture.intake};
    struct http_server_settings server_settings = {.listen_address = "127.0.0.1:0",
                                                   .threads = 1,
                                                   .max_connections = 10,
                                                   .max_body_bytes = 1 << 20,
                                                   .head_and_body_timeout_ms = 2000,
                                                   .event_tick_ms = 1000};
    struct error err;
    assert_int_equal(http_server_create(&server_settings, fixture.routes, 3, &fixture.server, &err),
                     STATUS_OK);
    assert_int_equal(http_server_start(fixture.server, &err), STATUS_OK);
    *state = &fixture;
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *fixture = *state;
    http_server_stop(fixture->server, 1000);
    http_server_destroy(fixture->server);
    alert_intake_destroy(fixture->intake);
    free(fixture->delivered);
    return 0;
}

static int post(struct fixture *fixture, const char *path, const char *body) {
    struct http_reply reply =
        http_ask(http_server_address(fixture->server), "POST", path,
                 "Content-Type: application/json; charset=utf-8\r\n", body, strlen(body));
    int status = reply.status;
    http_reply_release(&reply);
    return status;
}

static void what_is_said_again_is_marked_as_a_repeat(void **state) {
    struct fixture *fixture = *state;
    static const char firing[] =
        "[{\"labels\":{\"a\":\"1\",\"instance\":\"h\"},\"startsAt\":\"2026-01-01T00:00:00Z\"}]";
    static const char resolved[] =
        "[{\"labels\":{\"a\":\"1\",\"instance\":\"h\"},\"startsAt\":\"2026-01-01T00:00:00Z\","
        "\"endsAt\":\"2026-01-01T01:00:00Z\"}]";
    static const char again[] =
        "[{\"labels\":{\"a\":\"1\",\"instance\":\"h\"},\"startsAt\":\"2026-01-02T00:00:00Z\"}]";
    static const struct {
        const char *body;
        bool is_firing, is_repeat;
    } steps[] = {{firing, true, false},   {firing, true, true}, {resolved, false, false},
                 {resolved, false, true}, {again, true, false}, {again, true, true}};
    uint64_t repeated = counter_read(COUNTER_ALERTS_REPEATED);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(post(fixture, "/api/v2/alerts", steps[i].body), 200);
        assert_int_equal(fixture->delivered->alerts[0].is_firing, steps[i].is_firing);
        assert_int_equal(fixture->delivered->alerts[0].is_repeat, steps[i].is_repeat);
        assert_string_equal(fixture->delivered->alerts[0].host, "h");
    }
    assert_int_equal(counter_read(COUNTER_ALERTS_REPEATED) - repeated, 3);
}

static void an_alert_that_core_did_not_take_is_new_when_it_comes_again(void **state) {
    struct fixture *fixture = *state;
    fixture->answer = STATUS_BUSY;
    assert_int_equal(post(fixture, "/api/v1/alertmanager/webhook", webhook), 503);
    fixture->answer = STATUS_OK;
    assert_int_equal(post(fixture, "/api/v1/alertmanager/webhook", webhook), 200);
    assert_false(fixture->delivered->alerts[0].is_repeat);
}

static void a_full_memory_forgets_what_was_heard_of_least_recently(void **state) {
    struct fixture *fixture = *state;
    char body[128];
    static const char names[] = "abcda";
    for (int round = 0; round < 2; round++) {
        for (const char *name = names; *name; name++) {
            snprintf(body, sizeof body, "[{\"labels\":{\"n\":\"%c\"},\"startsAt\":\"2026-01-01T00:00:00Z\"}]",
                     *name);
            assert_int_equal(post(fixture, "/api/v2/alerts", body), 200);
        }
        snprintf(body, sizeof body, "[{\"labels\":{\"n\":\"new%d\"}}]", round);
        assert_int_equal(post(fixture, "/api/v2/alerts", body), 200); /* b goes, then b again */
    }
    snprintf(body, sizeof body, "[{\"labels\":{\"n\":\"a\"},\"startsAt\":\"2026-01-01T00:00:00Z\"}]");
    assert_int_equal(post(fixture, "/api/v2/alerts", body), 200);
    assert_true(fixture->delivered->alerts[0].is_repeat);
    snprintf(body, sizeof body, "[{\"labels\":{\"n\":\"b\"},\"startsAt\":\"2026-01-01T00:00:00Z\"}]");
    assert_int_equal(post(fixture, "/api/v2/alerts", body), 200);
    assert_false(fixture->delivered->alerts[0].is_repeat);
}

static void what_cannot_be_read_is_4xx(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(post(fixture, "/api/v2/alerts", "[null]"), 400);
    assert_int_equal(post(fixture, "/api/v2/alerts", "[null,{\"labels\":{\"a\":\"1\"}}]"), 400);
    assert_int_equal(fixture->delivered->count, 1);
    assert_int_equal(post(fixture, "/api/v2/alerts", "{}"), 400);
    assert_int_equal(post(fixture, "/api/v2/alerts", "[0,1,2,3,4,5,6,7,8]"), 413);
    assert_int_equal(post(fixture, "/api/v1/alertmanager/webhook", "{}"), 400);
    struct http_reply reply = http_ask(http_server_address(fixture->server), "POST", "/api/v2/alerts",
                                       "Content-Type: text/plain\r\n", "[]", 2);
    assert_int_equal(reply.status, 415);
    http_reply_release(&reply);
}

static void the_status_is_json_with_the_fields_that_amtool_needs(void **state) {
    struct fixture *fixture = *state;
    struct http_reply reply =
        http_ask(http_server_address(fixture->server), "GET", "/api/v2/status", "", NULL, 0);
    assert_int_equal(reply.status, 200);
    json_t *root = json_loads(reply.body, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "cluster"), "status")),
                        "disabled");
    assert_true(json_is_string(json_object_get(json_object_get(root, "versionInfo"), "version")));
    assert_true(json_is_string(json_object_get(root, "uptime")));
    json_decref(root);
    http_reply_release(&reply);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_webhook_message_becomes_its_alerts),
        cmocka_unit_test(an_api_alert_fires_until_its_end),
        cmocka_unit_test(the_order_of_labels_and_empty_ones_make_no_other_alert),
        cmocka_unit_test(a_bad_alert_is_left_out_and_the_others_are_taken),
        cmocka_unit_test(a_message_that_is_none_is_refused),
        cmocka_unit_test(text_that_does_not_fit_is_cut_and_a_host_that_does_not_is_none),
        SERVED(what_is_said_again_is_marked_as_a_repeat),
        SERVED(an_alert_that_core_did_not_take_is_new_when_it_comes_again),
        SERVED(a_full_memory_forgets_what_was_heard_of_least_recently),
        SERVED(what_cannot_be_read_is_4xx),
        SERVED(the_status_is_json_with_the_fields_that_amtool_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
