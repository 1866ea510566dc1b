#include "present/query.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "present/reply.h"

enum { VALUE_SIZE = 320 };

/* Is `name` among the parameters at all? Tells a missing one from one that does not fit. */
static bool has_parameter(const char *query, const char *name) {
    size_t length = strlen(name);
    while (query && *query) {
        if (strncmp(query, name, length) == 0 && (query[length] == '=' || query[length] == '\0'))
            return true;
        query = strchr(query, '&');
        query = query ? query + 1 : NULL;
    }
    return false;
}

bool query_text(const struct http_request *request, const char *name, char *out, size_t size,
                struct http_response *response) {
    out[0] = '\0';
    if (http_query_value(request, name, out, size) || !has_parameter(request->query, name))
        return true;
    reply_error(response, 400, "bad_data", "parameter '%s' is longer than %zu bytes", name, size - 1);
    return false;
}

static bool parse_unix_seconds(const char *text, int64_t *unix_ms) {
    char *end = NULL;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(seconds) || fabs(seconds) > 1e11)
        return false;
    *unix_ms = (int64_t)llround(seconds * 1000);
    return true;
}

/* Minutes east of UTC from "Z", "+02:00" or "-05:30". */
static bool parse_offset(const char *text, int *minutes) {
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        *minutes = 0;
        return true;
    }
    struct tm parts = {0};
    if (strlen(text) != strlen("+00:00") || (text[0] != '+' && text[0] != '-'))
        return false;
    const char *end = strptime(text + 1, "%H:%M", &parts);
    if (!end || *end != '\0')
        return false;
    *minutes = (text[0] == '-' ? -1 : 1) * (parts.tm_hour * 60 + parts.tm_min);
    return true;
}

static bool parse_rfc3339(const char *text, int64_t *unix_ms) {
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest)
        return false;
    double fraction = 0;
    if (*rest == '.') {
        char *end = NULL;
        fraction = strtod(rest, &end);
        rest = end;
    }
    int minutes = 0;
    if (!parse_offset(rest, &minutes))
        return false;
    *unix_ms = ((int64_t)timegm(&parts) - (int64_t)minutes * 60) * 1000 + (int64_t)(fraction * 1000);
    return true;
}

bool query_time(const struct http_request *request, const char *name, int64_t *unix_ms,
                struct http_response *response) {
    char value[VALUE_SIZE];
    if (!query_text(request, name, value, sizeof value, response))
        return false;
    if (value[0] == '\0' || parse_unix_seconds(value, unix_ms) || parse_rfc3339(value, unix_ms))
        return true;
    reply_error(response, 400, "bad_data",
                "parameter '%s' is neither Unix seconds nor RFC 3339 (2026-01-02T03:04:05Z): \"%.100s\"",
                name, value);
    return false;
}

bool query_limit(const struct http_request *request, const char *name, size_t max, size_t *out,
                 struct http_response *response) {
    char value[VALUE_SIZE];
    if (!query_text(request, name, value, sizeof value, response))
        return false;
    if (value[0] == '\0')
        return true;
    char *end = NULL;
    errno = 0;
    unsigned long long limit = strtoull(value, &end, 10);
    if (errno || *end != '\0' || value[0] == '-' || limit < 1 || limit > max) {
        reply_error(response, 400, "bad_data",
                    "parameter '%s' must be a number from 1 to %zu, not \"%.100s\"", name, max, value);
        return false;
    }
    *out = (size_t)limit;
    return true;
}

bool query_is_csv(const struct http_request *request, bool *is_csv, struct http_response *response) {
    char value[VALUE_SIZE];
    if (!query_text(request, "format", value, sizeof value, response))
        return false;
    *is_csv = strcmp(value, "csv") == 0;
    if (*is_csv || value[0] == '\0' || strcmp(value, "json") == 0)
        return true;
    reply_error(response, 400, "bad_data", "parameter 'format' must be json or csv, not \"%.100s\"", value);
    return false;
}
