/* src/observe/replicas.h - the batch of one request, as far as its replica speaks for its cluster.
 *
 * Takes the series of replicas that are not elected out of the batch and the replica label off the others, so
 * that a series stays the same one when its sender's partner takes over. Any thread, given its own batch. */
#ifndef SENTINEL_OBSERVE_REPLICAS_H
#define SENTINEL_OBSERVE_REPLICAS_H

#include "base/arena.h"
#include "observe/ha_tracker.h"
#include "observe/remote_write.h"

struct replica_labels {
    const char *cluster, *replica;
};

/* Returns how many samples were taken out; `batch` gets a new list of series in `arena`, its counts stay.
 * False in `*fits`: the arena is exhausted. */
size_t replicas_filter(struct ha_tracker *tracker, const struct replica_labels *names, struct arena *arena,
                       struct write_batch *batch, int64_t now_ms, bool *fits);

#endif
