#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "helper/watch.h"

enum { ROWS = 16 };

/* A kernel that says what the test wrote down. */
static struct process_sample rows[ROWS];
static size_t row_count;
static struct watch *watch;
static struct helper_policy policy;
static int64_t now_ms;

static enum status fake_scan(struct processes *self, struct process_sample *out, size_t capacity,
                             size_t *count, struct error *err) {
    (void)self;
    if (row_count > capacity)
        return error_set(err, STATUS_TOO_LARGE, "too many");
    memcpy(out, rows, row_count * sizeof rows[0]);
    *count = row_count;
    return STATUS_OK;
}

static struct processes kernel = {.scan = fake_scan};

static struct process_sample *add(int32_t pid, int32_t parent) {
    rows[row_count] = (struct process_sample){.id = {pid, 10 + (uint64_t)pid}, .parent = parent};
    return &rows[row_count++];
}

static void update_after(int64_t ms) {
    now_ms += ms;
    assert_int_equal(watch_update(watch, &kernel, &policy, now_ms, NULL), STATUS_OK);
}

static double cpu_of(int32_t pid) {
    const struct watched *row = watch_find(watch, (struct process_id){pid, 10 + (uint64_t)pid});
    assert_non_null(row);
    return row->cpu;
}

static void assert_about(double actual, double wanted) {
    if (actual < wanted - 0.001 || actual > wanted + 0.001)
        fail_msg("%g is not %g", actual, wanted);
}

static int set_up(void **state) {
    (void)state;
    row_count = 0;
    now_ms = 1000;
    watch = watch_create();
    policy = (struct helper_policy){.sample_interval_ms = 500, .rule_count = 1, .rules = {{.min_cpu = 0.5}}};
    add(1, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    watch_destroy(watch);
    return 0;
}

static uint64_t ms(uint64_t value) {
    return value * 1000000;
}

static void a_share_is_cpu_time_over_the_interval(void **state) {
    (void)state;
    struct process_sample *burner = add(7, 1);
    burner->own_ns = ms(90000); /* what it used before it was seen says nothing */
    update_after(500);
    assert_about(cpu_of(7), 0);
    burner->own_ns += ms(250);
    update_after(500);
    assert_about(cpu_of(7), 0.5);
    burner->own_ns += ms(2000);
    update_after(500);
    assert_about(cpu_of(7), 4);
}

static void every_interval_must_be_hot(void **state) {
    (void)state;
    struct process_sample *burner = add(7, 1);
    update_after(500);
    int64_t began_ms = now_ms;
    for (int i = 0; i < 4; i++) {
        burner->own_ns += ms(300);
        update_after(500);
    }
    assert_int_equal(watch_hot_since_ms(watch, watch_find(watch, burner->id), 0), began_ms);
    burner->own_ns += ms(249);
    update_after(500);
    assert_int_equal(watch_hot_since_ms(watch, watch_find(watch, burner->id), 0), 0);
}

static void short_lived_children_count_for_their_parent(void **state) {
    (void)state;
    struct process_sample *parent = add(7, 1);
    update_after(500);
    parent->children_ns += ms(400);
    update_after(500);
    assert_about(cpu_of(7), 0.8);
}

static void a_reaped_child_is_not_counted_again(void **state) {
    (void)state;
    struct process_sample *parent = add(7, 1);
    struct process_sample *child = add(8, 7);
    child->own_ns = ms(100000);
    update_after(500);
    child->own_ns += ms(500);
    update_after(500);
    assert_about(cpu_of(8), 1);
    /* It runs 100 ms more, ends, and its parent waits for it. */
    row_count--;
    parent->children_ns += ms(100600);
    update_after(500);
    assert_about(cpu_of(7), 0.2);
}

static void a_whole_family_that_ends_counts_for_the_nearest_survivor(void **state) {
    (void)state;
    struct process_sample *grandparent = add(7, 1);
    struct process_sample *parent = add(8, 7);
    struct process_sample *child = add(9, 8);
    parent->own_ns = ms(1000);
    child->own_ns = ms(50000);
    update_after(500);
    update_after(500);
    row_count -= 2;
    grandparent->children_ns += ms(51000);
    update_after(500);
    assert_about(cpu_of(7), 0);
}

static void a_reused_number_starts_afresh(void **state) {
    (void)state;
    struct process_sample *first = add(7, 1);
    update_after(500);
    first->own_ns += ms(500);
    update_after(500);
    first->id.start = 999;
    first->own_ns += ms(500);
    update_after(500);
    const struct watched *row = watch_find(watch, first->id);
    assert_about(row->cpu, 0);
    assert_int_equal(watch_hot_since_ms(watch, row, 0), 0);
    assert_null(watch_find(watch, (struct process_id){7, 17}));
}

static void a_gap_and_counters_that_go_back_say_nothing(void **state) {
    (void)state;
    struct process_sample *burner = add(7, 1);
    burner->own_ns = ms(1000);
    update_after(500);
    burner->own_ns += ms(60001);
    update_after(60001);
    assert_about(cpu_of(7), 0);
    burner->own_ns -= ms(500);
    update_after(500);
    assert_about(cpu_of(7), 0);
}

static void a_slow_pace_on_a_crowded_host_still_measures(void **state) {
    (void)state;
    struct process_sample *burner = add(7, 1);
    update_after(500);
    burner->own_ns += ms(9000);
    update_after(10000);
    assert_about(cpu_of(7), 0.9);
}

static void the_order_of_the_scan_does_not_matter(void **state) {
    (void)state;
    struct process_sample *high = add(9, 1);
    struct process_sample *low = add(3, 1);
    update_after(500);
    high->own_ns += ms(100);
    low->own_ns += ms(200);
    update_after(500);
    assert_about(cpu_of(9), 0.2);
    assert_about(cpu_of(3), 0.4);
}

static void the_hottest_come_first_and_the_cool_not_at_all(void **state) {
    (void)state;
    for (int32_t pid = 2; pid < 12; pid++)
        add(pid, 1);
    update_after(500);
    for (size_t i = 1; i < row_count; i++)
        rows[i].own_ns += ms(50 * (uint64_t)((i * 7) % 11));
    update_after(500);
    const struct watched *hot[4];
    assert_int_equal(watch_hottest(watch, 0.2, hot, 4), 4);
    assert_about(hot[0]->cpu, 1.0);
    assert_about(hot[1]->cpu, 0.9);
    assert_about(hot[2]->cpu, 0.8);
    assert_about(hot[3]->cpu, 0.7);
    assert_int_equal(watch_hottest(watch, 0.95, hot, 4), 1);
    assert_int_equal(watch_hottest(watch, 2, hot, 4), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_share_is_cpu_time_over_the_interval),
        TEST(every_interval_must_be_hot),
        TEST(short_lived_children_count_for_their_parent),
        TEST(a_reaped_child_is_not_counted_again),
        TEST(a_whole_family_that_ends_counts_for_the_nearest_survivor),
        TEST(a_reused_number_starts_afresh),
        TEST(a_gap_and_counters_that_go_back_say_nothing),
        TEST(a_slow_pace_on_a_crowded_host_still_measures),
        TEST(the_order_of_the_scan_does_not_matter),
        TEST(the_hottest_come_first_and_the_cool_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
