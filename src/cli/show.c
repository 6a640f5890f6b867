// What records look like: raw for programs, tables and fields for people.
#include "cli/cli.h"

enum { COLUMNS_MAX = 12 };

void cli_raw(struct cli *cli, struct slice body)
{
    buf_bytes(&cli->out, body);
    if (!slice_ends_with(body, SLICE("\n")))
        buf_u8(&cli->out, '\n');
}

static struct slice as_text(struct cli *cli, const struct json *value)
{
    int64_t number;
    bool truth;
    struct slice text = {0};
    switch (json_kind(value)) {
    case JSON_KIND_STRING:
        return json_as_string(value);
    case JSON_KIND_INTEGER:
        (void)json_as_int(value, &number);
        return failed(arena_printf(&cli->arena, &text, "%lld", (long long)number)) ? (struct slice){0} : text;
    case JSON_KIND_BOOLEAN:
        (void)json_as_bool(value, &truth);
        return truth ? SLICE("yes") : SLICE("no");
    case JSON_KIND_REAL:
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT: {
        struct buf out = buf_capped(CONTROL_ANSWER_MAX);
        struct json_writer writer;
        json_begin(&writer, &out);
        json_node(&writer, value);
        if (failed(buf_err(&out)) || failed(arena_copy(&cli->arena, buf_slice(&out), &text)))
            text = (struct slice){0};
        buf_release(&out);
        return text;
    }
    default:
        return text;
    }
}

struct slice cli_text(struct cli *cli, const struct json *object, const char *path)
{
    struct slice rest = slice_text(path), step;
    const struct json *at = object;
    while (slice_cut(&rest, '.', &step))
        at = json_find(at, step);
    return as_text(cli, at);
}

static struct slice cell(struct cli *cli, const struct json *record, const struct cli_column *column)
{
    struct slice text = cli_text(cli, record, column->path);
    return slice_empty(text) ? slice_text(column->absent) : text;
}

struct err cli_table(struct cli *cli, const struct json *list, const struct cli_column *columns,
                     size_t column_count)
{
    struct slice cells[COLUMNS_MAX];
    struct table table = {.arena = &cli->arena, .columns = column_count};
    INVARIANT(column_count <= COLUMNS_MAX);
    for (size_t i = 0; i < column_count; i++)
        cells[i] = slice_text(columns[i].heading);
    TRY(table_add(&table, cells));
    for (size_t row = 0; row < json_count(list); row++) {
        for (size_t i = 0; i < column_count; i++)
            cells[i] = cell(cli, json_at(list, row), &columns[i]);
        TRY(table_add(&table, cells));
    }
    table_print(&table, &cli->out);
    return OK;
}

struct err cli_list_print(struct cli *cli, const struct reply *reply, const struct cli_column *columns,
                          size_t column_count)
{
    if (!cli->json)
        return cli_table(cli, cli_list(json_root(&reply->doc)), columns, column_count);
    cli_raw(cli, reply->body);
    return OK;
}

struct err cli_fields(struct cli *cli, const struct json *record, const struct cli_column *columns,
                      size_t column_count)
{
    struct table table = {.arena = &cli->arena, .columns = 2};
    for (size_t i = 0; i < column_count; i++) {
        struct slice value = cell(cli, record, &columns[i]);
        if (!slice_empty(value))
            TRY(table_add(&table, (struct slice[]){slice_text(columns[i].heading), value}));
    }
    table_print(&table, &cli->out);
    return OK;
}

// The pages of one query, put together.
struct query {
    struct buf body;  // what is sent each time
    struct buf array; // of all records
    struct json_writer writer;
    size_t wanted; // 0: all
    size_t count;
};

static void take_page(struct query *query, const struct json *list)
{
    for (size_t i = 0; i < json_count(list); i++) {
        if (query->wanted > 0 && query->count == query->wanted)
            return;
        json_node(&query->writer, json_at(list, i));
        query->count++;
    }
}

static struct err read_pages(struct cli *cli, struct slice target, struct query *query, struct why *why)
{
    struct reply reply = {0};
    struct slice continuation = {0};
    do {
        size_t left = query->wanted > 0 ? query->wanted - query->count : CLI_PAGE;
        struct control_request request = {.method = SLICE("POST"),
                                          .target = target,
                                          .body = buf_slice(&query->body),
                                          .max_items = left < CLI_PAGE ? left : CLI_PAGE,
                                          .continuation = continuation};
        TRY(cli_ask(cli, &request, &reply, why));
        take_page(query, json_root(&reply.doc));
        continuation = reply.continuation;
        reply_release(&reply);
    } while (!slice_empty(continuation) && (query->wanted == 0 || query->count < query->wanted));
    json_array_close(&query->writer);
    return buf_err(&query->array);
}

static struct err show_pages(struct cli *cli, const struct query *query, const struct cli_column *columns,
                             size_t column_count, struct why *why)
{
    if (cli->json) {
        cli_raw(cli, buf_slice(&query->array));
        return OK;
    }
    struct json_doc doc = {0};
    const struct json_limits limits = {.bytes = CLI_OUT_CAP, .depth = JSON_DEPTH_MAX};
    TRY(json_read(buf_slice(&query->array), limits, &doc, why));
    struct err e = cli_table(cli, json_root(&doc), columns, column_count);
    if (!failed(e))
        e = buf_err(&cli->out); // before the texts that the table shows go
    json_doc_release(&doc);
    return e;
}

struct err cli_query(struct cli *cli, struct slice target, struct slice query_text, size_t top,
                     const struct cli_column *columns, size_t column_count, struct why *why)
{
    struct query query = {.body = buf_capped(1 << 20), .array = buf_capped(CLI_OUT_CAP), .wanted = top};
    struct json_writer writer;
    json_begin(&writer, &query.body);
    json_object_open(&writer);
    json_field_text(&writer, "query", slice_empty(query_text) ? SLICE("SELECT *") : query_text);
    json_object_close(&writer);
    json_begin(&query.writer, &query.array);
    json_array_open(&query.writer);
    struct err e = buf_err(&query.body);
    if (!failed(e))
        e = read_pages(cli, target, &query, why);
    if (!failed(e))
        e = show_pages(cli, &query, columns, column_count, why);
    buf_release(&query.body);
    buf_release(&query.array);
    return e;
}
