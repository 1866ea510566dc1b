#include "decide/guard.h"

#include <stdio.h>

bool guard_permits(const struct guard_question *question, char *reason, size_t size) {
    const struct policy *policy = question->policy;
    if (!question->has_helper) {
        snprintf(reason, size, "no helper is configured for host %.100s: add it under act.helpers",
                 question->incident->host);
        return false;
    }
    int64_t silent_ms = question->now_ms - question->newest_sample_at_ms;
    if (silent_ms > question->stale_after_ms) {
        snprintf(reason, size, "blind: the last sample came %lld s ago", (long long)(silent_ms / 1000));
        return false;
    }
    int64_t since_deed_ms = question->now_ms - question->last_deed_at_ms;
    if (question->last_deed_at_ms != 0 && since_deed_ms < policy->cooldown_ms) {
        snprintf(reason, size, "cool-down: the last deed on this host was %lld s ago, %lld s must pass",
                 (long long)(since_deed_ms / 1000), (long long)(policy->cooldown_ms / 1000));
        return false;
    }
    if (question->hosts >= policy->fleet_brake_hosts &&
        question->hosts_anomalous > policy->fleet_brake_ratio * question->hosts) {
        snprintf(reason, size,
                 "fleet brake: %u of %u hosts are anomalous at once, so the monitoring may be wrong",
                 question->hosts_anomalous, question->hosts);
        return false;
    }
    return true;
}
