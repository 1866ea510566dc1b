#include "sentineld/config.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sentineld/quantity.h"
#include "sentineld/rules.h"
#include "sentineld/yaml_reader.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum setting_type { TYPE_COUNT, TYPE_UNSIGNED, TYPE_BYTES, TYPE_DURATION, TYPE_RATIO, TYPE_LABEL, TYPE_MODE };

/* min and max are in the base unit: a count, bytes, milliseconds, or a ratio. */
struct setting {
    const char *section, *key; /* section "": at the top level */
    enum setting_type type;
    size_t offset;
    double min, max;
    const char *initial, *help;
};

enum { SECOND = 1000, HOUR = 3600 * SECOND, KIB = 1024, MIB = 1024 * 1024 };
static const double DAY = 24.0 * HOUR, GIB = 1024.0 * MIB;

#define AT(field) offsetof(struct config, field)
/* clang-format off */
static const struct setting settings[] = {
    {"", "mode", TYPE_MODE, AT(policy.mode), 0, 0, "observe",
     "observe: walk every step but the last and record what would be done; act: do it"},

    {"observe", "host_label", TYPE_LABEL, AT(host_label), 0, 0, "instance", "the label that names a host"},
    {"observe", "cluster_label", TYPE_LABEL, AT(cluster_label), 0, 0, "cluster",
     "two Prometheus with the same value of this label and different ones of the next are one, twice"},
    {"observe", "replica_label", TYPE_LABEL, AT(replica_label), 0, 0, "__replica__",
     "tells the two apart; only the elected one's samples count"},
    {"observe", "max_clusters", TYPE_COUNT, AT(max_clusters), 1, 100000, "1000", "such pairs that are remembered"},
    {"observe", "failover", TYPE_DURATION, AT(failover_ms), SECOND, HOUR, "30s",
     "the other replica is elected when the elected one is silent for so long"},
    {"observe", "http_threads", TYPE_COUNT, AT(http_threads), 1, 64, "2", "event loops that receive samples"},
    {"observe", "max_connections", TYPE_COUNT, AT(max_connections), 1, 100000, "1024", "open at once; one more is closed"},
    {"observe", "max_event_subscribers", TYPE_COUNT, AT(max_event_subscribers), 0, 10000, "256",
     "open pages; one more is answered with 204"},
    {"observe", "max_body", TYPE_BYTES, AT(max_body_bytes), KIB, GIB, "16MiB", "compressed request; longer is 413"},
    {"observe", "max_decoded", TYPE_BYTES, AT(max_decoded_bytes), KIB, GIB, "64MiB",
     "request as its Snappy header claims it, checked before anything is allocated; longer is 413"},
    {"observe", "max_request_memory", TYPE_BYTES, AT(max_request_memory_bytes), 64 * KIB, 4 * GIB, "256MiB",
     "all that decoding one request may allocate; more is 413"},
    {"observe", "max_bytes_in_flight", TYPE_BYTES, AT(max_bytes_in_flight), MIB, 16 * GIB, "256MiB",
     "requests that wait for their rest or their answer, over all connections; beyond is 503"},
    {"observe", "max_labels", TYPE_COUNT, AT(max_labels), 1, 1000, "64", "labels on one series"},
    {"observe", "max_label_name", TYPE_BYTES, AT(max_label_name_bytes), 1, 64 * KIB, "1024B", "length of a label's name"},
    {"observe", "max_label_value", TYPE_BYTES, AT(max_label_value_bytes), 1, MIB, "4096B", "length of a label's value"},
    {"observe", "max_samples", TYPE_COUNT, AT(max_samples), 1, 10000000, "500000", "samples in one request"},
    {"observe", "max_series", TYPE_COUNT, AT(max_series), 1000, 100000000, "2000000",
     "series whose verdict is remembered, over all threads"},
    {"observe", "max_hosts", TYPE_COUNT, AT(max_hosts), 1, 1000000, "10000", "hosts; samples of one more are ignored"},
    {"observe", "max_series_per_host", TYPE_COUNT, AT(max_series_per_host), 16, 1000000, "20000",
     "wanted series of one host; further ones are ignored"},
    {"observe", "queue_batches", TYPE_COUNT, AT(queue_batches), 1, 1000000, "1024",
     "requests waiting to be assessed; one more is 503"},
    {"observe", "request_timeout", TYPE_DURATION, AT(request_timeout_ms), SECOND, HOUR, "30s",
     "from the first byte of a request to its last"},
    {"observe", "settle", TYPE_DURATION, AT(settle_ms), 10, 10 * 60 * SECOND, "1s",
     "how long an incomplete scrape waits for its missing pieces"},
    {"observe", "max_gap", TYPE_DURATION, AT(max_gap_ms), SECOND, DAY, "5m",
     "between two samples of a counter; after a longer one its rate starts anew"},
    {"observe", "stale_after", TYPE_DURATION, AT(stale_after_ms), SECOND, DAY, "1m",
     "a host that is silent for so long is STALE, and nothing is done to it"},
    {"observe", "max_future", TYPE_DURATION, AT(max_future_ms), SECOND, DAY, "10m",
     "samples dated further ahead of this clock are refused"},

    {"orient", "learning_points", TYPE_COUNT, AT(learning_points), 2, 10000, "15",
     "points of a host before its first forest"},
    {"orient", "window_points", TYPE_COUNT, AT(window_points), 16, 1000000, "20000", "points a host's model remembers"},
    {"orient", "trees", TYPE_COUNT, AT(trees), 1, 1000, "32", "trees in a forest"},
    {"orient", "subsample", TYPE_COUNT, AT(subsample_size), 2, 16384, "2048", "points each tree is grown from"},
    {"orient", "false_alarm_rate", TYPE_RATIO, AT(false_alarm_rate), 1e-6, 0.5, "0.001",
     "anomalies that may begin per point of a normal host; its threshold follows"},
    {"orient", "new_normal_after", TYPE_DURATION, AT(new_normal_after_ms), 60 * SECOND, 30 * DAY, "6h",
     "an unusual state that lasts so long is what the host does now"},
    {"orient", "seed", TYPE_COUNT, AT(seed), 0, 9007199254740992.0, "1", "of all forests; same seed, same decisions"},

    {"decide", "normal_points", TYPE_UNSIGNED, AT(policy.normal_points), 1, 1000, "3",
     "points in a row without a trigger that prove a heal"},
    {"decide", "max_attempts", TYPE_UNSIGNED, AT(policy.max_attempts), 1, 20, "3",
     "deeds, or tries at one, before an incident is escalated to a person"},
    {"decide", "settle", TYPE_DURATION, AT(policy.settle_ms), SECOND, HOUR, "2m", "a deed must have proven itself by then"},
    {"decide", "retry", TYPE_DURATION, AT(policy.retry_ms), 100, HOUR, "5s", "between a try that came to nothing and the next"},
    {"decide", "cooldown", TYPE_DURATION, AT(policy.cooldown_ms), 0, DAY, "1m",
     "between the deeds of two incidents of one host"},
    {"decide", "escalate_after", TYPE_DURATION, AT(policy.escalate_after_ms), SECOND, DAY, "5m",
     "an incident on which no rule may act becomes a person's"},
    {"decide", "fleet_brake", TYPE_RATIO, AT(policy.fleet_brake_ratio), 0, 1, "0.5",
     "when more than this share of the hosts is anomalous at once, nothing is done: the monitoring may be wrong"},
    {"decide", "fleet_brake_hosts", TYPE_UNSIGNED, AT(policy.fleet_brake_hosts), 2, 1000000, "5",
     "the fleet brake works from so many hosts on"},

    {"present", "points_per_host", TYPE_COUNT, AT(points_per_host), 10, 100000, "300", "points kept for the page's charts"},
    {"present", "max_incidents", TYPE_COUNT, AT(max_incidents), 1, 100000, "200",
     "incidents kept for the page; the archive keeps all"},

    {"archive", "queue_records", TYPE_COUNT, AT(queue_records), 16, 100000, "1024", "records waiting for the database"},
};
/* clang-format on */

static const char *const sections[] = {"observe", "orient", "decide", "act", "present", "archive"};

static bool store_count(const struct setting *setting, uint64_t value, void *at) {
    if ((double)value < setting->min || (double)value > setting->max)
        return false;
    if (setting->type == TYPE_UNSIGNED)
        *(unsigned *)at = (unsigned)value;
    else
        *(size_t *)at = (size_t)value;
    return true;
}

/* False: not of this type, or out of bounds. */
static bool store_text(const struct setting *setting, const char *text, struct config *config) {
    void *at = (char *)config + setting->offset;
    uint64_t count;
    int64_t ms;
    double number;
    switch (setting->type) {
    case TYPE_COUNT:
    case TYPE_UNSIGNED:
        return quantity_parse_count(text, &count) && store_count(setting, count, at);
    case TYPE_BYTES:
        return quantity_parse_bytes(text, &count) && store_count(setting, count, at);
    case TYPE_DURATION:
        if (!quantity_parse_duration(text, &ms) || (double)ms < setting->min || (double)ms > setting->max)
            return false;
        *(int64_t *)at = ms;
        return true;
    case TYPE_RATIO:
        if (!quantity_parse_number(text, &number) || number < setting->min || number > setting->max)
            return false;
        *(double *)at = number;
        return true;
    case TYPE_LABEL:
        if (*text == '\0' || strlen(text) >= sizeof config->host_label)
            return false;
        memcpy(at, text, strlen(text) + 1);
        return true;
    case TYPE_MODE:
        if (strcmp(text, "observe") != 0 && strcmp(text, "act") != 0)
            return false;
        *(enum mode *)at = strcmp(text, "act") == 0 ? MODE_ACT : MODE_OBSERVE;
        return true;
    }
    return false;
}

static void print_bound(const struct setting *setting, double bound, char *out, size_t size) {
    if (setting->type == TYPE_DURATION && bound >= SECOND)
        snprintf(out, size, "%gs", bound / SECOND);
    else if (setting->type == TYPE_DURATION)
        snprintf(out, size, "%gms", bound);
    else if (setting->type == TYPE_BYTES && bound >= MIB)
        snprintf(out, size, "%gMiB", bound / MIB);
    else if (setting->type == TYPE_BYTES)
        snprintf(out, size, "%gB", bound);
    else
        snprintf(out, size, "%g", bound);
}

static enum status refuse_value(const struct yaml_reader *reader, const struct setting *setting,
                                const yaml_node_t *node, struct error *err) {
    const char *text = yaml_scalar(node);
    char min[32], max[32];
    switch (setting->type) {
    case TYPE_LABEL:
        return yaml_error(reader, node, err, "%s must be a label's name", setting->key);
    case TYPE_MODE:
        return yaml_error(reader, node, err, "mode must be observe or act, not '%.40s'", text ? text : "");
    case TYPE_COUNT:
    case TYPE_UNSIGNED:
    case TYPE_BYTES:
    case TYPE_DURATION:
    case TYPE_RATIO:
        break;
    }
    print_bound(setting, setting->min, min, sizeof min);
    print_bound(setting, setting->max, max, sizeof max);
    return yaml_error(reader, node, err, "%s.%s must be from %s to %s, such as %s, not '%.40s'",
                      setting->section, setting->key, min, max, setting->initial, text ? text : "a list");
}

void config_init_default(struct config *config, const struct feature_set *set) {
    *config = (struct config){0};
    policy_init_default(&config->policy, set);
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        bool stored = store_text(&settings[i], settings[i].initial, config);
        assert(stored);
        (void)stored;
    }
}

/* ---- reading ---- */

struct reading {
    const struct yaml_reader *reader;
    const struct feature_set *set;
    struct config *config;
    const char *section;
};

static enum status read_list(struct reading *reading, const char *key, const yaml_node_t *value, bool *taken,
                             struct error *err) {
    *taken = true;
    if (strcmp(reading->section, "decide") == 0 && strcmp(key, "rules") == 0)
        return rules_read(reading->reader, value, reading->set, &reading->config->policy, err);
    if (strcmp(reading->section, "act") == 0 && strcmp(key, "helpers") == 0)
        return helpers_read(reading->reader, value, reading->config, err);
    *taken = false;
    return STATUS_OK;
}

static enum status unknown_key(const struct reading *reading, const yaml_node_t *key_node,
                               struct error *err) {
    const char *known[COUNT_OF(settings) + COUNT_OF(sections) + 1];
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (strcmp(settings[i].section, reading->section) == 0)
            known[count++] = settings[i].key;
    }
    if (strcmp(reading->section, "decide") == 0)
        known[count++] = "rules";
    if (strcmp(reading->section, "act") == 0)
        known[count++] = "helpers";
    for (size_t i = 0; i < COUNT_OF(sections) && reading->section[0] == '\0'; i++)
        known[count++] = sections[i];
    return yaml_unknown_key(reading->reader, key_node,
                            reading->section[0] ? reading->section : "the configuration", known, count, err);
}

static enum status read_setting(void *context, const char *key, const yaml_node_t *key_node,
                                const yaml_node_t *value, struct error *err) {
    struct reading *reading = context;
    bool taken;
    enum status status = read_list(reading, key, value, &taken, err);
    if (taken)
        return status;
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (strcmp(settings[i].section, reading->section) != 0 || strcmp(settings[i].key, key) != 0)
            continue;
        const char *text = yaml_scalar(value);
        if (text && store_text(&settings[i], text, reading->config))
            return STATUS_OK;
        return refuse_value(reading->reader, &settings[i], value, err);
    }
    return unknown_key(reading, key_node, err);
}

static enum status read_section(void *context, const char *key, const yaml_node_t *key_node,
                                const yaml_node_t *value, struct error *err) {
    struct reading *reading = context;
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        if (strcmp(sections[i], key) != 0)
            continue;
        struct reading inner = *reading;
        inner.section = sections[i];
        return yaml_each_pair(reading->reader, value, key, read_setting, &inner, err);
    }
    return read_setting(context, key, key_node, value, err);
}

static enum status read_document(const struct yaml_reader *reader, const struct feature_set *set,
                                 struct config *out, struct error *err) {
    struct config config;
    config_init_default(&config, set);
    struct reading reading = {.reader = reader, .set = set, .config = &config, .section = ""};
    const yaml_node_t *root = yaml_document_get_root_node(reader->document);
    enum status status = STATUS_OK;
    if (root) /* an empty file is a configuration of defaults */
        status = yaml_each_pair(reader, root, "the configuration", read_section, &reading, err);
    struct error rule_error = {0};
    if (status == STATUS_OK && policy_validate(&config.policy, set, &rule_error) != STATUS_OK)
        status = error_set(err, STATUS_INVALID, "%s: %s", reader->name, rule_error.text);
    if (status == STATUS_OK)
        *out = config;
    return status;
}

enum status config_parse(const char *name, const char *text, size_t length, const struct feature_set *set,
                         struct config *out, struct error *err) {
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return error_set(err, STATUS_SYSTEM, "%s: no memory to read it", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    enum status status;
    if (!yaml_parser_load(&parser, &document)) {
        status = error_set(err, STATUS_INVALID, "%s:%zu: not YAML: %s", name, parser.problem_mark.line + 1,
                           parser.problem ? parser.problem : "cannot be read");
    } else {
        const struct yaml_reader reader = {&document, name};
        status = read_document(&reader, set, out, err);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return status;
}

enum { FILE_MAX_BYTES = MIB };

static enum status read_file(const char *path, char **out, size_t *length, struct error *err) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return error_set_errno(err, "cannot read %.120s", path);
    char *text = xcalloc(FILE_MAX_BYTES + 1, 1);
    *length = fread(text, 1, FILE_MAX_BYTES + 1, file);
    enum status status = STATUS_OK;
    if (ferror(file))
        status = error_set_errno(err, "cannot read %.120s", path);
    else if (*length > FILE_MAX_BYTES)
        status = error_set(err, STATUS_TOO_LARGE, "%.120s is longer than 1 MiB", path);
    fclose(file);
    if (status != STATUS_OK) {
        free(text);
        return status;
    }
    text[*length] = '\0';
    *out = xrealloc(text, *length + 1, 1);
    return STATUS_OK;
}

enum status config_load(const char *path, const struct feature_set *set, struct config *out, char **text,
                        struct error *err) {
    char *content = NULL;
    size_t length = 0;
    enum status status = read_file(path, &content, &length, err);
    if (status != STATUS_OK)
        return status;
    status = config_parse(path, content, length, set, out, err);
    if (status == STATUS_OK && text)
        *text = content;
    else
        free(content);
    return status;
}

/* ---- telling ---- */

void config_print_defaults(FILE *out) {
    const char *section = "";
    fputs("# sentinel.yml: every setting with its default. Durations: 500ms, 2s, 1m30s, 6h. Sizes: 64KiB, "
          "16MiB.\n",
          out);
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        const struct setting *setting = &settings[i];
        if (strcmp(setting->section, section) != 0)
            fprintf(out, "\n%s:\n", section = setting->section);
        const char *indent = section[0] ? "  " : "";
        fprintf(out, "%s# %s\n%s%s: %s\n", indent, setting->help, indent, setting->key, setting->initial);
        if (strcmp(setting->key, "fleet_brake_hosts") != 0)
            continue;
        fputs("  rules:\n"
              "    # works without a model, and so while a host is still LEARNING\n"
              "    - {name: cpu-failsafe, trigger: failsafe, feature: cpu_busy, above: 0.90, points: 3, do: "
              "[terminate]}\n"
              "    # a full disk is no reason to end a process that computes: one of `leading` must have the "
              "largest "
              "share\n"
              "    - {name: cpu-forest, trigger: forest, points: 3, of: 5, do: [terminate],\n"
              "       leading: [cpu_busy, cpu_kernel, pressure_cpu, processes_running]}\n"
              "    # whatever else is unusual is put on record, and nothing is done\n"
              "    - {name: unusual, trigger: forest, points: 25, of: 30, do: []}\n"
              "\nact:\n"
              "  # which sentinel-helper answers for which host; none: nothing can be done\n"
              "  helpers: []\n"
              "  # - {host: \"myhost:9100\", socket: /run/sentinel/helper.sock}\n",
              out);
    }
}

void config_explain(const struct config *config, const struct feature_set *set, FILE *out) {
    const struct policy *policy = &config->policy;
    fprintf(out, "mode %s: %s.\n", mode_name(policy->mode),
            policy->mode == MODE_ACT ? "what the rules ask for and the guards permit is done"
                                     : "nothing is done; what would have been done is recorded");
    fprintf(out, "hosts are named by the label '%s' and learn for %zu points.\n", config->host_label,
            config->learning_points);
    rules_explain(policy, set, out);
    fprintf(out,
            "a heal is proven by %u normal points within %lld s; after %u attempts, or %lld s without one, a "
            "person "
            "is needed.\n",
            policy->normal_points, (long long)(policy->settle_ms / SECOND), policy->max_attempts,
            (long long)(policy->escalate_after_ms / SECOND));
    fprintf(out,
            "nothing is done within %lld s of another incident's deed on the same host, to a host silent for "
            "%lld s, "
            "or while more than %g of at least %u hosts are anomalous at once.\n",
            (long long)(policy->cooldown_ms / SECOND), (long long)(config->stale_after_ms / SECOND),
            policy->fleet_brake_ratio, policy->fleet_brake_hosts);
    for (size_t i = 0; i < config->helper_count; i++)
        fprintf(out, "host %s is served by the helper at %s.\n", config->helpers[i].host,
                config->helpers[i].socket_path);
    if (config->helper_count == 0)
        fputs("no helper is configured (act.helpers): whatever the mode, nothing can be done to any host.\n",
              out);
}
