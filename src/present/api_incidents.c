#include <assert.h>
#include <string.h>

#include "present/csv.h"
#include "present/present.h"
#include "present/query.h"
#include "present/reply.h"
#include "present/rows.h"

enum { LIMIT_DEFAULT = 200, LIMIT_MAX = 10000 };

static const char *const incident_columns[] = {
    "id",
    "host",
    "state",
    "trigger",
    "rule",
    "why",
    "first_seen",
    "opened",
    "entered",
    "closed",
    "duration_seconds",
    "attempts",
    "peak_score",
    "action",
    "dry_run",
    "outcome",
    "reason",
    "intended",
    "finished",
    "action_seconds",
    "target_pid",
    "target_comm",
    "target_uid",
    "target_cpu_ratio",
    "target_where",
};
static const char *const action_columns[] = {
    "id",         "incident",    "host",       "action",           "dry_run",
    "outcome",    "reason",      "intended",   "finished",         "action_seconds",
    "target_pid", "target_comm", "target_uid", "target_cpu_ratio", "target_where",
};

/* What both lists can be narrowed to. */
struct filter {
    char host[256], state[32], outcome[32];
    int64_t since_ms;
    size_t limit;
    bool is_csv;
};

static bool read_filter(const struct http_request *request, struct filter *filter,
                        struct http_response *response) {
    *filter = (struct filter){.limit = LIMIT_DEFAULT};
    enum incident_state state;
    enum action_outcome outcome;
    if (!query_text(request, "host", filter->host, sizeof filter->host, response) ||
        !query_text(request, "state", filter->state, sizeof filter->state, response) ||
        !query_text(request, "outcome", filter->outcome, sizeof filter->outcome, response) ||
        !query_time(request, "since", &filter->since_ms, response) ||
        !query_limit(request, "limit", LIMIT_MAX, &filter->limit, response) ||
        !query_is_csv(request, &filter->is_csv, response))
        return false;
    if (filter->state[0] && !incident_state_parse(filter->state, &state)) {
        reply_error(
            response, 400, "bad_data",
            "parameter 'state' must be SUSPECTED, OPEN, REMEDIATING, VERIFYING, RESOLVED or ESCALATED, "
            "not \"%s\"",
            filter->state);
        return false;
    }
    if (filter->outcome[0] && !action_outcome_parse(filter->outcome, &outcome)) {
        reply_error(
            response, 400, "bad_data",
            "parameter 'outcome' is no outcome of an action: \"%s\" (for example: terminated, refused)",
            filter->outcome);
        return false;
    }
    return true;
}

static bool incident_matches(const struct filter *filter, const struct incident *incident) {
    return (!filter->host[0] || strcmp(filter->host, incident->host) == 0) &&
           (!filter->state[0] || strcmp(filter->state, incident_state_name(incident->state)) == 0) &&
           incident->opened_at_ms >= filter->since_ms;
}

static bool action_matches(const struct filter *filter, const struct action *action) {
    return (!filter->host[0] || strcmp(filter->host, action->host) == 0) &&
           (!filter->outcome[0] || strcmp(filter->outcome, action_outcome_name(action->outcome)) == 0) &&
           action->intended_at_ms >= filter->since_ms;
}

/* The next incident, each once: one that is born during the walk moves the others back by one place. */
static bool next_incident(struct board *board, size_t *position, struct incident_row *row) {
    char previous[sizeof row->incident.id];
    memcpy(previous, row->incident.id, sizeof previous);
    do {
        if (!board_next_incident(board, 0, position, row))
            return false;
    } while (strcmp(previous, row->incident.id) == 0);
    return true;
}

static void answer_list(struct http_response *response, const struct filter *filter, json_t *list,
                        const char *const *columns, size_t column_count, const char *file_name) {
    if (!filter->is_csv) {
        reply_success(response, list);
        return;
    }
    char *bytes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&bytes, &length);
    assert(out);
    csv_write(list, columns, column_count, out);
    json_decref(list);
    reply_stream(response, "text/csv; charset=utf-8", out, &bytes, &length);
    http_response_header(response, "content-disposition", "attachment; filename=\"%s\"", file_name);
}

void api_handle_incidents(void *context, const struct http_request *request, struct http_response *response) {
    const struct present *present = context;
    struct filter filter;
    if (!read_filter(request, &filter, response))
        return;
    json_t *list = json_array();
    struct incident_row row = {0};
    size_t position = 0;
    while (json_array_size(list) < filter.limit && next_incident(present->settings.board, &position, &row))
        if (incident_matches(&filter, &row.incident))
            reply_append(list, incident_summary_json(&row));
    answer_list(response, &filter, list, incident_columns,
                sizeof incident_columns / sizeof incident_columns[0], "sentinel-incidents.csv");
}

void api_handle_actions(void *context, const struct http_request *request, struct http_response *response) {
    const struct present *present = context;
    struct filter filter;
    if (!read_filter(request, &filter, response))
        return;
    json_t *list = json_array();
    struct incident_row row = {0};
    size_t position = 0;
    while (json_array_size(list) < filter.limit && next_incident(present->settings.board, &position, &row))
        for (size_t i = row.action_count; i-- > 0 && json_array_size(list) < filter.limit;)
            if (action_matches(&filter, &row.actions[i]))
                reply_append(list, action_json(&row.actions[i]));
    answer_list(response, &filter, list, action_columns, sizeof action_columns / sizeof action_columns[0],
                "sentinel-actions.csv");
}

void api_handle_incident(void *context, const struct http_request *request, struct http_response *response) {
    const struct present *present = context;
    const char *id = request->path + strlen("/api/v1/incidents/");
    struct incident_row row;
    if (board_find_incident(present->settings.board, id, &row))
        reply_success(response, incident_detail_json(&row));
    else
        reply_error(response, 404, "not_found",
                    "no incident \"%.64s\" is held in memory; older ones are in the database", id);
}
