/* Incidents, transitions and actions in which every field differs from its neighbours and from zero, so that
 * a column in the wrong place is seen; and their comparison, field by field. */
#ifndef TESTS_ARCHIVE_SAMPLE_RECORDS_H
#define TESTS_ARCHIVE_SAMPLE_RECORDS_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "archive/store.h"

static const int64_t sample_epoch_ms = 1785751234567;

static inline void sample_id(char out[33], unsigned kind, unsigned number) {
    snprintf(out, 33, "%016x%016x", kind, number);
}

static inline struct incident sample_incident(unsigned number) {
    struct incident incident = {
        .state = INCIDENT_OPEN,
        .trigger = "failsafe",
        .rule = "cpu-runaway",
        .why = "cpu_busy 0.99, usually 0.02 to 0.11",
        .first_seen_ms = sample_epoch_ms + number * 1000,
        .opened_at_ms = sample_epoch_ms + number * 1000 + 11,
        .entered_at_ms = sample_epoch_ms + number * 1000 + 222,
        .attempts = 3,
        .sequence = 2,
        .peak_score = 0.71234567890123,
    };
    sample_id(incident.id, 1, number);
    snprintf(incident.host, sizeof incident.host, "host-%u.example:9100", number % 7);
    return incident;
}

static inline struct transition sample_transition(unsigned incident, uint32_t sequence) {
    struct transition transition = {
        .sequence = sequence,
        .from = INCIDENT_SUSPECTED,
        .to = INCIDENT_OPEN,
        .at_ms = sample_epoch_ms + incident * 1000 + sequence,
        .why = "anomalous for 3 of 5 points",
    };
    sample_id(transition.incident_id, 1, incident);
    return transition;
}

static inline struct candidate sample_candidate(unsigned number) {
    struct candidate candidate = {
        .pid = 4000 + (int32_t)number,
        .uid = 4294967294U - number,
        .cpu_ratio = 3.97 - number / 10.0,
        .age_ms = 61001 + number,
        .allowed = number % 2 == 0,
    };
    for (size_t i = 0; i < sizeof candidate.handle; i++)
        candidate.handle[i] = (uint8_t)(i * 17 + number);
    snprintf(candidate.comm, sizeof candidate.comm, "burner-%u \"quoted\" \\", number);
    snprintf(candidate.where, sizeof candidate.where, "/user.slice/user-%u.slice", 1000 + number);
    snprintf(candidate.reason, sizeof candidate.reason, "protected unit %u", number);
    return candidate;
}

static inline struct action sample_action(unsigned incident, unsigned number) {
    struct action action = {
        .kind = ACTION_TERMINATE,
        .dry_run = true,
        .target = sample_candidate(number),
        .intended_at_ms = sample_epoch_ms + 5001 + number,
        .outcome = OUTCOME_PENDING,
        .reason = "hottest process that may be ended",
        .candidate_count = 3,
    };
    sample_id(action.id, 2, incident * 100 + number);
    sample_id(action.incident_id, 1, incident);
    snprintf(action.host, sizeof action.host, "host-%u.example:9100", incident % 7);
    for (unsigned i = 0; i < 3; i++)
        action.candidates[i] = sample_candidate(number + i);
    return action;
}

static inline void assert_same_incident(const struct incident *a, const struct incident *b) {
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->host, b->host);
    assert_int_equal(a->state, b->state);
    assert_string_equal(a->trigger, b->trigger);
    assert_string_equal(a->rule, b->rule);
    assert_string_equal(a->why, b->why);
    assert_true(a->first_seen_ms == b->first_seen_ms);
    assert_true(a->opened_at_ms == b->opened_at_ms);
    assert_true(a->entered_at_ms == b->entered_at_ms);
    assert_true(a->closed_at_ms == b->closed_at_ms);
    assert_int_equal(a->attempts, b->attempts);
    assert_int_equal(a->sequence, b->sequence);
    assert_true(a->peak_score == b->peak_score || (isnan(a->peak_score) && isnan(b->peak_score)));
}

static inline void assert_same_transition(const struct transition *a, const struct transition *b) {
    assert_string_equal(a->incident_id, b->incident_id);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->from, b->from);
    assert_int_equal(a->to, b->to);
    assert_true(a->at_ms == b->at_ms);
    assert_string_equal(a->why, b->why);
}

static inline void assert_same_candidate(const struct candidate *a, const struct candidate *b) {
    assert_memory_equal(a->handle, b->handle, sizeof a->handle);
    assert_int_equal(a->pid, b->pid);
    assert_true(a->uid == b->uid);
    assert_true(a->cpu_ratio == b->cpu_ratio);
    assert_true(a->age_ms == b->age_ms);
    assert_string_equal(a->comm, b->comm);
    assert_string_equal(a->where, b->where);
    assert_int_equal(a->allowed, b->allowed);
    assert_string_equal(a->reason, b->reason);
}

static inline void assert_same_action(const struct action *a, const struct action *b) {
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->incident_id, b->incident_id);
    assert_string_equal(a->host, b->host);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->dry_run, b->dry_run);
    assert_same_candidate(&a->target, &b->target);
    assert_true(a->intended_at_ms == b->intended_at_ms);
    assert_true(a->finished_at_ms == b->finished_at_ms);
    assert_int_equal(a->outcome, b->outcome);
    assert_string_equal(a->reason, b->reason);
    assert_int_equal(a->candidate_count, b->candidate_count);
    for (size_t i = 0; i < a->candidate_count; i++)
        assert_same_candidate(&a->candidates[i], &b->candidates[i]);
}

/* What store_list() showed of its first incidents, copied. */
struct listed {
    size_t count;
    struct incident incidents[8];
    size_t transition_counts[8], action_counts[8];
    struct transition transitions[8][4];
    struct action actions[8][4];
};

static inline void listed_take(void *context, const struct incident *incident,
                               const struct transition *transitions, size_t transition_count,
                               const struct action *actions, size_t action_count) {
    struct listed *listed = context;
    assert_true(listed->count < 8 && transition_count <= 4 && action_count <= 4);
    size_t at = listed->count++;
    listed->incidents[at] = *incident;
    listed->transition_counts[at] = transition_count;
    listed->action_counts[at] = action_count;
    for (size_t i = 0; i < transition_count; i++)
        listed->transitions[at][i] = transitions[i];
    for (size_t i = 0; i < action_count; i++)
        listed->actions[at][i] = actions[i];
}

#endif
