#include "orient/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

struct window {
    size_t columns, rows_max, horizon;
    size_t rows, capacity;
    uint64_t seen; /* at most horizon */
    struct rng rng;
    float *values;
};

struct window *window_create(size_t columns, size_t rows_max, size_t horizon, uint64_t seed) {
    struct window *window = xcalloc(1, sizeof *window);
    window->columns = columns;
    window->horizon = horizon;
    window->rows_max = rows_max < horizon ? rows_max : horizon;
    rng_seed(&window->rng, seed);
    return window;
}

static void put(struct window *window, size_t slot, const float *row) {
    memcpy(window->values + slot * window->columns, row, window->columns * sizeof *row);
}

static void append(struct window *window, const float *row) {
    if (window->rows == window->capacity) {
        size_t doubled = window->capacity ? 2 * window->capacity : 64;
        window->capacity = doubled < window->rows_max ? doubled : window->rows_max;
        window->values = xrealloc(window->values, window->capacity, window->columns * sizeof *window->values);
    }
    put(window, window->rows++, row);
}

void window_add(struct window *window, const float *row) {
    window->seen += window->seen < window->horizon;
    if (window->rows < window->rows_max) {
        append(window, row);
        return;
    }
    uint64_t slot = rng_below(&window->rng, window->seen);
    if (slot < window->rows) {
        put(window, slot, row);
    }
}

void window_force(struct window *window, const float *row) {
    window->seen += window->seen < window->horizon;
    if (window->rows < window->rows_max) {
        append(window, row);
    } else {
        put(window, rng_below(&window->rng, window->rows), row);
    }
}

size_t window_rows(const struct window *window) {
    return window->rows;
}

const float *window_values(const struct window *window) {
    return window->values;
}

size_t window_bytes(const struct window *window) {
    return sizeof *window + window->capacity * window->columns * sizeof *window->values;
}

void window_clear(struct window *window) {
    window->rows = 0;
    window->seen = 0;
}

void window_destroy(struct window *window) {
    if (!window) {
        return;
    }
    free(window->values);
    free(window);
}
