/* src/observe/http_head.h - the head of a request, looked at before libh2o parses it.
 *
 * libh2o 2.2.5 takes the first of two Content-Length, lets Transfer-Encoding win over Content-Length, takes a
 * request with two Host or none, and hides all of this from its handlers: a front proxy that reads such a
 * request differently can be made to smuggle one past its rules. RFC 9112 (3.2, 5.1, 5.2, 6.1, 6.3) says
 * what to refuse; this does, and more strictly: a line ends in CR LF and nothing else. Pure; the bytes are
 * hostile. */
#ifndef SENTINEL_OBSERVE_HTTP_HEAD_H
#define SENTINEL_OBSERVE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { HTTP_HEAD_FIELDS_MAX = 100 }; /* as libh2o: one more and it closes without an answer */

struct http_head {
    bool is_chunked;
    uint64_t content_length; /* 0 if there is none */
};

/* The length of the head, its empty line included; 0 if that has not come yet. `*scanned` is where the last
 * call stopped; set it to 0 for a new request. STATUS_INVALID as soon as a line does not end in CR LF. */
MUST_CHECK enum status http_head_find_end(const char *bytes, size_t length, size_t *scanned,
                                          size_t *head_bytes, struct error *err);
/* `length` as of http_head_find_end(). STATUS_INVALID: 400. STATUS_TOO_LARGE: too many fields, 431. */
MUST_CHECK enum status http_head_check(const char *bytes, size_t length, struct http_head *out,
                                       struct error *err);

#endif
