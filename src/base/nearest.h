/* src/base/nearest.h - "did you mean": the known name that a mistyped one is closest to. Pure. */
#ifndef SENTINEL_BASE_NEAREST_H
#define SENTINEL_BASE_NEAREST_H

#include <stddef.h>

/* The name with the fewest insertions, deletions, replacements and swaps of neighbours
 * (Damerau-Levenshtein, optimal string alignment); NULL if none is near enough to be a help. */
const char *nearest_name(const char *mistyped, const char *const *names, size_t count);

#endif
