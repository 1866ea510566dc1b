/* src/sentinelctl/http_get.h - asks a server one question by HTTP.
 *
 * Blocking, with a deadline of 10 s and a ceiling of 64 MiB. Follows no redirect. A proxy from the
 * environment is not used for loopback. User and password may stand in the URL. */
#ifndef SENTINEL_SENTINELCTL_HTTP_GET_H
#define SENTINEL_SENTINELCTL_HTTP_GET_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"

struct http_reply {
    long code;
    char *body; /* NUL-terminated; never NULL */
    size_t length;
};

/* `path` is appended to `base`, e.g. "http://127.0.0.1:9201" and "/-/ready". Any HTTP status is STATUS_OK.
 * STATUS_UNAVAILABLE: no answer; the text says from whom. */
MUST_CHECK enum status http_get(const char *base, const char *path, struct http_reply *out,
                                struct error *err);
void http_reply_release(struct http_reply *reply);

/* GET of Prometheus' envelope: `data` of {"status":"success","data":...}, to be json_decref()ed. The server's
 * own words become the error's text. */
MUST_CHECK enum status http_get_data(const char *base, const char *path, json_t **data, struct error *err);

#endif
