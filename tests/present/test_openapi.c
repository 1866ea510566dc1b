/* docs/openapi.json against the server: every route is described, every description is true. */
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
#include "support/http_client.h"

static const int64_t now_ms = 1800000000000;

struct scene {
    struct feature_set *features;
    struct board *board;
    struct board_story *story;
    struct present *present;
    struct http_server *server;
    json_t *document;
};

static int open_scene(void **state) {
    struct scene *scene = xcalloc(1, sizeof *scene);
    scene->features = feature_set_create_default();
    scene->board = board_create(scene->features, 16, 100, 16);
    scene->story = board_story_create(scene->board, 1, now_ms, 1000000);
    struct present_settings settings = {.board = scene->board,
                                        .started_at_ms = now_ms,
                                        .remote_write_url = "http://127.0.0.1:9201/api/v1/write",
                                        .config_text = "mode: act\n",
                                        .flags_json = "{\"--config.file\":\"sentinel.yml\"}"};
    scene->present = present_create(&settings);
    size_t count = 0;
    const struct http_route *routes = present_routes(scene->present, &count);
    struct http_server_settings http = {.listen_address = "127.0.0.1:0",
                                        .threads = 1,
                                        .max_connections = 16,
                                        .max_body_bytes = 1000,
                                        .max_event_subscribers = 0,
                                        .head_and_body_timeout_ms = 5000,
                                        .event_tick_ms = 10};
    struct error err = {0};
    if (http_server_create(&http, routes, count, &scene->server, &err) != STATUS_OK ||
        http_server_start(scene->server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    json_error_t mistake;
    scene->document = json_load_file("docs/openapi.json", 0, &mistake);
    if (!scene->document)
        fail_msg("docs/openapi.json:%d: %s", mistake.line, mistake.text);
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    json_decref(scene->document);
    http_server_stop(scene->server, 100);
    http_server_destroy(scene->server);
    present_destroy(scene->present);
    board_story_destroy(scene->story);
    board_destroy(scene->board);
    feature_set_destroy(scene->features);
    free(scene);
    return 0;
}

static json_t *resolve(json_t *document, json_t *schema) {
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    if (!reference)
        return schema;
    static const char prefix[] = "#/components/schemas/";
    assert_int_equal(strncmp(reference, prefix, sizeof prefix - 1), 0);
    json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    json_t *found = json_object_get(schemas, reference + sizeof prefix - 1);
    if (!found)
        fail_msg("docs/openapi.json: nothing at %s", reference);
    return found;
}

static bool has_type(json_t *value, const char *type) {
    return (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "object") == 0 && json_is_object(value));
}

static void assert_matches(json_t *document, json_t *schema, json_t *value, const char *where);

static void assert_object_matches(json_t *document, json_t *schema, json_t *value, const char *where) {
    json_t *properties = json_object_get(schema, "properties"), *name;
    json_t *additional = json_object_get(schema, "additionalProperties");
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i, name) {
        if (!json_object_get(value, json_string_value(name)))
            fail_msg("%s: no \"%s\"", where, json_string_value(name));
    }
    const char *key;
    json_t *member;
    json_object_foreach(value, key, member) {
        char deeper[512];
        snprintf(deeper, sizeof deeper, "%.400s.%s", where, key);
        json_t *described = json_object_get(properties, key);
        if (described)
            assert_matches(document, described, member, deeper);
        else if (json_is_object(additional))
            assert_matches(document, additional, member, deeper);
        else
            fail_msg("%s is not described", deeper);
    }
}

/* As much of JSON Schema as the document uses: type, nullable, enum, items, properties, required. */
static void assert_matches(json_t *document, json_t *schema, json_t *value, const char *where) {
    schema = resolve(document, schema);
    if (json_is_null(value)) {
        if (!json_is_true(json_object_get(schema, "nullable")))
            fail_msg("%s is null, and is not described as nullable", where);
        return;
    }
    const char *type = json_string_value(json_object_get(schema, "type"));
    if (!type || !has_type(value, type))
        fail_msg("%s is no %s", where, type ? type : "(type)");
    json_t *allowed = json_object_get(schema, "enum"), *choice, *item;
    size_t i;
    bool is_allowed = !allowed;
    json_array_foreach(allowed, i, choice) {
        is_allowed = is_allowed || json_equal(choice, value);
    }
    if (!is_allowed)
        fail_msg("%s: \"%s\" is not among the described values", where, json_string_value(value));
    json_array_foreach(value, i, item) {
        char deeper[512];
        snprintf(deeper, sizeof deeper, "%.400s[%zu]", where, i);
        assert_matches(document, json_object_get(schema, "items"), item, deeper);
    }
    if (json_is_object(value))
        assert_object_matches(document, schema, value, where);
}

/* The path with something real in place of {...}; or something that does not exist. */
static void fill_path(struct scene *scene, const char *path, bool exists, char *out, size_t size) {
    struct incident_row row;
    assert_true(board_get_incident(scene->board, 0, &row));
    const char *open = strchr(path, '{'), *close = strchr(path, '}');
    if (!open) {
        snprintf(out, size, "%s", path);
        return;
    }
    const char *value = !exists                  ? "nothing-of-that-name"
                        : strstr(path, "{id}")   ? row.incident.id
                        : strstr(path, "{file}") ? "app.js"
                                                 : "build-7.example.net:9100";
    snprintf(out, size, "%.*s%s%s", (int)(open - path), path, value, close + 1);
}

static struct http_reply ask(struct scene *scene, const char *target) {
    return http_ask(http_server_address(scene->server), "GET", target, "", "", 0);
}

static json_t *response_schema(json_t *operation, const char *status) {
    json_t *response = json_object_get(json_object_get(operation, "responses"), status);
    return json_object_get(json_object_get(json_object_get(response, "content"), "application/json"),
                           "schema");
}

static void assert_answer(struct scene *scene, json_t *operation, const char *target, const char *status) {
    struct http_reply reply = ask(scene, target);
    char got[16];
    snprintf(got, sizeof got, "%d", reply.status);
    if (strcmp(got, status) != 0)
        fail_msg("GET %s is %s, and is described as %s", target, got, status);
    json_t *schema = response_schema(operation, status);
    if (schema) {
        json_t *body = json_loadb(reply.body, reply.body_bytes, 0, NULL);
        assert_non_null(body);
        assert_matches(scene->document, schema, body, target);
        json_decref(body);
    }
    http_reply_release(&reply);
}

static void every_described_answer_is_what_the_server_says(void **state) {
    struct scene *scene = *state;
    const char *path;
    json_t *item;
    json_object_foreach(json_object_get(scene->document, "paths"), path, item) {
        json_t *operation = json_object_get(item, "get");
        json_t *responses = json_object_get(operation, "responses");
        char target[512];
        fill_path(scene, path, true, target, sizeof target);
        /* No subscriber is admitted here, so the stream shows its refusal. */
        bool is_stream = strcmp(path, "/api/v1/events") == 0;
        assert_answer(scene, operation, target, is_stream ? "204" : "200");
        if (json_object_get(responses, "404")) {
            fill_path(scene, path, false, target, sizeof target);
            assert_answer(scene, operation, target, "404");
        }
        if (json_object_get(responses, "400")) {
            fill_path(scene, path, true, target, sizeof target);
            strncat(target, "?since=never", sizeof target - strlen(target) - 1);
            assert_answer(scene, operation, target, "400");
        }
    }
}

static void every_route_is_described(void **state) {
    struct scene *scene = *state;
    size_t count = 0;
    const struct http_route *routes = present_routes(scene->present, &count);
    json_t *paths = json_object_get(scene->document, "paths");
    for (size_t i = 0; i < count; i++) {
        size_t fixed = strcspn(routes[i].path, "*");
        bool described = false;
        const char *path;
        json_t *item;
        json_object_foreach(paths, path, item) {
            bool same = routes[i].path[fixed]
                            ? strncmp(path, routes[i].path, fixed) == 0 && path[fixed] == '{'
                            : strcmp(path, routes[i].path) == 0;
            described = described || same;
        }
        if (!described)
            fail_msg("docs/openapi.json does not describe %s", routes[i].path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_described_answer_is_what_the_server_says),
        cmocka_unit_test(every_route_is_described),
    };
    return cmocka_run_group_tests(tests, open_scene, close_scene);
}
