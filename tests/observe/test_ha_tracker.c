/* src/observe/ha_tracker and replicas: a pair of Prometheus counts once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/counters.h"
#include "observe/ha_tracker.h"
#include "observe/replicas.h"

enum { FAILOVER_MS = 30000 };

static struct ha_text text(const char *string) {
    return (struct ha_text){string, strlen(string)};
}

static void the_first_replica_is_elected_until_it_falls_silent(void **state) {
    (void)state;
    static const struct {
        const char *replica;
        int64_t at_ms;
        bool accepted;
    } steps[] = {
        {"a", 0, true},
        {"b", 10, false},
        {"a", 20000, true},
        {"b", 49999, false},
        {"b", 50000, true}, /* 30 s after a was last heard */
        {"a", 50001, false},
        {"b", 79000, true},
        {"a", 100000, false},
        {"ab", 100001, false},
        {"a", 79000 + FAILOVER_MS, true},
    };
    struct ha_tracker *tracker = ha_tracker_create(10, FAILOVER_MS);
    uint64_t failovers = counter_read(COUNTER_HA_FAILOVERS);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (ha_tracker_accepts(tracker, text("eu"), text(steps[i].replica), steps[i].at_ms) !=
            steps[i].accepted)
            fail_msg("step %zu", i);
    assert_int_equal(counter_read(COUNTER_HA_FAILOVERS) - failovers, 2);
    ha_tracker_destroy(tracker);
}

static void clusters_elect_for_themselves_and_beyond_the_limit_everybody_is_heard(void **state) {
    (void)state;
    struct ha_tracker *tracker = ha_tracker_create(2, FAILOVER_MS);
    assert_true(ha_tracker_accepts(tracker, text("eu"), text("a"), 0));
    assert_true(ha_tracker_accepts(tracker, text("us"), text("b"), 0));
    assert_false(ha_tracker_accepts(tracker, text("eu"), text("b"), 0));
    assert_false(ha_tracker_accepts(tracker, text("us"), text("a"), 0));
    assert_true(ha_tracker_accepts(tracker, text("asia"), text("a"), 0));
    assert_true(ha_tracker_accepts(tracker, text("asia"), text("b"), 0));
    assert_int_equal(ha_tracker_count(tracker), 2);
    ha_tracker_destroy(tracker);
}

#define LABEL(name, value)                                                                                   \
    { name, value, sizeof(name) - 1, sizeof(value) - 1 }

static void series_of_the_elected_lose_their_replica_label_and_the_others_go(void **state) {
    (void)state;
    const struct label elected[] = {LABEL("__name__", "up"), LABEL("__replica__", "a"),
                                    LABEL("cluster", "eu")};
    const struct label other[] = {LABEL("__name__", "up"), LABEL("__replica__", "b"), LABEL("cluster", "eu")};
    const struct label single[] = {LABEL("__name__", "up"), LABEL("cluster", "eu"), LABEL("job", "x")};
    const struct label lonely[] = {LABEL("__name__", "up"), LABEL("__replica__", "z")};
    const struct write_series series[] = {
        {.labels = {elected, 3}, .count = 1}, {.labels = {other, 3}, .count = 5},
        {.labels = {elected, 3}, .count = 2}, {.labels = {single, 3}, .count = 3},
        {.labels = {lonely, 2}, .count = 4},
    };
    static const struct replica_labels names = {"cluster", "__replica__"};
    struct write_batch batch = {.series = series, .series_count = 5};
    struct ha_tracker *tracker = ha_tracker_create(10, FAILOVER_MS);
    struct arena *arena = arena_create(1 << 16);
    bool fits;
    assert_int_equal(replicas_filter(tracker, &names, arena, &batch, 0, &fits), 5);
    assert_true(fits);
    assert_int_equal(batch.series_count, 4);
    assert_int_equal(batch.series[0].labels.count, 2);
    assert_memory_equal(batch.series[0].labels.labels[1].name, "cluster", 7);
    assert_int_equal(batch.series[1].count, 2);
    assert_int_equal(batch.series[1].labels.count, 2);
    assert_int_equal(batch.series[2].labels.count, 3);
    assert_int_equal(batch.series[3].labels.count, 2);
    arena_destroy(arena);
    arena = arena_create(100);
    batch = (struct write_batch){.series = series, .series_count = 5};
    replicas_filter(tracker, &names, arena, &batch, 0, &fits);
    assert_false(fits);
    arena_destroy(arena);
    ha_tracker_destroy(tracker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_replica_is_elected_until_it_falls_silent),
        cmocka_unit_test(clusters_elect_for_themselves_and_beyond_the_limit_everybody_is_heard),
        cmocka_unit_test(series_of_the_elected_lose_their_replica_label_and_the_others_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
