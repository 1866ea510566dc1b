/* src/base/alloc.h - memory that is there.
 *
 * Every size that comes from outside is compared with a limit before it gets here, so running out of
 * memory means that the machine is out of it: these end the process with a message. Any thread. */
#ifndef SENTINEL_BASE_ALLOC_H
#define SENTINEL_BASE_ALLOC_H

#include <stddef.h>

/* Zeroed memory for `count` objects of `size` bytes; free() it. Never NULL. */
void *xcalloc(size_t count, size_t size) __attribute__((returns_nonnull, malloc));
void *xrealloc(void *memory, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((returns_nonnull, malloc));

#endif
