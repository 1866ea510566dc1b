/* io.prometheus.write.v2.Request, unpacked by protobuf-c.
 *
 * Remote write 2.0, "Symbols": texts are references into one table whose first entry is the empty string.
 * Every reference is checked, those of exemplars and metadata too: a reference beyond the table, or half a
 * label, is a flaw of its series. */
#include "observe/write_batch.h"
#include "proto/remote_write_v2.pb-c.h"

typedef Io__Prometheus__Write__V2__Request Request;
typedef Io__Prometheus__Write__V2__TimeSeries TimeSeries;

static enum status check_refs(const uint32_t *refs, size_t count, size_t symbols, const char *whose,
                              struct error *err) {
    if (count % 2 != 0)
        return error_set(err, STATUS_INVALID, "%s has %zu label references, which is not a number of pairs",
                         whose, count);
    for (size_t i = 0; i < count; i++)
        if (refs[i] >= symbols)
            return error_set(err, STATUS_INVALID, "%s refers to symbol %u of %zu", whose, refs[i], symbols);
    return STATUS_OK;
}

static enum status check_all_refs(const TimeSeries *from, size_t symbols, struct error *err) {
    enum status status = check_refs(from->labels_refs, from->n_labels_refs, symbols, "the series", err);
    for (size_t i = 0; i < from->n_exemplars && status == STATUS_OK; i++)
        status = check_refs(from->exemplars[i]->labels_refs, from->exemplars[i]->n_labels_refs, symbols,
                            "an exemplar", err);
    if (status == STATUS_OK && from->metadata &&
        (from->metadata->help_ref >= symbols || from->metadata->unit_ref >= symbols))
        status = error_set(err, STATUS_INVALID, "the metadata refers to a symbol beyond the %zu there are",
                           symbols);
    return status;
}

/* For references that check_refs() has passed. */
static struct label *take_labels(const TimeSeries *from, const ProtobufCBinaryData *symbols,
                                 struct arena *arena) {
    size_t count = from->n_labels_refs / 2;
    struct label *labels = arena_alloc(arena, count * sizeof *labels);
    for (size_t i = 0; labels && i < count; i++) {
        const ProtobufCBinaryData *name = &symbols[from->labels_refs[2 * i]];
        const ProtobufCBinaryData *value = &symbols[from->labels_refs[2 * i + 1]];
        labels[i] = (struct label){.name = (const char *)name->data,
                                   .name_len = name->len,
                                   .value = (const char *)value->data,
                                   .value_len = value->len};
    }
    return labels;
}

static struct sample *take_samples(const TimeSeries *from, struct arena *arena) {
    struct sample *samples = arena_alloc(arena, from->n_samples * sizeof *samples);
    for (size_t i = 0; samples && i < from->n_samples; i++)
        samples[i] =
            (struct sample){.timestamp_ms = from->samples[i]->timestamp, .value = from->samples[i]->value};
    return samples;
}

static struct raw_series take_series(const TimeSeries *from, const Request *request, struct arena *arena) {
    struct raw_series raw = {.counts = {.samples = from->n_samples,
                                        .histograms = from->n_histograms,
                                        .exemplars = from->n_exemplars,
                                        .metadata = from->metadata ? 1 : 0}};
    if (check_all_refs(from, request->n_symbols, &raw.flaw) != STATUS_OK)
        return raw;
    raw.labels = take_labels(from, request->symbols, arena);
    raw.label_count = from->n_labels_refs / 2;
    raw.samples = take_samples(from, arena);
    return raw;
}

enum status remote_write_unpack_v2(const unsigned char *message, size_t length,
                                   const struct remote_write_limits *limits, struct arena *arena,
                                   struct write_batch *batch, struct error *err) {
    ProtobufCAllocator allocator = ARENA_ALLOCATOR(arena);
    const Request *request = io__prometheus__write__v2__request__unpack(&allocator, length, message);
    if (!request)
        return unpack_failed(arena, "io.prometheus.write.v2.Request", err);
    if (request->n_timeseries > 0 && (request->n_symbols == 0 || request->symbols[0].len > 0))
        return error_set(err, STATUS_INVALID, "the symbols do not begin with the empty string");
    size_t samples = 0;
    for (size_t i = 0; i < request->n_timeseries; i++)
        samples += request->timeseries[i]->n_samples;
    struct batch_builder builder;
    enum status status = batch_begin(&builder, limits, arena, request->n_timeseries, samples, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < request->n_timeseries; i++) {
        struct raw_series raw = take_series(request->timeseries[i], request, arena);
        if (arena_is_exhausted(arena))
            return arena_is_too_small(err);
        batch_add(&builder, &raw, i);
    }
    return batch_end(&builder, batch, err);
}
