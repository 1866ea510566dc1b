#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "observe/http_thread.h"

/* A piece of a stream, serialised once and sent to every subscriber that stands where it begins. Counted by
 * libh2o's shared memory: one reference per subscriber that is sending it, and one for the tick. */
struct piece {
    struct piece *next; /* of the same tick */
    const struct http_event_source *source;
    uint64_t since, until;
    char *bytes;
    size_t length;
};

struct http_subscriber {
    h2o_generator_t super; /* first: libh2o hands it back to on_proceed */
    struct http_thread *thread;
    h2o_req_t *req;
    const struct http_event_source *source;
    uint64_t version;
    uint64_t sent_at_ms;
    struct piece *sending;
    bool in_flight; /* a piece or a comment is with libh2o; no h2o_send() until on_proceed */
    bool ending;
    h2o_linklist_t link;
};

static const char RETRY[] = "retry: 2000\n\n";
static const char COMMENT[] = ":\n\n";
enum {
    COMMENT_EVERY_MS = 15000, /* proxies and NATs forget connections that are silent for longer */
    STUCK_AFTER_MS = 60000,   /* a subscriber that takes nothing for so long gives its place to another */
};

static void piece_dispose(void *memory) {
    free(((struct piece *)memory)->bytes);
}

static struct piece *piece_create(const struct http_event_source *source, uint64_t since) {
    struct piece *piece = h2o_mem_alloc_shared(NULL, sizeof *piece, piece_dispose);
    *piece = (struct piece){.source = source, .since = since};
    /* The version is read first: what is newer than it may be sent twice, but never missed. */
    piece->until = source->version(source->context);
    FILE *out = open_memstream(&piece->bytes, &piece->length);
    if (!out)
        h2o_fatal("out of memory");
    if (since == 0 || piece->until != since)
        source->write_since(source->context, since, out);
    fclose(out);
    return piece;
}

/* Consumes the caller's reference. */
static void send_piece(struct http_subscriber *subscriber, struct piece *piece, bool first) {
    h2o_iovec_t buffers[2];
    size_t count = 0;
    if (first)
        buffers[count++] = h2o_iovec_init(RETRY, sizeof RETRY - 1);
    if (piece->length > 0)
        buffers[count++] = h2o_iovec_init(piece->bytes, piece->length);
    subscriber->version = piece->until;
    if (count == 0) {
        h2o_mem_release_shared(piece);
        return;
    }
    subscriber->sending = piece;
    subscriber->in_flight = true;
    subscriber->sent_at_ms = h2o_now(subscriber->thread->context.loop);
    h2o_send(subscriber->req, buffers, count, H2O_SEND_STATE_IN_PROGRESS);
}

static void send_comment(struct http_subscriber *subscriber) {
    h2o_iovec_t comment = h2o_iovec_init(COMMENT, sizeof COMMENT - 1);
    subscriber->in_flight = true;
    subscriber->sent_at_ms = h2o_now(subscriber->thread->context.loop);
    h2o_send(subscriber->req, &comment, 1, H2O_SEND_STATE_IN_PROGRESS);
}

static void drop_sent(struct http_subscriber *subscriber) {
    if (subscriber->sending)
        h2o_mem_release_shared(subscriber->sending);
    subscriber->sending = NULL;
    subscriber->in_flight = false;
}

static void end_stream(struct http_subscriber *subscriber) {
    subscriber->req->http1_is_persistent = 0;
    subscriber->ending = true;
    if (!subscriber->in_flight)
        h2o_send(subscriber->req, NULL, 0, H2O_SEND_STATE_FINAL);
}

static void on_proceed(h2o_generator_t *self, h2o_req_t *req) {
    (void)req;
    struct http_subscriber *subscriber = (struct http_subscriber *)self;
    drop_sent(subscriber);
    if (subscriber->ending)
        end_stream(subscriber);
}

/* Runs when the request's pool is cleared: after the last chunk, or when the connection is gone. */
static void subscriber_dispose(void *memory) {
    struct http_subscriber *subscriber = memory;
    drop_sent(subscriber);
    h2o_linklist_unlink(&subscriber->link);
    atomic_fetch_sub_explicit(&subscriber->thread->server->subscriber_count, 1, memory_order_relaxed);
}

static struct piece *find_piece(struct piece *pieces, const struct http_subscriber *subscriber) {
    for (struct piece *piece = pieces; piece; piece = piece->next)
        if (piece->source == subscriber->source && piece->since == subscriber->version)
            return piece;
    return NULL;
}

static void close_if_stuck(const struct http_subscriber *subscriber, uint64_t now) {
    if (now - subscriber->sent_at_ms < STUCK_AFTER_MS)
        return;
    h2o_socket_t *socket = subscriber->req->conn->callbacks->get_socket(subscriber->req->conn);
    shutdown(h2o_socket_get_fd(socket), SHUT_RDWR);
}

static void serve(struct http_subscriber *subscriber, struct piece **pieces) {
    uint64_t now = h2o_now(subscriber->thread->context.loop);
    if (subscriber->in_flight || subscriber->ending) {
        close_if_stuck(subscriber, now);
        return;
    }
    struct piece *piece = find_piece(*pieces, subscriber);
    if (!piece) {
        piece = piece_create(subscriber->source, subscriber->version);
        piece->next = *pieces;
        *pieces = piece;
    }
    if (piece->length == 0 && now - subscriber->sent_at_ms >= COMMENT_EVERY_MS) {
        send_comment(subscriber);
        return;
    }
    h2o_mem_addref_shared(piece);
    send_piece(subscriber, piece, false);
}

static void on_tick(h2o_timeout_entry_t *entry) {
    struct http_thread *thread = H2O_STRUCT_FROM_MEMBER(struct http_thread, tick, entry);
    struct piece *pieces = NULL;
    for (h2o_linklist_t *link = thread->subscribers.next, *next; link != &thread->subscribers; link = next) {
        next = link->next;
        serve(H2O_STRUCT_FROM_MEMBER(struct http_subscriber, link, link), &pieces);
    }
    while (pieces) {
        struct piece *piece = pieces;
        pieces = piece->next;
        h2o_mem_release_shared(piece);
    }
    h2o_timeout_link(thread->context.loop, &thread->tick_timeout, &thread->tick);
}

void http_events_init(struct http_thread *thread) {
    h2o_linklist_init_anchor(&thread->subscribers);
    h2o_timeout_init(thread->context.loop, &thread->tick_timeout,
                     (uint64_t)thread->server->settings.event_tick_ms);
    thread->tick.cb = on_tick;
    h2o_timeout_link(thread->context.loop, &thread->tick_timeout, &thread->tick);
}

/* WHATWG HTML, 9.2 "Server-sent events": 204 tells an EventSource not to come back. */
static void refuse(h2o_req_t *req) {
    counter_add(COUNTER_EVENTS_SUBSCRIBERS_REFUSED, 1);
    static h2o_generator_t generator = {NULL, NULL};
    req->res.status = 204;
    req->res.reason = "No Content";
    h2o_start_response(req, &generator);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

static uint64_t version_of_request(const struct http_event_source *source, h2o_req_t *req) {
    ssize_t found = h2o_find_header_by_str(&req->headers, H2O_STRLIT("last-event-id"), -1);
    if (found < 0)
        return 0;
    h2o_iovec_t id = req->headers.entries[found].value;
    return source->parse_id(source->context, h2o_strdup(&req->pool, id.base, id.len).base);
}

static void add_header(h2o_req_t *req, const char *name, const char *value) {
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value, strlen(value));
}

void http_events_subscribe(struct http_thread *thread, const struct http_event_source *source,
                           h2o_req_t *req) {
    atomic_size_t *count = &thread->server->subscriber_count;
    if (atomic_fetch_add_explicit(count, 1, memory_order_relaxed) >=
        thread->server->settings.max_event_subscribers) {
        atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
        refuse(req);
        return;
    }
    struct http_subscriber *subscriber =
        h2o_mem_alloc_shared(&req->pool, sizeof *subscriber, subscriber_dispose);
    *subscriber =
        (struct http_subscriber){.super = {on_proceed, NULL}, .thread = thread, .req = req, .source = source};
    h2o_linklist_insert(&thread->subscribers, &subscriber->link);
    http_intake_set_phase(http_connection_of(req), HTTP_PHASE_STREAM);
    if (req->version < 0x101) /* no chunks there: the end of the stream is the end of the connection */
        req->http1_is_persistent = 0;
    req->res.status = 200;
    req->res.reason = "OK";
    add_header(req, "content-type", "text/event-stream");
    add_header(req, "cache-control", "no-cache");
    add_header(req, "x-accel-buffering", "no");
    add_header(req, "x-content-type-options", "nosniff");
    h2o_start_response(req, &subscriber->super);
    send_piece(subscriber, piece_create(source, version_of_request(source, req)), true);
}

void http_events_end(struct http_thread *thread) {
    for (h2o_linklist_t *link = thread->subscribers.next, *next; link != &thread->subscribers; link = next) {
        next = link->next;
        struct http_subscriber *subscriber = H2O_STRUCT_FROM_MEMBER(struct http_subscriber, link, link);
        if (!subscriber->ending)
            end_stream(subscriber);
    }
}

void http_events_dispose(struct http_thread *thread) {
    h2o_timeout_unlink(&thread->tick);
    h2o_timeout_dispose(thread->context.loop, &thread->tick_timeout);
}
