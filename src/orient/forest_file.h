/* src/orient/forest_file.h - a forest as bytes, the same on every machine.
 *
 * Little-endian: "SENTFOR1", the sizes, the scales, the roots, the nodes with their row counts, and a
 * checksum (FNV-1a, 64 bits) of all before it. What is read is believed only after the checksum and the shape
 * of every tree have been checked, so a damaged file is STATUS_CORRUPT and never a walk out of bounds. Pure.
 */
#ifndef SENTINEL_ORIENT_FOREST_FILE_H
#define SENTINEL_ORIENT_FOREST_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "orient/forest.h"

/* Returns bytes to free(); never NULL. */
uint8_t *forest_encode(const struct forest *forest, size_t *size);
MUST_CHECK enum status forest_decode(const uint8_t *bytes, size_t size, struct forest **out,
                                     struct error *err);

#endif
