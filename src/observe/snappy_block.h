/* src/observe/snappy_block.h - Snappy's block format, with a limit that is checked before allocating.
 *
 * Remote write 1.0, "Protocol": the body is one Snappy block; the framed format is refused. Pure. */
#ifndef SENTINEL_OBSERVE_SNAPPY_BLOCK_H
#define SENTINEL_OBSERVE_SNAPPY_BLOCK_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

/* `*out` points into `arena`. STATUS_TOO_LARGE: the claimed length is beyond `max_decoded_bytes`, or beyond
 * the arena's ceiling. STATUS_INVALID: not a Snappy block. */
MUST_CHECK enum status snappy_block_decode(const void *body, size_t body_len, size_t max_decoded_bytes,
                                           struct arena *arena, const unsigned char **out, size_t *out_len,
                                           struct error *err);

#endif
