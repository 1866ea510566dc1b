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

/* What one http thread needs; nobody else touches it. */
struct lane {
    struct arena *arena;
    struct series_cache *cache;
};

struct receiver {
    struct receiver_settings settings;
    enum status (*deliver)(void *context, struct observation_batch *batch);
    void *context;
    struct lane *lanes; /* settings.threads of them */
};

struct receiver *receiver_create(const struct receiver_settings *settings, const struct selector_table *table,
                                 struct host_directory *directory,
                                 enum status (*deliver)(void *context, struct observation_batch *batch),
                                 void *context) {
    assert(settings->threads > 0);
    struct receiver *receiver = xcalloc(1, sizeof *receiver);
    receiver->settings = *settings;
    receiver->settings.host_label = NULL; /* the caches have their copies */
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

/* Remote write 2.0 (rc.4), "Content-Type": the media type alone selects the schema, no `proto` means 1.0. */
static bool content_type_is_v1(struct http_text header) {
    if (header.length == 0)
        return true;
    struct media_type type;
    return media_type_parse(header.bytes, header.length, &type) &&
           media_type_is(&type, "application/x-protobuf") &&
           (type.proto[0] == '\0' || strcmp(type.proto, "prometheus.WriteRequest") == 0);
}

static bool content_encoding_is_snappy(struct http_text header) {
    static const char snappy[] = "snappy";
    return header.length == 0 ||
           (header.length == strlen(snappy) && strncasecmp(header.bytes, snappy, header.length) == 0);
}

/* True: the headers promise something that we read. False: `response` says what is read here. */
static bool headers_are_acceptable(const struct http_request *request, struct http_response *response) {
    if (!content_type_is_v1(http_request_header(request, "content-type"))) {
        http_response_text(
            response, 415,
            "this Content-Type is not read here; send application/x-protobuf (remote write 1.0)");
        return false;
    }
    if (!content_encoding_is_snappy(http_request_header(request, "content-encoding"))) {
        http_response_text(response, 415,
                           "this Content-Encoding is not read here; send snappy (block format)");
        return false;
    }
    return true;
}

/* Judges every series; returns how many of the samples somebody wants. */
static size_t judge(struct lane *lane, const struct write_batch *batch, struct series_verdict *verdicts) {
    size_t wanted = 0;
    for (size_t i = 0; i < batch->series_count; i++) {
        verdicts[i] = series_cache_judge(lane->cache, &batch->series[i].labels);
        if (verdicts[i].inputs)
            wanted += batch->series[i].count;
    }
    return wanted;
}

/* The wanted samples of one batch. `future` counts those that are dated too far ahead: one such sample would
 * make every later one look old (prometheus#12006). */
static struct observation_batch *collect(const struct write_batch *batch,
                                         const struct series_verdict *verdicts, size_t wanted, int64_t now_ms,
                                         int64_t max_future_ms, size_t *future) {
    struct observation_batch *out = xcalloc(1, sizeof *out + wanted * sizeof out->observations[0]);
    out->received_at_ms = now_ms;
    out->received_at_monotonic_ms = clock_monotonic_ms();
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct write_series *series = &batch->series[i];
        for (size_t s = 0; verdicts[i].inputs && s < series->count; s++) {
            if (series->samples[s].timestamp_ms > now_ms + max_future_ms) {
                ++*future;
                continue;
            }
            out->observations[out->count++] =
                (struct observation){.series = verdicts[i].series,
                                     .inputs = verdicts[i].inputs,
                                     .timestamp_ms = series->samples[s].timestamp_ms,
                                     .value = series->samples[s].value,
                                     .host = verdicts[i].host};
        }
    }
    return out;
}

/* Hands the wanted samples to core. Counts only what was taken: after STATUS_BUSY the same body comes again.
 */
static enum status hand_over(struct receiver *receiver, struct lane *lane, const struct write_batch *batch,
                             struct error *err) {
    struct series_verdict *verdicts = arena_alloc(lane->arena, batch->series_count * sizeof *verdicts);
    if (!verdicts)
        return error_set(err, STATUS_TOO_LARGE,
                         "the request needs more memory than one request may use: send smaller batches");
    size_t future = 0, matched = 0;
    size_t wanted = judge(lane, batch, verdicts);
    if (wanted > 0) {
        struct observation_batch *observations =
            collect(batch, verdicts, wanted, clock_realtime_ms(), receiver->settings.max_future_ms, &future);
        matched = observations->count;
        enum status status = matched > 0 ? receiver->deliver(receiver->context, observations) : STATUS_OK;
        if (matched == 0 || status != STATUS_OK)
            free(observations);
        if (status != STATUS_OK)
            return error_set(err, status, "busy: the queue to the detector is full, send this again");
    }
    counter_add(COUNTER_SAMPLES_RECEIVED, batch->sample_count);
    counter_add(COUNTER_SAMPLES_MATCHED, matched);
    counter_add(COUNTER_SAMPLES_FUTURE, future);
    counter_add(COUNTER_SAMPLES_REFUSED, batch->refused_samples);
    return STATUS_OK;
}

static void count_answer(int http_status) {
    switch (http_status) {
    case 204:
        counter_add(COUNTER_WRITE_V1_204, 1);
        break;
    case 400:
        counter_add(COUNTER_WRITE_V1_400, 1);
        break;
    case 413:
        counter_add(COUNTER_WRITE_V1_413, 1);
        break;
    case 415:
        counter_add(COUNTER_WRITE_V1_415, 1);
        break;
    default:
        counter_add(COUNTER_WRITE_V1_503, 1);
        break;
    }
}

static void answer(struct http_response *response, int http_status, const char *text) {
    if (http_status == 204)
        response->status = 204;
    else
        http_response_text(response, http_status, "%s", text);
    if (http_status == 503)
        http_response_header(response, "retry-after", "1");
}

void receiver_handle_write(void *context, const struct http_request *request,
                           struct http_response *response) {
    struct receiver *receiver = context;
    assert(request->thread < receiver->settings.threads);
    struct lane *lane = &receiver->lanes[request->thread];
    http_response_header(response, "x-content-type-options", "nosniff");
    if (headers_are_acceptable(request, response)) {
        struct write_batch batch = {0};
        struct error err = {0};
        enum status status = remote_write_decode(request->body.bytes, request->body.length,
                                                 &receiver->settings.limits, lane->arena, &batch, &err);
        if (status == STATUS_OK)
            status = hand_over(receiver, lane, &batch, &err);
        answer(response, remote_write_http_status(status, batch.refused_series),
               status == STATUS_OK ? batch.refusal.text : err.text);
        arena_reset(lane->arena);
    }
    count_answer(response->status);
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
    free(receiver);
}
