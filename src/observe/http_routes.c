#include "observe/http_routes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "observe/percent.h"

/* Where the path of an absolute-form target starts; `target` itself if it is none. */
static const char *skip_authority(const char *target, const char *end) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i]);
        if ((size_t)(end - target) < length || strncasecmp(target, schemes[i], length) != 0)
            continue;
        target += length;
        while (target < end && *target != '/' && *target != '?')
            target++;
        return target;
    }
    return target;
}

bool http_target_split(const char *target, size_t length, char *path, char *query) {
    const char *end = target + length;
    const char *start = skip_authority(target, end);
    const char *mark = memchr(start, '?', (size_t)(end - start));
    const char *path_end = mark ? mark : end;
    bool is_absolute_without_path = start != target && start == path_end;
    if (is_absolute_without_path)
        memcpy(path, "/", sizeof "/");
    else if (start == path_end || *start != '/' ||
             !percent_decode(start, (size_t)(path_end - start), path, length + 2))
        return false;
    size_t query_length = mark ? (size_t)(end - mark - 1) : 0;
    if (query_length > 0)
        memcpy(query, mark + 1, query_length);
    query[query_length] = '\0';
    return true;
}

static bool path_matches(const char *pattern, const char *path) {
    size_t length = strlen(pattern);
    if (length > 0 && pattern[length - 1] == '*')
        return strncmp(pattern, path, length - 1) == 0;
    return strcmp(pattern, path) == 0;
}

static bool method_matches(const char *served, const char *asked) {
    return strcmp(served, asked) == 0 || (strcmp(served, "GET") == 0 && strcmp(asked, "HEAD") == 0);
}

static void add_method(char allow[HTTP_ALLOW_SIZE], const char *method) {
    size_t used = strlen(allow);
    const char *methods = strcmp(method, "GET") == 0 ? "GET, HEAD" : method;
    if (!strstr(allow, methods))
        snprintf(allow + used, HTTP_ALLOW_SIZE - used, "%s%s", used ? ", " : "", methods);
}

const struct http_route *http_route_find(const struct http_route *routes, size_t count, const char *method,
                                         const char *path, char allow[HTTP_ALLOW_SIZE]) {
    allow[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (!path_matches(routes[i].path, path))
            continue;
        if (method_matches(routes[i].method, method))
            return &routes[i];
        add_method(allow, routes[i].method);
    }
    return NULL;
}
