// SQL from the tables of columns.
#include "store/sqlite/schema.h"

static const char *sql_type(const struct column *column)
{
    switch (column->type) {
    case COLUMN_TEXT:
    case COLUMN_JSON:
    case COLUMN_FINDERS:
    case COLUMN_WORD:
    case COLUMN_SWITCH:
        return "TEXT";
    case COLUMN_BLOB:
    case COLUMN_SEALED:
    case COLUMN_SECRET:
        return "BLOB";
    case COLUMN_INTEGER:
    case COLUMN_TIME:
    case COLUMN_ETAG:
    case COLUMN_FLAG:
        return "INTEGER";
    }
    return "BLOB";
}

// Tables with a rowid: records are a few hundred bytes, so that a tree of keys beside them stays flat, and
// new records are appended instead of splitting pages all over the table.
void schema_create(struct buf *out)
{
    for (unsigned table = 0; table < STORE_TABLES; table++) {
        const struct columns *c = columns_of((enum store_table)table);
        buf_printf(out, "CREATE TABLE IF NOT EXISTS %s (partition TEXT NOT NULL, key TEXT NOT NULL", c->name);
        for (size_t i = 0; i < c->count; i++)
            buf_printf(out, ", %s %s", c->list[i].name, sql_type(&c->list[i]));
        buf_text(out, ", PRIMARY KEY (partition, key)) STRICT;\n");
    }
    // what domain/words.h makes: a few rows for each record that has words, none for the others
    buf_text(out,
             "CREATE TABLE IF NOT EXISTS word (partition TEXT NOT NULL, word TEXT NOT NULL, record_table "
             "INTEGER NOT NULL, "
             "written_us INTEGER NOT NULL, key TEXT NOT NULL, "
             "PRIMARY KEY (partition, word, record_table, written_us DESC, key)) STRICT, WITHOUT ROWID;\n");
    buf_text(out, "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;\n");
}

// Columns that a query may ask about without reading every record: those that have something there are in an
// index, in the order of their keys, or first by what they have there.
static const struct {
    enum store_table table;
    const char *column;
    bool by_value;
} indexed[] = {
    {STORE_REGISTRATION, "left_hub", false},    // what is still to be removed: a few, if any
    {STORE_REGISTRATION, "assigned_hub", true}, // how many a hub has
};

static bool is_indexed(const struct column *column)
{
    for (size_t i = 0; i < sizeof indexed / sizeof indexed[0]; i++) {
        if (columns_named(indexed[i].table, indexed[i].column) == column)
            return true;
    }
    return false;
}

void schema_indexes(struct buf *out)
{
    // finds the unfinished operations at start-up without reading every registration
    buf_text(out, "CREATE INDEX IF NOT EXISTS registration_assigning ON registration (partition, key) WHERE "
                  "status = 'assigning';\n");
    for (size_t i = 0; i < sizeof indexed / sizeof indexed[0]; i++) {
        const char *table = columns_of(indexed[i].table)->name, *column = indexed[i].column;
        buf_printf(out, "CREATE INDEX IF NOT EXISTS %s_%s ON %s (partition, %s%skey) WHERE %s != '';\n",
                   table, column, table, indexed[i].by_value ? column : "", indexed[i].by_value ? ", " : "",
                   column);
    }
}

void schema_has_column(struct buf *out, enum store_table table, const struct column *column)
{
    buf_printf(out, "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'", columns_of(table)->name,
               column->name);
}

void schema_add_column(struct buf *out, enum store_table table, const struct column *column)
{
    buf_printf(out, "ALTER TABLE %s ADD COLUMN %s %s", columns_of(table)->name, column->name,
               sql_type(column));
}

static void column_names(struct buf *out, const struct columns *c)
{
    buf_text(out, "partition, key");
    for (size_t i = 0; i < c->count; i++)
        buf_printf(out, ", %s", c->list[i].name);
}

static void put_statement(struct buf *out, const struct columns *c)
{
    buf_printf(out, "INSERT INTO %s (", c->name);
    column_names(out, c);
    buf_text(out, ") VALUES (?1, ?2");
    for (size_t i = 0; i < c->count; i++)
        buf_printf(out, ", ?%zu", i + SCHEMA_FIRST_PARAMETER);
    buf_text(out, ") ON CONFLICT (partition, key) DO UPDATE SET ");
    for (size_t i = 0; i < c->count; i++)
        buf_printf(out, "%s%s = excluded.%s", i > 0 ? ", " : "", c->list[i].name, c->list[i].name);
}

static void select_from(struct buf *out, const struct columns *c)
{
    buf_text(out, "SELECT ");
    column_names(out, c);
    buf_printf(out, " FROM %s WHERE ", c->name);
}

static void before_statement(struct buf *out, enum store_table table)
{
    const struct column *words = columns_finders(table);
    buf_text(out, "SELECT etag");
    if (words != NULL)
        buf_printf(out, ", updated_us, %s", words->name);
    buf_printf(out, " FROM %s WHERE partition = ?1 AND key = ?2", columns_of(table)->name);
}

void schema_statement(struct buf *out, enum schema_statement statement, enum store_table table)
{
    const struct columns *c = columns_of(table);
    switch (statement) {
    case SCHEMA_GET:
        select_from(out, c);
        buf_text(out, "partition = ?1 AND key = ?2");
        break;
    case SCHEMA_BEFORE:
        before_statement(out, table);
        break;
    case SCHEMA_PUT:
        put_statement(out, c);
        break;
    case SCHEMA_DELETE:
        buf_printf(out, "DELETE FROM %s WHERE partition = ?1 AND key = ?2", c->name);
        break;
    case SCHEMA_GROUPS:
        select_from(out, c);
        buf_text(out, "partition = ?1 AND attestation_type = 'symmetricKey' ORDER BY key");
        break;
    case SCHEMA_FIND:
        buf_text(out, "SELECT record_table, written_us, key FROM word WHERE partition = ?1 AND word = ?2 AND "
                      "record_table >= ?3 ORDER BY record_table, written_us DESC, key");
        break;
    case SCHEMA_WORD_PUT:
        buf_text(out, "INSERT INTO word VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING");
        break;
    case SCHEMA_WORD_DELETE:
        buf_text(out, "DELETE FROM word WHERE partition = ?1 AND word = ?2 AND record_table = ?3 AND "
                      "written_us = ?4 AND key = ?5");
        break;
    case SCHEMA_SET_WORDS:
        buf_printf(out, "UPDATE %s SET %s = ?3 WHERE partition = ?1 AND key = ?2", c->name,
                   columns_finders(table)->name);
        break;
    case SCHEMA_BEGIN_READ:
        buf_text(out, "BEGIN");
        break;
    case SCHEMA_BEGIN_WRITE:
        buf_text(out, "BEGIN IMMEDIATE");
        break;
    case SCHEMA_COMMIT:
        buf_text(out, "COMMIT");
        break;
    case SCHEMA_ROLLBACK:
        buf_text(out, "ROLLBACK");
        break;
    case SCHEMA_STATEMENTS:
        break;
    }
}

static const struct column *column_of_path(enum store_table table, struct slice path)
{
    const struct columns *c = columns_of(table);
    for (size_t i = 0; i < c->count; i++) {
        if (c->list[i].path != NULL && slice_equal(slice_text(c->list[i].path), path))
            return &c->list[i];
    }
    return NULL;
}

static bool take_hint(struct schema_hints *out, const struct column *column, struct slice value,
                      const char *word)
{
    if (out->count == SCHEMA_HINTS_MAX)
        return false;
    out->columns[out->count] = column;
    out->values[out->count] = value;
    out->words[out->count++] = word;
    return true;
}

// Whether there is a hint that says all that the comparison does.
static bool add_hint(const struct query_node *node, enum store_table table, struct schema_hints *out)
{
    const struct column *column = column_of_path(table, node->path);
    const struct query_value *value = node->values;
    if (column == NULL || node->count != 1)
        return false;
    bool text = value->kind == QUERY_TEXT && value->text.len > 0;
    if (column->type == COLUMN_TEXT && node->op == QUERY_EQ && text)
        return take_hint(out, column, value->text, NULL) && column->present == 0;
    // An empty text is as good as none: it differs from nothing.
    if (column->type == COLUMN_TEXT && node->op == QUERY_NE && !text)
        return take_hint(out, column, (struct slice){0}, NULL) && column->present == 0;
    if (column->type != COLUMN_WORD || column->unset != NULL || node->op != QUERY_EQ || !text)
        return false;
    for (unsigned i = 0; i < column->words->count; i++) {
        if (slice_equal(slice_text(column->words->words[i]), value->text))
            return take_hint(out, column, (struct slice){0}, column->words->words[i]) && column->present == 0;
    }
    return false;
}

void schema_hints(const struct query_node *where, enum store_table table, struct schema_hints *out)
{
    if (where == NULL)
        return;
    if (where->op == QUERY_AND) {
        schema_hints(where->left, table, out);
        schema_hints(where->right, table, out);
    } else if (where->op == QUERY_OR || where->op == QUERY_NOT || !add_hint(where, table, out)) {
        out->rest = true;
    }
}

static void write_hints(struct buf *out, const struct schema_hints *hints)
{
    for (size_t i = 0; i < hints->count; i++) {
        const char *name = hints->columns[i]->name;
        // A word comes from our own table, and stands in the text so that the index over one status serves;
        // so does "not empty", which the other indexes are over.
        if (hints->words[i] != NULL)
            buf_printf(out, " AND %s = '%s'", name, hints->words[i]);
        else if (!schema_hint_bound(hints, i) || is_indexed(hints->columns[i]))
            buf_printf(out, " AND %s != ''", name);
        if (schema_hint_bound(hints, i))
            buf_printf(out, " AND %s = ?%zu", name, i + SCHEMA_FIRST_PARAMETER);
    }
}

void schema_scan(struct buf *out, enum store_table table, bool all_partitions,
                 const struct schema_hints *hints)
{
    select_from(out, columns_of(table));
    buf_text(out, all_partitions ? "(partition, key) > (?1, ?2)" : "partition = ?1 AND key > ?2");
    write_hints(out, hints);
    buf_text(out, all_partitions ? " ORDER BY partition, key" : " ORDER BY key");
}

void schema_count(struct buf *out, enum store_table table, bool all_partitions,
                  const struct schema_hints *hints)
{
    buf_printf(out, "SELECT count(*) FROM %s WHERE %s", columns_of(table)->name,
               all_partitions ? "true" : "partition = ?1");
    write_hints(out, hints);
}
