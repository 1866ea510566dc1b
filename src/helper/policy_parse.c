/* The text of a policy becomes a struct helper_policy: one table says which key may stand where, what its
 * value looks like and how far it may go. */
#include <ctype.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "helper/helper_policy.h"
#include "helper/helper_protocol.h"

enum section { SECTION_TOP, SECTION_BUDGET, SECTION_ALLOW, SECTION_PROTECT };
enum value_kind {
    VALUE_MODE,
    VALUE_YES_NO,
    VALUE_COUNT,    /* uint32_t */
    VALUE_PID,      /* int32_t */
    VALUE_DURATION, /* int64_t, milliseconds */
    VALUE_CPU,      /* double, of one CPU */
    VALUE_RUNGS,
    VALUE_NAME, /* one struct policy_name */
    VALUE_UIDS, /* the lists; each has its count elsewhere */
    VALUE_PATHS,
    VALUE_UNITS,
    VALUE_NAMES,
};

struct key {
    const char *name;
    enum section section;
    enum value_kind kind;
    size_t offset, count_offset; /* in helper_policy, policy_rule or policy_match */
    double lowest, highest;
};

#define TOP(field) offsetof(struct helper_policy, field)
#define RULE(field) offsetof(struct policy_rule, field)
#define MATCH(field) offsetof(struct policy_match, field)
#define RULE_LIST(list, count)                                                                               \
    offsetof(struct policy_rule, match.list), offsetof(struct policy_rule, match.count)
#define MATCH_LIST(list, count) MATCH(list), MATCH(count)
enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

static const struct key keys[] = {
    {"mode", SECTION_TOP, VALUE_MODE, TOP(mode_act), 0, 0, 0},
    {"client_uid", SECTION_TOP, VALUE_UIDS, TOP(client_uids), TOP(client_uid_count), 0, 0},
    {"socket_group", SECTION_TOP, VALUE_NAME, TOP(socket_group), 0, 0, 0},
    {"grace", SECTION_TOP, VALUE_DURATION, TOP(grace_ms), 0, 100, 2 * MINUTE_MS},
    /* A shorter interval is too coarse in ticks of 10 ms. */
    {"sample_interval", SECTION_TOP, VALUE_DURATION, TOP(sample_interval_ms), 0, 250, MINUTE_MS},
    {"list_above", SECTION_TOP, VALUE_CPU, TOP(list_above), 0, 0.01, 1024},
    {"allow_unpinned_signal", SECTION_TOP, VALUE_YES_NO, TOP(allow_unpinned_signal), 0, 0, 0},
    {"per_minute", SECTION_BUDGET, VALUE_COUNT, TOP(budget.per_minute), 0, 0, POLICY_BUDGET_MAX},
    {"per_hour", SECTION_BUDGET, VALUE_COUNT, TOP(budget.per_hour), 0, 0, POLICY_BUDGET_MAX},
    {"per_day", SECTION_BUDGET, VALUE_COUNT, TOP(budget.per_day), 0, 0, POLICY_BUDGET_MAX},
    {"breaker_deeds", SECTION_BUDGET, VALUE_COUNT, TOP(budget.breaker_deeds), 0, 1, POLICY_BUDGET_MAX},
    {"breaker_window", SECTION_BUDGET, VALUE_DURATION, TOP(budget.breaker_window_ms), 0, 1000, DAY_MS},
    {"uid", SECTION_ALLOW, VALUE_UIDS, RULE_LIST(uids, uid_count), 0, 0},
    {"exe", SECTION_ALLOW, VALUE_PATHS, RULE_LIST(exes, exe_count), 0, 0},
    {"cgroup", SECTION_ALLOW, VALUE_PATHS, RULE_LIST(cgroups, cgroup_count), 0, 0},
    {"unit", SECTION_ALLOW, VALUE_UNITS, RULE_LIST(units, unit_count), 0, 0},
    {"comm", SECTION_ALLOW, VALUE_NAMES, RULE_LIST(comms, comm_count), 0, 0},
    {"descendant_of", SECTION_ALLOW, VALUE_PID, RULE(descendant_of), 0, 2, INT32_MAX},
    {"min_age", SECTION_ALLOW, VALUE_DURATION, RULE(min_age_ms), 0, 0, 30.0 * DAY_MS},
    {"min_cpu", SECTION_ALLOW, VALUE_CPU, RULE(min_cpu), 0, 0.01, 1024},
    {"for", SECTION_ALLOW, VALUE_DURATION, RULE(hot_for_ms), 0, 0, DAY_MS},
    {"cooldown", SECTION_ALLOW, VALUE_DURATION, RULE(cooldown_ms), 0, 0, DAY_MS},
    {"lease", SECTION_ALLOW, VALUE_DURATION, RULE(lease_ms), 0, 1000, HOUR_MS},
    {"rungs", SECTION_ALLOW, VALUE_RUNGS, RULE(rungs), 0, 0, 0},
    {"uid", SECTION_PROTECT, VALUE_UIDS, MATCH_LIST(uids, uid_count), 0, 0},
    {"exe", SECTION_PROTECT, VALUE_PATHS, MATCH_LIST(exes, exe_count), 0, 0},
    {"cgroup", SECTION_PROTECT, VALUE_PATHS, MATCH_LIST(cgroups, cgroup_count), 0, 0},
    {"unit", SECTION_PROTECT, VALUE_UNITS, MATCH_LIST(units, unit_count), 0, 0},
    {"comm", SECTION_PROTECT, VALUE_NAMES, MATCH_LIST(comms, comm_count), 0, 0},
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0], WORDS_MAX = POLICY_NAMES_MAX + 1 };

static const char *const section_names[] = {"", "budget", "allow", "protect"};

struct parser {
    struct helper_policy *policy;
    const char *source;
    size_t line;
    enum section section;
    void *target;  /* what the keys of this section fill */
    uint64_t seen; /* bit n: keys[n] was given in this section */
    bool seen_budget;
    struct error *err;
};

static enum status PRINTF_LIKE(2, 3) fail(struct parser *p, const char *fmt, ...) {
    char what[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return error_set(p->err, STATUS_INVALID, "%s:%zu: %s", p->source, p->line, what);
}

static enum status fail_unknown(struct parser *p, const char *what, const char *name, const char *nearest) {
    if (nearest)
        return fail(p, "unknown %s '%.40s'; did you mean '%s'?", what, name, nearest);
    return fail(p, "unknown %s '%.40s'", what, name);
}

static enum status copy_word(struct parser *p, const char *word, char *out, size_t size) {
    if (strlen(word) >= size)
        return fail(p, "'%.40s...' is longer than %zu characters", word, size - 1);
    memcpy(out, word, strlen(word) + 1);
    return STATUS_OK;
}

/* A number, then perhaps one of the units; `scale` of the unit that was written multiplies it. */
struct unit {
    const char *name;
    double scale;
};
static const struct unit durations[] = {{"ms", 1}, {"s", 1000}, {"m", MINUTE_MS}, {"h", HOUR_MS}};
static const struct unit shares[] = {{"", 1}, {"%", 0.01}};
static const struct unit plain[] = {{"", 1}};

static enum status parse_number(struct parser *p, const struct key *key, const char *word,
                                const struct unit *units, size_t unit_count, const char *example,
                                double *out) {
    char *end = NULL;
    double value = isdigit((unsigned char)word[0]) ? strtod(word, &end) : -1;
    for (size_t i = 0; end && i < unit_count; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        value *= units[i].scale;
        if (value < key->lowest || value > key->highest)
            return fail(p, "%s = %.40s is out of range: %g to %g%s", key->name, word, key->lowest,
                        key->highest, key->kind == VALUE_DURATION ? " ms" : "");
        *out = value;
        return STATUS_OK;
    }
    return fail(p, "%s = %.40s: expected %s", key->name, word, example);
}

static enum status parse_uid(struct parser *p, const char *word, uint32_t *out) {
    char *end;
    unsigned long uid = strtoul(word, &end, 10);
    if (isdigit((unsigned char)word[0]) && *end == '\0' && uid < UINT32_MAX) {
        *out = (uint32_t)uid;
        return STATUS_OK;
    }
    const struct passwd *user = getpwnam(word);
    if (!user)
        return fail(p, "'%.40s' is neither a uid nor a user of this host", word);
    *out = user->pw_uid;
    return STATUS_OK;
}

static enum status parse_path(struct parser *p, const char *word, struct policy_path *out) {
    size_t length = strlen(word);
    if (word[0] != '/' || length < 2 || word[length - 1] == '/')
        return fail(p, "'%.60s': expected an absolute path without a slash at its end", word);
    return copy_word(p, word, out->text, sizeof out->text);
}

static enum status parse_rung(struct parser *p, const char *word, uint32_t *rungs) {
    static const char *const names[] = {"deprioritize", "freeze", "terminate", "restart_unit", "run_hook"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(word, names[i]) == 0) {
            *rungs |= 1U << (RUNG_DEPRIORITIZE + i);
            return STATUS_OK;
        }
    }
    return fail_unknown(p, "rung", word, nearest_name(word, names, sizeof names / sizeof names[0]));
}

static enum status parse_list(struct parser *p, const struct key *key, char **words, size_t count) {
    unsigned char *list = (unsigned char *)p->target + key->offset;
    size_t limit = key->kind == VALUE_UIDS    ? POLICY_NUMBERS_MAX
                   : key->kind == VALUE_NAMES ? POLICY_NAMES_MAX
                                              : POLICY_PATHS_MAX;
    if (count > limit)
        return fail(p, "%s has %zu values; at most %zu fit", key->name, count, limit);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (key->kind == VALUE_UIDS)
            status = parse_uid(p, words[i], (uint32_t *)(void *)list + i);
        else if (key->kind == VALUE_PATHS)
            status = parse_path(p, words[i], (struct policy_path *)list + i);
        else if (key->kind == VALUE_UNITS)
            status =
                copy_word(p, words[i], (char *)((struct policy_path *)list + i), sizeof(struct policy_path));
        else
            status =
                copy_word(p, words[i], (char *)((struct policy_name *)list + i), sizeof(struct policy_name));
    }
    *(size_t *)(void *)((unsigned char *)p->target + key->count_offset) = count;
    return status;
}

static enum status parse_choice(struct parser *p, const struct key *key, const char *word, const char *yes,
                                const char *no, bool *out) {
    if (strcmp(word, yes) != 0 && strcmp(word, no) != 0)
        return fail(p, "%s = %.40s: expected %s or %s", key->name, word, no, yes);
    *out = strcmp(word, yes) == 0;
    return STATUS_OK;
}

static enum status parse_single(struct parser *p, const struct key *key, const char *word) {
    void *out = (unsigned char *)p->target + key->offset;
    double number = 0;
    enum status status = STATUS_OK;
    switch (key->kind) {
    case VALUE_MODE:
        return parse_choice(p, key, word, "act", "observe", out);
    case VALUE_YES_NO:
        return parse_choice(p, key, word, "yes", "no", out);
    case VALUE_COUNT:
        status = parse_number(p, key, word, plain, 1, "a whole number", &number);
        *(uint32_t *)out = (uint32_t)number;
        return status;
    case VALUE_PID:
        status = parse_number(p, key, word, plain, 1, "the number of a process", &number);
        *(int32_t *)out = (int32_t)number;
        return status;
    case VALUE_DURATION:
        status = parse_number(p, key, word, durations, 4, "a time such as 500ms, 10s, 2m or 1h", &number);
        *(int64_t *)out = (int64_t)number;
        return status;
    case VALUE_CPU:
        return parse_number(p, key, word, shares, 2, "a share of one CPU such as 0.8 or 80%", out);
    case VALUE_NAME:
        return copy_word(p, word, ((struct policy_name *)out)->text, sizeof(struct policy_name));
    case VALUE_RUNGS:
    case VALUE_UIDS:
    case VALUE_PATHS:
    case VALUE_UNITS:
    case VALUE_NAMES:
        break;
    }
    return fail(p, "%s takes a list", key->name);
}

static enum status parse_value(struct parser *p, const struct key *key, char **words, size_t count) {
    if (key->kind == VALUE_RUNGS) {
        uint32_t *rungs = (uint32_t *)(void *)((unsigned char *)p->target + key->offset);
        enum status status = STATUS_OK;
        for (*rungs = 0; count && status == STATUS_OK; count--)
            status = parse_rung(p, *words++, rungs);
        return status;
    }
    if (key->kind >= VALUE_UIDS)
        return parse_list(p, key, words, count);
    if (count != 1)
        return fail(p, "%s takes one value, not %zu", key->name, count);
    return parse_single(p, key, words[0]);
}

/* Words are set apart by blanks; a word with blanks in it stands in double quotes. */
static enum status split_words(struct parser *p, char *text, char **words, size_t *count) {
    *count = 0;
    for (char *at = text + strspn(text, " \t"); *at; at += strspn(at, " \t")) {
        bool quoted = *at == '"';
        if (*count == WORDS_MAX)
            return fail(p, "more than %d values in one line", WORDS_MAX - 1);
        words[(*count)++] = at += quoted;
        at += strcspn(at, quoted ? "\"" : " \t");
        if (quoted && *at != '"')
            return fail(p, "a quote is not closed");
        if (*at)
            *at++ = '\0';
    }
    return *count ? STATUS_OK : fail(p, "nothing stands after '='");
}

static enum status parse_assignment(struct parser *p, char *line) {
    char *equals = strchr(line, '=');
    if (!equals)
        return fail(p, "expected '[section]' or 'key = value'; a comment has a line of its own");
    *equals = '\0';
    line[strcspn(line, " \t")] = '\0';
    const char *names[KEY_COUNT];
    size_t name_count = 0;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].section != p->section)
            continue;
        names[name_count++] = keys[i].name;
        if (strcmp(keys[i].name, line) != 0)
            continue;
        if (p->seen & UINT64_C(1) << i)
            return fail(p, "%s is given twice in one section", line);
        p->seen |= UINT64_C(1) << i;
        char *words[WORDS_MAX];
        size_t count;
        enum status status = split_words(p, equals + 1, words, &count);
        return status == STATUS_OK ? parse_value(p, &keys[i], words, count) : status;
    }
    return fail_unknown(p, "key", line, nearest_name(line, names, name_count));
}

/* What a section must say before the next one begins. */
static enum status finish_section(struct parser *p) {
    if (p->section == SECTION_PROTECT && p->seen == 0)
        return fail(p, "the [protect] above protects nothing: give it uid, exe, cgroup, unit or comm");
    if (p->section != SECTION_ALLOW)
        return STATUS_OK;
    const struct policy_rule *rule = p->target;
    const struct policy_match *match = &rule->match;
    if (match->uid_count == 0)
        return fail(p, "[allow %s] needs a uid", rule->name);
    if (match->exe_count + match->cgroup_count + match->unit_count == 0 && rule->descendant_of == 0)
        return fail(
            p, "[allow %s] needs an exe, a cgroup, a unit or descendant_of: a uid%s alone is no identity",
            rule->name, match->comm_count ? " and a name" : "");
    return STATUS_OK;
}

static enum status begin_allow(struct parser *p, const char *name) {
    struct helper_policy *policy = p->policy;
    if (!name || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(name))
        return fail(p, "expected [allow NAME], NAME of a-z, 0-9, _ and -");
    for (size_t i = 0; i < policy->rule_count; i++)
        if (strcmp(policy->rules[i].name, name) == 0)
            return fail(p, "there is an [allow %.31s] already", name);
    if (policy->rule_count == POLICY_RULES_MAX)
        return fail(p, "more than %d [allow] sections", POLICY_RULES_MAX);
    struct policy_rule *rule = p->target = &policy->rules[policy->rule_count++];
    /* Slow and mild unless root says otherwise. */
    *rule = (struct policy_rule){.min_age_ms = MINUTE_MS,
                                 .hot_for_ms = 10000,
                                 .min_cpu = 0.8,
                                 .cooldown_ms = 0,
                                 .lease_ms = 30000,
                                 .rungs = 1U << RUNG_FREEZE | 1U << RUNG_TERMINATE};
    return copy_word(p, name, rule->name, sizeof rule->name);
}

static enum status begin_section(struct parser *p, char *line) {
    enum status status = finish_section(p);
    if (status != STATUS_OK)
        return status;
    char *close = strchr(line, ']'), *rest = line + 1;
    if (!close || close[1 + strspn(close + 1, " \t")] != '\0')
        return fail(p, "expected ']' at the end of the line");
    *close = '\0';
    const char *kind = strtok_r(rest, " \t", &rest), *name = strtok_r(rest, " \t", &rest);
    p->seen = 0;
    if (kind && strcmp(kind, "allow") == 0) {
        p->section = SECTION_ALLOW;
        return begin_allow(p, name);
    }
    if (kind && strcmp(kind, "protect") == 0) {
        if (p->policy->protected_count == POLICY_PROTECTED_MAX)
            return fail(p, "more than %d [protect] sections", POLICY_PROTECTED_MAX);
        p->section = SECTION_PROTECT;
        p->target = &p->policy->protected[p->policy->protected_count++];
        return STATUS_OK;
    }
    if (kind && strcmp(kind, "budget") == 0 && !name && !p->seen_budget) {
        p->section = SECTION_BUDGET;
        p->target = p->policy;
        p->seen_budget = true;
        return STATUS_OK;
    }
    if (kind && strcmp(kind, "budget") == 0)
        return fail(p, "one [budget], without a name, is enough");
    return fail_unknown(p, "section", kind ? kind : "", nearest_name(kind ? kind : "", section_names + 1, 3));
}

static enum status parse_line(struct parser *p, char *line) {
    line += strspn(line, " \t");
    size_t length = strlen(line);
    while (length && strchr(" \t\r", line[length - 1]))
        line[--length] = '\0';
    if (*line == '\0' || *line == '#' || *line == ';')
        return STATUS_OK;
    return *line == '[' ? begin_section(p, line) : parse_assignment(p, line);
}

enum status helper_policy_parse(const char *source, const char *text, struct helper_policy *out,
                                struct error *err) {
    static struct helper_policy policy; /* 100 kB: too much for a stack; the helper has one thread */
    policy = (struct helper_policy){
        .client_uid_count = 1, /* uid 0 */
        .grace_ms = 5000,
        .sample_interval_ms = 500,
        .list_above = 0.2,
        .budget = {.per_minute = 3,
                   .per_hour = 10,
                   .per_day = 50,
                   .breaker_deeds = 5,
                   .breaker_window_ms = 10 * MINUTE_MS},
    };
    struct parser p = {.policy = &policy, .source = source, .target = &policy, .err = err};
    enum status status = STATUS_OK;
    for (const char *at = text; *at && status == STATUS_OK;) {
        char line[2048];
        size_t length = strcspn(at, "\n");
        p.line++;
        if (length >= sizeof line)
            return fail(&p, "a line of %zu characters; at most %zu are read", length, sizeof line - 1);
        memcpy(line, at, length);
        line[length] = '\0';
        status = parse_line(&p, line);
        at += length + (at[length] == '\n');
    }
    if (status == STATUS_OK)
        status = finish_section(&p);
    if (status == STATUS_OK)
        *out = policy;
    return status;
}
