/* src/helper/ledger.h - what the journal's lines add up to: answers by key, budgets, rest times, switches.
 *
 * Filled line by line, at start from the journal and then as each line is appended, by the same function, so
 * that a restart forgets nothing. Time is monotonic. A reboot starts that clock again: deeds from before are
 * then taken to be as old as they were when the last line was written, and no older, which errs towards
 * refusing.
 *
 * A kind of process is its user and its executable (or, where that cannot be read, its cgroup): a respawned
 * successor is of the same kind. Pure; fixed size; one thread. */
#ifndef SENTINEL_HELPER_LEDGER_H
#define SENTINEL_HELPER_LEDGER_H

#include "helper/journal.h"

enum {
    LEDGER_DEEDS = 1024, /* more than a day's greatest budget */
    LEDGER_REFUSALS = 128,
};

struct ledger_entry {
    bool used, ended, frozen;
    struct journal_record record; /* of its BEGIN; outcome and text of its END */
};

struct ledger {
    struct ledger_entry deeds[LEDGER_DEEDS];
    struct ledger_entry refusals[LEDGER_REFUSALS]; /* answers for which nothing was done; not durable */
    size_t next_deed, next_refusal;
    int64_t last_at_ms, reset_at_ms; /* the breaker counts from its last reset */
    char boot_id[37];
    bool paused, breaker_open;
};

/* A journal_reader; `ledger` is a struct ledger that began as zeroes. */
void ledger_apply(void *ledger, const struct journal_record *record);
/* The host's present boot: called once, after the journal was replayed. */
void ledger_set_boot(struct ledger *ledger, const char *boot_id);
/* Keeps the answer of a deed that was refused or would have been done. */
void ledger_remember(struct ledger *ledger, const struct journal_record *record);

/* NULL: never heard of that key. */
const struct ledger_entry *ledger_find(const struct ledger *ledger, const uint8_t key[16]);
uint32_t ledger_deeds_since(const struct ledger *ledger, int64_t at_ms);
uint32_t ledger_deeds_of_kind_since(const struct ledger *ledger, uint64_t kind, int64_t at_ms);
/* As the last, but not from before the last reset. */
uint32_t ledger_breaker_deeds(const struct ledger *ledger, uint64_t kind, int64_t at_ms);
uint64_t ledger_kind(const struct process_facts *facts);

#endif
