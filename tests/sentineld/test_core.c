/* The loop with a clock, a trainer, an archive and a helper of this test: samples in, decisions out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sentineld/core.h"

enum { STEP_MS = 2000, LOG_SIZE = 1 << 16 };

struct world {
    struct feature_set *set;
    struct policy policy;
    struct host_directory *directory;
    struct board *board;
    struct core *core;
    struct helper_mapping helper;
    struct moment now;
    struct rng weather;
    double smallest_change[FEATURES_MAX];
    uint64_t idle_inputs, user_inputs;
    double idle_seconds, user_seconds;
    uint32_t host;

    struct training *training; /* not fitted yet */
    uint64_t tickets[64];      /* not durable yet, oldest first */
    size_t ticket_count;
    uint64_t list_request, act_request; /* not answered yet; 0: none */
    unsigned acts;
    char log[LOG_SIZE]; /* every transition and action, with its id */
    size_t log_used;
};

static enum status port_train(void *context, uint32_t host, struct training *training) {
    struct world *w = context;
    assert_int_equal(host, w->host);
    if (w->training)
        return STATUS_BUSY;
    w->training = training;
    return STATUS_OK;
}

static enum status port_list(void *context, size_t actor, uint32_t host, uint64_t request) {
    struct world *w = context;
    assert_int_equal(actor, 0);
    assert_int_equal(host, w->host);
    w->list_request = request;
    return STATUS_OK;
}

static enum status port_act(void *context, size_t actor, uint32_t host, uint64_t request,
                            const struct action *action) {
    struct world *w = context;
    assert_int_equal(actor, 0);
    assert_int_equal(host, w->host);
    assert_int_equal(action->kind, ACTION_TERMINATE);
    w->act_request = request;
    w->acts++;
    return STATUS_OK;
}

static enum status port_record(void *context, uint64_t ticket, const struct incident *incident,
                               const struct transition *transition, const struct action *action) {
    struct world *w = context;
    assert_true(w->ticket_count < 64);
    w->tickets[w->ticket_count++] = ticket;
    if (transition)
        w->log_used += (size_t)snprintf(w->log + w->log_used, LOG_SIZE - w->log_used, "%lld %s %s->%s %s\n",
                                        (long long)transition->at_ms, incident->id,
                                        incident_state_name(transition->from),
                                        incident_state_name(transition->to), transition->why);
    if (action)
        w->log_used += (size_t)snprintf(w->log + w->log_used, LOG_SIZE - w->log_used, "%s %s %s\n",
                                        action->id, action_outcome_name(action->outcome), action->reason);
    assert_true(w->log_used < LOG_SIZE);
    return STATUS_OK;
}

static uint64_t inputs_of(const struct feature_set *set, const char *mode) {
    size_t count;
    const struct series_selector *selectors = feature_set_selectors(set, &count);
    struct selector_table *table = selector_table_create(selectors, count);
    const struct label labels[] = {{"__name__", "node_cpu_seconds_total", 8, 22},
                                   {"mode", mode, 4, strlen(mode)}};
    const struct label_set label_set = {labels, 2};
    uint64_t inputs = selector_table_match(table, &label_set);
    selector_table_destroy(table);
    return inputs;
}

static struct world *world_create(uint64_t seed) {
    struct world *w = xcalloc(1, sizeof *w);
    w->set = feature_set_create_default();
    policy_init_default(&w->policy, w->set);
    w->policy.mode = MODE_ACT;
    w->directory = host_directory_create(4);
    w->board = board_create(w->set, 4, 100, 10);
    w->helper = (struct helper_mapping){.host = "a:9100", .socket_path = "/run/a.sock"};
    w->now = (struct moment){.unix_ms = 1700000000000, .monotonic_ms = 1000};
    w->idle_inputs = inputs_of(w->set, "idle");
    w->user_inputs = inputs_of(w->set, "user");
    rng_seed(&w->weather, 5);
    for (size_t i = 0; i < feature_set_count(w->set); i++)
        w->smallest_change[i] = feature_set_describe(w->set, i)->smallest_change;
    const struct core_settings settings = {
        .set = w->set,
        .policy = &w->policy,
        .directory = w->directory,
        .board = w->board,
        .assembly = {.settle_ms = 1000, .max_gap_ms = 60000, .max_series = 100},
        .model = {.learning_points = 15,
                  .window_points = 500,
                  .trees = 20,
                  .subsample_size = 64,
                  .false_alarm_rate = 0.001,
                  .seed = seed,
                  .smallest_change = w->smallest_change},
        .stale_after_ms = 60000,
        .helpers = &w->helper,
        .helper_count = 1,
        .id_seed = seed,
    };
    const struct core_ports ports = {w, port_train, port_list, port_act, port_record};
    w->core = core_create(&settings, &ports);
    struct error err;
    assert_int_equal(host_directory_intern(w->directory, "a:9100", &w->host, &err), STATUS_OK);
    return w;
}

static void world_destroy(struct world *w) {
    training_destroy(w->training);
    core_destroy(w->core);
    board_destroy(w->board);
    host_directory_destroy(w->directory);
    feature_set_destroy(w->set);
    free(w);
}

static void pass(struct world *w, int64_t ms) {
    w->now.unix_ms += ms;
    w->now.monotonic_ms += ms;
}

static void fit(struct world *w) {
    if (!w->training)
        return;
    struct training *training = w->training;
    w->training = NULL;
    training_run(training);
    core_trained(w->core, w->host, training);
}

static void make_durable(struct world *w) {
    while (w->ticket_count > 0) {
        uint64_t ticket = w->tickets[0];
        memmove(w->tickets, w->tickets + 1, --w->ticket_count * sizeof w->tickets[0]);
        core_durable(w->core, ticket, w->now);
    }
}

/* One scrape of two series: one point, from the second on. */
static size_t scrape(struct world *w, double busy_ratio) {
    pass(w, STEP_MS);
    w->user_seconds += busy_ratio * STEP_MS / 1000;
    w->idle_seconds += (1 - busy_ratio) * STEP_MS / 1000;
    struct observation_batch *batch = xcalloc(1, sizeof *batch + 2 * sizeof batch->observations[0]);
    batch->count = 2;
    batch->observations[0] =
        (struct observation){11, w->idle_inputs, w->now.unix_ms - 50, w->idle_seconds, w->host};
    batch->observations[1] =
        (struct observation){12, w->user_inputs, w->now.unix_ms - 50, w->user_seconds, w->host};
    size_t points = core_observe(w->core, batch, w->now);
    free(batch);
    core_tick(w->core, w->now);
    fit(w);
    return points;
}

static size_t quiet_scrape(struct world *w) {
    return scrape(w, 0.1 + 0.1 * rng_uniform(&w->weather));
}

static struct host_row shown(struct world *w) {
    struct host_row row;
    assert_true(board_get_host(w->board, w->host, &row));
    return row;
}

static void learn(struct world *w) {
    quiet_scrape(w);
    pass(w, 1000); /* nothing says that the first scrape is whole */
    core_tick(w->core, w->now);
    for (int i = 0; i < 30; i++)
        assert_int_equal(quiet_scrape(w), 1);
    assert_int_equal(shown(w).state, HOST_HEALTHY);
}

static void answer_list(struct world *w) {
    assert_true(w->list_request != 0);
    struct act_answer *answer = xcalloc(1, sizeof *answer);
    answer->kind = ACT_LIST;
    answer->host = w->host;
    answer->request = w->list_request;
    answer->candidate_count = 1;
    answer->candidates[0] = (struct candidate){.pid = 42, .cpu_ratio = 0.99, .allowed = true, .comm = "burn"};
    w->list_request = 0;
    core_answered(w->core, answer, w->now);
    free(answer);
}

static void answer_deed(struct world *w, enum action_outcome outcome) {
    assert_true(w->act_request != 0);
    struct act_answer *answer = xcalloc(1, sizeof *answer);
    answer->kind = ACT_DEED;
    answer->host = w->host;
    answer->request = w->act_request;
    answer->outcome = outcome;
    w->act_request = 0;
    core_answered(w->core, answer, w->now);
    free(answer);
}

/* From the first sample to the proven heal. */
static void live_through_a_runaway(struct world *w) {
    learn(w);
    scrape(w, 0.97);
    assert_int_equal(shown(w).state, HOST_ANOMALY);
    scrape(w, 0.97);
    scrape(w, 0.97);
    answer_list(w);
    assert_int_equal(w->acts, 0);
    make_durable(w);
    assert_int_equal(w->acts, 1);
    assert_int_equal(shown(w).state, HOST_HEALING);
    answer_deed(w, OUTCOME_TERMINATED);
    make_durable(w);
    assert_int_equal(shown(w).state, HOST_HEALING);
    /* Trailing means fade: what just ended is unusual for a while yet. */
    for (int i = 0; i < 55 && shown(w).state != HOST_HEALTHY; i++)
        quiet_scrape(w);
    make_durable(w);
    assert_int_equal(shown(w).state, HOST_HEALTHY);
}

static void a_host_learns_for_fifteen_points_and_then_is_healthy(void **state) {
    (void)state;
    struct world *w = world_create(1);
    assert_int_equal(quiet_scrape(w), 0); /* the first scrape has no rates */
    pass(w, 1000);
    core_tick(w->core, w->now);
    for (size_t point = 1; point <= 14; point++) {
        assert_int_equal(quiet_scrape(w), 1);
        assert_int_equal(shown(w).state, HOST_LEARNING);
        assert_int_equal(shown(w).assessment.learning_points, point);
        assert_int_equal(shown(w).assessment.learning_target, 15);
        assert_true(isnan(shown(w).assessment.score));
    }
    quiet_scrape(w);
    assert_int_equal(shown(w).state, HOST_HEALTHY);
    quiet_scrape(w);
    assert_false(isnan(shown(w).assessment.score));
    assert_string_equal(shown(w).helper, "/run/a.sock");
    world_destroy(w);
}

static void a_runaway_is_healed_and_the_heal_is_proven(void **state) {
    (void)state;
    struct world *w = world_create(1);
    live_through_a_runaway(w);
    assert_int_equal(w->acts, 1);
    struct incident_row *row = xcalloc(1, sizeof *row);
    assert_int_equal(board_incident_count(w->board), 1);
    assert_true(board_get_incident(w->board, 0, row));
    assert_int_equal(row->incident.state, INCIDENT_RESOLVED);
    assert_int_equal(row->action_count, 1);
    assert_int_equal(row->actions[0].outcome, OUTCOME_TERMINATED);
    static const enum incident_state path[] = {INCIDENT_SUSPECTED, INCIDENT_OPEN, INCIDENT_REMEDIATING,
                                               INCIDENT_VERIFYING, INCIDENT_RESOLVED};
    assert_int_equal(row->transition_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(row->transitions[i].to, path[i]);
    free(row);
    world_destroy(w);
}

static void the_failsafe_works_while_a_host_is_learning(void **state) {
    (void)state;
    struct world *w = world_create(1);
    quiet_scrape(w);
    pass(w, 1000);
    core_tick(w->core, w->now);
    for (int i = 0; i < 3; i++)
        scrape(w, 0.97);
    answer_list(w);
    make_durable(w);
    assert_int_equal(w->acts, 1);
    world_destroy(w);
}

static void the_same_inputs_and_seeds_give_the_same_decisions_to_the_byte(void **state) {
    (void)state;
    struct world *a = world_create(9), *b = world_create(9), *c = world_create(10);
    live_through_a_runaway(a);
    live_through_a_runaway(b);
    live_through_a_runaway(c);
    assert_true(a->log_used > 300);
    assert_string_equal(a->log, b->log);
    assert_string_not_equal(a->log, c->log);
    world_destroy(a);
    world_destroy(b);
    world_destroy(c);
}

static void a_silent_host_is_stale_and_never_healthy(void **state) {
    (void)state;
    struct world *w = world_create(1);
    learn(w);
    pass(w, 60000);
    core_tick(w->core, w->now);
    assert_int_equal(shown(w).state, HOST_HEALTHY);
    pass(w, 1);
    core_tick(w->core, w->now);
    assert_int_equal(shown(w).state, HOST_STALE);
    quiet_scrape(w);
    core_tick(w->core, w->now);
    assert_int_equal(shown(w).state, HOST_HEALTHY);
    world_destroy(w);
}

static void an_incident_of_a_former_life_is_taken_up_again(void **state) {
    (void)state;
    struct world *w = world_create(1);
    const struct incident incident = {.id = "0123456789abcdef0123456789abcdef",
                                      .host = "a:9100",
                                      .state = INCIDENT_REMEDIATING,
                                      .rule = "cpu-failsafe",
                                      .trigger = "failsafe",
                                      .sequence = 3,
                                      .attempts = 1};
    struct action *action = xcalloc(1, sizeof *action);
    *action =
        (struct action){.id = "00000000000000000000000000000001", .host = "a:9100", .kind = ACTION_TERMINATE};
    memcpy(action->incident_id, incident.id, sizeof incident.id);
    struct error err;
    assert_int_equal(core_restore(w->core, &incident, NULL, 0, action, 1, w->now, &err), STATUS_OK);
    free(action);
    assert_int_equal(shown(w).state, HOST_STALE); /* no sample yet */
    assert_string_equal(shown(w).incident_id, incident.id);
    core_tick(w->core, w->now);
    assert_int_equal(w->acts, 1);
    answer_deed(w, OUTCOME_GONE);
    quiet_scrape(w);
    pass(w, 1000);
    core_tick(w->core, w->now);
    for (int i = 0; i < 3; i++)
        quiet_scrape(w);
    assert_string_equal(shown(w).incident_id, "");
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_learns_for_fifteen_points_and_then_is_healthy),
        cmocka_unit_test(a_runaway_is_healed_and_the_heal_is_proven),
        cmocka_unit_test(the_failsafe_works_while_a_host_is_learning),
        cmocka_unit_test(the_same_inputs_and_seeds_give_the_same_decisions_to_the_byte),
        cmocka_unit_test(a_silent_host_is_stale_and_never_healthy),
        cmocka_unit_test(an_incident_of_a_former_life_is_taken_up_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
