/* src/decide/incident.h - one host's trouble, from first suspicion to the end.
 *
 *   SUSPECTED   -> OPEN         the trigger held for the rule's points
 *   SUSPECTED   -> RESOLVED     normal again before that
 *   OPEN        -> REMEDIATING  an action was permitted and is on its way
 *   OPEN        -> RESOLVED     normal again by itself
 *   OPEN        -> ESCALATED    no action is permitted, or attempts are spent
 *   REMEDIATING -> VERIFYING    the helper reported success
 *   REMEDIATING -> OPEN         the helper refused, failed or did not answer in time
 *   VERIFYING   -> RESOLVED     normal for the policy's points
 *   VERIFYING   -> OPEN         not normal when the settle time ended
 *   ESCALATED   -> RESOLVED     normal again: a person, or time, put it right
 *
 * incident_advance() performs every one of these and nothing else does; any other pair is STATUS_INVALID and
 * changes nothing. Core thread only. */
#ifndef SENTINEL_DECIDE_INCIDENT_H
#define SENTINEL_DECIDE_INCIDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum incident_state {
    INCIDENT_SUSPECTED,
    INCIDENT_OPEN,
    INCIDENT_REMEDIATING,
    INCIDENT_VERIFYING,
    INCIDENT_RESOLVED,
    INCIDENT_ESCALATED,
};
enum incident_event {
    EVENT_HELD,           /* the trigger held long enough */
    EVENT_BACK_TO_NORMAL, /* points are normal again, for as long as the policy asks */
    EVENT_ACTION_SENT,
    EVENT_NO_ACTION_LEFT,
    EVENT_ACTION_DONE,
    EVENT_ACTION_FAILED,
    EVENT_STILL_HIGH, /* the settle time ended and the host is not back to normal */
};
enum { INCIDENT_EVENT_COUNT = EVENT_STILL_HIGH + 1, INCIDENT_STATE_COUNT = INCIDENT_ESCALATED + 1 };

struct incident {
    char id[33]; /* 32 hex digits, chosen by core from its seed */
    char host[256];
    enum incident_state state;
    char trigger[32]; /* "forest", "failsafe" */
    char rule[64];
    char why[512];         /* leading features with value and usual range, for people */
    int64_t first_seen_ms; /* timestamp of the first anomalous sample */
    int64_t opened_at_ms;  /* Unix: when it was suspected */
    int64_t entered_at_ms; /* when this state began */
    int64_t closed_at_ms;  /* 0 while it is not RESOLVED */
    unsigned attempts;     /* deeds sent so far */
    uint32_t sequence;     /* of the last transition; 0: none yet */
    double peak_score;     /* NaN: never scored */
};

/* `sequence` counts from 1 within an incident: (incident_id, sequence) names a transition for ever. The
 * birth of an incident is transition 1 with from == to == INCIDENT_SUSPECTED. */
struct transition {
    char incident_id[33];
    uint32_t sequence;
    enum incident_state from, to;
    int64_t at_ms;
    char why[160];
};

/* Fills the incident's birth transition. */
void incident_begin(struct incident *incident, int64_t now_ms, const char *why, struct transition *out);
MUST_CHECK enum status incident_advance(struct incident *incident, enum incident_event event, int64_t now_ms,
                                        const char *why, struct transition *out, struct error *err);
bool incident_is_ended(
    const struct incident *incident); /* RESOLVED; an ESCALATED one still waits for normal */
const char *incident_state_name(enum incident_state state); /* "SUSPECTED" */
bool incident_state_parse(const char *text, enum incident_state *out);

#endif
