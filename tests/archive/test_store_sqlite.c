/* What only a file can do wrong. */
#include "archive/sample_records.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/sqlite_database.h"
#include "base/rng.h"

struct fixture {
    char folder[64];
    char path[96];
};

static int make_folder(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->folder, "/tmp/sentinel-sqlite-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/sentinel.db", fixture->folder);
    *state = fixture;
    return 0;
}

static int remove_folder(void **state) {
    struct fixture *fixture = *state;
    DIR *folder = opendir(fixture->folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

static struct store *must_open(const char *path) {
    struct store *store = NULL;
    struct error err = {0};
    if (store_open_sqlite(path, &store, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return store;
}

static void must_record(struct store *store, unsigned number) {
    struct incident incident = sample_incident(number);
    struct transition transition = sample_transition(number, 2);
    struct error err = {0};
    if (store_record(store, &incident, &transition, NULL, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static mode_t mode_of(const char *path, const char *suffix) {
    char full[128];
    snprintf(full, sizeof full, "%s%s", path, suffix);
    struct stat stat_buffer;
    if (stat(full, &stat_buffer) != 0)
        return 0;
    return stat_buffer.st_mode & 07777;
}

/* Runs SQL as another program would. */
static void with_sqlite(const char *path, int flags, const char *sql, char *out, size_t size) {
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(path, &db, flags, NULL), SQLITE_OK);
    for (const char *rest = sql; *rest;) {
        if (sqlite3_prepare_v2(db, rest, -1, &statement, &rest) != SQLITE_OK)
            fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        int code = sqlite3_step(statement);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        if (code == SQLITE_ROW && out)
            snprintf(out, size, "%s", (const char *)sqlite3_column_text(statement, 0));
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
}

static void must_refuse(const char *path, enum status status, const char *mentions) {
    struct store *store;
    struct error err = {0};
    assert_int_equal(store_open_sqlite(path, &store, &err), status);
    if (!strstr(err.text, mentions) || strchr(err.text, '\n'))
        fail_msg("not one line that says '%s': %s", mentions, err.text);
}

static void the_file_is_for_the_owner_and_the_group_whatever_the_umask(void **state) {
    struct fixture *fixture = *state;
    mode_t before = umask(0077);
    struct store *store = must_open(fixture->path);
    umask(before);
    must_record(store, 1);
    assert_int_equal(mode_of(fixture->path, ""), 0640);
    assert_int_equal(mode_of(fixture->path, "-wal"), 0640);
    assert_int_equal(mode_of(fixture->path, "-shm"), 0640);
    store_close(store);
}

static void the_rights_that_an_operator_gave_are_kept(void **state) {
    struct fixture *fixture = *state;
    store_close(must_open(fixture->path));
    assert_int_equal(chmod(fixture->path, 0660), 0);
    store_close(must_open(fixture->path));
    assert_int_equal(mode_of(fixture->path, ""), 0660);
}

/* Root may do anything, so what is about rights is tried by another user: 0 if `try` returned true. */
static int exit_code_of_an_ordinary_user(bool (*try)(const struct fixture *), const struct fixture *fixture) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        _exit(try(fixture) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool read_only_query_works(const struct fixture *fixture) {
    char count[8] = "";
    with_sqlite(fixture->path, SQLITE_OPEN_READONLY, "SELECT count(*) FROM incidents", count, sizeof count);
    return strcmp(count, "1") == 0;
}

static void the_log_stays_so_that_a_reader_without_write_access_works(void **state) {
    struct fixture *fixture = *state;
    struct store *store = must_open(fixture->path);
    must_record(store, 1);
    store_close(store);
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[i]);
        assert_int_equal(chmod(path, 0444), 0);
    }
    assert_int_equal(chmod(fixture->folder, 0555), 0);
    int code = exit_code_of_an_ordinary_user(read_only_query_works, fixture);
    assert_int_equal(chmod(fixture->folder, 0755), 0);
    assert_int_equal(code, 0);
}

static void records_are_there_after_opening_again(void **state) {
    struct fixture *fixture = *state;
    struct store *store = must_open(fixture->path);
    must_record(store, 1);
    store_close(store);
    store = must_open(fixture->path);
    struct incident found[2], expected = sample_incident(1);
    size_t count;
    assert_int_equal(store_load_open(store, found, 2, &count, NULL), STATUS_OK);
    assert_int_equal(count, 1);
    assert_same_incident(&found[0], &expected);
    store_close(store);
}

static void times_stand_as_utc_text_and_as_epoch_seconds(void **state) {
    struct fixture *fixture = *state;
    struct store *store = must_open(fixture->path);
    must_record(store, 0);
    store_close(store);
    char text[64];
    with_sqlite(fixture->path, SQLITE_OPEN_READWRITE,
                "SELECT first_seen_at || ' ' || printf('%.3f', first_seen_epoch) FROM incidents", text,
                sizeof text);
    assert_string_equal(text, "2026-08-03T10:00:34.567Z 1785751234.567");
    with_sqlite(fixture->path, SQLITE_OPEN_READWRITE,
                "SELECT closed_at IS NULL AND closed_epoch IS NULL FROM incidents", text, sizeof text);
    assert_string_equal(text, "1");
}

static void a_host_stands_once_with_its_first_and_last_incident(void **state) {
    struct fixture *fixture = *state;
    struct store *store = must_open(fixture->path);
    must_record(store, 0);
    must_record(store, 7); /* the same host */
    must_record(store, 0);
    store_close(store);
    char text[64];
    with_sqlite(
        fixture->path, SQLITE_OPEN_READWRITE,
        "SELECT count(*) || ' ' || printf('%.0f', last_incident_epoch - first_incident_epoch) FROM hosts",
        text, sizeof text);
    assert_string_equal(text, "1 7");
}

static void a_path_that_cannot_be_a_file_is_refused(void **state) {
    struct fixture *fixture = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/absent/sentinel.db", fixture->folder);
    must_refuse(path, STATUS_NOT_FOUND, "absent/sentinel.db: its folder does not exist");
    must_refuse(fixture->folder, STATUS_INVALID, "is not a file");
}

static bool opening_is_refused_with_a_reason(const struct fixture *fixture) {
    struct store *store;
    struct error err = {0};
    return store_open_sqlite(fixture->path, &store, &err) == STATUS_SYSTEM && err.sys_errno == EACCES &&
           strstr(err.text, fixture->path) && strstr(err.text, "needs write access");
}

static void a_folder_without_write_access_is_refused(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(chmod(fixture->folder, 0555), 0);
    assert_int_equal(exit_code_of_an_ordinary_user(opening_is_refused_with_a_reason, fixture), 0);
    assert_int_equal(chmod(fixture->folder, 0755), 0);
}

static void a_file_without_write_access_is_refused(void **state) {
    struct fixture *fixture = *state;
    store_close(must_open(fixture->path));
    assert_int_equal(chmod(fixture->path, 0444), 0);
    assert_int_equal(chmod(fixture->folder, 0777), 0);
    assert_int_equal(exit_code_of_an_ordinary_user(opening_is_refused_with_a_reason, fixture), 0);
    assert_int_equal(chmod(fixture->folder, 0755), 0);
}

static void a_file_that_is_no_database_is_refused_and_left_alone(void **state) {
    struct fixture *fixture = *state;
    static const char words[] =
        "These are the notes of a person, and longer than the header of a database file: "
        "nobody wants them overwritten.";
    int fd = open(fixture->path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, words, sizeof words), sizeof words);
    close(fd);
    must_refuse(fixture->path, STATUS_CORRUPT, "move it away");
    char read_back[sizeof words];
    fd = open(fixture->path, O_RDONLY);
    assert_int_equal(read(fd, read_back, sizeof read_back), sizeof words);
    close(fd);
    assert_memory_equal(read_back, words, sizeof words);
}

static void another_programs_database_is_refused(void **state) {
    struct fixture *fixture = *state;
    with_sqlite(fixture->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "CREATE TABLE songs (name)", NULL,
                0);
    must_refuse(fixture->path, STATUS_INVALID, "another program's");
    char count[8];
    with_sqlite(fixture->path, SQLITE_OPEN_READONLY, "SELECT count(*) FROM sqlite_schema", count,
                sizeof count);
    assert_string_equal(count, "1");
}

static void a_newer_schema_is_refused_and_left_alone(void **state) {
    struct fixture *fixture = *state;
    store_close(must_open(fixture->path));
    with_sqlite(fixture->path, SQLITE_OPEN_READWRITE,
                "INSERT INTO schema_version VALUES (99, '0099_future.sql', '2030-01-01T00:00:00Z', 0)", NULL,
                0);
    must_refuse(fixture->path, STATUS_INVALID, "has schema 99, this program knows up to");
    char version[8];
    with_sqlite(fixture->path, SQLITE_OPEN_READONLY, "SELECT max(version) FROM schema_version", version,
                sizeof version);
    assert_string_equal(version, "99");
}

static void a_damaged_page_is_found_at_the_start(void **state) {
    struct fixture *fixture = *state;
    struct store *store = must_open(fixture->path);
    for (unsigned i = 0; i < 200; i++)
        must_record(store, i);
    store_close(store);
    with_sqlite(fixture->path, SQLITE_OPEN_READWRITE, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0);
    char page[8], size[16];
    with_sqlite(fixture->path, SQLITE_OPEN_READWRITE,
                "SELECT rootpage FROM sqlite_schema WHERE name = 'incidents'", page, sizeof page);
    with_sqlite(fixture->path, SQLITE_OPEN_READWRITE, "PRAGMA page_size", size, sizeof size);
    char rubbish[512];
    memset(rubbish, 0xA5, sizeof rubbish);
    int fd = open(fixture->path, O_WRONLY);
    off_t at = (strtol(page, NULL, 10) - 1) * strtol(size, NULL, 10);
    assert_int_equal(pwrite(fd, rubbish, sizeof rubbish, at), sizeof rubbish);
    close(fd);
    must_refuse(fixture->path, STATUS_CORRUPT, "is damaged");
}

static void an_unknown_word_in_a_row_is_corrupt_not_a_guess(void **state) {
    struct fixture *fixture = *state;
    struct store *store = must_open(fixture->path);
    must_record(store, 1);
    with_sqlite(fixture->path, SQLITE_OPEN_READWRITE, "UPDATE incidents SET state = 'SNOOZED'", NULL, 0);
    struct incident found[2];
    size_t count = 77;
    struct error err = {0};
    assert_int_equal(store_load_open(store, found, 2, &count, &err), STATUS_CORRUPT);
    assert_int_equal(count, 77);
    assert_non_null(strstr(err.text, "unknown state"));
    store_close(store);
}

/* --- a disk that fails: SQLite's own unix VFS lets its system calls be replaced ------------------------- */

static int disk_errno; /* 0: the disk works */

static ssize_t failing_pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    if (disk_errno == 0)
        return pwrite(fd, bytes, count, offset);
    errno = disk_errno;
    return -1;
}

static void replace_disk(bool with_ours) {
    static const char *const names[] = {"pwrite", "pwrite64"};
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_syscall_ptr ours = (sqlite3_syscall_ptr)failing_pwrite;
    for (size_t i = 0; i < 2; i++)
        vfs->xSetSystemCall(vfs, names[i], with_ours ? ours : NULL);
}

static void a_full_disk_is_said_in_one_line_and_nothing_is_half_written(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        int disk_errno;
        const char *mentions;
    } cases[] = {{ENOSPC, "disk full; free space"}, {EIO, "disk I/O error"}};
    replace_disk(true);
    struct store *store = must_open(fixture->path);
    must_record(store, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct incident incident = sample_incident(2);
        struct transition transition = sample_transition(2, 2);
        struct action action = sample_action(2, 1);
        struct error err = {0};
        disk_errno = cases[i].disk_errno;
        assert_int_equal(store_record(store, &incident, &transition, &action, &err), STATUS_UNAVAILABLE);
        disk_errno = 0;
        if (!strstr(err.text, cases[i].mentions) || !strstr(err.text, fixture->path))
            fail_msg("%s", err.text);
        struct listed *listed = calloc(1, sizeof *listed);
        assert_int_equal(store_list(store, 8, listed_take, listed, NULL), STATUS_OK);
        assert_int_equal(listed->count, 1);
        free(listed);
    }
    must_record(store, 2); /* the same record again, now that there is space */
    store_close(store);
    replace_disk(false);
}

static void a_lock_that_goes_away_is_waited_for(void **state) {
    struct fixture *fixture = *state;
    struct store *store = must_open(fixture->path);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) { /* holds the write lock for a moment, then dies with it */
        sqlite3 *db;
        sqlite3_open_v2(fixture->path, &db, SQLITE_OPEN_READWRITE, NULL);
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (write(ready[1], "r", 1) != 1)
            _exit(2);
        usleep(200000);
        _exit(0);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    must_record(store, 1);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    store_close(store);
}

/* Writes records 0, 1, 2, ... and acknowledges each through the pipe, until it is killed. */
static void write_for_ever(const char *path, int acknowledgements) {
    struct store *store;
    if (store_open_sqlite(path, &store, NULL) != STATUS_OK)
        _exit(2);
    for (unsigned i = 0;; i++) {
        struct incident incident = sample_incident(i);
        struct transition transition = sample_transition(i, 2);
        struct action action = sample_action(i, 1);
        if (store_record(store, &incident, &transition, &action, NULL) != STATUS_OK ||
            write(acknowledgements, &i, sizeof i) != sizeof i)
            _exit(3);
    }
}

struct tally {
    unsigned incidents, transitions, actions;
};

static void count_visit(void *context, const struct incident *incident, const struct transition *transitions,
                        size_t transition_count, const struct action *actions, size_t action_count) {
    (void)incident, (void)transitions, (void)actions;
    struct tally *tally = context;
    tally->incidents++;
    tally->transitions += (unsigned)transition_count;
    tally->actions += (unsigned)action_count;
}

static void killing_the_writer_loses_nothing_that_was_acknowledged(void **state) {
    struct fixture *fixture = *state;
    uint64_t seed = getenv("TEST_SEED") ? strtoull(getenv("TEST_SEED"), NULL, 0) : 20260803;
    print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
    struct rng rng;
    rng_seed(&rng, seed);
    for (int round = 0; round < 10; round++) {
        int pipe_ends[2];
        assert_int_equal(pipe(pipe_ends), 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            write_for_ever(fixture->path, pipe_ends[1]);
        close(pipe_ends[1]);
        unsigned last = 0, wanted = 5 + (unsigned)rng_below(&rng, 40);
        while (last < wanted)
            assert_int_equal(read(pipe_ends[0], &last, sizeof last), sizeof last);
        usleep((unsigned)rng_below(&rng, 3000)); /* anywhere inside a transaction */
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        while (read(pipe_ends[0], &last, sizeof last) == sizeof last) /* acknowledged before it died */
            continue;
        close(pipe_ends[0]);

        struct store *store = must_open(fixture->path);
        struct tally tally = {0};
        assert_int_equal(store_list(store, SIZE_MAX, count_visit, &tally, NULL), STATUS_OK);
        /* One more may be durable and not yet acknowledged; each record is whole or absent. */
        assert_in_range(tally.incidents, last + 1, last + 2);
        assert_int_equal(tally.transitions, tally.incidents);
        assert_int_equal(tally.actions, tally.incidents);
        store_close(store);
        assert_int_equal(unlink(fixture->path), 0);
        char log[128];
        snprintf(log, sizeof log, "%s-wal", fixture->path);
        unlink(log);
        snprintf(log, sizeof log, "%s-shm", fixture->path);
        unlink(log);
    }
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(the_file_is_for_the_owner_and_the_group_whatever_the_umask),
        IN_A_FOLDER(the_rights_that_an_operator_gave_are_kept),
        IN_A_FOLDER(the_log_stays_so_that_a_reader_without_write_access_works),
        IN_A_FOLDER(records_are_there_after_opening_again),
        IN_A_FOLDER(times_stand_as_utc_text_and_as_epoch_seconds),
        IN_A_FOLDER(a_host_stands_once_with_its_first_and_last_incident),
        IN_A_FOLDER(a_path_that_cannot_be_a_file_is_refused),
        IN_A_FOLDER(a_folder_without_write_access_is_refused),
        IN_A_FOLDER(a_file_without_write_access_is_refused),
        IN_A_FOLDER(a_file_that_is_no_database_is_refused_and_left_alone),
        IN_A_FOLDER(another_programs_database_is_refused),
        IN_A_FOLDER(a_newer_schema_is_refused_and_left_alone),
        IN_A_FOLDER(a_damaged_page_is_found_at_the_start),
        IN_A_FOLDER(an_unknown_word_in_a_row_is_corrupt_not_a_guess),
        IN_A_FOLDER(a_full_disk_is_said_in_one_line_and_nothing_is_half_written),
        IN_A_FOLDER(a_lock_that_goes_away_is_waited_for),
        IN_A_FOLDER(killing_the_writer_loses_nothing_that_was_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
