/* How pieces become points.
 *
 * Prometheus gives all samples of a scrape one timestamp and sends each series over one connection, in order;
 * different series may travel over different connections, at different speeds. So a timestamp names a point,
 * and up to two points may be open at once: one that still misses pieces, and the next one that has begun.
 *
 * A series is expected when it reported at the last closed point. A point is complete when all expected
 * series have reported; because every series keeps its order, a complete point also proves that the one
 * before it will get no more pieces. A series that is met for the first time may well come after the expected
 * ones and so be late; it is remembered, and expected from the next point on. */
#include "orient/assembly.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { OPEN_POINTS = 2, READY_POINTS = 4, FIRST_CAPACITY = 64 };

struct piece {
    bool present;
    double value;
};

struct tracked {
    uint64_t series; /* 0: empty slot */
    uint64_t inputs;
    bool expected;
    bool said_goodbye;         /* by a stale marker */
    int64_t last_timestamp_ms; /* of `last_value`; INT64_MIN: none, no rate can be made */
    double last_value;
    struct piece open[OPEN_POINTS]; /* parallel to assembly.open */
};

struct open_point {
    int64_t timestamp_ms;
    int64_t first_piece_at_ms, last_piece_at_ms; /* our monotonic clock */
    size_t expected_pieces;                      /* pieces of expected series so far */
};

struct assembly {
    const struct feature_set *set;
    struct assembly_settings settings;

    struct tracked *series; /* open addressing, capacity a power of two */
    size_t capacity, used, expected_count;

    struct open_point open[OPEN_POINTS]; /* oldest first */
    size_t open_count;
    int64_t closed_timestamp_ms; /* of the newest closed point */
    int64_t rebuilt_at_point_ms; /* closed_timestamp_ms when the table was last rebuilt */
    bool seeded;                 /* one point has been closed: there are rates */

    struct point ready[READY_POINTS]; /* closed, not yet taken; oldest first */
    size_t ready_count;
};

struct assembly *assembly_create(const struct feature_set *set, const struct assembly_settings *settings) {
    struct assembly *assembly = xcalloc(1, sizeof *assembly);
    assembly->set = set;
    assembly->settings = *settings;
    assembly->capacity = FIRST_CAPACITY;
    assembly->series = xcalloc(assembly->capacity, sizeof *assembly->series);
    assembly->closed_timestamp_ms = INT64_MIN;
    return assembly;
}

void assembly_destroy(struct assembly *assembly) {
    if (!assembly)
        return;
    free(assembly->series);
    free(assembly);
}

size_t assembly_series_count(const struct assembly *assembly) {
    return assembly->used;
}

/* The slot of `series`, or the empty one where it belongs. Series names are keyed hashes already. */
static struct tracked *slot_of(struct tracked *table, size_t capacity, uint64_t series) {
    size_t at = series & (capacity - 1);
    while (table[at].series != 0 && table[at].series != series)
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

static bool is_forgotten(const struct assembly *assembly, const struct tracked *tracked) {
    if (tracked->expected || tracked->open[0].present || tracked->open[1].present)
        return false;
    /* Not heard of for so long that its next value could not make a rate anyway. */
    return tracked->last_timestamp_ms == INT64_MIN ||
           tracked->last_timestamp_ms < assembly->closed_timestamp_ms - assembly->settings.max_gap_ms;
}

/* Makes room: leaves out series that have gone, and doubles the table if the rest still fills half of it. */
static void rebuild(struct assembly *assembly) {
    size_t staying = 0;
    for (size_t i = 0; i < assembly->capacity; i++)
        staying += assembly->series[i].series != 0 && !is_forgotten(assembly, &assembly->series[i]);
    size_t capacity = FIRST_CAPACITY;
    while (capacity < (staying + 1) * 2)
        capacity *= 2;
    struct tracked *table = xcalloc(capacity, sizeof *table);
    for (size_t i = 0; i < assembly->capacity; i++) {
        const struct tracked *tracked = &assembly->series[i];
        if (tracked->series != 0 && !is_forgotten(assembly, tracked))
            *slot_of(table, capacity, tracked->series) = *tracked;
    }
    free(assembly->series);
    assembly->series = table;
    assembly->capacity = capacity;
    assembly->used = staying;
    assembly->rebuilt_at_point_ms = assembly->closed_timestamp_ms;
}

/* NULL: the host has max_series already. */
static struct tracked *track(struct assembly *assembly, uint64_t series, uint64_t inputs) {
    if (series == 0) /* 0 marks an empty slot; one name in 2^64 is moved aside */
        series = 1;
    struct tracked *tracked = slot_of(assembly->series, assembly->capacity, series);
    if (tracked->series != 0)
        return tracked;
    /* At the limit, looking for series that have gone is worth one sweep a point, not one a sample. */
    bool may_sweep = assembly->rebuilt_at_point_ms != assembly->closed_timestamp_ms;
    if ((assembly->used + 1) * 4 > assembly->capacity * 3 ||
        (assembly->used >= assembly->settings.max_series && may_sweep)) {
        rebuild(assembly);
        tracked = slot_of(assembly->series, assembly->capacity, series);
    }
    if (assembly->used >= assembly->settings.max_series)
        return NULL;
    *tracked = (struct tracked){.series = series, .inputs = inputs, .last_timestamp_ms = INT64_MIN};
    assembly->used++;
    return tracked;
}

static void expect(struct assembly *assembly, struct tracked *tracked, bool expected) {
    if (tracked->expected == expected)
        return;
    tracked->expected = expected;
    if (expected)
        assembly->expected_count++;
    else
        assembly->expected_count--;
}

/* Per second since the last closed value; NaN if there is none that it could be measured against. */
static double rate_of(const struct assembly *assembly, const struct tracked *tracked, int64_t timestamp_ms,
                      double value) {
    if (tracked->last_timestamp_ms == INT64_MIN || timestamp_ms <= tracked->last_timestamp_ms)
        return NAN;
    int64_t interval_ms = timestamp_ms - tracked->last_timestamp_ms;
    if (interval_ms > assembly->settings.max_gap_ms)
        return NAN;
    /* A counter that fell was reset, and has counted from zero since. */
    double increase = value < tracked->last_value ? value : value - tracked->last_value;
    return increase * 1000 / (double)interval_ms;
}

static void reading_add(struct input_reading *reading, double value, double rate) {
    if (!isnan(value)) {
        reading->sum += value;
        reading->count++;
    }
    if (!isnan(rate)) {
        reading->rate_sum += rate;
        reading->rate_count++;
    }
}

/* There lately, and neither here nor gone for good: a sum over its inputs would be too small. One slow
 * connection that holds back most processors' idle times would make a quiet host look busy. */
static bool is_missing(const struct assembly *assembly, const struct tracked *tracked, int64_t timestamp_ms) {
    return !tracked->said_goodbye && tracked->last_timestamp_ms != INT64_MIN &&
           timestamp_ms - tracked->last_timestamp_ms <= assembly->settings.max_gap_ms;
}

/* False: the series has no value at this point. */
static bool read_series(struct assembly *assembly, struct tracked *tracked, int64_t timestamp_ms,
                        struct input_reading *inputs) {
    struct piece piece = tracked->open[0];
    tracked->open[0] = tracked->open[1];
    tracked->open[1] = (struct piece){0};
    bool reported = piece.present && !sample_is_stale_marker(piece.value);
    expect(assembly, tracked, reported);
    if (piece.present)
        tracked->said_goodbye = !reported;
    bool missing = !reported && is_missing(assembly, tracked, timestamp_ms);
    for (uint64_t left = missing ? tracked->inputs : 0; left != 0; left &= left - 1)
        inputs[__builtin_ctzll(left)].missing_count++;
    if (!reported)
        return false;
    double rate = rate_of(assembly, tracked, timestamp_ms, piece.value);
    for (uint64_t left = tracked->inputs; left != 0; left &= left - 1)
        reading_add(&inputs[__builtin_ctzll(left)], piece.value, rate);
    if (timestamp_ms > tracked->last_timestamp_ms) {
        tracked->last_timestamp_ms = timestamp_ms;
        tracked->last_value = piece.value;
    }
    return true;
}

static void make_ready(struct assembly *assembly, const struct open_point *closed, bool complete,
                       const struct input_reading *inputs) {
    if (assembly->ready_count == READY_POINTS) { /* nobody asked for a long time: the newest are worth most */
        assembly->ready_count--;
        memmove(&assembly->ready[0], &assembly->ready[1], assembly->ready_count * sizeof assembly->ready[0]);
    }
    struct point *point = &assembly->ready[assembly->ready_count++];
    point->timestamp_ms = closed->timestamp_ms;
    point->received_at_ms = closed->last_piece_at_ms;
    point->complete = complete;
    feature_set_compute(assembly->set, inputs, point->values);
}

/* Closes the oldest open point and makes it ready, unless it is the first of all (it has no rates) or nothing
 * but stale markers came (the host said goodbye). */
static void close_oldest(struct assembly *assembly) {
    struct open_point oldest = assembly->open[0];
    bool complete = assembly->seeded && oldest.expected_pieces >= assembly->expected_count;
    struct input_reading inputs[SELECTORS_MAX] = {0};
    size_t reported = 0;
    for (size_t i = 0; i < assembly->capacity; i++) {
        if (assembly->series[i].series != 0)
            reported += read_series(assembly, &assembly->series[i], oldest.timestamp_ms, inputs);
    }
    assembly->open[0] = assembly->open[1];
    assembly->open_count--;
    assembly->closed_timestamp_ms = oldest.timestamp_ms;
    if (assembly->open_count >
        0) { /* what is expected has changed: count again what the next one has of it */
        assembly->open[0].expected_pieces = 0;
        for (size_t i = 0; i < assembly->capacity; i++)
            assembly->open[0].expected_pieces +=
                assembly->series[i].expected && assembly->series[i].open[0].present;
    }
    if (assembly->seeded && reported > 0)
        make_ready(assembly, &oldest, complete, inputs);
    assembly->seeded = true;
}

/* The index of the open point of this time, opened if need be; -1: its time is over. */
static int open_point_of(struct assembly *assembly, int64_t timestamp_ms, int64_t now_ms) {
    for (size_t i = 0; i < assembly->open_count; i++) {
        if (assembly->open[i].timestamp_ms == timestamp_ms)
            return (int)i;
    }
    if (timestamp_ms <= assembly->closed_timestamp_ms)
        return -1;
    if (assembly->open_count == OPEN_POINTS) {
        if (timestamp_ms < assembly->open[0].timestamp_ms)
            return -1;
        close_oldest(assembly);
    }
    size_t at = assembly->open_count++;
    if (at == 1 &&
        timestamp_ms < assembly->open[0].timestamp_ms) { /* an older scrape, overtaken by a newer */
        assembly->open[1] = assembly->open[0];
        for (size_t i = 0; i < assembly->capacity; i++) {
            assembly->series[i].open[1] = assembly->series[i].open[0];
            assembly->series[i].open[0] = (struct piece){0};
        }
        at = 0;
    }
    assembly->open[at] = (struct open_point){.timestamp_ms = timestamp_ms, .first_piece_at_ms = now_ms};
    return (int)at;
}

/* Too late for its point, but not useless: the next rate is measured against it. */
static void remember_late(struct assembly *assembly, struct tracked *tracked,
                          const struct observation *piece) {
    if (piece->timestamp_ms != assembly->closed_timestamp_ms ||
        piece->timestamp_ms <= tracked->last_timestamp_ms)
        return;
    bool stale = sample_is_stale_marker(piece->value);
    expect(assembly, tracked, !stale);
    tracked->said_goodbye = stale;
    if (stale)
        return;
    tracked->last_timestamp_ms = piece->timestamp_ms;
    tracked->last_value = piece->value;
    for (size_t i = 0; i < assembly->open_count; i++)
        assembly->open[i].expected_pieces += tracked->open[i].present;
}

bool assembly_add(struct assembly *assembly, const struct observation *observation,
                  int64_t now_monotonic_ms) {
    struct tracked *tracked = track(assembly, observation->series, observation->inputs);
    if (!tracked)
        return false;
    int at = open_point_of(assembly, observation->timestamp_ms, now_monotonic_ms);
    if (at < 0) {
        remember_late(assembly, tracked, observation);
        return false;
    }
    if (tracked->open[at].present) /* a repeat: senders resend after a lost answer */
        return false;
    tracked->open[at] = (struct piece){true, observation->value};
    assembly->open[at].last_piece_at_ms = now_monotonic_ms;
    assembly->open[at].expected_pieces += tracked->expected;
    return true;
}

static bool is_complete(const struct assembly *assembly, size_t at) {
    return assembly->seeded && assembly->expected_count > 0 &&
           assembly->open[at].expected_pieces >= assembly->expected_count;
}

static bool oldest_may_close(const struct assembly *assembly, int64_t now_monotonic_ms) {
    if (assembly->open_count == 0)
        return false;
    for (size_t i = 0; i < assembly->open_count; i++) {
        if (is_complete(assembly, i))
            return true;
    }
    return now_monotonic_ms - assembly->open[0].first_piece_at_ms >= assembly->settings.settle_ms;
}

bool assembly_next(struct assembly *assembly, int64_t now_monotonic_ms, struct point *out) {
    while (assembly->ready_count == 0 && oldest_may_close(assembly, now_monotonic_ms))
        close_oldest(assembly);
    if (assembly->ready_count == 0)
        return false;
    *out = assembly->ready[0];
    assembly->ready_count--;
    memmove(&assembly->ready[0], &assembly->ready[1], assembly->ready_count * sizeof assembly->ready[0]);
    return true;
}

int64_t assembly_deadline_ms(const struct assembly *assembly) {
    if (assembly->ready_count > 0)
        return INT64_MIN;
    if (assembly->open_count == 0)
        return INT64_MAX;
    return assembly->open[0].first_piece_at_ms + assembly->settings.settle_ms;
}
