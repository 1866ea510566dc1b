/* src/archive/archive.h - the only thread that touches a database.
 *
 * Core submits records and goes on; when a record is durable the archive says so, in order, through
 * `durable`. A record that fails is tried again with backoff, and nothing overtakes it, so records become
 * durable exactly once and in order. The queue is bounded: STATUS_BUSY is core's to handle (it keeps the
 * incident where it is and asks again), never a wait. */
#ifndef SENTINEL_ARCHIVE_ARCHIVE_H
#define SENTINEL_ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/store.h"

struct archive_record {
    uint64_t ticket; /* chosen by core; given back through `durable` */
    struct incident incident;
    bool has_transition, has_action;
    struct transition transition;
    struct action action;
};

struct archive;
/* Takes the store over, also when the archive is never started. `durable` is called on the archive thread. */
struct archive *archive_create(struct store *store, size_t capacity,
                               void (*durable)(void *context, uint64_t ticket), void *context);
MUST_CHECK enum status archive_start(struct archive *archive, struct error *err);
/* Copies the record. STATUS_BUSY: the queue is full. STATUS_UNAVAILABLE: the archive has been stopped. */
MUST_CHECK enum status archive_submit(struct archive *archive, const struct archive_record *record);
size_t archive_depth(struct archive *archive);
size_t archive_capacity(struct archive *archive);
bool archive_is_failing(struct archive *archive); /* the last write failed; any thread */
/* Writes what is queued (for at most `grace_ms` and the store's own waiting time), joins the thread, closes
 * the store. What is still not written then is logged with its incident and lost to this process; core reads
 * the store again at its next start. Once only; destroying stops with no grace. */
void archive_stop(struct archive *archive, int64_t grace_ms);
void archive_destroy(struct archive *archive);

#endif
