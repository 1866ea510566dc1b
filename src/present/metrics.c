#include "present/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/counters.h"
#include "base/version.h"
#include "present/present.h"
#include "present/process_usage.h"
#include "present/reply.h"

/* A host's share of /metrics is written family by family, so all rows are copied first. */
struct host_rows {
    struct host_row *rows;
    size_t count;
};

static void write_family(FILE *out, const char *name, const char *type, const char *help) {
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Prometheus, "Exposition formats": \, " and line feed are escaped in label values. */
static void write_escaped(FILE *out, const char *value) {
    for (; *value; value++) {
        if (*value == '\n')
            fputs("\\n", out);
        else {
            if (*value == '\\' || *value == '"')
                fputc('\\', out);
            fputc(*value, out);
        }
    }
}

static void write_label(FILE *out, char before, const char *name, const char *value) {
    fprintf(out, "%c%s=\"", before, name);
    write_escaped(out, value);
    fputc('"', out);
}

static void write_gauge(FILE *out, const char *name, const char *help, double value) {
    if (isnan(value))
        return;
    write_family(out, name, "gauge", help);
    fprintf(out, "%s %.17g\n", name, value);
}

static void write_build_info(FILE *out) {
    write_family(out, "sentinel_build_info", "gauge",
                 "Always 1; says what was built, from what, by which compiler.");
    fputs("sentinel_build_info", out);
    write_label(out, '{', "version", SENTINEL_VERSION);
    write_label(out, ',', "revision", SENTINEL_REVISION);
    write_label(out, ',', "compiler", SENTINEL_COMPILER);
    fputs("} 1\n", out);
}

static void write_counters(FILE *out) {
    const char *family = "";
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        const struct counter_description *counter = counter_describe((enum counter_id)i);
        if (strcmp(family, counter->name) != 0)
            write_family(out, counter->name, "counter", counter->help);
        family = counter->name;
        const char *open = counter->labels[0] ? "{" : "", *close = counter->labels[0] ? "}" : "";
        fprintf(out, "%s%s%s%s %" PRIu64 "\n", counter->name, open, counter->labels, close,
                counter_read((enum counter_id)i));
    }
}

static void write_histograms(FILE *out) {
    for (size_t i = 0; i < HISTOGRAM_COUNT; i++) {
        struct histogram_reading reading;
        histogram_read((enum histogram_id)i, &reading);
        write_family(out, reading.name, "histogram", reading.help);
        for (size_t b = 0; b < HISTOGRAM_BUCKETS; b++)
            fprintf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", reading.name, reading.upper_bounds[b],
                    reading.cumulative[b]);
        fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.9g\n%s_count %" PRIu64 "\n", reading.name,
                reading.cumulative[HISTOGRAM_BUCKETS], reading.name, reading.sum, reading.name,
                reading.cumulative[HISTOGRAM_BUCKETS]);
    }
}

static struct host_rows copy_hosts(struct board *board) {
    size_t capacity = board_host_count(board);
    struct host_rows hosts = {.rows = xcalloc(capacity + 1, sizeof *hosts.rows)};
    size_t position = 0;
    while (hosts.count < capacity && board_next_host(board, 0, &position, &hosts.rows[hosts.count]))
        hosts.count++;
    return hosts;
}

static double score_of(const struct host_row *row) {
    return row->assessment.score;
}
static double threshold_of(const struct host_row *row) {
    return row->assessment.threshold;
}
static double learning_points_of(const struct host_row *row) {
    return (double)row->assessment.learning_points;
}
static double last_sample_of(const struct host_row *row) {
    return row->last_sample_ms ? (double)row->last_sample_ms / 1000 : NAN;
}
static double series_of(const struct host_row *row) {
    return (double)row->series_count;
}
static double window_points_of(const struct host_row *row) {
    return (double)row->window_points;
}
static double model_bytes_of(const struct host_row *row) {
    return (double)row->model_bytes;
}

static const struct {
    const char *name, *help;
    double (*value)(const struct host_row *row); /* NaN: this host has none */
} host_gauges[] = {
    {"sentinel_host_anomaly_score", "How unusual the host's last point was, 0 to 1; absent while learning.",
     score_of},
    {"sentinel_host_anomaly_threshold", "The score above which a point of this host counts as anomalous.",
     threshold_of},
    {"sentinel_host_learning_points", "Points seen of those that the first model needs.", learning_points_of},
    {"sentinel_host_last_sample_timestamp_seconds", "When the last sample of the host arrived.",
     last_sample_of},
    {"sentinel_host_series", "Series that the features of the host are made of.", series_of},
    {"sentinel_host_window_points", "Points in the window that the host's model is trained on.",
     window_points_of},
    {"sentinel_host_model_bytes", "Memory that the host's model takes.", model_bytes_of},
};

static void write_host_gauges(FILE *out, const struct host_rows *hosts) {
    for (size_t i = 0; i < sizeof host_gauges / sizeof host_gauges[0]; i++) {
        write_family(out, host_gauges[i].name, "gauge", host_gauges[i].help);
        for (size_t h = 0; h < hosts->count; h++) {
            double value = host_gauges[i].value(&hosts->rows[h]);
            if (isnan(value))
                continue;
            fputs(host_gauges[i].name, out);
            write_label(out, '{', "host", hosts->rows[h].host);
            fprintf(out, "} %.17g\n", value);
        }
    }
}

static void write_host_states(FILE *out, const struct host_rows *hosts) {
    write_family(out, "sentinel_host_state", "gauge",
                 "1 for the state that the host is in, 0 for the other states.");
    for (size_t h = 0; h < hosts->count; h++) {
        for (size_t state = 0; state < HOST_STATE_COUNT; state++) {
            fputs("sentinel_host_state", out);
            write_label(out, '{', "host", hosts->rows[h].host);
            write_label(out, ',', "state", host_state_name((enum host_state)state));
            fprintf(out, "} %d\n", hosts->rows[h].state == (enum host_state)state);
        }
    }
}

static void write_host_features(FILE *out, const struct host_rows *hosts, const struct feature_set *set) {
    write_family(out, "sentinel_host_feature", "gauge",
                 "The features of the host's last point; absent where the host does not have them.");
    for (size_t h = 0; h < hosts->count; h++) {
        for (size_t f = 0; f < feature_set_count(set); f++) {
            if (isnan(hosts->rows[h].values[f]))
                continue;
            fputs("sentinel_host_feature", out);
            write_label(out, '{', "host", hosts->rows[h].host);
            write_label(out, ',', "feature", feature_set_describe(set, f)->name);
            fprintf(out, "} %.17g\n", hosts->rows[h].values[f]);
        }
    }
}

/* `how` is the name of the third label, NULL if this family has two. */
static void write_tallies(FILE *out, struct board *board, const char *name, const char *help,
                          size_t (*get)(struct board *, struct board_tally *, size_t), const char *what,
                          const char *how) {
    size_t capacity = get(board, NULL, 0);
    struct board_tally *tallies = xcalloc(capacity + 1, sizeof *tallies);
    size_t there = get(board, tallies, capacity);
    write_family(out, name, "counter", help);
    for (size_t i = 0; i < capacity && i < there; i++) {
        fputs(name, out);
        write_label(out, '{', "host", tallies[i].host);
        write_label(out, ',', what, tallies[i].what);
        if (how)
            write_label(out, ',', how, tallies[i].how);
        fprintf(out, "} %" PRIu64 "\n", tallies[i].count);
    }
    free(tallies);
}

static void write_unresolved(FILE *out, struct board *board) {
    size_t unresolved = 0;
    struct incident_row row;
    for (size_t position = 0; board_next_incident(board, 0, &position, &row);)
        unresolved += !incident_is_ended(&row.incident);
    write_gauge(out, "sentinel_incidents_unresolved", "Incidents that are not RESOLVED.", (double)unresolved);
}

static void write_queues(FILE *out, const struct board_status *status) {
    write_family(out, "sentinel_queue_depth", "gauge", "Items waiting in a queue between two threads.");
    fprintf(out, "sentinel_queue_depth{queue=\"core\"} %zu\nsentinel_queue_depth{queue=\"archive\"} %zu\n",
            status->core_depth, status->archive_depth);
    write_family(out, "sentinel_queue_capacity", "gauge", "Items that the queue can hold.");
    fprintf(out,
            "sentinel_queue_capacity{queue=\"core\"} %zu\nsentinel_queue_capacity{queue=\"archive\"} %zu\n",
            status->core_capacity, status->archive_capacity);
}

static bool is_reachable(const struct board_helper *helper) {
    return helper->reachable;
}
static bool is_paused(const struct board_helper *helper) {
    return helper->paused;
}
static bool is_policy_ok(const struct board_helper *helper) {
    return helper->policy_ok;
}

static const struct {
    const char *name, *help;
    bool (*value)(const struct board_helper *helper);
} helper_gauges[] = {
    {"sentinel_helper_reachable", "1 while the helper answers.", is_reachable},
    {"sentinel_helper_paused", "1 while the helper is paused by a person.", is_paused},
    {"sentinel_helper_policy_ok", "1 while the helper's own policy is valid.", is_policy_ok},
};

static void write_helpers(FILE *out, const struct board_status *status) {
    for (size_t i = 0; i < sizeof helper_gauges / sizeof helper_gauges[0]; i++) {
        write_family(out, helper_gauges[i].name, "gauge", helper_gauges[i].help);
        for (size_t h = 0; h < status->helper_count; h++) {
            fputs(helper_gauges[i].name, out);
            write_label(out, '{', "helper", status->helpers[h].path);
            fprintf(out, "} %d\n", helper_gauges[i].value(&status->helpers[h]));
        }
    }
}

static void write_status(FILE *out, struct board *board) {
    struct board_status status;
    board_get_status(board, &status);
    struct board_reload reload;
    board_get_reload(board, &reload);
    write_gauge(out, "sentinel_series_active", "Series in the caches of the http threads.",
                (double)status.series_active);
    write_family(out, "sentinel_mode", "gauge",
                 "1 for the mode that the server is in: observe only records, act also heals.");
    fprintf(out, "sentinel_mode{mode=\"observe\"} %d\nsentinel_mode{mode=\"act\"} %d\n", !status.mode_act,
            status.mode_act);
    write_queues(out, &status);
    write_gauge(out, "sentinel_archive_failing", "1 while the last write to the database failed.",
                status.archive_failing);
    write_helpers(out, &status);
    write_gauge(out, "sentinel_config_last_reload_successful",
                "1 if the last attempt to load the configuration succeeded.", reload.successful);
    if (reload.last_success_ms)
        write_gauge(out, "sentinel_config_last_reload_success_timestamp_seconds",
                    "When the configuration was last loaded.", (double)reload.last_success_ms / 1000);
}

static void write_process(FILE *out) {
    struct process_usage usage;
    process_usage_read(&usage);
    if (!isnan(usage.cpu_seconds)) {
        write_family(out, "process_cpu_seconds_total", "counter",
                     "Total user and system CPU time spent in seconds.");
        fprintf(out, "process_cpu_seconds_total %.9g\n", usage.cpu_seconds);
    }
    write_gauge(out, "process_open_fds", "Number of open file descriptors.", usage.open_fds);
    write_gauge(out, "process_max_fds", "Maximum number of open file descriptors.", usage.max_fds);
    write_gauge(out, "process_virtual_memory_bytes", "Virtual memory size in bytes.", usage.virtual_bytes);
    write_gauge(out, "process_resident_memory_bytes", "Resident memory size in bytes.", usage.resident_bytes);
    write_gauge(out, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
                usage.start_seconds);
    write_gauge(out, "process_threads", "Number of OS threads in the process.", usage.threads);
}

void metrics_write(struct board *board, FILE *out) {
    write_build_info(out);
    write_counters(out);
    write_histograms(out);
    struct host_rows hosts = copy_hosts(board);
    write_host_states(out, &hosts);
    write_host_gauges(out, &hosts);
    write_host_features(out, &hosts, board_features(board));
    free(hosts.rows);
    write_tallies(out, board, "sentinel_incidents_total", "Incidents begun, by what raised them.",
                  board_get_incident_tallies, "trigger", NULL);
    write_tallies(out, board, "sentinel_actions_total", "Deeds, by kind and by how they ended.",
                  board_get_action_tallies, "action", "outcome");
    write_unresolved(out, board);
    write_status(out, board);
    write_process(out);
}

void metrics_handle(void *context, const struct http_request *request, struct http_response *response) {
    const struct present *present = context;
    (void)request;
    char *bytes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&bytes, &length);
    assert(out);
    metrics_write(present->settings.board, out);
    reply_stream(response, "text/plain; version=0.0.4; charset=utf-8", out, &bytes, &length);
}
