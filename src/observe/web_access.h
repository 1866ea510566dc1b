/* src/observe/web_access.h - may this request be served?
 *
 * Holds the current web configuration, and re-reads it when it changes. A bearer token is judged at once. A
 * password costs a bcrypt, a tenth of a second by design, which no http thread may spend: the first time it
 * comes, a thread of its own works on it and the request waits; then the verdict is remembered under a keyed
 * digest of the credentials for a while, so that a sender pays once. Wrong ones are remembered too, and as
 * many as may wait are bounded, so that guessing costs the guesser and not the senders. Thread-safe.
 * Comparisons of secrets take the same time whatever they find. */
#ifndef SENTINEL_OBSERVE_WEB_ACCESS_H
#define SENTINEL_OBSERVE_WEB_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "observe/web_config.h"

enum web_verdict {
    WEB_ALLOWED,
    WEB_UNKNOWN,   /* 401: no credentials, or wrong ones */
    WEB_FORBIDDEN, /* 403: known, and not permitted */
    WEB_PENDING,   /* `known` will be called; then ask again */
    WEB_BUSY,      /* 503: too many passwords wait to be judged */
};

struct web_access;

/* Reads `path` and starts its thread. `changed` is called on that thread after each time that a changed file
 * was read (err NULL) or refused (err says why; the old configuration stays). Once for each reason. */
MUST_CHECK enum status web_access_create(const char *path,
                                         void (*changed)(void *context, const struct error *err),
                                         void *context, struct web_access **out, struct error *err);
/* Looks for a change now instead of within two seconds. */
void web_access_reload(struct web_access *access);
/* The current configuration. One that is replaced stays alive until the end: they are small and few. */
const struct web_config *web_access_config(const struct web_access *access);

/* `authorization` is the header's value. `known` is called once on the access thread if the verdict is
 * WEB_PENDING; it must not call back into here. */
enum web_verdict web_access_judge(struct web_access *access, enum web_permission needed,
                                  const char *authorization, size_t length, void (*known)(void *argument),
                                  void *argument);
/* What still waits is told at once, unjudged: the http server is stopping. */
void web_access_cancel(struct web_access *access);
void web_access_destroy(struct web_access *access); /* after the http server has stopped */

#endif
