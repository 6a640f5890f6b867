// Opening, preparing, and what SQLite's codes mean.
#include "store/sqlite/connection.h"

#include <stdlib.h>

enum { BUSY_MS = 2000, SEALED_MAX = SEAL_PLAIN_MAX + SEAL_OVERHEAD, PLAIN_MAX = 4 * SEAL_PLAIN_MAX };

struct err connection_failure(struct connection *c, int code, struct why *why)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return OK;
    case SQLITE_NOMEM:
        return FAIL(ERR_NO_MEMORY);
    case SQLITE_TOOBIG:
        return why_fail(why, ERR_CAPPED, "The record is larger than the database takes.");
    case SQLITE_INTERRUPT:
        return why_fail(why, ERR_TIMEOUT, "The query took longer than the service allows; narrow it down.");
    case SQLITE_FULL:
        return why_fail(why, ERR_STORE, "There is no space left for the database.");
    case SQLITE_NOTADB:
        return why_fail(why, ERR_CONFIG, "%s is not a database.", sqlite3_db_filename(c->db, "main"));
    default:
        return why_fail(why, ERR_STORE, "The database failed: %s (%d).", sqlite3_errmsg(c->db), code);
    }
}

static struct err set_up(struct connection *c, struct why *why)
{
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, BUSY_MS);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return connection_script(
        c, "PRAGMA cache_size=-1024; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON", why);
}

struct err connection_open(struct connection *c, const char *path, enum connection_mode mode, struct why *why)
{
    c->sealed = buf_capped(SEALED_MAX);
    c->plain = buf_capped(PLAIN_MAX);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                (mode == CONNECTION_WRITES ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int code = sqlite3_open_v2(path, &c->db, flags, NULL);
    struct err e = code == SQLITE_OK ? set_up(c, why) : connection_failure(c, code, why);
    if (failed(e))
        connection_close(c);
    return e;
}

struct err connection_begin_writing(struct connection *c, struct why *why)
{
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    sqlite3_stmt *s;
    TRY(connection_failure(c, sqlite3_prepare_v2(c->db, "PRAGMA journal_mode=WAL", -1, &s, NULL), why));
    int code = sqlite3_step(s);
    bool logs = code == SQLITE_ROW && slice_equal(column_slice(s, 0), SLICE("wal"));
    struct err e = connection_failure(c, code, why);
    sqlite3_finalize(s);
    TRY(e);
    if (!logs)
        return why_fail(why, ERR_STORE, "The file system of the database cannot hold its write-ahead log.");
    // The writer checkpoints by itself, between commits (writer.c).
    return connection_script(c,
                             "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
                             "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-4096",
                             why);
}

void connection_close(struct connection *c)
{
    for (unsigned s = 0; s < SCHEMA_STATEMENTS; s++) {
        for (unsigned t = 0; t < STORE_TABLES; t++) {
            sqlite3_finalize(c->statements[s][t]);
            c->statements[s][t] = NULL;
        }
    }
    int code = sqlite3_close(c->db);
    INVARIANT(code == SQLITE_OK); // a statement that nobody finalized
    c->db = NULL;
    buf_release(&c->sealed);
    buf_release(&c->plain);
}

struct err connection_statement(struct connection *c, enum schema_statement statement, enum store_table table,
                                sqlite3_stmt **out)
{
    *out = c->statements[statement][table];
    if (*out != NULL)
        return OK;
    struct buf sql = buf_capped(SCHEMA_SQL_MAX);
    schema_statement(&sql, statement, table);
    struct err e = buf_err(&sql);
    if (!failed(e))
        e = connection_failure(c,
                               sqlite3_prepare_v3(c->db, (const char *)sql.at, (int)sql.len,
                                                  SQLITE_PREPARE_PERSISTENT, out, NULL),
                               NULL);
    buf_release(&sql);
    c->statements[statement][table] = *out;
    return e;
}

struct err connection_run(struct connection *c, enum schema_statement statement)
{
    sqlite3_stmt *s;
    TRY(connection_statement(c, statement, 0, &s));
    sqlite3_step(s);
    return connection_failure(c, sqlite3_reset(s), NULL);
}

struct err connection_script(struct connection *c, const char *sql, struct why *why)
{
    return connection_failure(c, sqlite3_exec(c->db, sql, NULL, NULL, NULL), why);
}

struct err connection_number(struct connection *c, const char *sql, int64_t *out, struct why *why)
{
    *out = 0;
    sqlite3_stmt *s;
    TRY(connection_failure(c, sqlite3_prepare_v2(c->db, sql, -1, &s, NULL), why));
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    struct err e = connection_failure(c, code, why);
    sqlite3_finalize(s);
    return e;
}

void bind_slice(sqlite3_stmt *statement, int parameter, struct slice text)
{
    sqlite3_bind_text64(statement, parameter, text.len > 0 ? (const char *)text.at : "", text.len,
                        SQLITE_STATIC, SQLITE_UTF8);
}

struct slice column_slice(sqlite3_stmt *statement, int column)
{
    const void *at = sqlite3_column_blob(statement, column); // TEXT comes as it is stored, which is UTF-8
    return slice_of(at, at != NULL ? (size_t)sqlite3_column_bytes(statement, column) : 0);
}
