/* src/observe/observation.h - what observe hands on: one wanted sample, and the batch it travels in.
 *
 * An http thread fills a batch per request and hands it to core through a queue; core frees it. Hosts and
 * inputs are small numbers here, so that core never compares text: `host` is an index into the host
 * directory, and bit i of `inputs` says that selector i of the feature set wants this series. */
#ifndef SENTINEL_OBSERVE_OBSERVATION_H
#define SENTINEL_OBSERVE_OBSERVATION_H

#include <stddef.h>
#include <stdint.h>

struct observation {
    uint64_t series;      /* keyed 64-bit hash of the whole label set: tells series of one host apart */
    uint64_t inputs;      /* bit i: selector i matches; never 0 */
    int64_t timestamp_ms; /* since the Unix epoch, by the sender's clock */
    double value;         /* may be a stale marker: see sample_is_stale_marker() */
    uint32_t host;
};

struct observation_batch {
    int64_t received_at_ms;           /* our wall clock */
    int64_t received_at_monotonic_us; /* for the time to a decision */
    size_t count;
    struct observation observations[]; /* the batch is from malloc; whoever holds it frees it */
};

#endif
