#include "sentinelctl/prometheus_text.h"

#include <stdlib.h>
#include <string.h>

/* Reads `name="value"` at `*at` and compares; leaves `*at` behind the closing quote. NULL: no label there. */
static const char *read_label(const char *at, const char *label, const char *value, bool *is_it) {
    size_t name_length = strcspn(at, "=");
    if (at[name_length] != '=' || at[name_length + 1] != '"')
        return NULL;
    bool same = name_length == strlen(label) && strncmp(at, label, name_length) == 0;
    at += name_length + 2;
    for (; *at && *at != '"'; at++) {
        char byte = *at;
        if (byte == '\\' && at[1]) {
            at++;
            byte = *at == 'n' ? '\n' : *at;
        }
        if (same && *value == byte && byte)
            value++;
        else
            same = false;
    }
    *is_it = same && *value == '\0';
    return *at == '"' ? at + 1 : NULL;
}

bool prometheus_text_find(const char *text, const char *name, const char *label, const char *value,
                          double *out) {
    size_t length = strlen(name);
    for (const char *row = text; row; row = strchr(row, '\n') ? strchr(row, '\n') + 1 : NULL) {
        if (strncmp(row, name, length) != 0 || row[length] != '{')
            continue;
        bool found = false, is_it = false;
        const char *at = row + length + 1;
        while (at && *at != '}') {
            at = read_label(at, label, value, &is_it);
            found = found || is_it;
            if (at && *at == ',')
                at++;
        }
        char *end;
        double number = at ? strtod(at + 1, &end) : 0;
        if (at && found && end != at + 1) {
            *out = number;
            return true;
        }
    }
    return false;
}
