#include "helper/sessions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "helper/peer.h"

struct session {
    int fd; /* -1: free */
    uint64_t serial;
    struct peer peer;
    bool greeted, waiting;
    uint32_t waiting_id;
    uint8_t waiting_key[16];
    size_t in_used, out_used, out_sent;
    int64_t patience_ms; /* until when the frame in work must be in or out; INT64_MAX: none is */
    int64_t active_ms;
    uint8_t in[HELPER_FRAME_MAX], out[HELPER_FRAME_MAX];
};

struct sessions {
    struct helper_world *world;
    struct offers *offers;
    struct deeds *deeds;
    int listener;
    uint64_t serials;
    struct session sessions[CLIENTS_MAX];
    struct helper_reply reply; /* scratch */
};

struct sessions *sessions_create(struct helper_world *world, struct offers *offers, struct deeds *deeds,
                                 int listener) {
    struct sessions *sessions = xcalloc(1, sizeof *sessions);
    *sessions = (struct sessions){.world = world, .offers = offers, .deeds = deeds, .listener = listener};
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        sessions->sessions[i].fd = -1;
    /* A client that went before it was accepted must not hold the loop up. */
    if (fcntl(listener, F_SETFL, O_NONBLOCK) != 0 || fcntl(listener, F_SETFD, FD_CLOEXEC) != 0)
        abort();
    return sessions;
}

static void hang_up(struct sessions *sessions, struct session *session, const char *why, int64_t now_ms) {
    struct processes *processes = sessions->world->processes;
    if (why)
        world_note_client(sessions->world, session->peer.uid, session->peer.pin.id.pid, why, now_ms);
    deeds_release(sessions->deeds, session->serial, now_ms);
    processes->unpin(processes, &session->peer.pin);
    close(session->fd);
    session->fd = -1;
    sessions->world->clients[session - sessions->sessions] = (struct process_id){0};
}

/* A free place, or that of the longest idle client; never one that waits for a deed. */
static struct session *make_room(struct sessions *sessions, int64_t now_ms) {
    struct session *idle = NULL;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct session *session = &sessions->sessions[i];
        if (session->fd < 0)
            return session;
        if (!session->waiting && (!idle || session->active_ms < idle->active_ms))
            idle = session;
    }
    if (idle)
        hang_up(sessions, idle, "idle for longest when another one came", now_ms);
    return idle;
}

static bool is_admitted(const struct sessions *sessions, const struct peer *peer) {
    /* With a broken policy nobody may do anything, but whoever the socket lets in may ask why. */
    return !sessions->world->policy_ok || helper_policy_admits_client(sessions->world->policy, peer->uid);
}

static void welcome(struct sessions *sessions, int fd, int64_t now_ms) {
    struct processes *processes = sessions->world->processes;
    struct peer peer;
    struct error err;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
        peer_identify(fd, processes, &peer, &err) != STATUS_OK) {
        world_note_client(sessions->world, UINT32_MAX, 0, "it cannot be identified", now_ms);
        close(fd);
        return;
    }
    bool admitted = is_admitted(sessions, &peer);
    struct session *session = admitted ? make_room(sessions, now_ms) : NULL;
    if (!session) {
        world_note_client(sessions->world, peer.uid, peer.pin.id.pid,
                          admitted ? "every place is taken" : "client_uid does not name it", now_ms);
        processes->unpin(processes, &peer.pin);
        close(fd);
        return;
    }
    memset(session, 0, sizeof *session);
    session->fd = fd;
    session->peer = peer;
    session->serial = ++sessions->serials;
    session->active_ms = now_ms;
    session->patience_ms = now_ms + SESSION_PATIENCE_MS; /* to say HELLO */
    sessions->world->clients[session - sessions->sessions] = peer.pin.id;
}

static void flush_reply(struct sessions *sessions, struct session *session, int64_t now_ms) {
    while (session->out_sent < session->out_used) {
        ssize_t sent =
            send(session->fd, session->out + session->out_sent, session->out_used - session->out_sent, 0);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (sent < 0) {
            hang_up(sessions, session, NULL, now_ms);
            return;
        }
        session->out_sent += (size_t)sent;
    }
    session->out_used = session->out_sent = 0;
    session->patience_ms = INT64_MAX;
}

static void send_reply(struct sessions *sessions, struct session *session, enum helper_op op, uint32_t id,
                       int64_t now_ms) {
    sessions->reply.op = op;
    sessions->reply.id = id;
    session->out_used = helper_encode_reply(&sessions->reply, session->out);
    session->out_sent = 0;
    session->patience_ms = now_ms + SESSION_PATIENCE_MS;
    flush_reply(sessions, session, now_ms);
}

static void fill_hello(const struct sessions *sessions, int64_t now_ms, struct helper_hello *hello) {
    const struct processes *processes = sessions->world->processes;
    memcpy(hello->host_identity, processes->host_identity, sizeof hello->host_identity);
    memcpy(hello->boot_id, processes->boot_id, sizeof hello->boot_id);
    hello->monotonic_ms = now_ms;
    hello->capabilities = deeds_capabilities(sessions->deeds);
    hello->grace_ms = (uint32_t)sessions->world->policy->grace_ms;
}

static void carry_out(struct sessions *sessions, struct session *session,
                      const struct helper_request *request, int64_t now_ms) {
    struct helper_reply *reply = &sessions->reply;
    memset(reply, 0, sizeof *reply);
    switch (request->op) {
    case HELPER_HELLO:
        session->greeted = true;
        fill_hello(sessions, now_ms, &reply->hello);
        break;
    case HELPER_LIST:
        offers_list(sessions->offers, now_ms, &reply->list);
        break;
    case HELPER_ACT:
        if (!deeds_ask(sessions->deeds, &request->act, session->serial, now_ms, &reply->act)) {
            session->waiting = true;
            session->waiting_id = request->id;
            session->patience_ms = INT64_MAX;
            memcpy(session->waiting_key, request->act.key, sizeof session->waiting_key);
            return;
        }
        break;
    case HELPER_STATUS:
        deeds_status(sessions->deeds, now_ms, &reply->status);
        break;
    case HELPER_RELEASE:
        reply->released = deeds_release(sessions->deeds, 0, now_ms);
        break;
    case HELPER_PAUSE:
        if (!deeds_pause(sessions->deeds, request->pause, now_ms)) {
            hang_up(sessions, session, "the pause could not be kept, or was turned less than a second ago",
                    now_ms);
            return;
        }
        reply->paused = request->pause;
        break;
    }
    send_reply(sessions, session, request->op, request->id, now_ms);
}

/* True: one whole frame was taken from the buffer and carried out. */
static bool take_frame(struct sessions *sessions, struct session *session, int64_t now_ms) {
    struct helper_request request;
    struct error err;
    size_t length;
    if (session->in_used < HELPER_LENGTH_BYTES)
        return false;
    enum status status = helper_frame_length(session->in, &length, &err);
    if (status == STATUS_OK && session->in_used < HELPER_LENGTH_BYTES + length)
        return false;
    if (status == STATUS_OK)
        status = helper_decode_request(session->in + HELPER_LENGTH_BYTES, length, &request, &err);
    if (status == STATUS_OK && !session->greeted && request.op != HELPER_HELLO)
        status = error_set(&err, STATUS_INVALID, "the first request must be HELLO");
    if (status == STATUS_OK &&
        sessions->world->processes->has_exited(sessions->world->processes, &session->peer.pin))
        status = error_set(&err, STATUS_DENIED, "the process that connected has ended");
    if (status != STATUS_OK) {
        hang_up(sessions, session, err.text, now_ms);
        return false;
    }
    session->in_used -= HELPER_LENGTH_BYTES + length;
    memmove(session->in, session->in + HELPER_LENGTH_BYTES + length, session->in_used);
    session->active_ms = now_ms;
    carry_out(sessions, session, &request, now_ms);
    return session->fd >= 0;
}

static bool is_ready_for_more(const struct session *session) {
    return session->fd >= 0 && !session->waiting && session->out_used == 0;
}

static void take_frames(struct sessions *sessions, struct session *session, int64_t now_ms) {
    while (is_ready_for_more(session) && take_frame(sessions, session, now_ms))
        continue;
    if (is_ready_for_more(session) && session->in_used && session->patience_ms == INT64_MAX)
        session->patience_ms = now_ms + SESSION_PATIENCE_MS;
}

static void receive(struct sessions *sessions, struct session *session, int64_t now_ms) {
    struct iovec space = {.iov_base = session->in + session->in_used,
                          .iov_len = sizeof session->in - session->in_used};
    struct msghdr message = {.msg_iov = &space, .msg_iovlen = 1};
    ssize_t got = recvmsg(session->fd, &message, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    /* Without room for control data the kernel drops a passed descriptor and says so. */
    if (got > 0 && (message.msg_flags & MSG_CTRUNC)) {
        hang_up(sessions, session, "it passed a descriptor", now_ms);
        return;
    }
    if (got <= 0) {
        hang_up(sessions, session, session->in_used ? "it left in the middle of a frame" : NULL, now_ms);
        return;
    }
    session->in_used += (size_t)got;
    take_frames(sessions, session, now_ms);
}

size_t sessions_polled(const struct sessions *sessions, struct pollfd *out) {
    out[0] = (struct pollfd){.fd = sessions->listener, .events = POLLIN};
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        const struct session *session = &sessions->sessions[i];
        /* A negative descriptor is skipped by poll(); POLLHUP needs no asking for. */
        short events = session->out_used ? POLLOUT : session->waiting ? 0 : POLLIN;
        out[1 + i] = (struct pollfd){.fd = session->fd, .events = events};
    }
    return SESSIONS_POLLED_MAX;
}

static void serve(struct sessions *sessions, struct session *session, short events, int64_t now_ms) {
    if (events & POLLOUT) {
        flush_reply(sessions, session, now_ms);
        take_frames(sessions, session, now_ms);
    } else if (events & POLLIN) {
        receive(sessions, session, now_ms);
    } else if (events & (POLLHUP | POLLERR | POLLNVAL)) {
        hang_up(sessions, session, NULL, now_ms);
    }
}

void sessions_serve(struct sessions *sessions, const struct pollfd *polled, size_t count, int64_t now_ms) {
    for (size_t i = 1; i < count; i++) {
        struct session *session = &sessions->sessions[i - 1];
        if (session->fd >= 0 && session->fd == polled[i].fd && polled[i].revents)
            serve(sessions, session, polled[i].revents, now_ms);
    }
    if (polled[0].revents & POLLIN) {
        int fd = accept(sessions->listener, NULL, NULL);
        if (fd >= 0)
            welcome(sessions, fd, now_ms);
    }
}

void sessions_step(struct sessions *sessions, int64_t now_ms) {
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct session *session = &sessions->sessions[i];
        if (session->fd >= 0 && now_ms >= session->patience_ms) {
            hang_up(sessions, session, "too slow", now_ms);
        } else if (session->fd >= 0 && session->waiting &&
                   deeds_answer(sessions->deeds, session->waiting_key, &sessions->reply.act)) {
            session->waiting = false;
            send_reply(sessions, session, HELPER_ACT, session->waiting_id, now_ms);
            take_frames(sessions, session, now_ms);
        }
    }
}

int64_t sessions_due_ms(const struct sessions *sessions) {
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (sessions->sessions[i].fd >= 0 && sessions->sessions[i].patience_ms < due_ms)
            due_ms = sessions->sessions[i].patience_ms;
    return due_ms;
}

void sessions_destroy(struct sessions *sessions, int64_t now_ms) {
    if (!sessions)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (sessions->sessions[i].fd >= 0)
            hang_up(sessions, &sessions->sessions[i], NULL, now_ms);
    close(sessions->listener);
    free(sessions);
}
