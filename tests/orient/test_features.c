#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "orient/assembly.h"

enum { STEP_MS = 5000 };

/* One series of a scrape as a node_exporter writes it, with its value now and five seconds later. */
struct scraped {
    const char *metric, *label, *value;
    double first, second;
};

struct host {
    struct feature_set *set;
    struct point point;
};

static void scrape(struct host *host, const struct scraped *series, size_t count) {
    const struct assembly_settings settings = {.settle_ms = 0, .max_gap_ms = 60000, .max_series = 1000};
    struct assembly *assembly = assembly_create(host->set, &settings);
    size_t selector_count;
    const struct series_selector *selectors = feature_set_selectors(host->set, &selector_count);
    struct selector_table *table = selector_table_create(selectors, selector_count);
    for (int second = 0; second <= 1; second++) {
        for (size_t i = 0; i < count; i++) {
            const struct label labels[] = {
                {"__name__", series[i].metric, 8, strlen(series[i].metric)},
                {series[i].label, series[i].value, strlen(series[i].label), strlen(series[i].value)}};
            const struct label_set set = {labels, series[i].label[0] ? 2 : 1};
            const struct observation piece = {.series = i + 1,
                                              .inputs = selector_table_match(table, &set),
                                              .timestamp_ms = 1700000000000 + second * STEP_MS,
                                              .value = second ? series[i].second : series[i].first};
            if (piece.inputs != 0)
                assert_true(assembly_add(assembly, &piece, second));
        }
        assert_int_equal(assembly_next(assembly, second, &host->point), second);
    }
    selector_table_destroy(table);
    assembly_destroy(assembly);
}

static double feature(const struct host *host, const char *name) {
    int index = feature_set_find(host->set, name);
    assert_true(index >= 0);
    return host->point.values[index];
}

static void assert_feature(const struct host *host, const char *name, double expected) {
    double value = feature(host, name);
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected) + 1e-12))
        fail_msg("%s is %.12g, not %.12g", name, value, expected);
}

static void assert_missing(const struct host *host, const char *name) {
    if (!isnan(feature(host, name)))
        fail_msg("%s is %g and should be missing", name, feature(host, name));
}

static int set_up(void **state) {
    static struct host host;
    host = (struct host){.set = feature_set_create_default()};
    *state = &host;
    return 0;
}

static int tear_down(void **state) {
    feature_set_destroy(((struct host *)*state)->set);
    return 0;
}

static const char CPU[] = "node_cpu_seconds_total";

static void a_linux_scrape_gives_the_right_numbers(void **state) {
    struct host *host = *state;
    static const struct scraped series[] = {
        {CPU, "mode", "idle", 1000, 1003},
        {CPU, "mode", "iowait", 50, 50.5},
        {CPU, "mode", "user", 400, 401},
        {CPU, "mode", "system", 200, 200.25},
        {CPU, "mode", "softirq", 20, 20.25},
        {"node_load1", "", "", 0.4, 0.5},
        {"node_memory_MemTotal_bytes", "", "", 8e9, 8e9},
        {"node_memory_MemAvailable_bytes", "", "", 6e9, 5e9},
        {"node_memory_SwapTotal_bytes", "", "", 2e9, 2e9},
        {"node_memory_SwapFree_bytes", "", "", 2e9, 1.5e9},
        {"node_disk_read_bytes_total", "device", "sda", 1e9, 1.001e9},
        {"node_disk_written_bytes_total", "device", "sda", 1e9, 1.004e9},
        {"node_disk_reads_completed_total", "device", "sda", 5000, 5100},
        {"node_disk_writes_completed_total", "device", "sda", 5000, 5150},
        {"node_network_receive_bytes_total", "device", "lo", 1e9, 9e9},
        {"node_network_receive_bytes_total", "device", "eth0", 1e9, 1.0005e9},
        {"node_network_transmit_bytes_total", "device", "lo", 1e9, 9e9},
        {"node_network_transmit_bytes_total", "device", "eth0", 1e9, 1.00025e9},
        {"node_filesystem_size_bytes", "fstype", "ext4", 1e11, 1e11},
        {"node_filesystem_avail_bytes", "fstype", "ext4", 2e10, 2e10},
        {"node_filesystem_size_bytes", "fstype", "tmpfs", 4e9, 4e9},
        {"node_filesystem_avail_bytes", "fstype", "tmpfs", 0, 0},
        {"node_pressure_cpu_waiting_seconds_total", "", "", 10, 10.5},
        {"node_pressure_io_waiting_seconds_total", "", "", 10, 11},
        {"node_pressure_memory_waiting_seconds_total", "", "", 10, 10},
        {"node_context_switches_total", "", "", 1e6, 1.01e6},
        {"node_procs_running", "", "", 3, 4},
        {"node_vmstat_pgmajfault", "", "", 700, 710},
        {"node_forks_total", "", "", 100, 150},
        {"node_uname_info", "sysname", "Linux", 1, 1},
    };
    scrape(host, series, sizeof series / sizeof series[0]);
    assert_feature(host, "cpu_busy", 0.3); /* five seconds: three idle, half of one waiting */
    assert_feature(host, "cpu_kernel", 0.1);
    assert_feature(host, "cpu_waiting", 0.1);
    assert_feature(host, "load_per_cpu", 0.5);
    assert_feature(host, "memory_used", 0.375);
    assert_feature(host, "swap_used", 0.25);
    assert_feature(host, "disk_bytes", 1e6);
    assert_feature(host, "disk_operations", 50);
    assert_feature(host, "network_in", 1e5);
    assert_feature(host, "network_out", 5e4);
    assert_feature(host, "filesystem_used", 0.8);
    assert_feature(host, "pressure_cpu", 0.1);
    assert_feature(host, "pressure_io", 0.2);
    assert_feature(host, "pressure_memory", 0);
    assert_feature(host, "context_switches", 2000);
    assert_feature(host, "processes_running", 4);
    assert_feature(host, "major_faults", 2);
    assert_feature(host, "forks", 10);
}

static void a_macos_scrape_gives_the_right_numbers_and_lacks_what_macos_lacks(void **state) {
    struct host *host = *state;
    static const struct scraped series[] = {
        {CPU, "mode", "idle", 1000, 1004},
        {CPU, "mode", "nice", 0, 0},
        {CPU, "mode", "user", 400, 400.75},
        {CPU, "mode", "system", 200, 200.25},
        {"node_load1", "", "", 2, 2},
        {"node_memory_total_bytes", "", "", 16e9, 16e9},
        {"node_memory_internal_bytes", "", "", 6e9, 6e9},
        {"node_memory_purgeable_bytes", "", "", 1e9, 1e9},
        {"node_memory_wired_bytes", "", "", 2e9, 2e9},
        {"node_memory_compressed_bytes", "", "", 1e9, 1e9},
        {"node_memory_swap_total_bytes", "", "", 2e9, 2e9},
        {"node_memory_swap_used_bytes", "", "", 5e8, 5e8},
        {"node_disk_read_bytes_total", "device", "disk0", 0, 5e6},
        {"node_disk_written_bytes_total", "device", "disk0", 0, 0},
        {"node_network_receive_bytes_total", "device", "lo0", 0, 1e9},
        {"node_network_receive_bytes_total", "device", "en0", 0, 5e5},
        {"node_filesystem_size_bytes", "fstype", "apfs", 5e11, 5e11},
        {"node_filesystem_avail_bytes", "fstype", "apfs", 2.5e11, 2.5e11},
        {"node_filesystem_size_bytes", "fstype", "devfs", 2e5, 2e5},
    };
    scrape(host, series, sizeof series / sizeof series[0]);
    assert_feature(host, "cpu_busy", 0.2);
    assert_feature(host, "cpu_kernel", 0.05);
    assert_feature(host, "load_per_cpu", 2);
    assert_feature(host, "memory_used", 0.5);
    assert_feature(host, "swap_used", 0.25);
    assert_feature(host, "disk_bytes", 1e6);
    assert_feature(host, "network_in", 1e5);
    assert_feature(host, "filesystem_used", 0.5);
    static const char *const missing[] = {"cpu_waiting",       "pressure_cpu", "pressure_io",
                                          "pressure_memory",   "forks",        "context_switches",
                                          "processes_running", "major_faults", "network_out"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        assert_missing(host, missing[i]);
}

static void without_swap_there_is_no_share_of_it(void **state) {
    struct host *host = *state;
    static const struct scraped series[] = {
        {"node_load1", "", "", 1, 1},
        {"node_memory_SwapTotal_bytes", "", "", 0, 0},
        {"node_memory_SwapFree_bytes", "", "", 0, 0},
    };
    scrape(host, series, sizeof series / sizeof series[0]);
    assert_missing(host, "swap_used");
    assert_missing(host, "load_per_cpu"); /* and without processors no load on each */
}

static void half_of_what_a_feature_needs_is_missing_and_not_zero(void **state) {
    struct host *host = *state;
    static const struct scraped series[] = {
        {"node_memory_MemTotal_bytes", "", "", 8e9, 8e9},
        {"node_disk_read_bytes_total", "device", "sda", 0, 5e6},
    };
    scrape(host, series, sizeof series / sizeof series[0]);
    for (size_t i = 0; i < feature_set_count(host->set); i++)
        assert_missing(host, feature_set_describe(host->set, i)->name);
}

static void an_input_of_which_a_part_is_missing_is_missing(void **state) {
    struct host *host = *state;
    struct input_reading inputs[SELECTORS_MAX] = {0};
    double values[FEATURES_MAX];
    for (size_t i = 0; i < SELECTORS_MAX; i++)
        inputs[i] = (struct input_reading){.sum = 1, .rate_sum = 1, .count = 1, .rate_count = 1};
    feature_set_compute(host->set, inputs, values);
    for (size_t i = 0; i < feature_set_count(host->set); i++)
        assert_false(isnan(values[i]));
    for (size_t i = 0; i < SELECTORS_MAX; i++)
        inputs[i].missing_count = 1;
    feature_set_compute(host->set, inputs, values);
    for (size_t i = 0; i < feature_set_count(host->set); i++)
        assert_true(isnan(values[i]));
}

static void every_feature_is_found_by_its_name_and_described(void **state) {
    struct host *host = *state;
    assert_in_range(feature_set_count(host->set), 1, FEATURES_MAX);
    for (size_t i = 0; i < feature_set_count(host->set); i++) {
        const struct feature_description *description = feature_set_describe(host->set, i);
        assert_int_equal(feature_set_find(host->set, description->name), i);
        assert_true(description->smallest_change > 0);
        assert_true(strlen(description->unit) > 0 && strlen(description->help) > 10);
    }
    assert_int_equal(feature_set_find(host->set, "cpu"), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_linux_scrape_gives_the_right_numbers),
        TEST(a_macos_scrape_gives_the_right_numbers_and_lacks_what_macos_lacks),
        TEST(without_swap_there_is_no_share_of_it),
        TEST(half_of_what_a_feature_needs_is_missing_and_not_zero),
        TEST(an_input_of_which_a_part_is_missing_is_missing),
        TEST(every_feature_is_found_by_its_name_and_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
