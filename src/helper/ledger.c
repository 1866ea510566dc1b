#include "helper/ledger.h"

#include <string.h>

static struct ledger_entry *find_deed(struct ledger *ledger, const uint8_t key[16]) {
    for (size_t i = 0; i < LEDGER_DEEDS; i++)
        if (ledger->deeds[i].used && memcmp(ledger->deeds[i].record.key, key, 16) == 0)
            return &ledger->deeds[i];
    return NULL;
}

void ledger_set_boot(struct ledger *ledger, const char *boot_id) {
    if (strcmp(ledger->boot_id, boot_id) == 0)
        return;
    for (size_t i = 0; i < LEDGER_DEEDS; i++) {
        ledger->deeds[i].record.at_ms -= ledger->last_at_ms;
        ledger->deeds[i].frozen = false; /* a reboot thaws everybody */
    }
    ledger->reset_at_ms -= ledger->last_at_ms;
    ledger->last_at_ms = 0;
    memcpy(ledger->boot_id, boot_id, strnlen(boot_id, sizeof ledger->boot_id - 1) + 1);
}

static void begin_deed(struct ledger *ledger, const struct journal_record *record) {
    struct ledger_entry *entry = &ledger->deeds[ledger->next_deed++ % LEDGER_DEEDS];
    *entry = (struct ledger_entry){.used = true, .frozen = record->rung == RUNG_FREEZE, .record = *record};
}

static void end_deed(struct ledger_entry *entry, const struct journal_record *record) {
    entry->ended = true;
    entry->frozen = entry->frozen && record->outcome == HELPER_DONE;
    entry->record.outcome = record->outcome;
    memcpy(entry->record.text, record->text, sizeof entry->record.text);
}

void ledger_apply(void *context, const struct journal_record *record) {
    struct ledger *ledger = context;
    struct ledger_entry *entry = find_deed(ledger, record->key);
    ledger_set_boot(ledger, record->boot_id);
    ledger->last_at_ms = record->at_ms;
    switch (record->event) {
    case JOURNAL_START:
    case JOURNAL_REFUSED:
        break;
    case JOURNAL_BEGIN:
        begin_deed(ledger, record);
        break;
    case JOURNAL_END:
        if (entry)
            end_deed(entry, record);
        break;
    case JOURNAL_THAWED:
        if (entry)
            entry->frozen = false;
        break;
    case JOURNAL_PAUSED:
    case JOURNAL_RESUMED:
        ledger->paused = record->event == JOURNAL_PAUSED;
        break;
    case JOURNAL_BREAKER:
        ledger->breaker_open = true;
        break;
    case JOURNAL_RESET:
        ledger->breaker_open = false;
        ledger->reset_at_ms = record->at_ms;
        break;
    }
}

void ledger_remember(struct ledger *ledger, const struct journal_record *record) {
    ledger->refusals[ledger->next_refusal++ % LEDGER_REFUSALS] =
        (struct ledger_entry){.used = true, .ended = true, .record = *record};
}

const struct ledger_entry *ledger_find(const struct ledger *ledger, const uint8_t key[16]) {
    for (size_t i = 0; i < LEDGER_DEEDS; i++)
        if (ledger->deeds[i].used && memcmp(ledger->deeds[i].record.key, key, 16) == 0)
            return &ledger->deeds[i];
    for (size_t i = 0; i < LEDGER_REFUSALS; i++)
        if (ledger->refusals[i].used && memcmp(ledger->refusals[i].record.key, key, 16) == 0)
            return &ledger->refusals[i];
    return NULL;
}

uint32_t ledger_deeds_since(const struct ledger *ledger, int64_t at_ms) {
    uint32_t count = 0;
    for (size_t i = 0; i < LEDGER_DEEDS; i++)
        count += ledger->deeds[i].used && ledger->deeds[i].record.at_ms > at_ms;
    return count;
}

uint32_t ledger_deeds_of_kind_since(const struct ledger *ledger, uint64_t kind, int64_t at_ms) {
    uint32_t count = 0;
    for (size_t i = 0; i < LEDGER_DEEDS; i++) {
        const struct ledger_entry *entry = &ledger->deeds[i];
        count += entry->used && entry->record.kind == kind && entry->record.at_ms > at_ms;
    }
    return count;
}

uint32_t ledger_breaker_deeds(const struct ledger *ledger, uint64_t kind, int64_t at_ms) {
    bool was_reset = ledger->reset_at_ms > at_ms;
    return ledger_deeds_of_kind_since(ledger, kind, was_reset ? ledger->reset_at_ms : at_ms);
}

/* FNV-1a: a collision only makes a stranger rest too. */
uint64_t ledger_kind(const struct process_facts *facts) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ facts->uid;
    for (const char *at = facts->exe[0] ? facts->exe : facts->group; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    return hash;
}
