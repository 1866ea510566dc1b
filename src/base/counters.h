/* src/base/counters.h - what this process has counted since it started.
 *
 * One table names every counter and histogram without a host label; present/metrics writes them out,
 * with the HELP text below. Counting is a relaxed atomic addition, done once per request or event and
 * never per sample. Any thread. */
#ifndef SENTINEL_BASE_COUNTERS_H
#define SENTINEL_BASE_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

/* id, metric name, label pairs or "", help (the first of a name speaks for all of that name) */
#define SENTINEL_COUNTERS(X)                                                                                 \
    X(WRITE_V1_204, "sentinel_remote_write_requests_total", "version=\"1.0\",code=\"204\"",                  \
      "Remote write requests by protocol version and HTTP status.")                                          \
    X(WRITE_V1_400, "sentinel_remote_write_requests_total", "version=\"1.0\",code=\"400\"", "")              \
    X(WRITE_V1_413, "sentinel_remote_write_requests_total", "version=\"1.0\",code=\"413\"", "")              \
    X(WRITE_V1_415, "sentinel_remote_write_requests_total", "version=\"1.0\",code=\"415\"", "")              \
    X(WRITE_V1_503, "sentinel_remote_write_requests_total", "version=\"1.0\",code=\"503\"", "")              \
    X(WRITE_V2_204, "sentinel_remote_write_requests_total", "version=\"2.0\",code=\"204\"", "")              \
    X(WRITE_V2_400, "sentinel_remote_write_requests_total", "version=\"2.0\",code=\"400\"", "")              \
    X(WRITE_V2_413, "sentinel_remote_write_requests_total", "version=\"2.0\",code=\"413\"", "")              \
    X(WRITE_V2_415, "sentinel_remote_write_requests_total", "version=\"2.0\",code=\"415\"", "")              \
    X(WRITE_V2_503, "sentinel_remote_write_requests_total", "version=\"2.0\",code=\"503\"", "")              \
    X(SAMPLES_RECEIVED, "sentinel_samples_received_total", "", "Samples in accepted requests.")              \
    X(SAMPLES_MATCHED, "sentinel_samples_matched_total", "", "Samples that a feature wanted.")               \
    X(SAMPLES_REFUSED, "sentinel_samples_refused_total", "",                                                 \
      "Samples of series that broke a rule of the protocol or one of our limits.")                           \
    X(SAMPLES_LATE, "sentinel_samples_late_total", "",                                                       \
      "Samples that came after their point was closed: repeats, or out of order.")                           \
    X(SAMPLES_FUTURE, "sentinel_samples_future_total", "",                                                   \
      "Samples dated more than ten minutes ahead of this clock; never used.")                                \
    X(SAMPLES_OF_REPLICAS, "sentinel_samples_deduplicated_total", "",                                        \
      "Samples of a replica that is not the elected one of its cluster; its partner's copy was taken.")      \
    X(HA_FAILOVERS, "sentinel_ha_failovers_total", "",                                                       \
      "Times another replica was elected because the elected one had fallen silent.")                        \
    X(HISTOGRAMS_RECEIVED, "sentinel_histograms_received_total", "",                                         \
      "Native histograms in accepted series; checked and counted, no feature uses them.")                    \
    X(EXEMPLARS_RECEIVED, "sentinel_exemplars_received_total", "",                                           \
      "Exemplars in accepted series; likewise.")                                                             \
    X(METADATA_RECEIVED, "sentinel_metadata_received_total", "",                                             \
      "Metadata entries in accepted requests; likewise.")                                                    \
    X(HOSTS_REFUSED, "sentinel_hosts_refused_total", "",                                                     \
      "Series of new hosts that were ignored because the limit on hosts was reached.")                       \
    X(SERIES_FORGOTTEN, "sentinel_series_forgotten_total", "",                                               \
      "Times a full series cache was emptied; its verdicts are found again on the next sample.")             \
    X(POINTS_COMPLETE, "sentinel_points_total", "completeness=\"complete\"",                                 \
      "Points (one feature vector of one host at one scrape time) by completeness.")                         \
    X(POINTS_PARTIAL, "sentinel_points_total", "completeness=\"partial\"", "")                               \
    X(FORESTS_TRAINED, "sentinel_forests_trained_total", "", "Forests fitted by the trainer thread.")        \
    X(TRAINING_DEFERRED, "sentinel_training_deferred_total", "",                                             \
      "Fits put off because the trainer's queue was full; the model asks again at its next point.")          \
    X(TRANSITIONS_WRITTEN, "sentinel_archive_rows_total", "table=\"transitions\"", "Rows made durable.")     \
    X(ACTIONS_WRITTEN, "sentinel_archive_rows_total", "table=\"actions\"", "")                               \
    X(ARCHIVE_ERRORS, "sentinel_archive_errors_total", "",                                                   \
      "Failed writes to the database; each is tried again.")                                                 \
    X(HELPER_ERRORS, "sentinel_helper_errors_total", "", "Conversations with a helper that broke off.")      \
    X(ALERTS_FROM_WEBHOOK, "sentinel_alerts_received_total", "source=\"webhook\"",                           \
      "Alerts that others sent, by the way they came.")                                                      \
    X(ALERTS_FROM_API, "sentinel_alerts_received_total", "source=\"api\"", "")                               \
    X(ALERTS_REPEATED, "sentinel_alerts_repeated_total", "", "Of these, the ones that said nothing new.")    \
    X(ALERTS_REFUSED, "sentinel_alerts_refused_total", "",                                                   \
      "Alerts, or whole messages, that could not be read.")                                                  \
    X(ALERTS_TRUNCATED, "sentinel_alerts_truncated_total", "",                                               \
      "Alerts that an Alertmanager left out of its messages (max_alerts of its receiver).")                  \
    X(HTTP_CONNECTIONS_REFUSED, "sentinel_http_connections_refused_total", "",                               \
      "Connections closed at once because the limit on connections was reached.")                            \
    X(HTTP_HEADS_REFUSED, "sentinel_http_requests_refused_total", "reason=\"head\"",                         \
      "Requests refused by the HTTP server before a handler saw them, by reason.")                           \
    X(HTTP_BODIES_REFUSED, "sentinel_http_requests_refused_total", "reason=\"body_too_large\"", "")          \
    X(HTTP_REQUESTS_TIMED_OUT, "sentinel_http_requests_refused_total", "reason=\"timeout\"", "")             \
    X(HTTP_MEMORY_REFUSED, "sentinel_http_requests_refused_total", "reason=\"memory\"", "")                  \
    X(EVENTS_SUBSCRIBERS_REFUSED, "sentinel_events_subscribers_refused_total", "",                           \
      "Event streams answered with 204 because the limit on subscribers was reached.")

#define SENTINEL_HISTOGRAMS(X)                                                                               \
    X(DECISION_SECONDS, "sentinel_decision_seconds",                                                         \
      "From the arrival of the last piece of a point to the decision about it.")                             \
    X(HEAL_SECONDS, "sentinel_heal_seconds", "From the first anomalous sample to the proven heal.")

enum counter_id {
#define X(id, name, labels, help) COUNTER_##id,
    SENTINEL_COUNTERS(X)
#undef X
        COUNTER_COUNT
};

enum histogram_id {
#define X(id, name, help) HISTOGRAM_##id,
    SENTINEL_HISTOGRAMS(X)
#undef X
        HISTOGRAM_COUNT
};

struct counter_description {
    const char *name, *labels, *help;
};

void counter_add(enum counter_id id, uint64_t amount);
uint64_t counter_read(enum counter_id id);
const struct counter_description *counter_describe(enum counter_id id);

enum { HISTOGRAM_BUCKETS = 14 }; /* without +Inf */
struct histogram_reading {
    const char *name, *help;
    double upper_bounds[HISTOGRAM_BUCKETS];
    uint64_t cumulative[HISTOGRAM_BUCKETS + 1]; /* the last is +Inf and equals the count */
    double sum;
};

void histogram_observe(enum histogram_id id, double seconds);
void histogram_read(enum histogram_id id, struct histogram_reading *out);

#endif
