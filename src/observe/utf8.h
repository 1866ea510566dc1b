/* src/observe/utf8.h - is this text? Unicode 15, table 3-7 "Well-Formed UTF-8 Byte Sequences". Pure. */
#ifndef SENTINEL_OBSERVE_UTF8_H
#define SENTINEL_OBSERVE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Overlong forms, surrogates and anything beyond U+10FFFF are not; NUL and control characters are. */
bool utf8_is_valid(const char *text, size_t length);

/* Copies text from the network for a line that a person reads: what is not printable becomes '?', what does
 * not fit is cut at a character and ends in "...". Returns `out`, which is NUL-terminated. `size` >= 8. */
char *utf8_printable(const char *text, size_t length, char *out, size_t size);

#endif
