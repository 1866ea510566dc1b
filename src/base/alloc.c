#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *memory, size_t count, size_t size) {
    if (!memory) {
        fprintf(stderr, "out of memory: %zu objects of %zu bytes were asked for\n", count, size);
        abort();
    }
    return memory;
}

void *xcalloc(size_t count, size_t size) {
    if (count == 0 || size == 0)
        count = size = 1;
    return or_die(calloc(count, size), count, size);
}

void *xrealloc(void *memory, size_t count, size_t size) {
    if (count == 0 || size == 0)
        count = size = 1;
    if (count > SIZE_MAX / size)
        return or_die(NULL, count, size);
    return or_die(realloc(memory, count * size), count, size);
}

char *xstrdup(const char *text) {
    return or_die(strdup(text), strlen(text) + 1, 1);
}
