#include "support/write_body.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>

#include "base/alloc.h"

enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_LENGTH = 2 };

void write_body_put(struct write_body *body, const void *bytes, size_t length) {
    body->bytes = xrealloc(body->bytes, body->length + length, 1);
    if (length > 0)
        memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
}

void write_body_put_varint(struct write_body *body, uint64_t value) {
    do {
        unsigned char byte = (unsigned char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        write_body_put(body, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

void write_body_put_field(struct write_body *body, unsigned field, const void *bytes, size_t length) {
    write_body_put_varint(body, field << 3 | WIRE_LENGTH);
    write_body_put_varint(body, length);
    write_body_put(body, bytes, length);
}

uint64_t double_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void put_label(struct write_body *series, const char *name, const char *value) {
    struct write_body label = {0};
    write_body_put_field(&label, 1, name, strlen(name));
    write_body_put_field(&label, 2, value, strlen(value));
    write_body_put_field(series, 1, label.bytes, label.length);
    write_body_release(&label);
}

/* As Go's generated code does, zero values are left out (proto3). */
static void put_sample(struct write_body *series, const struct body_sample *from) {
    struct write_body sample = {0};
    if (from->value_bits) {
        write_body_put_varint(&sample, 1 << 3 | WIRE_64BIT);
        write_body_put(&sample, &from->value_bits, sizeof from->value_bits);
    }
    if (from->timestamp_ms) {
        write_body_put_varint(&sample, 2 << 3 | WIRE_VARINT);
        write_body_put_varint(&sample, (uint64_t)from->timestamp_ms);
    }
    write_body_put_field(series, 2, sample.bytes, sample.length);
    write_body_release(&sample);
}

void write_body_add_series(struct write_body *body, const char *const *labels,
                           const struct body_sample *samples, size_t count) {
    struct write_body series = {0};
    for (; *labels; labels += 2)
        put_label(&series, labels[0], labels[1]);
    for (size_t i = 0; i < count; i++)
        put_sample(&series, &samples[i]);
    write_body_put_field(body, 1, series.bytes, series.length);
    write_body_release(&series);
}

void write_body_add_sample(struct write_body *body, int64_t timestamp_ms, double value, ...) {
    const char *labels[64];
    size_t count = 0;
    va_list args;
    va_start(args, value);
    do {
        assert(count < sizeof labels / sizeof labels[0]);
        labels[count] = va_arg(args, const char *);
    } while (labels[count++]);
    va_end(args);
    struct body_sample sample = {timestamp_ms, double_bits(value)};
    write_body_add_series(body, labels, &sample, 1);
}

void write_body_add_v2_symbols(struct write_body *body, const char *const *symbols) {
    for (; *symbols; symbols++)
        write_body_put_field(body, 4, *symbols, strlen(*symbols));
}

void write_body_put_v2_refs(struct write_body *series, const int *refs, int packed) {
    struct write_body list = {0};
    for (; *refs >= 0; refs++) {
        if (!packed)
            write_body_put_varint(series, 1 << 3 | WIRE_VARINT);
        write_body_put_varint(packed ? &list : series, (uint64_t)*refs);
    }
    if (packed)
        write_body_put_field(series, 1, list.bytes, list.length);
    write_body_release(&list);
}

void write_body_put_v2_sample(struct write_body *series, int64_t timestamp_ms, double value,
                              int64_t start_ms) {
    struct write_body sample = {0};
    uint64_t bits = double_bits(value);
    write_body_put_varint(&sample, 1 << 3 | WIRE_64BIT);
    write_body_put(&sample, &bits, sizeof bits);
    write_body_put_varint(&sample, 2 << 3 | WIRE_VARINT);
    write_body_put_varint(&sample, (uint64_t)timestamp_ms);
    write_body_put_varint(&sample, 3 << 3 | WIRE_VARINT);
    write_body_put_varint(&sample, (uint64_t)start_ms);
    write_body_put_field(series, 2, sample.bytes, sample.length);
    write_body_release(&sample);
}

void write_body_add_v2_series(struct write_body *body, const int *refs, const struct write_body *fields) {
    struct write_body series = {0};
    write_body_put_v2_refs(&series, refs, 1);
    write_body_put(&series, fields->bytes, fields->length);
    write_body_put_field(body, 5, series.bytes, series.length);
    write_body_release(&series);
}

struct write_body write_body_compress(const struct write_body *message) {
    struct write_body block = {.length = snappy_max_compressed_length(message->length)};
    block.bytes = xcalloc(1, block.length);
    snappy_status status =
        snappy_compress((const char *)message->bytes, message->length, (char *)block.bytes, &block.length);
    assert(status == SNAPPY_OK);
    (void)status;
    return block;
}

void write_body_release(struct write_body *body) {
    free(body->bytes);
    *body = (struct write_body){0};
}
