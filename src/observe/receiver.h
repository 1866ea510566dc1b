/* src/observe/receiver.h - POST /api/v1/write: from a request to observations in core's queue.
 *
 * Remote write 1.0 and 2.0, told apart by the Content-Type alone. Judges the headers before the body,
 * decodes, asks the thread's series cache, and hands the wanted samples to core in one batch. All or nothing
 * at the queue: when core's queue is full nothing is kept and the answer is 503 with Retry-After, so that the
 * sender offers the same body again (remote write 1.0, "Retries & Backoff"). */
#ifndef SENTINEL_OBSERVE_RECEIVER_H
#define SENTINEL_OBSERVE_RECEIVER_H

#include "observe/http_server.h"
#include "observe/observation.h"
#include "observe/remote_write.h"
#include "observe/series.h"

struct receiver_settings {
    struct remote_write_limits limits;
    const char *host_label;
    size_t threads;         /* of the http server: one arena and one series cache each */
    size_t max_series;      /* over all threads */
    size_t max_arena_bytes; /* ceiling of one request */
    int64_t max_future_ms;  /* a sample dated further ahead than this is counted, never used, and 400 */
    /* Pairs of Prometheus (ha_tracker.h); `replica_label` NULL: none are looked for. Copied. */
    const char *cluster_label, *replica_label;
    size_t max_clusters;
    int64_t failover_ms;
};

struct receiver;
/* `deliver` takes the batch over on STATUS_OK; on STATUS_BUSY the receiver keeps and frees it. It is called
 * on http threads. `table` and `directory` are borrowed. */
struct receiver *receiver_create(const struct receiver_settings *settings, const struct selector_table *table,
                                 struct host_directory *directory,
                                 enum status (*deliver)(void *context, struct observation_batch *batch),
                                 void *context);
http_handler receiver_handle_write;                            /* context: the receiver */
size_t receiver_series_count(const struct receiver *receiver); /* over all threads; any thread */
void receiver_destroy(struct receiver *receiver);

#endif
