#include "base/counters.h"

#include <assert.h>
#include <stdatomic.h>

static _Atomic uint64_t counters[COUNTER_COUNT];

static const struct counter_description descriptions[COUNTER_COUNT] = {
#define X(id, name, labels, help) {name, labels, help},
    SENTINEL_COUNTERS(X)
#undef X
};

/* Decisions take micro- to milliseconds, heals take seconds to minutes: two ladders, one length. */
static const double bounds[HISTOGRAM_COUNT][HISTOGRAM_BUCKETS] = {
    [HISTOGRAM_DECISION_SECONDS] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                    0.1, 0.5, 1, 5},
    [HISTOGRAM_HEAL_SECONDS] = {1, 2, 4, 6, 8, 10, 15, 20, 30, 45, 60, 120, 300, 900},
};

static const char *const histogram_names[][2] = {
#define X(id, name, help) {name, help},
    SENTINEL_HISTOGRAMS(X)
#undef X
};

static struct {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS + 1]; /* not cumulative */
    _Atomic uint64_t sum_microseconds;
} histograms[HISTOGRAM_COUNT];

void counter_add(enum counter_id id, uint64_t amount) {
    assert(id < COUNTER_COUNT);
    atomic_fetch_add_explicit(&counters[id], amount, memory_order_relaxed);
}

uint64_t counter_read(enum counter_id id) {
    assert(id < COUNTER_COUNT);
    return atomic_load_explicit(&counters[id], memory_order_relaxed);
}

const struct counter_description *counter_describe(enum counter_id id) {
    assert(id < COUNTER_COUNT);
    return &descriptions[id];
}

void histogram_observe(enum histogram_id id, double seconds) {
    assert(id < HISTOGRAM_COUNT);
    if (!(seconds >= 0)) /* a clock that stepped back says nothing about how long it took */
        seconds = 0;
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS && seconds > bounds[id][bucket])
        bucket++;
    atomic_fetch_add_explicit(&histograms[id].buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histograms[id].sum_microseconds, (uint64_t)(seconds * 1e6),
                              memory_order_relaxed);
}

void histogram_read(enum histogram_id id, struct histogram_reading *out) {
    assert(id < HISTOGRAM_COUNT);
    out->name = histogram_names[id][0];
    out->help = histogram_names[id][1];
    uint64_t total = 0;
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        total += atomic_load_explicit(&histograms[id].buckets[i], memory_order_relaxed);
        out->cumulative[i] = total;
        if (i < HISTOGRAM_BUCKETS)
            out->upper_bounds[i] = bounds[id][i];
    }
    out->sum = (double)atomic_load_explicit(&histograms[id].sum_microseconds, memory_order_relaxed) * 1e-6;
}
