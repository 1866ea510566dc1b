#include "observe/write_batch.h"

#include <stdlib.h>
#include <string.h>

#include "observe/utf8.h"

/* Text in a reason: enough for a sender to find what is meant. */
enum { QUOTED_SIZE = 48 };

/* ---- the arena ---------------------------------------------------------------------------------------- */

void *write_batch_allocate(void *arena, size_t bytes) {
    return arena_alloc(arena, bytes);
}

void write_batch_release(void *arena, void *memory) {
    (void)arena;
    (void)memory;
}

enum status arena_is_too_small(struct error *err) {
    return error_set(err, STATUS_TOO_LARGE,
                     "the request needs more memory than one request may use: send smaller batches");
}

enum status unpack_failed(const struct arena *arena, const char *message, struct error *err) {
    if (arena_is_exhausted(arena))
        return arena_is_too_small(err);
    return error_set(err, STATUS_INVALID, "the body is not a %s protobuf message", message);
}

/* ---- labels ------------------------------------------------------------------------------------------- */

static const char *quote_name(const struct label *label, char out[QUOTED_SIZE]) {
    return utf8_printable(label->name, label->name_len, out, QUOTED_SIZE);
}

static enum status check_label(const struct label *label, const struct remote_write_limits *limits,
                               struct error *err) {
    char name[QUOTED_SIZE];
    if (label->name_len == 0)
        return error_set(err, STATUS_INVALID, "a label name is empty");
    if (label->name_len > limits->max_label_name_bytes)
        return error_set(err, STATUS_INVALID, "label name \"%s\" has %zu bytes, the limit is %zu",
                         quote_name(label, name), label->name_len, limits->max_label_name_bytes);
    if (label->value_len > limits->max_label_value_bytes)
        return error_set(err, STATUS_INVALID, "the value of label \"%s\" has %zu bytes, the limit is %zu",
                         quote_name(label, name), label->value_len, limits->max_label_value_bytes);
    if (!utf8_is_valid(label->name, label->name_len))
        return error_set(err, STATUS_INVALID, "label name \"%s\" is not UTF-8", quote_name(label, name));
    if (!utf8_is_valid(label->value, label->value_len))
        return error_set(err, STATUS_INVALID, "the value of label \"%s\" is not UTF-8",
                         quote_name(label, name));
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

static bool is_metric_name(const struct label *label) {
    return label->name_len == strlen("__name__") && memcmp(label->name, "__name__", label->name_len) == 0;
}

/* Of sorted labels: no name twice, and a metric name. */
static enum status check_label_set(const struct label_set *set, struct error *err) {
    bool has_metric_name = false;
    for (size_t i = 0; i < set->count; i++) {
        const struct label *label = &set->labels[i];
        char name[QUOTED_SIZE];
        if (i > 0 && compare_names(&set->labels[i - 1], label) == 0)
            return error_set(err, STATUS_INVALID, "label name \"%s\" is there twice",
                             quote_name(label, name));
        has_metric_name |= is_metric_name(label);
    }
    return has_metric_name ? STATUS_OK
                           : error_set(err, STATUS_INVALID, "there is no metric name (label __name__)");
}

/* An empty value says the same as no label (Prometheus' data model), so such a label is dropped: both must be
 * one series here too. */
static enum status take_labels(const struct raw_series *raw, const struct remote_write_limits *limits,
                               struct label_set *out, struct error *err) {
    if (raw->label_count > limits->max_labels_per_series)
        return error_set(err, STATUS_INVALID, "%zu labels, the limit is %zu", raw->label_count,
                         limits->max_labels_per_series);
    size_t count = 0;
    for (size_t i = 0; i < raw->label_count; i++) {
        enum status status = check_label(&raw->labels[i], limits, err);
        if (status != STATUS_OK)
            return status;
        if (raw->labels[i].value_len > 0)
            raw->labels[count++] = raw->labels[i];
    }
    sort_labels(raw->labels, count);
    *out = (struct label_set){.labels = raw->labels, .count = count};
    return check_label_set(out, err);
}

/* ---- the batch ---------------------------------------------------------------------------------------- */

enum status batch_begin(struct batch_builder *builder, const struct remote_write_limits *limits,
                        struct arena *arena, size_t series, size_t samples, struct error *err) {
    if (samples > limits->max_samples)
        return error_set(err, STATUS_TOO_LARGE,
                         "%zu samples in one request, the limit is %zu: send smaller batches", samples,
                         limits->max_samples);
    *builder = (struct batch_builder){.limits = limits, .arena = arena};
    builder->series = arena_alloc(arena, series * sizeof *builder->series);
    return builder->series ? STATUS_OK : arena_is_too_small(err);
}

static void add_counts(struct write_counts *total, const struct write_counts *more) {
    total->samples += more->samples;
    total->histograms += more->histograms;
    total->exemplars += more->exemplars;
    total->metadata += more->metadata;
}

/* The metric name of a series that is refused, if it has one that can be shown. */
static const char *metric_name(const struct raw_series *raw, char out[QUOTED_SIZE]) {
    for (size_t i = 0; i < raw->label_count; i++)
        if (is_metric_name(&raw->labels[i]))
            return utf8_printable(raw->labels[i].value, raw->labels[i].value_len, out, QUOTED_SIZE);
    return "without a name";
}

static void refuse(struct write_batch *batch, const struct raw_series *raw, size_t index,
                   const struct error *reason) {
    if (batch->refused_series == 0) {
        char metric[QUOTED_SIZE];
        error_set(&batch->refusal, reason->status, "%.110s; series %zu, %s", reason->text, index,
                  metric_name(raw, metric));
    }
    batch->refused_series++;
    add_counts(&batch->refused, &raw->counts);
}

void batch_add(struct batch_builder *builder, const struct raw_series *raw, size_t index) {
    struct write_series *series = &builder->series[builder->batch.series_count];
    struct error reason = raw->flaw;
    if (reason.status == STATUS_OK &&
        take_labels(raw, builder->limits, &series->labels, &reason) == STATUS_OK) {
        series->samples = raw->samples;
        series->count = raw->counts.samples;
        builder->batch.series_count++;
        add_counts(&builder->batch.accepted, &raw->counts);
    } else {
        refuse(&builder->batch, raw, index, &reason);
    }
}

enum status batch_end(struct batch_builder *builder, struct write_batch *out, struct error *err) {
    if (arena_is_exhausted(builder->arena))
        return arena_is_too_small(err);
    builder->batch.series = builder->series;
    *out = builder->batch;
    return STATUS_OK;
}
