#include "present/board.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"

/* A point as it is kept: floats, and only as many features as there are. A host's half hour at one point
 * every two seconds is then 90 kB instead of 250. */
struct kept_point {
    int64_t at_ms;
    float score, threshold;
    enum host_state state;
    float values[];
};

struct point_ring {
    unsigned char *bytes; /* `allocated` slots; grows to points_per_host */
    size_t allocated, first, count;
};

struct host_slot {
    struct host_row row;
    struct point_ring points;
};

struct tally_list {
    struct board_tally *items;
    size_t count, allocated;
};

struct board {
    const struct feature_set *set;
    size_t feature_count, slot_bytes;
    size_t max_hosts, points_per_host, max_incidents, max_tallies;
    uint64_t epoch;

    pthread_mutex_t lock; /* over everything below */
    uint64_t version, status_version;
    size_t host_count;
    struct host_slot **hosts;        /* by index; NULL: not written yet */
    struct incident_row **incidents; /* by opened_at_ms, oldest first */
    size_t incident_count;
    struct board_status status;
    struct board_reload reload;
    struct tally_list incident_tallies, action_tallies;
};

enum { RING_FIRST_SLOTS = 32, TALLIES_PER_HOST = 32 };

const char *host_state_name(enum host_state state) {
    switch (state) {
    case HOST_LEARNING:
        return "LEARNING";
    case HOST_HEALTHY:
        return "HEALTHY";
    case HOST_ANOMALY:
        return "ANOMALY";
    case HOST_HEALING:
        return "HEALING";
    case HOST_STALE:
        return "STALE";
    }
    assert(!"a host state without a name");
    return "";
}

static uint64_t random_epoch(void) {
    uint64_t epoch = 0;
    if (getentropy(&epoch, sizeof epoch) != 0) /* then the time of day must do: only inequality matters */
        epoch = rng_mix((uint64_t)clock_realtime_ms());
    return epoch;
}

struct board *board_create(const struct feature_set *set, size_t max_hosts, size_t points_per_host,
                           size_t max_incidents) {
    assert(max_hosts > 0 && points_per_host > 0 && max_incidents > 0);
    struct board *board = xcalloc(1, sizeof *board);
    board->set = set;
    board->feature_count = feature_set_count(set);
    size_t bytes = sizeof(struct kept_point) + board->feature_count * sizeof(float);
    size_t alignment = _Alignof(struct kept_point);
    board->slot_bytes = (bytes + alignment - 1) / alignment * alignment;
    board->max_hosts = max_hosts;
    board->points_per_host = points_per_host;
    board->max_incidents = max_incidents;
    board->max_tallies = max_hosts * TALLIES_PER_HOST;
    board->epoch = random_epoch();
    board->hosts = xcalloc(max_hosts, sizeof(struct host_slot *));
    /* One more than stays: a new row goes in first and the oldest goes out then. */
    board->incidents = xcalloc(max_incidents + 1, sizeof(struct incident_row *));
    board->version = board->status_version = 1; /* 0 means "before everything" to an event stream */
    board->reload.successful = true;
    int failed = pthread_mutex_init(&board->lock, NULL);
    assert(!failed);
    (void)failed;
    return board;
}

const struct feature_set *board_features(const struct board *board) {
    return board->set;
}

uint64_t board_epoch(const struct board *board) {
    return board->epoch;
}

static void lock(struct board *board) {
    int failed = pthread_mutex_lock(&board->lock);
    assert(!failed);
    (void)failed;
}

static void unlock(struct board *board) {
    int failed = pthread_mutex_unlock(&board->lock);
    assert(!failed);
    (void)failed;
}

uint64_t board_version(struct board *board) {
    lock(board);
    uint64_t version = board->version;
    unlock(board);
    return version;
}

static struct kept_point *ring_slot(const struct board *board, const struct point_ring *ring,
                                    size_t position) {
    size_t slot = (ring->first + position) % ring->allocated;
    return (struct kept_point *)(void *)(ring->bytes + slot * board->slot_bytes);
}

/* Only ever called while the ring has not wrapped, so that the slots stay in order. */
static void ring_grow(const struct board *board, struct point_ring *ring) {
    assert(ring->first == 0);
    size_t slots = ring->allocated ? ring->allocated * 2 : RING_FIRST_SLOTS;
    if (slots > board->points_per_host)
        slots = board->points_per_host;
    ring->bytes = xrealloc(ring->bytes, slots, board->slot_bytes);
    ring->allocated = slots;
}

static void ring_append(const struct board *board, struct point_ring *ring, const struct board_point *point) {
    if (ring->count == ring->allocated && ring->allocated < board->points_per_host)
        ring_grow(board, ring);
    if (ring->count == ring->allocated)
        ring->first = (ring->first + 1) % ring->allocated;
    else
        ring->count++;
    struct kept_point *kept = ring_slot(board, ring, ring->count - 1);
    kept->at_ms = point->at_ms;
    kept->score = (float)point->score;
    kept->threshold = (float)point->threshold;
    kept->state = point->state;
    for (size_t i = 0; i < board->feature_count; i++)
        kept->values[i] = (float)point->values[i];
}

void board_put_host(struct board *board, uint32_t index, const struct host_row *row,
                    const struct board_point *point) {
    assert(index < board->max_hosts);
    lock(board);
    struct host_slot *slot = board->hosts[index];
    if (!slot)
        slot = board->hosts[index] = xcalloc(1, sizeof *slot);
    if (index >= board->host_count)
        board->host_count = index + 1;
    slot->row = *row;
    slot->row.version = ++board->version;
    if (point)
        ring_append(board, &slot->points, point);
    unlock(board);
}

static struct incident_row *find_incident(const struct board *board, const char *id) {
    for (size_t i = board->incident_count; i-- > 0;)
        if (strcmp(board->incidents[i]->incident.id, id) == 0)
            return board->incidents[i];
    return NULL;
}

static void forget_one_incident(struct board *board) {
    size_t oldest = 0; /* if nothing has ended, the oldest of all */
    for (size_t i = 0; i < board->incident_count; i++) {
        if (incident_is_ended(&board->incidents[i]->incident)) {
            oldest = i;
            break;
        }
    }
    free(board->incidents[oldest]);
    board->incident_count--;
    memmove(&board->incidents[oldest], &board->incidents[oldest + 1],
            (board->incident_count - oldest) * sizeof(struct incident_row *));
}

/* The archive hands over old incidents in its own order, so a row goes where its time says. */
static struct incident_row *insert_incident(struct board *board, int64_t opened_at_ms) {
    size_t place = board->incident_count;
    while (place > 0 && board->incidents[place - 1]->incident.opened_at_ms > opened_at_ms)
        place--;
    memmove(&board->incidents[place + 1], &board->incidents[place],
            (board->incident_count - place) * sizeof(struct incident_row *));
    board->incident_count++;
    return board->incidents[place] = xcalloc(1, sizeof(struct incident_row));
}

void board_put_incident(struct board *board, const struct incident_row *row) {
    assert(row->transition_count <= BOARD_TRANSITIONS_PER_INCIDENT);
    assert(row->action_count <= BOARD_ACTIONS_PER_INCIDENT);
    lock(board);
    struct incident_row *kept = find_incident(board, row->incident.id);
    if (!kept)
        kept = insert_incident(board, row->incident.opened_at_ms);
    *kept = *row;
    kept->version = ++board->version;
    if (board->incident_count > board->max_incidents)
        forget_one_incident(board);
    unlock(board);
}

static bool same_helper(const struct board_helper *a, const struct board_helper *b) {
    return strcmp(a->path, b->path) == 0 && strcmp(a->text, b->text) == 0 && a->reachable == b->reachable &&
           a->mode_act == b->mode_act && a->paused == b->paused && a->policy_ok == b->policy_ok &&
           a->deeds_last_hour == b->deeds_last_hour && a->budget_per_hour == b->budget_per_hour;
}

static bool same_status(const struct board_status *a, const struct board_status *b) {
    bool same = a->mode_act == b->mode_act && a->archive_failing == b->archive_failing &&
                a->core_depth == b->core_depth && a->core_capacity == b->core_capacity &&
                a->archive_depth == b->archive_depth && a->archive_capacity == b->archive_capacity &&
                a->series_active == b->series_active && a->helper_count == b->helper_count;
    for (size_t i = 0; same && i < a->helper_count; i++)
        same = same_helper(&a->helpers[i], &b->helpers[i]);
    return same;
}

void board_put_status(struct board *board, const struct board_status *status) {
    assert(status->helper_count <= sizeof status->helpers / sizeof status->helpers[0]);
    lock(board);
    if (!same_status(&board->status, status)) {
        board->status = *status;
        board->status_version = ++board->version;
    }
    unlock(board);
}

void board_put_reload(struct board *board, bool successful, int64_t now_ms) {
    lock(board);
    board->reload.successful = successful;
    if (successful)
        board->reload.last_success_ms = now_ms;
    board->status_version = ++board->version;
    unlock(board);
}

static void copy_text(char *out, size_t size, const char *text) {
    size_t length = strnlen(text, size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

static void count(struct board *board, struct tally_list *list, const char *host, const char *what,
                  const char *how) {
    for (size_t i = 0; i < list->count; i++) {
        struct board_tally *tally = &list->items[i];
        if (strcmp(tally->host, host) == 0 && strcmp(tally->what, what) == 0 &&
            strcmp(tally->how, how) == 0) {
            tally->count++;
            return;
        }
    }
    if (list->count == board->max_tallies)
        return;
    if (list->count == list->allocated) {
        list->allocated = list->allocated ? list->allocated * 2 : 16;
        list->items = xrealloc(list->items, list->allocated, sizeof *list->items);
    }
    struct board_tally *tally = &list->items[list->count++];
    memset(tally, 0, sizeof *tally);
    copy_text(tally->host, sizeof tally->host, host);
    copy_text(tally->what, sizeof tally->what, what);
    copy_text(tally->how, sizeof tally->how, how);
    tally->count = 1;
}

void board_count_incident(struct board *board, const char *host, const char *trigger) {
    lock(board);
    count(board, &board->incident_tallies, host, trigger, "");
    unlock(board);
}

void board_count_action(struct board *board, const char *host, const char *kind, const char *outcome) {
    lock(board);
    count(board, &board->action_tallies, host, kind, outcome);
    unlock(board);
}

size_t board_host_count(struct board *board) {
    lock(board);
    size_t host_count = board->host_count;
    unlock(board);
    return host_count;
}

bool board_get_host(struct board *board, uint32_t index, struct host_row *out) {
    if (index >= board->max_hosts)
        return false;
    lock(board);
    const struct host_slot *slot = board->hosts[index];
    if (slot)
        *out = slot->row;
    unlock(board);
    return slot != NULL;
}

bool board_next_host(struct board *board, uint64_t since, size_t *position, struct host_row *out) {
    bool found = false;
    lock(board);
    while (*position < board->host_count && !found) {
        const struct host_slot *slot = board->hosts[(*position)++];
        if (slot && slot->row.version > since) {
            *out = slot->row;
            found = true;
        }
    }
    unlock(board);
    return found;
}

bool board_find_host(struct board *board, const char *host, uint32_t *index) {
    bool found = false;
    lock(board);
    for (uint32_t i = 0; i < board->host_count && !found; i++) {
        if (board->hosts[i] && strcmp(board->hosts[i]->row.host, host) == 0) {
            *index = i;
            found = true;
        }
    }
    unlock(board);
    return found;
}

static void unpack_point(const struct board *board, const struct kept_point *kept, struct board_point *out) {
    memset(out, 0, sizeof *out);
    out->at_ms = kept->at_ms;
    out->score = kept->score;
    out->threshold = kept->threshold;
    out->state = kept->state;
    for (size_t i = 0; i < board->feature_count; i++)
        out->values[i] = kept->values[i];
}

size_t board_get_points(struct board *board, uint32_t index, int64_t since_ms, struct board_point *out,
                        size_t capacity) {
    if (index >= board->max_hosts)
        return 0;
    lock(board);
    size_t wanted = 0;
    if (board->hosts[index]) {
        const struct point_ring *ring = &board->hosts[index]->points;
        while (wanted < ring->count && wanted < capacity &&
               ring_slot(board, ring, ring->count - 1 - wanted)->at_ms >= since_ms)
            wanted++;
        for (size_t i = 0; i < wanted; i++)
            unpack_point(board, ring_slot(board, ring, ring->count - wanted + i), &out[i]);
    }
    unlock(board);
    return wanted;
}

size_t board_incident_count(struct board *board) {
    lock(board);
    size_t incident_count = board->incident_count;
    unlock(board);
    return incident_count;
}

bool board_get_incident(struct board *board, size_t position, struct incident_row *out) {
    lock(board);
    bool found = position < board->incident_count;
    if (found)
        *out = *board->incidents[board->incident_count - 1 - position];
    unlock(board);
    return found;
}

bool board_next_incident(struct board *board, uint64_t since, size_t *position, struct incident_row *out) {
    bool found = false;
    lock(board);
    while (*position < board->incident_count && !found) {
        const struct incident_row *row = board->incidents[board->incident_count - 1 - (*position)++];
        if (row->version > since) {
            *out = *row;
            found = true;
        }
    }
    unlock(board);
    return found;
}

bool board_find_incident(struct board *board, const char *id, struct incident_row *out) {
    lock(board);
    const struct incident_row *row = find_incident(board, id);
    if (row)
        *out = *row;
    unlock(board);
    return row != NULL;
}

void board_get_status(struct board *board, struct board_status *out) {
    lock(board);
    *out = board->status;
    unlock(board);
}

uint64_t board_status_version(struct board *board) {
    lock(board);
    uint64_t version = board->status_version;
    unlock(board);
    return version;
}

void board_get_reload(struct board *board, struct board_reload *out) {
    lock(board);
    *out = board->reload;
    unlock(board);
}

static size_t copy_tallies(struct board *board, const struct tally_list *list, struct board_tally *out,
                           size_t capacity) {
    lock(board);
    size_t total = list->count;
    size_t copied = total < capacity ? total : capacity;
    if (copied)
        memcpy(out, list->items, copied * sizeof *out);
    unlock(board);
    return total;
}

size_t board_get_incident_tallies(struct board *board, struct board_tally *out, size_t capacity) {
    return copy_tallies(board, &board->incident_tallies, out, capacity);
}

size_t board_get_action_tallies(struct board *board, struct board_tally *out, size_t capacity) {
    return copy_tallies(board, &board->action_tallies, out, capacity);
}

void board_destroy(struct board *board) {
    if (!board)
        return;
    for (size_t i = 0; i < board->host_count; i++) {
        if (board->hosts[i])
            free(board->hosts[i]->points.bytes);
        free(board->hosts[i]);
    }
    for (size_t i = 0; i < board->incident_count; i++)
        free(board->incidents[i]);
    free(board->hosts);
    free(board->incidents);
    free(board->incident_tallies.items);
    free(board->action_tallies.items);
    pthread_mutex_destroy(&board->lock);
    free(board);
}
