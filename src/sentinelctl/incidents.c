/* sentinelctl incidents, actions and incident: what happened, what was done, and one incident in full. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sentinelctl/command_line.h"
#include "sentinelctl/commands.h"
#include "sentinelctl/http_get.h"
#include "sentinelctl/report.h"

enum { ID_LENGTH = 32, SHORT_ID_LENGTH = 8 };

static const char *text_of(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static void add_words(json_t *row) {
    char text[96];
    snprintf(text, sizeof text, "%.*s", SHORT_ID_LENGTH, text_of(row, "id"));
    json_object_set_new(row, "id_text", json_string(text));
    snprintf(text, sizeof text, "%.10s %.8s", text_of(row, "opened"),
             strlen(text_of(row, "opened")) > 11 ? text_of(row, "opened") + 11 : "");
    json_object_set_new(row, "opened_text", json_string(text));
    const json_t *pid = json_object_get(row, "target_pid"), *cpu = json_object_get(row, "target_cpu_ratio");
    if (json_is_integer(pid)) {
        snprintf(text, sizeof text, "%.40s (pid %lld, %.0f %% cpu)", text_of(row, "target_comm"),
                 (long long)json_integer_value(pid), json_number_value(cpu) * 100);
        json_object_set_new(row, "target_text", json_string(text));
    }
    const json_t *seconds = json_object_get(row, "duration_seconds");
    if (json_is_number(seconds)) {
        snprintf(text, sizeof text, "%.1f s", json_number_value(seconds));
        json_object_set_new(row, "lasted_text", json_string(text));
    }
}

static void print_incidents(json_t *incidents) {
    static const struct report_column columns[] = {
        {"id_text", "ID"},         {"opened_text", "OPENED (UTC)"}, {"host", "HOST"},
        {"state", "STATE"},        {"trigger", "TRIGGER"},          {"action", "ACTION"},
        {"target_text", "TARGET"}, {"outcome", "OUTCOME"},          {"lasted_text", "LASTED"},
    };
    report_table(incidents, columns, sizeof columns / sizeof *columns, stdout);
}

static void print_actions(json_t *actions) {
    static const struct report_column columns[] = {
        {"intended", "INTENDED (UTC)"}, {"host", "HOST"},       {"action", "ACTION"},
        {"target_text", "TARGET"},      {"outcome", "OUTCOME"}, {"reason", "REASON"},
    };
    report_table(actions, columns, sizeof columns / sizeof *columns, stdout);
}

static int failed(const char *command, const char *server, const struct error *err) {
    fprintf(stderr, "sentinelctl %s: %s: %s\n", command, server, err->text);
    return 1;
}

/* What incidents and actions have in common: a list that the server gives. */
struct listing {
    const char *name, *about;
    const char *nothing; /* for people, when the list is empty */
    void (*print)(json_t *rows);
};

static void print_list_for_people(const struct listing *listing, json_t *rows) {
    size_t index;
    json_t *row;
    if (json_array_size(rows) == 0) {
        puts(listing->nothing);
        return;
    }
    json_array_foreach(rows, index, row) add_words(row);
    listing->print(rows);
}

static int list(const struct listing *listing, int argc, char **argv) {
    const char *server = DEFAULT_SERVER, *format_name = "table", *keys = NULL;
    long limit = 20;
    bool epoch = false;
    const struct flag flags[] = {
        FLAG_SERVER(server),
        {"--limit", "N", "at most so many (20)", FLAG_COUNT, &limit},
        {"--format", "table|json|csv", "how to print (table)", FLAG_TEXT, &format_name},
        {"--columns", "A,B,...", "csv: these columns only", FLAG_TEXT, &keys},
        {"--epoch", "", "csv: times as seconds since the epoch", FLAG_SWITCH, &epoch},
    };
    char usage[64], path[64];
    snprintf(usage, sizeof usage, "sentinelctl %s [flags]", listing->name);
    struct command_line line = {
        .usage = usage, .about = listing->about, .flags = flags, .flag_count = sizeof flags / sizeof *flags};
    int code = command_line_parse(&line, argc, argv);
    enum report_format format;
    if (code != GO_ON)
        return code;
    if (!report_format_parse(listing->name, format_name, &format))
        return 2;
    snprintf(path, sizeof path, "/api/v1/%s?limit=%ld", listing->name, limit);
    json_t *rows;
    struct error err;
    if (http_get_data(server, path, &rows, &err) != STATUS_OK)
        return failed(listing->name, server, &err);
    switch (format) {
    case REPORT_TABLE:
        print_list_for_people(listing, rows);
        break;
    case REPORT_JSON:
        report_json(rows, stdout);
        break;
    case REPORT_CSV:
        report_csv(rows, keys, epoch, stdout);
        break;
    }
    json_decref(rows);
    return 0;
}

int incidents_main(int argc, char **argv) {
    static const struct listing listing = {
        .name = "incidents",
        .about =
            "The incidents that a sentineld holds in memory, newest first: what was seen, what was done to "
            "which\nprocess last, how it ended.",
        .nothing = "no incidents since the server started",
        .print = print_incidents,
    };
    return list(&listing, argc, argv);
}

int actions_main(int argc, char **argv) {
    static const struct listing listing = {
        .name = "actions",
        .about = "Every deed that was done, refused or only considered, newest first.",
        .nothing = "no actions since the server started",
        .print = print_actions,
    };
    return list(&listing, argc, argv);
}

/* --- one incident --------------------------------------------------------------------------------------- */

/* The full id of the only incident whose id begins with `prefix`. */
static enum status complete_id(const char *server, const char *prefix, char out[ID_LENGTH + 1],
                               struct error *err) {
    json_t *incidents;
    enum status status = http_get_data(server, "/api/v1/incidents?limit=10000", &incidents, err);
    if (status != STATUS_OK)
        return status;
    size_t index, matches = 0;
    const json_t *row;
    json_array_foreach(incidents, index, row) {
        const char *id = text_of(row, "id");
        if (strncmp(id, prefix, strlen(prefix)) == 0 && matches++ == 0)
            snprintf(out, ID_LENGTH + 1, "%s", id);
    }
    json_decref(incidents);
    if (matches == 0)
        return error_set(err, STATUS_NOT_FOUND, "no incident's id begins with '%s'", prefix);
    if (matches > 1)
        return error_set(err, STATUS_INVALID, "%zu incidents' ids begin with '%s'; give more of it", matches,
                         prefix);
    return STATUS_OK;
}

static bool is_id(const char *text) {
    return text[0] && strlen(text) <= ID_LENGTH && strspn(text, "0123456789abcdef") == strlen(text);
}

static void print_incident_for_people(const json_t *incident) {
    static const char *const keys[] = {"id",         "host",       "state",  "trigger", "rule",
                                       "why",        "first_seen", "opened", "closed",  "duration_seconds",
                                       "peak_score", "attempts"};
    static const char *const deed_keys[] = {"action",     "dry_run",      "outcome",         "reason",
                                            "intended",   "finished",     "target_pid",      "target_comm",
                                            "target_uid", "target_where", "target_cpu_ratio"};
    static const struct report_column steps[] = {
        {"time", "TIME"}, {"from", "FROM"}, {"to", "TO"}, {"why", "WHY"}};
    static const struct report_column considered[] = {
        {"pid", "PID"},         {"comm", "NAME"},       {"uid", "UID"},        {"cpu_ratio", "CPU"},
        {"age_seconds", "AGE"}, {"allowed", "ALLOWED"}, {"reason", "WHY NOT"}, {"where", "WHERE"}};
    report_pairs(incident, keys, sizeof keys / sizeof *keys, stdout);
    putchar('\n');
    report_table(json_object_get(incident, "transitions"), steps, 4, stdout);
    size_t index;
    const json_t *deed;
    json_array_foreach(json_object_get(incident, "actions"), index, deed) {
        putchar('\n');
        report_pairs(deed, deed_keys, sizeof deed_keys / sizeof *deed_keys, stdout);
        const json_t *candidates = json_object_get(deed, "candidates");
        if (json_array_size(candidates) > 0)
            report_table(candidates, considered, sizeof considered / sizeof *considered, stdout);
    }
}

int incident_main(int argc, char **argv) {
    const char *server = DEFAULT_SERVER, *format_name = "table", *keys = NULL;
    bool epoch = false;
    const struct flag flags[] = {
        FLAG_SERVER(server),
        {"--format", "table|json|csv", "how to print (table); csv: its transitions", FLAG_TEXT, &format_name},
        {"--columns", "A,B,...", "csv: these columns only", FLAG_TEXT, &keys},
        {"--epoch", "", "csv: times as seconds since the epoch", FLAG_SWITCH, &epoch},
    };
    struct command_line line = {.usage = "sentinelctl incident ID [flags]",
                                .about =
                                    "One incident in full: each transition with its reason, each deed, and "
                                    "every process that was\nconsidered for it. The first letters of an id "
                                    "will do.",
                                .flags = flags,
                                .flag_count = sizeof flags / sizeof *flags,
                                .word_count = 1};
    int code = command_line_parse(&line, argc, argv);
    enum report_format format;
    if (code != GO_ON)
        return code;
    if (line.word_count != 1 || !is_id(line.words[0])) {
        fputs("sentinelctl incident: an id of hexadecimal digits is needed (sentinelctl incidents lists "
              "them)\n",
              stderr);
        return 2;
    }
    if (!report_format_parse("incident", format_name, &format))
        return 2;
    char id[ID_LENGTH + 1], path[96];
    struct error err;
    json_t *incident;
    snprintf(id, sizeof id, "%s", line.words[0]);
    if (strlen(id) < ID_LENGTH && complete_id(server, line.words[0], id, &err) != STATUS_OK)
        return failed("incident", server, &err);
    snprintf(path, sizeof path, "/api/v1/incidents/%s", id);
    if (http_get_data(server, path, &incident, &err) != STATUS_OK)
        return failed("incident", server, &err);
    switch (format) {
    case REPORT_TABLE:
        print_incident_for_people(incident);
        break;
    case REPORT_JSON:
        report_json(incident, stdout);
        break;
    case REPORT_CSV:
        report_csv(json_object_get(incident, "transitions"), keys, epoch, stdout);
        break;
    }
    json_decref(incident);
    return 0;
}
