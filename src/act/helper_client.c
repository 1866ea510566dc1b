#include "act/helper_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "helper/helper_protocol.h"

enum {
    ACT_RETRY_MS = 200, /* between two attempts to reach a helper that went away in the middle of a deed */
};

struct helper_client {
    char *path;
    int64_t timeout_ms;
    int fd; /* -1: not connected */
    uint32_t last_id;
    int64_t clock_ahead_ms; /* the helper's monotonic clock minus ours */
    struct helper_hello hello;
    struct helper_reply reply; /* scratch */
};

struct helper_client *helper_client_create(const char *socket_path, int64_t timeout_ms) {
    struct helper_client *client = xcalloc(1, sizeof *client);
    client->path = xstrdup(socket_path);
    client->timeout_ms = timeout_ms;
    client->fd = -1;
    return client;
}

const char *helper_client_path(const struct helper_client *client) {
    return client->path;
}

static void disconnect(struct helper_client *client) {
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

/* ---- one connection ---- */

static enum status explain_connect(const struct helper_client *client, struct error *err) {
    if (errno == ENOENT || errno == ECONNREFUSED)
        return error_set(err, STATUS_UNAVAILABLE,
                         "no helper listens on %s: start sentinel-helper, or correct the path of its socket",
                         client->path);
    if (errno == EACCES)
        return error_set(
            err, STATUS_UNAVAILABLE,
            "%s may not be opened by uid %u: add that user to the socket's group (socket_group of "
            "helper.conf)",
            client->path, (unsigned)geteuid());
    return error_set(err, STATUS_UNAVAILABLE, "cannot connect to the helper on %s: %s", client->path,
                     strerror(errno));
}

static enum status open_socket(struct helper_client *client, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(client->path) >= sizeof address.sun_path)
        return error_set(err, STATUS_INVALID, "the path of the helper's socket is longer than %zu characters",
                         sizeof address.sun_path - 1);
    memcpy(address.sun_path, client->path, strlen(client->path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return error_set_errno(err, "cannot make a socket");
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        enum status status = explain_connect(client, err);
        close(fd);
        return status;
    }
    client->fd = fd;
    return STATUS_OK;
}

static enum status wait_for(struct helper_client *client, short events, int64_t until_ms, struct error *err) {
    for (;;) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        struct pollfd polled = {.fd = client->fd, .events = events};
        int ready = left_ms > 0 ? poll(&polled, 1, (int)left_ms) : 0;
        if (ready > 0)
            return STATUS_OK;
        if (ready == 0)
            return error_set(err, STATUS_UNAVAILABLE, "the helper on %s did not answer in time",
                             client->path);
        if (errno != EINTR)
            return error_set_errno(err, "poll");
    }
}

static enum status explain_hang_up(const struct helper_client *client, struct error *err) {
    return error_set(
        err, STATUS_UNAVAILABLE,
        "the helper on %s hung up: does client_uid of helper.conf name uid %u? its journal says why",
        client->path, (unsigned)geteuid());
}

static enum status send_all(struct helper_client *client, const uint8_t *bytes, size_t length,
                            int64_t until_ms, struct error *err) {
    while (length) {
        ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return explain_hang_up(client, err);
        if (sent < 0) {
            enum status status = wait_for(client, POLLOUT, until_ms, err);
            if (status != STATUS_OK)
                return status;
            continue;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return STATUS_OK;
}

static enum status receive_all(struct helper_client *client, uint8_t *bytes, size_t length, int64_t until_ms,
                               struct error *err) {
    while (length) {
        enum status status = wait_for(client, POLLIN, until_ms, err);
        if (status != STATUS_OK)
            return status;
        ssize_t got = recv(client->fd, bytes, length, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            return explain_hang_up(client, err);
        bytes += got;
        length -= (size_t)got;
    }
    return STATUS_OK;
}

/* Sends one request and leaves its reply in client->reply. */
static enum status exchange(struct helper_client *client, struct helper_request *request, int64_t until_ms,
                            struct error *err) {
    uint8_t frame[HELPER_FRAME_MAX];
    size_t length;
    request->id = ++client->last_id;
    enum status status = send_all(client, frame, helper_encode_request(request, frame), until_ms, err);
    if (status == STATUS_OK)
        status = receive_all(client, frame, HELPER_LENGTH_BYTES, until_ms, err);
    if (status == STATUS_OK)
        status = helper_frame_length(frame, &length, err);
    if (status == STATUS_OK)
        status = receive_all(client, frame, length, until_ms, err);
    if (status == STATUS_OK)
        status = helper_decode_reply(frame, length, &client->reply, err);
    if (status == STATUS_OK && (client->reply.op != request->op || client->reply.id != request->id))
        status = error_set(err, STATUS_INVALID, "the helper answered another question than was asked");
    return status;
}

static enum status greet(struct helper_client *client, int64_t until_ms, struct error *err) {
    struct helper_request hello = {.op = HELPER_HELLO};
    enum status status = open_socket(client, err);
    if (status == STATUS_OK)
        status = exchange(client, &hello, until_ms, err);
    if (status == STATUS_OK) {
        client->hello = client->reply.hello;
        client->clock_ahead_ms = client->hello.monotonic_ms - clock_monotonic_ms();
    }
    return status;
}

/* Connects at need. A connection from before may have died with an earlier helper, so then once more. */
static enum status call(struct helper_client *client, struct helper_request *request, struct error *err) {
    int64_t until_ms = clock_monotonic_ms() + client->timeout_ms;
    bool was_open = client->fd >= 0;
    enum status status = was_open ? exchange(client, request, until_ms, err) : STATUS_UNAVAILABLE;
    if (status != STATUS_OK) {
        disconnect(client);
        status = greet(client, until_ms, err);
        if (status == STATUS_OK)
            status = exchange(client, request, until_ms, err);
    }
    if (status != STATUS_OK)
        disconnect(client);
    return status;
}

/* ---- what is asked ---- */

enum status helper_client_status(struct helper_client *client, struct helper_status *out, struct error *err) {
    struct helper_request request = {.op = HELPER_STATUS};
    enum status status = call(client, &request, err);
    if (status != STATUS_OK)
        return status;
    const struct helper_status_reply *reply = &client->reply.status;
    *out = (struct helper_status){
        .mode_act = reply->flags & HELPER_MODE_ACT,
        .paused = reply->flags & HELPER_PAUSED,
        .policy_ok = reply->flags & HELPER_POLICY_OK,
        .breaker_open = reply->flags & HELPER_BREAKER_OPEN,
        .pinned_signals = client->hello.capabilities & HELPER_CAN_PIN,
        .deeds_last_hour = reply->deeds_last_hour,
        .budget_per_hour = reply->budget_per_hour,
        .frozen = reply->frozen,
    };
    snprintf(out->host_identity, sizeof out->host_identity, "%s", client->hello.host_identity);
    snprintf(out->boot_id, sizeof out->boot_id, "%s", client->hello.boot_id);
    snprintf(out->policy_text, sizeof out->policy_text, "%s", reply->text);
    return STATUS_OK;
}

static void to_candidate(const struct helper_candidate *in, struct candidate *out) {
    *out = (struct candidate){.pid = in->pid,
                              .uid = in->uid,
                              .cpu_ratio = in->cpu_milli / 1000.0,
                              .age_ms = in->age_ms,
                              .allowed = in->allowed};
    memcpy(out->handle, in->handle.bytes, sizeof out->handle);
    snprintf(out->comm, sizeof out->comm, "%s", in->comm);
    snprintf(out->where, sizeof out->where, "%s", in->where);
    snprintf(out->reason, sizeof out->reason, "%s", in->reason);
}

enum status helper_client_list(struct helper_client *client, struct candidate *out, size_t capacity,
                               size_t *count, struct error *err) {
    struct helper_request request = {.op = HELPER_LIST};
    enum status status = call(client, &request, err);
    if (status != STATUS_OK)
        return status;
    const struct helper_list *list = &client->reply.list;
    *count = list->count < capacity ? list->count : capacity;
    for (size_t i = 0; i < *count; i++)
        to_candidate(&list->items[i], &out[i]);
    return STATUS_OK;
}

static enum action_outcome to_outcome(enum helper_outcome outcome) {
    switch (outcome) {
    case HELPER_TERMINATED:
        return OUTCOME_TERMINATED;
    case HELPER_KILLED:
        return OUTCOME_KILLED;
    case HELPER_DONE:
        return OUTCOME_DONE;
    case HELPER_WOULD:
        return OUTCOME_WOULD;
    case HELPER_REFUSED:
        return OUTCOME_REFUSED;
    case HELPER_GONE:
        return OUTCOME_GONE;
    case HELPER_FAILED:
        return OUTCOME_FAILED;
    }
    return OUTCOME_FAILED;
}

static bool to_rung(enum action_kind kind, enum helper_rung *out) {
    switch (kind) {
    case ACTION_NONE:
        return false;
    case ACTION_DEPRIORITIZE:
        *out = RUNG_DEPRIORITIZE;
        return true;
    case ACTION_FREEZE:
        *out = RUNG_FREEZE;
        return true;
    case ACTION_TERMINATE:
        *out = RUNG_TERMINATE;
        return true;
    }
    return false;
}

static bool parse_key(const char *hex, uint8_t out[16]) {
    static const char digits[] = "0123456789abcdef";
    if (strlen(hex) != 32)
        return false;
    for (size_t i = 0; i < 32; i++) {
        const char *digit = strchr(digits, hex[i]);
        if (!digit)
            return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - digits));
    }
    return true;
}

/* Asks, and asks again with the same key over a new connection if this one breaks, until the time is up:
 * the helper does a key once, and remembers how it ended. */
static enum status ask_until(struct helper_client *client, struct helper_request *request, int64_t until_ms,
                             struct error *err) {
    for (;;) {
        enum status status = client->fd >= 0 ? STATUS_OK : greet(client, until_ms, err);
        if (status == STATUS_OK) {
            request->act.deadline_ms = until_ms + client->clock_ahead_ms;
            status = exchange(client, request, until_ms, err);
        }
        if (status == STATUS_OK)
            return STATUS_OK;
        disconnect(client);
        if (status != STATUS_UNAVAILABLE || clock_monotonic_ms() + ACT_RETRY_MS >= until_ms)
            return status;
        static const struct timespec pause = {.tv_nsec = ACT_RETRY_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
}

enum status helper_client_act(struct helper_client *client, const uint8_t handle[16], enum action_kind kind,
                              const char *key, bool dry_run, int64_t timeout_ms, enum action_outcome *outcome,
                              char *reason, struct error *err) {
    struct helper_request request = {.op = HELPER_ACT, .act = {.dry_run = dry_run}};
    memcpy(request.act.handle.bytes, handle, sizeof request.act.handle.bytes);
    if (!to_rung(kind, &request.act.rung))
        return error_set(err, STATUS_INVALID, "the helper has no rung for that action");
    if (!parse_key(key, request.act.key))
        return error_set(err, STATUS_INVALID, "an action's id must have 32 hex digits, this is '%.40s'", key);
    enum status status = ask_until(client, &request, clock_monotonic_ms() + timeout_ms, err);
    if (status != STATUS_OK)
        return status;
    *outcome = to_outcome(client->reply.act.outcome);
    memcpy(reason, client->reply.act.reason, sizeof client->reply.act.reason);
    return STATUS_OK;
}

enum status helper_client_pause(struct helper_client *client, bool paused, struct error *err) {
    struct helper_request request = {.op = HELPER_PAUSE, .pause = paused};
    return call(client, &request, err);
}

enum status helper_client_release(struct helper_client *client, struct error *err) {
    struct helper_request request = {.op = HELPER_RELEASE};
    return call(client, &request, err);
}

void helper_client_destroy(struct helper_client *client) {
    if (!client)
        return;
    disconnect(client);
    free(client->path);
    free(client);
}
