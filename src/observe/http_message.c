/* The parts of http_server.h that need no server: requests and responses as plain data. */
#include "observe/http_server.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "observe/percent.h"

/* application/x-www-form-urlencoded writes a space as '+'. */
static bool decode_form_value(const char *text, size_t length, char *out, size_t size) {
    char *spaced = xcalloc(1, length + 1);
    for (size_t i = 0; i < length; i++)
        spaced[i] = text[i] == '+' ? ' ' : text[i];
    bool ok = percent_decode(spaced, length, out, size);
    free(spaced);
    return ok;
}

bool http_query_value(const struct http_request *request, const char *name, char *out, size_t size) {
    size_t name_length = strlen(name);
    for (const char *at = request->query; *at;) {
        size_t pair_length = strcspn(at, "&");
        if (pair_length >= name_length && strncmp(at, name, name_length) == 0) {
            if (pair_length > name_length && at[name_length] == '=')
                return decode_form_value(at + name_length + 1, pair_length - name_length - 1, out, size);
            if (pair_length == name_length)
                return decode_form_value("", 0, out, size);
        }
        at += pair_length + (at[pair_length] == '&');
    }
    return false;
}

void http_response_header(struct http_response *response, const char *name, const char *fmt, ...) {
    assert(response->header_count < HTTP_RESPONSE_HEADERS_MAX);
    char *value = response->headers[response->header_count].value;
    va_list args;
    va_start(args, fmt);
    vsnprintf(value, sizeof response->headers[0].value, fmt, args);
    va_end(args);
    /* A line break in a value would be a header of the attacker's choice. */
    for (char *at = value; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            *at = '?';
    response->headers[response->header_count++].name = name;
}

void http_response_text(struct http_response *response, int status, const char *fmt, ...) {
    char line[512];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(line, sizeof line - 1, fmt, args);
    va_end(args);
    size_t used = length < 0 ? 0 : (size_t)length < sizeof line - 1 ? (size_t)length : sizeof line - 2;
    line[used++] = '\n';
    if (!response->body_is_static)
        free(response->body);
    response->body = xcalloc(1, used);
    memcpy(response->body, line, used);
    response->body_bytes = used;
    response->body_is_static = false;
    response->content_type = "text/plain; charset=utf-8";
    response->status = status;
}
