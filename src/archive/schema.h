/* src/archive/schema.h - the migrations that bring a database to today's shape, carried inside the program.
 *
 * Filled at build time from src/archive/schema/sqlite/NNNN_*.sql (cmake/schema.cmake). Forward only: a file
 * that was released is never edited, the next change gets the next number. Immutable; any thread. */
#ifndef SENTINEL_ARCHIVE_SCHEMA_H
#define SENTINEL_ARCHIVE_SCHEMA_H

#include <stddef.h>

struct schema_migration {
    int version; /* schema_migrations_sqlite[i].version is i + 1 */
    const char *name;
    const char *sql;
};

extern const struct schema_migration schema_migrations_sqlite[];
extern const size_t schema_migrations_sqlite_count;

#endif
