/* src/helper/sha256.h - SHA-256 of FIPS 180-4, for the journal's chain; the helper links no crypto library.
 * Pure. */
#ifndef SENTINEL_HELPER_SHA256_H
#define SENTINEL_HELPER_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX = 2 * SHA256_BYTES + 1 };

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t length);
void sha256_end(struct sha256 *hash, uint8_t out[SHA256_BYTES]);

#endif
