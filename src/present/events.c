/* The page's stream: one "snapshot" with everything, then "update"s with the rows that changed.
 *
 * Both carry {"hosts":[...],"incidents":[...],"status":{...}} in the words of the API. A host of a snapshot
 * also carries `recent`, its last scores, so that a list of small charts needs no further request. The id of
 * an event is "epoch-version": a browser that comes back with an id of another process gets a snapshot. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "present/present.h"
#include "present/reply.h"
#include "present/rows.h"

enum { RECENT_SCORES = 40 };

static uint64_t newest_version(void *context) {
    return board_version(context);
}

static json_t *recent_scores(struct board *board, uint32_t index) {
    struct board_point points[RECENT_SCORES];
    size_t count = board_get_points(board, index, 0, points, RECENT_SCORES);
    json_t *scores = json_array();
    for (size_t i = 0; i < count; i++) /* three digits are finer than a pixel */
        reply_append(scores, reply_number(round(points[i].score * 1000) / 1000));
    return scores;
}

static json_t *changed_hosts(struct board *board, uint64_t since) {
    json_t *hosts = json_array();
    struct host_row row;
    for (size_t position = 0; board_next_host(board, since, &position, &row);) {
        json_t *host = host_summary_json(board, &row);
        if (since == 0)
            reply_set(host, "recent", recent_scores(board, (uint32_t)(position - 1)));
        reply_append(hosts, host);
    }
    return hosts;
}

static json_t *changed_incidents(struct board *board, uint64_t since) {
    json_t *incidents = json_array();
    struct incident_row row;
    for (size_t position = 0; board_next_incident(board, since, &position, &row);)
        reply_append(incidents, incident_summary_json(&row));
    return incidents;
}

static void write_since(void *context, uint64_t since, FILE *out) {
    struct board *board = context;
    /* Asked for first: what changes while the rows are copied comes again next time, and is never lost. */
    uint64_t version = board_version(board);
    json_t *data = reply_object();
    reply_set(data, "hosts", changed_hosts(board, since));
    reply_set(data, "incidents", changed_incidents(board, since));
    if (board_status_version(board) > since)
        reply_set(data, "status", status_json(board));
    fprintf(out, "id: %016" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: ", board_epoch(board), version,
            since == 0 ? "snapshot" : "update");
    reply_write(data, out);
    fputs("\n\n", out);
    json_decref(data);
}

static uint64_t parse_id(void *context, const char *last_event_id) {
    struct board *board = context;
    char *end = NULL;
    if (strtoull(last_event_id, &end, 16) != board_epoch(board) || *end != '-')
        return 0;
    const char *digits = end + 1;
    uint64_t version = strtoull(digits, &end, 10);
    if (end == digits || *end != '\0' || version > board_version(board))
        return 0;
    return version;
}

void events_init(struct http_event_source *source, struct board *board) {
    *source = (struct http_event_source){
        .context = board, .version = newest_version, .write_since = write_since, .parse_id = parse_id};
}
