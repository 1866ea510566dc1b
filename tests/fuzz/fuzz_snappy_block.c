/* Any bytes through the Snappy decoder: what decodes has exactly the length it claimed, and survives a round
 * trip through the library's own compressor. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>

#include "base/alloc.h"
#include "observe/snappy_block.h"

enum { MAX_DECODED = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const unsigned char *decoded, size_t length) {
    size_t packed_length = snappy_max_compressed_length(length);
    char *packed = xcalloc(1, packed_length);
    snappy_status packing = snappy_compress((const char *)decoded, length, packed, &packed_length);
    assert(packing == SNAPPY_OK);
    struct arena *arena = arena_create(2 * MAX_DECODED);
    const unsigned char *again = NULL;
    size_t again_length = 0;
    enum status status =
        snappy_block_decode(packed, packed_length, MAX_DECODED, arena, &again, &again_length, NULL);
    assert(status == STATUS_OK && again_length == length && memcmp(again, decoded, length) == 0);
    arena_destroy(arena);
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_create(2 * MAX_DECODED);
    const unsigned char *decoded = NULL;
    size_t length = 0;
    struct error err = {0};
    enum status status = snappy_block_decode(data, size, MAX_DECODED, arena, &decoded, &length, &err);
    if (status == STATUS_OK)
        check_round_trip(decoded, length);
    else
        assert(err.status == status && err.text[0]);
    arena_destroy(arena);
    return 0;
}
