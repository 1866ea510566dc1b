/* src/sentineld/core.h - all mutable state of the loop: hosts, their points, models and responses.
 *
 * Everything comes in as a call with the time as a parameter and goes out through a table of functions that
 * never waits, so the same calls with the same seeds give the same decisions, bit for bit. No locks: one
 * thread owns it (see engine.h). */
#ifndef SENTINEL_SENTINELD_CORE_H
#define SENTINEL_SENTINELD_CORE_H

#include "act/actor.h"
#include "base/clock.h"
#include "decide/policy.h"
#include "decide/response.h"
#include "observe/host_directory.h"
#include "observe/observation.h"
#include "orient/assembly.h"
#include "orient/model.h"
#include "present/board.h"

/* Which helper answers for which host. Explicit: telemetry that merely claims to be of some host must not
 * lead to a deed on the machine where a helper happens to run. */
struct helper_mapping {
    char host[HOST_NAME_SIZE];
    char socket_path[108];
};

struct core_settings {
    const struct feature_set *set;
    const struct policy *policy;
    struct host_directory *directory;
    struct board *board;
    struct assembly_settings assembly;
    struct model_settings model; /* its seed is mixed with each host's name */
    int64_t stale_after_ms;
    const struct helper_mapping *helpers; /* index: the actor's number */
    size_t helper_count;
    uint64_t id_seed; /* for incident and action ids */
};

struct core_ports {
    void *context;
    /* Takes the training over on STATUS_OK. */
    enum status (*train)(void *context, uint32_t host, struct training *training);
    enum status (*list)(void *context, size_t actor, uint32_t host, uint64_t request);
    enum status (*act)(void *context, size_t actor, uint32_t host, uint64_t request,
                       const struct action *action);
    enum status (*record)(void *context, uint64_t ticket, const struct incident *incident,
                          const struct transition *transition, const struct action *action);
};

struct core;
/* Everything in `settings` and `ports` is copied; what they point to outlives the core. */
struct core *core_create(const struct core_settings *settings, const struct core_ports *ports);
/* At start, before anything else: takes up an incident that was not ended. Of one that was, only a deed so
 * recent that the host must still rest is remembered. STATUS_TOO_LARGE: more hosts than allowed. */
MUST_CHECK enum status core_restore(struct core *core, const struct incident *incident,
                                    const struct transition *transitions, size_t transition_count,
                                    const struct action *actions, size_t action_count, struct moment now,
                                    struct error *err);
/* Returns how many points were judged. The batch stays the caller's. */
size_t core_observe(struct core *core, const struct observation_batch *batch, struct moment now);
void core_trained(struct core *core, uint32_t host, struct training *training); /* takes it over */
void core_answered(struct core *core, const struct act_answer *answer, struct moment now);
void core_durable(struct core *core, uint64_t ticket, struct moment now);
/* Time passes: a few times a second. Closes points that have settled, finds hosts that fell silent. */
void core_tick(struct core *core, struct moment now);
/* Fits the newest steps of an incident's story into a row of the board. */
void core_fill_incident_row(const struct incident_story *story, struct incident_row *row);

void core_destroy(struct core *core);

#endif
