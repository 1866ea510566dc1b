#include "observe/remote_write.h"

#include <stdlib.h>
#include <string.h>

#include "observe/snappy_block.h"
#include "observe/utf8.h"
#include "proto/remote_write.pb-c.h"

/* The body goes through two steps: protobuf-c turns bytes into messages, and then each series is judged by
 * itself. protobuf-c allocates from the request's arena. When that is exhausted its allocator returns NULL;
 * protobuf_c_message_unpack() then frees what it has (a no-op here) and returns NULL, exactly as for broken
 * bytes, so the arena is asked which of the two it was. */

static void *allocate(void *arena, size_t bytes) {
    return arena_alloc(arena, bytes);
}

static void release(void *arena, void *memory) {
    (void)arena;
    (void)memory;
}

/* Why a series was left out: enough for its sender to find it. */
enum { QUOTED_SIZE = 48 };

static const char *quote(const ProtobufCBinaryData *text, char out[QUOTED_SIZE]) {
    return utf8_printable((const char *)text->data, text->len, out, QUOTED_SIZE);
}

static bool is_text(const ProtobufCBinaryData *text) {
    return utf8_is_valid((const char *)text->data, text->len);
}

static enum status check_label(const Prometheus__Label *label, const struct remote_write_limits *limits,
                               struct error *err) {
    char name[QUOTED_SIZE];
    if (label->name.len == 0)
        return error_set(err, STATUS_INVALID, "a label name is empty");
    if (label->name.len > limits->max_label_name_bytes)
        return error_set(err, STATUS_INVALID, "label name \"%s\" has %zu bytes, the limit is %zu",
                         quote(&label->name, name), label->name.len, limits->max_label_name_bytes);
    if (label->value.len > limits->max_label_value_bytes)
        return error_set(err, STATUS_INVALID, "the value of label \"%s\" has %zu bytes, the limit is %zu",
                         quote(&label->name, name), label->value.len, limits->max_label_value_bytes);
    if (!is_text(&label->name))
        return error_set(err, STATUS_INVALID, "label name \"%s\" is not UTF-8", quote(&label->name, name));
    if (!is_text(&label->value))
        return error_set(err, STATUS_INVALID, "the value of label \"%s\" is not UTF-8",
                         quote(&label->name, name));
    return STATUS_OK;
}

static int compare_names(const struct label *a, const struct label *b) {
    size_t shorter = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = memcmp(a->name, b->name, shorter);
    return order ? order : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

static int compare_labels(const void *a, const void *b) {
    return compare_names(a, b);
}

/* Senders should sort; some do not (the official compliance suite sends in map order), so we do. */
static void sort_labels(struct label *labels, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (compare_names(&labels[i - 1], &labels[i]) > 0) {
            qsort(labels, count, sizeof *labels, compare_labels);
            return;
        }
}

/* Sorted labels in, their own rules judged: a metric name, and no name twice. */
static enum status check_label_set(const struct label_set *set, struct error *err) {
    bool has_metric_name = false;
    for (size_t i = 0; i < set->count; i++) {
        const struct label *label = &set->labels[i];
        if (i > 0 && compare_names(&set->labels[i - 1], label) == 0) {
            char name[QUOTED_SIZE];
            return error_set(err, STATUS_INVALID, "label name \"%s\" is there twice",
                             utf8_printable(label->name, label->name_len, name, sizeof name));
        }
        if (label->name_len == strlen("__name__") && memcmp(label->name, "__name__", label->name_len) == 0)
            has_metric_name = true;
    }
    return has_metric_name ? STATUS_OK
                           : error_set(err, STATUS_INVALID, "there is no metric name (label __name__)");
}

/* An empty value says the same as no label (Prometheus' data model), so such a label is dropped: both must be
 * one series here too. */
static enum status take_labels(const Prometheus__TimeSeries *from, const struct remote_write_limits *limits,
                               struct arena *arena, struct label_set *out, struct error *err) {
    if (from->n_labels > limits->max_labels_per_series)
        return error_set(err, STATUS_INVALID, "%zu labels, the limit is %zu", from->n_labels,
                         limits->max_labels_per_series);
    struct label *labels = arena_alloc(arena, from->n_labels * sizeof *labels);
    if (!labels)
        return STATUS_TOO_LARGE;
    size_t count = 0;
    for (size_t i = 0; i < from->n_labels; i++) {
        const Prometheus__Label *label = from->labels[i];
        enum status status = check_label(label, limits, err);
        if (status != STATUS_OK)
            return status;
        if (label->value.len > 0)
            labels[count++] = (struct label){.name = (const char *)label->name.data,
                                             .name_len = label->name.len,
                                             .value = (const char *)label->value.data,
                                             .value_len = label->value.len};
    }
    sort_labels(labels, count);
    *out = (struct label_set){.labels = labels, .count = count};
    return check_label_set(out, err);
}

static enum status take_samples(const Prometheus__TimeSeries *from, struct arena *arena,
                                struct write_series *out) {
    struct sample *samples = arena_alloc(arena, from->n_samples * sizeof *samples);
    if (!samples)
        return STATUS_TOO_LARGE;
    for (size_t i = 0; i < from->n_samples; i++)
        samples[i] =
            (struct sample){.timestamp_ms = from->samples[i]->timestamp, .value = from->samples[i]->value};
    out->samples = samples;
    out->count = from->n_samples;
    return STATUS_OK;
}

/* The metric name of a series that is refused, if it has one that can be shown. */
static const char *metric_name(const Prometheus__TimeSeries *series, char out[QUOTED_SIZE]) {
    for (size_t i = 0; i < series->n_labels; i++) {
        const ProtobufCBinaryData *name = &series->labels[i]->name;
        if (name->len == strlen("__name__") && memcmp(name->data, "__name__", name->len) == 0)
            return quote(&series->labels[i]->value, out);
    }
    return "without a name";
}

static void refuse(struct write_batch *batch, const Prometheus__TimeSeries *series, size_t index,
                   const struct error *reason) {
    if (batch->refused_series == 0) {
        char metric[QUOTED_SIZE];
        error_set(&batch->refusal, reason->status, "%.110s; series %zu, %s", reason->text, index,
                  metric_name(series, metric));
    }
    batch->refused_series++;
    batch->refused_samples += series->n_samples;
}

static enum status take_series(const Prometheus__TimeSeries *from, const struct remote_write_limits *limits,
                               struct arena *arena, struct write_series *out, struct error *err) {
    enum status status = take_labels(from, limits, arena, &out->labels, err);
    return status == STATUS_OK ? take_samples(from, arena, out) : status;
}

static enum status check_sample_count(const Prometheus__WriteRequest *request, size_t max_samples,
                                      struct error *err) {
    size_t samples = 0;
    for (size_t i = 0; i < request->n_timeseries; i++)
        samples += request->timeseries[i]->n_samples;
    if (samples > max_samples)
        return error_set(err, STATUS_TOO_LARGE,
                         "%zu samples in one request, the limit is %zu: send smaller batches", samples,
                         max_samples);
    return STATUS_OK;
}

static enum status exhausted(struct error *err) {
    return error_set(err, STATUS_TOO_LARGE,
                     "the request needs more memory than one request may use: send smaller batches");
}

static enum status build_batch(const Prometheus__WriteRequest *request,
                               const struct remote_write_limits *limits, struct arena *arena,
                               struct write_batch *batch, struct error *err) {
    struct write_series *series = arena_alloc(arena, request->n_timeseries * sizeof *series);
    if (!series)
        return exhausted(err);
    for (size_t i = 0; i < request->n_timeseries; i++) {
        const Prometheus__TimeSeries *from = request->timeseries[i];
        struct error reason = {0};
        enum status status = take_series(from, limits, arena, &series[batch->series_count], &reason);
        if (arena_is_exhausted(arena))
            return exhausted(err);
        if (status != STATUS_OK) {
            refuse(batch, from, i, &reason);
            continue;
        }
        batch->series_count++;
        batch->sample_count += from->n_samples;
        batch->exemplar_count += from->n_exemplars;
        batch->histogram_count += from->n_histograms;
    }
    batch->series = series;
    batch->metadata_count = request->n_metadata;
    return STATUS_OK;
}

enum status remote_write_decode(const void *body, size_t body_len, const struct remote_write_limits *limits,
                                struct arena *arena, struct write_batch *batch, struct error *err) {
    const unsigned char *message = NULL;
    size_t message_len = 0;
    enum status status =
        snappy_block_decode(body, body_len, limits->max_decoded_bytes, arena, &message, &message_len, err);
    if (status != STATUS_OK)
        return status;
    ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = arena};
    const Prometheus__WriteRequest *request =
        prometheus__write_request__unpack(&allocator, message_len, message);
    if (!request)
        return arena_is_exhausted(arena)
                   ? exhausted(err)
                   : error_set(err, STATUS_INVALID,
                               "the body is not a prometheus.WriteRequest protobuf message");
    status = check_sample_count(request, limits->max_samples, err);
    if (status != STATUS_OK)
        return status;
    struct write_batch result = {0};
    status = build_batch(request, limits, arena, &result, err);
    if (status == STATUS_OK)
        *batch = result;
    return status;
}

int remote_write_http_status(enum status status, size_t refused_series) {
    switch (status) {
    case STATUS_OK:
        return refused_series ? 400 : 204;
    case STATUS_INVALID:
    case STATUS_DENIED:
    case STATUS_NOT_FOUND:
        return 400;
    case STATUS_TOO_LARGE:
        return 413;
    case STATUS_BUSY:
    case STATUS_CORRUPT:
    case STATUS_UNAVAILABLE:
    case STATUS_SYSTEM:
        return 503;
    }
    return 503;
}
