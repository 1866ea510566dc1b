#include "present/reply.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

/* What a float holds and a chart can show; seventeen would double the size of a chart's data. What needs more
 * is an integer here, or in /metrics. */
enum { REAL_DIGITS = 7 };

static json_t *there(json_t *value) {
    if (!value) /* jansson fails only when the machine is out of memory, or on text that is not UTF-8 */
        abort();
    return value;
}

json_t *reply_number(double value) {
    return there(isfinite(value) ? json_real(value) : json_null());
}

json_t *reply_time(int64_t unix_ms) {
    char text[CLOCK_RFC3339_SIZE];
    if (unix_ms == 0)
        return there(json_null());
    return there(json_string(clock_format_rfc3339(unix_ms, text)));
}

static json_t *repaired_text(const char *text) {
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t length = strlen(text);
    char *repaired = xcalloc(length * (sizeof replacement - 1) + 1, 1);
    size_t end = 0;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x80) {
            repaired[end++] = text[i];
            continue;
        }
        memcpy(repaired + end, replacement, sizeof replacement - 1);
        end += sizeof replacement - 1;
    }
    json_t *value = json_string(repaired);
    free(repaired);
    return value;
}

json_t *reply_text(const char *text) {
    json_t *value = json_string(text);
    return there(value ? value : repaired_text(text));
}

json_t *reply_count(uint64_t count) {
    return there(json_integer((json_int_t)count));
}

json_t *reply_object(void) {
    return there(json_object());
}

void reply_set(json_t *object, const char *key, json_t *value) {
    int failed = json_object_set_new(object, key, there(value));
    assert(!failed);
    (void)failed;
}

void reply_append(json_t *array, json_t *value) {
    int failed = json_array_append_new(array, there(value));
    assert(!failed);
    (void)failed;
}

void reply_write(const json_t *value, FILE *out) {
    int failed = json_dumpf(value, out, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    assert(!failed);
    (void)failed;
}

void reply_stream(struct http_response *response, const char *content_type, FILE *out, char *const *bytes,
                  const size_t *length) {
    int failed = fclose(out); /* a memory stream that could not grow says so here */
    assert(!failed);
    (void)failed;
    response->status = 200;
    response->content_type = content_type;
    response->body = *bytes;
    response->body_bytes = *length;
    http_response_header(response, "x-content-type-options", "nosniff");
}

static void send_json(struct http_response *response, int status, json_t *envelope) {
    char *bytes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&bytes, &length);
    assert(out);
    reply_write(envelope, out);
    json_decref(envelope);
    reply_stream(response, "application/json", out, &bytes, &length);
    response->status = status;
    http_response_header(response, "cache-control", "no-store");
}

void reply_success(struct http_response *response, json_t *data) {
    json_t *envelope = reply_object();
    reply_set(envelope, "status", reply_text("success"));
    reply_set(envelope, "data", data);
    send_json(response, 200, envelope);
}

void reply_error(struct http_response *response, int status, const char *type, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    json_t *envelope = reply_object();
    reply_set(envelope, "status", reply_text("error"));
    reply_set(envelope, "errorType", reply_text(type));
    reply_set(envelope, "error", reply_text(text));
    send_json(response, status, envelope);
}
