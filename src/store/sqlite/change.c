// One PUT or DELETE: conditions, the record, the index of its words.
#include "store/sqlite/change.h"

#include "store/admission.h"
#include "store/sqlite/row.h"

static struct err step_change(struct connection *c, sqlite3_stmt *s, struct why *why, int *broken)
{
    int code = sqlite3_step(s);
    struct err e = connection_failure(c, code, why);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    if (failed(e) && (code & 0xff) != SQLITE_TOOBIG)
        *broken = code;
    return e;
}

// What there is of the record that a request changes.
struct before {
    bool present;
    uint64_t etag;
    struct finders finders;
};

static struct err take_before(const struct store_request *r, sqlite3_stmt *s, struct arena *arena,
                              struct before *out)
{
    out->present = true;
    out->etag = (uint64_t)sqlite3_column_int64(s, 0);
    if (columns_finders(r->table) == NULL)
        return OK;
    out->finders.written_us = sqlite3_column_int64(s, 1);
    return arena_copy(arena, column_slice(s, 2), &out->finders.words);
}

static struct err read_before(struct connection *c, const struct store_request *r, struct arena *arena,
                              struct before *out, int *broken)
{
    sqlite3_stmt *s;
    TRY(connection_statement(c, SCHEMA_BEFORE, r->table, &s));
    bind_slice(s, 1, r->partition);
    bind_slice(s, 2, r->key);
    int code = sqlite3_step(s);
    struct err e = connection_failure(c, code, NULL);
    if (failed(e))
        *broken = code;
    else if (code == SQLITE_ROW)
        e = take_before(r, s, arena, out);
    sqlite3_reset(s);
    return e;
}

static struct err check_condition(struct connection *c, struct store_request *r, struct arena *arena,
                                  struct before *before, int *broken)
{
    *before = (struct before){0};
    if (r->condition == STORE_ALWAYS && r->verb != STORE_DELETE && columns_finders(r->table) == NULL)
        return OK;
    TRY(read_before(c, r, arena, before, broken));
    return store_request_condition(r, before->present, before->etag);
}

// --- words

static struct err change_word(struct connection *c, enum schema_statement statement,
                              const struct store_request *r, struct slice word, int64_t written_us,
                              int *broken)
{
    sqlite3_stmt *s;
    TRY(connection_statement(c, statement, 0, &s));
    bind_slice(s, 1, r->partition);
    bind_slice(s, 2, word);
    sqlite3_bind_int(s, 3, (int)r->table);
    sqlite3_bind_int64(s, 4, written_us);
    bind_slice(s, 5, r->key);
    return step_change(c, s, NULL, broken);
}

// The index follows the record, which has been changed already: so a failure ends the batch.
static struct err change_words(struct connection *c, const struct store_request *r,
                               const struct before *before, int *broken)
{
    const struct finders *old = &before->finders;
    struct finders new = finders_of(r->table, r->verb == STORE_PUT ? r->record : NULL);
    struct slice rest = old->words, word;
    struct err e = OK;
    while (!failed(e) && finders_next(old, &new, &rest, &word))
        e = change_word(c, SCHEMA_WORD_DELETE, r, word, old->written_us, broken);
    rest = new.words;
    while (!failed(e) && finders_next(&new, old, &rest, &word))
        e = change_word(c, SCHEMA_WORD_PUT, r, word, new.written_us, broken);
    if (failed(e) && *broken == SQLITE_OK)
        *broken = SQLITE_ABORT;
    return e;
}

// --- the record and its words

static struct err prepare_put(struct connection *c, const struct store_request *r, sqlite3_stmt **s)
{
    TRY(connection_statement(c, SCHEMA_PUT, r->table, s));
    struct err e = row_bind(c, *s, r->table, r->partition, r->key, r->record);
    if (failed(e))
        sqlite3_clear_bindings(*s);
    return e;
}

// Both are bound before either runs: what concerns these requests alone has failed by then, and what still
// fails breaks the whole batch.
static struct err put(struct connection *c, struct store_request *r, const struct before before[2],
                      int *broken)
{
    sqlite3_stmt *first = NULL;
    sqlite3_stmt *second = NULL;
    TRY(prepare_put(c, r, &first));
    if (r->also != NULL) {
        struct err e = prepare_put(c, r->also, &second);
        if (failed(e)) {
            sqlite3_clear_bindings(first);
            return e;
        }
    }
    struct err e = step_change(c, first, &r->why, broken);
    if (!failed(e))
        e = change_words(c, r, &before[0], broken);
    if (second == NULL)
        return e;
    struct err also = step_change(c, second, &r->why, broken);
    if (!failed(also))
        also = change_words(c, r->also, &before[1], broken);
    if (failed(also) && *broken == SQLITE_OK)
        *broken = SQLITE_ABORT;
    return failed(e) ? e : also;
}

static struct err remove_record(struct connection *c, struct store_request *r, const struct before *before,
                                int *broken)
{
    sqlite3_stmt *s;
    TRY(connection_statement(c, SCHEMA_DELETE, r->table, &s));
    bind_slice(s, 1, r->partition);
    bind_slice(s, 2, r->key);
    TRY(step_change(c, s, &r->why, broken));
    return change_words(c, r, before, broken);
}

struct err change_carry_out(struct connection *c, struct store_request *r, int *broken)
{
    struct before before[2];
    struct err e = check_condition(c, r, r->arena, &before[0], broken);
    if (failed(e)) {
        if (before[0].present && *broken == SQLITE_OK)
            TRY(row_get(c, r->table, r->partition, r->key, r->arena, &r->found, &r->why));
        return e;
    }
    if (r->also != NULL) {
        r->also->result = check_condition(c, r->also, r->arena, &before[1], broken);
        TRY(r->also->result);
    }
    return r->verb == STORE_PUT ? put(c, r, before, broken) : remove_record(c, r, before, broken);
}
