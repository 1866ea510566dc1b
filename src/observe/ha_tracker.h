/* src/observe/ha_tracker.h - two Prometheus that watch the same hosts count once.
 *
 * A highly available pair sends everything twice, told apart by a replica label and held together by a
 * cluster label (Grafana Mimir's and Cortex' convention). Per cluster one replica is elected: the first that
 * is heard of. The others are turned down, which is a success for them, until the elected one has been silent
 * for the failover time. Thread-safe; asked once per change of replica within a request. */
#ifndef SENTINEL_OBSERVE_HA_TRACKER_H
#define SENTINEL_OBSERVE_HA_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ha_tracker;

struct ha_text {
    const char *bytes;
    size_t length;
};

struct ha_tracker *ha_tracker_create(size_t max_clusters, int64_t failover_ms);
/* May this replica speak for its cluster at `now_ms` (monotonic)? Being asked keeps the elected one elected.
 * A cluster beyond the limit is let through: counted twice is better than not at all. */
bool ha_tracker_accepts(struct ha_tracker *tracker, struct ha_text cluster, struct ha_text replica,
                        int64_t now_ms);
size_t ha_tracker_count(struct ha_tracker *tracker); /* clusters */
void ha_tracker_destroy(struct ha_tracker *tracker);

#endif
