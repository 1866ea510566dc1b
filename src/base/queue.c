#include "base/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty;
    void (*discard)(void *item);
    size_t capacity, head, depth;
    bool closed;
    void *items[];
};

struct queue *queue_create(size_t capacity, void (*discard)(void *item)) {
    assert(capacity > 0);
    struct queue *queue = xcalloc(1, sizeof *queue + capacity * sizeof queue->items[0]);
    queue->capacity = capacity;
    queue->discard = discard;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifndef __APPLE__ /* macOS has no pthread_condattr_setclock; pop uses a relative wait there */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(&queue->not_empty, &attributes);
    pthread_condattr_destroy(&attributes);
    return queue;
}

enum status queue_try_push(struct queue *queue, void *item) {
    assert(item);
    enum status status = STATUS_OK;
    pthread_mutex_lock(&queue->lock);
    if (queue->closed) {
        status = STATUS_UNAVAILABLE;
    } else if (queue->depth == queue->capacity) {
        status = STATUS_BUSY;
    } else {
        queue->items[(queue->head + queue->depth) % queue->capacity] = item;
        queue->depth++;
        pthread_cond_signal(&queue->not_empty);
    }
    pthread_mutex_unlock(&queue->lock);
    return status;
}

/* Waits once; false: the deadline has passed. */
static bool wait_until(struct queue *queue, const struct timespec *deadline) {
#ifdef __APPLE__
    struct timespec now, left;
    clock_gettime(CLOCK_MONOTONIC, &now);
    left.tv_sec = deadline->tv_sec - now.tv_sec;
    left.tv_nsec = deadline->tv_nsec - now.tv_nsec;
    if (left.tv_nsec < 0) {
        left.tv_sec--;
        left.tv_nsec += 1000000000L;
    }
    if (left.tv_sec < 0)
        return false;
    return pthread_cond_timedwait_relative_np(&queue->not_empty, &queue->lock, &left) != ETIMEDOUT;
#else
    return pthread_cond_timedwait(&queue->not_empty, &queue->lock, deadline) != ETIMEDOUT;
#endif
}

void *queue_pop(struct queue *queue, int64_t timeout_ms) {
    struct timespec deadline = {0};
    if (timeout_ms >= 0) {
        clock_gettime(CLOCK_MONOTONIC, &deadline);
        deadline.tv_sec += timeout_ms / 1000;
        deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
        if (deadline.tv_nsec >= 1000000000L) {
            deadline.tv_sec++;
            deadline.tv_nsec -= 1000000000L;
        }
    }
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    while (queue->depth == 0 && !queue->closed) {
        if (timeout_ms < 0)
            pthread_cond_wait(&queue->not_empty, &queue->lock);
        else if (!wait_until(queue, &deadline))
            break;
    }
    if (queue->depth > 0) {
        item = queue->items[queue->head];
        queue->head = (queue->head + 1) % queue->capacity;
        queue->depth--;
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void queue_close(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_empty);
    pthread_mutex_unlock(&queue->lock);
}

size_t queue_depth(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    size_t depth = queue->depth;
    pthread_mutex_unlock(&queue->lock);
    return depth;
}

size_t queue_capacity(const struct queue *queue) {
    return queue->capacity;
}

void queue_destroy(struct queue *queue) {
    if (!queue)
        return;
    for (size_t i = 0; i < queue->depth; i++)
        queue->discard(queue->items[(queue->head + i) % queue->capacity]);
    pthread_cond_destroy(&queue->not_empty);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}
