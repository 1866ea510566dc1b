/* sentinelctl check: every hop from Prometheus to the database, one line each. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sentinelctl/command_line.h"
#include "sentinelctl/commands.h"
#include "sentinelctl/http_get.h"
#include "sentinelctl/prometheus_text.h"
#include "sentinelctl/report.h"

enum {
    SAMPLE_AGE_MAX_S = 120, /* twice the slowest common scrape interval */
    SILENT_HOSTS_SHOWN = 10,
};

struct check {
    const char *server, *prometheus;
    json_t *runtime; /* NULL until the server has answered */
    size_t failures;
};

static void line(const char *verdict, const char *hop, const char *fmt, va_list args) {
    printf("%-5s %-11s ", verdict, hop);
    vprintf(fmt, args);
    putchar('\n');
}

static void ok(const char *hop, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void skip(const char *hop, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fail(struct check *check, const char *hop, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void ok(const char *hop, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    line("ok", hop, fmt, args);
    va_end(args);
}

static void skip(const char *hop, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    line("--", hop, fmt, args);
    va_end(args);
}

static void fail(struct check *check, const char *hop, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    line("FAIL", hop, fmt, args);
    va_end(args);
    check->failures++;
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_true(const json_t *object, const char *key) {
    return json_is_true(json_object_get(object, key));
}

/* False: nothing else can be asked of it. */
static bool check_server(struct check *check) {
    struct http_reply reply;
    struct error err;
    if (http_get(check->server, "/-/healthy", &reply, &err) != STATUS_OK) {
        fail(check, "server",
             "%s does not answer (%s): start sentineld, or give its address with --server=URL", check->server,
             err.text);
        return false;
    }
    http_reply_release(&reply);
    json_t *build = NULL;
    if (http_get_data(check->server, "/api/v1/status/buildinfo", &build, &err) != STATUS_OK ||
        http_get_data(check->server, "/api/v1/status/runtimeinfo", &check->runtime, &err) != STATUS_OK) {
        fail(check, "server", "%s: %s", check->server, err.text);
        json_decref(build);
        return false;
    }
    ok("server", "%s, version %s, mode %s", check->server, text_of(build, "version"),
       text_of(check->runtime, "mode"));
    json_decref(build);
    return true;
}

static void check_ready(struct check *check) {
    struct http_reply reply;
    struct error err;
    if (http_get(check->server, "/-/ready", &reply, &err) != STATUS_OK) {
        fail(check, "ready", "%s", err.text);
        return;
    }
    if (reply.code == 200)
        ok("ready", "the server takes samples");
    else
        fail(check, "ready", "the server says %ld: wait for its start to end, or look into its log",
             reply.code);
    http_reply_release(&reply);
}

/* Seconds since the host's last sample; negative if there was none. */
static double sample_age(const json_t *host, int64_t now_ms) {
    int64_t last_ms;
    if (!report_parse_time(text_of(host, "last_sample"), &last_ms))
        return -1;
    return last_ms <= now_ms ? (double)(now_ms - last_ms) / 1000 : 0;
}

static void check_host(struct check *check, const json_t *host, double age) {
    if (age < 0)
        fail(check, "samples", "%s: none yet", text_of(host, "host"));
    else
        fail(check, "samples",
             "%s: the last came %.0f s ago: is its exporter up, and does Prometheus scrape it?",
             text_of(host, "host"), age);
}

static void check_hosts(struct check *check, const json_t *hosts, int64_t now_ms) {
    size_t index, fresh = 0, silent = 0;
    double oldest = 0;
    const json_t *host;
    json_array_foreach(hosts, index, host) {
        double age = sample_age(host, now_ms);
        if (age < 0 || age > SAMPLE_AGE_MAX_S) {
            if (silent++ < SILENT_HOSTS_SHOWN)
                check_host(check, host, age);
            continue;
        }
        fresh++;
        oldest = age > oldest ? age : oldest;
    }
    if (silent > SILENT_HOSTS_SHOWN)
        fail(check, "samples", "and %zu hosts more are silent (sentinelctl status)",
             silent - SILENT_HOSTS_SHOWN);
    if (fresh > 0)
        ok("samples", "%zu of %zu hosts send; the oldest sample is %.1f s old", fresh, fresh + silent,
           oldest);
}

static void check_samples(struct check *check) {
    json_t *hosts;
    struct error err;
    if (http_get_data(check->server, "/api/v1/hosts", &hosts, &err) != STATUS_OK) {
        fail(check, "samples", "%s", err.text);
        return;
    }
    int64_t now_ms;
    if (!report_parse_time(text_of(check->runtime, "server_time"), &now_ms))
        now_ms = clock_realtime_ms();
    check_hosts(check, hosts, now_ms);
    if (json_array_size(hosts) == 0)
        fail(check, "samples", "no host has sent any: add to prometheus.yml: remote_write: [{url: \"%s\"}]",
             text_of(check->runtime, "remote_write_url"));
    json_decref(hosts);
}

/* Prometheus' own metrics say what its remote_write is doing; no query needs it to scrape itself. */
static void check_remote_write(struct check *check, const char *metrics) {
    const char *url = text_of(check->runtime, "remote_write_url");
    double samples, failed = 0, highest;
    if (!prometheus_text_find(metrics, "prometheus_remote_storage_samples_total", "url", url, &samples)) {
        fail(check, "prometheus", "%s has no remote_write to %s: add it to its prometheus.yml and reload",
             check->prometheus, url);
        return;
    }
    if (!prometheus_text_find(metrics, "prometheus_remote_storage_samples_failed_total", "url", url, &failed))
        failed = 0;
    bool dated = prometheus_text_find(
        metrics, "prometheus_remote_storage_queue_highest_sent_timestamp_seconds", "url", url, &highest);
    double age = dated ? (double)clock_realtime_ms() / 1000 - highest : 0;
    if (samples == 0 || (dated && age > SAMPLE_AGE_MAX_S))
        fail(check, "prometheus", "%s does not get through to %s: its log says why (remote_write)",
             check->prometheus, url);
    else if (failed > 0)
        ok("prometheus", "%s sends to %s; %.0f samples were refused since it started", check->prometheus, url,
           failed);
    else
        ok("prometheus", "%s sends to %s, newest sample %.1f s old", check->prometheus, url, age);
}

static void check_prometheus(struct check *check) {
    if (!check->prometheus) {
        skip("prometheus", "not asked; --prometheus.url=URL asks whether its remote_write gets through");
        return;
    }
    struct http_reply reply;
    struct error err;
    if (http_get(check->prometheus, "/metrics", &reply, &err) != STATUS_OK) {
        fail(check, "prometheus", "%s does not answer (%s): is it running there?", check->prometheus,
             err.text);
        return;
    }
    if (reply.code != 200)
        fail(check, "prometheus", "%s/metrics says %ld: is it a Prometheus?", check->prometheus, reply.code);
    else
        check_remote_write(check, reply.body);
    http_reply_release(&reply);
}

static void check_one_helper(struct check *check, const json_t *helper) {
    const char *path = text_of(helper, "path"), *text = text_of(helper, "text");
    if (!is_true(helper, "reachable"))
        fail(check, "helper",
             "%s does not answer (%s): start sentinel-helper, or see 'sentinelctl helper status'", path,
             text);
    else if (!is_true(helper, "policy_ok"))
        fail(check, "helper", "%s refuses its policy: %s", path, text);
    else if (is_true(helper, "paused"))
        fail(check, "helper", "%s is paused: 'sentinelctl helper resume' ends that", path);
    else if (strcmp(text_of(helper, "mode"), "act") != 0 &&
             strcmp(text_of(check->runtime, "mode"), "act") == 0)
        fail(check, "helper",
             "%s only observes while the server is in mode act: set 'mode = act' in its policy", path);
    else
        ok("helper", "%s, mode %s, %lld of %lld deeds in the last hour", path, text_of(helper, "mode"),
           (long long)json_integer_value(json_object_get(helper, "deeds_last_hour")),
           (long long)json_integer_value(json_object_get(helper, "budget_per_hour")));
}

static void check_helpers(struct check *check) {
    const json_t *helpers = json_object_get(check->runtime, "helpers"), *helper;
    size_t index;
    json_array_foreach(helpers, index, helper) check_one_helper(check, helper);
    if (json_array_size(helpers) == 0)
        skip("helper", "none is configured: Sentinel sees and says, and does nothing");
}

static void check_database(struct check *check) {
    const json_t *queue = json_object_get(check->runtime, "archive_queue");
    long long depth = json_integer_value(json_object_get(queue, "depth"));
    if (is_true(check->runtime, "archive_failing"))
        fail(check, "database", "writing fails, %lld records wait in memory: the server's log says why (%s)",
             depth, "archive_failing");
    else
        ok("database", "records become durable; %lld waiting", depth);
}

int check_main(int argc, char **argv) {
    struct check check = {.server = DEFAULT_SERVER};
    const struct flag flags[] = {
        FLAG_SERVER(check.server),
        {"--prometheus.url", "URL", "also ask this Prometheus about its remote_write", FLAG_TEXT,
         &check.prometheus},
    };
    struct command_line command = {
        .usage = "sentinelctl check [flags]",
        .about =
            "Every hop from Prometheus to the database. Each line is ok, or says what to do; the exit code "
            "is 1 if\nany hop fails.",
        .flags = flags,
        .flag_count = sizeof flags / sizeof *flags};
    int code = command_line_parse(&command, argc, argv);
    if (code != GO_ON)
        return code;
    if (check_server(&check)) {
        check_ready(&check);
        check_samples(&check);
        check_prometheus(&check);
        check_helpers(&check);
        check_database(&check);
    }
    json_decref(check.runtime);
    return check.failures ? 1 : 0;
}
