/* src/sentineld/engine.h - the threads behind the http server, and the queues between them.
 *
 *   http x N --observations--> core --deeds--> actor (one a helper)
 *                              | ^ \--records--> archive
 *                      windows v | forests
 *                            trainer
 *
 * One queue leads into core. http threads try to push and answer 503 when it is full; the other threads wait
 * for room, which core always makes because it never waits itself. */
#ifndef SENTINEL_SENTINELD_ENGINE_H
#define SENTINEL_SENTINELD_ENGINE_H

#include <stdbool.h>

#include "archive/store.h"
#include "sentineld/core.h"

struct engine_settings {
    struct core_settings core;              /* its policy is copied: see engine_set_policy() */
    size_t queue_capacity;                  /* of batches waiting for core */
    size_t archive_capacity;                /* of records waiting for the database */
    size_t (*series_active)(void *context); /* for the board; may be NULL */
    void *series_context;
};

struct engine;
/* Takes the store over, also on failure, and takes up what it says was left unfinished. What the settings
 * point to outlives the engine. */
MUST_CHECK enum status engine_create(const struct engine_settings *settings, struct store *store,
                                     struct engine **out, struct error *err);
MUST_CHECK enum status engine_start(struct engine *engine, struct error *err);
/* The receiver's port: takes the batch over on STATUS_OK. Any thread. */
enum status engine_deliver(void *engine, struct observation_batch *batch);
/* For /-/ready: the archive answers and core is running. Any thread. */
bool engine_is_ready(void *engine);
/* From the next point on. Copied. Any thread. */
void engine_set_policy(struct engine *engine, const struct policy *policy);
/* Core takes in what is queued, the archive writes what is queued (at most `grace_ms`), all threads end. */
void engine_stop(struct engine *engine, int64_t grace_ms);
void engine_destroy(struct engine *engine);

#endif
