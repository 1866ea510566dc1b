/* src/helper/journal.h - every decision of the helper, refusals too, in a file that shows when it was edited.
 *
 * One line a decision; each line ends with the SHA-256 of the line before it and itself, so that a change in
 * the middle breaks the chain from there on. (Whole lines cut off at the end leave a valid chain: the helper
 * also logs number and hash of each deed to stderr, which journald keeps.) A deed is on the disk (fsync)
 * before its signal is sent. A file that cannot be written, or does not read back, means that nothing is
 * done.
 *
 * The file belongs to the helper's user or root, is locked while it is open, and is only appended to; a last
 * line that a crash cut short is taken away, since what it announced was never done. One thread. */
#ifndef SENTINEL_HELPER_JOURNAL_H
#define SENTINEL_HELPER_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "helper/helper_protocol.h"
#include "helper/processes.h"

enum journal_event {
    JOURNAL_START,   /* the helper came up */
    JOURNAL_REFUSED, /* somebody or something was turned away; `text` says what and how often */
    JOURNAL_BEGIN,   /* what is about to be done */
    JOURNAL_END,     /* how it ended */
    JOURNAL_THAWED,  /* a frozen process runs again */
    JOURNAL_PAUSED,
    JOURNAL_RESUMED,
    JOURNAL_BREAKER, /* opened */
    JOURNAL_RESET,   /* closed by root */
};

struct journal_record {
    enum journal_event event;
    int64_t at_ms; /* monotonic, of `boot_id` */
    char boot_id[37];
    uint8_t key[16];
    enum helper_rung rung;
    enum helper_outcome outcome;
    struct process_id process;
    uint32_t uid;
    uint64_t kind; /* of process: see ledger.h */
    char rule[32], comm[32], text[160];
};

typedef void journal_reader(void *context, const struct journal_record *record);

struct journal;

/* Creates the file at need, verifies the whole chain and hands every record to `reader` (NULL is fine).
 * STATUS_CORRUPT: the text names the line. STATUS_BUSY: another helper holds it. */
MUST_CHECK enum status journal_open(const char *path, journal_reader *reader, void *context,
                                    struct journal **out, struct error *err);
/* `durable`: not before the disk has it. On failure the file is as it was. */
MUST_CHECK enum status journal_append(struct journal *journal, const struct journal_record *record,
                                      bool durable, struct error *err);
/* Lines so far, and the first 16 hex digits of the last hash: for the log. */
uint64_t journal_length(const struct journal *journal);
const char *journal_head(const struct journal *journal);
void journal_close(struct journal *journal);

/* Only reads; `lines` is how many hold. STATUS_CORRUPT: the text names the first line that does not. */
MUST_CHECK enum status journal_verify(const char *path, uint64_t *lines, struct error *err);

#endif
