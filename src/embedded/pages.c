// Many devices at once: the list, queries in pages, and the statistics.
#include "base/text.h"
#include "domain/identifier.h"
#include "domain/query.h"
#include "embedded/call.h"
#include "embedded/presence.h"

enum { LIST_LIMIT = 1000, QUERY_LIMIT = 100, PAGE_BYTES = 3 << 20 };

static void ask_page(struct call *call);

// A page ends early when it would be too long to send; *written says how many rows are in it.
static void rows_write(struct call *call, const struct store_request *page, size_t *written)
{
    struct json_writer w;
    json_begin(&w, &call->x->body);
    json_array_open(&w);
    size_t i = 0;
    for (; i < page->count && call->x->body.len < PAGE_BYTES; i++) {
        const struct device *device = page->rows[i];
        struct device_presence presence = presence_of(call->embedded, call->hub->host, device->id);
        if (call->twins)
            twin_write(&w, device, presence);
        else
            device_write(&w, device, presence);
    }
    json_array_close(&w);
    *written = i;
}

// Base64 of the last device's ID: it opens nothing that the query itself would not give.
static struct err continuation(struct call *call, struct slice last)
{
    uint8_t room[DEVICE_ID_MAX * 4 / 3 + 8];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    struct slice kept;
    b64_encode(&text, last);
    TRY(buf_err(&text));
    TRY(arena_copy(&call->x->arena, buf_slice(&text), &kept));
    exchange_header(call->x, "x-ms-continuation", kept);
    return OK;
}

static void page_read(struct store_request *request)
{
    struct call *call = request->context;
    struct err e = request->result;
    if ((e.code == ERR_NO_MEMORY || e.code == ERR_CAPPED) && call->limit > 1) {
        call->limit /= 2; // devices with large twins: fewer on the page
        arena_release(&call->arena);
        ask_page(call);
        return;
    }
    size_t written = 0;
    if (!failed(e))
        rows_write(call, request, &written);
    if (!failed(e) && call->twins && (request->more || written < request->count) && written > 0)
        e = continuation(call, ((const struct device *)request->rows[written - 1])->id);
    if (failed(e)) {
        call_refuse(call, e, &request->why);
        return;
    }
    if (call->twins)
        exchange_header(call->x, "x-ms-item-type", SLICE("twin"));
    call_answer(call, 200, NULL);
}

static void ask_page(struct call *call)
{
    call->store = (struct store_request){
        .verb = STORE_QUERY,
        .table = STORE_DEVICE,
        .partition = call->hub->host,
        .where = call->where,
        .limit = call->limit,
        .after = call->after,
        .arena = &call->arena,
        .done = page_read,
        .context = call,
    };
    store_submit(call->embedded->settings.store, &call->store);
}

// *limit stays when the text is empty; more than `most` is cut.
static struct err limit_read(struct slice text, const char *what, size_t most, size_t *limit, struct why *why)
{
    uint64_t number;
    if (slice_empty(text))
        return OK;
    if (!slice_to_u64(text, &number) || number == 0)
        return why_fail(why, ERR_HUB_ARGUMENT, "%s must be a number above 0", what);
    *limit = number > most ? most : (size_t)number;
    return OK;
}

void devices_list(struct call *call)
{
    struct why why = {0};
    struct slice top = {0};
    call->limit = LIST_LIMIT;
    struct err e = http_query_get(call->x->request.query, SLICE("top"), &call->x->arena, &top);
    if (!failed(e))
        e = limit_read(top, "top", LIST_LIMIT, &call->limit, &why);
    if (failed(e))
        call_refuse(call, e, &why);
    else
        ask_page(call);
}

// ---- POST /devices/query ------------------------------------------------------------------------
static struct err query_read(struct call *call, struct why *why)
{
    struct slice text = {0};
    struct json_in in;
    struct query query;
    if (json_root(&call->body) != NULL) {
        TRY(json_in_root(json_root(&call->body), "the body", &in, why));
        TRY(json_want_string(&in, "query", JSON_OPTIONAL, QUERY_TEXT_MAX, &text, why));
    }
    TRY(query_parse(&call->x->arena, text, &query, why));
    if (!slice_empty(query.from) && !slice_equal_nocase(query.from, SLICE("devices")))
        return why_fail(why, ERR_QUERY, "this hub answers queries FROM devices only");
    call->where = query.where;
    return OK;
}

static struct err continuation_read(struct call *call, struct why *why)
{
    struct slice text = http_header(&call->x->request, SLICE("x-ms-continuation"));
    if (slice_empty(text))
        return OK;
    if (failed(b64_decode_arena(&call->x->arena, text, &call->after)) ||
        failed(device_id_check(call->after, "x-ms-continuation", NULL)))
        return why_fail(why, ERR_HUB_ARGUMENT, "x-ms-continuation is not one that this hub gave");
    return OK;
}

void devices_query(struct call *call)
{
    struct why why = {0};
    struct slice count = http_header(&call->x->request, SLICE("x-ms-max-item-count"));
    call->twins = true;
    call->limit = QUERY_LIMIT;
    struct err e = query_read(call, &why);
    if (!failed(e))
        e = limit_read(count, "x-ms-max-item-count", LIST_LIMIT, &call->limit, &why);
    if (!failed(e))
        e = continuation_read(call, &why);
    if (failed(e))
        call_refuse(call, e, &why);
    else
        ask_page(call);
}

// ---- statistics ---------------------------------------------------------------------------------
static const struct query_value enabled_word = {.kind = QUERY_TEXT, .text = {(const uint8_t *)"enabled", 7}};
static const struct query_node is_enabled = {
    .op = QUERY_EQ, .path = {(const uint8_t *)"status", 6}, .values = &enabled_word, .count = 1};

static void counted(struct store_request *request);

static void count_devices(struct call *call, const struct query_node *where)
{
    call->where = where;
    call->store = (struct store_request){
        .verb = STORE_COUNT,
        .table = STORE_DEVICE,
        .partition = call->hub->host,
        .where = where,
        .arena = &call->arena,
        .done = counted,
        .context = call,
    };
    store_submit(call->embedded->settings.store, &call->store);
}

// Two counts, one after the other: a device made or disabled in between must not make a number negative.
static void counted(struct store_request *request)
{
    struct call *call = request->context;
    if (failed(request->result)) {
        call_refuse(call, request->result, &request->why);
        return;
    }
    if (call->where == NULL) {
        call->counted = request->count;
        count_devices(call, &is_enabled);
        return;
    }
    size_t enabled = request->count < call->counted ? request->count : call->counted;
    struct json_writer w;
    json_begin(&w, &call->x->body);
    json_object_open(&w);
    json_field_number(&w, "totalDeviceCount", (int64_t)call->counted);
    json_field_number(&w, "enabledDeviceCount", (int64_t)enabled);
    json_field_number(&w, "disabledDeviceCount", (int64_t)(call->counted - enabled));
    json_object_close(&w);
    call_answer(call, 200, NULL);
}

void statistics_devices(struct call *call)
{
    count_devices(call, NULL);
}

void statistics_service(struct call *call)
{
    struct json_writer w;
    json_begin(&w, &call->x->body);
    json_object_open(&w);
    json_field_number(&w, "connectedDeviceCount", (int64_t)presence_count(call->embedded, call->hub->host));
    json_object_close(&w);
    call_answer(call, 200, NULL);
}
