#include "orient/forest_file.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "orient/forest_layout.h"

static const char MAGIC[8] = "SENTFOR1";
enum { HEADER_BYTES = 8 + 4 * 8, SCALE_BYTES = 17, ROOT_BYTES = 4, NODE_BYTES = 10, CHECKSUM_BYTES = 8 };

static uint64_t checksum(const uint8_t *bytes, size_t size) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    return hash;
}

/* ---- Writing ---- */

struct writer {
    uint8_t *at;
};

static void put(struct writer *writer, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        *writer->at++ = (uint8_t)(value >> (8 * i));
    }
}

static void put_double(struct writer *writer, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(writer, bits, 8);
}

static size_t encoded_bytes(uint64_t columns, uint64_t trees, uint64_t nodes) {
    return HEADER_BYTES + columns * SCALE_BYTES + (trees + 1) * ROOT_BYTES + nodes * NODE_BYTES +
           CHECKSUM_BYTES;
}

uint8_t *forest_encode(const struct forest *forest, size_t *size) {
    *size = encoded_bytes(forest->columns, forest->trees, forest->node_count);
    uint8_t *bytes = xcalloc(*size, 1);
    struct writer writer = {bytes + sizeof MAGIC};
    memcpy(bytes, MAGIC, sizeof MAGIC);
    put(&writer, forest->columns, 8);
    put(&writer, forest->trees, 8);
    put(&writer, forest->subsample_size, 8);
    put(&writer, forest->node_count, 8);
    for (size_t c = 0; c < forest->columns; c++) {
        put_double(&writer, forest->scales[c].offset);
        put_double(&writer, forest->scales[c].factor);
        put(&writer, forest->scales[c].used, 1);
    }
    for (size_t t = 0; t <= forest->trees; t++) {
        put(&writer, forest->roots[t], ROOT_BYTES);
    }
    for (size_t i = 0; i < forest->node_count; i++) {
        uint32_t split;
        memcpy(&split, &forest->nodes[i].split, sizeof split);
        put(&writer, split, 4);
        put(&writer, forest->nodes[i].column, 2);
        put(&writer, forest->nodes[i].left, 2);
        put(&writer, forest->rows[i], 2);
    }
    put(&writer, checksum(bytes, *size - CHECKSUM_BYTES), CHECKSUM_BYTES);
    assert(writer.at == bytes + *size);
    return bytes;
}

/* ---- Reading ---- */

struct reader {
    const uint8_t *at;
};

static uint64_t get(struct reader *reader, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)*reader->at++ << (8 * i);
    }
    return value;
}

static double get_double(struct reader *reader) {
    uint64_t bits = get(reader, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void get_arrays(struct reader *reader, struct forest *forest) {
    for (size_t c = 0; c < forest->columns; c++) {
        forest->scales[c].offset = get_double(reader);
        forest->scales[c].factor = get_double(reader);
        forest->scales[c].used = get(reader, 1) != 0;
    }
    for (size_t t = 0; t <= forest->trees; t++) {
        forest->roots[t] = (uint32_t)get(reader, ROOT_BYTES);
    }
    for (size_t i = 0; i < forest->node_count; i++) {
        uint32_t split = (uint32_t)get(reader, 4);
        memcpy(&forest->nodes[i].split, &split, sizeof split);
        forest->nodes[i].column = (uint16_t)get(reader, 2);
        forest->nodes[i].left = (uint16_t)get(reader, 2);
        forest->rows[i] = (uint16_t)get(reader, 2);
    }
}

/* Both children lie behind their parent and within the tree, so a walk ends and stays inside. */
static bool tree_is_sound(const struct forest *forest, size_t root, size_t end) {
    if (root >= end || end > forest->node_count) {
        return false;
    }
    for (size_t at = root; at < end; at++) {
        const struct forest_node *node = &forest->nodes[at];
        if (forest->rows[at] < 1 || forest->rows[at] > forest->subsample_size || !isfinite(node->split)) {
            return false;
        }
        bool sound = forest_node_is_leaf(forest, node)
                         ? node->left == at - root
                         : node->column < forest->columns && node->left > at - root &&
                               (size_t)node->left + 1 < end - root;
        if (!sound) {
            return false;
        }
    }
    return true;
}

static bool is_sound(const struct forest *forest) {
    for (size_t t = 0; t < forest->trees; t++) {
        if (!tree_is_sound(forest, forest->roots[t], forest->roots[t + 1])) {
            return false;
        }
    }
    return forest->roots[0] == 0 && forest->roots[forest->trees] == forest->node_count;
}

static bool sizes_are_sound(uint64_t columns, uint64_t trees, uint64_t psi, uint64_t nodes) {
    return columns >= 1 && columns <= FOREST_COLUMNS_MAX && trees >= 1 && trees <= FOREST_TREES_MAX &&
           psi >= 2 && psi <= FOREST_SUBSAMPLE_MAX && nodes >= trees && nodes <= trees * 2 * psi;
}

enum status forest_decode(const uint8_t *bytes, size_t size, struct forest **out, struct error *err) {
    if (size < HEADER_BYTES + CHECKSUM_BYTES || memcmp(bytes, MAGIC, sizeof MAGIC) != 0) {
        return error_set(err, STATUS_CORRUPT, "not a forest of this version");
    }
    struct reader reader = {bytes + sizeof MAGIC};
    uint64_t columns = get(&reader, 8);
    uint64_t trees = get(&reader, 8);
    uint64_t psi = get(&reader, 8);
    uint64_t nodes = get(&reader, 8);
    struct reader tail = {bytes + size - CHECKSUM_BYTES};
    if (!sizes_are_sound(columns, trees, psi, nodes) || encoded_bytes(columns, trees, nodes) != size ||
        get(&tail, CHECKSUM_BYTES) != checksum(bytes, size - CHECKSUM_BYTES)) {
        return error_set(err, STATUS_CORRUPT, "the forest is damaged: its size or its checksum is wrong");
    }
    struct forest *forest = forest_create(columns, trees, psi, nodes);
    get_arrays(&reader, forest);
    if (!is_sound(forest)) {
        forest_destroy(forest);
        return error_set(err, STATUS_CORRUPT, "the forest is damaged: a branch leads nowhere");
    }
    *out = forest;
    return STATUS_OK;
}
