/* src/observe/media_type.h - what a Content-Type header says. Pure.
 *
 * RFC 9110, 5.6.6 and 8.3.1: the type and parameter names are case-insensitive, parameters may be quoted and
 * have optional spaces around the semicolon. Of the parameters only `proto` is kept (remote write 2.0,
 * "Content-Type"). */
#ifndef SENTINEL_OBSERVE_MEDIA_TYPE_H
#define SENTINEL_OBSERVE_MEDIA_TYPE_H

#include <stdbool.h>
#include <stddef.h>

struct media_type {
    char type[64];  /* "application/x-protobuf", in lower case */
    char proto[64]; /* "" if there is none */
};

/* False: not a media type, one that is too long to be one we know, or `proto` twice. */
bool media_type_parse(const char *header, size_t length, struct media_type *out);
bool media_type_is(const struct media_type *type, const char *name);

#endif
