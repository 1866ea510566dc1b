#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "orient/assembly.h"

enum { SETTLE_MS = 1000, MAX_GAP_MS = 60000, MAX_SERIES = 100, STEP_MS = 2000 };

/* Two processors, idle and user each, and the load average. */
enum { IDLE0, IDLE1, USER0, USER1, LOAD, SOURCES };

struct rig {
    struct feature_set *set;
    struct assembly *assembly;
    uint64_t inputs[SOURCES];
    size_t cpu_busy, load_per_cpu;
    int64_t now_ms;
};

static uint64_t inputs_of(const struct selector_table *table, const char *metric, const char *mode) {
    struct label labels[] = {{"__name__", metric, 8, strlen(metric)}, {"mode", mode, 4, strlen(mode)}};
    struct label_set set = {labels, *mode ? 2 : 1};
    return selector_table_match(table, &set);
}

static int set_up(void **state) {
    static struct rig rig;
    const struct assembly_settings settings = {SETTLE_MS, MAX_GAP_MS, MAX_SERIES};
    rig = (struct rig){.set = feature_set_create_default(), .now_ms = 1000};
    rig.assembly = assembly_create(rig.set, &settings);
    size_t count;
    const struct series_selector *selectors = feature_set_selectors(rig.set, &count);
    struct selector_table *table = selector_table_create(selectors, count);
    rig.inputs[IDLE0] = rig.inputs[IDLE1] = inputs_of(table, "node_cpu_seconds_total", "idle");
    rig.inputs[USER0] = rig.inputs[USER1] = inputs_of(table, "node_cpu_seconds_total", "user");
    rig.inputs[LOAD] = inputs_of(table, "node_load1", "");
    selector_table_destroy(table);
    rig.cpu_busy = (size_t)feature_set_find(rig.set, "cpu_busy");
    rig.load_per_cpu = (size_t)feature_set_find(rig.set, "load_per_cpu");
    *state = &rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    assembly_destroy(rig->assembly);
    feature_set_destroy(rig->set);
    return 0;
}

static double stale_marker(void) {
    const uint64_t bits = 0x7ff0000000000002;
    double marker;
    memcpy(&marker, &bits, sizeof marker);
    return marker;
}

static int64_t time_of(int scrape) {
    return 1700000000000 + (int64_t)scrape * STEP_MS;
}

/* Every processor has been busy for a quarter of the time; the load is the scrape's number. */
static double value_of(int source, int scrape) {
    double seconds = 1000.0 + scrape * (STEP_MS / 1000.0);
    return source == LOAD ? scrape : source == IDLE0 || source == IDLE1 ? 0.75 * seconds : 0.25 * seconds;
}

static bool add_value(struct rig *rig, int source, int scrape, double value) {
    const struct observation piece = {.series = (uint64_t)source + 100,
                                      .inputs = rig->inputs[source],
                                      .timestamp_ms = time_of(scrape),
                                      .value = value};
    return assembly_add(rig->assembly, &piece, rig->now_ms);
}

static bool add(struct rig *rig, int source, int scrape) {
    return add_value(rig, source, scrape, value_of(source, scrape));
}

static void add_all(struct rig *rig, int scrape) {
    for (int source = 0; source < SOURCES; source++)
        assert_true(add(rig, source, scrape));
}

static bool next(struct rig *rig, struct point *point) {
    return assembly_next(rig->assembly, rig->now_ms, point);
}

static void assert_no_point(struct rig *rig) {
    struct point point;
    assert_false(next(rig, &point));
}

static void assert_point(struct rig *rig, int scrape, bool complete) {
    struct point point;
    assert_true(next(rig, &point));
    assert_int_equal(point.timestamp_ms, time_of(scrape));
    assert_int_equal(point.complete, complete);
    assert_true(fabs(point.values[rig->cpu_busy] - 0.25) < 1e-9);
    assert_true(point.values[rig->load_per_cpu] == scrape / 2.0);
}

/* The first scrape makes no point: it has no rates. */
static void seed(struct rig *rig) {
    add_all(rig, 0);
    rig->now_ms += SETTLE_MS;
    assert_no_point(rig);
}

static void a_scrape_in_one_piece_is_a_point_at_once(void **state) {
    struct rig *rig = *state;
    seed(rig);
    for (int scrape = 1; scrape < 10; scrape++) {
        add_all(rig, scrape);
        assert_point(rig, scrape, true);
        assert_no_point(rig);
    }
    assert_int_equal(assembly_series_count(rig->assembly), SOURCES);
    assert_true(assembly_deadline_ms(rig->assembly) == INT64_MAX);
}

static void pieces_in_any_order_make_the_same_point(void **state) {
    struct rig *rig = *state;
    static const int orders[][SOURCES] = {{4, 3, 2, 1, 0}, {2, 0, 4, 1, 3}, {1, 4, 0, 3, 2}};
    seed(rig);
    for (int scrape = 1; scrape <= 3; scrape++) {
        for (int i = 0; i < SOURCES; i++) {
            assert_no_point(rig);
            assert_true(add(rig, orders[scrape - 1][i], scrape));
        }
        assert_point(rig, scrape, true);
    }
}

static void a_repeat_is_refused_and_changes_nothing(void **state) {
    struct rig *rig = *state;
    seed(rig);
    for (int source = 0; source < LOAD; source++)
        assert_true(add(rig, source, 1));
    for (int source = 0; source < LOAD; source++)
        assert_false(add_value(rig, source, 1, 1e9));
    assert_no_point(rig);
    assert_true(add(rig, LOAD, 1));
    assert_point(rig, 1, true);
    assert_false(add(rig, LOAD, 1));
    assert_no_point(rig);
}

static void a_point_is_complete_without_waiting_and_incomplete_after_the_settle_time(void **state) {
    struct rig *rig = *state;
    seed(rig);
    for (int source = 0; source < LOAD; source++)
        add(rig, source, 1);
    assert_int_equal(assembly_deadline_ms(rig->assembly), rig->now_ms + SETTLE_MS);
    rig->now_ms += SETTLE_MS - 1;
    assert_no_point(rig);
    rig->now_ms++;
    struct point point;
    assert_true(next(rig, &point));
    assert_false(point.complete);
    assert_true(isnan(point.values[rig->load_per_cpu]));
    assert_true(fabs(point.values[rig->cpu_busy] - 0.25) < 1e-9);
}

static void a_late_piece_makes_no_second_point_and_serves_the_next_rate(void **state) {
    struct rig *rig = *state;
    struct point point;
    seed(rig);
    for (int source = IDLE1; source < SOURCES; source++)
        add(rig, source, 1);
    rig->now_ms += SETTLE_MS;
    assert_true(next(rig, &point));
    assert_false(add(rig, IDLE0, 1));
    assert_no_point(rig);
    add_all(rig, 2);
    assert_point(rig, 2, true);
}

static void two_scrapes_may_be_open_at_once(void **state) {
    struct rig *rig = *state;
    seed(rig);
    for (int source = 0; source < LOAD; source++) { /* two connections: the load's is slower */
        assert_true(add(rig, source, 1));
        assert_true(add(rig, source, 2));
    }
    assert_no_point(rig);
    assert_true(add(rig, LOAD, 1));
    assert_point(rig, 1, true);
    assert_no_point(rig);
    assert_true(add(rig, LOAD, 2));
    assert_point(rig, 2, true);
}

static void an_older_scrape_that_was_overtaken_still_comes_first(void **state) {
    struct rig *rig = *state;
    seed(rig);
    for (int source = 0; source < LOAD; source++)
        assert_true(add(rig, source, 2));
    for (int source = 0; source < SOURCES; source++)
        assert_true(add(rig, source, 1));
    assert_point(rig, 1, true);
    assert_true(add(rig, LOAD, 2));
    assert_point(rig, 2, true);
}

static void the_second_later_scrape_closes_the_oldest(void **state) {
    struct rig *rig = *state;
    struct point point;
    seed(rig);
    add(rig, LOAD, 1);
    add(rig, LOAD, 2);
    assert_no_point(rig);
    add(rig, LOAD, 3);
    assert_true(next(rig, &point));
    assert_int_equal(point.timestamp_ms, time_of(1));
    assert_false(point.complete);
    assert_true(isnan(point.values[rig->cpu_busy]));
    assert_false(add(rig, LOAD, 0));
    assert_false(add(rig, IDLE0, 1));
}

static void a_counter_that_fell_has_counted_from_zero(void **state) {
    struct rig *rig = *state;
    struct point point;
    seed(rig);
    add_value(rig, IDLE0, 1, 0.5); /* rebooted half a second after the last scrape */
    add_value(rig, IDLE1, 1, 0.5);
    add_value(rig, USER0, 1, 1.5);
    add_value(rig, USER1, 1, 1.5);
    add(rig, LOAD, 1);
    assert_true(next(rig, &point));
    assert_true(fabs(point.values[rig->cpu_busy] - 0.75) < 1e-9);
}

static void after_a_gap_rates_start_anew_and_gauges_do_not(void **state) {
    struct rig *rig = *state;
    struct point point;
    const int after = MAX_GAP_MS / STEP_MS;
    seed(rig);
    add_all(rig, 1);
    assert_point(rig, 1, true);
    add_all(rig, 1 + after); /* just near enough */
    assert_point(rig, 1 + after, true);
    add_all(rig, 2 + 2 * after);
    assert_true(next(rig, &point));
    assert_true(isnan(point.values[rig->cpu_busy]));
    assert_true(point.values[rig->load_per_cpu] == (2 + 2 * after) / 2.0);
    add_all(rig, 3 + 2 * after);
    assert_point(rig, 3 + 2 * after, true);
}

static void a_host_that_says_goodbye_makes_no_point(void **state) {
    struct rig *rig = *state;
    seed(rig);
    for (int source = 0; source < SOURCES; source++)
        assert_true(add_value(rig, source, 1, stale_marker()));
    rig->now_ms += SETTLE_MS;
    assert_no_point(rig);
    add_all(rig, 2); /* nothing is expected, so only time can close it */
    assert_no_point(rig);
    rig->now_ms += SETTLE_MS;
    assert_point(rig, 2, true);
}

static void a_series_that_says_goodbye_is_not_waited_for(void **state) {
    struct rig *rig = *state;
    struct point point;
    seed(rig);
    for (int scrape = 1; scrape < 4; scrape++) { /* the second processor is taken offline */
        add(rig, IDLE0, scrape);
        add(rig, USER0, scrape);
        add(rig, LOAD, scrape);
        if (scrape == 1) {
            add_value(rig, IDLE1, scrape, stale_marker());
            add_value(rig, USER1, scrape, stale_marker());
        }
        assert_true(next(rig, &point));
        assert_true(point.complete);
        assert_true(fabs(point.values[rig->cpu_busy] - 0.25) < 1e-9);
        assert_true(point.values[rig->load_per_cpu] == scrape);
    }
}

/* Both idle at 25 %: with one idle time held back it would look like 1 - 0.25 / 1.75, 86 %. */
static void a_series_that_is_held_back_makes_its_features_missing_and_not_wrong(void **state) {
    struct rig *rig = *state;
    struct point point;
    seed(rig);
    for (int scrape = 1; scrape < 5; scrape++) {
        add(rig, IDLE0, scrape);
        add(rig, USER0, scrape);
        add(rig, USER1, scrape);
        add(rig, LOAD, scrape);
        rig->now_ms += SETTLE_MS;
        assert_true(next(rig, &point));
        assert_true(isnan(point.values[rig->cpu_busy]));
    }
    for (int scrape = 5; scrape < 8; scrape++) {
        for (int source = 0; source < SOURCES; source++)
            add(rig, source, scrape);
        rig->now_ms += SETTLE_MS;
        assert_point(rig, scrape, true);
    }
}

static void a_series_that_vanished_without_a_word_is_forgotten_after_the_gap(void **state) {
    struct rig *rig = *state;
    struct point point;
    seed(rig);
    for (int scrape = 1; scrape <= MAX_GAP_MS / STEP_MS + 1; scrape++) {
        add(rig, IDLE0, scrape);
        add(rig, USER0, scrape);
        add(rig, LOAD, scrape);
        rig->now_ms += SETTLE_MS;
        assert_true(next(rig, &point));
        assert_int_equal(isnan(point.values[rig->cpu_busy]), scrape <= MAX_GAP_MS / STEP_MS);
    }
    assert_true(fabs(point.values[rig->cpu_busy] - 0.25) < 1e-9);
}

static void a_new_series_counts_from_its_second_value_on(void **state) {
    struct rig *rig = *state;
    struct point point;
    for (int scrape = 0; scrape < 3; scrape++) {
        add(rig, IDLE0, scrape);
        add(rig, USER0, scrape);
        add(rig, LOAD, scrape);
        rig->now_ms += SETTLE_MS;
        assert_int_equal(next(rig, &point), scrape > 0);
    }
    add(rig, IDLE1, 3); /* another processor comes online */
    add(rig, USER1, 3);
    add(rig, IDLE0, 3);
    add(rig, USER0, 3);
    add(rig, LOAD, 3);
    assert_true(next(rig, &point));
    assert_true(fabs(point.values[rig->cpu_busy] - 0.25) < 1e-9);
    assert_true(point.values[rig->load_per_cpu] == 1.5);
    add_all(rig, 4);
    assert_point(rig, 4, true);
}

static void beyond_max_series_new_ones_are_ignored_until_old_ones_are_forgotten(void **state) {
    struct rig *rig = *state;
    struct point point;
    seed(rig);
    struct observation piece = {.inputs = rig->inputs[LOAD], .value = 1};
    for (int scrape = 1; scrape < 200; scrape++) { /* each scrape brings forty series that never come again */
        size_t taken = 0;
        for (int source = 0; source < SOURCES; source++)
            assert_true(add(rig, source, scrape));
        piece.timestamp_ms = time_of(scrape);
        for (uint64_t i = 0; i < 40; i++) {
            piece.series = (uint64_t)scrape * 1000 + i;
            taken += assembly_add(rig->assembly, &piece, rig->now_ms);
        }
        assert_true(assembly_series_count(rig->assembly) <= MAX_SERIES);
        if (scrape <= 2)
            assert_int_equal(taken, 40);
        if (scrape == 4)
            assert_int_equal(taken, 0);
        rig->now_ms += SETTLE_MS;
        while (next(rig, &point)) {
            assert_true(fabs(point.values[rig->cpu_busy] - 0.25) < 1e-9);
        }
    }
}

static void points_that_nobody_asks_for_are_bounded_and_the_newest_are_kept(void **state) {
    struct rig *rig = *state;
    struct point point;
    seed(rig);
    for (int scrape = 1; scrape <= 20; scrape++)
        add_all(rig, scrape);
    rig->now_ms += SETTLE_MS;
    int64_t last_ms = 0;
    size_t count = 0;
    while (next(rig, &point)) {
        assert_true(point.timestamp_ms > last_ms);
        last_ms = point.timestamp_ms;
        count++;
    }
    assert_in_range(count, 2, 6);
    assert_int_equal(last_ms, time_of(20));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_scrape_in_one_piece_is_a_point_at_once),
        TEST(pieces_in_any_order_make_the_same_point),
        TEST(a_repeat_is_refused_and_changes_nothing),
        TEST(a_point_is_complete_without_waiting_and_incomplete_after_the_settle_time),
        TEST(a_late_piece_makes_no_second_point_and_serves_the_next_rate),
        TEST(two_scrapes_may_be_open_at_once),
        TEST(an_older_scrape_that_was_overtaken_still_comes_first),
        TEST(the_second_later_scrape_closes_the_oldest),
        TEST(a_counter_that_fell_has_counted_from_zero),
        TEST(after_a_gap_rates_start_anew_and_gauges_do_not),
        TEST(a_host_that_says_goodbye_makes_no_point),
        TEST(a_series_that_says_goodbye_is_not_waited_for),
        TEST(a_series_that_is_held_back_makes_its_features_missing_and_not_wrong),
        TEST(a_series_that_vanished_without_a_word_is_forgotten_after_the_gap),
        TEST(a_new_series_counts_from_its_second_value_on),
        TEST(beyond_max_series_new_ones_are_ignored_until_old_ones_are_forgotten),
        TEST(points_that_nobody_asks_for_are_bounded_and_the_newest_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
