#include "observe/snappy_block.h"

#include <stdbool.h>

#include <snappy-c.h>

/* The densest element of the format is a copy of 64 bytes written in three (snappy's format_description.txt,
 * "Copies"), so that a block cannot grow by more than this. A claim beyond it is a lie that would cost us an
 * allocation before the library notices. */
enum { DENSEST_COPY_OUT = 64, DENSEST_COPY_IN = 3 };

static bool claim_is_possible(size_t claimed, size_t body_len) {
    return claimed / DENSEST_COPY_OUT <= body_len / DENSEST_COPY_IN + 1;
}

enum status snappy_block_decode(const void *body, size_t body_len, size_t max_decoded_bytes,
                                struct arena *arena, const unsigned char **out, size_t *out_len,
                                struct error *err) {
    size_t claimed = 0;
    if (snappy_uncompressed_length(body, body_len, &claimed) != SNAPPY_OK)
        return error_set(err, STATUS_INVALID, "the body is not a Snappy block: its length prefix is broken");
    if (claimed > max_decoded_bytes)
        return error_set(
            err, STATUS_TOO_LARGE,
            "the body claims to be %zu bytes when decompressed, the limit is %zu: send smaller batches",
            claimed, max_decoded_bytes);
    if (!claim_is_possible(claimed, body_len))
        return error_set(err, STATUS_INVALID,
                         "the body is not a Snappy block: %zu bytes cannot hold the %zu it claims", body_len,
                         claimed);
    unsigned char *decoded = arena_alloc(arena, claimed);
    if (!decoded)
        return error_set(
            err, STATUS_TOO_LARGE,
            "the body needs %zu bytes when decompressed, more than one request may use: send smaller "
            "batches",
            claimed);
    size_t length = claimed;
    if (snappy_uncompress(body, body_len, (char *)decoded, &length) != SNAPPY_OK || length != claimed)
        return error_set(
            err, STATUS_INVALID,
            "the body is not a Snappy block (the framed format and plain bodies are not read here)");
    *out = decoded;
    *out_len = length;
    return STATUS_OK;
}
