/* src/observe/http_routes.h - from a request target to a route. Pure; the bytes are hostile.
 *
 * RFC 9112, 3.2: origin-form ("/path?query") and absolute-form ("http://host/path?query") are read. */
#ifndef SENTINEL_OBSERVE_HTTP_ROUTES_H
#define SENTINEL_OBSERVE_HTTP_ROUTES_H

#include "observe/http_server.h"

/* Splits `target` and decodes its path. `path` and `query` have room for `length` + 2 bytes each. False: no
 * path, a broken percent escape, or a NUL in it. */
bool http_target_split(const char *target, size_t length, char *path, char *query);

enum { HTTP_ALLOW_SIZE = 64 };

/* The first route in table order that serves `method` on `path`. NULL: none; then `allow` lists the methods
 * that the path is known under ("" if the path is unknown). */
const struct http_route *http_route_find(const struct http_route *routes, size_t count, const char *method,
                                         const char *path, char allow[HTTP_ALLOW_SIZE]);

#endif
