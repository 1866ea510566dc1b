#include "observe/http_server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "observe/http_thread.h"

/* ---- listening ---------------------------------------------------------------------------------------- */

enum { DESCRIPTORS_BESIDES = 128 /* database, helper, webhooks, loops, lingering */ };

static enum status raise_descriptor_limit(size_t max_connections, struct error *err) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return error_set_errno(err, "cannot ask for the limit on open files");
    rlim_t needed = max_connections + DESCRIPTORS_BESIDES;
    if (limit.rlim_cur >= needed)
        return STATUS_OK;
    if (limit.rlim_max < needed)
        return error_set(
            err, STATUS_INVALID,
            "%zu connections need %zu open files, this process may have %zu: raise LimitNOFILE, or "
            "allow fewer connections",
            max_connections, (size_t)needed, (size_t)limit.rlim_max);
    limit.rlim_cur = needed;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0
               ? STATUS_OK
               : error_set_errno(err, "cannot raise the limit on open files");
}

/* "host:port" or "[v6]:port"; an empty host is every address of this machine. */
static enum status resolve(const char *address, struct addrinfo **out, struct error *err) {
    char host[256];
    const char *colon = strrchr(address, ':');
    size_t host_length = colon ? (size_t)(colon - address) : 0;
    if (!colon || host_length >= sizeof host)
        return error_set(err, STATUS_INVALID, "\"%.100s\" is not an address: write host:port or [ipv6]:port",
                         address);
    memcpy(host, address, host_length);
    host[host_length] = '\0';
    char *name = host;
    if (host_length >= 2 && host[0] == '[' && host[host_length - 1] == ']') {
        host[host_length - 1] = '\0';
        name++;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int failure = getaddrinfo(*name ? name : NULL, colon + 1, &hints, out);
    if (failure != 0)
        return error_set(err, STATUS_INVALID, "\"%.100s\" is not an address to listen on: %s", address,
                         gai_strerror(failure));
    return STATUS_OK;
}

static enum status bind_failed(const char *address, struct error *err) {
    switch (errno) {
    case EADDRINUSE:
        return error_set(
            err, STATUS_UNAVAILABLE,
            "%s is in use by another program: choose another --web.listen-address, or stop that program",
            address);
    case EACCES:
        return error_set(err, STATUS_DENIED,
                         "%s needs a privilege that this process does not have: choose a port from 1024 up",
                         address);
    case EADDRNOTAVAIL:
        return error_set(err, STATUS_INVALID, "%s is not an address of this machine", address);
    default:
        return error_set_errno(err, "cannot listen on %s", address);
    }
}

static int listen_on(const struct addrinfo *where) {
    assert(where); /* getaddrinfo() has succeeded */
    int fd = socket(where->ai_family, SOCK_STREAM, where->ai_protocol);
    if (fd < 0)
        return -1;
    int on = 1;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

static void write_address(struct http_server *server) {
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[96] = "?", port[16] = "?";
    if (getsockname(server->listen_fd, (struct sockaddr *)&bound, &length) == 0)
        getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(server->address, sizeof server->address, "%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
             port);
}

/* ---- a thread ----------------------------------------------------------------------------------------- */

/* libh2o keeps freed chunks per thread and has no way to give them back when a thread ends. Both lists hand
 * out what they have, so taking their chunks and freeing those empties them. 16 is their capacity. */
static void free_recycled_chunks(void) {
    enum { RECYCLER_CAPACITY = 16 };
    for (int i = 0; i < RECYCLER_CAPACITY; i++) {
        h2o_mem_pool_t pool;
        h2o_mem_init_pool(&pool);
        h2o_mem_alloc_pool(&pool, 1);
        free(pool.chunks);
    }
    h2o_mem_recycle_t *buffers = &h2o_socket_buffer_prototype.allocator;
    while (buffers->cnt > 0)
        free(h2o_mem_alloc_recycle(buffers, H2O_SOCKET_INITIAL_INPUT_BUFFER_SIZE));
}

static void on_wake(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages) {
    (void)receiver;
    (void)messages; /* there are none: returning from the loop is what a wake is for */
}

static void thread_open(struct http_thread *thread) {
    h2o_context_init(&thread->context, h2o_evloop_create(), &thread->server->config);
    thread->accept_context =
        (h2o_accept_ctx_t){.ctx = &thread->context, .hosts = thread->server->config.hosts};
    h2o_multithread_register_receiver(thread->context.queue, &thread->wake, on_wake);
    h2o_multithread_register_receiver(thread->context.queue, &thread->judged, http_exchange_on_judged);
    http_connections_init(thread);
    http_events_init(thread);
    http_connections_accept(thread);
}

/* Requests in flight end with their answer, for at most the grace time; then the sockets are shut, which
 * libh2o notices on its next turns. */
static void thread_drain(struct http_thread *thread) {
    enum { TURN_MS = 20, TURNS_AFTER_SHUT = 50 };
    h2o_socket_close(thread->listener);
    /* Ends keep-alive. Not h2o_context_request_shutdown(), which also starts a timer for HTTP/2 that makes
     * h2o_context_dispose() fail for a second. */
    thread->context.shutdown_requested = 1;
    http_events_end(thread);
    int64_t deadline = clock_monotonic_ms() + thread->server->grace_ms;
    while (thread->connection_count > 0 && clock_monotonic_ms() < deadline) {
        http_connections_close_idle(thread);
        h2o_evloop_run(thread->context.loop, TURN_MS);
    }
    for (int turn = 0; thread->connection_count > 0 && turn < TURNS_AFTER_SHUT; turn++) {
        http_connections_close_all(thread);
        h2o_evloop_run(thread->context.loop, TURN_MS);
    }
    /* The access thread will still speak of these requests; once it is told to, it does so at once. */
    if (thread->waiting_count > 0)
        web_access_cancel(thread->server->settings.access);
    while (thread->waiting_count > 0)
        h2o_evloop_run(thread->context.loop, TURN_MS);
}

static void thread_close(struct http_thread *thread) {
    h2o_loop_t *loop = thread->context.loop;
    h2o_multithread_queue_t *queue = thread->context.queue;
    http_events_dispose(thread);
    http_connections_dispose(thread);
    h2o_multithread_unregister_receiver(thread->context.queue, &thread->wake);
    h2o_multithread_unregister_receiver(thread->context.queue, &thread->judged);
    h2o_context_dispose(&thread->context);
    if (H2O_LIBRARY_VERSION_MINOR == 13) /* 2.2.x destroys its queue and forgets to free it */
        free(queue);
    h2o_evloop_run(loop, 0); /* closed sockets are freed on the next turn */
    h2o_evloop_destroy(loop);
    free_recycled_chunks();
}

static void *thread_main(void *argument) {
    struct http_thread *thread = argument;
    thread_open(thread);
    h2o_barrier_wait(&thread->server->ready);
    /* -1 (EINTR) is no reason to leave: only `stopping` is. */
    while (!atomic_load_explicit(&thread->server->stopping, memory_order_acquire))
        h2o_evloop_run(thread->context.loop, INT32_MAX);
    h2o_barrier_wait(&thread->server->woken);
    thread_drain(thread);
    thread_close(thread);
    return NULL;
}

/* ---- the server --------------------------------------------------------------------------------------- */

static void fill_in_defaults(struct http_server_settings *settings) {
    if (settings->max_head_bytes == 0)
        settings->max_head_bytes = HTTP_DEFAULT_HEAD_BYTES;
    if (settings->max_bytes_in_flight == 0)
        settings->max_bytes_in_flight = HTTP_DEFAULT_BYTES_IN_FLIGHT;
    if (settings->head_timeout_ms == 0)
        settings->head_timeout_ms = HTTP_DEFAULT_HEAD_TIMEOUT_MS;
    if (settings->idle_timeout_ms == 0)
        settings->idle_timeout_ms = HTTP_DEFAULT_IDLE_TIMEOUT_MS;
}

static void configure(struct http_server *server) {
    h2o_globalconf_t *config = &server->config;
    h2o_config_init(config);
    config->server_name = h2o_iovec_init(NULL, 0);
    config->http1.upgrade_to_http2 = 0;
    /* libh2o's one deadline for everything stays behind ours, which tell the peer. */
    config->http1.req_timeout =
        (uint64_t)(server->settings.idle_timeout_ms + server->settings.head_and_body_timeout_ms) + 60000;
    /* Reached by chunked bodies only, for which libh2o refuses at the limit instead of beyond it: a sized one
     * has been judged by http_intake.c. */
    config->max_request_entity_size = server->settings.max_body_bytes + 1;
    /* Bodies stay in memory: a temporary file is a disk that fills and a directory that must be writable. */
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX;
    h2o_hostconf_t *host = h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    http_exchange_register(host);
}

enum status http_server_create(const struct http_server_settings *settings, const struct http_route *routes,
                               size_t route_count, struct http_server **out, struct error *err) {
    assert(settings->threads > 0 && settings->event_tick_ms > 0);
    enum status status = raise_descriptor_limit(settings->max_connections, err);
    if (status != STATUS_OK)
        return status;
    struct addrinfo *where = NULL;
    status = resolve(settings->listen_address, &where, err);
    if (status != STATUS_OK)
        return status;
    int fd = listen_on(where);
    freeaddrinfo(where);
    if (fd < 0)
        return bind_failed(settings->listen_address, err);
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error of one write, not of the process */
    struct http_server *server = xcalloc(1, sizeof *server);
    server->settings = *settings;
    fill_in_defaults(&server->settings);
    server->settings.listen_address = NULL; /* borrowed; server->address is ours */
    server->routes = routes;
    server->route_count = route_count;
    server->listen_fd = fd;
    write_address(server);
    configure(server);
    server->threads = xcalloc(settings->threads, sizeof *server->threads);
    *out = server;
    return STATUS_OK;
}

/* Signals are for the main thread: they are blocked while the threads are made, which inherit that. */
enum status http_server_start(struct http_server *server, struct error *err) {
    assert(!server->started);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    h2o_barrier_init(&server->ready, server->settings.threads + 1);
    h2o_barrier_init(&server->woken, server->settings.threads + 1);
    int failure = 0;
    size_t made = 0;
    for (; made < server->settings.threads && failure == 0; made++) {
        server->threads[made].server = server;
        server->threads[made].index = made;
        failure = pthread_create(&server->threads[made].id, NULL, thread_main, &server->threads[made]);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        /* The threads that did start wait at the barrier for ever; the process is about to end anyway. */
        errno = failure;
        return error_set_errno(err, "cannot start http thread %zu", made);
    }
    h2o_barrier_wait(&server->ready);
    server->started = true;
    return STATUS_OK;
}

const char *http_server_address(const struct http_server *server) {
    return server->address;
}

bool http_server_is_loopback(const struct http_server *server) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound = {.v6 = {0}};
    socklen_t length = sizeof bound;
    if (getsockname(server->listen_fd, &bound.any, &length) != 0)
        return false;
    if (bound.any.sa_family == AF_INET)
        return ntohl(bound.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return bound.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&bound.v6.sin6_addr);
}

void http_server_stop(struct http_server *server, int64_t grace_ms) {
    if (!server->started)
        return;
    server->grace_ms = grace_ms;
    atomic_store_explicit(&server->stopping, true, memory_order_release);
    /* The last of the duplicates to be closed refuses new connections. */
    close(server->listen_fd);
    server->listen_fd = -1;
    for (size_t i = 0; i < server->settings.threads; i++)
        h2o_multithread_send_message(&server->threads[i].wake, NULL);
    h2o_barrier_wait(&server->woken); /* no thread takes its queue down while we still knock */
    for (size_t i = 0; i < server->settings.threads; i++)
        pthread_join(server->threads[i].id, NULL);
    server->started = false;
}

void http_server_destroy(struct http_server *server) {
    if (!server)
        return;
    assert(!server->started);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    h2o_config_dispose(&server->config);
    free(server->threads);
    free(server);
}
