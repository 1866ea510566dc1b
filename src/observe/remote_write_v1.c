/* prometheus.WriteRequest, unpacked by protobuf-c. */
#include "observe/write_batch.h"
#include "proto/remote_write.pb-c.h"

static struct label *take_labels(const Prometheus__TimeSeries *from, struct arena *arena) {
    struct label *labels = arena_alloc(arena, from->n_labels * sizeof *labels);
    for (size_t i = 0; labels && i < from->n_labels; i++)
        labels[i] = (struct label){.name = (const char *)from->labels[i]->name.data,
                                   .name_len = from->labels[i]->name.len,
                                   .value = (const char *)from->labels[i]->value.data,
                                   .value_len = from->labels[i]->value.len};
    return labels;
}

static struct sample *take_samples(const Prometheus__TimeSeries *from, struct arena *arena) {
    struct sample *samples = arena_alloc(arena, from->n_samples * sizeof *samples);
    for (size_t i = 0; samples && i < from->n_samples; i++)
        samples[i] =
            (struct sample){.timestamp_ms = from->samples[i]->timestamp, .value = from->samples[i]->value};
    return samples;
}

enum status remote_write_unpack_v1(const unsigned char *message, size_t length,
                                   const struct remote_write_limits *limits, struct arena *arena,
                                   struct write_batch *batch, struct error *err) {
    ProtobufCAllocator allocator = ARENA_ALLOCATOR(arena);
    const Prometheus__WriteRequest *request = prometheus__write_request__unpack(&allocator, length, message);
    if (!request)
        return unpack_failed(arena, "prometheus.WriteRequest", err);
    size_t samples = 0;
    for (size_t i = 0; i < request->n_timeseries; i++)
        samples += request->timeseries[i]->n_samples;
    struct batch_builder builder;
    enum status status = batch_begin(&builder, limits, arena, request->n_timeseries, samples, err);
    if (status != STATUS_OK)
        return status;
    builder.batch.accepted.metadata = request->n_metadata;
    for (size_t i = 0; i < request->n_timeseries; i++) {
        const Prometheus__TimeSeries *from = request->timeseries[i];
        struct raw_series raw = {.labels = take_labels(from, arena),
                                 .label_count = from->n_labels,
                                 .samples = take_samples(from, arena),
                                 .counts = {.samples = from->n_samples,
                                            .histograms = from->n_histograms,
                                            .exemplars = from->n_exemplars}};
        if (arena_is_exhausted(arena))
            return arena_is_too_small(err);
        batch_add(&builder, &raw, i);
    }
    return batch_end(&builder, batch, err);
}
