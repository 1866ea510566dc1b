#include "support/http_client.h"

#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"

enum { PATIENCE_S = 5 };

int http_try_connect(const char *address) {
    char host[128];
    const char *colon = strrchr(address, ':');
    assert_non_null(colon);
    bool bracketed = address[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * bracketed, address + bracketed);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *where = NULL;
    assert_int_equal(getaddrinfo(host, colon + 1, &hints, &where), 0);
    int fd = socket(where->ai_family, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int connected = connect(fd, where->ai_addr, where->ai_addrlen);
    freeaddrinfo(where);
    if (connected == 0)
        return fd;
    close(fd);
    return -1;
}

int http_connect(const char *address) {
    int fd = http_try_connect(address);
    assert_true(fd >= 0);
    return fd;
}

/* Stops silently when the peer has gone: what it answered is then still to be read. */
void http_send(int fd, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        at += sent;
        length -= (size_t)sent;
    }
}

void http_send_text(int fd, const char *text) {
    http_send(fd, text, strlen(text));
}

/* One byte at a time: slow and simple, and never reads into the next response. */
static bool read_byte(int fd, char *out) {
    ssize_t got;
    do
        got = recv(fd, out, 1, 0);
    while (got < 0 && errno == EINTR);
    return got == 1;
}

static bool read_head(int fd, struct http_reply *reply) {
    size_t used = 0;
    while (used + 1 < sizeof reply->head && read_byte(fd, &reply->head[used])) {
        reply->head[++used] = '\0';
        if (used >= 4 && strcmp(reply->head + used - 4, "\r\n\r\n") == 0)
            return true;
    }
    return false;
}

static bool append_bytes(int fd, struct http_reply *reply, size_t count) {
    reply->body = xrealloc(reply->body, reply->body_bytes + count + 1, 1);
    for (size_t i = 0; i < count; i++)
        if (!read_byte(fd, &reply->body[reply->body_bytes++]))
            return false;
    reply->body[reply->body_bytes] = '\0';
    return true;
}

static bool read_chunk(int fd, struct http_reply *reply) {
    char line[32] = "";
    for (size_t used = 0; used + 1 < sizeof line && !strstr(line, "\r\n"); used++) {
        if (!read_byte(fd, &line[used]))
            return false;
        line[used + 1] = '\0';
    }
    size_t length = strtoull(line, NULL, 16);
    char end[2];
    bool ok = append_bytes(fd, reply, length) && read_byte(fd, &end[0]) && read_byte(fd, &end[1]);
    return ok && length > 0;
}

static void read_to_end(int fd, struct http_reply *reply) {
    while (append_bytes(fd, reply, 1))
        ;
    reply->body_bytes--;
    reply->body[reply->body_bytes] = '\0';
}

struct http_reply http_receive(int fd, bool head_only) {
    struct http_reply reply = {0};
    reply.body = xcalloc(1, 1);
    int status = 0;
    do {
        if (!read_head(fd, &reply))
            return reply;
        status = atoi(reply.head + strlen("HTTP/1.1 "));
    } while (status == 100);
    const char *length = http_reply_header(&reply, "content-length");
    if (head_only || status == 204 || status == 304)
        ;
    else if (*length)
        append_bytes(fd, &reply, strtoull(length, NULL, 10));
    else if (strcasecmp(http_reply_header(&reply, "transfer-encoding"), "chunked") == 0)
        while (read_chunk(fd, &reply))
            ;
    else
        read_to_end(fd, &reply);
    reply.status = status;
    return reply;
}

bool http_is_at_end(int fd) {
    char byte;
    ssize_t got;
    do
        got = recv(fd, &byte, 1, 0);
    while (got < 0 && errno == EINTR);
    return got == 0;
}

const char *http_reply_header(const struct http_reply *reply, const char *name) {
    static char value[512];
    value[0] = '\0';
    for (const char *line = strstr(reply->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            const char *start = line + strlen(name) + 1 + strspn(line + strlen(name) + 1, " ");
            snprintf(value, sizeof value, "%.*s", (int)strcspn(start, "\r"), start);
            break;
        }
    }
    return value;
}

void http_reply_release(struct http_reply *reply) {
    free(reply->body);
    reply->body = NULL;
}

struct http_reply http_ask(const char *address, const char *method, const char *target, const char *headers,
                           const void *body, size_t body_bytes) {
    int fd = http_connect(address);
    char head[2048];
    snprintf(head, sizeof head,
             "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", method,
             target, address, body_bytes, headers);
    http_send_text(fd, head);
    http_send(fd, body, body_bytes);
    struct http_reply reply = http_receive(fd, strcmp(method, "HEAD") == 0);
    close(fd);
    return reply;
}
