/* src/base/queue.h - the only way two threads talk.
 *
 * Bounded, many producers, one consumer, first in first out. An item belongs to the queue from a
 * successful push until it is popped; on STATUS_BUSY the caller still owns it. Items left at destruction
 * go to `discard`. Thread-safe. */
#ifndef SENTINEL_BASE_QUEUE_H
#define SENTINEL_BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct queue;

struct queue *queue_create(size_t capacity, void (*discard)(void *item));
/* Never waits. STATUS_BUSY: full. STATUS_UNAVAILABLE: closed. The caller owns the item after both. */
MUST_CHECK enum status queue_try_push(struct queue *queue, void *item);
/* NULL: timed out, or closed and empty. A negative timeout waits for ever. */
void *queue_pop(struct queue *queue, int64_t timeout_ms);
/* No more pushes; the consumer drains what is left. */
void queue_close(struct queue *queue);
size_t queue_depth(struct queue *queue);
size_t queue_capacity(const struct queue *queue);
void queue_destroy(struct queue *queue);

#endif
