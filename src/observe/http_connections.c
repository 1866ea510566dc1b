#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/counters.h"
#include "observe/http_thread.h"

/* A socket that has said all it has to say and waits for the peer to stop talking. */
struct http_linger {
    struct http_thread *thread;
    h2o_socket_t *socket;
    h2o_linklist_t link;
    h2o_timeout_entry_t deadline;
};

enum { LINGER_MS = 3000, ACCEPTS_PER_TURN = 16 };

static void forget(struct http_thread *thread) {
    thread->connection_count--;
    atomic_fetch_sub_explicit(&thread->server->connection_count, 1, memory_order_relaxed);
}

static void linger_end(struct http_linger *linger) {
    h2o_timeout_unlink(&linger->deadline);
    h2o_linklist_unlink(&linger->link);
    h2o_socket_close(linger->socket);
    forget(linger->thread);
    free(linger);
}

static void linger_on_read(h2o_socket_t *socket, const char *err) {
    if (err)
        linger_end(socket->data);
    else
        h2o_buffer_consume(&socket->input, socket->input->size);
}

static void linger_on_deadline(h2o_timeout_entry_t *entry) {
    linger_end(H2O_STRUCT_FROM_MEMBER(struct http_linger, deadline, entry));
}

static void linger_start(struct http_thread *thread, int fd) {
    shutdown(fd, SHUT_WR);
    struct http_linger *linger = xcalloc(1, sizeof *linger);
    linger->thread = thread;
    linger->socket =
        h2o_evloop_socket_create(thread->context.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    linger->socket->data = linger;
    linger->deadline.cb = linger_on_deadline;
    h2o_linklist_insert(&thread->lingering, &linger->link);
    h2o_timeout_link(thread->context.loop, &thread->linger_timeout, &linger->deadline);
    h2o_socket_read_start(linger->socket, linger_on_read);
}

/* libh2o has closed the socket; a lingering one lives on through its duplicate. */
static void on_close(void *data) {
    struct http_connection *connection = data;
    h2o_linklist_unlink(&connection->link);
    http_intake_forget(connection);
    if (connection->linger_fd >= 0)
        linger_start(connection->thread, connection->linger_fd);
    else
        forget(connection->thread);
    free(connection);
}

void http_connection_linger(struct http_connection *connection) {
    if (connection->linger_fd < 0)
        connection->linger_fd = fcntl(h2o_socket_get_fd(connection->socket), F_DUPFD_CLOEXEC, 0);
}

static void on_accept(h2o_socket_t *listener, const char *err) {
    struct http_thread *thread = listener->data;
    if (err)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
        if (!socket)
            return;
        size_t before = atomic_fetch_add_explicit(&thread->server->connection_count, 1, memory_order_relaxed);
        if (before >= thread->server->settings.max_connections) {
            atomic_fetch_sub_explicit(&thread->server->connection_count, 1, memory_order_relaxed);
            counter_add(COUNTER_HTTP_CONNECTIONS_REFUSED, 1);
            h2o_socket_close(socket);
            continue;
        }
        struct http_connection *connection = xcalloc(1, sizeof *connection);
        *connection = (struct http_connection){.thread = thread, .socket = socket, .linger_fd = -1};
        h2o_linklist_insert(&thread->connections, &connection->link);
        thread->connection_count++;
        socket->on_close.cb = on_close;
        socket->on_close.data = connection;
        http_intake_accept(connection);
    }
}

/* ---- deadlines ---------------------------------------------------------------------------------------- */

enum { SWEEP_EVERY_MS = 100 };

static struct http_connection *connection_of(h2o_linklist_t *link) {
    return H2O_STRUCT_FROM_MEMBER(struct http_connection, link, link);
}

static void shut(struct http_connection *connection) {
    shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

static void time_out(struct http_connection *connection, const char *text) {
    counter_add(COUNTER_HTTP_REQUESTS_TIMED_OUT, 1);
    http_intake_refuse(connection, 408, text);
}

/* May end the connection. */
static void apply_deadline(struct http_connection *connection, uint64_t now) {
    const struct http_server_settings *settings = &connection->thread->server->settings;
    uint64_t in_phase = now - connection->phase_since_ms, in_request = now - connection->request_since_ms;
    switch (connection->phase) {
    case HTTP_PHASE_HANDSHAKE:
        if (in_phase >= (uint64_t)settings->head_timeout_ms)
            h2o_socket_close(connection->socket);
        break;
    case HTTP_PHASE_IDLE:
        if (in_phase >= (uint64_t)settings->idle_timeout_ms)
            http_intake_hang_up(connection);
        break;
    case HTTP_PHASE_HEAD:
        if (in_phase >= (uint64_t)settings->head_timeout_ms)
            time_out(connection, "the request head took too long");
        break;
    case HTTP_PHASE_BODY:
        http_intake_watch(connection);
        if (in_request >= (uint64_t)settings->head_and_body_timeout_ms)
            time_out(connection, "the request body took too long");
        break;
    case HTTP_PHASE_ANSWER:
    case HTTP_PHASE_REFUSED: /* the peer does not read what it is told */
        if (in_phase >= (uint64_t)settings->head_and_body_timeout_ms)
            shut(connection);
        break;
    case HTTP_PHASE_STREAM: /* http_events.c looks after these */
        break;
    }
}

static void on_sweep(h2o_timeout_entry_t *entry) {
    struct http_thread *thread = H2O_STRUCT_FROM_MEMBER(struct http_thread, sweep, entry);
    uint64_t now = h2o_now(thread->context.loop);
    for (h2o_linklist_t *link = thread->connections.next, *next; link != &thread->connections; link = next) {
        next = link->next;
        apply_deadline(connection_of(link), now);
    }
    h2o_timeout_link(thread->context.loop, &thread->sweep_timeout, &thread->sweep);
}

/* ---- life --------------------------------------------------------------------------------------------- */

void http_connections_init(struct http_thread *thread) {
    h2o_linklist_init_anchor(&thread->connections);
    h2o_linklist_init_anchor(&thread->lingering);
    h2o_timeout_init(thread->context.loop, &thread->linger_timeout, LINGER_MS);
    h2o_timeout_init(thread->context.loop, &thread->sweep_timeout, SWEEP_EVERY_MS);
    thread->sweep.cb = on_sweep;
    h2o_timeout_link(thread->context.loop, &thread->sweep_timeout, &thread->sweep);
}

void http_connections_accept(struct http_thread *thread) {
    int fd = fcntl(thread->server->listen_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        h2o_fatal("out of file descriptors at start");
    thread->listener = h2o_evloop_socket_create(thread->context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    thread->listener->data = thread;
    h2o_socket_read_start(thread->listener, on_accept);
}

void http_connections_close_idle(struct http_thread *thread) {
    for (h2o_linklist_t *link = thread->connections.next, *next; link != &thread->connections; link = next) {
        next = link->next;
        if (connection_of(link)->phase == HTTP_PHASE_IDLE)
            http_intake_hang_up(connection_of(link));
    }
}

/* libh2o notices on its next turn and closes. */
void http_connections_close_all(struct http_thread *thread) {
    for (h2o_linklist_t *link = thread->connections.next; link != &thread->connections; link = link->next)
        shut(connection_of(link));
    for (h2o_linklist_t *link = thread->lingering.next; link != &thread->lingering; link = link->next)
        shutdown(h2o_socket_get_fd(H2O_STRUCT_FROM_MEMBER(struct http_linger, link, link)->socket),
                 SHUT_RDWR);
}

void http_connections_dispose(struct http_thread *thread) {
    h2o_timeout_unlink(&thread->sweep);
    h2o_timeout_dispose(thread->context.loop, &thread->sweep_timeout);
    h2o_timeout_dispose(thread->context.loop, &thread->linger_timeout);
}
