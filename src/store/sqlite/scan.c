// Walks a table in the order of its keys and evaluates the tree over each record.
#include "store/sqlite/scan.h"

#include "base/list.h"
#include "store/request.h"
#include "store/sqlite/row.h"

enum { WAIT_MS = 60000, PROGRESS_STEPS = 4000 };

// Called by SQLite every PROGRESS_STEPS steps of its machine, within even the longest search.
static int past_deadline(void *context)
{
    struct scanner *s = context;
    return clock_monotonic_us(s->clock) > s->deadline_us;
}

static struct err prepare(struct connection *c, const struct buf *sql, sqlite3_stmt **out, struct why *why)
{
    TRY(buf_err(sql));
    return connection_failure(
        c, sqlite3_prepare_v3(c->db, (const char *)sql->at, (int)sql->len, 0, out, NULL), why);
}

static void bind_hints(sqlite3_stmt *statement, const struct schema_hints *hints)
{
    for (size_t i = 0; i < hints->count; i++) {
        if (schema_hint_bound(hints, i))
            bind_slice(statement, (int)i + SCHEMA_FIRST_PARAMETER, hints->values[i]);
    }
}

// SQL alone can tell: no record is looked at.
static struct err count_hinted(struct scanner *s, struct store_request *r, const struct schema_hints *hints)
{
    struct buf sql = buf_capped(SCHEMA_SQL_MAX);
    sqlite3_stmt *statement = NULL;
    schema_count(&sql, r->table, r->partition.len == 0, hints);
    struct err e = prepare(&s->connection, &sql, &statement, &r->why);
    if (!failed(e)) {
        if (r->partition.len > 0)
            bind_slice(statement, 1, r->partition);
        bind_hints(statement, hints);
        int code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            r->count = (size_t)sqlite3_column_int64(statement, 0);
        e = connection_failure(&s->connection, code, &r->why);
    }
    sqlite3_finalize(statement);
    buf_release(&sql);
    return e;
}

struct scan {
    struct store_request *request;
    const struct query_node *where;
    bool joins;
    sqlite3_stmt *rows;
    struct arena scratch;
    bool full;
};

// The registration of an individual enrollment stands under the same partition and key. Its view lives until
// the next call: the statement is reset there.
static struct err joined(struct connection *c, struct scan *scan, union row_record *out, bool *present)
{
    sqlite3_stmt *s;
    TRY(connection_statement(c, SCHEMA_GET, STORE_REGISTRATION, &s));
    sqlite3_reset(s);
    bind_slice(s, 1, row_partition(scan->rows));
    bind_slice(s, 2, row_key(scan->rows));
    int code = sqlite3_step(s);
    *present = code == SQLITE_ROW;
    return *present ? row_view(s, STORE_REGISTRATION, out, &scan->request->why)
                    : connection_failure(c, code, &scan->request->why);
}

static void end_joined(struct connection *c)
{
    sqlite3_stmt *s = c->statements[SCHEMA_GET][STORE_REGISTRATION];
    if (s == NULL)
        return;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
}

static struct err take_row(struct connection *c, struct scan *scan)
{
    struct store_request *r = scan->request;
    union row_record record, state;
    bool registered = false, matches;
    TRY(row_view(scan->rows, r->table, &record, &r->why));
    if (scan->joins)
        TRY(joined(c, scan, &state, &registered));
    TRY(columns_match(scan->where, r->table, &record, registered ? &state.registration : NULL, &scan->scratch,
                      &matches));
    if (!matches)
        return OK;
    if (r->verb == STORE_COUNT) {
        r->count++;
        return OK;
    }
    struct err e = r->count < r->limit ? row_open(c, scan->rows, r->table, &record, &r->why) : OK;
    if (!failed(e))
        e = store_rows_add(r, row_partition(scan->rows), row_key(scan->rows), &record, NULL, &scan->full);
    row_forget(c, &record);
    return e;
}

static struct err walk(struct scanner *s, struct scan *scan, const struct schema_hints *hints)
{
    struct connection *c = &s->connection;
    struct store_request *r = scan->request;
    struct slice partition, key;
    store_request_after(r, &partition, &key);
    bind_slice(scan->rows, 1, partition);
    bind_slice(scan->rows, 2, key);
    bind_hints(scan->rows, hints);
    int code;
    struct err e = OK;
    while (!failed(e) && !scan->full && (code = sqlite3_step(scan->rows)) == SQLITE_ROW) {
        e = take_row(c, scan);
        if (!failed(e) && past_deadline(s))
            e = connection_failure(c, SQLITE_INTERRUPT, &r->why);
    }
    if (!failed(e) && !scan->full)
        e = connection_failure(c, code, &r->why);
    end_joined(c);
    return e;
}

static struct err look_through(struct scanner *s, struct store_request *r)
{
    struct scan scan = {.request = r, .scratch = arena_capped(STORE_SCRATCH_MAX)};
    TRY(columns_where(r->arena, r->table, r->where, &scan.where, &scan.joins, &r->why));
    struct schema_hints hints = {0};
    schema_hints(scan.where, r->table, &hints);
    if (r->verb == STORE_COUNT && !hints.rest)
        return count_hinted(s, r, &hints);
    if (r->verb == STORE_QUERY)
        TRY(store_rows_begin(r));
    struct buf sql = buf_capped(SCHEMA_SQL_MAX);
    schema_scan(&sql, r->table, r->partition.len == 0, &hints);
    struct err e = prepare(&s->connection, &sql, &scan.rows, &r->why);
    buf_release(&sql);
    // one transaction, so that a record and its registration are of the same moment
    if (!failed(e))
        e = connection_run(&s->connection, SCHEMA_BEGIN_READ);
    if (!failed(e)) {
        e = walk(s, &scan, &hints);
        sqlite3_reset(scan.rows);
        struct err end = connection_run(&s->connection, SCHEMA_COMMIT);
        e = failed(e) ? e : end;
    }
    sqlite3_finalize(scan.rows);
    return e;
}

// --- the thread

static void *run(void *context)
{
    struct scanner *s = context;
    for (;;) {
        for (struct mail *mail = mailbox_wait(&s->inbox, WAIT_MS), *next; mail != NULL; mail = next) {
            next = mail->next;
            if (mail == &s->stop)
                return NULL;
            struct store_request *r = CONTAINER_OF(mail, struct store_request, mail);
            s->deadline_us = clock_monotonic_us(s->clock) + s->limit_us;
            struct err e = look_through(s, r);
            s->deadline_us = INT64_MAX;
            s->answer(r, e);
        }
    }
}

struct err scanner_start(struct scanner *s, struct why *why)
{
    s->deadline_us = INT64_MAX;
    sqlite3_progress_handler(s->connection.db, PROGRESS_STEPS, past_deadline, s);
    if (pthread_create(&s->thread, NULL, run, s) != 0)
        return why_fail(why, ERR_SYSTEM, "No thread could be started for queries.");
    s->running = true;
    return OK;
}

void scanner_stop(struct scanner *s)
{
    if (!s->running)
        return;
    mailbox_post(&s->inbox, &s->stop);
    pthread_join(s->thread, NULL);
    s->running = false;
}
