/* src/present/reply.h - answers in Prometheus' envelope, and the values that JSON has no word for.
 *
 * Shared by the room's handlers. Every function that makes a json_t gives a new reference and never NULL:
 * text that is not UTF-8 (the name of a process may be any bytes) is made so. Any thread. */
#ifndef SENTINEL_PRESENT_REPLY_H
#define SENTINEL_PRESENT_REPLY_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "observe/http_server.h"

json_t *reply_number(double value);   /* null if it is not finite */
json_t *reply_time(int64_t unix_ms);  /* RFC 3339; null for 0, which means "not yet" */
json_t *reply_text(const char *text); /* every byte that breaks UTF-8 becomes U+FFFD */
json_t *reply_count(uint64_t count);
json_t *reply_object(void);
/* object[key] = value; takes the value over. */
void reply_set(json_t *object, const char *key, json_t *value);
void reply_append(json_t *array, json_t *value);
/* Compact, with the precision that people and charts can use. */
void reply_write(const json_t *value, FILE *out);

/* {"status":"success","data":...}; takes `data` over. */
void reply_success(struct http_response *response, json_t *data);
/* {"status":"error","errorType":...,"error":...} with Prometheus' words: "bad_data", "not_found", ... */
void reply_error(struct http_response *response, int status, const char *type, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Hands the bytes of an open_memstream over to the response. `out` is closed here. */
void reply_stream(struct http_response *response, const char *content_type, FILE *out, char *const *bytes,
                  const size_t *length);

#endif
