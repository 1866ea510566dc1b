#include "observe/alert_intake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/version.h"
#include "observe/media_type.h"

/* What was last handed on about one alert. uthash keeps the order of insertion, and what is heard of again is
 * inserted anew, so that the first is the one to forget. */
struct remembered {
    uint64_t key;
    bool is_firing;
    int64_t starts_at_ms;
    UT_hash_handle hh;
};

struct alert_intake {
    struct alert_intake_settings settings;
    char *host_label;
    enum status (*deliver)(void *context, struct alert_batch *batch);
    void *context;
    int64_t started_at_ms;
    pthread_mutex_t lock;
    struct remembered *memory;
};

struct alert_intake *alert_intake_create(const struct alert_intake_settings *settings,
                                         enum status (*deliver)(void *context, struct alert_batch *batch),
                                         void *context) {
    struct alert_intake *intake = xcalloc(1, sizeof *intake);
    intake->settings = *settings;
    intake->settings.host_label = intake->host_label = xstrdup(settings->host_label);
    intake->deliver = deliver;
    intake->context = context;
    intake->started_at_ms = clock_realtime_ms();
    pthread_mutex_init(&intake->lock, NULL);
    return intake;
}

/* ---- memory ------------------------------------------------------------------------------------------- */

/* A resolved alert that nobody had told us of is news too: the server may have been started in between. */
static bool is_repeat(const struct alert_intake *intake, const struct alert *alert) {
    struct remembered *last = NULL;
    HASH_FIND(hh, intake->memory, &alert->key, sizeof alert->key, last);
    return last && last->is_firing == alert->is_firing && last->starts_at_ms == alert->starts_at_ms;
}

/* The entry to write into, taken out of the table: the alert's own, or the oldest when there is no room. */
static struct remembered *take_entry(struct alert_intake *intake, uint64_t key) {
    struct remembered *entry = NULL;
    HASH_FIND(hh, intake->memory, &key, sizeof key, entry);
    if (!entry && HASH_COUNT(intake->memory) >= intake->settings.max_remembered)
        entry = intake->memory;
    if (!entry)
        return xcalloc(1, sizeof *entry);
    HASH_DEL(intake->memory, entry);
    return entry;
}

static void remember(struct alert_intake *intake, const struct alert *alert) {
    struct remembered *entry = take_entry(intake, alert->key);
    entry->key = alert->key;
    entry->is_firing = alert->is_firing;
    entry->starts_at_ms = alert->starts_at_ms;
    HASH_ADD(hh, intake->memory, key, sizeof entry->key, entry);
}

/* Remembers only what was taken. */
static enum status hand_over_locked(struct alert_intake *intake, struct alert_batch *batch) {
    size_t repeats = 0, count = batch->count;
    for (size_t i = 0; i < count; i++) {
        batch->alerts[i].is_repeat = is_repeat(intake, &batch->alerts[i]);
        repeats += batch->alerts[i].is_repeat;
    }
    struct alert_batch *copy = xcalloc(1, sizeof *copy + count * sizeof copy->alerts[0]);
    memcpy(copy, batch, sizeof *copy + count * sizeof copy->alerts[0]);
    enum status status = intake->deliver(intake->context, copy);
    if (status != STATUS_OK) {
        free(copy);
        return status;
    }
    for (size_t i = 0; i < count; i++)
        remember(intake, &batch->alerts[i]);
    counter_add(COUNTER_ALERTS_REPEATED, repeats);
    return STATUS_OK;
}

static enum status hand_over(struct alert_intake *intake, struct alert_batch *batch) {
    if (batch->count == 0)
        return STATUS_OK;
    pthread_mutex_lock(&intake->lock);
    enum status status = hand_over_locked(intake, batch);
    pthread_mutex_unlock(&intake->lock);
    return status;
}

/* ---- routes ------------------------------------------------------------------------------------------- */

static bool is_json(const struct http_request *request) {
    struct http_text header = http_request_header(request, "content-type");
    struct media_type type;
    return media_type_parse(header.bytes, header.length, &type) && media_type_is(&type, "application/json");
}

static void answer_reading(struct alert_intake *intake, enum alert_source source,
                           struct alert_reading *reading, struct http_response *response) {
    if (hand_over(intake, reading->batch) != STATUS_OK) {
        http_response_text(response, 503, "busy: the queue to the detector is full, send this again");
        http_response_header(response, "retry-after", "1");
        return;
    }
    counter_add(source == ALERT_FROM_WEBHOOK ? COUNTER_ALERTS_FROM_WEBHOOK : COUNTER_ALERTS_FROM_API,
                reading->batch->count);
    counter_add(COUNTER_ALERTS_REFUSED, reading->refused);
    counter_add(COUNTER_ALERTS_TRUNCATED, reading->truncated);
    if (reading->refused)
        http_response_text(response, 400, "%s", reading->refusal.text);
    else
        response->status = 200;
}

static void handle(struct alert_intake *intake, enum alert_source source, const struct http_request *request,
                   struct http_response *response) {
    http_response_header(response, "x-content-type-options", "nosniff");
    if (!is_json(request)) {
        http_response_text(response, 415, "this Content-Type is not read here; send application/json");
        return;
    }
    struct alert_reading reading;
    struct error err;
    enum status status = alerts_read(source, request->body.bytes, request->body.length, intake->host_label,
                                     &intake->settings.limits, clock_realtime_ms(), &reading, &err);
    if (status != STATUS_OK) {
        counter_add(COUNTER_ALERTS_REFUSED, 1);
        http_response_text(response, status == STATUS_TOO_LARGE ? 413 : 400, "%s", err.text);
        return;
    }
    answer_reading(intake, source, &reading, response);
    free(reading.batch);
}

void alert_intake_handle_webhook(void *context, const struct http_request *request,
                                 struct http_response *response) {
    handle(context, ALERT_FROM_WEBHOOK, request, response);
}

void alert_intake_handle_api(void *context, const struct http_request *request,
                             struct http_response *response) {
    handle(context, ALERT_FROM_API, request, response);
}

/* Alertmanager api/v2/openapi.yaml, alertmanagerStatus: all of these fields are required there. */
void alert_intake_handle_status(void *context, const struct http_request *request,
                                struct http_response *response) {
    const struct alert_intake *intake = context;
    (void)request;
    char started[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(intake->started_at_ms, started);
    FILE *out = open_memstream(&response->body, &response->body_bytes);
    if (!out)
        abort(); /* out of memory */
    fprintf(out,
            "{\"cluster\":{\"status\":\"disabled\",\"peers\":[]},\"config\":{\"original\":\"\"},"
            "\"uptime\":\"%s\",\"versionInfo\":{\"branch\":\"\",\"buildDate\":\"\",\"buildUser\":\"\","
            "\"goVersion\":\"\",\"revision\":\"%s\",\"version\":\"%s\"}}\n",
            started, SENTINEL_REVISION, SENTINEL_VERSION);
    fclose(out);
    response->status = 200;
    response->content_type = "application/json";
    http_response_header(response, "x-content-type-options", "nosniff");
}

void alert_intake_destroy(struct alert_intake *intake) {
    if (!intake)
        return;
    struct remembered *entry = intake->memory;
    HASH_CLEAR(hh, intake->memory); /* the entries are still a list */
    while (entry) {
        struct remembered *next = entry->hh.next;
        free(entry);
        entry = next;
    }
    pthread_mutex_destroy(&intake->lock);
    free(intake->host_label);
    free(intake);
}
