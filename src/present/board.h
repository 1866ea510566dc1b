/* src/present/board.h - what people may see: a copy of core's state, one row per host and per incident.
 *
 * Core writes rows; http threads copy them out. The lock is held for copying one row, so neither side waits
 * for a serialiser. Every change gets the next version, and rows remember theirs: that is what makes catching
 * up after a lost event stream a matter of one comparison. Bounded by max_hosts, points per host, incidents
 * and tallies; the archive keeps the long history. Thread-safe. */
#ifndef SENTINEL_PRESENT_BOARD_H
#define SENTINEL_PRESENT_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decide/action.h"
#include "decide/incident.h"
#include "orient/assessment.h"
#include "orient/features.h"

enum host_state { HOST_LEARNING, HOST_HEALTHY, HOST_ANOMALY, HOST_HEALING, HOST_STALE };
enum {
    HOST_STATE_COUNT = HOST_STALE + 1,
    BOARD_ACTIONS_PER_INCIDENT = 4,
    BOARD_TRANSITIONS_PER_INCIDENT = 16
};
const char *host_state_name(enum host_state state); /* "LEARNING" */

struct host_row {
    uint64_t version; /* set by the board */
    char host[256];
    enum host_state state;
    struct assessment assessment;
    double values[FEATURES_MAX]; /* of the last point; NaN: missing */
    int64_t last_sample_ms;      /* Unix, by our clock */
    size_t series_count, window_points, model_bytes;
    char incident_id[33]; /* "" unless one is not ended */
    char helper[160];     /* "" if no helper is configured for this host */
};

struct board_point {
    int64_t at_ms;
    double score, threshold; /* NaN while learning */
    enum host_state state;
    double values[FEATURES_MAX];
};

struct incident_row {
    uint64_t version; /* set by the board */
    struct incident incident;
    size_t transition_count;
    struct transition transitions[BOARD_TRANSITIONS_PER_INCIDENT];
    size_t action_count;
    struct action actions[BOARD_ACTIONS_PER_INCIDENT]; /* the newest; oldest first */
};

struct board_helper {
    char path[160];
    bool reachable, mode_act, paused, policy_ok;
    uint32_t deeds_last_hour, budget_per_hour; /* budget 0: not known (yet) */
    char text[160];                            /* what is wrong, for people */
};

/* What stands in the page's head: is this thing able to act? */
struct board_status {
    bool mode_act;
    bool archive_failing;
    size_t core_depth, core_capacity, archive_depth, archive_capacity, series_active;
    struct board_helper helpers[8]; /* each path once */
    size_t helper_count;
};

/* How the last reading of the configuration ended. */
struct board_reload {
    bool successful;
    int64_t last_success_ms; /* Unix */
};

/* How many incidents and actions there were since the start, by their labels: for /metrics. */
struct board_tally {
    char host[256];
    char what[32]; /* trigger; or action kind */
    char how[32];  /* "" ; or outcome */
    uint64_t count;
};

struct board;
/* `set` outlives the board. */
struct board *board_create(const struct feature_set *set, size_t max_hosts, size_t points_per_host,
                           size_t max_incidents);
const struct feature_set *board_features(const struct board *board);
uint64_t board_version(struct board *board);
uint64_t
board_epoch(const struct board *board); /* random at creation: tells event ids of two processes apart */

/* Written by core. `index` is the host's number in the host directory. `point` may be NULL. */
void board_put_host(struct board *board, uint32_t index, const struct host_row *row,
                    const struct board_point *point);
/* Found by incident.id; the oldest ended one makes room when the board is full (that may be this very row).
 */
void board_put_incident(struct board *board, const struct incident_row *row);
void board_put_status(struct board *board, const struct board_status *status);
/* Written by main, once at start and after every reload. */
void board_put_reload(struct board *board, bool successful, int64_t now_ms);
void board_count_incident(struct board *board, const char *host, const char *trigger);
void board_count_action(struct board *board, const char *host, const char *kind, const char *outcome);

/* Read by anyone. Indices run to board_host_count() / board_incident_count(); newest incident first. False:
 * no such row (yet). */
size_t board_host_count(struct board *board);
bool board_get_host(struct board *board, uint32_t index, struct host_row *out);
/* The first row from *position on that changed after version `since` (0: any row); moves *position past it,
 * so that the row's index is *position - 1. False: there is none. */
bool board_next_host(struct board *board, uint64_t since, size_t *position, struct host_row *out);
bool board_find_host(struct board *board, const char *host, uint32_t *index);
/* Copies the newest `capacity` of the points with at_ms >= since_ms, oldest first; returns how many. Features
 * come back with the precision of a float. */
size_t board_get_points(struct board *board, uint32_t index, int64_t since_ms, struct board_point *out,
                        size_t capacity);
size_t board_incident_count(struct board *board);
bool board_get_incident(struct board *board, size_t position, struct incident_row *out);
/* Likewise, newest first. An incident born meanwhile moves the others back by one: a row may come twice. */
bool board_next_incident(struct board *board, uint64_t since, size_t *position, struct incident_row *out);
bool board_find_incident(struct board *board, const char *id, struct incident_row *out);
void board_get_status(struct board *board, struct board_status *out);
uint64_t board_status_version(struct board *board);
void board_get_reload(struct board *board, struct board_reload *out);
/* Copies up to `capacity` tallies; returns how many there are. At most 32 per host are kept. */
size_t board_get_incident_tallies(struct board *board, struct board_tally *out, size_t capacity);
size_t board_get_action_tallies(struct board *board, struct board_tally *out, size_t capacity);
void board_destroy(struct board *board);

#endif
