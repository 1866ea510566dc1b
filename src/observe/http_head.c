#include "observe/http_head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "observe/utf8.h"

enum status http_head_find_end(const char *bytes, size_t length, size_t *scanned, size_t *head_bytes,
                               struct error *err) {
    *head_bytes = 0;
    while (*scanned < length) {
        const char *line_end = memchr(bytes + *scanned, '\n', length - *scanned);
        if (!line_end) {
            *scanned = length;
            return STATUS_OK;
        }
        size_t at = (size_t)(line_end - bytes);
        if (at == 0 || bytes[at - 1] != '\r')
            return error_set(err, STATUS_INVALID, "a line of the request head does not end in CR LF");
        *scanned = at + 1;
        if (at >= 3 && bytes[at - 2] == '\n') {
            *head_bytes = at + 1;
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* ---- one line after another --------------------------------------------------------------------------- */

struct text {
    const char *bytes;
    size_t length;
};

/* What has been seen so far. */
struct seen {
    struct http_head head;
    size_t fields, hosts, lengths, codings;
    bool is_http_1_0;
};

/* Takes the next line without its CR LF. */
static struct text next_line(struct text *rest) {
    const char *end = memchr(rest->bytes, '\n', rest->length);
    size_t taken = end ? (size_t)(end - rest->bytes) + 1 : rest->length;
    struct text line = {rest->bytes, taken >= 2 ? taken - 2 : 0};
    rest->bytes += taken;
    rest->length -= taken;
    return line;
}

/* RFC 9110, 5.6.2. */
static bool is_token(struct text text) {
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.bytes[i];
        if (!isalnum((unsigned char)byte) && (byte == '\0' || !strchr("!#$%&'*+-.^_`|~", byte)))
            return false;
    }
    return text.length > 0;
}

/* RFC 9110, 5.5: visible, space, tab, or beyond ASCII. A lone CR is the start of somebody's next line. */
static bool is_field_value(struct text text) {
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7F)
            return false;
    }
    return true;
}

static struct text trim(struct text text) {
    while (text.length > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && (text.bytes[text.length - 1] == ' ' || text.bytes[text.length - 1] == '\t'))
        text.length--;
    return text;
}

static bool is_named(struct text text, const char *name) {
    return text.length == strlen(name) && strncasecmp(text.bytes, name, text.length) == 0;
}

static enum status take_host(struct seen *seen, struct text value, struct error *err) {
    if (seen->hosts++)
        return error_set(err, STATUS_INVALID, "there are two Host headers");
    for (size_t i = 0; i < value.length; i++)
        if (!isalnum((unsigned char)value.bytes[i]) && !strchr("-._~%!$&'()*+;=:[]", value.bytes[i]))
            return error_set(err, STATUS_INVALID, "the Host header is not a host");
    return STATUS_OK;
}

static enum status take_content_length(struct seen *seen, struct text value, struct error *err) {
    enum { DIGITS_MAX = 18 }; /* fits an int64_t */
    if (seen->lengths++)
        return error_set(err, STATUS_INVALID, "there are two Content-Length headers");
    if (value.length == 0 || value.length > DIGITS_MAX)
        return error_set(err, STATUS_INVALID, "the Content-Length is not a length");
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9')
            return error_set(err, STATUS_INVALID, "the Content-Length is not a length");
        seen->head.content_length = seen->head.content_length * 10 + (uint64_t)(value.bytes[i] - '0');
    }
    return STATUS_OK;
}

static enum status take_transfer_encoding(struct seen *seen, struct text value, struct error *err) {
    if (seen->codings++)
        return error_set(err, STATUS_INVALID, "there are two Transfer-Encoding headers");
    if (!is_named(value, "chunked"))
        return error_set(err, STATUS_INVALID, "the only Transfer-Encoding that is read here is chunked");
    seen->head.is_chunked = true;
    return STATUS_OK;
}

static enum status take_field(struct seen *seen, struct text line, struct error *err) {
    if (++seen->fields > HTTP_HEAD_FIELDS_MAX)
        return error_set(err, STATUS_TOO_LARGE, "there are more than %d header fields", HTTP_HEAD_FIELDS_MAX);
    const char *colon = memchr(line.bytes, ':', line.length);
    struct text name = {line.bytes, colon ? (size_t)(colon - line.bytes) : line.length};
    if (!colon || !is_token(name)) {
        char shown[40];
        return error_set(err, STATUS_INVALID, "\"%s\" is not the name of a header field",
                         utf8_printable(name.bytes, name.length, shown, sizeof shown));
    }
    struct text value = trim((struct text){colon + 1, line.length - name.length - 1});
    if (!is_field_value(value)) {
        char shown[40];
        return error_set(err, STATUS_INVALID, "the value of header \"%s\" has control characters",
                         utf8_printable(name.bytes, name.length, shown, sizeof shown));
    }
    if (is_named(name, "host"))
        return take_host(seen, value, err);
    if (is_named(name, "content-length"))
        return take_content_length(seen, value, err);
    if (is_named(name, "transfer-encoding"))
        return take_transfer_encoding(seen, value, err);
    return STATUS_OK;
}

/* RFC 9112, 3: method SP target SP version. */
static enum status take_request_line(struct seen *seen, struct text line, struct error *err) {
    static const char one[] = " HTTP/1.1", zero[] = " HTTP/1.0";
    const size_t version_length = sizeof one - 1;
    const char *space = memchr(line.bytes, ' ', line.length);
    struct text method = {line.bytes, space ? (size_t)(space - line.bytes) : 0};
    if (!space || !is_token(method) || line.length < method.length + 1 + version_length)
        return error_set(err, STATUS_INVALID, "the request line is not one of HTTP/1.1");
    struct text target = {space + 1, line.length - method.length - 1 - version_length};
    const char *version = target.bytes + target.length;
    seen->is_http_1_0 = memcmp(version, zero, version_length) == 0;
    if (target.length == 0 || (!seen->is_http_1_0 && memcmp(version, one, version_length) != 0))
        return error_set(err, STATUS_INVALID, "the request line is not one of HTTP/1.1");
    for (size_t i = 0; i < target.length; i++)
        if ((unsigned char)target.bytes[i] <= 0x20 || target.bytes[i] == 0x7F)
            return error_set(err, STATUS_INVALID, "the request target has a space or a control character");
    return STATUS_OK;
}

/* RFC 9112, 3.2, 6.1 and 6.3. */
static enum status judge(const struct seen *seen, struct error *err) {
    if (seen->hosts == 0 && !seen->is_http_1_0)
        return error_set(err, STATUS_INVALID, "there is no Host header");
    if (seen->codings && seen->lengths)
        return error_set(err, STATUS_INVALID,
                         "there are both a Transfer-Encoding and a Content-Length header");
    if (seen->codings && seen->is_http_1_0)
        return error_set(err, STATUS_INVALID, "HTTP/1.0 has no Transfer-Encoding");
    return STATUS_OK;
}

enum status http_head_check(const char *bytes, size_t length, struct http_head *out, struct error *err) {
    struct text rest = {bytes, length};
    struct seen seen = {0};
    /* RFC 9112, 2.2: one empty line before the request line is to be ignored. */
    if (length >= 2 && memcmp(bytes, "\r\n", 2) == 0)
        next_line(&rest);
    enum status status = take_request_line(&seen, next_line(&rest), err);
    while (status == STATUS_OK && rest.length > 0) {
        struct text line = next_line(&rest);
        if (line.length == 0)
            break;
        status = take_field(&seen, line, err);
    }
    if (status == STATUS_OK)
        status = judge(&seen, err);
    if (status == STATUS_OK)
        *out = seen.head;
    return status;
}
