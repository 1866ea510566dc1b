#include "helper/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "helper/sha256.h"
#include "helper/trusted_file.h"

enum { LINE_MAX_BYTES = 1024 }; /* the longest record has about 700 */

struct journal {
    int fd;
    uint64_t lines;
    off_t size;
    uint8_t chain[SHA256_BYTES];
    char head[17];
};

static const char *const event_names[] = {"start",  "refused", "begin",   "end",  "thawed",
                                          "paused", "resumed", "breaker", "reset"};
enum { EVENT_COUNT = sizeof event_names / sizeof event_names[0] };

static void to_hex(const uint8_t *bytes, size_t length, char *out) {
    for (size_t i = 0; i < length; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Text in quotes must not end its quotes, nor its line. */
static void plain_text(const char *text, char *out, size_t size) {
    size_t i = 0;
    for (; text[i] && i + 1 < size; i++)
        out[i] = text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' ? text[i] : '?';
    out[i] = '\0';
}

static int format_record(const struct journal_record *r, uint64_t number, char *out, size_t size) {
    char when[CLOCK_RFC3339_SIZE], key[2 * sizeof r->key + 1], comm[sizeof r->comm], text[sizeof r->text];
    to_hex(r->key, sizeof r->key, key);
    plain_text(r->comm, comm, sizeof comm);
    plain_text(r->text, text, sizeof text);
    return snprintf(out, size,
                    "%llu %s %s monotonic_ms=%lld boot=%s key=%s rung=%d outcome=%d pid=%d start=%llu uid=%u "
                    "kind=%016llx rule=%s comm=\"%s\" text=\"%s\"",
                    (unsigned long long)number, clock_format_rfc3339(clock_realtime_ms(), when),
                    event_names[r->event], (long long)r->at_ms, r->boot_id, key, (int)r->rung,
                    (int)r->outcome, r->process.pid, (unsigned long long)r->process.start, r->uid,
                    (unsigned long long)r->kind, r->rule, comm, text);
}

/* Moves past `prefix`, copies up to `end` and moves past that. False: the line is another one. */
static bool take(const char **at, const char *prefix, char end, char *out, size_t size) {
    size_t skip = strlen(prefix);
    if (strncmp(*at, prefix, skip) != 0)
        return false;
    const char *from = *at + skip, *to = strchr(from, end);
    if (!to || (size_t)(to - from) >= size)
        return false;
    memcpy(out, from, (size_t)(to - from));
    out[to - from] = '\0';
    *at = to + 1;
    return true;
}

static bool take_number(const char **at, const char *prefix, int base, uint64_t *out) {
    char digits[24], *end;
    if (!take(at, prefix, ' ', digits, sizeof digits))
        return false;
    *out = strtoull(digits, &end, base);
    return digits[0] && *end == '\0';
}

static bool parse_key(const char *hex, uint8_t *key, size_t size) {
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i] ? hex[2 * i + 1] : '\0', '\0'}, *end;
        key[i] = (uint8_t)strtoul(pair, &end, 16);
        if (end != pair + 2)
            return false;
    }
    return true;
}

/* The inverse of format_record; `number` must be the line's own. */
static bool parse_record(const char *line, uint64_t number, struct journal_record *r) {
    char event[16], when[CLOCK_RFC3339_SIZE], key[33];
    uint64_t own, at_ms, rung, outcome, pid, uid;
    *r = (struct journal_record){0};
    bool good = take_number(&line, "", 10, &own) && own == number &&
                take(&line, "", ' ', when, sizeof when) && take(&line, "", ' ', event, sizeof event) &&
                take_number(&line, "monotonic_ms=", 10, &at_ms) &&
                take(&line, "boot=", ' ', r->boot_id, sizeof r->boot_id) &&
                take(&line, "key=", ' ', key, sizeof key) && parse_key(key, r->key, sizeof r->key) &&
                take_number(&line, "rung=", 10, &rung) && take_number(&line, "outcome=", 10, &outcome) &&
                take_number(&line, "pid=", 10, &pid) && take_number(&line, "start=", 10, &r->process.start) &&
                take_number(&line, "uid=", 10, &uid) && take_number(&line, "kind=", 16, &r->kind) &&
                take(&line, "rule=", ' ', r->rule, sizeof r->rule) &&
                take(&line, "comm=\"", '"', r->comm, sizeof r->comm) &&
                take(&line, " text=\"", '"', r->text, sizeof r->text);
    size_t known = 0;
    while (good && known < EVENT_COUNT && strcmp(event, event_names[known]) != 0)
        known++;
    if (!good || known == EVENT_COUNT)
        return false;
    r->event = (enum journal_event)known;
    r->at_ms = (int64_t)at_ms;
    r->rung = (enum helper_rung)rung;
    r->outcome = (enum helper_outcome)outcome;
    r->process.pid = (int32_t)pid;
    r->uid = (uint32_t)uid;
    return true;
}

/* chain = SHA-256(chain before, line without its hash) */
static void extend_chain(uint8_t chain[SHA256_BYTES], const char *line, size_t length) {
    struct sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, chain, SHA256_BYTES);
    sha256_add(&hash, line, length);
    sha256_end(&hash, chain);
}

/* Checks one line, without its newline, against the chain so far. */
static bool accept_line(struct journal *journal, char *line, struct journal_record *record) {
    static const char mark[] = " sha256=";
    char expected[SHA256_HEX], *hash = NULL;
    journal->lines++;
    for (char *at = line; (at = strstr(at, mark)) != NULL; at++)
        hash = at;
    if (!hash)
        return false;
    extend_chain(journal->chain, line, (size_t)(hash - line));
    to_hex(journal->chain, SHA256_BYTES, expected);
    memcpy(journal->head, expected, sizeof journal->head - 1);
    *hash = '\0';
    return strcmp(hash + strlen(mark), expected) == 0 && parse_record(line, journal->lines, record);
}

static enum status replay(struct journal *journal, FILE *file, const char *path, journal_reader *reader,
                          void *context, struct error *err) {
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, file)) {
        size_t length = strlen(line);
        struct journal_record record;
        if (length && line[length - 1] != '\n' && feof(file))
            break; /* cut short by a crash */
        line[length ? length - 1 : 0] = '\0';
        if (!accept_line(journal, line, &record))
            return error_set(err, STATUS_CORRUPT,
                             "%s: line %llu was changed, or lines before it were; look at it, then "
                             "'sentinel-helper --reset' sets it aside",
                             path, (unsigned long long)journal->lines);
        journal->size += (off_t)length;
        if (reader)
            reader(context, &record);
    }
    return ferror(file) ? error_set_errno(err, "%s", path) : STATUS_OK;
}

static enum status check_file(int fd, const char *path, struct error *err) {
    struct stat file;
    if (fstat(fd, &file) != 0)
        return error_set_errno(err, "%s", path);
    if (!S_ISREG(file.st_mode) || file.st_nlink != 1 || (file.st_uid != 0 && file.st_uid != geteuid()) ||
        (file.st_mode & (S_IWGRP | S_IWOTH)))
        return error_set(err, STATUS_DENIED,
                         "%s must be a regular file with one name that only the helper can write", path);
    return STATUS_OK;
}

static enum status open_and_replay(struct journal *journal, const char *path, journal_reader *reader,
                                   void *context, struct error *err) {
    enum status status = check_file(journal->fd, path, err);
    if (status != STATUS_OK)
        return status;
    int copy = fcntl(journal->fd, F_DUPFD_CLOEXEC, 0);
    FILE *file = copy >= 0 ? fdopen(copy, "r") : NULL;
    if (!file) {
        status = error_set_errno(err, "%s", path);
        if (copy >= 0)
            close(copy);
        return status;
    }
    status = replay(journal, file, path, reader, context, err);
    fclose(file);
    return status;
}

enum status journal_open(const char *path, journal_reader *reader, void *context, struct journal **out,
                         struct error *err) {
    enum status status = trusted_folders(path, geteuid(), err);
    if (status != STATUS_OK)
        return status;
    struct journal journal = {.fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (journal.fd < 0)
        return error_set_errno(err, "%s", path);
    if (flock(journal.fd, LOCK_EX | LOCK_NB) != 0)
        status =
            error_set(err, STATUS_BUSY, "%s is in use: another sentinel-helper runs; stop it first", path);
    else
        status = open_and_replay(&journal, path, reader, context, err);
    if (status == STATUS_OK && ftruncate(journal.fd, journal.size) != 0)
        status = error_set_errno(err, "%s", path);
    if (status != STATUS_OK) {
        close(journal.fd);
        return status;
    }
    *out = xcalloc(1, sizeof journal);
    **out = journal;
    return STATUS_OK;
}

static bool write_all(int fd, const char *bytes, size_t length) {
    while (length) {
        ssize_t wrote = write(fd, bytes, length);
        if (wrote < 0)
            return false;
        bytes += wrote;
        length -= (size_t)wrote;
    }
    return true;
}

enum status journal_append(struct journal *journal, const struct journal_record *record, bool durable,
                           struct error *err) {
    char line[LINE_MAX_BYTES], hex[SHA256_HEX];
    uint8_t chain[SHA256_BYTES];
    if (journal->fd < 0)
        return error_set(err, STATUS_SYSTEM, "the journal broke earlier; restart the helper");
    size_t length = (size_t)format_record(record, journal->lines + 1, line, sizeof line);
    memcpy(chain, journal->chain, sizeof chain);
    extend_chain(chain, line, length);
    to_hex(chain, SHA256_BYTES, hex);
    length += (size_t)snprintf(line + length, sizeof line - length, " sha256=%s\n", hex);
    if (!write_all(journal->fd, line, length) || (durable && fsync(journal->fd) != 0)) {
        enum status status = error_set_errno(err, "the journal cannot be written");
        /* A half line would break the chain. After a failed fsync nobody knows what the disk holds. */
        if (ftruncate(journal->fd, journal->size) != 0) {
            close(journal->fd);
            journal->fd = -1;
        }
        return status;
    }
    journal->size += (off_t)length;
    journal->lines++;
    memcpy(journal->chain, chain, sizeof chain);
    memcpy(journal->head, hex, sizeof journal->head - 1);
    return STATUS_OK;
}

uint64_t journal_length(const struct journal *journal) {
    return journal->lines;
}

const char *journal_head(const struct journal *journal) {
    return journal->head;
}

void journal_close(struct journal *journal) {
    if (!journal)
        return;
    if (journal->fd >= 0)
        close(journal->fd);
    free(journal);
}

enum status journal_verify(const char *path, uint64_t *lines, struct error *err) {
    struct journal journal = {.fd = -1};
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set_errno(err, "%s", path);
    enum status status = replay(&journal, file, path, NULL, NULL, err);
    fclose(file);
    *lines = journal.lines;
    return status;
}
