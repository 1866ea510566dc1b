/* src/decide/response.h - one host's response to trouble: from the first suspicious point to the proven heal.
 *
 * Takes in points (already judged by the policy), and what the other rooms answer; asks them for things
 * through a table of functions and never waits. The steps of a deed, each of which may only follow the one
 * before:
 *
 *   1. the rule has held and the guards permit     -> ask the helper which processes are hot (harmless)
 *   2. the candidates came, one explains it        -> write the intention to the archive
 *   3. the intention is durable                    -> ask the helper for the deed, under the action's id
 *   4. the outcome came                            -> verify by the host's own points
 *
 * After a crash response_restore() takes up at step 3 or 4: the helper answers the same id with the same
 * outcome and never does a deed twice. A dry run (mode observe) walks the same path; the last step says
 * "would". Core thread only; reads no clock and no random source. */
#ifndef SENTINEL_DECIDE_RESPONSE_H
#define SENTINEL_DECIDE_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rng.h"
#include "decide/action.h"
#include "decide/incident.h"
#include "decide/policy.h"

/* None of these waits. STATUS_BUSY: ask again at the next tick. */
struct response_ports {
    void *context;
    enum status (*list)(void *context, uint32_t host, uint64_t request);
    enum status (*act)(void *context, uint32_t host, uint64_t request, const struct action *action);
    /* `transition` or `action` may be NULL. response_durable() comes with the same ticket once it is on disk.
     */
    enum status (*record)(void *context, uint32_t host, uint64_t ticket, const struct incident *incident,
                          const struct transition *transition, const struct action *action);
    void (*opened)(void *context, const struct incident *incident);
    void (*action_finished)(void *context, const struct action *action);
    void (*healed)(void *context, const struct incident *incident, int64_t seconds_ms);
};

/* What the guards need to know of the rest of the world. */
struct surroundings {
    bool has_helper;
    int64_t newest_sample_at_ms;     /* Unix, by our clock */
    unsigned hosts, hosts_anomalous; /* of the fleet */
};

struct response_settings {
    const struct policy *policy;
    const struct feature_set *set;
    int64_t stale_after_ms;
};

struct response;
/* `settings` and `rng` are borrowed and outlive it. `host` is copied. */
struct response *response_create(const struct response_settings *settings, const struct response_ports *ports,
                                 uint32_t host_index, const char *host, struct rng *rng);
void response_point(struct response *response, const struct assessment *assessment, const double *values,
                    const struct surroundings *around, struct moment now);
/* `status` is not STATUS_OK when the helper could not be asked; `text` then says why. */
void response_candidates(struct response *response, uint64_t request, enum status status, const char *text,
                         const struct candidate *candidates, size_t count, struct moment now);
void response_durable(struct response *response, uint64_t ticket, struct moment now);
void response_acted(struct response *response, uint64_t request, enum action_outcome outcome,
                    const char *reason, struct moment now);
/* Time passes: about once a second. */
void response_tick(struct response *response, struct moment now);
/* At start, before any point: an incident with its transitions and actions, oldest first. One that was ended
 * counts for the cool-down only. */
void response_restore(struct response *response, const struct incident *incident,
                      const struct transition *transitions, size_t transition_count,
                      const struct action *actions, size_t action_count, struct moment now);

/* The incident that is not ended, if it has got beyond suspicion; NULL: none. Borrowed until the next call.
 */
const struct incident *response_incident(const struct response *response);
/* The newest incident with all its steps, ended or not, so that its last one can be shown too; NULL: none
 * yet. */
struct incident_story {
    const struct incident *incident;
    const struct transition *transitions;
    size_t transition_count;
    const struct action *actions;
    size_t action_count;
};
bool response_story(const struct response *response, struct incident_story *out);
uint64_t
response_changes(const struct response *response); /* grows with every step: has the story changed? */
bool response_is_suspicious(const struct response *response); /* some rule saw something at the last point */
void response_destroy(struct response *response);

#endif
