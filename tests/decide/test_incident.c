#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "decide/incident.h"

enum { SEQUENCE_LENGTH = 8, NOWHERE = -1 };

/* The machine once more, written down from the header's list and not from the code's table. */
static int expected_next(enum incident_state state, enum incident_event event) {
    switch (state) {
    case INCIDENT_SUSPECTED:
        return event == EVENT_HELD             ? INCIDENT_OPEN
               : event == EVENT_BACK_TO_NORMAL ? INCIDENT_RESOLVED
                                               : NOWHERE;
    case INCIDENT_OPEN:
        return event == EVENT_ACTION_SENT      ? INCIDENT_REMEDIATING
               : event == EVENT_BACK_TO_NORMAL ? INCIDENT_RESOLVED
               : event == EVENT_NO_ACTION_LEFT ? INCIDENT_ESCALATED
                                               : NOWHERE;
    case INCIDENT_REMEDIATING:
        return event == EVENT_ACTION_DONE     ? INCIDENT_VERIFYING
               : event == EVENT_ACTION_FAILED ? INCIDENT_OPEN
                                              : NOWHERE;
    case INCIDENT_VERIFYING:
        return event == EVENT_BACK_TO_NORMAL ? INCIDENT_RESOLVED
               : event == EVENT_STILL_HIGH   ? INCIDENT_OPEN
                                             : NOWHERE;
    case INCIDENT_ESCALATED:
        return event == EVENT_BACK_TO_NORMAL ? INCIDENT_RESOLVED : NOWHERE;
    case INCIDENT_RESOLVED:
        break;
    }
    return NOWHERE;
}

static struct incident born(int64_t now_ms, struct transition *birth) {
    struct incident incident = {.id = "0123456789abcdef0123456789abcdef", .host = "a:9100"};
    incident_begin(&incident, now_ms, "score 0.9", birth);
    return incident;
}

struct walk {
    struct incident incident;
    size_t sequences, moves;
    bool reached[INCIDENT_STATE_COUNT];
};

static void advance_and_compare(struct walk *walk, enum incident_event event, int64_t now_ms) {
    struct incident *incident = &walk->incident;
    enum incident_state from = incident->state;
    uint32_t sequence = incident->sequence;
    unsigned attempts = incident->attempts;
    int64_t entered_at_ms = incident->entered_at_ms, closed_at_ms = incident->closed_at_ms;
    int expected = expected_next(from, event);
    struct transition step = {.sequence = 999};
    enum status status = incident_advance(incident, event, now_ms, "why", &step, NULL);
    if (expected == NOWHERE) {
        assert_int_equal(status, STATUS_INVALID);
        assert_int_equal(incident->state, from);
        assert_int_equal(incident->sequence, sequence);
        assert_int_equal(incident->attempts, attempts);
        assert_int_equal(incident->entered_at_ms, entered_at_ms);
        assert_int_equal(incident->closed_at_ms, closed_at_ms);
        assert_int_equal(step.sequence, 999);
        return;
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(incident->state, expected);
    assert_int_equal(incident->sequence, sequence + 1);
    assert_int_equal(incident->attempts, attempts + (event == EVENT_ACTION_SENT));
    assert_int_equal(incident->entered_at_ms, now_ms);
    assert_int_equal(incident->closed_at_ms, expected == INCIDENT_RESOLVED ? now_ms : 0);
    assert_int_equal(step.sequence, sequence + 1);
    assert_int_equal(step.from, from);
    assert_int_equal(step.to, expected);
    assert_int_equal(step.at_ms, now_ms);
    walk->reached[expected] = true;
    walk->moves++;
}

static void walk_all(struct walk *walk, unsigned depth) {
    if (depth == SEQUENCE_LENGTH) {
        walk->sequences++;
        return;
    }
    struct incident *incident = &walk->incident;
    for (int event = 0; event < INCIDENT_EVENT_COUNT; event++) {
        enum incident_state state = incident->state;
        uint32_t sequence = incident->sequence;
        unsigned attempts = incident->attempts;
        int64_t entered_at_ms = incident->entered_at_ms, closed_at_ms = incident->closed_at_ms;
        advance_and_compare(walk, (enum incident_event)event, 1000 + depth);
        walk_all(walk, depth + 1);
        incident->state = state;
        incident->sequence = sequence;
        incident->attempts = attempts;
        incident->entered_at_ms = entered_at_ms;
        incident->closed_at_ms = closed_at_ms;
    }
}

/* 7^8 sequences; states that cannot be left are still asked every event. */
static void in_no_sequence_of_eight_events_does_an_unlisted_transition_happen(void **state) {
    (void)state;
    struct transition birth;
    struct walk walk = {.incident = born(7, &birth)};
    walk_all(&walk, 0);
    assert_int_equal(walk.sequences, 5764801);
    assert_true(walk.moves > 0);
    for (int i = INCIDENT_OPEN; i < INCIDENT_STATE_COUNT; i++)
        assert_true(walk.reached[i]);
}

static void a_birth_is_transition_one_from_suspected_to_suspected(void **state) {
    (void)state;
    struct transition birth;
    struct incident incident = born(1234, &birth);
    assert_int_equal(incident.state, INCIDENT_SUSPECTED);
    assert_int_equal(incident.sequence, 1);
    assert_int_equal(incident.opened_at_ms, 1234);
    assert_int_equal(incident.entered_at_ms, 1234);
    assert_int_equal(incident.closed_at_ms, 0);
    assert_int_equal(birth.sequence, 1);
    assert_int_equal(birth.from, INCIDENT_SUSPECTED);
    assert_int_equal(birth.to, INCIDENT_SUSPECTED);
    assert_int_equal(birth.at_ms, 1234);
    assert_string_equal(birth.incident_id, incident.id);
    assert_string_equal(birth.why, "score 0.9");
}

static void a_refused_event_names_the_incident_the_event_and_the_state(void **state) {
    (void)state;
    struct transition birth, step;
    struct error err;
    struct incident incident = born(1, &birth);
    assert_int_equal(incident_advance(&incident, EVENT_ACTION_DONE, 2, "", &step, &err), STATUS_INVALID);
    assert_string_equal(err.text, "incident 0123456789abcdef0123456789abcdef: action_done does not happen "
                                  "in state SUSPECTED");
}

static void a_reason_that_is_too_long_is_cut(void **state) {
    (void)state;
    struct transition birth, step;
    char why[400];
    memset(why, 'x', sizeof why - 1);
    why[sizeof why - 1] = '\0';
    struct incident incident = born(1, &birth);
    assert_int_equal(incident_advance(&incident, EVENT_HELD, 2, why, &step, NULL), STATUS_OK);
    assert_int_equal(strlen(step.why), sizeof step.why - 1);
}

static void only_a_resolved_incident_is_ended(void **state) {
    (void)state;
    for (int i = 0; i < INCIDENT_STATE_COUNT; i++) {
        struct incident incident = {.state = (enum incident_state)i};
        assert_int_equal(incident_is_ended(&incident), i == INCIDENT_RESOLVED);
    }
}

static void every_state_has_a_name_that_parses_back(void **state) {
    (void)state;
    enum incident_state parsed;
    for (int i = 0; i < INCIDENT_STATE_COUNT; i++) {
        assert_true(incident_state_parse(incident_state_name((enum incident_state)i), &parsed));
        assert_int_equal(parsed, i);
    }
    assert_false(incident_state_parse("open", &parsed));
    assert_false(incident_state_parse("", &parsed));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_no_sequence_of_eight_events_does_an_unlisted_transition_happen),
        cmocka_unit_test(a_birth_is_transition_one_from_suspected_to_suspected),
        cmocka_unit_test(a_refused_event_names_the_incident_the_event_and_the_state),
        cmocka_unit_test(a_reason_that_is_too_long_is_cut),
        cmocka_unit_test(only_a_resolved_incident_is_ended),
        cmocka_unit_test(every_state_has_a_name_that_parses_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
