/* src/observe/write_batch.h - what both versions of remote write have in common: how a batch grows, and what
 * a series must be to be in it. Seen by remote_write*.c only. Pure. */
#ifndef SENTINEL_OBSERVE_WRITE_BATCH_H
#define SENTINEL_OBSERVE_WRITE_BATCH_H

#include "observe/remote_write.h"

struct batch_builder {
    const struct remote_write_limits *limits;
    struct arena *arena;
    struct write_series *series; /* room for every series of the request */
    struct write_batch batch;
};

/* A series as it is on the wire, before it has been judged. */
struct raw_series {
    struct label *labels; /* in the sender's order, and may be re-ordered */
    size_t label_count;
    const struct sample *samples;
    struct write_counts counts;
    struct error flaw; /* what is already known to be wrong with it; STATUS_OK: nothing */
};

/* Both: STATUS_TOO_LARGE if it is beyond a limit of the request. */
MUST_CHECK enum status batch_begin(struct batch_builder *builder, const struct remote_write_limits *limits,
                                   struct arena *arena, size_t series, size_t samples, struct error *err);
/* Takes the series, or counts it as refused. */
void batch_add(struct batch_builder *builder, const struct raw_series *raw, size_t index);
MUST_CHECK enum status batch_end(struct batch_builder *builder, struct write_batch *out, struct error *err);

/* The allocator that hands out the request's arena to protobuf-c. When the arena is exhausted, unpacking
 * fails as it does for broken bytes, and unpack_failed() asks the arena which of the two it was. */
#define ARENA_ALLOCATOR(arena_)                                                                              \
    { .alloc = write_batch_allocate, .free = write_batch_release, .allocator_data = (arena_) }
void *write_batch_allocate(void *arena, size_t bytes);
void write_batch_release(void *arena, void *memory);
MUST_CHECK enum status unpack_failed(const struct arena *arena, const char *message, struct error *err);
MUST_CHECK enum status arena_is_too_small(struct error *err);

/* One function per version: the decompressed message becomes a batch. */
MUST_CHECK enum status remote_write_unpack_v1(const unsigned char *message, size_t length,
                                              const struct remote_write_limits *limits, struct arena *arena,
                                              struct write_batch *batch, struct error *err);
MUST_CHECK enum status remote_write_unpack_v2(const unsigned char *message, size_t length,
                                              const struct remote_write_limits *limits, struct arena *arena,
                                              struct write_batch *batch, struct error *err);

#endif
