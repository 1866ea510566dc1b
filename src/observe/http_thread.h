/* src/observe/http_thread.h - one event loop and what hangs on it. Seen by http_*.c only.
 *
 * Everything here belongs to one thread, except what is marked atomic in struct http_server. */
#ifndef SENTINEL_OBSERVE_HTTP_THREAD_H
#define SENTINEL_OBSERVE_HTTP_THREAD_H

#include <pthread.h>
#include <stdatomic.h>

#include <h2o.h>
#include <h2o/http1.h>

#include "observe/http_server.h"

/* Where a connection stands; each has its deadline (see http_connections.c). */
enum http_phase {
    HTTP_PHASE_HANDSHAKE, /* of TLS; libh2o's HTTP layer does not know the connection yet */
    HTTP_PHASE_IDLE,      /* nothing of a request has come */
    HTTP_PHASE_HEAD,      /* some of its head; libh2o has not seen it */
    HTTP_PHASE_BODY,      /* its head is in order, libh2o collects the body */
    HTTP_PHASE_ANSWER,    /* a handler has it, or its response is being written */
    HTTP_PHASE_STREAM,    /* its response is an event stream */
    HTTP_PHASE_REFUSED,   /* our refusal is being written, libh2o knows nothing of it */
};

struct http_connection {
    struct http_thread *thread;
    h2o_socket_t *socket;
    h2o_linklist_t link;
    enum http_phase phase;
    uint64_t phase_since_ms, request_since_ms;
    size_t scanned, head_bytes; /* of the request's head; head_bytes is 0 until it is complete */
    size_t charged_bytes;       /* its share of the memory in flight */
    h2o_socket_cb libh2o_read;  /* whom on_read() of http_intake.c stands in front of */
    h2o_timeout_entry_t rewrap;
    char *refusal;
    int linger_fd; /* -1: close at once */
};

struct http_thread {
    struct http_server *server;
    size_t index;
    pthread_t id;
    h2o_context_t context;
    h2o_accept_ctx_t accept_context;
    h2o_socket_t *listener;
    h2o_multithread_receiver_t wake;
    h2o_multithread_receiver_t judged; /* struct waiting of http_exchange.c */
    size_t waiting_count;              /* requests whose password is being judged */
    h2o_linklist_t connections;        /* struct http_connection */
    size_t connection_count;           /* in that list, and lingering */
    h2o_timeout_t linger_timeout;
    h2o_linklist_t lingering;   /* struct http_linger */
    h2o_linklist_t subscribers; /* struct http_subscriber */
    h2o_timeout_t tick_timeout;
    h2o_timeout_entry_t tick;
    h2o_timeout_t sweep_timeout;
    h2o_timeout_entry_t sweep;
};

struct http_server {
    struct http_server_settings settings;
    const struct http_route *routes;
    size_t route_count;
    int listen_fd;
    char address[128];
    h2o_globalconf_t config;
    h2o_barrier_t ready, woken;
    struct http_thread *threads;
    bool started;
    int64_t grace_ms; /* written before `stopping` */
    atomic_bool stopping;
    atomic_size_t connection_count; /* over all threads */
    atomic_size_t subscriber_count; /* likewise */
    atomic_size_t bytes_in_flight;  /* likewise: requests that are not answered yet */
};

static inline struct http_thread *http_thread_of(const h2o_req_t *req) {
    return H2O_STRUCT_FROM_MEMBER(struct http_thread, context, req->conn->ctx);
}

static inline struct http_connection *http_connection_of(const h2o_req_t *req) {
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

/* http_exchange.c: one request, its handler, its response. */
const char *http_reason_phrase(int status);
void http_exchange_register(h2o_hostconf_t *host);
void http_exchange_on_judged(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages);

/* http_intake.c: what comes in, seen before libh2o sees it. */
void http_intake_accept(struct http_connection *connection);
/* Stands in front of libh2o's read callback, if libh2o is reading and that is not done yet. */
void http_intake_watch(struct http_connection *connection);
/* From a handler: the request is whole. STATUS_INVALID: its head had not been judged, and is not in order. */
MUST_CHECK enum status http_intake_complete(h2o_req_t *req, struct error *err);
void http_intake_set_phase(struct http_connection *connection, enum http_phase phase);
/* Answers `status` with one line of text and closes. For phases in which libh2o waits for input. */
void http_intake_refuse(struct http_connection *connection, int status, const char *text);
/* Closes without a word, likewise. */
void http_intake_hang_up(struct http_connection *connection);
void http_intake_forget(struct http_connection *connection);

/* http_connections.c: the cap, deadlines, and closing so that the peer can still read. */
void http_connections_init(struct http_thread *thread);
void http_connections_accept(struct http_thread *thread);
/* The connection closes after this response: keep its socket open and drain it for a moment, because closing
 * a socket with unread input is a reset that may overtake the response. */
void http_connection_linger(struct http_connection *connection);
void http_connections_close_idle(struct http_thread *thread);
void http_connections_close_all(struct http_thread *thread);
void http_connections_dispose(struct http_thread *thread);

/* http_events.c: event streams. */
void http_events_init(struct http_thread *thread);
void http_events_subscribe(struct http_thread *thread, const struct http_event_source *source,
                           h2o_req_t *req);
/* Ends every stream with a last, empty chunk. */
void http_events_end(struct http_thread *thread);
void http_events_dispose(struct http_thread *thread);

#endif
