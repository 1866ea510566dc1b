#include "decide/incident.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[INCIDENT_STATE_COUNT] = {
    [INCIDENT_SUSPECTED] = "SUSPECTED",     [INCIDENT_OPEN] = "OPEN",
    [INCIDENT_REMEDIATING] = "REMEDIATING", [INCIDENT_VERIFYING] = "VERIFYING",
    [INCIDENT_RESOLVED] = "RESOLVED",       [INCIDENT_ESCALATED] = "ESCALATED",
};

/* The whole machine. Everything that is not listed here does not happen. */
static const struct {
    enum incident_state from;
    enum incident_event event;
    enum incident_state to;
} table[] = {
    {INCIDENT_SUSPECTED, EVENT_HELD, INCIDENT_OPEN},
    {INCIDENT_SUSPECTED, EVENT_BACK_TO_NORMAL, INCIDENT_RESOLVED},
    {INCIDENT_OPEN, EVENT_ACTION_SENT, INCIDENT_REMEDIATING},
    {INCIDENT_OPEN, EVENT_BACK_TO_NORMAL, INCIDENT_RESOLVED},
    {INCIDENT_OPEN, EVENT_NO_ACTION_LEFT, INCIDENT_ESCALATED},
    {INCIDENT_REMEDIATING, EVENT_ACTION_DONE, INCIDENT_VERIFYING},
    {INCIDENT_REMEDIATING, EVENT_ACTION_FAILED, INCIDENT_OPEN},
    {INCIDENT_VERIFYING, EVENT_BACK_TO_NORMAL, INCIDENT_RESOLVED},
    {INCIDENT_VERIFYING, EVENT_STILL_HIGH, INCIDENT_OPEN},
    {INCIDENT_ESCALATED, EVENT_BACK_TO_NORMAL, INCIDENT_RESOLVED},
};

static const char *const event_names[INCIDENT_EVENT_COUNT] = {
    [EVENT_HELD] = "held",
    [EVENT_BACK_TO_NORMAL] = "back_to_normal",
    [EVENT_ACTION_SENT] = "action_sent",
    [EVENT_NO_ACTION_LEFT] = "no_action_left",
    [EVENT_ACTION_DONE] = "action_done",
    [EVENT_ACTION_FAILED] = "action_failed",
    [EVENT_STILL_HIGH] = "still_high",
};

static void fill_transition(const struct incident *incident, enum incident_state from, const char *why,
                            struct transition *out) {
    *out = (struct transition){
        .sequence = incident->sequence,
        .from = from,
        .to = incident->state,
        .at_ms = incident->entered_at_ms,
    };
    snprintf(out->incident_id, sizeof out->incident_id, "%s", incident->id);
    snprintf(out->why, sizeof out->why, "%s", why);
}

void incident_begin(struct incident *incident, int64_t now_ms, const char *why, struct transition *out) {
    incident->state = INCIDENT_SUSPECTED;
    incident->opened_at_ms = incident->entered_at_ms = now_ms;
    incident->closed_at_ms = 0;
    incident->attempts = 0;
    incident->sequence = 1;
    fill_transition(incident, INCIDENT_SUSPECTED, why, out);
}

enum status incident_advance(struct incident *incident, enum incident_event event, int64_t now_ms,
                             const char *why, struct transition *out, struct error *err) {
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].from != incident->state || table[i].event != event)
            continue;
        enum incident_state from = incident->state;
        incident->state = table[i].to;
        incident->entered_at_ms = now_ms;
        incident->sequence++;
        if (event == EVENT_ACTION_SENT)
            incident->attempts++;
        if (incident->state == INCIDENT_RESOLVED)
            incident->closed_at_ms = now_ms;
        fill_transition(incident, from, why, out);
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "incident %s: %s does not happen in state %s", incident->id,
                     event_names[event], state_names[incident->state]);
}

bool incident_is_ended(const struct incident *incident) {
    return incident->state == INCIDENT_RESOLVED;
}

const char *incident_state_name(enum incident_state state) {
    return state_names[state];
}

bool incident_state_parse(const char *text, enum incident_state *out) {
    for (size_t i = 0; i < INCIDENT_STATE_COUNT; i++) {
        if (strcmp(state_names[i], text) == 0) {
            *out = (enum incident_state)i;
            return true;
        }
    }
    return false;
}
