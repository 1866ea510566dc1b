/* What every store must do; each test runs on each store. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/sample_records.h"

struct fixture {
    struct store *store;
    char folder[64];
};

static int open_memory(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store = store_open_memory();
    *state = fixture;
    return 0;
}

static int open_sqlite(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->folder, "/tmp/sentinel-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    char path[96];
    snprintf(path, sizeof path, "%s/sentinel.db", fixture->folder);
    struct error err = {0};
    if (store_open_sqlite(path, &fixture->store, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    *state = fixture;
    return 0;
}

static int close_store(void **state) {
    struct fixture *fixture = *state;
    store_close(fixture->store);
    static const char *const files[] = {"sentinel.db", "sentinel.db-wal", "sentinel.db-shm"};
    for (size_t i = 0; fixture->folder[0] && i < 3; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%s", fixture->folder, files[i]);
        unlink(path);
    }
    if (fixture->folder[0])
        assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

static void must_record(struct store *store, const struct incident *incident,
                        const struct transition *transition, const struct action *action) {
    struct error err = {0};
    if (store_record(store, incident, transition, action, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static struct listed *must_list(struct store *store, size_t limit) {
    struct listed *listed = calloc(1, sizeof *listed);
    assert_int_equal(store_list(store, limit, listed_take, listed, NULL), STATUS_OK);
    return listed;
}

static void an_empty_store_has_nothing(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct incident open[4];
    size_t count = 77;
    assert_int_equal(store_load_open(store, open, 4, &count, NULL), STATUS_OK);
    assert_int_equal(count, 0);
    struct action action;
    struct error err = {0};
    assert_int_equal(store_load_last_action(store, "00", &action, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "00"));
    struct listed *listed = must_list(store, 10);
    assert_int_equal(listed->count, 0);
    free(listed);
}

static void every_field_comes_back(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct incident incident = sample_incident(1);
    struct transition transition = sample_transition(1, 2);
    struct action action = sample_action(1, 1);
    incident.closed_at_ms = sample_epoch_ms + 90001;
    action.finished_at_ms = sample_epoch_ms + 80001;
    must_record(store, &incident, &transition, &action);

    struct listed *listed = must_list(store, 10);
    assert_int_equal(listed->count, 1);
    assert_same_incident(&listed->incidents[0], &incident);
    assert_int_equal(listed->transition_counts[0], 1);
    assert_same_transition(&listed->transitions[0][0], &transition);
    assert_int_equal(listed->action_counts[0], 1);
    assert_same_action(&listed->actions[0][0], &action);
    free(listed);
}

static void what_is_not_there_stays_absent(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct incident incident = sample_incident(1);
    incident.peak_score = NAN;
    struct action action = sample_action(1, 1);
    action.target = (struct candidate){0};
    action.candidate_count = 0;
    action.outcome = OUTCOME_NO_TARGET;
    must_record(store, &incident, NULL, &action);

    struct listed *listed = must_list(store, 10);
    assert_int_equal(listed->transition_counts[0], 0);
    assert_true(isnan(listed->incidents[0].peak_score));
    assert_true(listed->incidents[0].closed_at_ms == 0);
    assert_same_action(&listed->actions[0][0], &action);
    free(listed);
}

static void the_same_record_twice_is_stored_once(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct incident incident = sample_incident(1);
    struct transition transition = sample_transition(1, 2);
    struct action action = sample_action(1, 1);
    for (int i = 0; i < 3; i++)
        must_record(store, &incident, &transition, &action);

    struct listed *listed = must_list(store, 10);
    assert_int_equal(listed->count, 1);
    assert_int_equal(listed->transition_counts[0], 1);
    assert_int_equal(listed->action_counts[0], 1);
    free(listed);
}

static void the_outcome_of_an_action_replaces_its_intention(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct incident incident = sample_incident(1);
    struct action action = sample_action(1, 1);
    must_record(store, &incident, NULL, &action);
    action.outcome = OUTCOME_KILLED;
    action.finished_at_ms = sample_epoch_ms + 9999;
    snprintf(action.reason, sizeof action.reason, "ignored TERM for 5 s");
    must_record(store, &incident, NULL, &action);

    struct listed *listed = must_list(store, 10);
    assert_int_equal(listed->action_counts[0], 1);
    assert_same_action(&listed->actions[0][0], &action);
    free(listed);
}

static void an_older_record_does_not_take_an_incident_back(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct incident earlier = sample_incident(1), later = earlier;
    later.sequence = 3;
    later.state = INCIDENT_REMEDIATING;
    must_record(store, &later, NULL, NULL);
    must_record(store, &earlier, NULL, NULL);

    struct listed *listed = must_list(store, 10);
    assert_same_incident(&listed->incidents[0], &later);
    free(listed);
}

static void transitions_and_actions_come_oldest_first(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct incident incident = sample_incident(1);
    for (unsigned i = 1; i <= 3; i++) {
        struct transition transition = sample_transition(1, i);
        struct action action = sample_action(1, i);
        action.intended_at_ms = sample_epoch_ms - i; /* a clock that runs backwards changes nothing */
        incident.sequence = i;
        must_record(store, &incident, &transition, &action);
    }
    struct listed *listed = must_list(store, 10);
    assert_int_equal(listed->transition_counts[0], 3);
    assert_int_equal(listed->action_counts[0], 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(listed->transitions[0][i].sequence, i + 1);
        assert_same_candidate(&listed->actions[0][i].target,
                              &(struct candidate[]){sample_candidate(i + 1)}[0]);
    }
    free(listed);
}

static void the_last_action_is_the_one_intended_last(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct incident incident = sample_incident(1);
    struct action first = sample_action(1, 1), second = sample_action(1, 2), read;
    must_record(store, &incident, NULL, &first);
    must_record(store, &incident, NULL, &second);
    first.outcome = OUTCOME_FAILED; /* a late answer for the first changes its row, not its age */
    must_record(store, &incident, NULL, &first);

    assert_int_equal(store_load_last_action(store, incident.id, &read, NULL), STATUS_OK);
    assert_same_action(&read, &second);
}

static void open_incidents_are_those_not_resolved_oldest_first(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    for (int i = 0; i < INCIDENT_STATE_COUNT; i++) {
        struct incident incident = sample_incident((unsigned)i);
        incident.state = (enum incident_state)i;
        must_record(store, &incident, NULL, NULL);
    }
    struct incident open[INCIDENT_STATE_COUNT];
    size_t count;
    assert_int_equal(store_load_open(store, open, INCIDENT_STATE_COUNT, &count, NULL), STATUS_OK);
    static const enum incident_state expected[] = {INCIDENT_SUSPECTED, INCIDENT_OPEN, INCIDENT_REMEDIATING,
                                                   INCIDENT_VERIFYING, INCIDENT_ESCALATED};
    assert_int_equal(count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(open[i].state, expected[i]);

    assert_int_equal(store_load_open(store, open, 2, &count, NULL), STATUS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(open[1].state, INCIDENT_OPEN);
}

static void the_list_begins_with_the_newest_and_keeps_its_limit(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    for (unsigned i = 1; i <= 5; i++) {
        struct incident incident = sample_incident(i);
        must_record(store, &incident, NULL, NULL);
    }
    struct incident touched = sample_incident(2); /* a change does not make an incident newer */
    must_record(store, &touched, NULL, NULL);

    struct listed *listed = must_list(store, 3);
    assert_int_equal(listed->count, 3);
    for (unsigned i = 0; i < 3; i++) {
        struct incident expected = sample_incident(5 - i);
        assert_same_incident(&listed->incidents[i], &expected);
    }
    free(listed);
    listed = must_list(store, SIZE_MAX);
    assert_int_equal(listed->count, 5);
    free(listed);
}

static void bytes_that_are_not_utf8_become_question_marks(void **state) {
    static const struct {
        const char *stored, *read;
    } cases[] = {
        {"plain", "plain"},
        {"gr\xc3\xbc\xc3\x9f Gott \xe2\x82\xac \xf0\x9f\x94\xa5",
         "gr\xc3\xbc\xc3\x9f Gott \xe2\x82\xac \xf0\x9f\x94\xa5"},
        {"cut \xe2\x82", "cut ??"},
        {"lone \x80\xff", "lone ??"},
        {"overlong \xc0\xaf \xe0\x80\xaf", "overlong ?? ???"},
        {"surrogate \xed\xa0\x80", "surrogate ???"},
        {"beyond \xf4\x90\x80\x80 \xf5", "beyond ???? ?"},
    };
    struct store *store = ((struct fixture *)*state)->store;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct incident incident = sample_incident((unsigned)i);
        struct action action = sample_action((unsigned)i, 1), read;
        snprintf(action.candidates[1].comm, sizeof action.candidates[1].comm, "%s", cases[i].stored);
        snprintf(action.target.comm, sizeof action.target.comm, "%s", cases[i].stored);
        must_record(store, &incident, NULL, &action);
        assert_int_equal(store_load_last_action(store, incident.id, &read, NULL), STATUS_OK);
        assert_string_equal(read.candidates[1].comm, cases[i].read);
        assert_string_equal(read.target.comm, cases[i].read);
    }
}

#define ON_BOTH_STORES(test)                                                                                 \
    {#test " (memory)", test, open_memory, close_store, NULL}, {                                             \
#test " (sqlite)", test, open_sqlite, close_store, NULL                                              \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH_STORES(an_empty_store_has_nothing),
        ON_BOTH_STORES(every_field_comes_back),
        ON_BOTH_STORES(what_is_not_there_stays_absent),
        ON_BOTH_STORES(the_same_record_twice_is_stored_once),
        ON_BOTH_STORES(the_outcome_of_an_action_replaces_its_intention),
        ON_BOTH_STORES(an_older_record_does_not_take_an_incident_back),
        ON_BOTH_STORES(transitions_and_actions_come_oldest_first),
        ON_BOTH_STORES(the_last_action_is_the_one_intended_last),
        ON_BOTH_STORES(open_incidents_are_those_not_resolved_oldest_first),
        ON_BOTH_STORES(the_list_begins_with_the_newest_and_keeps_its_limit),
        ON_BOTH_STORES(bytes_that_are_not_utf8_become_question_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
