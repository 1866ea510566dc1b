/* src/present/events: what leads a page from the version it knows to the newest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/alloc.h"
#include "present/present.h"
#include "support/board_story.h"

static const int64_t now_ms = 1800000000000;

struct scene {
    struct feature_set *features;
    struct board *board;
    struct board_story *story;
    struct http_event_source source;
};

static int open_scene(void **state) {
    struct scene *scene = xcalloc(1, sizeof *scene);
    scene->features = feature_set_create_default();
    scene->board = board_create(scene->features, 64, 400, 16);
    scene->story = board_story_create(scene->board, 3, now_ms, 1000000);
    events_init(&scene->source, scene->board);
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

struct event {
    char id[64], name[16];
    json_t *data;
};

/* Exactly one event, in three lines and an empty one. */
static struct event read_event(const struct scene *scene, uint64_t since) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    scene->source.write_since(scene->source.context, since, out);
    fclose(out);
    struct event event = {0};
    assert_int_equal(sscanf(text, "id: %63s\nevent: %15s\ndata: ", event.id, event.name), 2);
    const char *data = strstr(text, "\ndata: ") + 7;
    assert_string_equal(text + length - 2, "\n\n");
    assert_ptr_equal(strchr(data, '\n'), text + length - 2);
    event.data = json_loads(data, 0, NULL);
    assert_non_null(event.data);
    free(text);
    return event;
}

static size_t count_of(const struct event *event, const char *what) {
    return json_array_size(json_object_get(event->data, what));
}

static void a_new_page_gets_everything(void **state) {
    struct event event = read_event(*state, 0);
    assert_string_equal(event.name, "snapshot");
    assert_int_equal(count_of(&event, "hosts"), 8);
    assert_int_equal(count_of(&event, "incidents"), 2);
    assert_non_null(json_object_get(event.data, "status"));
    json_t *host = json_array_get(json_object_get(event.data, "hosts"), 0);
    assert_int_equal(json_array_size(json_object_get(host, "recent")), 40);
    json_decref(event.data);
}

static void a_page_that_comes_back_gets_what_changed(void **state) {
    struct scene *scene = *state;
    struct event first = read_event(scene, 0);
    uint64_t since = scene->source.parse_id(scene->source.context, first.id);
    assert_int_equal(since, scene->source.version(scene->source.context));
    struct host_row row;
    assert_true(board_get_host(scene->board, 2, &row));
    board_put_host(scene->board, 2, &row, NULL);
    struct event next = read_event(scene, since);
    assert_string_equal(next.name, "update");
    assert_int_equal(count_of(&next, "hosts"), 1);
    assert_int_equal(count_of(&next, "incidents"), 0);
    assert_null(json_object_get(next.data, "status"));
    assert_true(scene->source.parse_id(scene->source.context, next.id) > since);
    json_decref(first.data);
    json_decref(next.data);
}

static void an_id_that_is_not_ours_means_everything(void **state) {
    struct scene *scene = *state;
    char future[64], bare[64], tail[64];
    snprintf(future, sizeof future, "%016llx-99999999", (unsigned long long)board_epoch(scene->board));
    snprintf(bare, sizeof bare, "%016llx-", (unsigned long long)board_epoch(scene->board));
    snprintf(tail, sizeof tail, "%016llx-1x", (unsigned long long)board_epoch(scene->board));
    const char *ids[] = {"", "12", "nonsense", "0000000000000001-5", "-", future, bare, tail};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_int_equal(scene->source.parse_id(scene->source.context, ids[i]), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_page_gets_everything, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_page_that_comes_back_gets_what_changed, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(an_id_that_is_not_ours_means_everything, open_scene, close_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
