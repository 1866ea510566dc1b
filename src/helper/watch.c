#include "helper/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* A pause longer than this many sample intervals, and than a minute, is no interval any more. */
enum { GAP_INTERVALS = 10, GAP_LEAST_MS = 60000 };

/* Only the pages that processes fill are ever touched, so the size of the tables costs address space. */
struct table {
    size_t count;
    struct watched rows[PROCESSES_MAX]; /* by pid, ascending */
    int64_t hot_since_ms[POLICY_RULES_MAX][PROCESSES_MAX];
};

struct watch {
    struct table *now, *before;
    struct process_sample *scanned;
    uint64_t *reaped_ns; /* per row of `now`: CPU of vanished children that was counted while they lived */
    int64_t updated_at_ms;
};

struct watch *watch_create(void) {
    struct watch *watch = xcalloc(1, sizeof *watch);
    watch->now = xcalloc(1, sizeof *watch->now);
    watch->before = xcalloc(1, sizeof *watch->before);
    watch->scanned = xcalloc(PROCESSES_MAX, sizeof *watch->scanned);
    watch->reaped_ns = xcalloc(PROCESSES_MAX, sizeof *watch->reaped_ns);
    return watch;
}

static int compare_samples(const void *a, const void *b) {
    int32_t left = ((const struct process_sample *)a)->id.pid,
            right = ((const struct process_sample *)b)->id.pid;
    return (left > right) - (left < right);
}

static int compare_rows(const void *pid, const void *row) {
    int32_t left = *(const int32_t *)pid, right = ((const struct watched *)row)->sample.id.pid;
    return (left > right) - (left < right);
}

static struct watched *find_pid(struct table *table, int32_t pid) {
    return bsearch(&pid, table->rows, table->count, sizeof table->rows[0], compare_rows);
}

static struct watched *find(struct table *table, struct process_id id) {
    struct watched *row = find_pid(table, id.pid);
    return row && process_id_equals(row->sample.id, id) ? row : NULL;
}

/* procfs lists by number already; then this only looks. */
static void sort_samples(struct process_sample *samples, size_t count) {
    for (size_t i = 1; i < count; i++) {
        if (samples[i - 1].id.pid > samples[i].id.pid) {
            qsort(samples, count, sizeof samples[0], compare_samples);
            return;
        }
    }
}

/* What vanished was reaped by its parent, or, if that vanished too, by the nearest ancestor still there. */
static void credit_reaped(struct watch *watch) {
    memset(watch->reaped_ns, 0, watch->now->count * sizeof watch->reaped_ns[0]);
    for (size_t i = 0; i < watch->before->count; i++) {
        const struct process_sample *gone = &watch->before->rows[i].sample;
        if (find(watch->now, gone->id))
            continue;
        const struct watched *parent = find_pid(watch->before, gone->parent), *heir = NULL;
        for (size_t step = 0; parent && !heir && step < LINEAGE_MAX; step++) {
            heir = find(watch->now, parent->sample.id);
            parent = find_pid(watch->before, parent->sample.parent);
        }
        if (heir)
            watch->reaped_ns[heir - watch->now->rows] += gone->own_ns + gone->children_ns;
    }
}

static uint64_t grown(uint64_t now, uint64_t before) {
    return now > before ? now - before : 0; /* counters that go back say nothing */
}

static double share(const struct process_sample *now, const struct process_sample *before, uint64_t reaped_ns,
                    int64_t interval_ms) {
    uint64_t children_ns = grown(grown(now->children_ns, before->children_ns), reaped_ns);
    uint64_t used_ns = grown(now->own_ns, before->own_ns) + children_ns;
    return (double)used_ns / ((double)interval_ms * 1e6);
}

static void measure(struct watch *watch, size_t i, const struct helper_policy *policy, int64_t from_ms,
                    int64_t now_ms) {
    struct table *now = watch->now, *before = watch->before;
    const struct watched *old = find(before, now->rows[i].sample.id);
    if (old)
        now->rows[i].cpu = share(&now->rows[i].sample, &old->sample, watch->reaped_ns[i], now_ms - from_ms);
    for (size_t rule = 0; rule < policy->rule_count; rule++) {
        int64_t since_ms = old ? before->hot_since_ms[rule][old - before->rows] : 0;
        bool hot = old && now->rows[i].cpu >= policy->rules[rule].min_cpu;
        now->hot_since_ms[rule][i] = !hot ? 0 : since_ms ? since_ms : from_ms;
    }
}

enum status watch_update(struct watch *watch, struct processes *processes, const struct helper_policy *policy,
                         int64_t now_ms, struct error *err) {
    size_t count;
    enum status status = processes->scan(processes, watch->scanned, PROCESSES_MAX, &count, err);
    if (status != STATUS_OK)
        return status;
    sort_samples(watch->scanned, count);
    struct table *oldest = watch->before;
    watch->before = watch->now;
    watch->now = oldest;
    watch->now->count = count;
    for (size_t i = 0; i < count; i++)
        watch->now->rows[i] = (struct watched){.sample = watch->scanned[i]};
    int64_t from_ms = watch->updated_at_ms;
    watch->updated_at_ms = now_ms;
    int64_t gap_ms = GAP_INTERVALS * policy->sample_interval_ms;
    if (gap_ms < GAP_LEAST_MS)
        gap_ms = GAP_LEAST_MS;
    if (from_ms == 0 || now_ms <= from_ms || now_ms - from_ms > gap_ms)
        watch->before->count = 0; /* whatever was known is too old to be an interval's beginning */
    credit_reaped(watch);
    for (size_t i = 0; i < count; i++)
        measure(watch, i, policy, from_ms, now_ms);
    return STATUS_OK;
}

int64_t watch_updated_at_ms(const struct watch *watch) {
    return watch->updated_at_ms;
}

const struct watched *watch_find(const struct watch *watch, struct process_id id) {
    return find(watch->now, id);
}

int64_t watch_hot_since_ms(const struct watch *watch, const struct watched *row, size_t rule) {
    return watch->now->hot_since_ms[rule][row - watch->now->rows];
}

size_t watch_hottest(const struct watch *watch, double floor, const struct watched **out, size_t capacity) {
    size_t count = 0;
    for (size_t i = 0; i < watch->now->count; i++) {
        const struct watched *row = &watch->now->rows[i];
        if (row->cpu < floor || (count == capacity && row->cpu <= out[count - 1]->cpu))
            continue;
        size_t at = count < capacity ? count++ : count - 1;
        for (; at > 0 && out[at - 1]->cpu < row->cpu; at--)
            out[at] = out[at - 1];
        out[at] = row;
    }
    return count;
}

void watch_destroy(struct watch *watch) {
    if (!watch)
        return;
    free(watch->now);
    free(watch->before);
    free(watch->scanned);
    free(watch->reaped_ns);
    free(watch);
}
