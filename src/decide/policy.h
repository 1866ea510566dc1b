/* src/decide/policy.h - what an operator wrote down, applied to one point of one host.
 *
 * A rule watches for a trigger: the forest's score above the threshold, or one feature above a limit (a
 * fail-safe: it needs no model and so works while a host is still LEARNING). It holds when it was seen in k
 * of the last n points, and then names the deeds to try, in order; with none, it only puts an incident on
 * record. A forest rule can be narrowed to anomalies that one of its `leading` features leads, because a full
 * disk is no reason to end a process that computes.
 *
 * Pure: the same policy and the same points give the same verdict, today or in a replay. A policy only
 * proposes: guard.h may still refuse. Immutable after loading. */
#ifndef SENTINEL_DECIDE_POLICY_H
#define SENTINEL_DECIDE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "decide/action.h"
#include "orient/assessment.h"
#include "orient/features.h"

enum { RULES_MAX = 16, LADDER_MAX = 4, RULE_POINTS_MAX = 64 };

enum trigger_kind { TRIGGER_FOREST, TRIGGER_FAILSAFE };
const char *trigger_kind_name(enum trigger_kind kind); /* "forest", "failsafe" */
bool trigger_kind_parse(const char *text, enum trigger_kind *out);

struct rule {
    char name[64];
    bool enabled;
    enum trigger_kind trigger;
    int feature;         /* failsafe: index into the feature set */
    double above;        /* failsafe: the limit, in the feature's unit */
    unsigned points;     /* k: seen in so many ... */
    unsigned of;         /* n: ... of the last so many points; at most RULE_POINTS_MAX */
    uint64_t leading;    /* forest: bit per feature that must lead for a deed; 0: any */
    size_t ladder_count; /* 0: the rule only records */
    enum action_kind ladder[LADDER_MAX];
};

enum mode { MODE_OBSERVE, MODE_ACT };
const char *mode_name(enum mode mode); /* "observe" */

struct policy {
    uint64_t generation; /* another number for every policy that was ever in force: see struct watch */
    enum mode mode;
    size_t rule_count;
    struct rule rules[RULES_MAX];
    unsigned normal_points;     /* so many points without any trigger are a return to normal */
    unsigned max_attempts;      /* deeds per incident before a person is needed */
    int64_t settle_ms;          /* a deed must have proven itself by then */
    int64_t retry_ms;           /* between two attempts that did not reach the helper or found no target */
    int64_t cooldown_ms;        /* between deeds of two incidents of one host */
    int64_t escalate_after_ms;  /* an incident that no rule may act on becomes a person's */
    double fleet_brake_ratio;   /* more hosts than this share anomalous at once: the monitoring is wrong */
    unsigned fleet_brake_hosts; /* ... but not in a fleet smaller than this */
};

/* The policy of someone who wrote none: observe; forest (3 of 5 points, cpu leading) and cpu_busy > 0.90 for
 * 3 points, both terminate. */
void policy_init_default(struct policy *policy, const struct feature_set *set);
/* STATUS_INVALID names the rule and the field. */
MUST_CHECK enum status policy_validate(const struct policy *policy, const struct feature_set *set,
                                       struct error *err);

/* What a policy remembers of one host: one bit per point and rule. Zero it to begin. Under a policy of
 * another generation it begins anew: what one rule saw says nothing about the rule that took its place. */
struct watch {
    uint64_t generation;
    uint64_t seen[RULES_MAX]; /* bit 0: the newest point */
};

struct verdict {
    int rule; /* of those that see something now, the first that may act, else holds, else any; -1: none */
    bool triggered;      /* some rule sees something at this point */
    bool held;           /* `rule` has held for its points */
    bool may_act;        /* held, and it names a deed */
    bool calls_for_deed; /* some rule that names a deed sees something at this point */
    char reason[256];    /* the numbers, for the incident record; "" if rule is -1 */
};

/* One point in. `values` are the point's features. */
void policy_watch(const struct policy *policy, const struct feature_set *set, struct watch *watch,
                  const struct assessment *assessment, const double *values, struct verdict *out);

#endif
