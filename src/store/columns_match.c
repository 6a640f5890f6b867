// Records as the query language sees them: which paths there are, and the value at a path.
#include "base/instant.h"
#include "store/columns.h"
#include "json/json.h"

// The column at a path. A JSON column also stands for what is below it: *rest is that part of the path.
static const struct column *column_at(enum store_table table, struct slice path, struct slice *rest)
{
    const struct columns *c = columns_of(table);
    for (size_t i = 0; i < c->count; i++) {
        struct slice own = slice_text(c->list[i].path);
        *rest = (struct slice){0};
        if (own.len == 0 || !slice_starts_with(path, own))
            continue;
        if (path.len == own.len)
            return &c->list[i];
        *rest = slice_from(path, own.len + 1);
        if (c->list[i].type == COLUMN_JSON && path.at[own.len] == '.' && rest->len > 0)
            return &c->list[i];
    }
    return NULL;
}

// `registrationState.status` of an individual enrollment is `status` of its registration.
static bool of_registration(enum store_table table, struct slice *path)
{
    struct slice prefix = SLICE("registrationState.");
    if (table != STORE_ENROLLMENT || !slice_starts_with(*path, prefix))
        return false;
    *path = slice_from(*path, prefix.len);
    return true;
}

static const struct column *find_column(enum store_table table, struct slice path, struct slice *rest)
{
    bool joined = of_registration(table, &path);
    return column_at(joined ? STORE_REGISTRATION : table, path, rest);
}

bool columns_known_path(enum store_table table, struct slice path)
{
    struct slice rest;
    return find_column(table, path, &rest) != NULL;
}

static struct err unknown_path(enum store_table table, struct slice path, struct why *why)
{
    struct buf known = buf_capped(1024);
    const struct columns *c = columns_of(table);
    for (size_t i = 0; i < c->count; i++) {
        if (c->list[i].path != NULL)
            buf_printf(&known, "%s%s%s", known.len > 0 ? ", " : "", c->list[i].path,
                       c->list[i].type == COLUMN_JSON ? ".*" : "");
    }
    if (table == STORE_ENROLLMENT)
        buf_text(&known, ", registrationState.*");
    struct err e = why_fail(why, ERR_QUERY, "There is no field %.*s here; there are: %.*s.",
                            (int)(path.len > 64 ? 64 : path.len), (const char *)path.at, (int)known.len,
                            known.at != NULL ? (const char *)known.at : "");
    buf_release(&known);
    return e;
}

// A date alone means its first moment.
static bool read_time(struct slice text, int64_t *us)
{
    char full[32];
    if (instant_parse(text, us))
        return true;
    if (text.len != 10)
        return false;
    memcpy(full, text.at, 10);
    memcpy(full + 10, "T00:00:00Z", 10);
    return instant_parse(slice_of(full, 20), us);
}

static struct err read_times(struct arena *arena, struct query_node *node, struct why *why)
{
    struct query_value *values = arena_take_many(arena, node->count, sizeof *values);
    if (values == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < node->count; i++) {
        values[i] = node->values[i];
        if (values[i].kind == QUERY_NULL)
            continue;
        if (values[i].kind != QUERY_TEXT || !read_time(values[i].text, &values[i].integer))
            return why_fail(why, ERR_QUERY,
                            "%.*s is compared with points in time, such as '2026-01-31T12:00:00Z'.",
                            (int)(node->path.len > 64 ? 64 : node->path.len), (const char *)node->path.at);
        values[i].kind = QUERY_INTEGER;
    }
    node->values = values;
    return OK;
}

struct err columns_where(struct arena *arena, enum store_table table, const struct query_node *where,
                         const struct query_node **out, bool *joins, struct why *why)
{
    *out = NULL;
    if (where == NULL)
        return OK;
    struct query_node *copy = arena_take(arena, sizeof *copy);
    if (copy == NULL)
        return FAIL(ERR_NO_MEMORY);
    *copy = *where;
    *out = copy;
    if (where->op <= QUERY_NOT) { // the parser bounds the depth (QUERY_DEPTH_MAX)
        TRY(columns_where(arena, table, where->left, &copy->left, joins, why));
        return columns_where(arena, table, where->right, &copy->right, joins, why);
    }
    struct slice rest;
    const struct column *column = find_column(table, where->path, &rest);
    if (column == NULL)
        return unknown_path(table, where->path, why);
    struct slice path = where->path;
    if (joins != NULL && of_registration(table, &path))
        *joins = true;
    return column->type == COLUMN_TIME ? read_times(arena, copy, why) : OK;
}

// --- the value at a path

struct match {
    enum store_table table;
    const void *record;
    const struct registration *registration;
    struct arena *scratch;
    struct err broken; // the scratch memory did not suffice: the outcome means nothing
};

static void keep_failure(struct match *m, struct err e)
{
    if (failed(e))
        m->broken = e;
}

static const struct query_value *text_value(struct query_value *value, struct slice text)
{
    value->kind = QUERY_TEXT;
    value->text = text;
    return text.len > 0 ? value : NULL;
}

static const struct query_value *json_value(struct match *m, const struct json *json,
                                            struct query_value *value)
{
    switch (json_kind(json)) {
    case JSON_KIND_ABSENT:
        return NULL;
    case JSON_KIND_NULL:
        value->kind = QUERY_NULL;
        return value;
    case JSON_KIND_BOOLEAN:
        value->kind = QUERY_BOOLEAN;
        (void)json_as_bool(json, &value->boolean);
        return value;
    case JSON_KIND_INTEGER:
        value->kind = QUERY_INTEGER;
        (void)json_as_int(json, &value->integer);
        return value;
    case JSON_KIND_REAL:
        value->kind = QUERY_REAL;
        (void)json_as_real(json, &value->real);
        return value;
    case JSON_KIND_STRING:
        value->kind = QUERY_TEXT;
        keep_failure(m, arena_copy(m->scratch, json_as_string(json), &value->text));
        return value;
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT:
        break;
    }
    // An object is there (`!= null` holds) and differs from every text that can be written in a query.
    value->kind = QUERY_TEXT;
    value->text = SLICE("\0object");
    return value;
}

static const struct query_value *below_json(struct match *m, struct slice text, struct slice rest,
                                            struct query_value *value)
{
    struct json_doc doc = {0};
    if (text.len == 0)
        return NULL;
    keep_failure(
        m, json_read(text, (struct json_limits){.bytes = text.len, .depth = JSON_DEPTH_MAX}, &doc, NULL));
    const struct json *at = json_root(&doc);
    struct slice name;
    while (slice_cut(&rest, '.', &name))
        at = json_find(at, name);
    const struct query_value *result = json_value(m, at, value);
    json_doc_release(&doc);
    return result;
}

static unsigned word_number(const void *field)
{
    unsigned word = 0;
    memcpy(&word, field, sizeof word);
    return word;
}

static const struct query_value *word_value(const struct column *column, const void *field,
                                            struct query_value *value)
{
    struct slice text = name_of(column->words, word_number(field));
    if (text.len == 0 || slice_equal(text, SLICE("null")))
        text = slice_text(column->unset);
    return text_value(value, text);
}

static const struct query_value *field_value(const struct column *column, const void *field,
                                             struct query_value *value)
{
    switch (column->type) {
    case COLUMN_TEXT:
        return text_value(value, *(const struct slice *)field);
    case COLUMN_WORD:
        return word_value(column, field, value);
    case COLUMN_SWITCH:
        value->kind = QUERY_BOOLEAN;
        value->boolean = *(const enum switch_state *)field == SWITCH_ON;
        return value;
    case COLUMN_FLAG:
        value->kind = QUERY_BOOLEAN;
        value->boolean = *(const bool *)field;
        return value;
    case COLUMN_INTEGER:
    case COLUMN_TIME:
        value->kind = QUERY_INTEGER;
        value->integer = *(const int64_t *)field;
        return column->zero_is_absent && value->integer == 0 ? NULL : value;
    case COLUMN_JSON:
    case COLUMN_BLOB:
    case COLUMN_FINDERS:
    case COLUMN_SEALED:
    case COLUMN_SECRET:
    case COLUMN_ETAG:
        break;
    }
    return NULL;
}

static bool is_present(enum store_table table, const struct column *column, const void *record)
{
    const struct columns *c = columns_of(table);
    for (size_t i = 0; i < c->count && column->present != 0; i++) {
        if (c->list[i].offset != column->present)
            continue;
        if (c->list[i].type == COLUMN_FLAG)
            return *(const bool *)column_field(&c->list[i], record);
        return word_number(column_field(&c->list[i], record)) != 0;
    }
    return true;
}

static const struct query_value *value_of(void *context, struct slice path)
{
    struct match *m = context;
    bool joined = of_registration(m->table, &path);
    struct registration never = {.status = STATUS_UNASSIGNED};
    enum store_table table = joined ? STORE_REGISTRATION : m->table;
    const void *record = !joined                   ? m->record
                         : m->registration != NULL ? (const void *)m->registration
                                                   : &never;
    struct slice rest;
    const struct column *column = column_at(table, path, &rest);
    struct query_value *value = arena_take(m->scratch, sizeof *value);
    if (value == NULL)
        keep_failure(m, FAIL(ERR_NO_MEMORY));
    if (column == NULL || value == NULL || !is_present(table, column, record))
        return NULL;
    if (record == &never && column->type != COLUMN_WORD)
        return NULL;
    const void *field = column_field(column, record);
    if (column->type == COLUMN_JSON)
        return below_json(m, *(const struct slice *)field, rest, value);
    return field_value(column, field, value);
}

struct err columns_match(const struct query_node *where, enum store_table table, const void *record,
                         const struct registration *registration, struct arena *scratch, bool *matches)
{
    *matches = true;
    if (where == NULL)
        return OK;
    struct match m = {.table = table, .record = record, .registration = registration, .scratch = scratch};
    *matches = query_matches(where, value_of, &m);
    arena_release(scratch);
    return m.broken;
}
