// Small reads.
#include "store/sqlite/reader.h"

#include "store/admission.h"

struct err reader_get(struct reader *reader, struct store_request *request)
{
    TRY(row_get(&reader->connection, request->table, request->partition, request->key, request->arena,
                &request->found, &request->why));
    return request->found == NULL ? FAIL(ERR_ABSENT) : OK;
}

// One admission, while it is read.
struct look {
    struct reader *reader;
    uint64_t changes;
};

static struct err load(void *context, struct store_request *r, enum store_table table, struct slice key,
                       void **out)
{
    const struct look *look = context;
    return row_get(&look->reader->connection, table, r->partition, key, r->arena, out, &r->why);
}

// Skips to the next table when there are more of one than anybody wants.
static struct err look_for(void *context, struct store_request *r, struct slice word, struct found *found)
{
    const struct look *look = context;
    struct connection *c = &look->reader->connection;
    sqlite3_stmt *s;
    TRY(connection_statement(c, SCHEMA_FIND, 0, &s));
    bind_slice(s, 1, r->partition);
    bind_slice(s, 2, word);
    sqlite3_bind_int(s, 3, 0);
    int64_t table = 0;
    size_t of_table = 0;
    int code;
    struct err e = OK;
    while (!failed(e) && (code = sqlite3_step(s)) == SQLITE_ROW) {
        of_table = sqlite3_column_int64(s, 0) == table ? of_table + 1 : 1;
        table = sqlite3_column_int64(s, 0);
        if (table < 0 || table >= STORE_TABLES)
            e = why_fail(&r->why, ERR_STORE, "The database is damaged: a word leads to an unknown table.");
        else
            e = found_add(&found[table], r->arena, sqlite3_column_int64(s, 1), column_slice(s, 2));
        if (!failed(e) && of_table == STORE_FOUND_MAX) {
            sqlite3_reset(s);
            sqlite3_bind_int64(s, 3, table + 1);
        }
    }
    if (!failed(e))
        e = connection_failure(c, code, &r->why);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return e;
}

static struct err groups(void *context, struct store_request *r)
{
    const struct look *look = context;
    return groups_admit(&look->reader->groups, &look->reader->connection, look->changes, r);
}

// In one transaction: all of it is of the same moment, and the locks are taken
// once.
struct err reader_admission(struct reader *reader, uint64_t changes, struct store_request *request)
{
    struct look look = {.reader = reader, .changes = changes};
    const struct admission_source source = {
        .context = &look, .load = load, .look = look_for, .groups = groups};
    TRY(connection_run(&reader->connection, SCHEMA_BEGIN_READ));
    struct err e = store_admission_read(&source, request);
    struct err end = connection_run(&reader->connection, SCHEMA_COMMIT);
    return failed(e) ? e : end;
}
