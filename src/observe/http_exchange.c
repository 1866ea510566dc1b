#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/counters.h"
#include "observe/http_routes.h"
#include "observe/http_thread.h"

struct http_text http_request_header(const struct http_request *request, const char *name) {
    const h2o_req_t *req = request->opaque;
    struct http_text none = {NULL, 0};
    if (strcmp(name, "host") == 0) /* libh2o moves it out of the list */
        return (struct http_text){req->input.authority.base, req->input.authority.len};
    ssize_t found = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);
    if (found < 0) {
        const h2o_token_t *token = h2o_lookup_token(name, strlen(name));
        found = token ? h2o_find_header(&req->headers, token, -1) : -1;
    }
    if (found < 0)
        return none;
    return (struct http_text){req->headers.entries[found].value.base, req->headers.entries[found].value.len};
}

const char *http_reason_phrase(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Unknown"; /* RFC 9112, 4: clients ignore it */
    }
}

static void free_body(void *holder) {
    free(*(char **)holder);
}

/* Moves the body to the request's pool: it is read until the last byte has been written. */
static h2o_iovec_t take_body(h2o_req_t *req, const struct http_response *response) {
    if (response->body && !response->body_is_static) {
        char **holder = h2o_mem_alloc_shared(&req->pool, sizeof *holder, free_body);
        *holder = response->body;
    }
    return h2o_iovec_init(response->body, response->body_bytes);
}

static void add_site_headers(h2o_req_t *req) {
    const struct web_access *access = http_thread_of(req)->server->settings.access;
    const struct web_config *config = access ? web_access_config(access) : NULL;
    for (size_t i = 0; config && i < config->header_count; i++) {
        const struct web_header *header = &config->headers[i];
        char *name = h2o_strdup(&req->pool, header->name, SIZE_MAX).base;
        h2o_strtolower(name, strlen(name));
        h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, header->value,
                              strlen(header->value));
    }
}

static void send_response(h2o_req_t *req, const struct http_response *response) {
    static h2o_generator_t generator = {NULL, NULL};
    h2o_iovec_t body = take_body(req, response);
    req->res.status = response->status;
    req->res.reason = http_reason_phrase(response->status);
    bool has_body = response->status != 204 && response->status != 304;
    if (has_body)
        req->res.content_length = body.len;
    if (response->content_type)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, response->content_type,
                       strlen(response->content_type));
    for (size_t i = 0; i < response->header_count; i++) {
        h2o_iovec_t value = h2o_strdup(&req->pool, response->headers[i].value, SIZE_MAX);
        h2o_add_header_by_str(&req->pool, &req->res.headers, response->headers[i].name,
                              strlen(response->headers[i].name), 1, NULL, value.base, value.len);
    }
    add_site_headers(req);
    h2o_start_response(req, &generator);
    bool is_head = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
    size_t buffers = has_body && !is_head && body.len > 0 ? 1 : 0;
    h2o_send(req, &body, buffers, H2O_SEND_STATE_FINAL);
}

static void answer_unrouted(const char *path, const char *allow, struct http_response *response) {
    if (allow[0]) {
        http_response_text(response, 405, "this path is there for: %s", allow);
        http_response_header(response, "allow", "%s", allow);
    } else {
        http_response_text(response, 404, "there is nothing at %.200s", path);
    }
    http_response_header(response, "x-content-type-options", "nosniff");
}

/* Text of the request as C strings in its pool; false if the target cannot be read. */
static bool describe(h2o_req_t *req, struct http_request *out) {
    char *path = h2o_mem_alloc_pool(&req->pool, req->input.path.len + 2);
    char *query = h2o_mem_alloc_pool(&req->pool, req->input.path.len + 2);
    *out = (struct http_request){
        .method = h2o_strdup(&req->pool, req->method.base, req->method.len).base,
        .path = path,
        .query = query,
        .body = {req->entity.base, req->entity.len},
        .thread = http_thread_of(req)->index,
        .opaque = req,
    };
    return http_target_split(req->input.path.base, req->input.path.len, path, query);
}

/* ---- access ------------------------------------------------------------------------------------------- */

struct waiting_mark;

/* A request whose password is being judged on the access thread. */
struct waiting {
    h2o_multithread_message_t super; /* first: it comes back as a message */
    struct http_thread *thread;
    h2o_req_t *req; /* NULL: it has gone away meanwhile */
    struct waiting_mark *mark;
};

/* In the request's pool, so that we learn when it goes away. */
struct waiting_mark {
    struct waiting *waiting; /* NULL: it waits no longer */
};

static void on_gone(void *memory) {
    struct waiting_mark *mark = memory;
    if (mark->waiting)
        mark->waiting->req = NULL;
}

/* On the access thread. */
static void on_known(void *argument) {
    struct waiting *waiting = argument;
    h2o_multithread_send_message(&waiting->thread->judged, &waiting->super);
}

static unsigned permission_for(const struct http_route *route, const char *method) {
    if (route && route->needs)
        return route->needs;
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ? WEB_MAY_READ : WEB_MAY_OPERATE;
}

static enum web_verdict judge(h2o_req_t *req, const struct http_request *request, unsigned needed) {
    struct http_thread *thread = http_thread_of(req);
    if (!thread->server->settings.access)
        return WEB_ALLOWED;
    struct waiting *waiting = xcalloc(1, sizeof *waiting);
    *waiting = (struct waiting){.thread = thread, .req = req};
    waiting->mark = h2o_mem_alloc_shared(&req->pool, sizeof *waiting->mark, on_gone);
    waiting->mark->waiting = waiting;
    thread->waiting_count++; /* the answer may come before the question returns */
    struct http_text header = http_request_header(request, "authorization");
    enum web_verdict verdict = web_access_judge(thread->server->settings.access, needed, header.bytes,
                                                header.length, on_known, waiting);
    if (verdict != WEB_PENDING) {
        thread->waiting_count--;
        waiting->mark->waiting = NULL;
        free(waiting);
    }
    return verdict;
}

static void answer_denied(enum web_verdict verdict, struct http_response *response) {
    switch (verdict) {
    case WEB_FORBIDDEN:
        http_response_text(response, 403, "these credentials do not permit this");
        break;
    case WEB_BUSY:
        http_response_text(response, 503,
                           "busy: too many passwords are being checked, send this again in a moment");
        http_response_header(response, "retry-after", "5");
        break;
    case WEB_UNKNOWN:
    case WEB_PENDING:
    case WEB_ALLOWED:
        http_response_text(response, 401, "this needs a user and a password, or a bearer token");
        http_response_header(response, "www-authenticate", "Basic realm=\"sentinel\", charset=\"UTF-8\"");
        break;
    }
    http_response_header(response, "x-content-type-options", "nosniff");
}

/* ---- a request ---------------------------------------------------------------------------------------- */

/* For a request whose head is in order. Runs a second time after its password has been judged. */
static void serve(h2o_req_t *req) {
    const struct http_server *server = http_thread_of(req)->server;
    struct http_request request;
    struct http_response response = {0};
    char allow[HTTP_ALLOW_SIZE];
    if (!describe(req, &request)) {
        http_response_text(&response, 400, "the request target is not a path");
        send_response(req, &response);
        return;
    }
    const struct http_route *route =
        http_route_find(server->routes, server->route_count, request.method, request.path, allow);
    enum web_verdict verdict = judge(req, &request, permission_for(route, request.method));
    if (verdict == WEB_PENDING)
        return;
    if (verdict == WEB_ALLOWED && route && route->events && strcmp(request.method, "GET") == 0) {
        http_events_subscribe(http_thread_of(req), route->events, req);
        return;
    }
    if (verdict != WEB_ALLOWED)
        answer_denied(verdict, &response);
    else if (route && route->handler)
        route->handler(route->context, &request, &response);
    else
        answer_unrouted(request.path, allow, &response);
    send_response(req, &response);
}

void http_exchange_on_judged(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages) {
    (void)receiver;
    for (h2o_linklist_t *link = messages->next, *next; link != messages; link = next) {
        next = link->next;
        struct waiting *waiting = H2O_STRUCT_FROM_MEMBER(struct waiting, super.link, link);
        waiting->thread->waiting_count--;
        if (waiting->req) {
            waiting->mark->waiting = NULL;
            serve(waiting->req);
        }
        free(waiting);
    }
    h2o_linklist_init_anchor(messages); /* taken, all of them */
}

static int on_request(h2o_handler_t *self, h2o_req_t *req) {
    (void)self;
    struct error err;
    if (http_intake_complete(req, &err) == STATUS_OK) {
        serve(req);
    } else {
        struct http_response response = {0};
        http_response_text(&response, 400, "%s", err.text);
        send_response(req, &response);
    }
    return 0;
}

/* ---- libh2o's own error responses --------------------------------------------------------------------- */

static void replace_body(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
                         h2o_send_state_t state) {
    (void)bufs;
    (void)count;
    h2o_iovec_t *text = (h2o_iovec_t *)(self + 1);
    h2o_ostream_send_next(self, req, text, 1, state);
}

/* libh2o refuses by itself, before any handler: a body beyond its limit (ours plus one byte), a broken chunk,
 * an unreadable length. It closes the connection at once afterwards, which the peer sees as a reset; and its
 * 413 does not say what the limit is. */
static void on_own_response(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot) {
    (void)self;
    http_connection_linger(http_connection_of(req));
    req->http1_is_persistent = 0;
    if (req->res.status == 413) {
        counter_add(COUNTER_HTTP_BODIES_REFUSED, 1);
        size_t limit = http_thread_of(req)->server->settings.max_body_bytes;
        char line[128];
        int length =
            snprintf(line, sizeof line,
                     "the body is longer than the limit of %zu bytes: send smaller batches\n", limit);
        struct {
            h2o_ostream_t super;
            h2o_iovec_t text;
        } *stream = (void *)h2o_add_ostream(req, sizeof *stream, slot);
        stream->super.do_send = replace_body;
        stream->text = h2o_strdup(&req->pool, line, (size_t)length);
        req->res.content_length = stream->text.len;
        slot = &stream->super.next;
    }
    h2o_setup_next_ostream(req, slot);
}

void http_exchange_register(h2o_hostconf_t *host) {
    h2o_pathconf_t *everything = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(everything, sizeof(h2o_handler_t))->on_req = on_request;
    /* What libh2o answers by itself is bound to the fallback path. */
    h2o_filter_t *own = h2o_create_filter(&host->fallback_path, sizeof *own);
    own->on_setup_ostream = on_own_response;
}
