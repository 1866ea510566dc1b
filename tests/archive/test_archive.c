#include "archive/sample_records.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"

enum { PATIENCE_MS = 20000, TICKETS_MAX = 512 };

/* A store that keeps what it is given in memory, and fails when it is told to. */
struct scripted_store {
    struct store base;
    struct store *kept;
    atomic_int failures_left;
    atomic_bool blocked;
    atomic_int attempts;
    atomic_bool *closed;
};

static enum status scripted_record(struct store *base, const struct incident *incident,
                                   const struct transition *transition, const struct action *action,
                                   struct error *err) {
    struct scripted_store *store = (struct scripted_store *)base;
    atomic_fetch_add(&store->attempts, 1);
    while (atomic_load(&store->blocked))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (atomic_load(&store->failures_left) > 0) {
        atomic_fetch_sub(&store->failures_left, 1);
        return error_set(err, STATUS_UNAVAILABLE, "scripted");
    }
    return store_record(store->kept, incident, transition, action, err);
}

static enum status scripted_list(struct store *base, size_t limit, store_visitor *each, void *context,
                                 struct error *err) {
    return store_list(((struct scripted_store *)base)->kept, limit, each, context, err);
}

static void scripted_close(struct store *base) {
    struct scripted_store *store = (struct scripted_store *)base;
    store_close(store->kept);
    atomic_store(store->closed, true);
    free(store);
}

struct fixture {
    struct scripted_store *store;
    struct archive *archive;
    atomic_bool closed;
    pthread_mutex_t lock;
    size_t durable_count;
    uint64_t durable[TICKETS_MAX];
};

static void on_durable(void *context, uint64_t ticket) {
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    assert_true(fixture->durable_count < TICKETS_MAX);
    fixture->durable[fixture->durable_count++] = ticket;
    pthread_mutex_unlock(&fixture->lock);
}

static size_t durable_count(struct fixture *fixture) {
    pthread_mutex_lock(&fixture->lock);
    size_t count = fixture->durable_count;
    pthread_mutex_unlock(&fixture->lock);
    return count;
}

static void set_up(struct fixture *fixture, size_t capacity) {
    static const struct store_ops ops = {
        .name = "scripted", .record = scripted_record, .list = scripted_list, .close = scripted_close};
    *fixture = (struct fixture){.lock = PTHREAD_MUTEX_INITIALIZER};
    fixture->store = calloc(1, sizeof *fixture->store);
    fixture->store->base.ops = &ops;
    fixture->store->kept = store_open_memory();
    fixture->store->closed = &fixture->closed;
    fixture->archive = archive_create(&fixture->store->base, capacity, on_durable, fixture);
}

static void must_start(struct fixture *fixture) {
    assert_int_equal(archive_start(fixture->archive, NULL), STATUS_OK);
}

static struct archive_record record_of(unsigned number) {
    struct archive_record record = {.ticket = 1000 + number,
                                    .incident = sample_incident(number),
                                    .has_transition = true,
                                    .transition = sample_transition(number, 2)};
    return record;
}

static enum status submit(struct fixture *fixture, unsigned number) {
    struct archive_record record = record_of(number);
    return archive_submit(fixture->archive, &record);
}

/* Waiting for another thread: the condition ends it, the patience only ends a broken test. */
#define WAIT_UNTIL(condition)                                                                                \
    do {                                                                                                     \
        int64_t give_up_ms = clock_monotonic_ms() + PATIENCE_MS;                                             \
        while (!(condition)) {                                                                               \
            assert_true(clock_monotonic_ms() < give_up_ms);                                                  \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);                                         \
        }                                                                                                    \
    } while (0)

static void records_become_durable_in_order(void **state) {
    (void)state;
    struct fixture fixture;
    set_up(&fixture, TICKETS_MAX);
    must_start(&fixture);
    uint64_t written_before = counter_read(COUNTER_TRANSITIONS_WRITTEN);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(submit(&fixture, i), STATUS_OK);
    archive_stop(fixture.archive, PATIENCE_MS);
    assert_int_equal(durable_count(&fixture), 200);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(fixture.durable[i], 1000 + i);
    assert_int_equal(counter_read(COUNTER_TRANSITIONS_WRITTEN) - written_before, 200);
    assert_true(atomic_load(&fixture.closed));
    archive_destroy(fixture.archive);
}

static void a_failing_store_is_tried_again_and_nothing_overtakes(void **state) {
    (void)state;
    struct fixture fixture;
    set_up(&fixture, 8);
    atomic_store(&fixture.store->failures_left, 3);
    uint64_t errors_before = counter_read(COUNTER_ARCHIVE_ERRORS);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(submit(&fixture, i), STATUS_OK);
    must_start(&fixture);
    WAIT_UNTIL(archive_is_failing(fixture.archive));
    WAIT_UNTIL(durable_count(&fixture) == 4);
    assert_false(archive_is_failing(fixture.archive));
    assert_int_equal(atomic_load(&fixture.store->attempts), 3 + 4);
    assert_int_equal(counter_read(COUNTER_ARCHIVE_ERRORS) - errors_before, 3);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(fixture.durable[i], 1000 + i);
    archive_destroy(fixture.archive);
}

static void a_full_queue_is_an_answer_not_a_wait(void **state) {
    (void)state;
    struct fixture fixture;
    set_up(&fixture, 2);
    assert_int_equal(archive_capacity(fixture.archive), 2);
    assert_int_equal(submit(&fixture, 0), STATUS_OK);
    assert_int_equal(submit(&fixture, 1), STATUS_OK);
    assert_int_equal(archive_depth(fixture.archive), 2);
    assert_int_equal(submit(&fixture, 2), STATUS_BUSY);
    must_start(&fixture);
    WAIT_UNTIL(durable_count(&fixture) == 2);
    assert_int_equal(submit(&fixture, 2), STATUS_OK);
    archive_stop(fixture.archive, PATIENCE_MS);
    assert_int_equal(durable_count(&fixture), 3);
    archive_destroy(fixture.archive);
}

static void the_record_is_copied_and_stored_whole(void **state) {
    (void)state;
    struct fixture fixture;
    set_up(&fixture, 2);
    must_start(&fixture);
    struct archive_record record = record_of(1);
    record.has_action = true;
    record.action = sample_action(1, 1);
    assert_int_equal(archive_submit(fixture.archive, &record), STATUS_OK);
    memset(&record, 0xAA, sizeof record);
    WAIT_UNTIL(durable_count(&fixture) == 1);

    struct listed *listed = calloc(1, sizeof *listed);
    assert_int_equal(store_list(&fixture.store->base, 8, listed_take, listed, NULL), STATUS_OK);
    struct incident incident = sample_incident(1);
    struct transition transition = sample_transition(1, 2);
    struct action action = sample_action(1, 1);
    assert_same_incident(&listed->incidents[0], &incident);
    assert_same_transition(&listed->transitions[0][0], &transition);
    assert_same_action(&listed->actions[0][0], &action);
    free(listed);
    archive_destroy(fixture.archive);
}

static void a_long_pause_is_cut_short_by_stopping(void **state) {
    (void)state;
    struct fixture fixture;
    set_up(&fixture, 8);
    atomic_store(&fixture.store->failures_left, 5); /* the fifth pause is 800 ms */
    must_start(&fixture);
    assert_int_equal(submit(&fixture, 0), STATUS_OK);
    WAIT_UNTIL(atomic_load(&fixture.store->attempts) >= 3);
    archive_stop(fixture.archive, PATIENCE_MS);
    assert_int_equal(durable_count(&fixture), 1);
    archive_destroy(fixture.archive);
}

static void stopping_gives_up_when_the_grace_is_over(void **state) {
    (void)state;
    struct fixture fixture;
    set_up(&fixture, 8);
    atomic_store(&fixture.store->failures_left, 1000000);
    must_start(&fixture);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(submit(&fixture, i), STATUS_OK);
    WAIT_UNTIL(archive_is_failing(fixture.archive));
    int64_t began_ms = clock_monotonic_ms();
    archive_stop(fixture.archive, 100);
    assert_true(clock_monotonic_ms() - began_ms >= 100);
    assert_int_equal(durable_count(&fixture), 0);
    assert_true(atomic_load(&fixture.closed));
    archive_destroy(fixture.archive);
}

static void nothing_is_taken_after_stopping(void **state) {
    (void)state;
    struct fixture fixture;
    set_up(&fixture, 8);
    must_start(&fixture);
    archive_stop(fixture.archive, 0);
    assert_int_equal(submit(&fixture, 0), STATUS_UNAVAILABLE);
    archive_destroy(fixture.archive);
}

static void an_archive_that_never_started_closes_its_store(void **state) {
    (void)state;
    struct fixture fixture;
    set_up(&fixture, 8);
    assert_int_equal(submit(&fixture, 0), STATUS_OK);
    archive_destroy(fixture.archive);
    assert_true(atomic_load(&fixture.closed));
    archive_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_become_durable_in_order),
        cmocka_unit_test(a_failing_store_is_tried_again_and_nothing_overtakes),
        cmocka_unit_test(a_full_queue_is_an_answer_not_a_wait),
        cmocka_unit_test(the_record_is_copied_and_stored_whole),
        cmocka_unit_test(a_long_pause_is_cut_short_by_stopping),
        cmocka_unit_test(stopping_gives_up_when_the_grace_is_over),
        cmocka_unit_test(nothing_is_taken_after_stopping),
        cmocka_unit_test(an_archive_that_never_started_closes_its_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
