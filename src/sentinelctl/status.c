/* sentinelctl status: one line per host. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sentinelctl/command_line.h"
#include "sentinelctl/commands.h"
#include "sentinelctl/http_get.h"
#include "sentinelctl/report.h"

static const struct report_column columns[] = {
    {"host", "HOST"},       {"state_text", "STATE"}, {"score_text", "SCORE"},       {"cpu_text", "CPU"},
    {"age_text", "SAMPLE"}, {"helper", "HELPER"},    {"incident_text", "INCIDENT"},
};

static void set_text(json_t *row, const char *key, const char *text) {
    if (text[0])
        json_object_set_new(row, key, json_string(text));
}

/* What people read instead of the numbers behind it. */
static void add_words(json_t *row, int64_t now_ms) {
    char text[64];
    const char *state = json_string_value(json_object_get(row, "state"));
    const json_t *points = json_object_get(row, "learning_points");
    const json_t *target = json_object_get(row, "learning_target");
    snprintf(text, sizeof text, "%s", state ? state : "");
    if (json_is_true(json_object_get(row, "learning")))
        snprintf(text, sizeof text, "%s %lld/%lld", state ? state : "", (long long)json_integer_value(points),
                 (long long)json_integer_value(target));
    set_text(row, "state_text", text);

    const json_t *score = json_object_get(row, "score"), *threshold = json_object_get(row, "threshold");
    if (json_is_number(score) && json_is_number(threshold)) {
        snprintf(text, sizeof text, "%.3f (above %.3f is unusual)", json_number_value(score),
                 json_number_value(threshold));
        set_text(row, "score_text", text);
    }
    const json_t *cpu = json_object_get(row, "cpu_busy");
    if (json_is_number(cpu)) {
        snprintf(text, sizeof text, "%.0f %%", json_number_value(cpu) * 100);
        set_text(row, "cpu_text", text);
    }
    const char *incident = json_string_value(json_object_get(row, "incident"));
    if (incident) {
        snprintf(text, sizeof text, "%.8s", incident); /* enough for sentinelctl incident */
        set_text(row, "incident_text", text);
    }
    const char *last = json_string_value(json_object_get(row, "last_sample"));
    int64_t last_ms;
    if (last && report_parse_time(last, &last_ms)) {
        snprintf(text, sizeof text, "%.1f s ago", (double)(now_ms - last_ms) / 1000);
        set_text(row, "age_text", text);
    }
}

/* "observe, 2 of 20 deeds this hour" and the like, one line per helper. */
static void print_helper(const json_t *helper) {
    const char *path = json_string_value(json_object_get(helper, "path"));
    const char *text = json_string_value(json_object_get(helper, "text"));
    printf("helper %s: ", path ? path : "?");
    if (!json_is_true(json_object_get(helper, "reachable"))) {
        printf("not reachable%s%s\n", text && text[0] ? ": " : "", text ? text : "");
        return;
    }
    printf("mode %s%s, %lld of %lld deeds in the last hour%s%s\n",
           json_string_value(json_object_get(helper, "mode")),
           json_is_true(json_object_get(helper, "paused")) ? ", paused" : "",
           (long long)json_integer_value(json_object_get(helper, "deeds_last_hour")),
           (long long)json_integer_value(json_object_get(helper, "budget_per_hour")),
           json_is_true(json_object_get(helper, "policy_ok")) ? "" : ", policy refused: ",
           json_is_true(json_object_get(helper, "policy_ok")) || !text ? "" : text);
}

static void print_for_people(json_t *hosts, const json_t *runtime) {
    const char *mode = json_string_value(json_object_get(runtime, "mode"));
    const char *time = json_string_value(json_object_get(runtime, "server_time"));
    int64_t now_ms = 0;
    if (time && !report_parse_time(time, &now_ms))
        now_ms = 0;
    printf("mode %s%s\n", mode ? mode : "?",
           json_is_true(json_object_get(runtime, "archive_failing"))
               ? "; THE DATABASE FAILS: incidents wait in memory (sentinelctl check)"
               : "");
    size_t index;
    json_t *row;
    json_array_foreach(json_object_get(runtime, "helpers"), index, row) print_helper(row);
    if (json_array_size(hosts) == 0) {
        puts("no host has sent a sample yet (sentinelctl check says what is missing)");
        return;
    }
    json_array_foreach(hosts, index, row) add_words(row, now_ms);
    putchar('\n');
    report_table(hosts, columns, sizeof columns / sizeof *columns, stdout);
}

int status_main(int argc, char **argv) {
    const char *server = DEFAULT_SERVER, *format_name = "table", *keys = NULL;
    bool epoch = false;
    const struct flag flags[] = {
        FLAG_SERVER(server),
        {"--format", "table|json|csv", "how to print (table)", FLAG_TEXT, &format_name},
        {"--columns", "A,B,...", "csv: these columns only", FLAG_TEXT, &keys},
        {"--epoch", "", "csv: times as seconds since the epoch", FLAG_SWITCH, &epoch},
    };
    struct command_line line = {.usage = "sentinelctl status [flags]",
                                .about =
                                    "The hosts that a sentineld knows: their state, their anomaly score and "
                                    "its threshold, and the helper that may act there.",
                                .flags = flags,
                                .flag_count = sizeof flags / sizeof *flags};
    int code = command_line_parse(&line, argc, argv);
    enum report_format format;
    if (code != GO_ON)
        return code;
    if (!report_format_parse("status", format_name, &format))
        return 2;
    json_t *hosts = NULL, *runtime = NULL;
    struct error err;
    if (http_get_data(server, "/api/v1/hosts", &hosts, &err) != STATUS_OK ||
        (format == REPORT_TABLE &&
         http_get_data(server, "/api/v1/status/runtimeinfo", &runtime, &err) != STATUS_OK)) {
        fprintf(stderr, "sentinelctl status: %s: %s\n", server, err.text);
        json_decref(hosts);
        return 1;
    }
    switch (format) {
    case REPORT_TABLE:
        print_for_people(hosts, runtime);
        break;
    case REPORT_JSON:
        report_json(hosts, stdout);
        break;
    case REPORT_CSV:
        report_csv(hosts, keys, epoch, stdout);
        break;
    }
    json_decref(hosts);
    json_decref(runtime);
    return 0;
}
