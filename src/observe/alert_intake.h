/* src/observe/alert_intake.h - the routes on which alerts come in, and the memory of what has come.
 *
 * Repeats are normal: pairs of Alertmanagers, retries, repeat_interval, and a Prometheus that says again each
 * minute what still fires (alertmanager#4108, #3865). An alert is told apart by its labels; what is handed on
 * says whether it is new, over, or only repeated. Alerts come a few a minute, so one lock serves all threads.
 *
 *     POST /api/v1/alertmanager/webhook   alert_intake_handle_webhook
 *     POST /api/v2/alerts                 alert_intake_handle_api       (Prometheus: alerting.alertmanagers)
 *     GET  /api/v2/status                 alert_intake_handle_status    (so that amtool believes us) */
#ifndef SENTINEL_OBSERVE_ALERT_INTAKE_H
#define SENTINEL_OBSERVE_ALERT_INTAKE_H

#include "observe/alerts.h"
#include "observe/http_server.h"

struct alert_intake_settings {
    struct alert_limits limits;
    const char *host_label; /* copied */
    size_t max_remembered;  /* alerts; when full, the one heard of least recently is forgotten */
};

struct alert_intake;
/* `deliver` takes the batch over on STATUS_OK; otherwise the intake frees it and answers 503: an Alertmanager
 * sends it again, a Prometheus says the same next minute. It is called on http threads, one at a time. */
struct alert_intake *alert_intake_create(const struct alert_intake_settings *settings,
                                         enum status (*deliver)(void *context, struct alert_batch *batch),
                                         void *context);
http_handler alert_intake_handle_webhook, alert_intake_handle_api,
    alert_intake_handle_status; /* context: it */
void alert_intake_destroy(struct alert_intake *intake);

#endif
