/* src/sentineld/config.h - sentinel.yml: one table of settings, and the rules and helpers beside it.
 *
 * The table (config.c) gives each setting its name, type, bounds, default and sentence of help; the defaults
 * in it are the only ones. A file is read completely before anything of it counts. Errors name the file, the
 * line, the key and the nearest right name. */
#ifndef SENTINEL_SENTINELD_CONFIG_H
#define SENTINEL_SENTINELD_CONFIG_H

#include <stdio.h>

#include "sentineld/core.h"

enum { HELPERS_MAX = 8 };

struct config {
    /* observe */
    char host_label[64], cluster_label[64], replica_label[64];
    size_t max_clusters;
    int64_t failover_ms;
    size_t http_threads, max_connections, max_event_subscribers;
    size_t max_body_bytes, max_decoded_bytes, max_request_memory_bytes, max_bytes_in_flight;
    size_t max_labels, max_label_name_bytes, max_label_value_bytes, max_samples;
    size_t max_series, max_hosts, max_series_per_host, queue_batches;
    int64_t request_timeout_ms, settle_ms, max_gap_ms, stale_after_ms, max_future_ms;
    /* orient */
    size_t learning_points, window_points, trees, subsample_size;
    double false_alarm_rate;
    int64_t new_normal_after_ms;
    size_t seed;
    /* decide, and the mode */
    struct policy policy;
    /* act */
    struct helper_mapping helpers[HELPERS_MAX];
    size_t helper_count;
    /* present */
    size_t points_per_host, max_incidents;
    /* archive */
    size_t queue_records;
};

/* What holds without a file. */
void config_init_default(struct config *config, const struct feature_set *set);
/* `out` is written on success only. `text` (may be NULL) receives the file as read, from malloc. */
MUST_CHECK enum status config_load(const char *path, const struct feature_set *set, struct config *out,
                                   char **text, struct error *err);
/* The same from memory; `name` stands in error texts. */
MUST_CHECK enum status config_parse(const char *name, const char *text, size_t length,
                                    const struct feature_set *set, struct config *out, struct error *err);
/* Every setting with its default and help, as a commented YAML file. */
void config_print_defaults(FILE *out);
/* The policy in plain words. */
void config_explain(const struct config *config, const struct feature_set *set, FILE *out);

#endif
