/* src/observe/series and host_directory: who wants a series, and whose it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/counters.h"
#include "observe/host_directory.h"
#include "observe/series.h"

/* From "name", "value", ..., NULL; sorted already. Lives until the next call. */
static struct label_set labels(const char *const *pairs) {
    static struct label storage[16];
    size_t count = 0;
    for (; *pairs; pairs += 2)
        storage[count++] = (struct label){pairs[0], pairs[1], strlen(pairs[0]), strlen(pairs[1])};
    return (struct label_set){storage, count};
}
#define LABELS(...) labels((const char *const[]){__VA_ARGS__, NULL})

static const struct series_selector selectors[] = {
    {.metric = "node_load1"},
    {.metric = "node_cpu_seconds_total", .matchers = {{"mode", "idle|iowait", true}}, .matcher_count = 1},
    {.metric = "node_disk_bytes",
     .matchers = {{"device", "sda|sdb", false}, {"host", "", false}},
     .matcher_count = 2},
    {.metric = "node_load1", .matchers = {{"job", "", true}}, .matcher_count = 1},
};
enum { SELECTOR_COUNT = sizeof selectors / sizeof selectors[0] };
static const uint64_t hash_key[2] = {1, 2};

struct fixture {
    struct selector_table *table;
    struct host_directory *directory;
    struct series_cache *cache;
};

static struct fixture open_fixture(uint32_t max_hosts, size_t max_series) {
    struct fixture fixture = {selector_table_create(selectors, SELECTOR_COUNT),
                              host_directory_create(max_hosts), NULL};
    fixture.cache = series_cache_create(fixture.table, fixture.directory, "instance", hash_key, max_series);
    return fixture;
}

static void close_fixture(struct fixture *fixture) {
    series_cache_destroy(fixture->cache);
    host_directory_destroy(fixture->directory);
    selector_table_destroy(fixture->table);
}

static void selectors_match_by_name_and_by_labels(void **state) {
    (void)state;
    struct selector_table *table = selector_table_create(selectors, SELECTOR_COUNT);
    const struct {
        const char *pairs[8];
        uint64_t inputs;
    } cases[] = {
        {{"__name__", "node_load1"}, 1},
        {{"__name__", "node_load1", "job", "x"}, 1 | 8},
        {{"__name__", "node_load15"}, 0},
        {{"__name__", "node_load"}, 0},
        {{"job", "node_load1"}, 0},
        {{"__name__", "node_cpu_seconds_total", "mode", "user"}, 2},
        {{"__name__", "node_cpu_seconds_total", "mode", "idle"}, 0},
        {{"__name__", "node_cpu_seconds_total", "mode", "iowait"}, 0},
        {{"__name__", "node_cpu_seconds_total", "mode", "idle|iowait"}, 2},
        {{"__name__", "node_cpu_seconds_total"}, 2},
        {{"__name__", "node_disk_bytes", "device", "sda"}, 4},
        {{"__name__", "node_disk_bytes", "device", "sdb"}, 4},
        {{"__name__", "node_disk_bytes", "device", "sd"}, 0},
        {{"__name__", "node_disk_bytes", "device", "sda", "host", "x"}, 0},
        {{"__name__", "node_disk_bytes"}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct label_set set = labels(cases[i].pairs);
        if (selector_table_match(table, &set) != cases[i].inputs)
            fail_msg("case %zu", i);
    }
    selector_table_destroy(table);
}

static void a_known_series_keeps_its_verdict(void **state) {
    (void)state;
    struct fixture fixture = open_fixture(10, 100);
    struct label_set set = LABELS("__name__", "node_load1", "instance", "a:9100");
    struct series_verdict first = series_cache_judge(fixture.cache, &set);
    struct series_verdict again = series_cache_judge(fixture.cache, &set);
    assert_int_equal(first.inputs, 1);
    assert_string_equal(host_directory_name(fixture.directory, first.host), "a:9100");
    assert_int_equal(first.series, again.series);
    assert_int_equal(first.host, again.host);
    assert_int_equal(series_cache_count(fixture.cache), 1);
    close_fixture(&fixture);
}

static void series_of_one_host_share_its_number_and_have_their_own_hash(void **state) {
    (void)state;
    struct fixture fixture = open_fixture(10, 100);
    struct label_set set = LABELS("__name__", "node_load1", "instance", "a", "job", "x");
    struct series_verdict one = series_cache_judge(fixture.cache, &set);
    set = LABELS("__name__", "node_load1", "instance", "a", "job", "y");
    struct series_verdict two = series_cache_judge(fixture.cache, &set);
    set = LABELS("__name__", "node_load1", "instance", "b", "job", "x");
    struct series_verdict three = series_cache_judge(fixture.cache, &set);
    assert_int_equal(one.host, two.host);
    assert_int_not_equal(one.host, three.host);
    assert_int_not_equal(one.series, two.series);
    close_fixture(&fixture);
}

static void where_a_name_ends_and_its_value_begins_matters(void **state) {
    (void)state;
    struct fixture fixture = open_fixture(10, 100);
    struct label_set set = LABELS("__name__", "m", "ab", "c");
    struct series_verdict one = series_cache_judge(fixture.cache, &set);
    set = LABELS("__name__", "m", "a", "bc");
    struct series_verdict two = series_cache_judge(fixture.cache, &set);
    assert_int_not_equal(one.series, two.series);
    close_fixture(&fixture);
}

static void a_series_without_a_host_is_wanted_by_nobody(void **state) {
    (void)state;
    struct fixture fixture = open_fixture(10, 100);
    struct label_set set = LABELS("__name__", "node_load1", "job", "x");
    assert_int_equal(series_cache_judge(fixture.cache, &set).inputs, 0);
    struct label with_nul[] = {{"__name__", "node_load1", 8, 10}, {"instance", "a\0b", 8, 3}};
    set = (struct label_set){with_nul, 2};
    assert_int_equal(series_cache_judge(fixture.cache, &set).inputs, 0);
    assert_int_equal(host_directory_count(fixture.directory), 0);
    close_fixture(&fixture);
}

static void one_host_too_many_is_counted_and_the_others_go_on(void **state) {
    (void)state;
    struct fixture fixture = open_fixture(1, 100);
    uint64_t before = counter_read(COUNTER_HOSTS_REFUSED);
    struct label_set set = LABELS("__name__", "node_load1", "instance", "a");
    assert_int_equal(series_cache_judge(fixture.cache, &set).inputs, 1);
    set = LABELS("__name__", "node_load1", "instance", "b");
    assert_int_equal(series_cache_judge(fixture.cache, &set).inputs, 0);
    assert_int_equal(counter_read(COUNTER_HOSTS_REFUSED) - before, 1);
    set = LABELS("__name__", "node_load1", "instance", "a", "job", "x");
    assert_int_equal(series_cache_judge(fixture.cache, &set).inputs, 1 | 8);
    close_fixture(&fixture);
}

/* Grows through several sizes and, at its limit, forgets everything and finds it again. */
static void a_full_cache_forgets_and_finds_its_verdicts_again(void **state) {
    (void)state;
    enum { MAX_SERIES = 5000, SERIES = 12000 };
    struct fixture fixture = open_fixture(SERIES, MAX_SERIES);
    uint64_t before = counter_read(COUNTER_SERIES_FORGOTTEN);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < SERIES; i++) {
            char instance[32];
            snprintf(instance, sizeof instance, "host%d", i);
            struct label_set set = LABELS("__name__", "node_load1", "instance", instance);
            struct series_verdict verdict = series_cache_judge(fixture.cache, &set);
            assert_int_equal(verdict.host, i);
            assert_true(series_cache_count(fixture.cache) <= MAX_SERIES);
        }
    assert_int_equal(counter_read(COUNTER_SERIES_FORGOTTEN) - before, (2 * SERIES - 1) / MAX_SERIES);
    close_fixture(&fixture);
}

static void a_directory_gives_out_numbers_in_order_and_keeps_them(void **state) {
    (void)state;
    struct host_directory *directory = host_directory_create(1000);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 1000; i++) {
            char name[32];
            snprintf(name, sizeof name, "host-%u", i);
            uint32_t host = UINT32_MAX;
            assert_int_equal(host_directory_intern(directory, name, &host, NULL), STATUS_OK);
            assert_int_equal(host, i);
            assert_string_equal(host_directory_name(directory, host), name);
        }
    assert_int_equal(host_directory_count(directory), 1000);
    assert_null(host_directory_name(directory, 1000));
    uint32_t host = 7;
    struct error err;
    assert_int_equal(host_directory_intern(directory, "one more", &host, &err), STATUS_TOO_LARGE);
    assert_int_equal(host, 7);
    assert_non_null(strstr(err.text, "1000 hosts"));
    char long_name[HOST_NAME_SIZE + 1];
    memset(long_name, 'x', HOST_NAME_SIZE);
    long_name[HOST_NAME_SIZE] = '\0';
    assert_int_equal(host_directory_intern(directory, long_name, &host, &err), STATUS_TOO_LARGE);
    host_directory_destroy(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selectors_match_by_name_and_by_labels),
        cmocka_unit_test(a_known_series_keeps_its_verdict),
        cmocka_unit_test(series_of_one_host_share_its_number_and_have_their_own_hash),
        cmocka_unit_test(where_a_name_ends_and_its_value_begins_matters),
        cmocka_unit_test(a_series_without_a_host_is_wanted_by_nobody),
        cmocka_unit_test(one_host_too_many_is_counted_and_the_others_go_on),
        cmocka_unit_test(a_full_cache_forgets_and_finds_its_verdicts_again),
        cmocka_unit_test(a_directory_gives_out_numbers_in_order_and_keeps_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
