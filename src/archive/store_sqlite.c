/* The default store: one SQLite file, one transaction per record.
 *
 * Columns are bound and read in the order in which the *_COLUMNS lists name them; a time is two columns,
 * text and epoch (archive/schema/sqlite), of which the epoch is read back. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/candidates_json.h"
#include "archive/sqlite_database.h"
#include "archive/store.h"
#include "base/alloc.h"
#include "base/clock.h"

#define INCIDENT_COLUMNS                                                                                     \
    "id, host, state, trigger, rule, why, first_seen_at, first_seen_epoch, opened_at, opened_epoch, "        \
    "entered_at, entered_epoch, closed_at, closed_epoch, attempts, sequence, peak_score"
#define TRANSITION_COLUMNS "incident_id, sequence, from_state, to_state, at, at_epoch, why"
#define ACTION_COLUMNS                                                                                       \
    "id, incident_id, host, kind, dry_run, outcome, reason, intended_at, intended_epoch, finished_at, "      \
    "finished_epoch, target_pid, target_uid, target_comm, target_where, target_cpu_ratio, target_age_ms, "   \
    "target_handle, target_allowed, target_reason, candidates"

#define SQLITE_STORE_STATEMENTS(X)                                                                           \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                              \
    X(COMMIT, "COMMIT")                                                                                      \
    X(PUT_HOST,                                                                                              \
      "INSERT INTO hosts (host, first_incident_at, first_incident_epoch, last_incident_at, "                 \
      "last_incident_epoch) VALUES (?1, ?2, ?3, ?2, ?3) ON CONFLICT (host) DO UPDATE SET "                   \
      "last_incident_at = excluded.last_incident_at, last_incident_epoch = excluded.last_incident_epoch "    \
      "WHERE excluded.last_incident_epoch > last_incident_epoch")                                            \
    X(PUT_INCIDENT,                                                                                          \
      "INSERT INTO incidents (" INCIDENT_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "             \
      "ON CONFLICT (id) DO UPDATE SET state = excluded.state, rule = excluded.rule, why = excluded.why, "    \
      "entered_at = excluded.entered_at, entered_epoch = excluded.entered_epoch, "                           \
      "closed_at = excluded.closed_at, closed_epoch = excluded.closed_epoch, "                               \
      "attempts = excluded.attempts, sequence = excluded.sequence, peak_score = excluded.peak_score, "       \
      "trigger = excluded.trigger WHERE excluded.sequence >= sequence")                                      \
    X(ADD_TRANSITION, "INSERT INTO transitions (" TRANSITION_COLUMNS ") VALUES (?,?,?,?,?,?,?) "             \
                      "ON CONFLICT (incident_id, sequence) DO NOTHING")                                      \
    X(PUT_ACTION,                                                                                            \
      "INSERT INTO actions (" ACTION_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "         \
      "ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason, "                \
      "dry_run = excluded.dry_run, kind = excluded.kind, finished_at = excluded.finished_at, "               \
      "finished_epoch = excluded.finished_epoch, target_pid = excluded.target_pid, "                         \
      "target_uid = excluded.target_uid, target_comm = excluded.target_comm, "                               \
      "target_where = excluded.target_where, target_cpu_ratio = excluded.target_cpu_ratio, "                 \
      "target_age_ms = excluded.target_age_ms, target_handle = excluded.target_handle, "                     \
      "target_allowed = excluded.target_allowed, target_reason = excluded.target_reason, "                   \
      "candidates = excluded.candidates")                                                                    \
    X(OPEN_INCIDENTS,                                                                                        \
      "SELECT " INCIDENT_COLUMNS " FROM incidents WHERE state <> 'RESOLVED' ORDER BY number LIMIT ?")        \
    X(NEWEST_INCIDENTS, "SELECT " INCIDENT_COLUMNS " FROM incidents ORDER BY number DESC LIMIT ?")           \
    X(TRANSITIONS_OF,                                                                                        \
      "SELECT " TRANSITION_COLUMNS " FROM transitions WHERE incident_id = ? ORDER BY sequence")              \
    X(ACTIONS_OF, "SELECT " ACTION_COLUMNS " FROM actions WHERE incident_id = ? ORDER BY number")            \
    X(LAST_ACTION_OF,                                                                                        \
      "SELECT " ACTION_COLUMNS " FROM actions WHERE incident_id = ? ORDER BY number DESC LIMIT 1")

enum statement_id {
#define X(id, sql) id,
    SQLITE_STORE_STATEMENTS(X)
#undef X
        STATEMENT_COUNT
};
static const char *const statement_sql[STATEMENT_COUNT] = {
#define X(id, sql) sql,
    SQLITE_STORE_STATEMENTS(X)
#undef X
};

struct sqlite_store {
    struct store base;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* --- binding and reading, one column after the other ---------------------------------------------------- */

struct cursor {
    sqlite3_stmt *statement;
    int column; /* of the last value bound or read; the first is 1 */
};

/* Binding fails only for lack of memory or a column that is not there: the first ends this process in every
 * other allocation too, the second is an error of ours. */
static void bound(int code) {
    assert(code == SQLITE_OK);
}

/* `text` must live until the statement has run. */
static void bind_text(struct cursor *at, const char *text) {
    bound(sqlite3_bind_text(at->statement, ++at->column, text, -1, SQLITE_STATIC));
}

static void bind_integer(struct cursor *at, int64_t value) {
    bound(sqlite3_bind_int64(at->statement, ++at->column, value));
}

static void bind_real(struct cursor *at, double value) {
    bound(sqlite3_bind_double(at->statement, ++at->column, value)); /* SQLite makes NaN a NULL */
}

static void bind_null(struct cursor *at) {
    bound(sqlite3_bind_null(at->statement, ++at->column));
}

static void bind_time(struct cursor *at, int64_t unix_ms) {
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(unix_ms, text);
    bound(sqlite3_bind_text(at->statement, ++at->column, text, -1, SQLITE_TRANSIENT));
    bind_real(at, (double)unix_ms / 1000.0);
}

static void bind_time_or_null(struct cursor *at, int64_t unix_ms) {
    if (unix_ms != 0) {
        bind_time(at, unix_ms);
    } else {
        bind_null(at);
        bind_null(at);
    }
}

/* NULL reads as "". */
static const char *peek_text(struct cursor *at) {
    const char *text = (const char *)sqlite3_column_text(at->statement, at->column++);
    return text ? text : "";
}

static void read_text(struct cursor *at, char *out, size_t size) {
    snprintf(out, size, "%s", peek_text(at));
}

static int64_t read_integer(struct cursor *at) {
    return sqlite3_column_int64(at->statement, at->column++);
}

static double read_real(struct cursor *at) {
    int column = at->column++;
    if (sqlite3_column_type(at->statement, column) == SQLITE_NULL)
        return NAN;
    return sqlite3_column_double(at->statement, column);
}

/* NULL reads as 0. A double holds the milliseconds of any year that we can write. */
static int64_t read_time(struct cursor *at) {
    at->column++; /* the text is for people */
    return llround(sqlite3_column_double(at->statement, at->column++) * 1000.0);
}

/* --- rows ----------------------------------------------------------------------------------------------- */

static void bind_incident(sqlite3_stmt *statement, const struct incident *incident) {
    struct cursor at = {statement, 0};
    bind_text(&at, incident->id);
    bind_text(&at, incident->host);
    bind_text(&at, incident_state_name(incident->state));
    bind_text(&at, incident->trigger);
    bind_text(&at, incident->rule);
    bind_text(&at, incident->why);
    bind_time(&at, incident->first_seen_ms);
    bind_time(&at, incident->opened_at_ms);
    bind_time(&at, incident->entered_at_ms);
    bind_time_or_null(&at, incident->closed_at_ms);
    bind_integer(&at, incident->attempts);
    bind_integer(&at, incident->sequence);
    bind_real(&at, incident->peak_score);
}

static bool read_state(struct cursor *at, enum incident_state *out) {
    return incident_state_parse(peek_text(at), out);
}

static enum status read_incident(sqlite3_stmt *statement, struct incident *out, struct error *err) {
    struct cursor at = {statement, 0};
    struct incident row = {0};
    read_text(&at, row.id, sizeof row.id);
    read_text(&at, row.host, sizeof row.host);
    if (!read_state(&at, &row.state))
        return error_set(err, STATUS_CORRUPT, "incident %s: unknown state", row.id);
    read_text(&at, row.trigger, sizeof row.trigger);
    read_text(&at, row.rule, sizeof row.rule);
    read_text(&at, row.why, sizeof row.why);
    row.first_seen_ms = read_time(&at);
    row.opened_at_ms = read_time(&at);
    row.entered_at_ms = read_time(&at);
    row.closed_at_ms = read_time(&at);
    row.attempts = (unsigned)read_integer(&at);
    row.sequence = (uint32_t)read_integer(&at);
    row.peak_score = read_real(&at);
    *out = row;
    return STATUS_OK;
}

static void bind_transition(sqlite3_stmt *statement, const struct transition *transition) {
    struct cursor at = {statement, 0};
    bind_text(&at, transition->incident_id);
    bind_integer(&at, transition->sequence);
    bind_text(&at, incident_state_name(transition->from));
    bind_text(&at, incident_state_name(transition->to));
    bind_time(&at, transition->at_ms);
    bind_text(&at, transition->why);
}

static enum status read_transition(sqlite3_stmt *statement, struct transition *out, struct error *err) {
    struct cursor at = {statement, 0};
    struct transition row = {0};
    read_text(&at, row.incident_id, sizeof row.incident_id);
    row.sequence = (uint32_t)read_integer(&at);
    if (!read_state(&at, &row.from) || !read_state(&at, &row.to))
        return error_set(err, STATUS_CORRUPT, "incident %s, transition %u: unknown state", row.incident_id,
                         row.sequence);
    row.at_ms = read_time(&at);
    read_text(&at, row.why, sizeof row.why);
    *out = row;
    return STATUS_OK;
}

enum { TARGET_COLUMNS = 9 };

static void bind_target(struct cursor *at, const struct candidate *target) {
    if (target->pid == 0) { /* no process was chosen */
        for (int i = 0; i < TARGET_COLUMNS; i++)
            bind_null(at);
        return;
    }
    char handle[CANDIDATE_HANDLE_HEX];
    bind_integer(at, target->pid);
    bind_integer(at, target->uid);
    bind_text(at, target->comm);
    bind_text(at, target->where);
    bind_real(at, target->cpu_ratio);
    bind_integer(at, target->age_ms);
    candidate_handle_write(target->handle, handle);
    bound(sqlite3_bind_text(at->statement, ++at->column, handle, -1, SQLITE_TRANSIENT));
    bind_integer(at, target->allowed);
    bind_text(at, target->reason);
}

static bool read_target(struct cursor *at, struct candidate *out) {
    out->pid = (int32_t)read_integer(at);
    out->uid = (uint32_t)read_integer(at);
    read_text(at, out->comm, sizeof out->comm);
    read_text(at, out->where, sizeof out->where);
    double cpu_ratio = read_real(at);
    out->cpu_ratio = isnan(cpu_ratio) ? 0 : cpu_ratio;
    out->age_ms = read_integer(at);
    bool handle_ok = candidate_handle_read(peek_text(at), out->handle);
    out->allowed = read_integer(at) != 0;
    read_text(at, out->reason, sizeof out->reason);
    return handle_ok || out->pid == 0;
}

/* `candidates`: see candidates_json.h; must live until the statement has run. */
static void bind_action(sqlite3_stmt *statement, const struct action *action, const char *candidates) {
    struct cursor at = {statement, 0};
    bind_text(&at, action->id);
    bind_text(&at, action->incident_id);
    bind_text(&at, action->host);
    bind_text(&at, action_kind_name(action->kind));
    bind_integer(&at, action->dry_run);
    bind_text(&at, action_outcome_name(action->outcome));
    bind_text(&at, action->reason);
    bind_time(&at, action->intended_at_ms);
    bind_time_or_null(&at, action->finished_at_ms);
    bind_target(&at, &action->target);
    bind_text(&at, candidates);
}

static enum status read_action(sqlite3_stmt *statement, struct action *out, struct error *err) {
    struct cursor at = {statement, 0};
    struct action row = {0};
    read_text(&at, row.id, sizeof row.id);
    read_text(&at, row.incident_id, sizeof row.incident_id);
    read_text(&at, row.host, sizeof row.host);
    if (!action_kind_parse(peek_text(&at), &row.kind))
        return error_set(err, STATUS_CORRUPT, "action %s: unknown kind", row.id);
    row.dry_run = read_integer(&at) != 0;
    if (!action_outcome_parse(peek_text(&at), &row.outcome))
        return error_set(err, STATUS_CORRUPT, "action %s: unknown outcome", row.id);
    read_text(&at, row.reason, sizeof row.reason);
    row.intended_at_ms = read_time(&at);
    row.finished_at_ms = read_time(&at);
    if (!read_target(&at, &row.target))
        return error_set(err, STATUS_CORRUPT, "action %s: the target's handle does not read back", row.id);
    enum status status = candidates_json_read(peek_text(&at), row.candidates, &row.candidate_count, err);
    if (status == STATUS_OK)
        *out = row;
    return status;
}

/* --- the table of functions ----------------------------------------------------------------------------- */

/* Runs a statement that gives no rows, and makes it ready for the next time. */
static enum status run(struct sqlite_store *store, enum statement_id id, struct error *err) {
    sqlite3_stmt *statement = store->statements[id];
    enum status status = STATUS_OK;
    if (sqlite3_step(statement) != SQLITE_DONE)
        status = sqlite_database_error(store->db, "write to", err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

static enum status put_incident(struct sqlite_store *store, const struct incident *incident,
                                struct error *err) {
    struct cursor at = {store->statements[PUT_HOST], 0};
    bind_text(&at, incident->host);
    bind_time(&at, incident->opened_at_ms);
    enum status status = run(store, PUT_HOST, err);
    if (status != STATUS_OK)
        return status;
    bind_incident(store->statements[PUT_INCIDENT], incident);
    return run(store, PUT_INCIDENT, err);
}

static enum status put_action(struct sqlite_store *store, const struct action *action, struct error *err) {
    char *candidates = candidates_json_write(action->candidates, action->candidate_count);
    bind_action(store->statements[PUT_ACTION], action, candidates);
    enum status status = run(store, PUT_ACTION, err);
    free(candidates);
    return status;
}

static enum status sqlite_record(struct store *base, const struct incident *incident,
                                 const struct transition *transition, const struct action *action,
                                 struct error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    enum status status = run(store, BEGIN, err);
    if (status != STATUS_OK)
        return status;
    status = put_incident(store, incident, err);
    if (status == STATUS_OK && transition) {
        bind_transition(store->statements[ADD_TRANSITION], transition);
        status = run(store, ADD_TRANSITION, err);
    }
    if (status == STATUS_OK && action)
        status = put_action(store, action, err);
    if (status == STATUS_OK)
        status = run(store, COMMIT, err);
    /* Some errors have rolled back already. */
    if (status != STATUS_OK && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* The next row: STATUS_NOT_FOUND after the last. */
static enum status next(struct sqlite_store *store, enum statement_id id, struct error *err) {
    switch (sqlite3_step(store->statements[id])) {
    case SQLITE_ROW:
        return STATUS_OK;
    case SQLITE_DONE:
        return STATUS_NOT_FOUND;
    default: /* SQLite's codes are an open set */
        return sqlite_database_error(store->db, "read from", err);
    }
}

/* Ends a statement that gave rows. */
static enum status finish(struct sqlite_store *store, enum statement_id id, enum status status) {
    sqlite3_reset(store->statements[id]);
    sqlite3_clear_bindings(store->statements[id]);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* SQLite reads a negative limit as none. */
static int64_t as_limit(size_t limit) {
    return limit > INT64_MAX ? INT64_MAX : (int64_t)limit;
}

static enum status sqlite_load_open(struct store *base, struct incident *out, size_t capacity, size_t *count,
                                    struct error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    sqlite3_stmt *statement = store->statements[OPEN_INCIDENTS];
    bind_integer(&(struct cursor){statement, 0}, as_limit(capacity));
    size_t found = 0;
    enum status status;
    while ((status = next(store, OPEN_INCIDENTS, err)) == STATUS_OK) {
        status = read_incident(statement, &out[found], err);
        if (status != STATUS_OK)
            break;
        found++;
    }
    status = finish(store, OPEN_INCIDENTS, status);
    if (status == STATUS_OK)
        *count = found;
    return status;
}

static enum status sqlite_load_last_action(struct store *base, const char *incident_id, struct action *out,
                                           struct error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    sqlite3_stmt *statement = store->statements[LAST_ACTION_OF];
    bind_text(&(struct cursor){statement, 0}, incident_id);
    enum status status = next(store, LAST_ACTION_OF, err);
    bool none = status == STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = read_action(statement, out, err);
    status = finish(store, LAST_ACTION_OF, status);
    return none ? error_set(err, STATUS_NOT_FOUND, "incident %s has no action", incident_id) : status;
}

struct transition_list {
    struct transition *rows;
    size_t count;
};
struct action_list {
    struct action *rows;
    size_t count;
};

static enum status list_transitions(struct sqlite_store *store, const char *incident_id,
                                    struct transition_list *out, struct error *err) {
    sqlite3_stmt *statement = store->statements[TRANSITIONS_OF];
    bind_text(&(struct cursor){statement, 0}, incident_id);
    enum status status;
    while ((status = next(store, TRANSITIONS_OF, err)) == STATUS_OK) {
        out->rows = xrealloc(out->rows, out->count + 1, sizeof *out->rows);
        status = read_transition(statement, &out->rows[out->count], err);
        if (status != STATUS_OK)
            break;
        out->count++;
    }
    return finish(store, TRANSITIONS_OF, status);
}

static enum status list_actions(struct sqlite_store *store, const char *incident_id, struct action_list *out,
                                struct error *err) {
    sqlite3_stmt *statement = store->statements[ACTIONS_OF];
    bind_text(&(struct cursor){statement, 0}, incident_id);
    enum status status;
    while ((status = next(store, ACTIONS_OF, err)) == STATUS_OK) {
        out->rows = xrealloc(out->rows, out->count + 1, sizeof *out->rows);
        status = read_action(statement, &out->rows[out->count], err);
        if (status != STATUS_OK)
            break;
        out->count++;
    }
    return finish(store, ACTIONS_OF, status);
}

static enum status visit(struct sqlite_store *store, const struct incident *incident, store_visitor *each,
                         void *context, struct error *err) {
    struct transition_list transitions = {0};
    struct action_list actions = {0};
    enum status status = list_transitions(store, incident->id, &transitions, err);
    if (status == STATUS_OK)
        status = list_actions(store, incident->id, &actions, err);
    if (status == STATUS_OK)
        each(context, incident, transitions.rows, transitions.count, actions.rows, actions.count);
    free(transitions.rows);
    free(actions.rows);
    return status;
}

static enum status sqlite_list(struct store *base, size_t limit, store_visitor *each, void *context,
                               struct error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    sqlite3_stmt *statement = store->statements[NEWEST_INCIDENTS];
    bind_integer(&(struct cursor){statement, 0}, as_limit(limit));
    enum status status;
    while ((status = next(store, NEWEST_INCIDENTS, err)) == STATUS_OK) {
        struct incident incident;
        status = read_incident(statement, &incident, err);
        if (status == STATUS_OK)
            status = visit(store, &incident, each, context, err);
        if (status != STATUS_OK)
            break;
    }
    return finish(store, NEWEST_INCIDENTS, status);
}

static void sqlite_close(struct store *base) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    int code = sqlite3_close(store->db);
    assert(code == SQLITE_OK);
    free(store);
}

enum status store_open_sqlite(const char *path, struct store **out, struct error *err) {
    static const struct store_ops ops = {
        .name = "sqlite",
        .record = sqlite_record,
        .load_open = sqlite_load_open,
        .load_last_action = sqlite_load_last_action,
        .list = sqlite_list,
        .close = sqlite_close,
    };
    sqlite3 *db;
    enum status status = sqlite_database_open(path, &db, err);
    if (status != STATUS_OK)
        return status;
    struct sqlite_store *store = xcalloc(1, sizeof *store);
    store->base.ops = &ops;
    store->db = db;
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i],
                               NULL) != SQLITE_OK) {
            status = sqlite_database_error(db, "use", err);
            sqlite_close(&store->base);
            return status;
        }
    }
    *out = &store->base;
    return STATUS_OK;
}
