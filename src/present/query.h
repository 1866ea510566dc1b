/* src/present/query.h - the parameters that several endpoints understand.
 *
 * A parameter that is there and wrong is answered at once, with a sentence that says what is accepted; then
 * these return false and the handler returns. A missing parameter leaves *out alone. */
#ifndef SENTINEL_PRESENT_QUERY_H
#define SENTINEL_PRESENT_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/http_server.h"

/* Unix seconds (a fraction is fine) or RFC 3339, as Prometheus takes them. */
bool query_time(const struct http_request *request, const char *name, int64_t *unix_ms,
                struct http_response *response);
/* 1 to `max`. */
bool query_limit(const struct http_request *request, const char *name, size_t max, size_t *out,
                 struct http_response *response);
/* "" if the parameter is missing. */
bool query_text(const struct http_request *request, const char *name, char *out, size_t size,
                struct http_response *response);
/* ?format=json|csv; json if it is missing. */
bool query_is_csv(const struct http_request *request, bool *is_csv, struct http_response *response);

#endif
