// Binding, reading and sealing of rows.
#include "store/sqlite/row.h"

enum { PLACE_MAX = 2048 };

// What a sealed column is bound to. Lengths go first, so that no two places look alike.
static void write_place(struct buf *out, const char *table, struct slice partition, struct slice key,
                        const char *column)
{
    buf_clear(out);
    struct slice parts[] = {slice_text(table), partition, key, slice_text(column)};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        buf_u16(out, (uint16_t)parts[i].len);
        buf_bytes(out, parts[i]);
    }
}

static struct err seal_column(struct connection *c, struct slice place, struct slice plain)
{
    uint8_t nonce[SEAL_NONCE_SIZE];
    random_fill_from(c->random, nonce, sizeof nonce);
    buf_clear(&c->sealed);
    return seal(c->sealer, nonce, place, plain, &c->sealed);
}

static struct err bind_sealed(struct connection *c, sqlite3_stmt *statement, int at, struct slice place,
                              struct slice plain)
{
    if (plain.len == 0) {
        sqlite3_bind_null(statement, at);
        return OK;
    }
    TRY(seal_column(c, place, plain));
    return connection_failure(
        c, sqlite3_bind_blob64(statement, at, c->sealed.at, c->sealed.len, SQLITE_TRANSIENT), NULL);
}

// Empty is NULL: a row of mostly empty fields stays small.
static int bind_optional(sqlite3_stmt *statement, int at, struct slice s, bool text)
{
    if (s.len == 0)
        return sqlite3_bind_null(statement, at);
    if (text)
        return sqlite3_bind_text64(statement, at, (const char *)s.at, s.len, SQLITE_STATIC, SQLITE_UTF8);
    return sqlite3_bind_blob64(statement, at, s.at, s.len, SQLITE_STATIC);
}

static unsigned word_of(const void *field)
{
    unsigned word;
    memcpy(&word, field, sizeof word);
    return word;
}

static struct err bind_column(struct connection *c, sqlite3_stmt *statement, int at,
                              const struct column *column, const void *field, struct slice place)
{
    switch (column->type) {
    case COLUMN_SECRET:
        return bind_sealed(c, statement, at, place, secret_slice(field));
    case COLUMN_SEALED:
        return bind_sealed(c, statement, at, place, *(const struct slice *)field);
    case COLUMN_TEXT:
    case COLUMN_JSON:
    case COLUMN_FINDERS:
        return connection_failure(c, bind_optional(statement, at, *(const struct slice *)field, true), NULL);
    case COLUMN_BLOB:
        return connection_failure(c, bind_optional(statement, at, *(const struct slice *)field, false), NULL);
    case COLUMN_WORD:
    case COLUMN_SWITCH:
        return connection_failure(
            c, bind_optional(statement, at, name_of(column->words, word_of(field)), true), NULL);
    case COLUMN_INTEGER:
    case COLUMN_TIME:
        return connection_failure(c, sqlite3_bind_int64(statement, at, *(const int64_t *)field), NULL);
    case COLUMN_ETAG:
        return connection_failure(c, sqlite3_bind_int64(statement, at, (int64_t) * (const uint64_t *)field),
                                  NULL);
    case COLUMN_FLAG:
        return connection_failure(c, sqlite3_bind_int(statement, at, *(const bool *)field), NULL);
    }
    return FAIL(ERR_INTERNAL);
}

static bool is_sealed(const struct column *column)
{
    return column->type == COLUMN_SECRET || column->type == COLUMN_SEALED;
}

struct err row_bind(struct connection *c, sqlite3_stmt *statement, enum store_table table,
                    struct slice partition, struct slice key, const void *record)
{
    const struct columns *columns = columns_of(table);
    struct buf place = buf_capped(PLACE_MAX);
    bind_slice(statement, 1, partition);
    bind_slice(statement, 2, key);
    struct err e = OK;
    for (size_t i = 0; i < columns->count && !failed(e); i++) {
        const struct column *column = &columns->list[i];
        if (is_sealed(column))
            write_place(&place, columns->name, partition, key, column->name);
        e = buf_err(&place);
        if (!failed(e))
            e = bind_column(c, statement, (int)i + SCHEMA_FIRST_PARAMETER, column,
                            column_field(column, record), buf_slice(&place));
    }
    buf_release(&place);
    return e;
}

// --- reading

// False when the column holds what no version of ours writes: the file was damaged or tampered with.
static bool view_word(const struct column *column, struct slice text, void *field)
{
    unsigned word = 0;
    if (text.len > 0 && !name_read(column->words, text, &word))
        return false;
    memcpy(field, &word, sizeof word);
    return true;
}

static bool view_column(sqlite3_stmt *statement, int at, const struct column *column, void *field)
{
    switch (column->type) {
    case COLUMN_TEXT:
    case COLUMN_JSON:
    case COLUMN_FINDERS:
    case COLUMN_BLOB:
        *(struct slice *)field = column_slice(statement, at);
        break;
    case COLUMN_WORD:
    case COLUMN_SWITCH:
        return view_word(column, column_slice(statement, at), field);
    case COLUMN_INTEGER:
    case COLUMN_TIME:
        *(int64_t *)field = sqlite3_column_int64(statement, at);
        break;
    case COLUMN_ETAG:
        *(uint64_t *)field = (uint64_t)sqlite3_column_int64(statement, at);
        break;
    case COLUMN_FLAG:
        *(bool *)field = sqlite3_column_int(statement, at) != 0;
        break;
    case COLUMN_SEALED:
    case COLUMN_SECRET:
        break;
    }
    return true;
}

struct err row_view(sqlite3_stmt *statement, enum store_table table, union row_record *out, struct why *why)
{
    const struct columns *columns = columns_of(table);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < columns->count; i++) {
        const struct column *column = &columns->list[i];
        if (!view_column(statement, (int)i + SCHEMA_FIRST_COLUMN, column, column_field_mut(column, out)))
            return why_fail(why, ERR_STORE, "The database is damaged: %s.%s of %.*s holds an unknown word.",
                            columns->name, column->name, SLICE_ARG(slice_to(row_key(statement), 64)));
    }
    return OK;
}

struct slice row_partition(sqlite3_stmt *statement)
{
    return column_slice(statement, 0);
}

struct slice row_key(sqlite3_stmt *statement)
{
    return column_slice(statement, 1);
}

static struct err open_column(struct connection *c, const struct column *column, struct slice place,
                              struct slice sealed, void *field, struct why *why)
{
    if (column->type == COLUMN_SECRET)
        return unseal_secret(c->sealer, place, sealed, field, why);
    size_t before = c->plain.len;
    TRY(unseal(c->sealer, place, sealed, &c->plain, why));
    *(struct slice *)field = slice_from(buf_slice(&c->plain), before);
    return OK;
}

struct err row_open(struct connection *c, sqlite3_stmt *statement, enum store_table table,
                    union row_record *record, struct why *why)
{
    const struct columns *columns = columns_of(table);
    struct buf place = buf_capped(PLACE_MAX);
    struct err e = OK;
    size_t total = 0;
    for (size_t i = 0; i < columns->count; i++) {
        if (columns->list[i].type == COLUMN_SEALED)
            total += (size_t)sqlite3_column_bytes(statement, (int)i + SCHEMA_FIRST_COLUMN);
    }
    (void)buf_reserve(&c->plain, total); // so that what was opened stays where it is
    for (size_t i = 0; i < columns->count && !failed(e); i++) {
        const struct column *column = &columns->list[i];
        struct slice sealed =
            is_sealed(column) ? column_slice(statement, (int)i + SCHEMA_FIRST_COLUMN) : SLICE("");
        if (sealed.len == 0)
            continue;
        write_place(&place, columns->name, row_partition(statement), row_key(statement), column->name);
        e = buf_err(&place);
        if (!failed(e))
            e = open_column(c, column, buf_slice(&place), sealed, column_field_mut(column, record), why);
    }
    buf_release(&place);
    return e;
}

void row_forget(struct connection *c, union row_record *record)
{
    bytes_wipe(record, sizeof *record);
    bytes_wipe(c->plain.at, c->plain.len);
    buf_clear(&c->plain);
}

struct err row_load(struct connection *c, sqlite3_stmt *statement, enum store_table table,
                    struct arena *arena, void **out, struct why *why)
{
    union row_record record;
    struct err e = row_view(statement, table, &record, why);
    if (!failed(e))
        e = row_open(c, statement, table, &record, why);
    if (!failed(e))
        e = columns_copy(arena, table, &record, out);
    row_forget(c, &record);
    return e;
}

struct err row_get(struct connection *c, enum store_table table, struct slice partition, struct slice key,
                   struct arena *arena, void **out, struct why *why)
{
    *out = NULL;
    sqlite3_stmt *s;
    TRY(connection_statement(c, SCHEMA_GET, table, &s));
    bind_slice(s, 1, partition);
    bind_slice(s, 2, key);
    int code = sqlite3_step(s);
    struct err e =
        code == SQLITE_ROW ? row_load(c, s, table, arena, out, why) : connection_failure(c, code, why);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return e;
}
