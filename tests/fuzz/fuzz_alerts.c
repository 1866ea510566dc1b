/* Any bytes as an alert message, of both kinds: what is read keeps what the rest of the program relies on. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "observe/alerts.h"
#include "observe/utf8.h"

static const struct alert_limits limits = {.max_body_bytes = 1 << 14, .max_alerts = 16};
static const int64_t now_ms = INT64_C(1795467000000);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size) {
    size_t length = strnlen(text, size);
    assert(length < size && utf8_is_valid(text, length));
}

static void check_alert(const struct alert *alert) {
    check_text(alert->host, sizeof alert->host);
    check_text(alert->name, sizeof alert->name);
    check_text(alert->severity, sizeof alert->severity);
    check_text(alert->summary, sizeof alert->summary);
    check_text(alert->group_key, sizeof alert->group_key);
    check_text(alert->labels, sizeof alert->labels);
    assert(alert->labels[0] == '{' && alert->starts_at_ms >= 0);
    if (alert->source == ALERT_FROM_API)
        assert(alert->is_firing == (alert->ends_at_ms > now_ms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int source = ALERT_FROM_WEBHOOK; source <= ALERT_FROM_API; source++) {
        struct alert_reading reading;
        struct error err = {0};
        enum status status = alerts_read((enum alert_source)source, (const char *)data, size, "instance",
                                         &limits, now_ms, &reading, &err);
        if (status != STATUS_OK) {
            assert(err.status == status && err.text[0]);
            continue;
        }
        assert(reading.batch->count + reading.refused <= limits.max_alerts);
        assert((reading.refused > 0) == (reading.refusal.status != STATUS_OK));
        for (size_t i = 0; i < reading.batch->count; i++)
            check_alert(&reading.batch->alerts[i]);
        free(reading.batch);
    }
    return 0;
}
