/* src/observe/alerts.h - alerts that others raise, read from what they send.
 *
 * Two senders speak to us: an Alertmanager through its webhook (version "4"), and a Prometheus that takes us
 * for an Alertmanager (API v2). Both become the same plain alerts. Pure: no I/O, no clock, no globals; any
 * thread. Input is hostile until it has passed here; an alert that breaks a rule is left out by itself, and
 * the answer is then 400, because a 5xx would be sent again (Alertmanager notify/util.go). */
#ifndef SENTINEL_OBSERVE_ALERTS_H
#define SENTINEL_OBSERVE_ALERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "observe/host_directory.h"

enum alert_source { ALERT_FROM_WEBHOOK, ALERT_FROM_API };

/* Text that does not fit is cut at a character; a host that does not fit is no host. */
struct alert {
    uint64_t key; /* hash of the label set: the same alert, whoever sends it and however often */
    enum alert_source source;
    bool is_firing;
    bool is_repeat; /* nothing has changed since it was last handed on, except perhaps ends_at_ms */
    int64_t starts_at_ms;
    int64_t ends_at_ms; /* resolved: when; firing: when to believe it no longer unless repeated, 0 is never */
    char host[HOST_NAME_SIZE]; /* "" if it has no host label */
    char name[128];            /* label alertname */
    char severity[32];         /* label severity */
    char summary[256];         /* annotation summary, or else description */
    char group_key[256];       /* of the webhook */
    char labels[512];          /* {alertname="...", ...}, sorted by name; for people */
};

struct alert_batch {
    int64_t received_at_ms;
    size_t count;
    struct alert alerts[]; /* the batch is from malloc; whoever holds it frees it */
};

struct alert_limits {
    size_t max_body_bytes; /* JSON of n bytes takes up to 40 n of memory while it is read */
    size_t max_alerts;     /* in one request */
};

struct alert_reading {
    struct alert_batch *batch; /* the good ones, never NULL */
    size_t refused;
    size_t truncated;     /* alerts that the Alertmanager says it left out of this message */
    struct error refusal; /* why the first one was refused; status is STATUS_OK if none was */
};

/* STATUS_INVALID, STATUS_TOO_LARGE: nothing could be read. `now_ms` dates what has no date, and decides
 * whether an end has come. */
MUST_CHECK enum status alerts_read(enum alert_source source, const char *body, size_t body_bytes,
                                   const char *host_label, const struct alert_limits *limits, int64_t now_ms,
                                   struct alert_reading *out, struct error *err);

#endif
