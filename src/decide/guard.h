/* src/decide/guard.h - can only say no.
 *
 * Everything that must be true before a deed is even asked for, over and above the policy. Every no has a
 * reason for the record. Pure: time and the fleet's state are parameters. The helper has guards of its own
 * and believes none of this. */
#ifndef SENTINEL_DECIDE_GUARD_H
#define SENTINEL_DECIDE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "decide/incident.h"
#include "decide/policy.h"

struct guard_question {
    const struct policy *policy;
    const struct incident *incident;
    int64_t now_ms;
    int64_t newest_sample_at_ms; /* when this host was last heard of, by our clock */
    int64_t stale_after_ms;
    int64_t last_deed_at_ms;         /* of another incident of this host; 0: never */
    bool has_helper;                 /* a helper is configured for this host */
    unsigned hosts, hosts_anomalous; /* of the fleet: those with a live model or a fail-safe */
};

/* False: `reason` says why not, in words for the incident record. */
bool guard_permits(const struct guard_question *question, char *reason, size_t size);

#endif
