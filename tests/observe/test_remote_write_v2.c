/* src/observe/remote_write, version 2.0: symbols, references, and what is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "observe/remote_write.h"
#include "support/write_body.h"

static const struct remote_write_limits limits = {
    .max_decoded_bytes = 1 << 20,
    .max_labels_per_series = 4,
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

static struct decoded decode(const struct write_body *message) {
    struct write_body block = write_body_compress(message);
    struct decoded out = {.arena = arena_create(4 << 20)};
    out.status = remote_write_decode(REMOTE_WRITE_2_0, block.bytes, block.length, &limits, out.arena,
                                     &out.batch, &out.err);
    write_body_release(&block);
    return out;
}

/* 0 "", 1 __name__, 2 node_load1, 3 instance, 4 a:9100, 5 "5 min", 6 not UTF-8 */
static const char *const symbols[] = {"",       "__name__",       "node_load1", "instance",
                                      "a:9100", "a label . name", "\xff",       NULL};
#define REFS(...) ((const int[]){__VA_ARGS__, -1})

static struct write_body one_sample(void) {
    struct write_body fields = {0};
    write_body_put_v2_sample(&fields, 1700000000000, 0.5, 1600000000000);
    return fields;
}

static void a_series_is_spelled_out_from_its_symbols(void **state) {
    (void)state;
    for (int packed = 0; packed <= 1; packed++) {
        struct write_body message = {0}, series = {0};
        write_body_put_v2_sample(&series, 1700000000000, 0.5, 1);
        write_body_put_v2_refs(&series, REFS(3, 4, 1, 2), packed);
        write_body_put_v2_sample(&series, 1700000000001, -1, 0);
        write_body_put_field(&message, 5, series.bytes, series.length);
        write_body_add_v2_symbols(&message, symbols); /* fields may come in any order */
        struct decoded got = decode(&message);
        assert_int_equal(got.status, STATUS_OK);
        assert_int_equal(got.batch.series_count, 1);
        const struct write_series *decoded = &got.batch.series[0];
        assert_int_equal(decoded->labels.count, 2);
        assert_memory_equal(decoded->labels.labels[0].name, "__name__", 8);
        assert_memory_equal(decoded->labels.labels[1].value, "a:9100", 6);
        assert_int_equal(decoded->count, 2);
        assert_int_equal(decoded->samples[0].timestamp_ms, 1700000000000);
        assert_true(decoded->samples[0].value == 0.5 && decoded->samples[1].value == -1);
        arena_destroy(got.arena);
        write_body_release(&message);
        write_body_release(&series);
    }
}

static void names_may_be_any_utf8(void **state) {
    (void)state;
    struct write_body message = {0}, fields = one_sample();
    write_body_add_v2_symbols(&message, symbols);
    write_body_add_v2_series(&message, REFS(1, 5, 5, 5), &fields);
    struct decoded got = decode(&message);
    assert_int_equal(got.batch.series_count, 1);
    arena_destroy(got.arena);
    write_body_release(&message);
    write_body_release(&fields);
}

static void a_flaw_is_of_its_series_alone(void **state) {
    (void)state;
    static const struct {
        int refs[12];
        const char *reason;
    } cases[] = {
        {{1, 2, 3, -1}, "3 label references, which is not a number of pairs"},
        {{1, 7, -1}, "refers to symbol 7 of 7"},
        {{1, 2, 2000000000, 4, -1}, "refers to symbol 2000000000 of 7"},
        {{3, 4, -1}, "no metric name"},
        {{-1}, "no metric name"},
        {{1, 2, 0, 4, -1}, "label name is empty"},
        {{1, 2, 3, 6, -1}, "not UTF-8"},
        {{1, 2, 3, 4, 3, 4, -1}, "is there twice"},
        {{1, 2, 2, 2, 3, 3, 4, 4, 5, 5, -1}, "5 labels, the limit is 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct write_body message = {0}, fields = one_sample();
        write_body_add_v2_symbols(&message, symbols);
        write_body_add_v2_series(&message, REFS(1, 2), &fields);
        write_body_add_v2_series(&message, cases[i].refs, &fields);
        write_body_add_v2_series(&message, REFS(1, 2, 3, 4), &fields);
        struct decoded got = decode(&message);
        assert_int_equal(got.status, STATUS_OK);
        assert_int_equal(got.batch.series_count, 2);
        assert_int_equal(got.batch.accepted.samples, 2);
        assert_int_equal(got.batch.refused_series, 1);
        assert_int_equal(got.batch.refused.samples, 1);
        if (!strstr(got.batch.refusal.text, cases[i].reason))
            fail_msg("case %zu: %s", i, got.batch.refusal.text);
        arena_destroy(got.arena);
        write_body_release(&message);
        write_body_release(&fields);
    }
}

/* Appends an exemplar whose label has these references, and metadata with these two. */
static void put_extras(struct write_body *series, const int *exemplar_refs, uint64_t help_ref,
                       uint64_t unit_ref) {
    struct write_body exemplar = {0}, metadata = {0};
    write_body_put_v2_refs(&exemplar, exemplar_refs, 1);
    write_body_put_field(series, 4, exemplar.bytes, exemplar.length);
    write_body_put_varint(&metadata, 3 << 3);
    write_body_put_varint(&metadata, help_ref);
    write_body_put_varint(&metadata, 4 << 3);
    write_body_put_varint(&metadata, unit_ref);
    write_body_put_field(series, 5, metadata.bytes, metadata.length);
    write_body_release(&exemplar);
    write_body_release(&metadata);
}

static void exemplars_histograms_and_metadata_are_checked_and_counted(void **state) {
    (void)state;
    static const struct {
        int exemplar_refs[4];
        uint64_t help_ref, unit_ref;
        bool good;
    } cases[] = {
        {{1, 2, -1}, 5, 0, true},  {{-1}, 0, 0, true},        {{1, -1}, 0, 0, false},
        {{1, 7, -1}, 0, 0, false}, {{1, 2, -1}, 7, 0, false}, {{1, 2, -1}, 0, 4294967295u, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct write_body message = {0}, fields = one_sample();
        put_extras(&fields, cases[i].exemplar_refs, cases[i].help_ref, cases[i].unit_ref);
        write_body_put_field(&fields, 3, "histogram", 9);
        write_body_add_v2_symbols(&message, symbols);
        write_body_add_v2_series(&message, REFS(1, 2), &fields);
        struct decoded got = decode(&message);
        assert_int_equal(got.status, STATUS_OK);
        const struct write_counts *counts = cases[i].good ? &got.batch.accepted : &got.batch.refused;
        if (got.batch.refused_series != !cases[i].good)
            fail_msg("case %zu", i);
        assert_int_equal(counts->samples, 1);
        assert_int_equal(counts->exemplars, 1);
        assert_int_equal(counts->histograms, 1);
        assert_int_equal(counts->metadata, 1);
        arena_destroy(got.arena);
        write_body_release(&message);
        write_body_release(&fields);
    }
}

static void symbols_begin_with_the_empty_string(void **state) {
    (void)state;
    static const char *const without[] = {"__name__", "up", NULL}, *const none[] = {NULL};
    const char *const *tables[] = {without, none};
    for (size_t i = 0; i < 2; i++) {
        struct write_body message = {0}, fields = one_sample();
        write_body_add_v2_symbols(&message, tables[i]);
        write_body_add_v2_series(&message, REFS(0, 1), &fields);
        struct decoded got = decode(&message);
        assert_int_equal(got.status, STATUS_INVALID);
        assert_string_equal(got.err.text, "the symbols do not begin with the empty string");
        arena_destroy(got.arena);
        write_body_release(&message);
        write_body_release(&fields);
    }
    struct write_body empty = {0};
    struct decoded got = decode(&empty);
    assert_int_equal(got.status, STATUS_OK);
    arena_destroy(got.arena);
}

static void one_schema_never_passes_for_the_other(void **state) {
    (void)state;
    struct write_body message = {0};
    write_body_add_sample(&message, 1, 1, "__name__", "up", NULL);
    struct decoded got = decode(&message);
    assert_int_equal(got.batch.series_count, 0);
    assert_int_equal(got.batch.accepted.samples, 0);
    arena_destroy(got.arena);
    write_body_release(&message);
}

static void every_cut_and_every_flipped_bit_is_survived_with_exact_counts(void **state) {
    (void)state;
    struct write_body message = {0}, fields = one_sample();
    put_extras(&fields, REFS(1, 2), 5, 0);
    write_body_add_v2_symbols(&message, symbols);
    write_body_add_v2_series(&message, REFS(1, 2, 3, 4), &fields);
    for (size_t change = 0; change < message.length * 9; change++) {
        bool cuts = change >= message.length * 8;
        struct write_body changed = {0};
        write_body_put(&changed, message.bytes, cuts ? change - message.length * 8 : message.length);
        if (!cuts)
            changed.bytes[change / 8] ^= (unsigned char)(1u << change % 8);
        struct decoded got = decode(&changed);
        size_t samples = 0;
        for (size_t i = 0; got.status == STATUS_OK && i < got.batch.series_count; i++)
            samples += got.batch.series[i].count;
        assert_int_equal(samples, got.batch.accepted.samples);
        assert_int_equal(got.batch.refused_series > 0, got.batch.refusal.status != STATUS_OK);
        arena_destroy(got.arena);
        write_body_release(&changed);
    }
    write_body_release(&message);
    write_body_release(&fields);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_is_spelled_out_from_its_symbols),
        cmocka_unit_test(names_may_be_any_utf8),
        cmocka_unit_test(a_flaw_is_of_its_series_alone),
        cmocka_unit_test(exemplars_histograms_and_metadata_are_checked_and_counted),
        cmocka_unit_test(symbols_begin_with_the_empty_string),
        cmocka_unit_test(one_schema_never_passes_for_the_other),
        cmocka_unit_test(every_cut_and_every_flipped_bit_is_survived_with_exact_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
