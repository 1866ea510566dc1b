#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { LINE_MAX_BYTES = 2048 };

static enum log_level threshold = LOG_LEVEL_INFO;
static enum log_format format = LOG_FORMAT_LOGFMT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_configure(enum log_level level, enum log_format wanted) {
    threshold = level;
    format = wanted;
}

bool log_level_parse(const char *text, enum log_level *out) {
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_format_parse(const char *text, enum log_format *out) {
    bool json = strcmp(text, "json") == 0;
    if (!json && strcmp(text, "logfmt") != 0)
        return false;
    *out = json ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT;
    return true;
}

char *log_quote(const char *text, char *out, size_t size) {
    size_t used = 0;
    if (size < 3) {
        if (size)
            out[0] = '\0';
        return out;
    }
    out[used++] = '"';
    for (const unsigned char *c = (const unsigned char *)text; *c && used + 6 < size; c++) {
        if (*c == '"' || *c == '\\') {
            out[used++] = '\\';
            out[used++] = (char)*c;
        } else if (*c < 0x20 || *c == 0x7f) {
            used += (size_t)snprintf(out + used, size - used, "\\x%02x", *c);
        } else {
            out[used++] = (char)*c;
        }
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}

/* The bytes of one JSON string. */
static size_t json_escape(const char *text, size_t length, char *out, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < length && used + 8 < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            out[used++] = '\\';
            out[used++] = (char)c;
        } else if (c < 0x20) {
            used += (size_t)snprintf(out + used, size - used, "\\u%04x", c);
        } else {
            out[used++] = (char)c;
        }
    }
    return used;
}

/* One character of a value that log_quote() wrote: undoes \", \\ and \xNN. Moves past it. */
static char unquote(const char **at) {
    static const char digits[] = "0123456789abcdef";
    if (**at != '\\' || (*at)[1] == '\0')
        return *(*at)++;
    const char *escape = *at + 1;
    if (*escape == 'x' && strspn(escape + 1, digits) >= 2) {
        *at += 4;
        return (char)((strchr(digits, escape[1]) - digits) * 16 + (strchr(digits, escape[2]) - digits));
    }
    *at += 2;
    return *escape;
}

/* Turns `a=1 b="x y"` into `,"a":"1","b":"x y"`: values stay text, so no digit is lost. */
static size_t pairs_to_json(const char *pairs, char *out, size_t size) {
    size_t used = 0;
    const char *at = pairs;
    while (*at && used + 16 < size) {
        while (*at == ' ')
            at++;
        const char *equals = strchr(at, '=');
        if (!equals)
            break;
        used += (size_t)snprintf(out + used, size - used, ",\"");
        used += json_escape(at, (size_t)(equals - at), out + used, size - used);
        used += (size_t)snprintf(out + used, size - used, "\":\"");
        char value[LINE_MAX_BYTES];
        size_t length = 0;
        at = equals + 1;
        bool quoted = *at == '"';
        if (quoted)
            at++;
        while (*at && *at != (quoted ? '"' : ' ') && length < sizeof value) {
            value[length++] = quoted ? unquote(&at) : *at++;
        }
        if (quoted && *at == '"')
            at++;
        used += json_escape(value, length, out + used, size - used);
        if (used + 2 < size)
            out[used++] = '"';
    }
    out[used < size ? used : size - 1] = '\0';
    return used;
}

void log_event(enum log_level level, const char *event, const char *fmt, ...) {
    if (level < threshold)
        return;
    char pairs[LINE_MAX_BYTES], when[CLOCK_RFC3339_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(pairs, sizeof pairs, fmt, args);
    va_end(args);
    clock_format_rfc3339(clock_realtime_ms(), when);
    /* One fprintf is one line: stdio locks the stream. */
    if (format == LOG_FORMAT_JSON) {
        char json[LINE_MAX_BYTES * 6]; /* \u00NN is the longest that one byte becomes */
        pairs_to_json(pairs, json, sizeof json);
        fprintf(stderr, "{\"ts\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"%s}\n", when, level_names[level],
                event, json);
    } else {
        fprintf(stderr, "ts=%s level=%s event=%s%s%s\n", when, level_names[level], event, pairs[0] ? " " : "",
                pairs);
    }
}
