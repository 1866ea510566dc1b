/* src/archive/sqlite_database.h - a SQLite file that is ours, sound, and in today's shape.
 *
 * One connection; belongs to whoever opened it, one thread at a time. */
#ifndef SENTINEL_ARCHIVE_SQLITE_DATABASE_H
#define SENTINEL_ARCHIVE_SQLITE_DATABASE_H

#include <sqlite3.h>

#include "base/status.h"

/* In the file's header, so that another program's database is never written to: "Sntl". */
enum { SQLITE_DATABASE_APPLICATION_ID = 0x536e746c };

/* Creates the file with mode 0640 (an existing file keeps its rights), sets the write-ahead log so that it
 * stays after a clean stop (a reader without write access needs it), waits for other connections, syncs every
 * commit, checks the file and migrates it. Refused: a damaged file, another program's database, and a schema
 * newer than this program. The text names the path and says what to do. */
MUST_CHECK enum status sqlite_database_open(const char *path, sqlite3 **out, struct error *err);

/* Puts SQLite's last error into our words. `doing`: "write to", "read from". */
enum status sqlite_database_error(sqlite3 *db, const char *doing, struct error *err);

#endif
