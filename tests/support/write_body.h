/* tests/support/write_body.h - remote write 1.0 bodies, byte by byte.
 *
 * Written without protobuf-c, so that the decoder under test is not compared with itself; and able to write
 * what no library would: labels in any order, twice, or broken. */
#ifndef SENTINEL_TESTS_WRITE_BODY_H
#define SENTINEL_TESTS_WRITE_BODY_H

#include <stddef.h>
#include <stdint.h>

/* Grows as needed. Zero-initialise; write_body_release() frees it. */
struct write_body {
    unsigned char *bytes;
    size_t length;
};

void write_body_put(struct write_body *body, const void *bytes, size_t length);
void write_body_put_varint(struct write_body *body, uint64_t value);
/* A length-delimited field. */
void write_body_put_field(struct write_body *body, unsigned field, const void *bytes, size_t length);

struct body_sample {
    int64_t timestamp_ms;
    uint64_t value_bits; /* so that NaNs go through as they are */
};
uint64_t double_bits(double value);

/* One TimeSeries. `labels` are "name", "value" pairs, ended by NULL, written in the order given. */
void write_body_add_series(struct write_body *body, const char *const *labels,
                           const struct body_sample *samples, size_t count);
/* The same with one sample and labels from arguments: name, value, ..., NULL. */
void write_body_add_sample(struct write_body *body, int64_t timestamp_ms, double value, ...)
    __attribute__((sentinel));

/* The message as a Snappy block; the caller releases it. */
struct write_body write_body_compress(const struct write_body *message);
void write_body_release(struct write_body *body);

#endif
