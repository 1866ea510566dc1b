/* tests/support/write_body.h - remote write bodies, byte by byte.
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

/* Remote write 2.0. Symbols: texts, ended by NULL. A series: references ended by -1, packed or one by one,
 * and fields of its own that the caller has written (write_body_put_v2_sample() and the like). */
void write_body_add_v2_symbols(struct write_body *body, const char *const *symbols);
void write_body_put_v2_refs(struct write_body *series, const int *refs, int packed);
void write_body_put_v2_sample(struct write_body *series, int64_t timestamp_ms, double value,
                              int64_t start_ms);
void write_body_add_v2_series(struct write_body *body, const int *refs, const struct write_body *fields);

/* The message as a Snappy block; the caller releases it. */
struct write_body write_body_compress(const struct write_body *message);
void write_body_release(struct write_body *body);

#endif
