/* Any bytes as a remote write 1.0 message (compressed here, so that the fuzzer works on the protobuf): what
 * is accepted keeps the rules that the rest of the program relies on, and every sample is counted once. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>

#include "base/alloc.h"
#include "observe/remote_write.h"
#include "observe/utf8.h"

static const struct remote_write_limits limits = {
    .max_decoded_bytes = 1 << 16,
    .max_labels_per_series = 6,
    .max_label_name_bytes = 20,
    .max_label_value_bytes = 40,
    .max_samples = 30,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_labels(const struct label_set *set) {
    bool named = false;
    assert(set->count <= limits.max_labels_per_series);
    for (size_t i = 0; i < set->count; i++) {
        const struct label *label = &set->labels[i];
        assert(label->name_len > 0 && label->name_len <= limits.max_label_name_bytes);
        assert(label->value_len > 0 && label->value_len <= limits.max_label_value_bytes);
        assert(utf8_is_valid(label->name, label->name_len) && utf8_is_valid(label->value, label->value_len));
        named |= label->name_len == 8 && memcmp(label->name, "__name__", 8) == 0;
        if (i == 0)
            continue;
        const struct label *before = &set->labels[i - 1];
        size_t shorter = before->name_len < label->name_len ? before->name_len : label->name_len;
        int order = memcmp(before->name, label->name, shorter);
        assert(order < 0 || (order == 0 && before->name_len < label->name_len));
    }
    assert(named);
}

static void check_batch(const struct write_batch *batch) {
    size_t samples = 0;
    for (size_t i = 0; i < batch->series_count; i++) {
        check_labels(&batch->series[i].labels);
        samples += batch->series[i].count;
    }
    assert(samples == batch->accepted.samples);
    assert(samples + batch->refused.samples <= limits.max_samples);
    assert((batch->refused_series > 0) == (batch->refusal.status != STATUS_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* The first byte chooses the version by its lowest bit and the arena's ceiling by the others, so that
     * every allocation fails at some time. */
    uint8_t choice = size > 0 ? data[0] : 0xff;
    enum remote_write_version version = choice & 1 ? REMOTE_WRITE_1_0 : REMOTE_WRITE_2_0;
    size_t ceiling = choice < 128 ? (size_t)choice * 64 : 1 << 20;
    size_t message_len = size > 0 ? size - 1 : 0;
    size_t block_len = snappy_max_compressed_length(message_len);
    char *block = xcalloc(1, block_len);
    snappy_status packing =
        snappy_compress((const char *)(size > 0 ? data + 1 : data), message_len, block, &block_len);
    assert(packing == SNAPPY_OK);
    struct arena *arena = arena_create(ceiling);
    struct write_batch batch = {0};
    struct error err = {0};
    enum status status = remote_write_decode(version, block, block_len, &limits, arena, &batch, &err);
    if (status == STATUS_OK)
        check_batch(&batch);
    else
        assert(err.status == status && err.text[0] &&
               (status == STATUS_INVALID || status == STATUS_TOO_LARGE));
    arena_destroy(arena);
    free(block);
    return 0;
}
