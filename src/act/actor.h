/* src/act/actor.h - carries deeds to one helper, and asks it every few seconds how it is.
 *
 * One actor is one thread with one connection, so a helper that takes its time (TERM, grace, KILL) holds up
 * nobody else's. Requests wait in a bounded queue; answers go to `deliver`, on the actor's thread, which
 * takes the answer over (free() it). */
#ifndef SENTINEL_ACT_ACTOR_H
#define SENTINEL_ACT_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "act/helper_client.h"
#include "base/status.h"
#include "decide/action.h"

enum act_kind { ACT_LIST, ACT_DEED, ACT_STATUS };

struct act_answer {
    enum act_kind kind;
    size_t actor;     /* which one answers: the number it was created with */
    uint32_t host;    /* as asked */
    uint64_t request; /* as asked */
    enum status status;
    char text[192]; /* why, when status is not STATUS_OK; the outcome's reason after a deed */
    enum action_outcome outcome;
    struct helper_status helper; /* after ACT_STATUS */
    size_t candidate_count;
    struct candidate candidates[CANDIDATES_MAX];
};

struct actor;
struct actor *actor_create(size_t number, const char *socket_path,
                           void (*deliver)(void *context, struct act_answer *answer), void *context);
MUST_CHECK enum status actor_start(struct actor *actor, struct error *err);
MUST_CHECK enum status actor_list(struct actor *actor, uint32_t host, uint64_t request);
/* Copies the action's id, kind, handle and dry_run. */
MUST_CHECK enum status actor_deed(struct actor *actor, uint32_t host, uint64_t request,
                                  const struct action *action);
/* A deed under way is waited for. */
void actor_stop(struct actor *actor);
void actor_destroy(struct actor *actor);

#endif
