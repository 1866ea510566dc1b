/* src/orient/window.h - a bounded memory of a long time.
 *
 * Keeps at most `rows_max` rows that stand for the last `horizon` rows: a reservoir, uniform until the
 * horizon is reached, and from then on with an even decay (C. Aggarwal, "On Biased Reservoir Sampling in the
 * Presence of Stream Evolution", VLDB 2006). Fewer rows than that are kept all, in order. Deterministic by
 * seed. One owner. */
#ifndef SENTINEL_ORIENT_WINDOW_H
#define SENTINEL_ORIENT_WINDOW_H

#include <stddef.h>
#include <stdint.h>

struct window;
struct window *window_create(size_t columns, size_t rows_max, size_t horizon, uint64_t seed);
void window_add(struct window *window, const float *row);
/* Takes the row in for certain, in place of a random one if there is no room. */
void window_force(struct window *window, const float *row);
size_t window_rows(const struct window *window);
const float *window_values(const struct window *window); /* row-major, in no order */
size_t window_bytes(const struct window *window);
void window_clear(struct window *window);
void window_destroy(struct window *window);

#endif
