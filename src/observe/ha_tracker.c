#include "observe/ha_tracker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/alloc.h"
#include "base/counters.h"

struct cluster {
    UT_hash_handle hh;
    char *replica; /* the elected one */
    size_t replica_length;
    int64_t heard_at_ms;
    size_t name_length;
    char name[];
};

struct ha_tracker {
    pthread_mutex_t lock;
    struct cluster *clusters;
    size_t max_clusters;
    int64_t failover_ms;
};

struct ha_tracker *ha_tracker_create(size_t max_clusters, int64_t failover_ms) {
    struct ha_tracker *tracker = xcalloc(1, sizeof *tracker);
    pthread_mutex_init(&tracker->lock, NULL);
    tracker->max_clusters = max_clusters;
    tracker->failover_ms = failover_ms;
    return tracker;
}

static void elect(struct cluster *cluster, struct ha_text replica) {
    cluster->replica = xrealloc(cluster->replica, replica.length + 1, 1);
    memcpy(cluster->replica, replica.bytes, replica.length);
    cluster->replica_length = replica.length;
}

static void add_cluster(struct ha_tracker *tracker, struct ha_text name, struct ha_text replica,
                        int64_t now_ms) {
    struct cluster *cluster = xcalloc(1, sizeof *cluster + name.length + 1);
    memcpy(cluster->name, name.bytes, name.length);
    cluster->name_length = name.length;
    cluster->heard_at_ms = now_ms;
    elect(cluster, replica);
    HASH_ADD_KEYPTR(hh, tracker->clusters, cluster->name, cluster->name_length, cluster);
}

static bool is_elected(const struct cluster *cluster, struct ha_text replica) {
    return cluster->replica_length == replica.length &&
           memcmp(cluster->replica, replica.bytes, replica.length) == 0;
}

static bool accepts_locked(struct ha_tracker *tracker, struct ha_text name, struct ha_text replica,
                           int64_t now_ms) {
    struct cluster *cluster = NULL;
    HASH_FIND(hh, tracker->clusters, name.bytes, name.length, cluster);
    if (!cluster) {
        if (HASH_COUNT(tracker->clusters) < tracker->max_clusters)
            add_cluster(tracker, name, replica, now_ms);
        return true;
    }
    if (!is_elected(cluster, replica)) {
        if (now_ms - cluster->heard_at_ms < tracker->failover_ms)
            return false;
        elect(cluster, replica);
        counter_add(COUNTER_HA_FAILOVERS, 1);
    }
    cluster->heard_at_ms = now_ms;
    return true;
}

bool ha_tracker_accepts(struct ha_tracker *tracker, struct ha_text cluster, struct ha_text replica,
                        int64_t now_ms) {
    pthread_mutex_lock(&tracker->lock);
    bool accepts = accepts_locked(tracker, cluster, replica, now_ms);
    pthread_mutex_unlock(&tracker->lock);
    return accepts;
}

size_t ha_tracker_count(struct ha_tracker *tracker) {
    pthread_mutex_lock(&tracker->lock);
    size_t count = HASH_COUNT(tracker->clusters);
    pthread_mutex_unlock(&tracker->lock);
    return count;
}

void ha_tracker_destroy(struct ha_tracker *tracker) {
    if (!tracker)
        return;
    struct cluster *cluster = tracker->clusters;
    HASH_CLEAR(hh, tracker->clusters); /* the entries are still a list */
    while (cluster) {
        struct cluster *next = cluster->hh.next;
        free(cluster->replica);
        free(cluster);
        cluster = next;
    }
    pthread_mutex_destroy(&tracker->lock);
    free(tracker);
}
