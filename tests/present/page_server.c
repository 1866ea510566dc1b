/* Serves the page over a scripted board, for tests in a browser and for pictures.
 *
 *     page_server [--listen 127.0.0.1:0] [--hosts N] [--break-after SECONDS] [--empty] [--database FILE]
 *                 [--subscribers N]
 *
 * With --database the incidents are also archived there, for dashboards. Prints the address once it listens;
 * ends with SIGINT or SIGTERM. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/store.h"
#include "base/clock.h"
#include "observe/http_server.h"
#include "present/api.h"
#include "support/board_story.h"

enum { TICK_US = 200 * 1000, MAX_HOSTS = 5000, POINTS_PER_HOST = 900, MAX_INCIDENTS = 500 };

static volatile sig_atomic_t stop_requested;

static void request_stop(int signal_number) {
    (void)signal_number;
    stop_requested = 1;
}

struct options {
    const char *listen_address, *database;
    size_t pool_hosts, max_subscribers;
    int64_t break_after_ms;
    bool is_empty;
};

static struct options read_options(int argc, char **argv) {
    struct options options = {
        .listen_address = "127.0.0.1:0", .pool_hosts = 6, .max_subscribers = 256, .break_after_ms = 8000};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--empty") == 0)
            options.is_empty = true;
        else if (strcmp(argv[i], "--listen") == 0)
            options.listen_address = value, i++;
        else if (strcmp(argv[i], "--database") == 0)
            options.database = value, i++;
        else if (strcmp(argv[i], "--hosts") == 0)
            options.pool_hosts = (size_t)strtoul(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--subscribers") == 0)
            options.max_subscribers = (size_t)strtoul(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--break-after") == 0)
            options.break_after_ms = strtol(value, NULL, 10) * 1000, i++;
    }
    return options;
}

/* Everything that changed since `version`; writing a thing again stores it once. */
static uint64_t archive_changes(struct board *board, struct store *store, uint64_t version) {
    uint64_t newest = board_version(board);
    struct incident_row row;
    struct error err = {0};
    enum status status = STATUS_OK;
    for (size_t position = 0; status == STATUS_OK && board_next_incident(board, version, &position, &row);) {
        for (size_t i = 0; status == STATUS_OK && i < row.transition_count; i++)
            status = store_record(store, &row.incident, &row.transitions[i], NULL, &err);
        for (size_t i = 0; status == STATUS_OK && i < row.action_count; i++)
            status = store_record(store, &row.incident, NULL, &row.actions[i], &err);
    }
    if (status != STATUS_OK) {
        fprintf(stderr, "page_server: %s\n", err.text);
        exit(1);
    }
    return newest;
}

static struct store *open_database(const char *path) {
    struct store *store = NULL;
    struct error err = {0};
    if (path && store_open_sqlite(path, &store, &err) != STATUS_OK) {
        fprintf(stderr, "page_server: %s\n", err.text);
        exit(1);
    }
    return store;
}

static void run(const struct options *options, struct board *board, struct http_server *server) {
    struct board_story *story = NULL;
    struct store *store = open_database(options->database);
    uint64_t archived = 0;
    if (!options->is_empty)
        story = board_story_create(board, options->pool_hosts, clock_realtime_ms(), options->break_after_ms);
    printf("%s\n", http_server_address(server));
    fflush(stdout);
    while (!stop_requested) {
        usleep(TICK_US);
        if (story)
            board_story_advance(story, clock_realtime_ms());
        if (store)
            archived = archive_changes(board, store, archived);
    }
    if (store)
        store_close(store);
    board_story_destroy(story);
}

int main(int argc, char **argv) {
    struct options options = read_options(argc, argv);
    signal(SIGINT, request_stop);
    signal(SIGTERM, request_stop);
    struct feature_set *features = feature_set_create_default();
    struct board *board = board_create(features, MAX_HOSTS, POINTS_PER_HOST, MAX_INCIDENTS);
    struct present_settings settings = {
        .board = board,
        .started_at_ms = clock_realtime_ms(),
        .remote_write_url = "http://127.0.0.1:9201/api/v1/write",
        .config_text = "mode: act\nfailsafe:\n  cpu_busy: 0.90\n  points: 3\n",
        .flags_json = "{\"--config.file\":\"sentinel.yml\",\"--web.listen-address\":\"127.0.0.1:9201\"}"};
    struct present *present = present_create(&settings);
    size_t route_count = 0;
    const struct http_route *routes = present_routes(present, &route_count);
    struct http_server_settings http = {.listen_address = options.listen_address,
                                        .threads = 1,
                                        .max_connections = 512,
                                        .max_body_bytes = 1 << 20,
                                        .max_event_subscribers = options.max_subscribers,
                                        .head_and_body_timeout_ms = 10000,
                                        .event_tick_ms = 250};
    struct http_server *server = NULL;
    struct error err = {0};
    if (http_server_create(&http, routes, route_count, &server, &err) != STATUS_OK ||
        http_server_start(server, &err) != STATUS_OK) {
        fprintf(stderr, "page_server: %s\n", err.text);
        return 1;
    }
    run(&options, board, server);
    http_server_stop(server, 500);
    http_server_destroy(server);
    present_destroy(present);
    board_destroy(board);
    feature_set_destroy(features);
    return 0;
}
