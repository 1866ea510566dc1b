/* src/base/arena.h - everything that one request needs, freed in one step.
 *
 * An arena grows in chunks up to a ceiling. Reaching the ceiling is remembered: every later allocation
 * returns NULL too, so a decoder may check once at its end. Memory is not zeroed. Under the address
 * sanitizer the unused part of each chunk is poisoned, so that overruns are still seen.
 * One thread at a time. */
#ifndef SENTINEL_BASE_ARENA_H
#define SENTINEL_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct arena *arena_create(size_t ceiling_bytes);
/* NULL once the ceiling is reached. Aligned for any object. */
void *arena_alloc(struct arena *arena, size_t bytes);
bool arena_is_exhausted(const struct arena *arena);
size_t arena_used_bytes(const struct arena *arena);
/* Forgets everything that was allocated and keeps one chunk for the next request. */
void arena_reset(struct arena *arena);
void arena_destroy(struct arena *arena);

#endif
