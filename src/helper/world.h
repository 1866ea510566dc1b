/* src/helper/world.h - what the helper works with, and the two things that all of it share: writing down what
 * happens, and judging a process.
 *
 * The journal comes first: what it does not take did not happen, and the ledger never says otherwise.
 * One thread. */
#ifndef SENTINEL_HELPER_WORLD_H
#define SENTINEL_HELPER_WORLD_H

#include "helper/helper_policy.h"
#include "helper/journal.h"
#include "helper/ledger.h"
#include "helper/processes.h"
#include "helper/watch.h"

enum {
    CLIENTS_MAX = 8,
    DEEDS_MAX = 16,
    NEVER_MAX = (CLIENTS_MAX + 1) * (LINEAGE_MAX + 1),
};

/* Everything is borrowed; world_*() only change what is below the empty line. */
struct helper_world {
    struct processes *processes;
    const struct helper_policy *policy;
    bool policy_ok;
    char trouble[160];       /* why nothing is allowed, when policy_ok is false */
    struct journal *journal; /* NULL: it cannot be written, so nothing is done */
    struct ledger *ledger;
    struct watch *watch;
    struct process_id clients[CLIENTS_MAX]; /* pid 0: nobody; they and their ancestors are never touched */
    struct process_id frozen[DEEDS_MAX]; /* pid 0: none; stopped by us, so their heat is what it was then */

    struct process_id never[NEVER_MAX]; /* as world_look_around() found them */
    size_t never_count;
    uint32_t refusals; /* not yet in the journal */
    int64_t refusals_due_ms;
    struct journal_record first_refusal; /* of these */
};

/* Appends to the journal, and then tells the ledger. `record` keeps the event and the time. */
MUST_CHECK enum status world_record(struct helper_world *world, struct journal_record *record,
                                    enum journal_event event, int64_t now_ms, bool durable,
                                    struct error *err);
void world_log(const struct helper_world *world, const struct journal_record *record, const char *event);
/* Nothing was done: who asked, for what, and why not is in `record`. The first is written at once; those of
 * the next ten seconds become one line with the first of them and their number, so that a flood cannot fill
 * the disk. world_flush_refusals() writes what is due. */
void world_note_refusal(struct helper_world *world, const struct journal_record *record, int64_t now_ms);
/* As the last, about a client. */
void world_note_client(struct helper_world *world, uint32_t uid, int32_t pid, const char *why,
                       int64_t now_ms);
void world_flush_refusals(struct helper_world *world, int64_t now_ms);

/* Finds out who is out of reach at this moment; before judging. */
void world_look_around(struct helper_world *world);
bool world_is_frozen(const struct helper_world *world, struct process_id id);
enum judge_scope { JUDGE_ALL, JUDGE_ALL_BUT_HEAT };
/* True: policy->rules[*rule] allows it. Otherwise `reason` says why not. A process that may just be ending is
 * judged by all but its heat, and so is one that is frozen. */
bool world_judge(const struct helper_world *world, const struct process_facts *facts, enum judge_scope scope,
                 size_t *rule, char reason[96]);

/* printf into an array, cut to fit. */
void set_text(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
