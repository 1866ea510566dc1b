#include "sentineld/rules.h"

#include <string.h>

#include "base/nearest.h"
#include "sentineld/quantity.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct rule_reading {
    const struct yaml_reader *reader;
    const struct feature_set *set;
    struct policy *policy;
    struct rule *rule;
};

static enum status read_feature(const struct rule_reading *reading, const yaml_node_t *node, int *out,
                                struct error *err) {
    const char *name = yaml_scalar(node);
    if (!name)
        return yaml_error(reading->reader, node, err, "a feature must be a name, such as cpu_busy");
    *out = feature_set_find(reading->set, name);
    if (*out >= 0)
        return STATUS_OK;
    const char *known[FEATURES_MAX];
    size_t count = feature_set_count(reading->set);
    for (size_t i = 0; i < count; i++)
        known[i] = feature_set_describe(reading->set, i)->name;
    const char *nearest = nearest_name(name, known, count);
    return yaml_error(reading->reader, node, err, "unknown feature '%.60s'%s%s%s", name,
                      nearest ? ": did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static enum status read_leading(void *context, size_t position, const yaml_node_t *item, struct error *err) {
    struct rule_reading *reading = context;
    int feature;
    (void)position;
    enum status status = read_feature(reading, item, &feature, err);
    if (status == STATUS_OK)
        reading->rule->leading |= UINT64_C(1) << feature;
    return status;
}

static enum status read_rung(void *context, size_t position, const yaml_node_t *item, struct error *err) {
    struct rule_reading *reading = context;
    const char *name = yaml_scalar(item);
    if (position >= LADDER_MAX)
        return yaml_error(reading->reader, item, err, "a rule has room for %d actions", LADDER_MAX);
    if (!name || !action_kind_parse(name, &reading->rule->ladder[position]) ||
        reading->rule->ladder[position] == ACTION_NONE)
        return yaml_error(reading->reader, item, err,
                          "unknown action '%.40s': use terminate, freeze or deprioritize", name ? name : "");
    reading->rule->ladder_count = position + 1;
    return STATUS_OK;
}

static enum status read_points(const struct rule_reading *reading, const char *key, const yaml_node_t *node,
                               unsigned *out, struct error *err) {
    uint64_t value;
    const char *text = yaml_scalar(node);
    if (!text || !quantity_parse_count(text, &value) || value < 1 || value > RULE_POINTS_MAX)
        return yaml_error(reading->reader, node, err, "%s must be a whole number from 1 to %d", key,
                          RULE_POINTS_MAX);
    *out = (unsigned)value;
    return STATUS_OK;
}

static enum status read_text(const struct yaml_reader *reader, const char *key, const yaml_node_t *node,
                             char *out, size_t size, struct error *err) {
    const char *text = yaml_scalar(node);
    if (!text || *text == '\0' || strlen(text) >= size)
        return yaml_error(reader, node, err, "%s must be text of 1 to %zu bytes", key, size - 1);
    memcpy(out, text, strlen(text) + 1);
    return STATUS_OK;
}

static enum status read_enabled(const struct rule_reading *reading, const yaml_node_t *node,
                                struct error *err) {
    const char *text = yaml_scalar(node);
    bool yes = text && strcmp(text, "true") == 0;
    if (!yes && (!text || strcmp(text, "false") != 0))
        return yaml_error(reading->reader, node, err, "enabled must be true or false");
    reading->rule->enabled = yes;
    return STATUS_OK;
}

static enum status read_rule_key(void *context, const char *key, const yaml_node_t *key_node,
                                 const yaml_node_t *value, struct error *err) {
    static const char *const keys[] = {"name",   "enabled", "trigger", "feature", "above",
                                       "points", "of",      "leading", "do"};
    struct rule_reading *reading = context;
    struct rule *rule = reading->rule;
    const char *text = yaml_scalar(value);
    if (strcmp(key, "name") == 0)
        return read_text(reading->reader, "name", value, rule->name, sizeof rule->name, err);
    if (strcmp(key, "enabled") == 0)
        return read_enabled(reading, value, err);
    if (strcmp(key, "trigger") == 0)
        return text && trigger_kind_parse(text, &rule->trigger)
                   ? STATUS_OK
                   : yaml_error(reading->reader, value, err, "trigger must be forest or failsafe");
    if (strcmp(key, "feature") == 0)
        return read_feature(reading, value, &rule->feature, err);
    if (strcmp(key, "above") == 0)
        return text && quantity_parse_number(text, &rule->above)
                   ? STATUS_OK
                   : yaml_error(reading->reader, value, err, "above must be a number, such as 0.90");
    if (strcmp(key, "points") == 0)
        return read_points(reading, key, value, &rule->points, err);
    if (strcmp(key, "of") == 0)
        return read_points(reading, key, value, &rule->of, err);
    if (strcmp(key, "leading") == 0)
        return yaml_each_item(reading->reader, value, "leading", read_leading, reading, err);
    if (strcmp(key, "do") == 0)
        return yaml_each_item(reading->reader, value, "do", read_rung, reading, err);
    return yaml_unknown_key(reading->reader, key_node, "a rule", keys, COUNT_OF(keys), err);
}

static enum status read_rule(void *context, size_t position, const yaml_node_t *item, struct error *err) {
    struct rule_reading *reading = context;
    if (position >= RULES_MAX)
        return yaml_error(reading->reader, item, err, "there is room for %d rules", RULES_MAX);
    reading->rule = &reading->policy->rules[position];
    *reading->rule = (struct rule){.enabled = true, .feature = -1, .points = 3};
    enum status status = yaml_each_pair(reading->reader, item, "a rule", read_rule_key, reading, err);
    if (status != STATUS_OK)
        return status;
    if (reading->rule->name[0] == '\0')
        return yaml_error(reading->reader, item, err, "a rule needs a name");
    if (reading->rule->of == 0)
        reading->rule->of = reading->rule->points;
    reading->policy->rule_count = position + 1;
    return STATUS_OK;
}

enum status rules_read(const struct yaml_reader *reader, const yaml_node_t *list,
                       const struct feature_set *set, struct policy *policy, struct error *err) {
    struct rule_reading reading = {.reader = reader, .set = set, .policy = policy};
    policy->rule_count = 0;
    return yaml_each_item(reader, list, "decide.rules", read_rule, &reading, err);
}

struct helper_reading {
    const struct yaml_reader *reader;
    struct helper_mapping *helper;
    struct config *config;
};

static enum status read_helper_key(void *context, const char *key, const yaml_node_t *key_node,
                                   const yaml_node_t *value, struct error *err) {
    static const char *const keys[] = {"host", "socket"};
    struct helper_reading *reading = context;
    struct helper_mapping *helper = reading->helper;
    if (strcmp(key, "host") == 0)
        return read_text(reading->reader, key, value, helper->host, sizeof helper->host, err);
    if (strcmp(key, "socket") == 0)
        return read_text(reading->reader, key, value, helper->socket_path, sizeof helper->socket_path, err);
    return yaml_unknown_key(reading->reader, key_node, "a helper", keys, COUNT_OF(keys), err);
}

static enum status read_helper(void *context, size_t position, const yaml_node_t *item, struct error *err) {
    struct helper_reading *reading = context;
    if (position >= HELPERS_MAX)
        return yaml_error(reading->reader, item, err, "there is room for %d helpers", HELPERS_MAX);
    struct helper_mapping *helper = reading->helper = &reading->config->helpers[position];
    *helper = (struct helper_mapping){0};
    enum status status = yaml_each_pair(reading->reader, item, "a helper", read_helper_key, reading, err);
    if (status != STATUS_OK)
        return status;
    if (helper->host[0] == '\0' || helper->socket_path[0] == '\0')
        return yaml_error(reading->reader, item, err,
                          "a helper needs a host (as in the host label) and a socket");
    for (size_t i = 0; i < position; i++) {
        if (strcmp(reading->config->helpers[i].host, helper->host) == 0)
            return yaml_error(reading->reader, item, err, "host '%.80s' has a helper already", helper->host);
        if (strcmp(reading->config->helpers[i].socket_path, helper->socket_path) == 0)
            return yaml_error(reading->reader, item, err, "socket '%.100s' is another host's already",
                              helper->socket_path);
    }
    reading->config->helper_count = position + 1;
    return STATUS_OK;
}

enum status helpers_read(const struct yaml_reader *reader, const yaml_node_t *list, struct config *config,
                         struct error *err) {
    struct helper_reading reading = {.reader = reader, .config = config};
    config->helper_count = 0;
    return yaml_each_item(reader, list, "act.helpers", read_helper, &reading, err);
}

static void explain_rule(const struct rule *rule, const struct feature_set *set, FILE *out) {
    fprintf(out, "rule %s%s: when ", rule->name, rule->enabled ? "" : " (switched off)");
    if (rule->trigger == TRIGGER_FAILSAFE)
        fprintf(out, "%s is above %g", feature_set_describe(set, (size_t)rule->feature)->name, rule->above);
    else
        fputs("the forest's score is above the host's threshold", out);
    if (rule->points == rule->of)
        fprintf(out, " for %u points in a row", rule->points);
    else
        fprintf(out, " in %u of %u points", rule->points, rule->of);
    if (rule->leading != 0) {
        const char *comma = "";
        fputs(", and one of ", out);
        for (size_t i = 0; i < feature_set_count(set); i++) {
            if (rule->leading >> i & 1) {
                fprintf(out, "%s%s", comma, feature_set_describe(set, i)->name);
                comma = ", ";
            }
        }
        fputs(" leads", out);
    }
    fputs(rule->ladder_count > 0 ? ", " : ", put it on record", out);
    for (size_t i = 0; i < rule->ladder_count; i++)
        fprintf(out, "%s%s", i ? ", then " : "", action_kind_name(rule->ladder[i]));
    fputs(rule->ladder_count > 0 ? " the process that explains it.\n" : ".\n", out);
}

void rules_explain(const struct policy *policy, const struct feature_set *set, FILE *out) {
    for (size_t i = 0; i < policy->rule_count; i++)
        explain_rule(&policy->rules[i], set, out);
    if (policy->rule_count == 0)
        fputs("no rules: hosts are assessed, and nothing is ever done.\n", out);
}
