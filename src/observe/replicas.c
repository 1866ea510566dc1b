#include "observe/replicas.h"

#include <string.h>

/* The last pair that was asked about: a batch comes from one Prometheus, as a rule. */
struct last_asked {
    struct ha_text cluster, replica;
    bool is_known, accepts;
};

static const struct label *find(const struct label_set *set, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < set->count; i++)
        if (set->labels[i].name_len == length && memcmp(set->labels[i].name, name, length) == 0)
            return &set->labels[i];
    return NULL;
}

static bool is_same(struct ha_text a, struct ha_text b) {
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

static bool accepts(struct ha_tracker *tracker, const struct label *cluster, const struct label *replica,
                    int64_t now_ms, struct last_asked *last) {
    struct ha_text cluster_name = {cluster->value, cluster->value_len};
    struct ha_text replica_name = {replica->value, replica->value_len};
    if (last->is_known && is_same(last->cluster, cluster_name) && is_same(last->replica, replica_name))
        return last->accepts;
    *last = (struct last_asked){.cluster = cluster_name,
                                .replica = replica_name,
                                .is_known = true,
                                .accepts = ha_tracker_accepts(tracker, cluster_name, replica_name, now_ms)};
    return last->accepts;
}

/* A copy of the labels without `dropped`; false if the arena is exhausted. */
static bool without(struct arena *arena, const struct label *dropped, struct label_set *set) {
    struct label *labels = arena_alloc(arena, set->count * sizeof *labels);
    if (!labels)
        return false;
    size_t before = (size_t)(dropped - set->labels);
    memcpy(labels, set->labels, before * sizeof *labels);
    memcpy(labels + before, dropped + 1, (set->count - before - 1) * sizeof *labels);
    *set = (struct label_set){labels, set->count - 1};
    return true;
}

size_t replicas_filter(struct ha_tracker *tracker, const struct replica_labels *names, struct arena *arena,
                       struct write_batch *batch, int64_t now_ms, bool *fits) {
    struct last_asked last = {0};
    size_t turned_down = 0, kept = 0;
    struct write_series *series = arena_alloc(arena, batch->series_count * sizeof *series);
    *fits = series != NULL;
    for (size_t i = 0; *fits && i < batch->series_count; i++) {
        struct write_series one = batch->series[i];
        const struct label *cluster = find(&one.labels, names->cluster);
        const struct label *replica = find(&one.labels, names->replica);
        if (cluster && replica && !accepts(tracker, cluster, replica, now_ms, &last)) {
            turned_down += one.count;
            continue;
        }
        if (cluster && replica)
            *fits = without(arena, replica, &one.labels);
        series[kept++] = one;
    }
    if (*fits) {
        batch->series = series;
        batch->series_count = kept;
    }
    return turned_down;
}
