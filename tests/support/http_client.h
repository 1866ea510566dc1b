/* tests/support/http_client.h - a small blocking HTTP client that says exactly the bytes it is given.
 *
 * Real libraries correct what a test wants to get wrong, so this one does not. Every wait ends after five
 * seconds. One connection, one thread. */
#ifndef SENTINEL_TESTS_HTTP_CLIENT_H
#define SENTINEL_TESTS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct http_reply {
    int status; /* 0: the connection ended, was reset, or stayed silent before a whole head came */
    char head[4096];
    char *body; /* NUL-terminated; http_reply_release() frees it. Chunks are joined. */
    size_t body_bytes;
};

/* `address` as of http_server_address(). Fails the test if nobody listens. */
int http_connect(const char *address);
/* Like http_connect(), but -1 if nobody listens. */
int http_try_connect(const char *address);
void http_send(int fd, const void *bytes, size_t length);
void http_send_text(int fd, const char *text);
/* Reads one response. `head_only` for an answer to HEAD. */
struct http_reply http_receive(int fd, bool head_only);
/* True: the peer has closed the connection properly (an end, not a reset). */
bool http_is_at_end(int fd);
/* The value of a response header, "" if it is missing; lives until the next call. */
const char *http_reply_header(const struct http_reply *reply, const char *name);
void http_reply_release(struct http_reply *reply);

/* One request with a Content-Length over a connection of its own. `headers` are whole lines or "". */
struct http_reply http_ask(const char *address, const char *method, const char *target, const char *headers,
                           const void *body, size_t body_bytes);

#endif
