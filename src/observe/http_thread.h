/* src/observe/http_thread.h - one event loop and what hangs on it. Seen by http_*.c only.
 *
 * Everything here belongs to one thread, except what is marked atomic in struct http_server. */
#ifndef SENTINEL_OBSERVE_HTTP_THREAD_H
#define SENTINEL_OBSERVE_HTTP_THREAD_H

#include <pthread.h>
#include <stdatomic.h>

#include <h2o.h>

#include "observe/http_server.h"

struct http_thread {
    struct http_server *server;
    size_t index;
    pthread_t id;
    h2o_context_t context;
    h2o_accept_ctx_t accept_context;
    h2o_socket_t *listener;
    h2o_multithread_receiver_t wake;
    h2o_linklist_t connections; /* struct http_connection */
    size_t connection_count;    /* in that list, and lingering */
    h2o_timeout_t linger_timeout;
    h2o_linklist_t lingering;   /* struct http_linger */
    h2o_linklist_t subscribers; /* struct http_subscriber */
    h2o_timeout_t tick_timeout;
    h2o_timeout_entry_t tick;
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
};

static inline struct http_thread *http_thread_of(const h2o_req_t *req) {
    return H2O_STRUCT_FROM_MEMBER(struct http_thread, context, req->conn->ctx);
}

/* http_exchange.c: one request, its handler, its response. */
void http_exchange_register(struct http_server *server, h2o_hostconf_t *host);

/* http_connections.c: the cap, closing what is idle, and closing so that the peer can still read. */
void http_connections_init(struct http_thread *thread);
void http_connections_accept(struct http_thread *thread);
/* The connection closes after this response: keep its socket open and drain it for a moment, because closing
 * a socket with unread input is a reset that may overtake the response. */
void http_connection_linger(h2o_req_t *req);
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
