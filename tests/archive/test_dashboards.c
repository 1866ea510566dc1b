/* Every query of the SQLite dashboards is one that today's schema answers, and none of them reads a whole
 * table: a year of incidents must not slow a page down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/sqlite_database.h"

static const char folder[] = "grafana/dashboards/sqlite";
static size_t queries_seen;

/* As Grafana and its SQLite source do before the query runs. */
static char *fill_in(const char *query) {
    static const struct {
        const char *variable, *value;
    } known[] = {{"$__from", "1785751000000"}, {"$__to", "1785752000000"}, {"${host:sqlstring}", "'a','b'"}};
    char *out = NULL;
    size_t length;
    FILE *stream = open_memstream(&out, &length);
    while (*query) {
        size_t i = 0, count = sizeof known / sizeof *known;
        while (i < count && strncmp(query, known[i].variable, strlen(known[i].variable)) != 0)
            i++;
        if (i < count) {
            fputs(known[i].value, stream);
            query += strlen(known[i].variable);
        } else {
            fputc(*query++, stream);
        }
    }
    fclose(stream);
    return out;
}

static void must_use_an_index(sqlite3 *db, const char *sql) {
    sqlite3_stmt *plan;
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        if (strncmp(step, "SCAN ", 5) == 0 && !strstr(step, "USING"))
            fail_msg("%s: %s", step, sql);
    }
    sqlite3_finalize(plan);
    sqlite3_free(explain);
}

static void check_query(sqlite3 *db, const char *file, const char *query) {
    char *sql = fill_in(query);
    sqlite3_stmt *statement = NULL;
    if (strchr(sql, '$'))
        fail_msg("%s: a variable that this test does not know: %s", file, sql);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s: %s", file, sqlite3_errmsg(db), sql);
    int code = sqlite3_step(statement);
    assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
    sqlite3_finalize(statement);
    must_use_an_index(db, sql);
    free(sql);
    queries_seen++;
}

static void check_all_queries(sqlite3 *db, const char *file, json_t *value) {
    const char *key;
    json_t *member;
    size_t index;
    json_object_foreach(value, key, member) {
        if (strcmp(key, "rawQueryText") == 0 && json_is_string(member))
            check_query(db, file, json_string_value(member));
        else
            check_all_queries(db, file, member);
    }
    json_array_foreach(value, index, member) check_all_queries(db, file, member);
}

static void every_query_of_the_dashboards_is_answered_through_an_index(void **state) {
    (void)state;
    char place[] = "/tmp/sentinel-dashboards-XXXXXX", path[96];
    assert_non_null(mkdtemp(place));
    snprintf(path, sizeof path, "%s/sentinel.db", place);
    sqlite3 *db;
    struct error err = {0};
    if (sqlite_database_open(path, &db, &err) != STATUS_OK)
        fail_msg("%s", err.text);

    DIR *dashboards = opendir(folder);
    assert_non_null(dashboards);
    for (struct dirent *entry; (entry = readdir(dashboards));) {
        if (!strstr(entry->d_name, ".json"))
            continue;
        char file[512];
        json_error_t why;
        snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
        json_t *dashboard = json_load_file(file, 0, &why);
        if (!dashboard)
            fail_msg("%s: %s", file, why.text);
        check_all_queries(db, file, dashboard);
        json_decref(dashboard);
    }
    closedir(dashboards);
    assert_true(queries_seen > 0);

    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/sentinel.db%s", place, suffixes[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(place), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_of_the_dashboards_is_answered_through_an_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
