/* src/observe/percent.h - percent-encoding, RFC 3986 2.1. Pure. */
#ifndef SENTINEL_OBSERVE_PERCENT_H
#define SENTINEL_OBSERVE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* Decodes `length` bytes into `out`, NUL-terminated. False: it does not fit, an escape is broken, or there is
 * a NUL, which no name of ours contains. */
bool percent_decode(const char *text, size_t length, char *out, size_t size);

#endif
