/* src/observe/remote_write.h - one request body becomes one batch of series.
 *
 * Pure: no I/O, no clock, no globals; any thread, given its own arena. Input is hostile until it has passed
 * here. Implements Prometheus remote write 1.0, "Protocol" (Snappy block format, protobuf), "Labels" and
 * "Stale Markers", and remote write 2.0, "Symbols" and "Partial Write". A series that breaks a rule is
 * refused by itself: the others of its batch are kept, what was in the refused ones is counted and the first
 * reason is remembered, because the answer is then 400. */
#ifndef SENTINEL_OBSERVE_REMOTE_WRITE_H
#define SENTINEL_OBSERVE_REMOTE_WRITE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "observe/series.h"

enum remote_write_version { REMOTE_WRITE_1_0, REMOTE_WRITE_2_0 };

struct remote_write_limits {
    size_t max_decoded_bytes; /* as claimed by the Snappy header, checked before allocating */
    size_t max_labels_per_series;
    size_t max_label_name_bytes, max_label_value_bytes;
    size_t max_samples; /* in one request */
};

struct write_series {
    struct label_set labels;
    const struct sample *samples;
    size_t count;
};

/* Native histograms, exemplars and metadata are checked and counted; no feature uses them. */
struct write_counts {
    size_t samples, histograms, exemplars, metadata;
};

struct write_batch {
    const struct write_series *series;
    size_t series_count;
    struct write_counts accepted; /* in `series` */
    struct write_counts refused;  /* in series that were left out */
    size_t refused_series;
    struct error refusal; /* why the first of them was; status is STATUS_OK if none was */
};

/* `body` is borrowed. On STATUS_OK everything in `batch` points into `arena`. */
MUST_CHECK enum status remote_write_decode(enum remote_write_version version, const void *body,
                                           size_t body_len, const struct remote_write_limits *limits,
                                           struct arena *arena, struct write_batch *batch, struct error *err);
/* 204, 400, 413 or 503; see "Retries & Backoff" for why STATUS_BUSY is a 5xx. */
int remote_write_http_status(enum status status, size_t refused_series);

#endif
