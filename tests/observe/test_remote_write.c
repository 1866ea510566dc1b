/* src/observe/remote_write and snappy_block: one body becomes one batch. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "observe/remote_write.h"
#include "observe/snappy_block.h"
#include "support/write_body.h"

static const struct remote_write_limits limits = {
    .max_decoded_bytes = 1 << 20,
    .max_labels_per_series = 8,
    .max_label_name_bytes = 32,
    .max_label_value_bytes = 64,
    .max_samples = 100,
};

struct decoded {
    struct arena *arena;
    struct write_batch batch;
    struct error err;
    enum status status;
};

/* Decodes a copy that is exactly as long as the body, so that the sanitizer sees a read beyond it. */
static struct decoded decode_within(const struct write_body *message, size_t arena_bytes) {
    struct write_body block = write_body_compress(message);
    unsigned char *tight = xcalloc(1, block.length);
    memcpy(tight, block.bytes, block.length);
    struct decoded out = {.arena = arena_create(arena_bytes)};
    out.status =
        remote_write_decode(REMOTE_WRITE_1_0, tight, block.length, &limits, out.arena, &out.batch, &out.err);
    free(tight);
    write_body_release(&block);
    return out;
}

static struct decoded decode(const struct write_body *message) {
    return decode_within(message, 4 << 20);
}

static void assert_label(const struct label *label, const char *name, const char *value) {
    assert_int_equal(label->name_len, strlen(name));
    assert_memory_equal(label->name, name, label->name_len);
    assert_int_equal(label->value_len, strlen(value));
    assert_memory_equal(label->value, value, label->value_len);
}

static void a_series_arrives_with_its_labels_and_samples(void **state) {
    (void)state;
    struct write_body message = {0};
    static const char *const labels[] = {"__name__", "up", "instance", "a:9100", "job", "node", NULL};
    struct body_sample samples[] = {
        {1000, double_bits(1.5)}, {2000, double_bits(-0.0)}, {0, 0}, {-5, double_bits(3)}};
    write_body_add_series(&message, labels, samples, 4);
    struct decoded got = decode(&message);
    assert_int_equal(got.status, STATUS_OK);
    assert_int_equal(got.batch.series_count, 1);
    assert_int_equal(got.batch.accepted.samples, 4);
    const struct write_series *series = &got.batch.series[0];
    assert_int_equal(series->labels.count, 3);
    assert_label(&series->labels.labels[0], "__name__", "up");
    assert_label(&series->labels.labels[2], "job", "node");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(series->samples[i].timestamp_ms, samples[i].timestamp_ms);
        assert_int_equal(double_bits(series->samples[i].value), samples[i].value_bits);
    }
    arena_destroy(got.arena);
    write_body_release(&message);
}

static void labels_in_any_order_are_sorted(void **state) {
    (void)state;
    struct write_body message = {0};
    write_body_add_sample(&message, 1, 1, "zone", "z", "__name__", "up", "a", "1", "aa", "2", NULL);
    struct decoded got = decode(&message);
    assert_int_equal(got.batch.series_count, 1);
    static const char *const order[] = {"__name__", "a", "aa", "zone"};
    for (size_t i = 0; i < 4; i++)
        assert_memory_equal(got.batch.series[0].labels.labels[i].name, order[i], strlen(order[i]));
    arena_destroy(got.arena);
    write_body_release(&message);
}

static void a_label_without_a_value_is_no_label(void **state) {
    (void)state;
    struct write_body message = {0};
    write_body_add_sample(&message, 1, 1, "__name__", "up", "empty", "", NULL);
    struct decoded got = decode(&message);
    assert_int_equal(got.batch.series_count, 1);
    assert_int_equal(got.batch.series[0].labels.count, 1);
    arena_destroy(got.arena);
    write_body_release(&message);
}

static void special_values_are_kept_bit_for_bit(void **state) {
    (void)state;
    static const uint64_t bits[] = {UINT64_C(0x7ff0000000000002), UINT64_C(0x7ff8000000000001),
                                    UINT64_C(0x7ff0000000000000), UINT64_C(0xfff0000000000000),
                                    UINT64_C(0xfff8000000000000), 1};
    struct write_body message = {0};
    static const char *const labels[] = {"__name__", "up", NULL};
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        write_body_add_series(&message, labels, &(struct body_sample){1, bits[i]}, 1);
    struct decoded got = decode(&message);
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        assert_int_equal(double_bits(got.batch.series[i].samples[0].value), bits[i]);
        assert_int_equal(sample_is_stale_marker(got.batch.series[i].samples[0].value), i == 0);
    }
    arena_destroy(got.arena);
    write_body_release(&message);
}

static void a_series_that_breaks_a_rule_is_refused_and_the_others_are_kept(void **state) {
    (void)state;
    static const char *const long_name = "a_name_that_is_longer_than_thirty_two_bytes";
    static const char *const long_value =
        "0123456789012345678901234567890123456789012345678901234567890123456789";
    static const struct {
        const char *labels[20];
        const char *reason;
    } cases[] = {
        {{"job", "x", NULL}, "no metric name"},
        {{"__name__", "", NULL}, "no metric name"},
        {{NULL}, "no metric name"},
        {{"__name__", "up", "", "x", NULL}, "label name is empty"},
        {{"__name__", "up", "a", "1", "a", "2", NULL}, "\"a\" is there twice"},
        {{"a", "1", "__name__", "up", "a", "1", NULL}, "\"a\" is there twice"},
        {{"__name__", "up", "b\xff", "1", NULL}, "not UTF-8"},
        {{"__name__", "up", "b", "\xc0\x80", NULL}, "value of label \"b\" is not UTF-8"},
        {{"__name__", "up", long_name, "1", NULL}, "43 bytes, the limit is 32"},
        {{"__name__", "up", "b", long_value, NULL}, "70 bytes, the limit is 64"},
        {{"__name__", "u", "a", "1", "b", "1", "c", "1", "d", "1", "e", "1", "f", "1", "g", "1", "h", "1",
          NULL},
         "9 labels, the limit is 8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct write_body message = {0};
        struct body_sample samples[2] = {{1, 0}, {2, 0}};
        write_body_add_sample(&message, 1, 1, "__name__", "good", NULL);
        write_body_add_series(&message, cases[i].labels, samples, 2);
        write_body_add_sample(&message, 1, 1, "__name__", "good_too", NULL);
        struct decoded got = decode(&message);
        assert_int_equal(got.status, STATUS_OK);
        assert_int_equal(got.batch.series_count, 2);
        assert_int_equal(got.batch.accepted.samples, 2);
        assert_int_equal(got.batch.refused_series, 1);
        assert_int_equal(got.batch.refused.samples, 2);
        assert_int_equal(got.batch.refusal.status, STATUS_INVALID);
        if (!strstr(got.batch.refusal.text, cases[i].reason))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, got.batch.refusal.text, cases[i].reason);
        assert_int_equal(remote_write_http_status(got.status, got.batch.refused_series), 400);
        arena_destroy(got.arena);
        write_body_release(&message);
    }
}

static void the_first_refusal_names_its_series(void **state) {
    (void)state;
    struct write_body message = {0};
    write_body_add_sample(&message, 1, 1, "__name__", "good", NULL);
    write_body_add_sample(&message, 1, 1, "__name__", "bad", "x", "1", "x", "1", NULL);
    write_body_add_sample(&message, 1, 1, "y", "1", NULL);
    struct decoded got = decode(&message);
    assert_string_equal(got.batch.refusal.text, "label name \"x\" is there twice; series 1, bad");
    assert_int_equal(got.batch.refused_series, 2);
    arena_destroy(got.arena);
    write_body_release(&message);
}

static void what_is_not_used_is_counted(void **state) {
    (void)state;
    struct write_body message = {0}, series = {0}, label = {0};
    write_body_put_field(&label, 1, "__name__", 8);
    write_body_put_field(&label, 2, "h", 1);
    write_body_put_field(&series, 1, label.bytes, label.length);
    write_body_put_field(&series, 3, "exemplar", 8);
    write_body_put_field(&series, 4, "histogram", 9);
    write_body_put_field(&series, 4, "histogram", 9);
    write_body_put_field(&series, 99, "from the future", 15);
    write_body_put_field(&message, 1, series.bytes, series.length);
    write_body_put_field(&message, 3, "metadata", 8);
    write_body_put_field(&message, 99, "from the future", 15);
    struct decoded got = decode(&message);
    assert_int_equal(got.status, STATUS_OK);
    assert_int_equal(got.batch.accepted.exemplars, 1);
    assert_int_equal(got.batch.accepted.histograms, 2);
    assert_int_equal(got.batch.accepted.metadata, 1);
    assert_int_equal(got.batch.accepted.samples, 0);
    assert_int_equal(remote_write_http_status(got.status, got.batch.refused_series), 204);
    arena_destroy(got.arena);
    write_body_release(&message);
    write_body_release(&series);
    write_body_release(&label);
}

static void an_empty_request_is_fine(void **state) {
    (void)state;
    struct write_body message = {0};
    struct decoded got = decode(&message);
    assert_int_equal(got.status, STATUS_OK);
    assert_int_equal(got.batch.series_count, 0);
    arena_destroy(got.arena);
}

static void limits_of_the_whole_request_are_413(void **state) {
    (void)state;
    struct write_body message = {0};
    static const char *const labels[] = {"__name__", "up", NULL};
    struct body_sample samples[101] = {{0}};
    write_body_add_series(&message, labels, samples, 101);
    struct decoded got = decode(&message);
    assert_int_equal(got.status, STATUS_TOO_LARGE);
    assert_non_null(strstr(got.err.text, "101 samples in one request, the limit is 100"));
    assert_int_equal(remote_write_http_status(got.status, 0), 413);
    arena_destroy(got.arena);
    write_body_release(&message);
}

/* Whatever the ceiling, the answer is the batch or STATUS_TOO_LARGE: never a crash, never a part of it. */
static void every_arena_ceiling_gives_the_batch_or_a_413(void **state) {
    (void)state;
    struct write_body message = {0};
    for (int i = 0; i < 20; i++)
        write_body_add_sample(&message, i, i, "z", "1", "__name__", "up", "a", "2", NULL);
    write_body_put_field(&message, 99, "unknown", 7);
    size_t refused = 0, accepted = 0;
    for (size_t ceiling = 0; ceiling < 16 * 1024; ceiling += 16) {
        struct decoded got = decode_within(&message, ceiling);
        if (got.status == STATUS_OK) {
            accepted++;
            assert_int_equal(got.batch.accepted.samples, 20);
            assert_int_equal(got.batch.refused_series, 0);
        } else {
            refused++;
            assert_int_equal(got.status, STATUS_TOO_LARGE);
        }
        arena_destroy(got.arena);
    }
    assert_true(refused > 0 && accepted > 0);
    write_body_release(&message);
}

static struct write_body small_message(void) {
    struct write_body message = {0};
    write_body_add_sample(&message, 1700000000000, 0.5, "__name__", "node_load1", "instance", "a:9100", NULL);
    write_body_add_sample(&message, 1700000000000, 7, "__name__", "node_load5", "instance", "a:9100", NULL);
    return message;
}

static void check_counts(const struct decoded *got) {
    if (got->status != STATUS_OK) {
        assert_true(got->err.text[0]);
        return;
    }
    size_t samples = 0;
    for (size_t i = 0; i < got->batch.series_count; i++)
        samples += got->batch.series[i].count;
    assert_int_equal(samples, got->batch.accepted.samples);
    assert_int_equal(got->batch.refused_series > 0, got->batch.refusal.status != STATUS_OK);
}

static void every_truncation_of_a_message_is_refused_or_counted_exactly(void **state) {
    (void)state;
    struct write_body message = small_message();
    size_t first_series = 2 + message.bytes[1]; /* tag, length, series */
    for (size_t length = 0; length < message.length; length++) {
        struct write_body part = {message.bytes, length};
        struct decoded got = decode(&part);
        check_counts(&got);
        bool is_whole = length == 0 || length == first_series;
        assert_int_equal(got.status, is_whole ? STATUS_OK : STATUS_INVALID);
        arena_destroy(got.arena);
    }
    write_body_release(&message);
}

static void every_truncation_of_a_body_is_refused(void **state) {
    (void)state;
    struct write_body message = small_message(), block = write_body_compress(&message);
    for (size_t length = 0; length < block.length; length++) {
        unsigned char *tight = xcalloc(1, length);
        memcpy(tight, block.bytes, length);
        struct arena *arena = arena_create(1 << 20);
        struct write_batch batch;
        struct error err;
        assert_int_equal(remote_write_decode(REMOTE_WRITE_1_0, tight, length, &limits, arena, &batch, &err),
                         STATUS_INVALID);
        arena_destroy(arena);
        free(tight);
    }
    write_body_release(&block);
    write_body_release(&message);
}

static void every_flipped_bit_is_survived_with_exact_counts(void **state) {
    (void)state;
    struct write_body message = small_message();
    for (size_t bit = 0; bit < message.length * 8; bit++) {
        message.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        struct decoded got = decode(&message);
        check_counts(&got);
        arena_destroy(got.arena);
        message.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    struct write_body block = write_body_compress(&message);
    for (size_t bit = 0; bit < block.length * 8; bit++) {
        block.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        struct decoded got = {.arena = arena_create(1 << 20)};
        got.status = remote_write_decode(REMOTE_WRITE_1_0, block.bytes, block.length, &limits, got.arena,
                                         &got.batch, &got.err);
        check_counts(&got);
        arena_destroy(got.arena);
        block.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    write_body_release(&block);
    write_body_release(&message);
}

static void only_a_snappy_block_is_read(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        enum status status;
    } cases[] = {
        {"", 0, STATUS_INVALID},
        {"\x00", 1, STATUS_OK},
        {"\xff\xff\xff\xff\x0f", 5, STATUS_TOO_LARGE},           /* 4 GiB in five bytes */
        {"\xff\xff\xff\xff\xff\xff\xff\xff", 8, STATUS_INVALID}, /* a length that never ends */
        {"\x80\x80\x20", 3, STATUS_INVALID},                     /* 512 KiB in three bytes */
        {"\xff\x06\x00\x00sNaPpY", 10, STATUS_INVALID},          /* the framed format */
        {"\x0a\x05plain", 7, STATUS_INVALID},                    /* not compressed at all */
        {"\x05\x10plain", 7, STATUS_OK},
        {"\x05\x10plain\x00", 8, STATUS_INVALID}, /* a byte too many */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_create(1 << 20);
        const unsigned char *out;
        size_t length;
        struct error err;
        if (snappy_block_decode(cases[i].bytes, cases[i].length, 1 << 20, arena, &out, &length, &err) !=
            cases[i].status)
            fail_msg("case %zu", i);
        if (cases[i].status != STATUS_OK)
            assert_true(arena_used_bytes(arena) < 4096);
        arena_destroy(arena);
    }
}

/* fluent-bit takes a block of 127 bytes (length prefix 0x7f, or 0xff 0x..) for the framed format. */
static void a_block_whose_first_byte_is_0xff_is_a_block(void **state) {
    (void)state;
    struct write_body message = {0};
    unsigned char filler[255] = {0};
    write_body_put(&message, filler, sizeof filler);
    struct write_body block = write_body_compress(&message);
    assert_int_equal(block.bytes[0], 0xff);
    struct arena *arena = arena_create(1 << 20);
    const unsigned char *out;
    size_t length;
    assert_int_equal(snappy_block_decode(block.bytes, block.length, 1 << 20, arena, &out, &length, NULL),
                     STATUS_OK);
    assert_int_equal(length, 255);
    arena_destroy(arena);
    write_body_release(&block);
    write_body_release(&message);
}

static void every_status_has_its_http_answer(void **state) {
    (void)state;
    assert_int_equal(remote_write_http_status(STATUS_OK, 0), 204);
    assert_int_equal(remote_write_http_status(STATUS_OK, 1), 400);
    assert_int_equal(remote_write_http_status(STATUS_INVALID, 0), 400);
    assert_int_equal(remote_write_http_status(STATUS_TOO_LARGE, 0), 413);
    assert_int_equal(remote_write_http_status(STATUS_BUSY, 0), 503);
    assert_int_equal(remote_write_http_status(STATUS_UNAVAILABLE, 0), 503);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_arrives_with_its_labels_and_samples),
        cmocka_unit_test(labels_in_any_order_are_sorted),
        cmocka_unit_test(a_label_without_a_value_is_no_label),
        cmocka_unit_test(special_values_are_kept_bit_for_bit),
        cmocka_unit_test(a_series_that_breaks_a_rule_is_refused_and_the_others_are_kept),
        cmocka_unit_test(the_first_refusal_names_its_series),
        cmocka_unit_test(what_is_not_used_is_counted),
        cmocka_unit_test(an_empty_request_is_fine),
        cmocka_unit_test(limits_of_the_whole_request_are_413),
        cmocka_unit_test(every_arena_ceiling_gives_the_batch_or_a_413),
        cmocka_unit_test(every_truncation_of_a_message_is_refused_or_counted_exactly),
        cmocka_unit_test(every_truncation_of_a_body_is_refused),
        cmocka_unit_test(every_flipped_bit_is_survived_with_exact_counts),
        cmocka_unit_test(only_a_snappy_block_is_read),
        cmocka_unit_test(a_block_whose_first_byte_is_0xff_is_a_block),
        cmocka_unit_test(every_status_has_its_http_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
