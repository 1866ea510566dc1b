/* src/observe/http_server.h - libh2o, kept in one room.
 *
 * Listeners, one event loop per thread, limits on connections, heads, bodies and time, and a table of
 * routes. The rest of the program sees requests and responses as plain data and never includes h2o.h.
 * Handlers run on an http thread, must not block, and may run on several threads at once.
 *
 * A request's head is judged before libh2o parses it (http_head.h), so that nothing can be smuggled past a
 * front proxy; pipelined requests are answered one to a connection.
 *
 * Why HTTP/1.1 only: remote write does not need HTTP/2, and libh2o 2.2.5 has no answer to rapid reset. */
#ifndef SENTINEL_OBSERVE_HTTP_SERVER_H
#define SENTINEL_OBSERVE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "observe/web_access.h"

/* All text is borrowed from the request and lives until the handler returns. Not NUL-terminated unless said.
 */
struct http_text {
    const char *bytes;
    size_t length;
};

struct http_request {
    const char *method; /* NUL-terminated */
    const char *path;   /* NUL-terminated, percent-decoded, without query; always starts with '/' */
    const char *query;  /* NUL-terminated, still encoded; "" if there is none. See http_query_value() */
    struct http_text body;
    size_t thread;      /* which http thread this is, counted from 0: index of its own state */
    const void *opaque; /* for http_request_header() */
};

/* Zero-length text if the header is missing. `name` in lower case. */
struct http_text http_request_header(const struct http_request *request, const char *name);
/* Percent-decodes the value of `name` into `out`; false if it is missing or does not fit. */
bool http_query_value(const struct http_request *request, const char *name, char *out, size_t size);

enum { HTTP_RESPONSE_HEADERS_MAX = 8 };

/* Zeroed before the handler runs. `body` is from malloc (open_memstream is handy) and becomes the server's;
 * set `body_is_static` for bytes that live for ever. Header names are lower case literals; values are copied.
 */
struct http_response {
    int status;
    const char *content_type; /* literal; NULL: none */
    char *body;
    size_t body_bytes;
    bool body_is_static;
    struct {
        const char *name;
        char value[256];
    } headers[HTTP_RESPONSE_HEADERS_MAX];
    size_t header_count;
};

void http_response_header(struct http_response *response, const char *name, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* "text/plain" with one line; the status is set too. */
void http_response_text(struct http_response *response, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);

typedef void http_handler(void *context, const struct http_request *request, struct http_response *response);

/* A stream of server-sent events. The server asks once a tick; one serialisation serves every subscriber
 * that stands at the same version. A subscriber that has not taken its last piece is skipped and catches
 * up from its own version later, so a slow reader costs nothing. */
struct http_event_source {
    void *context;
    /* The newest version; it only grows while the process lives. */
    uint64_t (*version)(void *context);
    /* Writes complete events (id: lines included) that lead from `since` to the newest version; since 0 means
     * everything. */
    void (*write_since)(void *context, uint64_t since, FILE *out);
    /* The version that a Last-Event-ID stands for; 0 if it is of another process or no number. */
    uint64_t (*parse_id)(void *context, const char *last_event_id);
};

struct http_route {
    const char *method; /* "GET" also answers HEAD */
    const char *path;   /* exact; a trailing '*' matches any rest */
    http_handler *handler;
    const struct http_event_source *events; /* instead of a handler: this path is an event stream */
    void *context;
    unsigned needs; /* of enum web_permission; 0: WEB_MAY_READ for GET, WEB_MAY_OPERATE otherwise */
};

struct http_server_settings {
    const char *listen_address; /* "127.0.0.1:9201", "[::1]:9201" */
    size_t threads;
    size_t max_connections;           /* over all threads; one more is closed at once, counted */
    size_t max_body_bytes;            /* a longer body is answered with a 413 that the peer can read */
    size_t max_event_subscribers;     /* one more is answered with 204 */
    int64_t head_and_body_timeout_ms; /* from a request's first byte to its last; longer is 408 */
    int64_t event_tick_ms;
    /* Of these, 0 stands for the default. */
    size_t max_head_bytes;      /* HTTP_DEFAULT_HEAD_BYTES; longer is 431 */
    size_t max_bytes_in_flight; /* HTTP_DEFAULT_BYTES_IN_FLIGHT: held by requests that wait for their rest or
                                   their answer, over all connections; beyond it the slowest one is 503 */
    int64_t head_timeout_ms;    /* HTTP_DEFAULT_HEAD_TIMEOUT_MS; longer is 408 */
    int64_t idle_timeout_ms;    /* HTTP_DEFAULT_IDLE_TIMEOUT_MS between requests; then closed */
    struct web_access *access;  /* TLS, users, headers of every response. NULL: anybody may do everything.
                                   Borrowed; http_server_stop() cancels it */
};

enum {
    HTTP_DEFAULT_HEAD_BYTES = 32 * 1024,
    HTTP_DEFAULT_BYTES_IN_FLIGHT = 256 * 1024 * 1024,
    HTTP_DEFAULT_HEAD_TIMEOUT_MS = 10000,
    HTTP_DEFAULT_IDLE_TIMEOUT_MS = 330000, /* Go's clients drop idle connections after 300 s: let them */
};

struct http_server;
/* Binds and listens; serves nothing yet. `routes` are borrowed and must outlive the server. A path that is
 * known under another method is answered with 405 and Allow, an unknown one with 404. */
MUST_CHECK enum status http_server_create(const struct http_server_settings *settings,
                                          const struct http_route *routes, size_t route_count,
                                          struct http_server **out, struct error *err);
MUST_CHECK enum status http_server_start(struct http_server *server,
                                         struct error *err); /* starts the threads */
/* "127.0.0.1:9201"; the real port where 0 was asked for. */
const char *http_server_address(const struct http_server *server);
/* Can only programs of this machine reach it? */
bool http_server_is_loopback(const struct http_server *server);
/* Refuses new connections, lets requests in flight end with their answer (at most `grace_ms`), joins the
 * threads. */
void http_server_stop(struct http_server *server, int64_t grace_ms);
void http_server_destroy(struct http_server *server);

#endif
