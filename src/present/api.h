/* src/present/api.h - the JSON API, /metrics, the event stream and the page, as http routes.
 *
 * Envelope as in Prometheus: {"status":"success","data":...} or
 * {"status":"error","errorType":...,"error":...}. Times are RFC 3339, objects are flat enough for a table.
 * Handlers read the board only; any http thread. */
#ifndef SENTINEL_PRESENT_API_H
#define SENTINEL_PRESENT_API_H

#include "observe/http_server.h"
#include "present/board.h"

struct present_settings {
    struct board *board;
    int64_t started_at_ms;
    const char *remote_write_url;    /* "http://127.0.0.1:9201/api/v1/write": for the page's empty state */
    const char *config_text;         /* the file as read, "" without one; /api/v1/status/config */
    const char *flags_json;          /* {"--config.file":"..."}; /api/v1/status/flags */
    bool (*is_ready)(void *context); /* for /-/ready */
    void *ready_context;
};

struct present;
struct present *present_create(const struct present_settings *settings);
/* GET / /assets/ * /api/v1/... /metrics /-/healthy /-/ready; live until present_destroy(). */
const struct http_route *present_routes(struct present *present, size_t *count);
void present_destroy(struct present *present);

#endif
