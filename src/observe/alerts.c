#include "observe/alerts.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/rfc3339.h"
#include "observe/utf8.h"

/* Alertmanager's resolve_timeout: how long an alert without an end is believed (config.DefaultGlobalConfig).
 */
enum { BELIEVED_FOR_MS = 5 * 60 * 1000 };

struct pair {
    const char *name, *value;
};

/* ---- text --------------------------------------------------------------------------------------------- */

static void copy_text(const char *text, char *out, size_t size) {
    utf8_printable(text, strlen(text), out, size);
}

static const char *string_in(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static int compare_pairs(const void *a, const void *b) {
    return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

/* ---- labels ------------------------------------------------------------------------------------------- */

/* Labels with a value, sorted by name; NULL and a sentence if that is not what `labels` is. The texts belong
 * to the JSON, the array to the caller. */
static struct pair *read_labels(json_t *labels, size_t *count, struct error *err) {
    if (!json_is_object(labels)) {
        (void)error_set(err, STATUS_INVALID, "an alert has no labels");
        return NULL;
    }
    struct pair *pairs = xcalloc(json_object_size(labels) + 1, sizeof *pairs);
    *count = 0;
    for (void *at = json_object_iter(labels); at; at = json_object_iter_next(labels, at)) {
        const char *value = json_string_value(json_object_iter_value(at));
        if (!value || json_object_iter_key(at)[0] == '\0') {
            (void)error_set(err, STATUS_INVALID, "a label of an alert is not a name with a text");
            free(pairs);
            return NULL;
        }
        if (value[0])
            pairs[(*count)++] = (struct pair){json_object_iter_key(at), value};
    }
    if (*count == 0) {
        (void)error_set(err, STATUS_INVALID, "an alert has no labels");
        free(pairs);
        return NULL;
    }
    qsort(pairs, *count, sizeof *pairs, compare_pairs);
    return pairs;
}

/* NULs go between the texts, which have none themselves. */
static uint64_t hash_labels(const struct pair *pairs, size_t count) {
    uint64_t hash = count;
    for (size_t i = 0; i < count; i++) {
        hash = XXH3_64bits_withSeed(pairs[i].name, strlen(pairs[i].name) + 1, hash);
        hash = XXH3_64bits_withSeed(pairs[i].value, strlen(pairs[i].value) + 1, hash);
    }
    return hash;
}

static void write_labels(const struct pair *pairs, size_t count, char *out, size_t size) {
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        abort(); /* out of memory */
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "%s%s=\"%s\"", i ? ", " : "{", pairs[i].name, pairs[i].value);
    fputc('}', stream);
    fclose(stream);
    copy_text(text, out, size);
    free(text);
}

static const char *label_value(const struct pair *pairs, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return "";
}

static void take_labels(const struct pair *pairs, size_t count, const char *host_label, struct alert *out) {
    out->key = hash_labels(pairs, count);
    copy_text(label_value(pairs, count, "alertname"), out->name, sizeof out->name);
    copy_text(label_value(pairs, count, "severity"), out->severity, sizeof out->severity);
    const char *host = label_value(pairs, count, host_label);
    if (strlen(host) < sizeof out->host) /* exactly as the series name it, or not at all */
        memcpy(out->host, host, strlen(host) + 1);
    write_labels(pairs, count, out->labels, sizeof out->labels);
}

/* ---- time --------------------------------------------------------------------------------------------- */

/* Go's zero time, 0001-01-01T00:00:00Z, stands for "none", as does a missing field: 0. */
static enum status take_time(const json_t *alert, const char *name, int64_t *out, struct error *err) {
    const json_t *field = json_object_get(alert, name);
    *out = 0;
    if (!field || json_is_null(field))
        return STATUS_OK;
    const char *text = json_string_value(field);
    if (!text || !rfc3339_parse(text, out))
        return error_set(err, STATUS_INVALID, "%s of an alert is not a time as RFC 3339 writes it", name);
    if (*out < 0)
        *out = 0;
    return STATUS_OK;
}

static enum status take_times(const json_t *alert, struct alert *out, struct error *err) {
    enum status status = take_time(alert, "startsAt", &out->starts_at_ms, err);
    if (status == STATUS_OK)
        status = take_time(alert, "endsAt", &out->ends_at_ms, err);
    if (status == STATUS_OK && out->ends_at_ms && out->ends_at_ms < out->starts_at_ms)
        return error_set(err, STATUS_INVALID, "an alert ends before it starts");
    return status;
}

/* Alertmanager's webhook says which it is; an end in its firing alerts is never set. */
static enum status judge_webhook_alert(const json_t *alert, int64_t now_ms, struct alert *out,
                                       struct error *err) {
    const char *status = string_in(alert, "status");
    out->is_firing = strcmp(status, "firing") == 0;
    if (!out->is_firing && strcmp(status, "resolved") != 0)
        return error_set(err, STATUS_INVALID,
                         "the status of an alert is neither \"firing\" nor \"resolved\"");
    if (!out->starts_at_ms)
        out->starts_at_ms = now_ms;
    if (!out->is_firing && !out->ends_at_ms)
        out->ends_at_ms = now_ms;
    return STATUS_OK;
}

/* Alertmanager api/v2/api.go: a missing start is now, or the end if that is all there is; a missing end is
 * the resolve timeout from now; firing is what has not ended yet. */
static void judge_api_alert(int64_t now_ms, struct alert *out) {
    if (!out->starts_at_ms)
        out->starts_at_ms = out->ends_at_ms && out->ends_at_ms < now_ms ? out->ends_at_ms : now_ms;
    if (!out->ends_at_ms)
        out->ends_at_ms = now_ms + BELIEVED_FOR_MS;
    out->is_firing = out->ends_at_ms > now_ms;
}

/* ---- one alert, one message --------------------------------------------------------------------------- */

struct message {
    enum alert_source source;
    const char *host_label, *group_key;
    int64_t now_ms;
};

static enum status read_alert(const json_t *from, const struct message *message, struct alert *out,
                              struct error *err) {
    if (!json_is_object(from))
        return error_set(err, STATUS_INVALID, "an alert is not an object");
    size_t count = 0;
    struct pair *pairs = read_labels(json_object_get(from, "labels"), &count, err);
    if (!pairs)
        return STATUS_INVALID;
    *out = (struct alert){.source = message->source};
    take_labels(pairs, count, message->host_label, out);
    free(pairs);
    enum status status = take_times(from, out, err);
    if (status == STATUS_OK && message->source == ALERT_FROM_WEBHOOK)
        status = judge_webhook_alert(from, message->now_ms, out, err);
    else if (status == STATUS_OK)
        judge_api_alert(message->now_ms, out);
    const json_t *annotations = json_object_get(from, "annotations");
    const char *summary = string_in(annotations, "summary");
    copy_text(summary[0] ? summary : string_in(annotations, "description"), out->summary,
              sizeof out->summary);
    copy_text(message->group_key, out->group_key, sizeof out->group_key);
    return status;
}

static enum status read_alerts(const json_t *alerts, const struct message *message, size_t max_alerts,
                               struct alert_reading *out, struct error *err) {
    size_t count = json_array_size(alerts);
    if (count > max_alerts)
        return error_set(err, STATUS_TOO_LARGE, "%zu alerts in one request, the limit is %zu", count,
                         max_alerts);
    *out = (struct alert_reading){0};
    out->batch = xcalloc(1, sizeof *out->batch + count * sizeof out->batch->alerts[0]);
    out->batch->received_at_ms = message->now_ms;
    for (size_t i = 0; i < count; i++) {
        struct error reason = {0};
        if (read_alert(json_array_get(alerts, i), message, &out->batch->alerts[out->batch->count], &reason) ==
            STATUS_OK)
            out->batch->count++;
        else if (out->refused++ == 0)
            (void)error_set(&out->refusal, reason.status, "%.150s; alert %zu", reason.text, i);
    }
    return STATUS_OK;
}

/* Alertmanager template/template.go and notify/webhook/webhook.go; fields that it does not name are ignored.
 */
static enum status read_webhook(const json_t *root, struct message *message, size_t max_alerts,
                                struct alert_reading *out, struct error *err) {
    if (strcmp(string_in(root, "version"), "4") != 0)
        return error_set(err, STATUS_INVALID, "this is not an Alertmanager webhook message of version \"4\"");
    const json_t *alerts = json_object_get(root, "alerts");
    if (!json_is_array(alerts))
        return error_set(err, STATUS_INVALID, "the webhook message has no list of alerts");
    message->group_key = string_in(root, "groupKey");
    enum status status = read_alerts(alerts, message, max_alerts, out, err);
    json_int_t truncated = json_integer_value(json_object_get(root, "truncatedAlerts"));
    if (status == STATUS_OK && truncated > 0)
        out->truncated = (size_t)truncated;
    return status;
}

enum status alerts_read(enum alert_source source, const char *body, size_t body_bytes, const char *host_label,
                        const struct alert_limits *limits, int64_t now_ms, struct alert_reading *out,
                        struct error *err) {
    if (body_bytes > limits->max_body_bytes)
        return error_set(err, STATUS_TOO_LARGE, "the body has %zu bytes, the limit for alerts is %zu",
                         body_bytes, limits->max_body_bytes);
    json_error_t flaw;
    json_t *root = json_loadb(body_bytes ? body : "", body_bytes, JSON_REJECT_DUPLICATES, &flaw);
    if (!root)
        return error_set(err, STATUS_INVALID, "the body is not JSON: line %d, column %d: %.80s", flaw.line,
                         flaw.column, flaw.text);
    struct message message = {.source = source, .host_label = host_label, .group_key = "", .now_ms = now_ms};
    enum status status;
    if (source == ALERT_FROM_WEBHOOK)
        status = read_webhook(root, &message, limits->max_alerts, out, err);
    else if (json_is_array(root))
        status = read_alerts(root, &message, limits->max_alerts, out, err);
    else
        status = error_set(err, STATUS_INVALID, "the body is not a list of alerts");
    json_decref(root);
    return status;
}
