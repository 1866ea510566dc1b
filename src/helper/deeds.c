#include "helper/deeds.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

enum {
    KILL_PATIENCE_MS = 5000, /* a process in uninterruptible sleep dies when it wakes, perhaps never */
    NEVER_MAX = (CLIENTS_MAX + 1) * (LINEAGE_MAX + 1),
    REFUSAL_LINE_MS = 1000,
    MINUTE_MS = 60000,
    HOUR_MS = 60 * MINUTE_MS,
    DAY_MS = 24 * HOUR_MS,
};

enum deed_state { DEED_NONE, DEED_MEASURING, DEED_TERMINATING, DEED_KILLING, DEED_FROZEN };

struct handle {
    struct helper_handle secret;
    struct process_pin pin;     /* pid 0: free */
    struct process_facts facts; /* as they were listed */
    int64_t expires_ms;
};

struct deed {
    enum deed_state state;
    struct helper_act_request request;
    struct process_pin pin;
    struct process_facts facts; /* as they were listed, then as they were judged */
    struct journal_record record;
    uint64_t asker;
    int64_t asked_ms, due_ms;
};

struct deeds {
    struct helper_world *world;
    struct handle handles[HANDLES_MAX];
    struct deed deeds[DEEDS_MAX];
    struct process_id never[NEVER_MAX];
    size_t never_count;
    uint32_t refusals; /* not yet in the journal */
    int64_t refusals_written_ms;
    char refusal_text[96];
    struct process_facts facts; /* scratch: too large for many stack frames */
};

static void set_text(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void set_text(char *out, size_t size, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(out, size, fmt, args);
    va_end(args);
}

/* The journal first: what it does not take did not happen, and the ledger must not say otherwise. */
static enum status write_record(struct deeds *deeds, struct journal_record *record, enum journal_event event,
                                int64_t now_ms, bool durable, struct error *err) {
    struct helper_world *world = deeds->world;
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

static void log_record(const struct deeds *deeds, const struct journal_record *record, const char *event) {
    char text[2 * sizeof record->text], comm[2 * sizeof record->comm];
    const struct journal *journal = deeds->world->journal;
    LOG_INFO(event, "pid=%d uid=%u comm=%s rule=%s rung=%s outcome=%s text=%s journal=%llu:%s",
             record->process.pid, record->uid, log_quote(record->comm, comm, sizeof comm), record->rule,
             helper_rung_name(record->rung), record->outcome ? helper_outcome_name(record->outcome) : "-",
             log_quote(record->text, text, sizeof text),
             (unsigned long long)(journal ? journal_length(journal) : 0),
             journal ? journal_head(journal) : "-");
}

static void flush_refusals(struct deeds *deeds, int64_t now_ms) {
    struct journal_record record = {0};
    if (deeds->refusals == 0 || now_ms - deeds->refusals_written_ms < REFUSAL_LINE_MS)
        return;
    set_text(record.text, sizeof record.text, "%u since the last such line; the first: %s", deeds->refusals,
             deeds->refusal_text);
    LOG_WARN("refused", "count=%u first=\"%s\"", deeds->refusals, deeds->refusal_text);
    deeds->refusals_written_ms = now_ms;
    /* If it cannot be written no deed can be either: the next one says so. */
    if (write_record(deeds, &record, JOURNAL_REFUSED, now_ms, false, NULL) == STATUS_OK)
        deeds->refusals = 0;
}

void deeds_note_refusal(struct deeds *deeds, const char *what, int64_t now_ms) {
    if (deeds->refusals++ == 0)
        set_text(deeds->refusal_text, sizeof deeds->refusal_text, "%s", what);
    flush_refusals(deeds, now_ms);
}

/* ---- who is out of reach, whatever the policy says ---- */

static void add_never(struct deeds *deeds, struct process_id id) {
    if (id.pid > 0 && deeds->never_count + 1 + LINEAGE_MAX <= NEVER_MAX) {
        deeds->never[deeds->never_count++] = id;
        deeds->never_count += processes_lineage(deeds->world->processes, id.pid,
                                                deeds->never + deeds->never_count, LINEAGE_MAX);
    }
}

static void find_never(struct deeds *deeds) {
    struct process_sample self;
    deeds->never_count = 0;
    if (deeds->world->processes->look_up(deeds->world->processes, getpid(), &self, NULL) == STATUS_OK)
        add_never(deeds, self.id);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        add_never(deeds, deeds->world->clients[i]);
}

static const char *why_never(const struct deeds *deeds, struct process_id id) {
    for (size_t i = 0; i < deeds->never_count; i++)
        if (process_id_equals(deeds->never[i], id))
            return "it is the helper, its client or an ancestor of one";
    return NULL;
}

/* `heat` off: everything but how hot it is, for a process that may just be ending. */
static bool judge(const struct deeds *deeds, const struct process_facts *facts, bool heat, size_t *rule,
                  char reason[96]) {
    const struct helper_world *world = deeds->world;
    int64_t measured_ms = watch_updated_at_ms(world->watch);
    const struct watched *watched = watch_find(world->watch, facts->sample.id);
    int64_t hot_ms[POLICY_RULES_MAX];
    for (size_t i = 0; i < POLICY_RULES_MAX; i++) {
        int64_t since_ms = watched ? watched->hot_since_ms[i] : 0;
        hot_ms[i] = !heat ? INT64_MAX : since_ms ? measured_ms - since_ms : 0;
    }
    struct policy_subject subject = {.facts = facts,
                                     .cpu = !heat     ? 1e9
                                            : watched ? watched->cpu
                                                      : 0,
                                     .hot_ms = hot_ms,
                                     .never = why_never(deeds, facts->sample.id)};
    return helper_policy_judge(world->policy, &subject, rule, reason);
}

/* ---- handles ---- */

static void free_handle(struct deeds *deeds, struct handle *handle) {
    if (handle->pin.id.pid)
        deeds->world->processes->unpin(deeds->world->processes, &handle->pin);
    memset(handle, 0, sizeof *handle);
}

static struct handle *find_handle(struct deeds *deeds, const struct helper_handle *secret, int64_t now_ms) {
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        struct handle *handle = &deeds->handles[i];
        if (handle->pin.id.pid && now_ms < handle->expires_ms &&
            memcmp(handle->secret.bytes, secret->bytes, sizeof secret->bytes) == 0)
            return handle;
    }
    return NULL;
}

/* A process listed again keeps its handle while that has half of its life before it. Otherwise a free
 * place, or that of the handle which expires first. */
static struct handle *place_for(struct deeds *deeds, struct process_id id, int64_t now_ms) {
    struct handle *place = &deeds->handles[0];
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        struct handle *handle = &deeds->handles[i];
        if (process_id_equals(handle->pin.id, id) && now_ms < handle->expires_ms - HANDLE_LIFE_MS / 2)
            return handle;
        if (handle->expires_ms < place->expires_ms)
            place = handle;
    }
    free_handle(deeds, place);
    return place;
}

/* Takes over `pin`. */
static void give_handle(struct deeds *deeds, struct process_pin *pin, int64_t now_ms,
                        struct helper_handle *out) {
    struct handle *handle = place_for(deeds, pin->id, now_ms);
    if (handle->pin.id.pid) {
        deeds->world->processes->unpin(deeds->world->processes, pin);
    } else {
        if (getentropy(handle->secret.bytes, sizeof handle->secret.bytes) != 0)
            abort(); /* the kernel has no random bytes: guessable handles would be worse than none */
        handle->pin = *pin;
        handle->expires_ms = now_ms + HANDLE_LIFE_MS;
    }
    handle->facts = deeds->facts;
    *out = handle->secret;
}

static void describe(const struct process_facts *facts, struct helper_candidate *out) {
    out->uid = facts->uid;
    out->age_ms = facts->age_ms;
    set_text(out->where, sizeof out->where, "%s", facts->group[0] ? facts->group : facts->exe);
}

static bool list_one(struct deeds *deeds, const struct watched *watched, int64_t now_ms,
                     struct helper_candidate *out) {
    struct processes *processes = deeds->world->processes;
    struct process_pin pin;
    struct error err;
    size_t rule;
    *out = (struct helper_candidate){.pid = watched->sample.id.pid,
                                     .cpu_milli = (uint32_t)(watched->cpu * 1000)};
    set_text(out->comm, sizeof out->comm, "%s", watched->sample.comm);
    enum status status = processes->pin(processes, watched->sample.id, &pin, &err);
    if (status == STATUS_OK) {
        status = processes->inspect(processes, &pin, &deeds->facts, &err);
        if (status != STATUS_OK)
            processes->unpin(processes, &pin);
    }
    if (status == STATUS_NOT_FOUND)
        return false;
    if (status != STATUS_OK) {
        set_text(out->reason, sizeof out->reason, "%.95s", err.text);
        return true;
    }
    describe(&deeds->facts, out);
    out->allowed = judge(deeds, &deeds->facts, true, &rule, out->reason);
    if (out->allowed)
        give_handle(deeds, &pin, now_ms, &out->handle);
    else
        processes->unpin(processes, &pin);
    return true;
}

void deeds_list(struct deeds *deeds, int64_t now_ms, struct helper_list *out) {
    const struct watched *hottest[HELPER_LIST_MAX];
    out->count = 0;
    if (!deeds->world->policy_ok)
        return;
    size_t count =
        watch_hottest(deeds->world->watch, deeds->world->policy->list_above, hottest, HELPER_LIST_MAX);
    find_never(deeds);
    for (size_t i = 0; i < count; i++)
        out->count += list_one(deeds, hottest[i], now_ms, &out->items[out->count]);
}

/* ---- endings ---- */

static void end_deed(struct deeds *deeds, struct deed *deed) {
    if (deed->pin.id.pid)
        deeds->world->processes->unpin(deeds->world->processes, &deed->pin);
    deed->state = DEED_NONE;
}

/* Over, and a signal was or may have been sent. */
static void finish(struct deeds *deeds, struct deed *deed, enum helper_outcome outcome, int64_t now_ms) {
    struct error err;
    deed->record.outcome = outcome;
    /* The signal is already out: an ending that the disk does not take is kept in memory all the same. */
    if (write_record(deeds, &deed->record, JOURNAL_END, now_ms, true, &err) != STATUS_OK) {
        LOG_ERROR("journal_failed", "error=\"%s\"", err.text);
        deed->record.event = JOURNAL_END;
        ledger_apply(deeds->world->ledger, &deed->record);
    }
    log_record(deeds, &deed->record, "deed_ended");
    if (outcome != HELPER_DONE)
        end_deed(deeds, deed);
}

/* Over, and nothing was done. */
static void decline(struct deeds *deeds, struct deed *deed, enum helper_outcome outcome, int64_t now_ms,
                    const char *fmt, ...) PRINTF_LIKE(5, 6);
static void decline(struct deeds *deeds, struct deed *deed, enum helper_outcome outcome, int64_t now_ms,
                    const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(deed->record.text, sizeof deed->record.text, fmt, args);
    va_end(args);
    deed->record.outcome = outcome;
    deed->record.at_ms = now_ms;
    ledger_remember(deeds->world->ledger, &deed->record);
    char what[96];
    set_text(what, sizeof what, "%s, pid %d: %.60s", helper_outcome_name(outcome), deed->record.process.pid,
             deed->record.text);
    deeds_note_refusal(deeds, what, now_ms);
    end_deed(deeds, deed);
}

/* ---- asking ---- */

uint32_t deeds_capabilities(const struct deeds *deeds) {
    return (deeds->world->processes->pins_signals ? HELPER_CAN_PIN : 0U) | HELPER_CAN_FREEZE |
           HELPER_CAN_TERMINATE;
}

static bool rung_is_possible(enum helper_rung rung) {
    return rung == RUNG_TERMINATE || rung == RUNG_FREEZE;
}

/* What can be said before the process is looked at; NULL: nothing stands against it. */
static const char *refuse_early(const struct deeds *deeds, const struct helper_act_request *request,
                                const struct handle *handle, const struct deed *place, int64_t now_ms) {
    if (!deeds->world->policy_ok)
        return deeds->world->trouble;
    if (!handle)
        return "the handle is unknown or older than 30 s: ask for the list again";
    if (!rung_is_possible(request->rung))
        return "this helper was not given the means for that rung: see deploy/systemd";
    if (request->deadline_ms <= now_ms)
        return "the deadline has passed";
    if (request->deadline_ms - now_ms > DEADLINE_FAR_MS)
        return "the deadline is more than 10 minutes off: take the time from HELLO";
    if (!place)
        return "too many deeds at once: ask again when one has ended";
    return NULL;
}

static struct deed *free_place(struct deeds *deeds) {
    for (size_t i = 0; i < DEEDS_MAX; i++)
        if (deeds->deeds[i].state == DEED_NONE)
            return &deeds->deeds[i];
    return NULL;
}

static const struct deed *find_running(const struct deeds *deeds, const uint8_t key[16]) {
    for (size_t i = 0; i < DEEDS_MAX; i++) {
        const struct deed *deed = &deeds->deeds[i];
        if (deed->state != DEED_NONE && memcmp(deed->request.key, key, sizeof deed->request.key) == 0)
            return deed;
    }
    return NULL;
}

bool deeds_answer(const struct deeds *deeds, const uint8_t key[16], struct helper_act_reply *reply) {
    const struct ledger_entry *entry = ledger_find(deeds->world->ledger, key);
    if (!entry || !entry->ended)
        return false;
    reply->outcome = entry->record.outcome;
    memcpy(reply->reason, entry->record.text, sizeof reply->reason);
    return true;
}

bool deeds_ask(struct deeds *deeds, const struct helper_act_request *request, uint64_t asker, int64_t now_ms,
               struct helper_act_reply *reply) {
    if (deeds_answer(deeds, request->key, reply))
        return true;
    if (find_running(deeds, request->key))
        return false;
    struct handle *handle = find_handle(deeds, &request->handle, now_ms);
    struct deed refused = {0}, *place = free_place(deeds);
    const char *why = refuse_early(deeds, request, handle, place, now_ms);
    struct deed *deed = why ? &refused : place;
    *deed = (struct deed){.request = *request, .asker = asker, .asked_ms = now_ms};
    deed->record = (struct journal_record){.rung = request->rung};
    memcpy(deed->record.key, request->key, sizeof deed->record.key);
    if (why) {
        decline(deeds, deed, HELPER_REFUSED, now_ms, "%s", why);
        return deeds_answer(deeds, request->key, reply);
    }
    deed->state = DEED_MEASURING;
    deed->due_ms = request->deadline_ms;
    deed->pin = handle->pin; /* the pin moves: one deed a handle */
    deed->facts = handle->facts;
    memset(handle, 0, sizeof *handle);
    deed->record.process = deed->pin.id;
    deed->record.uid = deed->facts.uid;
    memcpy(deed->record.comm, deed->facts.sample.comm, sizeof deed->record.comm);
    return false;
}

/* ---- judging ---- */

/* An exec keeps the pid but not the program. comm is compared only where exe cannot be read: a program may
 * rename itself at any time, and is then refused until it is listed under its new name. */
static bool same_program(const struct process_facts *a, const struct process_facts *b) {
    if (a->exe[0] || b->exe[0])
        return strcmp(a->exe, b->exe) == 0 && a->exe_device == b->exe_device && a->exe_inode == b->exe_inode;
    return strcmp(a->sample.comm, b->sample.comm) == 0;
}

static bool over_budget(const struct deeds *deeds, int64_t now_ms, struct deed *deed) {
    const struct policy_budget *budget = &deeds->world->policy->budget;
    const struct {
        int64_t window_ms;
        uint32_t allowed;
        const char *name;
    } limits[] = {{MINUTE_MS, budget->per_minute, "minute"},
                  {HOUR_MS, budget->per_hour, "hour"},
                  {DAY_MS, budget->per_day, "day"}};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (ledger_deeds_since(deeds->world->ledger, now_ms - limits[i].window_ms) < limits[i].allowed)
            continue;
        set_text(deed->record.text, sizeof deed->record.text, "the budget of %u deeds a %s is spent",
                 limits[i].allowed, limits[i].name);
        return true;
    }
    return false;
}

/* Opens when deeds on one kind of process keep being needed: then they do not help. */
static bool breaker_is_open(struct deeds *deeds, struct deed *deed, int64_t now_ms) {
    const struct policy_budget *budget = &deeds->world->policy->budget;
    struct ledger *ledger = deeds->world->ledger;
    struct journal_record record = deed->record;
    if (!ledger->breaker_open &&
        ledger_breaker_deeds(ledger, record.kind, now_ms - budget->breaker_window_ms) >=
            budget->breaker_deeds) {
        set_text(record.text, sizeof record.text, "%u deeds on this kind of process did not help",
                 budget->breaker_deeds);
        ledger->breaker_open = true; /* also when the journal does not take it */
        LOG_ERROR("breaker_opened", "pid=%d uid=%u text=\"%s\"", record.process.pid, record.uid, record.text);
        if (write_record(deeds, &record, JOURNAL_BREAKER, now_ms, true, NULL) != STATUS_OK)
            LOG_ERROR("journal_failed", "event=breaker");
    }
    if (ledger->breaker_open)
        set_text(deed->record.text, sizeof deed->record.text,
                 "the breaker is open: deeds did not help; root closes it with 'sentinel-helper --reset'");
    return ledger->breaker_open;
}

/* All that the policy says beyond whether this process may be touched. False: the text says why not. */
static bool may_be_done(struct deeds *deeds, struct deed *deed, const struct policy_rule *rule,
                        int64_t now_ms) {
    const struct helper_world *world = deeds->world;
    char *text = deed->record.text;
    size_t size = sizeof deed->record.text;
    if (!(rule->rungs & 1U << deed->request.rung))
        set_text(text, size, "[allow %s] does not list the rung %s", rule->name,
                 helper_rung_name(deed->request.rung));
    else if (!world->processes->pins_signals && !world->policy->allow_unpinned_signal)
        set_text(text, size, "this kernel cannot signal a pinned process, and the policy asks for that");
    else if (world->ledger->paused)
        set_text(text, size, "the helper is paused: 'sentinelctl helper resume' ends that");
    else if (rule->cooldown_ms &&
             ledger_deeds_of_kind_since(world->ledger, deed->record.kind, now_ms - rule->cooldown_ms))
        set_text(text, size,
                 "a process of this kind was touched less than %lld s ago; [allow %s] lets it rest",
                 (long long)rule->cooldown_ms / 1000, rule->name);
    else if (!world->journal)
        set_text(text, size, "%s", world->trouble);
    else
        return !breaker_is_open(deeds, deed, now_ms) && !over_budget(deeds, now_ms, deed);
    return false;
}

static void send_first_signal(struct deeds *deeds, struct deed *deed, const struct policy_rule *rule,
                              int64_t now_ms) {
    struct processes *processes = deeds->world->processes;
    struct error err;
    bool freeze = deed->request.rung == RUNG_FREEZE;
    enum status status = processes->signal(processes, &deed->pin, freeze ? PROCESS_STOP : PROCESS_TERM, &err);
    if (status == STATUS_NOT_FOUND) {
        set_text(deed->record.text, sizeof deed->record.text, "it had ended by itself");
        finish(deeds, deed, HELPER_GONE, now_ms);
    } else if (status != STATUS_OK) {
        set_text(deed->record.text, sizeof deed->record.text, "%.159s", err.text);
        finish(deeds, deed, HELPER_FAILED, now_ms);
    } else if (freeze) {
        deed->state = DEED_FROZEN;
        deed->due_ms = now_ms + rule->lease_ms;
        set_text(deed->record.text, sizeof deed->record.text, "frozen for %lld s at most",
                 (long long)rule->lease_ms / 1000);
        finish(deeds, deed, HELPER_DONE, now_ms);
    } else {
        deed->state = DEED_TERMINATING;
        deed->due_ms = now_ms + deeds->world->policy->grace_ms;
    }
}

static void begin(struct deeds *deeds, struct deed *deed, const struct policy_rule *rule, int64_t now_ms) {
    struct error err;
    const struct watched *watched = watch_find(deeds->world->watch, deed->pin.id);
    set_text(deed->record.text, sizeof deed->record.text, "%.2f CPU, %lld s old, %.100s",
             watched ? watched->cpu : 0, (long long)deed->facts.age_ms / 1000,
             deed->facts.exe[0] ? deed->facts.exe : deed->facts.group);
    if (write_record(deeds, &deed->record, JOURNAL_BEGIN, now_ms, true, &err) != STATUS_OK) {
        decline(deeds, deed, HELPER_REFUSED, now_ms, "%.150s", err.text);
        return;
    }
    log_record(deeds, &deed->record, "deed_begun");
    send_first_signal(deeds, deed, rule, now_ms);
}

static void judge_deed(struct deeds *deeds, struct deed *deed, int64_t now_ms) {
    const struct helper_world *world = deeds->world;
    struct error err;
    size_t rule_index;
    char reason[96];
    enum status status = world->processes->inspect(world->processes, &deed->pin, &deeds->facts, &err);
    if (status == STATUS_NOT_FOUND) {
        decline(deeds, deed, HELPER_GONE, now_ms, "it had ended by itself");
        return;
    }
    if (status != STATUS_OK) {
        decline(deeds, deed, HELPER_REFUSED, now_ms, "%.150s", err.text);
        return;
    }
    if (!same_program(&deed->facts, &deeds->facts)) {
        decline(deeds, deed, HELPER_REFUSED, now_ms, "it has become another program since it was listed");
        return;
    }
    deed->facts = deeds->facts;
    find_never(deeds);
    if (!judge(deeds, &deed->facts, true, &rule_index, reason)) {
        decline(deeds, deed, HELPER_REFUSED, now_ms, "%s", reason);
        return;
    }
    const struct policy_rule *rule = &world->policy->rules[rule_index];
    memcpy(deed->record.rule, rule->name, sizeof deed->record.rule);
    deed->record.kind = ledger_kind(&deed->facts);
    if (!may_be_done(deeds, deed, rule, now_ms)) {
        char text[sizeof deed->record.text];
        memcpy(text, deed->record.text, sizeof text);
        decline(deeds, deed, HELPER_REFUSED, now_ms, "%s", text);
    } else if (deed->request.dry_run || !world->policy->mode_act) {
        decline(deeds, deed, HELPER_WOULD, now_ms, "[allow %s] permits it; %s", rule->name,
                deed->request.dry_run ? "a dry run was asked for"
                                      : "the helper's policy says mode = observe");
    } else {
        begin(deeds, deed, rule, now_ms);
    }
}

/* ---- waiting for the end ---- */

static void kill_deed(struct deeds *deeds, struct deed *deed, int64_t now_ms) {
    struct processes *processes = deeds->world->processes;
    struct error err;
    size_t rule;
    char reason[96];
    enum status status = processes->inspect(processes, &deed->pin, &deeds->facts, &err);
    find_never(deeds);
    if (status == STATUS_OK &&
        (!same_program(&deed->facts, &deeds->facts) || !judge(deeds, &deeds->facts, false, &rule, reason)))
        status = error_set(&err, STATUS_DENIED,
                           "after TERM it became another program or is no longer allowed; it was not killed");
    if (status == STATUS_OK)
        status = processes->signal(processes, &deed->pin, PROCESS_KILL, &err);
    if (status == STATUS_NOT_FOUND) {
        deed->due_ms = INT64_MAX; /* its pin is about to say so */
    } else if (status != STATUS_OK) {
        set_text(deed->record.text, sizeof deed->record.text, "%.159s", err.text);
        finish(deeds, deed, HELPER_FAILED, now_ms);
    } else {
        deed->state = DEED_KILLING;
        deed->due_ms = now_ms + KILL_PATIENCE_MS;
    }
}

static void thaw(struct deeds *deeds, struct deed *deed, const char *why, int64_t now_ms) {
    struct processes *processes = deeds->world->processes;
    struct error err;
    if (processes->signal(processes, &deed->pin, PROCESS_CONT, &err) == STATUS_OK)
        set_text(deed->record.text, sizeof deed->record.text, "runs again: %s", why);
    else
        set_text(deed->record.text, sizeof deed->record.text, "%.159s", err.text);
    if (write_record(deeds, &deed->record, JOURNAL_THAWED, now_ms, true, &err) != STATUS_OK)
        LOG_ERROR("journal_failed", "error=\"%s\"", err.text);
    log_record(deeds, &deed->record, "thawed");
    end_deed(deeds, deed);
}

static void step_deed(struct deeds *deeds, struct deed *deed, int64_t now_ms) {
    const struct helper_world *world = deeds->world;
    bool gone = world->processes->has_exited(world->processes, &deed->pin);
    switch (deed->state) {
    case DEED_NONE:
        break;
    case DEED_MEASURING:
        if (now_ms >= deed->due_ms)
            decline(deeds, deed, HELPER_REFUSED, now_ms, "the deadline has passed");
        else if (gone || watch_updated_at_ms(world->watch) > deed->asked_ms)
            judge_deed(deeds, deed, now_ms);
        break;
    case DEED_TERMINATING:
        set_text(deed->record.text, sizeof deed->record.text, "ended after TERM");
        if (gone)
            finish(deeds, deed, HELPER_TERMINATED, now_ms);
        else if (now_ms >= deed->due_ms)
            kill_deed(deeds, deed, now_ms);
        break;
    case DEED_KILLING:
        set_text(deed->record.text, sizeof deed->record.text, "ignored TERM for %lld ms; ended after KILL",
                 (long long)world->policy->grace_ms);
        if (gone) {
            finish(deeds, deed, HELPER_KILLED, now_ms);
        } else if (now_ms >= deed->due_ms) {
            set_text(deed->record.text, sizeof deed->record.text,
                     "still there %d s after KILL: it waits inside the kernel, perhaps for a disk",
                     KILL_PATIENCE_MS / 1000);
            finish(deeds, deed, HELPER_FAILED, now_ms);
        }
        break;
    case DEED_FROZEN:
        if (gone || now_ms >= deed->due_ms)
            thaw(deeds, deed, gone ? "it has ended" : "its lease is over", now_ms);
        break;
    }
}

void deeds_step(struct deeds *deeds, int64_t now_ms) {
    for (size_t i = 0; i < DEEDS_MAX; i++)
        if (deeds->deeds[i].state != DEED_NONE)
            step_deed(deeds, &deeds->deeds[i], now_ms);
    for (size_t i = 0; i < HANDLES_MAX; i++)
        if (deeds->handles[i].pin.id.pid && now_ms >= deeds->handles[i].expires_ms)
            free_handle(deeds, &deeds->handles[i]);
    flush_refusals(deeds, now_ms);
}

uint32_t deeds_release(struct deeds *deeds, uint64_t asker, int64_t now_ms) {
    uint32_t count = 0;
    for (size_t i = 0; i < DEEDS_MAX; i++) {
        struct deed *deed = &deeds->deeds[i];
        if (deed->state != DEED_FROZEN || (asker && deed->asker != asker))
            continue;
        thaw(deeds, deed, asker ? "its asker is gone" : "it was released", now_ms);
        count++;
    }
    return count;
}

bool deeds_pause(struct deeds *deeds, bool paused, int64_t now_ms) {
    struct journal_record record = {0};
    if (deeds->world->ledger->paused == paused)
        return true;
    bool kept = write_record(deeds, &record, paused ? JOURNAL_PAUSED : JOURNAL_RESUMED, now_ms, true, NULL) ==
                STATUS_OK;
    LOG_INFO(paused ? "paused" : "resumed", "kept=%s", kept ? "yes" : "no");
    return kept;
}

void deeds_status(const struct deeds *deeds, int64_t now_ms, struct helper_status_reply *out) {
    const struct helper_world *world = deeds->world;
    const struct policy_budget *budget = &world->policy->budget;
    *out = (struct helper_status_reply){
        .flags = (world->policy->mode_act ? HELPER_MODE_ACT : 0U) |
                 (world->ledger->paused ? HELPER_PAUSED : 0U) | (world->policy_ok ? HELPER_POLICY_OK : 0U) |
                 (world->ledger->breaker_open ? HELPER_BREAKER_OPEN : 0U),
        .deeds_last_minute = ledger_deeds_since(world->ledger, now_ms - MINUTE_MS),
        .deeds_last_hour = ledger_deeds_since(world->ledger, now_ms - HOUR_MS),
        .deeds_last_day = ledger_deeds_since(world->ledger, now_ms - DAY_MS),
        .budget_per_minute = budget->per_minute,
        .budget_per_hour = budget->per_hour,
        .budget_per_day = budget->per_day,
    };
    for (size_t i = 0; i < DEEDS_MAX; i++)
        out->frozen += deeds->deeds[i].state == DEED_FROZEN;
    if (!world->policy_ok)
        memcpy(out->text, world->trouble, sizeof out->text);
    else if (world->ledger->breaker_open)
        set_text(out->text, sizeof out->text,
                 "the breaker is open: deeds did not help; root closes it with 'sentinel-helper --reset'");
}

size_t deeds_polled(const struct deeds *deeds, struct pollfd *out) {
    size_t count = 0;
    for (size_t i = 0; i < DEEDS_MAX; i++)
        if (deeds->deeds[i].state != DEED_NONE)
            out[count++] = (struct pollfd){.fd = deeds->deeds[i].pin.fd, .events = POLLIN};
    return count;
}

int64_t deeds_due_ms(const struct deeds *deeds) {
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < DEEDS_MAX; i++)
        if (deeds->deeds[i].state != DEED_NONE && deeds->deeds[i].due_ms < due_ms)
            due_ms = deeds->deeds[i].due_ms;
    return due_ms;
}

int64_t deeds_wants_measurement_after_ms(const struct deeds *deeds) {
    int64_t after_ms = 0;
    for (size_t i = 0; i < DEEDS_MAX; i++)
        if (deeds->deeds[i].state == DEED_MEASURING && deeds->deeds[i].asked_ms > after_ms)
            after_ms = deeds->deeds[i].asked_ms;
    return after_ms;
}

/* An earlier helper was stopped between BEGIN and END: look, and never signal again for that key. */
static void close_open_deed(struct deeds *deeds, const struct ledger_entry *entry, bool there,
                            int64_t now_ms) {
    struct journal_record record = entry->record;
    record.outcome = there ? HELPER_FAILED : HELPER_TERMINATED;
    set_text(
        record.text, sizeof record.text, "%s",
        there ? "the helper was stopped in the middle; the process is still there, and nothing was sent again"
              : "the helper was stopped in the middle; the process has ended");
    if (write_record(deeds, &record, JOURNAL_END, now_ms, true, NULL) != STATUS_OK)
        LOG_ERROR("journal_failed", "event=end");
    log_record(deeds, &record, "deed_closed");
}

static void settle_past(struct deeds *deeds, int64_t now_ms) {
    struct processes *processes = deeds->world->processes;
    for (size_t i = 0; i < LEDGER_DEEDS; i++) {
        const struct ledger_entry *entry = &deeds->world->ledger->deeds[i];
        struct deed deed = {.record = entry->record};
        if (!entry->used || (entry->ended && !entry->frozen))
            continue;
        bool same_boot = strcmp(entry->record.boot_id, processes->boot_id) == 0;
        bool there =
            same_boot && processes->pin(processes, entry->record.process, &deed.pin, NULL) == STATUS_OK;
        bool frozen = entry->frozen;
        if (!entry->ended)
            close_open_deed(deeds, entry, there, now_ms);
        if (there && frozen)
            thaw(deeds, &deed, "the helper came back", now_ms);
        else if (there)
            processes->unpin(processes, &deed.pin);
    }
}

struct deeds *deeds_create(struct helper_world *world, int64_t now_ms) {
    struct deeds *deeds = xcalloc(1, sizeof *deeds);
    struct journal_record start = {0};
    deeds->world = world;
    deeds->refusals_written_ms = now_ms - REFUSAL_LINE_MS;
    set_text(start.text, sizeof start.text, "mode %s, policy %s", world->policy->mode_act ? "act" : "observe",
             world->policy_ok ? "ok" : world->trouble);
    if (world->journal && write_record(deeds, &start, JOURNAL_START, now_ms, true, NULL) != STATUS_OK)
        LOG_ERROR("journal_failed", "event=start");
    settle_past(deeds, now_ms);
    return deeds;
}

void deeds_destroy(struct deeds *deeds, int64_t now_ms) {
    if (!deeds)
        return;
    deeds_release(deeds, 0, now_ms);
    for (size_t i = 0; i < DEEDS_MAX; i++)
        if (deeds->deeds[i].state != DEED_NONE)
            end_deed(deeds, &deeds->deeds[i]);
    for (size_t i = 0; i < HANDLES_MAX; i++)
        free_handle(deeds, &deeds->handles[i]);
    free(deeds);
}
