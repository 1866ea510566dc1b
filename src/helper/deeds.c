#include "helper/deeds.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

enum {
    KILL_PATIENCE_MS = 5000, /* a process in uninterruptible sleep dies when it wakes, perhaps never */
    /* A slow disk must not eat the grace: it begins with the first step after TERM, on a clock read after the
       fsync. */
    GRACE_TO_BEGIN = 0,
    PAUSE_REST_MS = 1000, /* each turn of the switch is a line of the journal */
    MINUTE_MS = 60000,
    HOUR_MS = 60 * MINUTE_MS,
    DAY_MS = 24 * HOUR_MS,
};

enum deed_state { DEED_NONE, DEED_MEASURING, DEED_TERMINATING, DEED_KILLING, DEED_FROZEN };

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
    struct offers *offers;
    struct deed deeds[DEEDS_MAX];
    int64_t pause_due_ms;       /* before this the switch is not turned again */
    struct process_facts facts; /* scratch: too large for many stack frames */
};

/* ---- endings ---- */

static void set_frozen(struct deeds *deeds, const struct deed *deed, struct process_id id) {
    deeds->world->frozen[deed - deeds->deeds] = id;
}

static void end_deed(struct deeds *deeds, struct deed *deed) {
    if (deed->state == DEED_FROZEN)
        set_frozen(deeds, deed, (struct process_id){0});
    if (deed->pin.id.pid)
        deeds->world->processes->unpin(deeds->world->processes, &deed->pin);
    deed->state = DEED_NONE;
}

/* Over, and a signal was or may have been sent. */
static void finish(struct deeds *deeds, struct deed *deed, enum helper_outcome outcome, int64_t now_ms) {
    struct error err;
    deed->record.outcome = outcome;
    /* The signal is already out: an ending that the disk does not take is kept in memory all the same. */
    if (world_record(deeds->world, &deed->record, JOURNAL_END, now_ms, true, &err) != STATUS_OK) {
        LOG_ERROR("journal_failed", "error=\"%s\"", err.text);
        deed->record.event = JOURNAL_END;
        ledger_apply(deeds->world->ledger, &deed->record);
    }
    world_log(deeds->world, &deed->record, "deed_ended");
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
    world_note_refusal(deeds->world, &deed->record, now_ms);
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
                                const struct offer *offer, const struct deed *place, int64_t now_ms) {
    if (!deeds->world->policy_ok)
        return deeds->world->trouble;
    if (!offer)
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
    const struct offer *offer = offers_find(deeds->offers, &request->handle, now_ms);
    struct deed refused = {0}, *place = free_place(deeds);
    const char *why = refuse_early(deeds, request, offer, place, now_ms);
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
    struct offer taken; /* one deed a handle */
    offers_take(deeds->offers, offer, &taken);
    deed->pin = taken.pin;
    deed->facts = taken.facts;
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
        if (world_record(deeds->world, &record, JOURNAL_BREAKER, now_ms, true, NULL) != STATUS_OK)
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
    else if (deed->request.rung == RUNG_FREEZE && world_is_frozen(world, deed->pin.id))
        set_text(text, size, "it is frozen already");
    else if (world->ledger->paused)
        set_text(text, size, "the helper is paused: 'sentinelctl helper resume' ends that");
    else if (rule->cooldown_ms &&
             !world_is_frozen(world, deed->pin.id) && /* the next rung for the same one */
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

static void thaw(struct deeds *deeds, struct deed *deed, const char *why, int64_t now_ms) {
    struct processes *processes = deeds->world->processes;
    struct error err;
    if (processes->signal(processes, &deed->pin, PROCESS_CONT, &err) == STATUS_OK)
        set_text(deed->record.text, sizeof deed->record.text, "runs again: %s", why);
    else
        set_text(deed->record.text, sizeof deed->record.text, "%.159s", err.text);
    if (world_record(deeds->world, &deed->record, JOURNAL_THAWED, now_ms, true, &err) != STATUS_OK)
        LOG_ERROR("journal_failed", "error=\"%s\"", err.text);
    world_log(deeds->world, &deed->record, "thawed");
    end_deed(deeds, deed);
}

/* A stopped process does not see TERM before it runs again. */
static void thaw_process(struct deeds *deeds, struct process_id id, int64_t now_ms) {
    for (size_t i = 0; i < DEEDS_MAX; i++)
        if (deeds->deeds[i].state == DEED_FROZEN && process_id_equals(deeds->deeds[i].pin.id, id))
            thaw(deeds, &deeds->deeds[i], "it is being ended", now_ms);
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
        set_frozen(deeds, deed, deed->pin.id);
        deed->due_ms = now_ms + rule->lease_ms;
        set_text(deed->record.text, sizeof deed->record.text, "frozen for %lld s at most",
                 (long long)rule->lease_ms / 1000);
        finish(deeds, deed, HELPER_DONE, now_ms);
    } else {
        thaw_process(deeds, deed->pin.id, now_ms);
        deed->state = DEED_TERMINATING;
        deed->due_ms = GRACE_TO_BEGIN;
    }
}

static void begin(struct deeds *deeds, struct deed *deed, const struct policy_rule *rule, int64_t now_ms) {
    struct error err;
    const struct watched *watched = watch_find(deeds->world->watch, deed->pin.id);
    set_text(deed->record.text, sizeof deed->record.text, "%s%.2f CPU, %lld s old, %.100s",
             deeds->world->processes->pins_signals ? "" : "not pinned, ", watched ? watched->cpu : 0,
             (long long)deed->facts.age_ms / 1000, deed->facts.exe[0] ? deed->facts.exe : deed->facts.group);
    if (world_record(deeds->world, &deed->record, JOURNAL_BEGIN, now_ms, true, &err) != STATUS_OK) {
        decline(deeds, deed, HELPER_REFUSED, now_ms, "%.150s", err.text);
        return;
    }
    world_log(deeds->world, &deed->record, "deed_begun");
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
    world_look_around(deeds->world);
    if (!world_judge(world, &deed->facts, JUDGE_ALL, &rule_index, reason)) {
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
    world_look_around(deeds->world);
    if (status == STATUS_OK && (!same_program(&deed->facts, &deeds->facts) ||
                                !world_judge(deeds->world, &deeds->facts, JUDGE_ALL_BUT_HEAT, &rule, reason)))
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
        if (deed->due_ms == GRACE_TO_BEGIN)
            deed->due_ms = now_ms + world->policy->grace_ms;
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
    offers_expire(deeds->offers, now_ms);
    world_flush_refusals(deeds->world, now_ms);
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
    if (now_ms < deeds->pause_due_ms)
        return false;
    deeds->pause_due_ms = now_ms + PAUSE_REST_MS;
    bool kept = world_record(deeds->world, &record, paused ? JOURNAL_PAUSED : JOURNAL_RESUMED, now_ms, true,
                             NULL) == STATUS_OK;
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
    if (world_record(deeds->world, &record, JOURNAL_END, now_ms, true, NULL) != STATUS_OK)
        LOG_ERROR("journal_failed", "event=end");
    world_log(deeds->world, &record, "deed_closed");
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

struct deeds *deeds_create(struct helper_world *world, struct offers *offers, int64_t now_ms) {
    struct deeds *deeds = xcalloc(1, sizeof *deeds);
    struct journal_record start = {0};
    deeds->world = world;
    deeds->offers = offers;
    set_text(start.text, sizeof start.text, "mode %s, policy %s", world->policy->mode_act ? "act" : "observe",
             world->policy_ok ? "ok" : world->trouble);
    if (world->journal && world_record(deeds->world, &start, JOURNAL_START, now_ms, true, NULL) != STATUS_OK)
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
    free(deeds);
}
