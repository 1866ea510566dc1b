#include "helper/world.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { REFUSAL_LINE_MS = 10000 };

void set_text(char *out, size_t size, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(out, size, fmt, args);
    va_end(args);
}

/* The journal first: what it does not take did not happen, and the ledger must not say otherwise. */
/* The journal first: what it does not take did not happen, and the ledger must not say otherwise. */
enum status world_record(struct helper_world *world, struct journal_record *record, enum journal_event event,
                         int64_t now_ms, bool durable, struct error *err) {
    record->event = event;
    record->at_ms = now_ms;
    memcpy(record->boot_id, world->processes->boot_id, sizeof record->boot_id);
    if (!world->journal)
        return error_set(err, STATUS_UNAVAILABLE, "there is no journal");
    enum status status = journal_append(world->journal, record, durable, err);
    if (status == STATUS_OK)
        ledger_apply(world->ledger, record);
    return status;
}

void world_log(const struct helper_world *world, const struct journal_record *record, const char *event) {
    char text[2 * sizeof record->text], comm[2 * sizeof record->comm];
    const struct journal *journal = world->journal;
    LOG_INFO(event, "pid=%d uid=%u comm=%s rule=%s rung=%s outcome=%s text=%s journal=%llu:%s",
             record->process.pid, record->uid, log_quote(record->comm, comm, sizeof comm), record->rule,
             record->rung ? helper_rung_name(record->rung) : "-",
             record->outcome ? helper_outcome_name(record->outcome) : "-",
             log_quote(record->text, text, sizeof text),
             (unsigned long long)(journal ? journal_length(journal) : 0),
             journal ? journal_head(journal) : "-");
}

void world_flush_refusals(struct helper_world *world, int64_t now_ms) {
    struct journal_record record = world->first_refusal;
    if (world->refusals == 0 || now_ms < world->refusals_due_ms)
        return;
    if (world->refusals > 1)
        set_text(record.text, sizeof record.text, "%.120s (and %u more)", world->first_refusal.text,
                 world->refusals - 1);
    world->refusals_due_ms = now_ms + REFUSAL_LINE_MS;
    /* If it cannot be written no deed can be either: the next one says so. */
    if (world_record(world, &record, JOURNAL_REFUSED, now_ms, false, NULL) == STATUS_OK)
        world->refusals = 0;
    world_log(world, &record, "refused");
}

void world_note_refusal(struct helper_world *world, const struct journal_record *record, int64_t now_ms) {
    if (world->refusals++ == 0)
        world->first_refusal = *record;
    world_flush_refusals(world, now_ms);
}

void world_note_client(struct helper_world *world, uint32_t uid, int32_t pid, const char *why,
                       int64_t now_ms) {
    struct journal_record record = {.outcome = HELPER_REFUSED, .uid = uid, .process = {.pid = pid}};
    set_text(record.text, sizeof record.text, "client: %.150s", why);
    world_note_refusal(world, &record, now_ms);
}

static void add_never(struct helper_world *world, struct process_id id) {
    if (id.pid > 0 && world->never_count + 1 + LINEAGE_MAX <= NEVER_MAX) {
        world->never[world->never_count++] = id;
        world->never_count +=
            processes_lineage(world->processes, id.pid, world->never + world->never_count, LINEAGE_MAX);
    }
}

void world_look_around(struct helper_world *world) {
    struct process_sample self;
    world->never_count = 0;
    if (world->processes->look_up(world->processes, getpid(), &self, NULL) == STATUS_OK)
        add_never(world, self.id);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        add_never(world, world->clients[i]);
}

static const char *why_never(const struct helper_world *world, struct process_id id) {
    for (size_t i = 0; i < world->never_count; i++)
        if (process_id_equals(world->never[i], id))
            return "it is the helper, its client or an ancestor of one";
    return NULL;
}

bool world_is_frozen(const struct helper_world *world, struct process_id id) {
    for (size_t i = 0; i < DEEDS_MAX; i++)
        if (process_id_equals(world->frozen[i], id))
            return true;
    return false;
}

bool world_judge(const struct helper_world *world, const struct process_facts *facts, enum judge_scope scope,
                 size_t *rule, char reason[96]) {
    int64_t measured_ms = watch_updated_at_ms(world->watch);
    const struct watched *watched = watch_find(world->watch, facts->sample.id);
    int64_t hot_ms[POLICY_RULES_MAX];
    bool heat_counts = scope == JUDGE_ALL && !world_is_frozen(world, facts->sample.id);
    for (size_t i = 0; i < world->policy->rule_count; i++) {
        int64_t since_ms = watched ? watch_hot_since_ms(world->watch, watched, i) : 0;
        hot_ms[i] = since_ms ? measured_ms - since_ms : 0;
        if (!heat_counts)
            hot_ms[i] = INT64_MAX;
    }
    struct policy_subject subject = {.facts = facts,
                                     .cpu = watched ? watched->cpu : 0,
                                     .hot_ms = hot_ms,
                                     .never = why_never(world, facts->sample.id)};
    if (!heat_counts)
        subject.cpu = INFINITY;
    return helper_policy_judge(world->policy, &subject, rule, reason);
}
