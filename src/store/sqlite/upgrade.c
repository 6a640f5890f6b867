// Bringing a file of an older version up to this one.
#include <stdio.h>

#include "domain/words.h"
#include "store/admission.h"
#include "store/sqlite/row.h"
#include "store/sqlite/version.h"

enum { ROW_MEMORY_MAX = 4 << 20 };

static struct err add_columns(struct connection *c, enum store_table table, struct why *why)
{
    const struct columns *columns = columns_of(table);
    for (size_t i = 0; i < columns->count; i++) {
        struct buf sql = buf_capped(SCHEMA_SQL_MAX);
        int64_t there = 0;
        schema_has_column(&sql, table, &columns->list[i]);
        buf_u8(&sql, 0);
        struct err e = buf_err(&sql);
        if (!failed(e))
            e = connection_number(c, (const char *)sql.at, &there, why);
        if (!failed(e) && there == 0) {
            buf_clear(&sql);
            schema_add_column(&sql, table, &columns->list[i]);
            buf_u8(&sql, 0);
            e = buf_err(&sql);
            if (!failed(e))
                e = connection_script(c, (const char *)sql.at, why);
        }
        buf_release(&sql);
        TRY(e);
    }
    return OK;
}

// An enrollment that was found by nothing but its ID, and what it is found by from now on.
struct renewed {
    struct slice partition;
    struct slice key;
    struct finders finders;
};

// Takes the row's words, if it gets any. A certificate that cannot be read vouches for nobody: no words.
static struct err make_words(sqlite3_stmt *row, enum store_table table, struct arena *arena,
                             struct renewed *out, struct why *why)
{
    union row_record record;
    TRY(row_view(row, table, &record, why));
    struct err e = enrollment_words(arena, &record.enrollment, &out->finders.words);
    if (e.code == ERR_INVALID)
        out->finders.words = (struct slice){0};
    else
        TRY(e);
    out->finders.written_us = record.enrollment.updated_us;
    TRY(arena_copy(arena, row_partition(row), &out->partition));
    return arena_copy(arena, row_key(row), &out->key);
}

static struct err run(struct connection *c, sqlite3_stmt *s, struct why *why)
{
    struct err e = connection_failure(c, sqlite3_step(s), why);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return e;
}

static struct err write_words(struct connection *c, enum store_table table, const struct renewed *r,
                              struct why *why)
{
    const struct finders none = {0};
    struct slice rest = r->finders.words, word;
    sqlite3_stmt *s;
    TRY(connection_statement(c, SCHEMA_SET_WORDS, table, &s));
    bind_slice(s, 1, r->partition);
    bind_slice(s, 2, r->key);
    bind_slice(s, 3, r->finders.words);
    TRY(run(c, s, why));
    while (finders_next(&r->finders, &none, &rest, &word)) {
        TRY(connection_statement(c, SCHEMA_WORD_PUT, 0, &s));
        bind_slice(s, 1, r->partition);
        bind_slice(s, 2, word);
        sqlite3_bind_int(s, 3, (int)table);
        sqlite3_bind_int64(s, 4, r->finders.written_us);
        bind_slice(s, 5, r->key);
        TRY(run(c, s, why));
    }
    return OK;
}

// Walks the enrollments of one attestation type. The walk begins anew behind each one that was changed:
// SQLite does not promise what a walk sees of changes made meanwhile.
static struct err walk(struct connection *c, enum store_table table, sqlite3_stmt *rows, size_t *renewed,
                       struct why *why)
{
    struct arena arena = arena_capped(ROW_MEMORY_MAX), next = arena_capped(ROW_MEMORY_MAX);
    struct renewed last = {0};
    struct err e = OK;
    int code;
    bind_slice(rows, 1, SLICE(""));
    bind_slice(rows, 2, SLICE(""));
    while (!failed(e) && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        e = make_words(rows, table, &next, &last, why);
        if (failed(e) || last.finders.words.len == 0) {
            arena_release(&next);
            continue;
        }
        sqlite3_reset(rows);
        e = write_words(c, table, &last, why);
        ++*renewed;
        bind_slice(rows, 1, last.partition);
        bind_slice(rows, 2, last.key);
        arena_release(&arena); // of the one before, to which the walk was bound
        arena = next;
        next = arena_capped(ROW_MEMORY_MAX);
    }
    if (!failed(e))
        e = connection_failure(c, code, why);
    sqlite3_reset(rows);
    arena_release(&arena);
    arena_release(&next);
    return e;
}

static struct err add_words(struct connection *c, enum store_table table, const char *attestation,
                            size_t *renewed, struct why *why)
{
    struct schema_hints hints = {
        .columns = {columns_named(table, "attestation_type")}, .words = {attestation}, .count = 1};
    struct buf sql = buf_capped(SCHEMA_SQL_MAX);
    sqlite3_stmt *rows = NULL;
    schema_scan(&sql, table, true, &hints);
    struct err e = buf_err(&sql);
    if (!failed(e))
        e = connection_failure(c, sqlite3_prepare_v2(c->db, (const char *)sql.at, (int)sql.len, &rows, NULL),
                               why);
    buf_release(&sql);
    if (!failed(e))
        e = walk(c, table, rows, renewed, why);
    sqlite3_finalize(rows);
    return e;
}

// Which version gave words to which enrollments.
static const struct {
    int version;
    enum store_table table;
    const char *attestation;
} worded[] = {
    {2, STORE_ENROLLMENT, "x509"},
    {2, STORE_GROUP, "x509"},
    {3, STORE_ENROLLMENT, "tpm"},
};

static struct err add_missing(struct connection *c, void (*script)(struct buf *out), struct why *why)
{
    struct buf sql = buf_capped(SCHEMA_SQL_MAX);
    script(&sql);
    buf_u8(&sql, 0);
    struct err e = buf_err(&sql);
    if (!failed(e))
        e = connection_script(c, (const char *)sql.at, why);
    buf_release(&sql);
    return e;
}

// Tables, columns and indexes that are missing, then the words that came after version `from`.
static struct err upgrade(struct connection *c, int from, size_t *renewed, struct why *why)
{
    TRY(add_missing(c, schema_create, why));
    for (unsigned table = 0; table < STORE_TABLES; table++)
        TRY(add_columns(c, (enum store_table)table, why));
    TRY(add_missing(c, schema_indexes, why));
    for (size_t i = 0; i < sizeof worded / sizeof worded[0]; i++) {
        if (from < worded[i].version)
            TRY(add_words(c, worded[i].table, worded[i].attestation, renewed, why));
    }
    char pragma[64];
    (void)snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", SCHEMA_VERSION);
    return connection_script(c, pragma, why);
}

struct err version_upgrade(struct connection *c, const char *path, int from, const struct log *log,
                           struct why *why)
{
    size_t renewed = 0;
    TRY(connection_script(c, "BEGIN IMMEDIATE", why));
    struct err e = upgrade(c, from, &renewed, why);
    if (!failed(e))
        e = connection_script(c, "COMMIT", why);
    if (failed(e)) {
        if (!sqlite3_get_autocommit(c->db))
            (void)connection_script(c, "ROLLBACK", NULL);
        return e;
    }
    char detail[64];
    (void)snprintf(detail, sizeof detail, "schema %d to %d", from, SCHEMA_VERSION);
    struct log_line line;
    log_begin(&line, log, ERR_LEVEL_INFO, "store.upgraded");
    log_text(&line, LOG_file, slice_text(path));
    log_text(&line, LOG_detail, slice_text(detail));
    log_number(&line, LOG_count, (int64_t)renewed);
    log_end(&line);
    return OK;
}
