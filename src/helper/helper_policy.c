#include "helper/helper_policy.h"

#include <string.h>
#include <unistd.h>

#include "helper/helper_protocol.h"
#include "helper/trusted_file.h"

enum status helper_policy_load(const char *path, bool privileged, struct helper_policy *out,
                               struct error *err) {
    static char text[POLICY_BYTES_MAX + 1];
    enum status status = trusted_file_read(path, privileged ? 0 : geteuid(), text, sizeof text, err);
    if (status != STATUS_OK)
        return status;
    return helper_policy_parse(path, text, out, err);
}

enum status helper_policy_bind(struct helper_policy *policy, struct processes *processes, struct error *err) {
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct policy_rule *rule = &policy->rules[i];
        struct process_sample ancestor;
        if (rule->descendant_of == 0)
            continue;
        if (processes->look_up(processes, rule->descendant_of, &ancestor, NULL) != STATUS_OK)
            return error_set(err, STATUS_INVALID, "[allow %s] descendant_of = %d: no such process",
                             rule->name, rule->descendant_of);
        rule->ancestor = ancestor.id;
    }
    return STATUS_OK;
}

static bool has_number(const uint32_t *numbers, size_t count, uint32_t wanted) {
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == wanted)
            return true;
    return false;
}

bool helper_policy_admits_client(const struct helper_policy *policy, uint32_t uid) {
    return has_number(policy->client_uids, policy->client_uid_count, uid);
}

static bool matches_uid(const struct policy_match *match, const struct process_facts *facts) {
    return has_number(match->uids, match->uid_count, facts->uid);
}

static bool matches_exe(const struct policy_match *match, const struct process_facts *facts) {
    for (size_t i = 0; i < match->exe_count; i++)
        if (strcmp(match->exes[i].text, facts->exe) == 0)
            return true;
    return false;
}

static bool matches_cgroup(const struct policy_match *match, const struct process_facts *facts) {
    for (size_t i = 0; i < match->cgroup_count; i++) {
        const char *wanted = match->cgroups[i].text;
        size_t length = strlen(wanted);
        if (strncmp(facts->group, wanted, length) == 0 && strchr("/", facts->group[length]))
            return true;
    }
    return false;
}

/* Only the last component: a user may make folders of any name below its own slice. */
static bool matches_unit(const struct policy_match *match, const struct process_facts *facts) {
    const char *last = strrchr(facts->group, '/');
    for (size_t i = 0; last && i < match->unit_count; i++)
        if (strcmp(match->units[i].text, last + 1) == 0)
            return true;
    return false;
}

/* Any component: protection may be wide. */
static bool is_inside_unit(const struct policy_match *match, const struct process_facts *facts) {
    for (size_t i = 0; i < match->unit_count; i++) {
        size_t length = strlen(match->units[i].text);
        for (const char *at = strchr(facts->group, '/'); at; at = strchr(at + 1, '/'))
            if (strncmp(at + 1, match->units[i].text, length) == 0 && strchr("/", at[1 + length]))
                return true;
    }
    return false;
}

static bool matches_comm(const struct policy_match *match, const struct process_facts *facts) {
    for (size_t i = 0; i < match->comm_count; i++)
        if (strcmp(match->comms[i].text, facts->sample.comm) == 0)
            return true;
    return false;
}

static bool descends(const struct policy_rule *rule, const struct process_facts *facts) {
    for (size_t i = 0; i < facts->lineage_count; i++)
        if (process_id_equals(facts->lineage[i], rule->ancestor))
            return true;
    return false;
}

/* What keeps it out of the rule; NULL: it is the kind of process that the rule means. */
static const char *differs(const struct policy_rule *rule, const struct process_facts *facts) {
    const struct policy_match *match = &rule->match;
    if (!matches_uid(match, facts))
        return "uid";
    if (match->exe_count && facts->exe[0] == '\0')
        return "exe, which the helper may not read";
    if (match->exe_count && !matches_exe(match, facts))
        return "exe";
    if (match->cgroup_count && !matches_cgroup(match, facts))
        return "cgroup";
    if (match->unit_count && !matches_unit(match, facts))
        return "unit";
    if (rule->descendant_of && !descends(rule, facts))
        return "descendant_of";
    if (match->comm_count && !matches_comm(match, facts))
        return "comm";
    return NULL;
}

static bool is_protected(const struct helper_policy *policy, const struct process_facts *facts) {
    for (size_t i = 0; i < policy->protected_count; i++) {
        const struct policy_match *match = &policy->protected[i];
        if (matches_uid(match, facts) || matches_exe(match, facts) || matches_cgroup(match, facts) ||
            is_inside_unit(match, facts) || matches_comm(match, facts))
            return true;
    }
    return false;
}

/* True: old and hot enough for the rule. */
static bool is_ripe(const struct policy_rule *rule, const struct policy_subject *subject, int64_t hot_ms,
                    char reason[96]) {
    if (subject->facts->age_ms < rule->min_age_ms)
        snprintf(reason, 96, "younger than the %lld s of [allow %.24s]", (long long)rule->min_age_ms / 1000,
                 rule->name);
    else if (subject->cpu < rule->min_cpu)
        snprintf(reason, 96, "uses %.2f of a CPU; [allow %.24s] begins at %.2f", subject->cpu, rule->name,
                 rule->min_cpu);
    else if (hot_ms < rule->hot_for_ms || hot_ms == 0)
        snprintf(reason, 96, "hot for %.1f s; [allow %.24s] asks for %.1f s", (double)hot_ms / 1000,
                 rule->name, (double)rule->hot_for_ms / 1000);
    else
        return true;
    return false;
}

/* Out of reach for every policy. */
static const char *untouchable(const struct policy_subject *subject) {
    const struct process_facts *facts = subject->facts;
    if (facts->sample.id.pid <= 1)
        return "it is the first process";
    if (subject->never)
        return subject->never;
    if (facts->sample.kernel_thread)
        return "it is a kernel thread";
    if (facts->foreign_namespace)
        return "it lives in another pid namespace";
    if (facts->mixed_uids)
        return "its real and effective users differ";
    if (facts->traced)
        return "a debugger is attached to it";
    return NULL;
}

bool helper_policy_judge(const struct helper_policy *policy, const struct policy_subject *subject,
                         size_t *rule, char reason[96]) {
    const char *never = untouchable(subject);
    if (!never && is_protected(policy, subject->facts))
        never = "the policy protects it";
    if (never || policy->rule_count == 0) {
        snprintf(reason, 96, "%s", never ? never : "the policy has no [allow] section");
        return false;
    }
    bool ripe_for_none = false;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const char *difference = differs(&policy->rules[i], subject->facts);
        if (!difference &&
            is_ripe(&policy->rules[i], subject, subject->hot_ms ? subject->hot_ms[i] : 0, reason)) {
            *rule = i;
            return true;
        }
        if (!difference)
            ripe_for_none = true;
        else if (!ripe_for_none)
            snprintf(reason, 96, "[allow %.24s] asks for another %s", policy->rules[i].name, difference);
    }
    if (!ripe_for_none && policy->rule_count > 1)
        snprintf(reason, 96, "none of the %zu [allow] sections means it", policy->rule_count);
    return false;
}

static void explain_match(const struct policy_match *match, FILE *out) {
    for (size_t i = 0; i < match->uid_count; i++)
        fprintf(out, "%s%u", i ? " or " : " of uid ", match->uids[i]);
    for (size_t i = 0; i < match->exe_count; i++)
        fprintf(out, "%s%s", i ? " or " : " running ", match->exes[i].text);
    for (size_t i = 0; i < match->cgroup_count; i++)
        fprintf(out, "%s%s", i ? " or " : " in cgroup ", match->cgroups[i].text);
    for (size_t i = 0; i < match->unit_count; i++)
        fprintf(out, "%s%s", i ? " or " : " of unit ", match->units[i].text);
    for (size_t i = 0; i < match->comm_count; i++)
        fprintf(out, "%s%s", i ? " or " : " named ", match->comms[i].text);
}

static void explain_rule(const struct helper_policy *policy, const struct policy_rule *rule, FILE *out) {
    bool first = true;
    fprintf(out, "[allow %s] may ", rule->name);
    for (unsigned rung = RUNG_DEPRIORITIZE; rung <= RUNG_RUN_HOOK; rung++) {
        if (!(rule->rungs & 1U << rung))
            continue;
        fprintf(out, "%s%s", first ? "" : " or ", helper_rung_name((enum helper_rung)rung));
        first = false;
    }
    fputs(" processes", out);
    explain_match(&rule->match, out);
    if (rule->descendant_of)
        fprintf(out, " descending from process %d", rule->descendant_of);
    fprintf(out, ", older than %g s, using at least %g %% of one CPU for %g s",
            (double)rule->min_age_ms / 1000, rule->min_cpu * 100, (double)rule->hot_for_ms / 1000);
    if (rule->rungs & 1U << RUNG_TERMINATE)
        fprintf(out, "; KILL follows TERM after %g s", (double)policy->grace_ms / 1000);
    if (rule->rungs & 1U << RUNG_FREEZE)
        fprintf(out, "; a freeze ends after %g s", (double)rule->lease_ms / 1000);
    if (rule->cooldown_ms)
        fprintf(out, "; then %g s of rest for the same kind of process", (double)rule->cooldown_ms / 1000);
    fputs(".\n", out);
}

void helper_policy_explain(const struct helper_policy *policy, FILE *out) {
    const struct policy_budget *budget = &policy->budget;
    fputs(policy->mode_act ? "Mode act: processes are really touched.\n"
                           : "Mode observe: nothing is touched; every deed is answered with 'would'.\n",
          out);
    fputs("May connect: uid", out);
    for (size_t i = 0; i < policy->client_uid_count; i++)
        fprintf(out, " %u", policy->client_uids[i]);
    fprintf(out,
            ".\nAt most %u deeds a minute, %u an hour, %u a day; %u deeds on one kind of process within "
            "%g s open the breaker, which only 'sentinel-helper --reset' closes.\n",
            budget->per_minute, budget->per_hour, budget->per_day, budget->breaker_deeds,
            (double)budget->breaker_window_ms / 1000);
    if (policy->rule_count == 0)
        fputs("No [allow] section: no process may be touched.\n", out);
    for (size_t i = 0; i < policy->rule_count; i++)
        explain_rule(policy, &policy->rules[i], out);
    for (size_t i = 0; i < policy->protected_count; i++) {
        fputs("Except, always, any process", out);
        explain_match(&policy->protected[i], out);
        fputs(" (any one of these is enough).\n", out);
    }
    fputs("Never: pid 1, the helper, its clients and their ancestors, kernel threads, other pid namespaces, "
          "setuid programs, debugged processes.\n",
          out);
}
