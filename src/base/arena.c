#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

/* A request of 2,000 samples decodes into about 200 KiB; one chunk then serves most requests. */
enum { CHUNK_BYTES = 256 * 1024, ALIGNMENT = 16 };

struct chunk {
    struct chunk *older;
    size_t capacity, used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

struct arena {
    struct chunk *newest;
    size_t ceiling, used;
    bool exhausted;
};

static struct chunk *chunk_create(size_t capacity, struct chunk *older) {
    struct chunk *chunk = malloc(sizeof *chunk + capacity);
    if (!chunk)
        return NULL;
    chunk->older = older;
    chunk->capacity = capacity;
    chunk->used = 0;
    ASAN_POISON_MEMORY_REGION(chunk->bytes, capacity);
    return chunk;
}

static void chunk_destroy(struct chunk *chunk) {
    ASAN_UNPOISON_MEMORY_REGION(chunk->bytes, chunk->capacity);
    free(chunk);
}

struct arena *arena_create(size_t ceiling_bytes) {
    struct arena *arena = xcalloc(1, sizeof *arena);
    arena->ceiling = ceiling_bytes;
    return arena;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    if (bytes == 0)
        bytes = 1;
    if (arena->exhausted || bytes > arena->ceiling || arena->used > arena->ceiling - bytes) {
        arena->exhausted = true;
        return NULL;
    }
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct chunk *chunk = arena->newest;
    if (!chunk || chunk->capacity - chunk->used < rounded) {
        chunk = chunk_create(rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES, arena->newest);
        if (!chunk) {
            arena->exhausted = true;
            return NULL;
        }
        arena->newest = chunk;
    }
    void *result = chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->used += rounded;
    ASAN_UNPOISON_MEMORY_REGION(result, bytes);
    return result;
}

bool arena_is_exhausted(const struct arena *arena) {
    return arena->exhausted;
}

size_t arena_used_bytes(const struct arena *arena) {
    return arena->used;
}

void arena_reset(struct arena *arena) {
    struct chunk *kept = NULL;
    while (arena->newest) {
        struct chunk *chunk = arena->newest;
        arena->newest = chunk->older;
        if (!kept && chunk->capacity == CHUNK_BYTES)
            kept = chunk;
        else
            chunk_destroy(chunk);
    }
    if (kept) {
        kept->older = NULL;
        kept->used = 0;
        ASAN_POISON_MEMORY_REGION(kept->bytes, kept->capacity);
    }
    arena->newest = kept;
    arena->used = 0;
    arena->exhausted = false;
}

void arena_destroy(struct arena *arena) {
    if (!arena)
        return;
    arena_reset(arena);
    if (arena->newest)
        chunk_destroy(arena->newest);
    free(arena);
}
