#include "observe/receiver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "observe/media_type.h"
#include "observe/replicas.h"

/* What one http thread needs; nobody else touches it. */
struct lane {
    struct arena *arena;
    struct series_cache *cache;
};

struct receiver {
    struct receiver_settings settings;
    enum status (*deliver)(void *context, struct observation_batch *batch);
    void *context;
    struct lane *lanes;          /* settings.threads of them */
    struct ha_tracker *replicas; /* NULL: every sender counts */
    char *cluster_label, *replica_label;
};

struct receiver *receiver_create(const struct receiver_settings *settings, const struct selector_table *table,
                                 struct host_directory *directory,
                                 enum status (*deliver)(void *context, struct observation_batch *batch),
                                 void *context) {
    assert(settings->threads > 0);
    struct receiver *receiver = xcalloc(1, sizeof *receiver);
    receiver->settings = *settings;
    receiver->settings.host_label = NULL; /* the caches have their copies */
    if (settings->replica_label) {
        receiver->cluster_label = xstrdup(settings->cluster_label);
        receiver->replica_label = xstrdup(settings->replica_label);
        receiver->replicas = ha_tracker_create(settings->max_clusters, settings->failover_ms);
    }
    receiver->deliver = deliver;
    receiver->context = context;
    receiver->lanes = xcalloc(settings->threads, sizeof *receiver->lanes);
    uint64_t hash_key[2];
    if (getentropy(hash_key, sizeof hash_key) != 0)
        abort(); /* never for 16 bytes (getentropy(3)) */
    size_t series_per_lane = settings->max_series / settings->threads;
    for (size_t i = 0; i < settings->threads; i++) {
        receiver->lanes[i].arena = arena_create(settings->max_arena_bytes);
        receiver->lanes[i].cache = series_cache_create(table, directory, settings->host_label, hash_key,
                                                       series_per_lane ? series_per_lane : 1);
    }
    return receiver;
}

/* ---- headers ------------------------------------------------------------------------------------------ */

/* Remote write 2.0 (rc.4), "Content-Type": the media type alone selects the schema, and without `proto` (or
 * without the header, as Prometheus' own receiver takes it) that is 1.0. */
static bool version_of(struct http_text content_type, enum remote_write_version *out) {
    *out = REMOTE_WRITE_1_0;
    if (content_type.length == 0)
        return true;
    struct media_type type;
    if (!media_type_parse(content_type.bytes, content_type.length, &type) ||
        !media_type_is(&type, "application/x-protobuf"))
        return false;
    if (strcmp(type.proto, "io.prometheus.write.v2.Request") == 0)
        *out = REMOTE_WRITE_2_0;
    return *out == REMOTE_WRITE_2_0 || type.proto[0] == '\0' ||
           strcmp(type.proto, "prometheus.WriteRequest") == 0;
}

static bool is_snappy(struct http_text content_encoding) {
    static const char snappy[] = "snappy";
    return content_encoding.length == 0 ||
           (content_encoding.length == strlen(snappy) &&
            strncasecmp(content_encoding.bytes, snappy, content_encoding.length) == 0);
}

/* ---- the answer --------------------------------------------------------------------------------------- */

struct outcome {
    int http_status;
    struct write_counts written; /* what a 2.0 sender is told */
    char text[192];
};

static void outcome_set(struct outcome *outcome, int http_status, const char *text) {
    outcome->http_status = http_status;
    snprintf(outcome->text, sizeof outcome->text, "%s", text);
}

static void count_answer(enum remote_write_version version, int http_status) {
    static const struct {
        int http_status;
        enum counter_id ids[2]; /* by version */
    } table[] = {
        {204, {COUNTER_WRITE_V1_204, COUNTER_WRITE_V2_204}},
        {400, {COUNTER_WRITE_V1_400, COUNTER_WRITE_V2_400}},
        {413, {COUNTER_WRITE_V1_413, COUNTER_WRITE_V2_413}},
        {415, {COUNTER_WRITE_V1_415, COUNTER_WRITE_V2_415}},
        {503, {COUNTER_WRITE_V1_503, COUNTER_WRITE_V2_503}},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].http_status == http_status)
            counter_add(table[i].ids[version], 1);
}

static void answer(enum remote_write_version version, const struct outcome *outcome,
                   struct http_response *response) {
    if (outcome->http_status == 204)
        response->status = 204;
    else
        http_response_text(response, outcome->http_status, "%s", outcome->text);
    if (outcome->http_status == 503)
        http_response_header(response, "retry-after", "1");
    if (version == REMOTE_WRITE_2_0) { /* "Required Written Response Headers"; never for 1.0 */
        http_response_header(response, "x-prometheus-remote-write-samples-written", "%zu",
                             outcome->written.samples);
        http_response_header(response, "x-prometheus-remote-write-histograms-written", "%zu",
                             outcome->written.histograms);
        http_response_header(response, "x-prometheus-remote-write-exemplars-written", "%zu",
                             outcome->written.exemplars);
    }
    count_answer(version, outcome->http_status);
}

/* ---- from the batch to core --------------------------------------------------------------------------- */

/* What judging a batch found. */
struct judgement {
    struct series_verdict *verdicts; /* one per series */
    size_t wanted_samples;
    size_t future_samples; /* dated too far ahead: one such sample would make every later one look old
                              (prometheus#12006), so that none is ever used */
    int64_t newest_ms;     /* a sample after this is one of them */
};

static bool judge(struct lane *lane, const struct write_batch *batch, int64_t newest_ms,
                  struct judgement *out) {
    *out = (struct judgement){.newest_ms = newest_ms};
    out->verdicts = arena_alloc(lane->arena, batch->series_count * sizeof *out->verdicts);
    if (!out->verdicts)
        return false;
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct write_series *series = &batch->series[i];
        out->verdicts[i] = series_cache_judge(lane->cache, &series->labels);
        for (size_t s = 0; s < series->count; s++) {
            bool is_future = series->samples[s].timestamp_ms > newest_ms;
            out->future_samples += is_future;
            out->wanted_samples += !is_future && out->verdicts[i].inputs;
        }
    }
    return true;
}

static struct observation_batch *collect(const struct write_batch *batch, const struct judgement *judgement,
                                         int64_t now_ms) {
    struct observation_batch *out =
        xcalloc(1, sizeof *out + judgement->wanted_samples * sizeof out->observations[0]);
    out->received_at_ms = now_ms;
    out->received_at_monotonic_us = clock_monotonic_us();
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct write_series *series = &batch->series[i];
        const struct series_verdict *verdict = &judgement->verdicts[i];
        for (size_t s = 0; verdict->inputs && s < series->count; s++)
            if (series->samples[s].timestamp_ms <= judgement->newest_ms)
                out->observations[out->count++] =
                    (struct observation){.series = verdict->series,
                                         .inputs = verdict->inputs,
                                         .timestamp_ms = series->samples[s].timestamp_ms,
                                         .value = series->samples[s].value,
                                         .host = verdict->host};
    }
    assert(out->count == judgement->wanted_samples);
    return out;
}

static enum status hand_over(struct receiver *receiver, const struct write_batch *batch,
                             const struct judgement *judgement, int64_t now_ms) {
    if (judgement->wanted_samples == 0)
        return STATUS_OK;
    struct observation_batch *observations = collect(batch, judgement, now_ms);
    enum status status = receiver->deliver(receiver->context, observations);
    if (status != STATUS_OK)
        free(observations);
    return status;
}

/* The other half of a pair is told 2xx, and its copy goes no further. */
static bool drop_replicas(struct receiver *receiver, struct lane *lane, struct write_batch *batch,
                          size_t *turned_down) {
    bool fits = true;
    *turned_down = 0;
    if (receiver->replicas) {
        struct replica_labels names = {receiver->cluster_label, receiver->replica_label};
        *turned_down =
            replicas_filter(receiver->replicas, &names, lane->arena, batch, clock_monotonic_ms(), &fits);
    }
    return fits;
}

static void count_taken(const struct write_batch *batch, const struct judgement *judgement,
                        size_t turned_down) {
    counter_add(COUNTER_SAMPLES_RECEIVED, batch->accepted.samples - judgement->future_samples - turned_down);
    counter_add(COUNTER_SAMPLES_MATCHED, judgement->wanted_samples);
    counter_add(COUNTER_SAMPLES_FUTURE, judgement->future_samples);
    counter_add(COUNTER_SAMPLES_OF_REPLICAS, turned_down);
    counter_add(COUNTER_SAMPLES_REFUSED, batch->refused.samples);
    counter_add(COUNTER_HISTOGRAMS_RECEIVED, batch->accepted.histograms);
    counter_add(COUNTER_EXEMPLARS_RECEIVED, batch->accepted.exemplars);
    counter_add(COUNTER_METADATA_RECEIVED, batch->accepted.metadata);
}

/* What the sender is told about a batch that was taken. */
static void describe_taken(const struct receiver *receiver, const struct write_batch *batch,
                           const struct judgement *judgement, struct outcome *outcome) {
    outcome->written = batch->accepted;
    outcome->written.samples -= judgement->future_samples;
    outcome_set(outcome, remote_write_http_status(STATUS_OK, batch->refused_series), batch->refusal.text);
    if (judgement->future_samples == 0 || batch->refused_series > 0)
        return;
    outcome->http_status = 400;
    snprintf(outcome->text, sizeof outcome->text,
             "%zu samples are dated more than %lld s ahead of this clock", judgement->future_samples,
             (long long)(receiver->settings.max_future_ms / 1000));
}

/* Counts only what was taken: after 503 the same body comes again. */
static void take_batch(struct receiver *receiver, struct lane *lane, struct write_batch *batch,
                       struct outcome *outcome) {
    int64_t now_ms = clock_realtime_ms();
    struct judgement judgement;
    size_t turned_down;
    if (!drop_replicas(receiver, lane, batch, &turned_down) ||
        !judge(lane, batch, now_ms + receiver->settings.max_future_ms, &judgement)) {
        outcome_set(outcome, 413,
                    "the request needs more memory than one request may use: send smaller batches");
        return;
    }
    enum status status = hand_over(receiver, batch, &judgement, now_ms);
    if (status != STATUS_OK) {
        outcome_set(outcome, remote_write_http_status(status, 0),
                    "busy: the queue to the detector is full, send this again");
        return;
    }
    count_taken(batch, &judgement, turned_down);
    describe_taken(receiver, batch, &judgement, outcome);
}

void receiver_handle_write(void *context, const struct http_request *request,
                           struct http_response *response) {
    struct receiver *receiver = context;
    assert(request->thread < receiver->settings.threads);
    struct lane *lane = &receiver->lanes[request->thread];
    enum remote_write_version version;
    struct outcome outcome = {0};
    struct write_batch batch = {0};
    struct error err;
    if (!version_of(http_request_header(request, "content-type"), &version)) {
        outcome_set(&outcome, 415,
                    "this Content-Type is not read here; send application/x-protobuf, with "
                    "proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request");
    } else if (!is_snappy(http_request_header(request, "content-encoding"))) {
        outcome_set(&outcome, 415, "this Content-Encoding is not read here; send snappy (block format)");
    } else {
        enum status status = remote_write_decode(version, request->body.bytes, request->body.length,
                                                 &receiver->settings.limits, lane->arena, &batch, &err);
        if (status == STATUS_OK)
            take_batch(receiver, lane, &batch, &outcome);
        else
            outcome_set(&outcome, remote_write_http_status(status, 0), err.text);
        arena_reset(lane->arena);
    }
    http_response_header(response, "x-content-type-options", "nosniff");
    answer(version, &outcome, response);
}

size_t receiver_series_count(const struct receiver *receiver) {
    size_t count = 0;
    for (size_t i = 0; i < receiver->settings.threads; i++)
        count += series_cache_count(receiver->lanes[i].cache);
    return count;
}

void receiver_destroy(struct receiver *receiver) {
    if (!receiver)
        return;
    for (size_t i = 0; i < receiver->settings.threads; i++) {
        arena_destroy(receiver->lanes[i].arena);
        series_cache_destroy(receiver->lanes[i].cache);
    }
    free(receiver->lanes);
    ha_tracker_destroy(receiver->replicas);
    free(receiver->cluster_label);
    free(receiver->replica_label);
    free(receiver);
}
