/* src/archive/store.h - where incidents, transitions and actions go to be remembered.
 *
 * A store belongs to the archive thread and may block. Writing the same thing twice is STATUS_OK and stores
 * it once: transitions are named by (incident_id, sequence), actions by their id (an action is written as an
 * intention and again with its outcome; the later one wins), so a retry after a lost connection is safe. An
 * incident never goes back to an earlier sequence.
 *
 * STATUS_UNAVAILABLE means: keep it and try again. STATUS_CORRUPT: what is stored does not read back.
 * Text is stored as UTF-8: a byte that is none (names of processes are any bytes, and cutting to fit may
 * split a character) becomes '?'. */
#ifndef SENTINEL_ARCHIVE_STORE_H
#define SENTINEL_ARCHIVE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "decide/action.h"
#include "decide/incident.h"

/* One incident with its transitions and actions, each oldest first; everything is borrowed for the call. */
typedef void store_visitor(void *context, const struct incident *incident,
                           const struct transition *transitions, size_t transition_count,
                           const struct action *actions, size_t action_count);

struct store;
struct store_ops {
    const char *name; /* "sqlite", "memory" */
    /* One transaction: the incident as it is now, the transition that brought it there, and, if not NULL,
     * an action. Durable when it returns STATUS_OK. `transition` may be NULL when only the action changed. */
    enum status (*record)(struct store *store, const struct incident *incident,
                          const struct transition *transition, const struct action *action,
                          struct error *err);
    /* Incidents that are not RESOLVED, oldest first; the oldest `capacity` if there are more. */
    enum status (*load_open)(struct store *store, struct incident *out, size_t capacity, size_t *count,
                             struct error *err);
    /* Newest action of an incident; STATUS_NOT_FOUND if there is none. */
    enum status (*load_last_action)(struct store *store, const char *incident_id, struct action *out,
                                    struct error *err);
    /* Newest incidents first, at most `limit` of them. */
    enum status (*list)(struct store *store, size_t limit, store_visitor *each, void *context,
                        struct error *err);
    void (*close)(struct store *store);
};
struct store { /* first member of every implementation */
    const struct store_ops *ops;
};

/* Creates the file (mode 0640) and its tables, migrates an older schema, refuses a newer one. The error text
 * names the path and says what to do. */
MUST_CHECK enum status store_open_sqlite(const char *path, struct store **out, struct error *err);
struct store *store_open_memory(void); /* for tests; passes the same test suite */

MUST_CHECK enum status store_record(struct store *store, const struct incident *incident,
                                    const struct transition *transition, const struct action *action,
                                    struct error *err);
MUST_CHECK enum status store_load_open(struct store *store, struct incident *out, size_t capacity,
                                       size_t *count, struct error *err);
MUST_CHECK enum status store_load_last_action(struct store *store, const char *incident_id,
                                              struct action *out, struct error *err);
MUST_CHECK enum status store_list(struct store *store, size_t limit, store_visitor *each, void *context,
                                  struct error *err);
void store_close(struct store *store);

#endif
