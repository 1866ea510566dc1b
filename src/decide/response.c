#include "decide/response.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "decide/guard.h"
#include "decide/target.h"

/* The helper's grace between TERM and KILL is seconds; an answer that takes longer than this is lost. */
enum { ANSWER_WITHIN_MS = 60 * 1000 };

/* Where a deed is, between two points. IDLE: nothing is under way. */
enum phase { PHASE_IDLE, PHASE_LISTING, PHASE_INTENDING, PHASE_INTENDED, PHASE_ACTING };

/* A record that the archive had no room for. They leave in order, before anything newer. */
struct waiting {
    struct waiting *next;
    uint64_t ticket;
    bool has_transition, has_action;
    struct incident incident;
    struct transition transition;
    struct action action;
};

/* One incident and all that was done about it. */
struct story {
    struct incident incident;
    struct transition *transitions;
    size_t transition_count;
    struct action *actions;
    size_t action_count;
};

struct response {
    const struct response_settings *settings;
    struct response_ports ports;
    struct rng *rng;
    uint32_t host_index;
    char *host;

    struct watch watch;
    bool suspicious;
    struct story *story; /* NULL: nothing ever happened here */
    uint64_t changes;

    enum phase phase;
    uint64_t last_number;                  /* requests and tickets are numbered in one row */
    uint64_t awaited;                      /* the number of the answer that `phase` waits for */
    int64_t awaited_since_ms, retry_at_ms; /* monotonic */
    int64_t state_deadline_ms;             /* monotonic: VERIFYING must be proven, OPEN must be acted upon */
    unsigned tries;
    unsigned normal_points;
    bool dry_run_done;
    char last_no[160];
    int64_t last_deed_at_ms; /* Unix; of an ended incident */
    struct waiting *waiting, **waiting_end;
};

struct response *response_create(const struct response_settings *settings, const struct response_ports *ports,
                                 uint32_t host_index, const char *host, struct rng *rng) {
    struct response *response = xcalloc(1, sizeof *response);
    response->settings = settings;
    response->ports = *ports;
    response->rng = rng;
    response->host_index = host_index;
    response->host = xstrdup(host);
    response->waiting_end = &response->waiting;
    return response;
}

static void story_destroy(struct story *story) {
    if (!story)
        return;
    free(story->transitions);
    free(story->actions);
    free(story);
}

void response_destroy(struct response *response) {
    if (!response)
        return;
    while (response->waiting) {
        struct waiting *first = response->waiting;
        response->waiting = first->next;
        free(first);
    }
    story_destroy(response->story);
    free(response->host);
    free(response);
}

static bool is_live(const struct response *response) {
    return response->story && !incident_is_ended(&response->story->incident);
}

static struct action *current_action(const struct response *response) {
    assert(response->story && response->story->action_count > 0);
    return &response->story->actions[response->story->action_count - 1];
}

/* 32 hex digits from the seeded generator. */
static void new_id(struct response *response, char out[33]) {
    /* Two statements: compilers differ in the order in which they evaluate arguments. */
    unsigned long long high = rng_next(response->rng);
    unsigned long long low = rng_next(response->rng);
    snprintf(out, 33, "%016llx%016llx", high, low);
}

/* The rule that the incident stands under; NULL: a reload has taken it away or switched it off. */
static const struct rule *current_rule(const struct response *response) {
    const struct policy *policy = response->settings->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].enabled && strcmp(policy->rules[i].name, response->story->incident.rule) == 0)
            return &policy->rules[i];
    }
    return NULL;
}

/* What that rule asks for after so many attempts; ACTION_NONE: it only records, or is gone. */
static enum action_kind next_rung(const struct response *response) {
    const struct rule *rule = current_rule(response);
    if (!rule || rule->ladder_count == 0)
        return ACTION_NONE;
    size_t rung = response->story->incident.attempts;
    return rule->ladder[rung < rule->ladder_count ? rung : rule->ladder_count - 1];
}

/* ---- towards the archive ---- */

static void wait_in_line(struct response *response, uint64_t ticket, const struct transition *transition,
                         const struct action *action) {
    struct waiting *item = xcalloc(1, sizeof *item);
    item->ticket = ticket;
    item->incident = response->story->incident;
    item->has_transition = transition != NULL;
    item->has_action = action != NULL;
    if (transition)
        item->transition = *transition;
    if (action)
        item->action = *action;
    *response->waiting_end = item;
    response->waiting_end = &item->next;
}

static void send_waiting(struct response *response) {
    while (response->waiting) {
        struct waiting *first = response->waiting;
        if (response->ports.record(response->ports.context, response->host_index, first->ticket,
                                   &first->incident, first->has_transition ? &first->transition : NULL,
                                   first->has_action ? &first->action : NULL) != STATUS_OK)
            return;
        response->waiting = first->next;
        if (!response->waiting)
            response->waiting_end = &response->waiting;
        free(first);
    }
}

/* Returns the ticket under which response_durable() will speak of it. An incident that is merely suspected is
 * not written down: it would be a row for every twitch. Its birth is written when it opens. */
static uint64_t record(struct response *response, const struct transition *transition,
                       const struct action *action) {
    uint64_t ticket = ++response->last_number;
    wait_in_line(response, ticket, transition, action);
    send_waiting(response);
    return ticket;
}

/* ---- the incident ---- */

static const struct transition *keep_transition(struct story *story, const struct transition *transition) {
    story->transitions =
        xrealloc(story->transitions, story->transition_count + 1, sizeof story->transitions[0]);
    story->transitions[story->transition_count] = *transition;
    return &story->transitions[story->transition_count++];
}

/* Moves the incident on, writes it down together with `action` (may be NULL), and returns the ticket. */
static uint64_t advance(struct response *response, enum incident_event event, const char *why,
                        const struct action *action, struct moment now) {
    struct story *story = response->story;
    struct transition transition;
    struct error err;
    enum status status = incident_advance(&story->incident, event, now.unix_ms, why, &transition, &err);
    assert(status == STATUS_OK);
    (void)status;
    const struct transition *kept = keep_transition(story, &transition);
    response->changes++;
    response->normal_points = 0;
    response->last_no[0] = '\0';
    return record(response, kept, action);
}

static struct action *keep_action(struct story *story, const struct action *action) {
    story->actions = xrealloc(story->actions, story->action_count + 1, sizeof story->actions[0]);
    story->actions[story->action_count] = *action;
    return &story->actions[story->action_count++];
}

/* A deed that is about to be intended, or that came to nothing before it could be. */
static struct action *new_action(struct response *response, enum action_outcome outcome, const char *reason,
                                 struct moment now) {
    const struct policy *policy = response->settings->policy;
    struct action action = {
        .kind = next_rung(response),
        .dry_run = policy->mode != MODE_ACT,
        .intended_at_ms = now.unix_ms,
        .finished_at_ms = outcome == OUTCOME_PENDING ? 0 : now.unix_ms,
        .outcome = outcome,
    };
    new_id(response, action.id);
    snprintf(action.incident_id, sizeof action.incident_id, "%s", response->story->incident.id);
    snprintf(action.host, sizeof action.host, "%s", response->host);
    snprintf(action.reason, sizeof action.reason, "%s", reason);
    return keep_action(response->story, &action);
}

/* Nothing was sent: say so on the record, and try again later or give up. */
static void come_to_nothing(struct response *response, struct action *action, struct moment now) {
    response->phase = PHASE_IDLE;
    response->tries++;
    response->retry_at_ms = now.monotonic_ms + response->settings->policy->retry_ms;
    response->changes++;
    record(response, NULL, action);
    response->ports.action_finished(response->ports.context, action);
    if (response->tries >= response->settings->policy->max_attempts)
        advance(response, EVENT_NO_ACTION_LEFT, action->reason, NULL, now);
}

static void begin(struct response *response, const struct assessment *assessment,
                  const struct verdict *verdict, struct moment now) {
    story_destroy(response->story);
    struct story *story = response->story = xcalloc(1, sizeof *story);
    struct transition birth;
    new_id(response, story->incident.id);
    snprintf(story->incident.host, sizeof story->incident.host, "%s", response->host);
    story->incident.first_seen_ms = assessment->at_ms;
    story->incident.peak_score = assessment->score;
    incident_begin(&story->incident, now.unix_ms, verdict->reason, &birth);
    keep_transition(story, &birth);
    response->phase = PHASE_IDLE;
    response->tries = 0;
    response->normal_points = 0;
    response->retry_at_ms = 0;
    response->dry_run_done = false;
    response->last_no[0] = '\0';
}

static void take_rule(struct response *response, const struct verdict *verdict) {
    struct incident *incident = &response->story->incident;
    const struct rule *rule = &response->settings->policy->rules[verdict->rule];
    snprintf(incident->rule, sizeof incident->rule, "%s", rule->name);
    snprintf(incident->trigger, sizeof incident->trigger, "%s", trigger_kind_name(rule->trigger));
    snprintf(incident->why, sizeof incident->why, "%s", verdict->reason);
}

static void open_incident(struct response *response, const struct verdict *verdict, struct moment now) {
    take_rule(response, verdict);
    record(response, &response->story->transitions[0], NULL);
    response->state_deadline_ms = now.monotonic_ms + response->settings->policy->escalate_after_ms;
    advance(response, EVENT_HELD, verdict->reason, NULL, now);
    response->ports.opened(response->ports.context, &response->story->incident);
}

static void close_as_normal(struct response *response, struct moment now) {
    struct incident *incident = &response->story->incident;
    if (incident->state == INCIDENT_SUSPECTED) { /* a twitch: nobody was told, so nobody needs to be told */
        story_destroy(response->story);
        response->story = NULL;
        return;
    }
    bool proven = incident->state == INCIDENT_VERIFYING;
    char why[160];
    snprintf(why, sizeof why, "%s: %u normal points in a row", proven ? "healed" : "back to normal by itself",
             response->normal_points);
    if (incident->attempts > 0)
        response->last_deed_at_ms = now.unix_ms;
    response->phase = PHASE_IDLE;
    advance(response, EVENT_BACK_TO_NORMAL, why, NULL, now);
    if (proven)
        response->ports.healed(response->ports.context, incident, now.unix_ms - incident->first_seen_ms);
}

/* ---- towards a deed ---- */

/* A guard's no is recorded once for each reason, not at every point. */
static void note_no(struct response *response, const char *reason, struct moment now) {
    /* Up to the first ':' it is the kind of no; the numbers behind it change from point to point. */
    size_t kind = strcspn(reason, ":");
    if (strncmp(response->last_no, reason, kind + 1) == 0)
        return;
    snprintf(response->last_no, sizeof response->last_no, "%s", reason);
    struct action *action = new_action(response, OUTCOME_REFUSED, reason, now);
    response->changes++;
    record(response, NULL, action);
    response->ports.action_finished(response->ports.context, action);
}

static void consider_deed(struct response *response, const struct verdict *verdict,
                          const struct surroundings *around, struct moment now) {
    const struct policy *policy = response->settings->policy;
    if (!verdict->may_act || response->dry_run_done || response->phase != PHASE_IDLE || response->waiting ||
        now.monotonic_ms < response->retry_at_ms)
        return;
    if (next_rung(response) == ACTION_NONE) /* until now it was only on record */
        response->state_deadline_ms = now.monotonic_ms + policy->escalate_after_ms;
    take_rule(response, verdict);
    if (response->tries >= policy->max_attempts) {
        advance(response, EVENT_NO_ACTION_LEFT, "attempts are spent; a person is needed", NULL, now);
        return;
    }
    struct guard_question question = {
        .policy = policy,
        .incident = &response->story->incident,
        .now_ms = now.unix_ms,
        .newest_sample_at_ms = around->newest_sample_at_ms,
        .stale_after_ms = response->settings->stale_after_ms,
        .last_deed_at_ms = response->last_deed_at_ms,
        .has_helper = around->has_helper,
        .hosts = around->hosts,
        .hosts_anomalous = around->hosts_anomalous,
    };
    char reason[160];
    if (!guard_permits(&question, reason, sizeof reason)) {
        note_no(response, reason, now);
        return;
    }
    uint64_t request = ++response->last_number;
    if (response->ports.list(response->ports.context, response->host_index, request) != STATUS_OK)
        return; /* the next point asks again */
    response->phase = PHASE_LISTING;
    response->awaited = request;
    response->awaited_since_ms = now.monotonic_ms;
}

void response_candidates(struct response *response, uint64_t request, enum status status, const char *text,
                         const struct candidate *candidates, size_t count, struct moment now) {
    if (response->phase != PHASE_LISTING || request != response->awaited)
        return; /* an answer to a question that nobody asks any more */
    assert(count <= CANDIDATES_MAX);
    if (next_rung(response) ==
        ACTION_NONE) { /* a new policy came meanwhile: the next point is judged by it */
        response->phase = PHASE_IDLE;
        return;
    }
    if (status != STATUS_OK) {
        come_to_nothing(response, new_action(response, OUTCOME_UNREACHABLE, text, now), now);
        return;
    }
    char reason[160];
    int target = target_choose(candidates, count, reason, sizeof reason);
    struct action *action =
        new_action(response, target < 0 ? OUTCOME_NO_TARGET : OUTCOME_PENDING, reason, now);
    memcpy(action->candidates, candidates, count * sizeof candidates[0]);
    action->candidate_count = count;
    if (target < 0) {
        come_to_nothing(response, action, now);
        return;
    }
    action->target = candidates[target];
    char why[160];
    snprintf(why, sizeof why, "%s%s %.130s", action->dry_run ? "dry run: " : "",
             action_kind_name(action->kind), reason);
    response->phase = PHASE_INTENDING;
    response->awaited_since_ms = now.monotonic_ms;
    response->awaited = advance(response, EVENT_ACTION_SENT, why, action, now);
}

static void send_deed(struct response *response, struct moment now) {
    uint64_t request = ++response->last_number;
    if (response->ports.act(response->ports.context, response->host_index, request,
                            current_action(response)) != STATUS_OK)
        return; /* stays INTENDED; the next tick tries again */
    response->phase = PHASE_ACTING;
    response->awaited = request;
    response->awaited_since_ms = now.monotonic_ms;
}

void response_durable(struct response *response, uint64_t ticket, struct moment now) {
    if (response->phase != PHASE_INTENDING || ticket != response->awaited)
        return;
    response->phase = PHASE_INTENDED;
    response->awaited_since_ms = now.monotonic_ms;
    send_deed(response, now);
}

static bool outcome_is_success(enum action_outcome outcome) {
    switch (outcome) {
    case OUTCOME_TERMINATED:
    case OUTCOME_KILLED:
    case OUTCOME_DONE:
    case OUTCOME_GONE: /* not our deed, but the process is no more: the points will tell whether that was it
                        */
        return true;
    case OUTCOME_PENDING:
    case OUTCOME_WOULD:
    case OUTCOME_REFUSED:
    case OUTCOME_FAILED:
    case OUTCOME_UNREACHABLE:
    case OUTCOME_NO_TARGET:
        return false;
    }
    return false;
}

static void finish_deed(struct response *response, enum action_outcome outcome, const char *reason,
                        struct moment now) {
    const struct policy *policy = response->settings->policy;
    struct action *action = current_action(response);
    action->outcome = outcome;
    action->finished_at_ms = now.unix_ms;
    snprintf(action->reason, sizeof action->reason, "%s", reason);
    response->phase = PHASE_IDLE;
    response->tries++;
    char why[160];
    snprintf(why, sizeof why, "%s: %.120s", action_outcome_name(outcome), reason);
    if (outcome_is_success(outcome)) {
        response->state_deadline_ms = now.monotonic_ms + policy->settle_ms;
        advance(response, EVENT_ACTION_DONE, why, action, now);
    } else {
        response->retry_at_ms = now.monotonic_ms + policy->retry_ms;
        response->state_deadline_ms = now.monotonic_ms + policy->escalate_after_ms;
        response->dry_run_done = outcome == OUTCOME_WOULD;
        advance(response, EVENT_ACTION_FAILED, why, action, now);
    }
    response->ports.action_finished(response->ports.context, action);
}

void response_acted(struct response *response, uint64_t request, enum action_outcome outcome,
                    const char *reason, struct moment now) {
    if (response->phase == PHASE_ACTING && request == response->awaited)
        finish_deed(response, outcome, reason, now);
}

/* ---- points and time ---- */

/* Does this point say anything about what began the incident? A point without the fail-safe's feature, or
 * without a score while a host is LEARNING, proves no heal. */
static bool can_judge(const struct response *response, const struct assessment *assessment,
                      const double *values) {
    const struct rule *rule = current_rule(response);
    return rule && rule->trigger == TRIGGER_FAILSAFE ? !isnan(values[rule->feature])
                                                     : !isnan(assessment->score);
}

/* An incident that calls for a deed is over when nothing calls for one any more; whatever else is still
 * unusual (a load average that fades for minutes) is on record by a rule of its own, if it lasts. */
static bool is_normal(const struct response *response, const struct verdict *verdict) {
    bool only_records =
        response->story->incident.state == INCIDENT_SUSPECTED || next_rung(response) == ACTION_NONE;
    return only_records ? !verdict->triggered : !verdict->calls_for_deed;
}

static void count_normal(struct response *response, const struct assessment *assessment, const double *values,
                         const struct verdict *verdict, struct moment now) {
    if (!is_normal(response, verdict)) {
        response->normal_points = 0;
        return;
    }
    if (!can_judge(response, assessment, values) && response->story->incident.state != INCIDENT_SUSPECTED)
        return;
    response->normal_points++;
    bool deed_under_way = response->phase != PHASE_IDLE && response->phase != PHASE_LISTING;
    if (response->normal_points >= response->settings->policy->normal_points && !deed_under_way)
        close_as_normal(response, now);
}

void response_point(struct response *response, const struct assessment *assessment, const double *values,
                    const struct surroundings *around, struct moment now) {
    struct verdict verdict;
    policy_watch(response->settings->policy, response->settings->set, &response->watch, assessment, values,
                 &verdict);
    response->suspicious = verdict.triggered;
    if (!is_live(response)) {
        if (!verdict.triggered)
            return;
        begin(response, assessment, &verdict, now);
    }
    struct incident *incident = &response->story->incident;
    if (!(assessment->score <= incident->peak_score) && !isnan(assessment->score))
        incident->peak_score = assessment->score;
    if (incident->state == INCIDENT_SUSPECTED && verdict.held)
        open_incident(response, &verdict, now);
    if (incident->state == INCIDENT_OPEN)
        consider_deed(response, &verdict, around, now);
    count_normal(response, assessment, values, &verdict, now);
}

static void check_answer(struct response *response, struct moment now) {
    if (now.monotonic_ms - response->awaited_since_ms < ANSWER_WITHIN_MS)
        return;
    switch (response->phase) {
    case PHASE_LISTING:
        response_candidates(response, response->awaited, STATUS_UNAVAILABLE,
                            "the helper did not answer in time", NULL, 0, now);
        break;
    case PHASE_INTENDED: /* restored, and its helper is no longer configured; or the helper's queue is full */
        finish_deed(response, OUTCOME_UNREACHABLE, "the deed could not be handed to the helper", now);
        break;
    case PHASE_ACTING:
        finish_deed(response, OUTCOME_UNREACHABLE, "the helper did not answer in time", now);
        break;
    case PHASE_IDLE:
    case PHASE_INTENDING: /* no deed before its intention is durable, however long that takes */
        break;
    }
}

void response_tick(struct response *response, struct moment now) {
    send_waiting(response);
    if (!is_live(response))
        return;
    if (response->phase == PHASE_INTENDED)
        send_deed(response, now);
    check_answer(response, now);
    if (response->phase != PHASE_IDLE || now.monotonic_ms < response->state_deadline_ms)
        return;
    const struct policy *policy = response->settings->policy;
    switch (response->story->incident.state) {
    case INCIDENT_VERIFYING:
        response->retry_at_ms = 0;
        response->state_deadline_ms = now.monotonic_ms + policy->escalate_after_ms;
        advance(response, EVENT_STILL_HIGH, "not back to normal when the settle time ended", NULL, now);
        break;
    case INCIDENT_OPEN:
        /* One that is only on record stays open, so that a rule which may act still can. */
        if (!response->dry_run_done && next_rung(response) != ACTION_NONE)
            advance(response, EVENT_NO_ACTION_LEFT,
                    response->last_no[0] ? response->last_no : "no rule may act on it; a person is needed",
                    NULL, now);
        break;
    case INCIDENT_SUSPECTED:
    case INCIDENT_REMEDIATING:
    case INCIDENT_RESOLVED:
    case INCIDENT_ESCALATED:
        break;
    }
}

void response_restore(struct response *response, const struct incident *incident,
                      const struct transition *transitions, size_t transition_count,
                      const struct action *actions, size_t action_count, struct moment now) {
    const struct policy *policy = response->settings->policy;
    if (incident_is_ended(incident)) {
        if (incident->attempts > 0 && incident->closed_at_ms > response->last_deed_at_ms)
            response->last_deed_at_ms = incident->closed_at_ms;
        return;
    }
    story_destroy(response->story);
    struct story *story = response->story = xcalloc(1, sizeof *story);
    story->incident = *incident;
    for (size_t i = 0; i < transition_count; i++)
        keep_transition(story, &transitions[i]);
    for (size_t i = 0; i < action_count; i++)
        keep_action(story, &actions[i]);
    response->changes++;
    response->tries = incident->attempts;
    response->dry_run_done = action_count > 0 && current_action(response)->outcome == OUTCOME_WOULD;
    response->phase = PHASE_IDLE;
    response->state_deadline_ms =
        now.monotonic_ms +
        (incident->state == INCIDENT_VERIFYING ? policy->settle_ms : policy->escalate_after_ms);
    if (incident->state == INCIDENT_SUSPECTED) {
        /* A suspicion is only ever written down on its way to OPEN. */
        advance(response, EVENT_HELD, "held; taken up again after a restart", NULL, now);
        return;
    }
    if (incident->state != INCIDENT_REMEDIATING)
        return;
    if (action_count > 0 && current_action(response)->outcome == OUTCOME_PENDING) {
        /* The intention was durable; whether the deed was done only the helper knows. */
        response->phase = PHASE_INTENDED;
        response->awaited_since_ms = now.monotonic_ms;
        return;
    }
    advance(response, EVENT_ACTION_FAILED, "interrupted: no intention is on record", NULL, now);
}

const struct incident *response_incident(const struct response *response) {
    return is_live(response) && response->story->incident.state != INCIDENT_SUSPECTED
               ? &response->story->incident
               : NULL;
}

bool response_story(const struct response *response, struct incident_story *out) {
    const struct story *story = response->story;
    if (!story || story->incident.state == INCIDENT_SUSPECTED)
        return false;
    *out = (struct incident_story){&story->incident, story->transitions, story->transition_count,
                                   story->actions, story->action_count};
    return true;
}

uint64_t response_changes(const struct response *response) {
    return response->changes;
}

bool response_is_suspicious(const struct response *response) {
    return response->suspicious;
}
