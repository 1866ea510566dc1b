/* src/present/metrics: the text that Prometheus scrapes, over a scripted board. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/counters.h"
#include "present/metrics.h"
#include "support/board_story.h"

static const int64_t now_ms = 1800000000000;

struct scene {
    struct feature_set *features;
    struct board *board;
    struct board_story *story;
};

static int open_scene(void **state) {
    struct scene *scene = xcalloc(1, sizeof *scene);
    scene->features = feature_set_create_default();
    scene->board = board_create(scene->features, 64, 64, 16);
    scene->story = board_story_create(scene->board, 3, now_ms, 1000000);
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    board_story_destroy(scene->story);
    board_destroy(scene->board);
    feature_set_destroy(scene->features);
    free(scene);
    return 0;
}

static char *write_metrics(struct board *board) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    metrics_write(board, out);
    fclose(out);
    return text;
}

static void assert_line(const char *text, const char *line) {
    char wanted[512];
    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (!strstr(text, wanted))
        fail_msg("/metrics has no line: %s", line);
}

static void the_state_of_a_host_is_one_of_its_series(void **state) {
    char *text = write_metrics(((struct scene *)*state)->board);
    assert_line(text, "sentinel_host_state{host=\"build-7.example.net:9100\",state=\"ANOMALY\"} 1");
    assert_line(text, "sentinel_host_state{host=\"build-7.example.net:9100\",state=\"HEALTHY\"} 0");
    assert_line(text, "sentinel_host_state{host=\"edge-3.example.net:9100\",state=\"STALE\"} 1");
    assert_line(text, "sentinel_host_anomaly_threshold{host=\"web-1.example.net:9100\"} 0.57999999999999996");
    assert_line(text, "sentinel_host_learning_points{host=\"new-9.example.net:9100\"} 9");
    free(text);
}

static void a_learning_host_has_no_score(void **state) {
    char *text = write_metrics(((struct scene *)*state)->board);
    assert_null(strstr(text, "sentinel_host_anomaly_score{host=\"new-9"));
    assert_non_null(strstr(text, "sentinel_host_anomaly_score{host=\"web-1"));
    assert_null(strstr(text, "NaN"));
    assert_null(strstr(text, " nan"));
    free(text);
}

static void incidents_and_actions_are_counted_by_their_labels(void **state) {
    char *text = write_metrics(((struct scene *)*state)->board);
    assert_line(text, "sentinel_incidents_total{host=\"web-1.example.net:9100\",trigger=\"forest\"} 1");
    assert_line(text, "sentinel_actions_total{host=\"web-1.example.net:9100\",action=\"terminate\","
                      "outcome=\"terminated\"} 1");
    assert_line(text, "sentinel_incidents_unresolved 1");
    free(text);
}

static void status_queues_helpers_and_the_process_are_there(void **state) {
    char *text = write_metrics(((struct scene *)*state)->board);
    assert_line(text, "sentinel_mode{mode=\"act\"} 1");
    assert_line(text, "sentinel_queue_capacity{queue=\"core\"} 4096");
    assert_line(text, "sentinel_queue_depth{queue=\"core\"} 3");
    assert_line(text, "sentinel_helper_reachable{helper=\"/run/sentinel/helper.sock\"} 1");
    assert_line(text, "sentinel_config_last_reload_successful 1");
    const char *names[] = {"sentinel_build_info{",        "process_cpu_seconds_total ",
                           "process_open_fds ",           "process_resident_memory_bytes ",
                           "process_start_time_seconds ", "process_threads "};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(text, names[i]));
    free(text);
}

static void every_counter_and_histogram_is_written(void **state) {
    counter_add(COUNTER_WRITE_V1_400, 7);
    histogram_observe(HISTOGRAM_HEAL_SECONDS, 5); /* the story's own heals take longer */
    struct histogram_reading heals;
    histogram_read(HISTOGRAM_HEAL_SECONDS, &heals);
    char count_line[128], inf_line[128];
    uint64_t count = heals.cumulative[HISTOGRAM_BUCKETS];
    snprintf(count_line, sizeof count_line, "sentinel_heal_seconds_count %" PRIu64, count);
    snprintf(inf_line, sizeof inf_line, "sentinel_heal_seconds_bucket{le=\"+Inf\"} %" PRIu64, count);
    char *text = write_metrics(((struct scene *)*state)->board);
    assert_line(text, "sentinel_remote_write_requests_total{version=\"1.0\",code=\"400\"} 7");
    assert_line(text, "sentinel_heal_seconds_bucket{le=\"4\"} 0");
    assert_line(text, "sentinel_heal_seconds_bucket{le=\"6\"} 1");
    assert_line(text, inf_line);
    assert_line(text, count_line);
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        assert_non_null(strstr(text, counter_describe((enum counter_id)i)->name));
    free(text);
}

static void label_values_are_escaped(void **state) {
    struct board *board = ((struct scene *)*state)->board;
    struct host_row row = {.state = HOST_HEALTHY};
    snprintf(row.host, sizeof row.host, "%s", "a\"b\\c\nd");
    board_put_host(board, 60, &row, NULL);
    char *text = write_metrics(board);
    assert_line(text, "sentinel_host_state{host=\"a\\\"b\\\\c\\nd\",state=\"HEALTHY\"} 1");
    free(text);
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* promtool does not look for this; a scrape that has it fails. */
static void no_series_and_no_help_comes_twice(void **state) {
    char *text = write_metrics(((struct scene *)*state)->board);
    char *lines[4096];
    size_t count = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(count < sizeof lines / sizeof lines[0]);
        char *value = line[0] == '#' ? NULL : strrchr(line, ' ');
        if (value) /* the name of a series, without its value */
            *value = '\0';
        else if (strncmp(line, "# HELP ", 7) == 0)
            *strchr(line + 7, ' ') = '\0';
        lines[count++] = line;
    }
    qsort(lines, count, sizeof lines[0], compare_lines);
    for (size_t i = 1; i < count; i++)
        if (strcmp(lines[i - 1], lines[i]) == 0)
            fail_msg("comes twice: %s", lines[i]);
    free(text);
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = xcalloc(1 << 20, 1);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

/* Both ways: a family without its line in the manual, and a line whose family is gone. */
static void the_manual_names_every_metric_and_no_other(void **state) {
    char *text = write_metrics(((struct scene *)*state)->board);
    char *manual = read_file("docs/metrics.md");
    char name[128], wanted[160];
    for (const char *at = text; (at = strstr(at, "# TYPE ")); at++) {
        assert_int_equal(sscanf(at, "# TYPE %127s", name), 1);
        snprintf(wanted, sizeof wanted, "\n| `%s` | ", name);
        if (!strstr(manual, wanted))
            fail_msg("docs/metrics.md has no line for %s", name);
    }
    for (const char *at = manual; (at = strstr(at, "\n| `")); at++) {
        assert_int_equal(sscanf(at, "\n| `%127[a-z_]`", name), 1);
        snprintf(wanted, sizeof wanted, "# TYPE %s ", name);
        if (!strstr(text, wanted))
            fail_msg("docs/metrics.md tells of %s, which is not exposed", name);
    }
    free(manual);
    free(text);
}

static void promtool_finds_nothing_to_say(void **state) {
    if (system("command -v promtool >/dev/null 2>&1") != 0) { // NOLINT(cert-env33-c)
        print_message("promtool is not installed\n");
        skip();
    }
    char *text = write_metrics(((struct scene *)*state)->board);
    FILE *promtool = popen("promtool check metrics >&2", "w"); // NOLINT(cert-env33-c)
    assert_non_null(promtool);
    fputs(text, promtool);
    assert_int_equal(pclose(promtool), 0);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_state_of_a_host_is_one_of_its_series, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_learning_host_has_no_score, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(incidents_and_actions_are_counted_by_their_labels, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(status_queues_helpers_and_the_process_are_there, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(every_counter_and_histogram_is_written, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(label_values_are_escaped, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(no_series_and_no_help_comes_twice, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(the_manual_names_every_metric_and_no_other, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(promtool_finds_nothing_to_say, open_scene, close_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
