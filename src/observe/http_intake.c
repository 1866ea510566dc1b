/* What comes in, seen before libh2o sees it.
 *
 * libh2o reads a request through a callback that it hangs on the socket. on_read() stands in front of that
 * callback: bytes wait in the socket's buffer until the head is complete and in order, and until the memory
 * for the body has been granted; only then is libh2o told that there is something to read. So libh2o never
 * parses a head that http_head.h refuses, never waits for a body beyond our limit, and every deadline is
 * ours.
 *
 * libh2o hangs its callback up again after each response, which request_done() learns from the request's
 * memory pool; the wrapper goes back on before the loop polls again. After "100
 * Continue" it comes back with the next sweep. One path leads past it: libh2o parses at
 * once what was already in the buffer. For pipelined requests http_intake_complete() therefore ends the
 * connection after the first (RFC 9112, 9.3.2 allows it, and no sender pipelines), and it judges any head
 * that has not been judged, because libh2o keeps the raw bytes until the response is written. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/counters.h"
#include "observe/http_head.h"
#include "observe/http_thread.h"

void http_intake_set_phase(struct http_connection *connection, enum http_phase phase) {
    connection->phase = phase;
    connection->phase_since_ms = h2o_now(connection->thread->context.loop);
}

static void charge(struct http_connection *connection, size_t bytes) {
    atomic_size_t *total = &connection->thread->server->bytes_in_flight;
    if (bytes >= connection->charged_bytes)
        atomic_fetch_add_explicit(total, bytes - connection->charged_bytes, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(total, connection->charged_bytes - bytes, memory_order_relaxed);
    connection->charged_bytes = bytes;
}

/* ---- refusing ----------------------------------------------------------------------------------------- */

void http_intake_hang_up(struct http_connection *connection) {
    connection->libh2o_read(connection->socket, h2o_socket_error_closed);
}

static void on_refusal_written(h2o_socket_t *socket, const char *err) {
    (void)err;
    http_intake_hang_up(socket->on_close.data);
}

void http_intake_refuse(struct http_connection *connection, int status, const char *text) {
    if (h2o_socket_is_writing(connection->socket)) { /* libh2o is saying "100 Continue" */
        http_intake_hang_up(connection);
        return;
    }
    char date[40];
    struct tm now;
    time_t seconds = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &now));
    size_t length = 0;
    FILE *out = open_memstream(&connection->refusal, &length);
    if (!out)
        h2o_fatal("out of memory");
    fprintf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: close\r\n", status, http_reason_phrase(status),
            date);
    if (status == 503)
        fprintf(out, "Retry-After: 1\r\n");
    fprintf(out, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n");
    fprintf(out, "Content-Length: %zu\r\n\r\n%s\n", strlen(text) + 1, text);
    fclose(out);
    http_connection_linger(connection);
    charge(connection, 0); /* its buffer goes as soon as this is written */
    http_intake_set_phase(connection, HTTP_PHASE_REFUSED);
    h2o_socket_read_stop(connection->socket);
    h2o_iovec_t whole = h2o_iovec_init(connection->refusal, length);
    h2o_socket_write(connection->socket, &whole, 1, on_refusal_written);
}

static void refuse_head(struct http_connection *connection, enum status status, const char *text) {
    counter_add(COUNTER_HTTP_HEADS_REFUSED, 1);
    http_intake_refuse(connection, status == STATUS_TOO_LARGE ? 431 : 400, text);
}

static void refuse_body(struct http_connection *connection, uint64_t length) {
    char text[128];
    snprintf(text, sizeof text, "the body has %llu bytes, the limit is %zu: send smaller batches",
             (unsigned long long)length, connection->thread->server->settings.max_body_bytes);
    counter_add(COUNTER_HTTP_BODIES_REFUSED, 1);
    http_intake_refuse(connection, 413, text);
}

static void refuse_memory(struct http_connection *connection) {
    counter_add(COUNTER_HTTP_MEMORY_REFUSED, 1);
    http_intake_refuse(connection, 503,
                       "busy: the memory for requests in flight is used up, send this again in a moment");
}

/* ---- memory in flight --------------------------------------------------------------------------------- */

/* Charged is what a request holds, not what it announces: otherwise a few hundred connections that announce a
 * body and never send it would stop every writer. */
enum {
    ALWAYS_GRANTED_BYTES = 16 * 1024, /* small requests show an operator what is going on, even then */
    SLOW_AFTER_PERCENT = 5,           /* of the time that a request may take; most need far less */
};

static bool grant(struct http_connection *connection, size_t bytes) {
    const struct http_server *server = connection->thread->server;
    size_t others =
        atomic_load_explicit(&server->bytes_in_flight, memory_order_relaxed) - connection->charged_bytes;
    if (bytes > connection->charged_bytes && bytes > ALWAYS_GRANTED_BYTES &&
        others + bytes > server->settings.max_bytes_in_flight)
        return false;
    charge(connection, bytes);
    return true;
}

/* Of this thread's requests that have been coming in for too long, the one that comes in most slowly. */
static struct http_connection *find_slowest(const struct http_thread *thread) {
    struct http_connection *slowest = NULL;
    double slowest_rate = 0;
    uint64_t now = h2o_now(thread->context.loop);
    uint64_t slow_after =
        (uint64_t)thread->server->settings.head_and_body_timeout_ms * SLOW_AFTER_PERCENT / 100;
    for (h2o_linklist_t *link = thread->connections.next; link != &thread->connections; link = link->next) {
        struct http_connection *one = H2O_STRUCT_FROM_MEMBER(struct http_connection, link, link);
        uint64_t age = now - one->request_since_ms;
        double rate = (double)one->socket->input->size / (double)(age + 1);
        bool is_coming_in = one->phase == HTTP_PHASE_HEAD || one->phase == HTTP_PHASE_BODY;
        if (is_coming_in && age >= slow_after && (!slowest || rate < slowest_rate)) {
            slowest = one;
            slowest_rate = rate;
        }
    }
    return slowest;
}

/* True: what the connection holds now is granted. Stalled requests make room; if there are none left, this
 * one is refused. */
static bool hold(struct http_connection *connection) {
    while (!grant(connection, connection->socket->input->capacity)) {
        struct http_connection *slowest = find_slowest(connection->thread);
        refuse_memory(slowest ? slowest : connection);
        if (!slowest || slowest == connection)
            return false;
    }
    return true;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

/* The head is complete. True: libh2o may have it. */
static bool admit(struct http_connection *connection) {
    struct http_head head;
    struct error err;
    enum status status =
        http_head_check(connection->socket->input->bytes, connection->head_bytes, &head, &err);
    if (status != STATUS_OK) {
        refuse_head(connection, status, err.text);
        return false;
    }
    if (head.content_length > connection->thread->server->settings.max_body_bytes) {
        refuse_body(connection, head.content_length);
        return false;
    }
    http_intake_set_phase(connection, HTTP_PHASE_BODY);
    return true;
}

/* Some of a head has come. True: it is complete and admitted. */
static bool read_head(struct http_connection *connection) {
    const h2o_buffer_t *input = connection->socket->input;
    size_t limit = connection->thread->server->settings.max_head_bytes;
    struct error err;
    enum status status = http_head_find_end(input->bytes, input->size < limit ? input->size : limit,
                                            &connection->scanned, &connection->head_bytes, &err);
    if (status != STATUS_OK) {
        refuse_head(connection, status, err.text);
        return false;
    }
    if (connection->head_bytes == 0 && input->size >= limit) {
        char text[128];
        snprintf(text, sizeof text, "the request head is longer than the limit of %zu bytes", limit);
        refuse_head(connection, STATUS_TOO_LARGE, text);
        return false;
    }
    return connection->head_bytes > 0 && admit(connection);
}

static void on_read(h2o_socket_t *socket, const char *err) {
    struct http_connection *connection = socket->on_close.data;
    if (err) {
        connection->libh2o_read(socket, err);
        return;
    }
    if (socket->input->size == 0) /* part of a TLS record */
        return;
    if (connection->phase == HTTP_PHASE_IDLE) {
        http_intake_set_phase(connection, HTTP_PHASE_HEAD);
        connection->request_since_ms = connection->phase_since_ms;
    }
    if (!hold(connection) || (connection->head_bytes == 0 && !read_head(connection)))
        return;
    connection->libh2o_read(socket, NULL);
}

void http_intake_watch(struct http_connection *connection) {
    h2o_socket_t *socket = connection->socket;
    if (!h2o_socket_is_reading(socket) || socket->_cb.read == on_read)
        return;
    connection->libh2o_read = socket->_cb.read;
    h2o_socket_read_start(socket, on_read);
}

static void on_rewrap(h2o_timeout_entry_t *entry) {
    http_intake_watch(H2O_STRUCT_FROM_MEMBER(struct http_connection, rewrap, entry));
}

static void begin_http(struct http_connection *connection) {
    http_intake_set_phase(connection, HTTP_PHASE_IDLE);
    struct timeval now = *h2o_get_timestamp(&connection->thread->context, NULL, NULL);
    h2o_http1_accept(&connection->thread->accept_context, connection->socket, now);
    http_intake_watch(connection);
}

static void on_handshake(h2o_socket_t *socket, const char *err) {
    if (err)
        h2o_socket_close(socket);
    else
        begin_http(socket->on_close.data);
}

void http_intake_accept(struct http_connection *connection) {
    const struct web_access *access = connection->thread->server->settings.access;
    SSL_CTX *tls = access ? web_access_config(access)->tls_context : NULL;
    connection->rewrap.cb = on_rewrap;
    http_intake_set_phase(connection, HTTP_PHASE_HANDSHAKE);
    if (tls)
        h2o_socket_ssl_handshake(connection->socket, tls, NULL, on_handshake);
    else
        begin_http(connection);
}

/* ---- between requests --------------------------------------------------------------------------------- */

struct request_end {
    struct http_connection *connection;
};

/* Runs when libh2o clears the request's pool: its response is written, or the connection is going down. */
static void request_done(void *end) {
    struct http_connection *connection = ((struct request_end *)end)->connection;
    connection->head_bytes = connection->scanned = 0;
    charge(connection, 0);
    http_intake_set_phase(connection, HTTP_PHASE_IDLE);
    if (!h2o_timeout_is_linked(&connection->rewrap))
        h2o_timeout_link(connection->thread->context.loop, &connection->thread->context.zero_timeout,
                         &connection->rewrap);
}

void http_intake_forget(struct http_connection *connection) {
    h2o_timeout_unlink(&connection->rewrap);
    charge(connection, 0);
    free(connection->refusal);
    connection->refusal = NULL;
}

/* For a head that came past on_read(). */
static enum status judge_unseen(struct http_connection *connection, struct error *err) {
    const h2o_buffer_t *input = connection->socket->input;
    struct http_head head;
    enum status status =
        http_head_find_end(input->bytes, input->size, &connection->scanned, &connection->head_bytes, err);
    if (status != STATUS_OK || connection->head_bytes == 0)
        return error_set(err, STATUS_INVALID, "a line of the request head does not end in CR LF");
    connection->request_since_ms = h2o_now(connection->thread->context.loop);
    return http_head_check(input->bytes, connection->head_bytes, &head, err);
}

enum status http_intake_complete(h2o_req_t *req, struct error *err) {
    struct http_connection *connection = http_connection_of(req);
    enum status status = connection->head_bytes > 0 ? STATUS_OK : judge_unseen(connection, err);
    size_t request_bytes = connection->head_bytes;
    if (req->entity.base)
        request_bytes = (size_t)(req->entity.base - connection->socket->input->bytes) + req->entity.len;
    if (status != STATUS_OK || connection->socket->input->size > request_bytes)
        req->http1_is_persistent = 0;
    if (status != STATUS_OK) {
        counter_add(COUNTER_HTTP_HEADS_REFUSED, 1);
        http_connection_linger(connection);
    }
    struct request_end *end = h2o_mem_alloc_shared(&req->pool, sizeof *end, request_done);
    end->connection = connection;
    http_intake_set_phase(connection, HTTP_PHASE_ANSWER);
    return status;
}
