#include "observe/media_type.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct cursor {
    const char *at, *end;
};

static void skip_spaces(struct cursor *cursor) {
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
}

/* RFC 9110, 5.6.2: tchar. A slash is let through where `slash` is set, for "type/subtype". */
static bool is_token_byte(char byte, bool slash) {
    return isalnum((unsigned char)byte) || (byte && strchr("!#$%&'*+-.^_`|~", byte)) ||
           (slash && byte == '/');
}

/* Copies a token; false if it is empty or does not fit. */
static bool take_token(struct cursor *cursor, bool slash, char *out, size_t size) {
    size_t used = 0;
    while (cursor->at < cursor->end && is_token_byte(*cursor->at, slash)) {
        if (used + 1 == size)
            return false;
        out[used++] = *cursor->at++;
    }
    out[used] = '\0';
    return used > 0;
}

/* RFC 9110, 5.6.4: a backslash takes the next byte as it is. */
static bool take_quoted(struct cursor *cursor, char *out, size_t size) {
    size_t used = 0;
    for (cursor->at++; cursor->at < cursor->end && *cursor->at != '"'; cursor->at++) {
        if (*cursor->at == '\\' && ++cursor->at == cursor->end)
            return false;
        if (used + 1 == size || *cursor->at == '\0')
            return false;
        out[used++] = *cursor->at;
    }
    out[used] = '\0';
    if (cursor->at == cursor->end)
        return false;
    cursor->at++;
    return true;
}

static bool take_parameter(struct cursor *cursor, struct media_type *out) {
    char name[64], value[64];
    if (!take_token(cursor, false, name, sizeof name))
        return false;
    if (cursor->at == cursor->end || *cursor->at++ != '=')
        return false;
    bool quoted = cursor->at < cursor->end && *cursor->at == '"';
    if (!(quoted ? take_quoted(cursor, value, sizeof value) : take_token(cursor, false, value, sizeof value)))
        return false;
    if (strcasecmp(name, "proto") == 0) {
        if (out->proto[0] || value[0] == '\0')
            return false;
        memcpy(out->proto, value, sizeof out->proto);
    }
    return true;
}

bool media_type_parse(const char *header, size_t length, struct media_type *out) {
    struct cursor cursor = {header, header + length};
    struct media_type type = {0};
    skip_spaces(&cursor);
    if (!take_token(&cursor, true, type.type, sizeof type.type))
        return false;
    for (char *at = type.type; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    for (skip_spaces(&cursor); cursor.at < cursor.end; skip_spaces(&cursor)) {
        if (*cursor.at++ != ';')
            return false;
        skip_spaces(&cursor);
        if (cursor.at < cursor.end && *cursor.at != ';' && !take_parameter(&cursor, &type))
            return false;
    }
    *out = type;
    return true;
}

bool media_type_is(const struct media_type *type, const char *name) {
    return strcmp(type->type, name) == 0;
}
