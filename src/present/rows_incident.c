#include "present/reply.h"
#include "present/rows.h"

const struct action *incident_last_action(const struct incident_row *row) {
    return row->action_count ? &row->actions[row->action_count - 1] : NULL;
}

/* Whether a real process is named: not in "no process explains this", and not when the helper was away. */
static bool has_target(const struct action *action) {
    return action->target.comm[0] != '\0' || action->target.pid != 0;
}

/* Seconds from `from` to `to`; null while either has not come. */
static json_t *seconds_between(int64_t from_ms, int64_t to_ms) {
    if (from_ms == 0 || to_ms == 0)
        return json_null();
    return reply_number((double)(to_ms - from_ms) / 1000);
}

static void set_deed(json_t *object, const struct action *action) {
    bool target = action && has_target(action);
    reply_set(object, "action", action ? reply_text(action_kind_name(action->kind)) : json_null());
    reply_set(object, "dry_run", action ? json_boolean(action->dry_run) : json_null());
    reply_set(object, "outcome", action ? reply_text(action_outcome_name(action->outcome)) : json_null());
    reply_set(object, "reason", action ? reply_text(action->reason) : json_null());
    reply_set(object, "intended", action ? reply_time(action->intended_at_ms) : json_null());
    reply_set(object, "finished", action ? reply_time(action->finished_at_ms) : json_null());
    reply_set(object, "action_seconds",
              action ? seconds_between(action->intended_at_ms, action->finished_at_ms) : json_null());
    reply_set(object, "target_pid", target ? json_integer(action->target.pid) : json_null());
    reply_set(object, "target_comm", target ? reply_text(action->target.comm) : json_null());
    reply_set(object, "target_uid", target ? json_integer(action->target.uid) : json_null());
    reply_set(object, "target_cpu_ratio", target ? reply_number(action->target.cpu_ratio) : json_null());
    reply_set(object, "target_where", target ? reply_text(action->target.where) : json_null());
}

json_t *incident_summary_json(const struct incident_row *row) {
    const struct incident *incident = &row->incident;
    json_t *object = reply_object();
    reply_set(object, "id", reply_text(incident->id));
    reply_set(object, "host", reply_text(incident->host));
    reply_set(object, "state", reply_text(incident_state_name(incident->state)));
    reply_set(object, "trigger", reply_text(incident->trigger));
    reply_set(object, "rule", reply_text(incident->rule));
    reply_set(object, "why", reply_text(incident->why));
    reply_set(object, "first_seen", reply_time(incident->first_seen_ms));
    reply_set(object, "opened", reply_time(incident->opened_at_ms));
    reply_set(object, "entered", reply_time(incident->entered_at_ms));
    reply_set(object, "closed", reply_time(incident->closed_at_ms));
    reply_set(object, "duration_seconds", seconds_between(incident->opened_at_ms, incident->closed_at_ms));
    reply_set(object, "attempts", reply_count(incident->attempts));
    reply_set(object, "peak_score", reply_number(incident->peak_score));
    set_deed(object, incident_last_action(row));
    return object;
}

static json_t *candidate_json(const struct candidate *candidate) {
    json_t *object = reply_object();
    reply_set(object, "pid", json_integer(candidate->pid));
    reply_set(object, "uid", json_integer(candidate->uid));
    reply_set(object, "comm", reply_text(candidate->comm));
    reply_set(object, "where", reply_text(candidate->where));
    reply_set(object, "cpu_ratio", reply_number(candidate->cpu_ratio));
    reply_set(object, "age_seconds", reply_number((double)candidate->age_ms / 1000));
    reply_set(object, "allowed", json_boolean(candidate->allowed));
    reply_set(object, "reason", reply_text(candidate->reason));
    return object;
}

json_t *action_json(const struct action *action) {
    json_t *object = reply_object();
    reply_set(object, "id", reply_text(action->id));
    reply_set(object, "incident", reply_text(action->incident_id));
    reply_set(object, "host", reply_text(action->host));
    set_deed(object, action);
    return object;
}

static json_t *action_detail_json(const struct action *action) {
    json_t *object = action_json(action);
    json_t *candidates = json_array();
    for (size_t i = 0; i < action->candidate_count; i++)
        reply_append(candidates, candidate_json(&action->candidates[i]));
    reply_set(object, "candidates", candidates);
    return object;
}

static json_t *transition_json(const struct transition *transition) {
    json_t *object = reply_object();
    reply_set(object, "sequence", reply_count(transition->sequence));
    reply_set(object, "from", reply_text(incident_state_name(transition->from)));
    reply_set(object, "to", reply_text(incident_state_name(transition->to)));
    reply_set(object, "time", reply_time(transition->at_ms));
    reply_set(object, "why", reply_text(transition->why));
    return object;
}

json_t *incident_detail_json(const struct incident_row *row) {
    json_t *object = incident_summary_json(row);
    json_t *transitions = json_array();
    for (size_t i = 0; i < row->transition_count; i++)
        reply_append(transitions, transition_json(&row->transitions[i]));
    reply_set(object, "transitions", transitions);
    json_t *actions = json_array();
    for (size_t i = 0; i < row->action_count; i++)
        reply_append(actions, action_detail_json(&row->actions[i]));
    reply_set(object, "actions", actions);
    return object;
}
