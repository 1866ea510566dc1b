#include "archive/sqlite_database.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/schema.h"
#include "base/clock.h"

enum {
    /* Grafana's queries and a backup hold locks for moments; core never waits for this. */
    BUSY_TIMEOUT_MS = 5000,
    /* The log stays when the server stops; this is what it is cut to. */
    LOG_SIZE_LIMIT_BYTES = 4 << 20,
};

enum status sqlite_database_error(sqlite3 *db, const char *doing, struct error *err) {
    int code = sqlite3_errcode(db) & 0xff; /* the primary code, without its detail */
    const char *path = sqlite3_db_filename(db, "main");
    const char *text = sqlite3_errmsg(db);
    switch (code) {
    case SQLITE_FULL:
        return error_set(err, STATUS_UNAVAILABLE, "cannot %s %s: disk full; free space on its file system",
                         doing, path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(err, STATUS_UNAVAILABLE, "cannot %s %s: another program keeps it locked (fuser %s)",
                         doing, path, path);
    case SQLITE_READONLY:
        return error_set(err, STATUS_UNAVAILABLE,
                         "cannot %s %s: it is read-only for uid %u; give that user the file and its folder",
                         doing, path, (unsigned)geteuid());
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return error_set(err, STATUS_CORRUPT, "%s is damaged (%s); move it away, or restore a backup", path,
                         text);
    default: /* SQLite's codes are an open set */
        return error_set(err, STATUS_UNAVAILABLE, "cannot %s %s: %s", doing, path, text);
    }
}

static enum status execute(sqlite3 *db, const char *sql, const char *doing, struct error *err) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_database_error(db, doing, err);
    return STATUS_OK;
}

/* The first column of the first row, as text; "" if it is NULL or there is no row. */
static enum status ask(sqlite3 *db, const char *sql, char *out, size_t size, struct error *err) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return sqlite_database_error(db, "read from", err);
    int code = sqlite3_step(statement);
    const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    snprintf(out, size, "%s", text ? text : "");
    for (char *c = out; *c; c++)
        if (*c == '\n') /* our errors are one line */
            *c = ' ';
    enum status status =
        code == SQLITE_ROW || code == SQLITE_DONE ? STATUS_OK : sqlite_database_error(db, "read from", err);
    sqlite3_finalize(statement);
    return status;
}

static enum status ask_number(sqlite3 *db, const char *sql, long *out, struct error *err) {
    char text[32];
    enum status status = ask(db, sql, text, sizeof text, err);
    if (status == STATUS_OK)
        *out = strtol(text, NULL, 10);
    return status;
}

static enum status cannot_open(const char *path, struct error *err) {
    if (errno == ENOENT)
        return error_set(err, STATUS_NOT_FOUND, "cannot open %s: its folder does not exist; create it", path);
    int why = errno;
    error_set(err, STATUS_SYSTEM, "cannot open %s: %s; uid %u needs write access to it and its folder", path,
              strerror(why), (unsigned)geteuid());
    if (err)
        err->sys_errno = why;
    return STATUS_SYSTEM;
}

static enum status check_existing_file(const char *path, struct error *err) {
    struct stat found;
    if (stat(path, &found) != 0 || access(path, R_OK | W_OK) != 0)
        return cannot_open(path, err);
    if (!S_ISREG(found.st_mode))
        return error_set(err, STATUS_INVALID, "%s is not a file; choose another path", path);
    return STATUS_OK;
}

/* SQLite itself would apply the umask; its -wal and -shm files take over the rights of this one. */
static enum status create_file(const char *path, struct error *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0 && errno == EEXIST)
        return check_existing_file(path, err);
    if (fd < 0)
        return cannot_open(path, err);
    enum status status = fchmod(fd, 0640) == 0 ? STATUS_OK : cannot_open(path, err);
    close(fd);
    return status;
}

/* Reads only, so that a file which is refused stays as it was. */
static enum status check_that_it_is_ours(sqlite3 *db, const char *path, struct error *err) {
    long application_id, tables;
    enum status status = ask_number(db, "PRAGMA application_id", &application_id, err);
    if (status == STATUS_OK)
        status = ask_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (status != STATUS_OK)
        return status;
    if (application_id != SQLITE_DATABASE_APPLICATION_ID && (application_id != 0 || tables > 0))
        return error_set(err, STATUS_INVALID, "%s is another program's database; choose another path", path);

    char verdict[96];
    status = ask(db, "PRAGMA quick_check(1)", verdict, sizeof verdict, err);
    if (status == STATUS_OK && strcmp(verdict, "ok") != 0)
        status = error_set(err, STATUS_CORRUPT, "%s is damaged (%s); move it away, or restore a backup", path,
                           verdict);
    return status;
}

static enum status configure(sqlite3 *db, const char *path, struct error *err) {
    int keep_log = 1;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_log);
    char mode[16], limit[64];
    enum status status = ask(db, "PRAGMA journal_mode = WAL", mode, sizeof mode, err);
    if (status != STATUS_OK)
        return status;
    if (strcmp(mode, "wal") != 0)
        return error_set(err, STATUS_SYSTEM,
                         "%s: no write-ahead log is possible there; choose a path on a local disk", path);
    snprintf(limit, sizeof limit, "PRAGMA journal_size_limit = %d", LOG_SIZE_LIMIT_BYTES);
    status = execute(db, limit, "set up", err);
    /* FULL: a commit is on the disk when it returns. Only then may a deed follow its intention. */
    if (status == STATUS_OK)
        status = execute(db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON", "set up", err);
    return status;
}

static enum status schema_version(sqlite3 *db, long *version, struct error *err) {
    long known;
    enum status status =
        ask_number(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'", &known, err);
    if (status != STATUS_OK)
        return status;
    *version = 0;
    return known ? ask_number(db, "SELECT max(version) FROM schema_version", version, err) : STATUS_OK;
}

static enum status apply(sqlite3 *db, const struct schema_migration *migration, struct error *err) {
    int64_t now_ms = clock_realtime_ms();
    char now[CLOCK_RFC3339_SIZE], note[200];
    snprintf(note, sizeof note, "INSERT INTO schema_version VALUES (%d, '%s', '%s', %lld.%03d)",
             migration->version, migration->name, clock_format_rfc3339(now_ms, now),
             (long long)(now_ms / 1000), (int)(now_ms % 1000));
    enum status status = execute(db, migration->sql, "migrate", err);
    if (status == STATUS_OK)
        status = execute(db, note, "migrate", err);
    return status;
}

/* Everything that is missing, in one transaction: another process sees the old shape or the new one. */
static enum status migrate(sqlite3 *db, const char *path, struct error *err) {
    enum status status = execute(db, "BEGIN IMMEDIATE", "migrate", err);
    if (status != STATUS_OK)
        return status;
    char setup[256];
    snprintf(setup, sizeof setup,
             "PRAGMA application_id = %d;"
             "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL PRIMARY KEY,"
             " name TEXT NOT NULL, applied_at TEXT NOT NULL, applied_epoch REAL NOT NULL) STRICT",
             SQLITE_DATABASE_APPLICATION_ID);
    long version = 0, newest = (long)schema_migrations_sqlite_count;
    status = schema_version(db, &version, err);
    if (status == STATUS_OK && version > newest)
        status = error_set(err, STATUS_INVALID,
                           "%s has schema %ld, this program knows up to %ld; use the newer program", path,
                           version, newest);
    if (status == STATUS_OK && version < newest)
        status = execute(db, setup, "migrate", err);
    for (; status == STATUS_OK && version < newest; version++)
        status = apply(db, &schema_migrations_sqlite[version], err);
    if (status == STATUS_OK)
        return execute(db, "COMMIT", "migrate", err);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

enum status sqlite_database_open(const char *path, sqlite3 **out, struct error *err) {
    enum status status = create_file(path, err);
    if (status != STATUS_OK)
        return status;
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        status = sqlite_database_error(db, "open", err);
        goto out;
    }
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    status = check_that_it_is_ours(db, path, err);
    if (status == STATUS_OK)
        status = configure(db, path, err);
    if (status == STATUS_OK)
        status = migrate(db, path, err);
out:
    if (status == STATUS_OK) {
        *out = db;
    } else {
        int code = sqlite3_close(db);
        assert(code == SQLITE_OK);
    }
    return status;
}
