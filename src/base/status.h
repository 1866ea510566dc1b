/* src/base/status.h - the one word in which every fallible function answers.
 *
 * Four things are kept apart: the peer is wrong (INVALID, TOO_LARGE, DENIED), we are full (BUSY), the
 * world is broken (UNAVAILABLE, SYSTEM, CORRUPT), and the code is wrong (assert, kept in release builds). */
#ifndef SENTINEL_BASE_STATUS_H
#define SENTINEL_BASE_STATUS_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum status {
    STATUS_OK = 0,
    STATUS_INVALID,   /* the peer broke its protocol; retrying cannot help */
    STATUS_TOO_LARGE, /* a limit of ours, named in the text, was reached */
    STATUS_BUSY,      /* a bounded queue is full; the peer may retry */
    STATUS_DENIED,    /* understood, and not permitted */
    STATUS_NOT_FOUND,
    STATUS_CORRUPT,     /* something we wrote ourselves does not read back */
    STATUS_UNAVAILABLE, /* store, helper or webhook does not answer */
    STATUS_SYSTEM,      /* a system call failed; sys_errno says how */
};

/* Filled on failure only; the caller owns it, usually on its stack. */
struct error {
    enum status status;
    int sys_errno; /* 0 unless status is STATUS_SYSTEM */
    char text[192];
};

/* Fills `err` (NULL is fine) and returns `status`, so that failing is one line:
 *     return error_set(err, STATUS_INVALID, "label %zu: empty name", i); */
enum status error_set(struct error *err, enum status status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As error_set with STATUS_SYSTEM: keeps errno and appends its text. */
enum status error_set_errno(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *status_name(enum status status);

#endif
