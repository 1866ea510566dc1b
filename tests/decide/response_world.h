/* tests/decide/response_world.h - a response with everything around it scripted: archive, helper and time.
 *
 * The archive keeps what it was given and makes it durable when told to, in order. The ports themselves hold
 * the laws of a deed, so every test that uses them checks these too:
 *   - no deed is asked for under an id whose intention is not durable;
 *   - no deed is asked for while another's outcome is not on record;
 *   - within one life no deed is asked for twice;
 *   - transitions of one incident arrive without a gap and follow from each other. */
#ifndef SENTINEL_TESTS_RESPONSE_WORLD_H
#define SENTINEL_TESTS_RESPONSE_WORLD_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "decide/response.h"

struct kept_record {
    uint64_t ticket;
    struct incident incident;
    bool has_transition, has_action;
    struct transition transition;
    struct action action;
};

struct world {
    struct feature_set *set;
    struct policy policy;
    struct response_settings settings;
    struct rng rng;
    struct response *response;
    struct surroundings around;
    struct moment now;
    int cpu_busy;

    struct kept_record *records; /* all that the archive took, oldest first */
    size_t record_count, durable_count;
    uint64_t last_ticket; /* in this life */
    bool archive_is_full, list_is_full;
    enum status act_answer;

    unsigned lists, acts, opened, finished, healed;
    int64_t healed_after_ms;
    uint64_t list_request, act_request;
    struct action asked;             /* the newest deed asked for */
    char asked_in_this_life[16][33]; /* the newest ids */
};

static inline enum status world_list(void *context, uint32_t host, uint64_t request) {
    struct world *w = context;
    assert_int_equal(host, 7);
    if (w->list_is_full)
        return STATUS_BUSY;
    w->lists++;
    w->list_request = request;
    return STATUS_OK;
}

/* The newest that the archive was given about an action; NULL: nothing. */
static inline const struct action *world_recorded(const struct world *w, const char *id, size_t count) {
    for (size_t i = count; i > 0; i--) {
        if (w->records[i - 1].has_action && strcmp(w->records[i - 1].action.id, id) == 0)
            return &w->records[i - 1].action;
    }
    return NULL;
}

static inline enum status world_act(void *context, uint32_t host, uint64_t request,
                                    const struct action *action) {
    struct world *w = context;
    assert_int_equal(host, 7);
    const struct action *intention = world_recorded(w, action->id, w->durable_count);
    assert_non_null(intention);
    assert_int_equal(intention->outcome, OUTCOME_PENDING);
    assert_memory_equal(intention->target.handle, action->target.handle, sizeof action->target.handle);
    if (w->asked.id[0] && strcmp(w->asked.id, action->id) != 0) {
        const struct action *before = world_recorded(w, w->asked.id, w->record_count);
        assert_non_null(before);
        assert_int_not_equal(before->outcome, OUTCOME_PENDING);
    }
    for (size_t i = 0; i < 16; i++)
        assert_string_not_equal(w->asked_in_this_life[i], action->id);
    if (w->act_answer != STATUS_OK)
        return w->act_answer;
    memcpy(w->asked_in_this_life[w->acts % 16], action->id, sizeof action->id);
    w->acts++;
    w->act_request = request;
    w->asked = *action;
    return STATUS_OK;
}

static inline void world_check_transition(const struct world *w, const struct transition *transition) {
    const struct transition *before = NULL;
    for (size_t i = w->record_count; i > 0 && !before; i--) {
        const struct kept_record *record = &w->records[i - 1];
        if (record->has_transition && strcmp(record->transition.incident_id, transition->incident_id) == 0)
            before = &record->transition;
    }
    assert_int_equal(transition->sequence, before ? before->sequence + 1 : 1);
    assert_int_equal(transition->from, before ? before->to : INCIDENT_SUSPECTED);
}

static inline enum status world_record(void *context, uint32_t host, uint64_t ticket,
                                       const struct incident *incident, const struct transition *transition,
                                       const struct action *action) {
    struct world *w = context;
    assert_int_equal(host, 7);
    if (w->archive_is_full)
        return STATUS_BUSY;
    assert_true(transition || action);
    if (transition)
        world_check_transition(w, transition);
    assert_true(ticket > w->last_ticket);
    w->last_ticket = ticket;
    w->records = xrealloc(w->records, w->record_count + 1, sizeof *w->records);
    struct kept_record *kept = &w->records[w->record_count++];
    *kept = (struct kept_record){.ticket = ticket, .incident = *incident};
    kept->has_transition = transition != NULL;
    kept->has_action = action != NULL;
    if (transition)
        kept->transition = *transition;
    if (action)
        kept->action = *action;
    return STATUS_OK;
}

static inline void world_opened(void *context, const struct incident *incident) {
    struct world *w = context;
    assert_int_equal(incident->state, INCIDENT_OPEN);
    w->opened++;
}

static inline void world_finished(void *context, const struct action *action) {
    struct world *w = context;
    assert_int_not_equal(action->outcome, OUTCOME_PENDING);
    w->finished++;
}

static inline void world_healed(void *context, const struct incident *incident, int64_t took_ms) {
    struct world *w = context;
    assert_int_equal(incident->state, INCIDENT_RESOLVED);
    w->healed++;
    w->healed_after_ms = took_ms;
}

static inline void world_begin_life(struct world *w) {
    const struct response_ports ports = {.context = w,
                                         .list = world_list,
                                         .act = world_act,
                                         .record = world_record,
                                         .opened = world_opened,
                                         .action_finished = world_finished,
                                         .healed = world_healed};
    memset(w->asked_in_this_life, 0, sizeof w->asked_in_this_life);
    w->last_ticket = 0;
    w->response = response_create(&w->settings, &ports, 7, "a:9100", &w->rng);
}

static inline struct world *world_create(uint64_t seed) {
    struct world *w = xcalloc(1, sizeof *w);
    w->set = feature_set_create_default();
    policy_init_default(&w->policy, w->set);
    w->policy.mode = MODE_ACT;
    w->settings = (struct response_settings){&w->policy, w->set, 60000};
    w->around = (struct surroundings){.has_helper = true, .hosts = 1};
    w->now = (struct moment){.unix_ms = 1700000000000, .monotonic_ms = 5000};
    w->cpu_busy = feature_set_find(w->set, "cpu_busy");
    rng_seed(&w->rng, seed);
    world_begin_life(w);
    return w;
}

static inline void world_destroy(struct world *w) {
    response_destroy(w->response);
    feature_set_destroy(w->set);
    free(w->records);
    free(w);
}

static inline void world_pass(struct world *w, int64_t ms) {
    w->now.unix_ms += ms;
    w->now.monotonic_ms += ms;
}

static inline void world_tick_after(struct world *w, int64_t ms) {
    world_pass(w, ms);
    response_tick(w->response, w->now);
}

/* Two seconds later a point comes. NaN as score: there is no model yet. */
static inline void world_point(struct world *w, double cpu_busy, double score) {
    double values[FEATURES_MAX];
    for (size_t i = 0; i < FEATURES_MAX; i++)
        values[i] = NAN;
    values[w->cpu_busy] = cpu_busy;
    world_pass(w, 2000);
    struct assessment assessment = {
        .at_ms = w->now.unix_ms - 100, .score = score, .threshold = isnan(score) ? NAN : 0.6};
    assessment.anomalous = score > 0.6;
    if (assessment.anomalous) {
        assessment.leading_count = 1;
        assessment.leading[0] = (struct leading_feature){.feature = (size_t)w->cpu_busy, .share = 0.9};
    }
    w->around.newest_sample_at_ms = w->now.unix_ms;
    response_point(w->response, &assessment, values, &w->around, w->now);
}

static inline void world_points(struct world *w, unsigned count, double cpu_busy) {
    for (unsigned i = 0; i < count; i++)
        world_point(w, cpu_busy, NAN);
}

static inline void world_offer(struct world *w, uint64_t request, bool allowed) {
    struct candidate candidate = {.pid = 42, .uid = 1000, .cpu_ratio = 0.99, .allowed = allowed};
    memcpy(candidate.comm, "burn", sizeof "burn");
    memcpy(candidate.reason, "protected", sizeof "protected");
    candidate.handle[0] = (uint8_t)request;
    response_candidates(w->response, request, STATUS_OK, "", &candidate, 1, w->now);
}

/* The oldest record that is not durable yet becomes so. */
static inline bool world_make_one_durable(struct world *w) {
    if (w->durable_count == w->record_count)
        return false;
    uint64_t ticket = w->records[w->durable_count++].ticket;
    response_durable(w->response, ticket, w->now);
    return true;
}

static inline void world_make_durable(struct world *w) {
    while (world_make_one_durable(w))
        continue;
}

static inline const struct kept_record *world_last(const struct world *w) {
    assert_true(w->record_count > 0);
    return &w->records[w->record_count - 1];
}

static inline int world_state(const struct world *w) {
    const struct incident *incident = response_incident(w->response);
    return incident ? (int)incident->state : -1;
}

/* The process ends here and now; what was not durable is lost. A new one takes up what the archive has. */
static inline void world_crash_and_restore(struct world *w) {
    response_destroy(w->response);
    w->record_count = w->durable_count;
    world_begin_life(w);
    if (w->record_count == 0)
        return;
    struct incident incident = world_last(w)->incident;
    struct transition *transitions = xcalloc(w->record_count, sizeof *transitions);
    struct action *actions = xcalloc(w->record_count, sizeof *actions);
    size_t transition_count = 0, action_count = 0;
    for (size_t i = 0; i < w->record_count; i++) {
        const struct kept_record *record = &w->records[i];
        if (strcmp(record->incident.id, incident.id) != 0)
            continue;
        if (record->has_transition)
            transitions[transition_count++] = record->transition;
        if (!record->has_action)
            continue;
        size_t at = 0;
        while (at < action_count && strcmp(actions[at].id, record->action.id) != 0)
            at++;
        actions[at] = record->action;
        action_count += at == action_count;
    }
    response_restore(w->response, &incident, transitions, transition_count, actions, action_count, w->now);
    free(transitions);
    free(actions);
}

#endif
