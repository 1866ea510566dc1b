#include "decide/policy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const trigger_names[] = {[TRIGGER_FOREST] = "forest", [TRIGGER_FAILSAFE] = "failsafe"};

const char *trigger_kind_name(enum trigger_kind kind) {
    return trigger_names[kind];
}

bool trigger_kind_parse(const char *text, enum trigger_kind *out) {
    bool failsafe = strcmp(text, "failsafe") == 0;
    if (!failsafe && strcmp(text, "forest") != 0)
        return false;
    *out = failsafe ? TRIGGER_FAILSAFE : TRIGGER_FOREST;
    return true;
}

const char *mode_name(enum mode mode) {
    return mode == MODE_ACT ? "act" : "observe";
}

static uint64_t feature_bit(const struct feature_set *set, const char *name) {
    int feature = feature_set_find(set, name);
    return feature < 0 ? 0 : UINT64_C(1) << feature;
}

void policy_init_default(struct policy *policy, const struct feature_set *set) {
    *policy = (struct policy){
        .mode = MODE_OBSERVE,
        .normal_points = 3,
        .max_attempts = 3,
        .settle_ms = 120 * 1000,
        .retry_ms = 5 * 1000,
        .cooldown_ms = 60 * 1000,
        .escalate_after_ms = 300 * 1000,
        .fleet_brake_ratio = 0.5,
        .fleet_brake_hosts = 5,
        .rule_count = 3,
        .rules =
            {
                /* First, because it is the surer of the two: no model, no statistics. */
                {
                    .name = "cpu-failsafe",
                    .enabled = true,
                    .trigger = TRIGGER_FAILSAFE,
                    .feature = feature_set_find(set, "cpu_busy"),
                    .above = 0.90,
                    .points = 3,
                    .of = 3,
                    .ladder_count = 1,
                    .ladder = {ACTION_TERMINATE},
                },
                {
                    .name = "cpu-forest",
                    .enabled = true,
                    .trigger = TRIGGER_FOREST,
                    .feature = -1,
                    .points = 3,
                    .of = 5,
                    .leading = feature_bit(set, "cpu_busy") | feature_bit(set, "cpu_kernel") |
                               feature_bit(set, "pressure_cpu") | feature_bit(set, "processes_running"),
                    .ladder_count = 1,
                    .ladder = {ACTION_TERMINATE},
                },
                /* Whatever else a host does that it never did: worth a record, not a deed. */
                {
                    .name = "unusual",
                    .enabled = true,
                    .trigger = TRIGGER_FOREST,
                    .feature = -1,
                    .points = 25,
                    .of = 30,
                },
            },
    };
}

static enum status validate_rule(const struct rule *rule, const struct feature_set *set, struct error *err) {
    if (rule->of < 1 || rule->of > RULE_POINTS_MAX)
        return error_set(err, STATUS_INVALID, "rule '%s': of must be 1 to %d points", rule->name,
                         RULE_POINTS_MAX);
    if (rule->points < 1 || rule->points > rule->of)
        return error_set(err, STATUS_INVALID, "rule '%s': points must be 1 to %u (its `of`)", rule->name,
                         rule->of);
    if (rule->trigger != TRIGGER_FAILSAFE)
        return STATUS_OK;
    if (rule->feature < 0 || (size_t)rule->feature >= feature_set_count(set))
        return error_set(err, STATUS_INVALID, "rule '%s': a failsafe needs `feature`, such as cpu_busy",
                         rule->name);
    if (!isfinite(rule->above))
        return error_set(err, STATUS_INVALID, "rule '%s': a failsafe needs `above`, such as 0.90",
                         rule->name);
    return STATUS_OK;
}

enum status policy_validate(const struct policy *policy, const struct feature_set *set, struct error *err) {
    for (size_t i = 0; i < policy->rule_count; i++) {
        enum status status = validate_rule(&policy->rules[i], set, err);
        if (status != STATUS_OK)
            return status;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(policy->rules[i].name, policy->rules[j].name) == 0)
                return error_set(err, STATUS_INVALID, "rule '%s' is there twice: give each its own name",
                                 policy->rules[i].name);
        }
    }
    return STATUS_OK;
}

/* The feature with the largest share of the score is one of the rule's. */
static bool leading_agrees(const struct rule *rule, const struct assessment *assessment) {
    return rule->leading == 0 ||
           (assessment->leading_count > 0 && (rule->leading >> assessment->leading[0].feature & 1));
}

static bool rule_sees(const struct rule *rule, const struct assessment *assessment, const double *values) {
    switch (rule->trigger) {
    case TRIGGER_FOREST:
        return assessment->anomalous && leading_agrees(rule, assessment);
    case TRIGGER_FAILSAFE:
        return values[rule->feature] > rule->above; /* a missing value is NaN and never above */
    }
    return false;
}

static unsigned seen_count(const struct rule *rule, uint64_t seen) {
    uint64_t last_n = rule->of == 64 ? ~UINT64_C(0) : (UINT64_C(1) << rule->of) - 1;
    return (unsigned)__builtin_popcountll(seen & last_n);
}

static void explain(const struct rule *rule, const struct feature_set *set, unsigned count,
                    const struct assessment *assessment, const double *values, char *out, size_t size) {
    if (rule->trigger == TRIGGER_FAILSAFE) {
        snprintf(out, size, "%s %.3g above %.3g in %u of %u points",
                 feature_set_describe(set, (size_t)rule->feature)->name, values[rule->feature], rule->above,
                 count, rule->of);
        return;
    }
    size_t used = (size_t)snprintf(out, size, "score %.3f above %.3f in %u of %u points", assessment->score,
                                   assessment->threshold, count, rule->of);
    for (size_t i = 0; i < assessment->leading_count && used < size; i++) {
        const struct leading_feature *leading = &assessment->leading[i];
        used += (size_t)snprintf(out + used, size - used, "%s %s %.3g (usually %.3g to %.3g)", i ? "," : ":",
                                 feature_set_describe(set, leading->feature)->name, leading->value,
                                 leading->usual_low, leading->usual_high);
    }
}

void policy_watch(const struct policy *policy, const struct feature_set *set, struct watch *watch,
                  const struct assessment *assessment, const double *values, struct verdict *out) {
    *out = (struct verdict){.rule = -1};
    unsigned rule_seen = 0;
    if (watch->generation != policy->generation) /* other rules may stand where these bits came from */
        *watch = (struct watch){.generation = policy->generation};
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        bool sees = rule->enabled && rule_sees(rule, assessment, values);
        watch->seen[i] = watch->seen[i] << 1 | sees;
        unsigned seen = seen_count(rule, watch->seen[i]);
        bool held = sees && seen >= rule->points;
        bool may_act = held && rule->ladder_count > 0;
        out->triggered |= sees;
        out->calls_for_deed |= sees && rule->ladder_count > 0;
        /* The rule that may do most speaks: one that may act, else one that holds, else one that sees
         * something. */
        bool speaks = sees && (out->rule < 0 || (may_act && !out->may_act) || (held && !out->held));
        if (speaks) {
            out->rule = (int)i;
            out->held = held;
            out->may_act = may_act;
            rule_seen = seen;
        }
    }
    if (out->rule >= 0)
        explain(&policy->rules[out->rule], set, rule_seen, assessment, values, out->reason,
                sizeof out->reason);
}
