/* src/helper/helper_policy.h - what root allows: which processes, how often, in which mode.
 *
 * A text of sections and `key = value` lines; deploy/examples/helper.conf shows every key. It is read whole
 * and understood whole before any of it counts: one wrong line, and nothing is allowed at all. Identity is
 * a uid plus an executable, a cgroup or an ancestor; a name (comm) is whatever a process says of itself, so
 * it may protect or narrow and never authorises alone.
 *
 * The file and every folder above it belong to root and are writable by nobody else; no links. A helper
 * without any privilege can only touch its own user's processes, so that user may own its policy.
 *
 * helper_policy_judge() is pure. Immutable after loading; everything has a fixed size. */
#ifndef SENTINEL_HELPER_HELPER_POLICY_H
#define SENTINEL_HELPER_HELPER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "helper/processes.h"

enum {
    POLICY_BYTES_MAX = 65536,
    POLICY_RULES_MAX = 16,
    POLICY_PROTECTED_MAX = 8,
    POLICY_NUMBERS_MAX = 16, /* uids of one line */
    POLICY_PATHS_MAX = 8,    /* executables or cgroups of one line */
    POLICY_NAMES_MAX = 64,   /* comms of one line */
    POLICY_BUDGET_MAX = 500, /* deeds a day; the ledger remembers more than that */
};

struct policy_path {
    char text[256];
};

struct policy_name {
    char text[32];
};

/* In [allow] every kind that is given must match, in [protect] one is enough. */
struct policy_match {
    uint32_t uids[POLICY_NUMBERS_MAX];
    struct policy_path exes[POLICY_PATHS_MAX];
    struct policy_path cgroups[POLICY_PATHS_MAX]; /* this one and all below it */
    struct policy_path units[POLICY_PATHS_MAX];   /* a component of the cgroup, as systemd names it */
    struct policy_name comms[POLICY_NAMES_MAX];
    size_t uid_count, exe_count, cgroup_count, unit_count, comm_count;
};

struct policy_rule {
    char name[32];
    struct policy_match match;
    int32_t descendant_of; /* 0: not asked for */
    struct process_id ancestor;
    int64_t min_age_ms, hot_for_ms, cooldown_ms, lease_ms;
    double min_cpu; /* of one CPU */
    uint32_t rungs; /* bit n: enum helper_rung n */
};

struct policy_budget {
    uint32_t per_minute, per_hour, per_day;
    uint32_t breaker_deeds;    /* this many deeds on one kind of process ... */
    int64_t breaker_window_ms; /* ... within this time open the breaker */
};

struct helper_policy {
    bool mode_act;
    bool allow_unpinned_signal;
    uint32_t client_uids[POLICY_NUMBERS_MAX];
    size_t client_uid_count;
    char socket_group[32]; /* "": the group of the helper itself */
    int64_t grace_ms, sample_interval_ms;
    double list_above; /* of one CPU */
    struct policy_budget budget;
    struct policy_rule rules[POLICY_RULES_MAX];
    size_t rule_count;
    struct policy_match protected[POLICY_PROTECTED_MAX];
    size_t protected_count;
};

/* One process as it stands before the judge. */
struct policy_subject {
    const struct process_facts *facts;
    double cpu;            /* of one CPU, over the last interval */
    const int64_t *hot_ms; /* per rule: for how long at or above its min_cpu; NULL: never measured */
    const char *never;     /* why it is out of reach whatever the policy says; NULL: it is not */
};

/* Reads and checks the file and the folders above it. `privileged`: only root may own them. The result is
 * written on success only. Not after the sandbox is closed: user names are looked up. */
MUST_CHECK enum status helper_policy_load(const char *path, bool privileged, struct helper_policy *out,
                                          struct error *err);
/* `text` ends with a NUL; errors name `source` and the line. */
MUST_CHECK enum status helper_policy_parse(const char *source, const char *text, struct helper_policy *out,
                                           struct error *err);
/* Fixes each `descendant_of` to the process that has that number now. A number that nobody has matches
 * nothing; STATUS_INVALID says so. */
MUST_CHECK enum status helper_policy_bind(struct helper_policy *policy, struct processes *processes,
                                          struct error *err);

bool helper_policy_admits_client(const struct helper_policy *policy, uint32_t uid);
/* True: rules[*rule] allows it. False: `reason` (96 bytes) says why none does. */
bool helper_policy_judge(const struct helper_policy *policy, const struct policy_subject *subject,
                         size_t *rule, char reason[96]);
/* The whole policy in plain words. */
void helper_policy_explain(const struct helper_policy *policy, FILE *out);

#endif
