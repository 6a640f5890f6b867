// The embedded hubs of this daemon: how many devices, how much telemetry, which keys. What they do is in
// embedded/.
#include "api/control/work.h"

enum { HUBS_MAX = 100 };

// Twice per hub: all, and those that are enabled.
static struct err count_devices(struct call *call, const struct hub_record *hub)
{
    static const struct query_value enabled = {.kind = QUERY_TEXT, .text = {(const uint8_t *)"enabled", 7}};
    static const struct query_node is_enabled = {
        .op = QUERY_EQ, .path = {(const uint8_t *)"status", 6}, .values = &enabled, .count = 1};
    struct slice partition = {0};
    TRY(arena_lower(&call->x->arena, hub->host, &partition));
    return call_ask(call, (struct store_request){
                              .verb = STORE_COUNT,
                              .table = STORE_DEVICE,
                              .partition = partition,
                              .where = work_of(call)->counting == 0 ? NULL : &is_enabled,
                          });
}

// *again: the other count is still to be asked for.
static struct err take_count(struct call *call, bool *again)
{
    struct work *work = work_of(call);
    TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
    work->counted[work->counting++] = call->request.count;
    *again = work->counting < 2;
    if (!*again)
        work->counting = 0;
    return OK;
}

static void write_hub(struct call *call, struct json_writer *w, const struct hub_record *hub)
{
    const struct work *work = work_of(call);
    const struct control_api_settings *settings = &work->api->settings;
    // a device may have come or gone between the two counts
    size_t enabled = work->counted[1] < work->counted[0] ? work->counted[1] : work->counted[0];
    int64_t telemetry = 0;
    int64_t connected = 0;
    settings->hub_counts(settings->context, hub->host, &telemetry, &connected);
    json_object_open(w);
    json_field_text(w, "name", hub->host);
    json_field_number(w, "totalDeviceCount", (int64_t)work->counted[0]);
    json_field_number(w, "enabledDeviceCount", (int64_t)enabled);
    json_field_number(w, "disabledDeviceCount", (int64_t)(work->counted[0] - enabled));
    json_field_number(w, "connectedDeviceCount", connected);
    json_field_number(w, "telemetryMessageCount", telemetry);
    json_object_close(w);
}

// ---- all of them

struct err embedded_hub_list(struct call *call)
{
    return call_ask(call, (struct store_request){.verb = STORE_QUERY, .table = STORE_HUB, .limit = HUBS_MAX});
}

struct err embedded_hub_listed(struct call *call)
{
    struct work *work = work_of(call);
    TRY(call_asked(call, ERR_ABSENT));
    work->hubs = (struct hub_record **)call->request.rows;
    work->hub_count = call->request.count;
    call_list_open(call, &work->writer);
    return OK;
}

struct err embedded_hub_next(struct call *call)
{
    struct work *work = work_of(call);
    if (work->hub_at < work->hub_count)
        return count_devices(call, work->hubs[work->hub_at]);
    call->step = CALL_STEPS_MAX;
    return call_list_close(call, &work->writer);
}

struct err embedded_hub_counted(struct call *call)
{
    struct work *work = work_of(call);
    bool again = false;
    TRY(take_count(call, &again));
    if (!again)
        write_hub(call, &work->writer, work->hubs[work->hub_at++]);
    call_go_to(call, embedded_hub_next);
    return OK;
}

// ---- one

struct err embedded_hub_load(struct call *call)
{
    struct slice key = {0};
    if (call->names[0].len > 260)
        return FAIL(ERR_SETTING_NOT_FOUND);
    TRY(arena_lower(&call->x->arena, call->names[0], &key));
    return call_ask(call, (struct store_request){.verb = STORE_GET, .table = STORE_HUB, .key = key});
}

struct err embedded_hub_found(struct call *call)
{
    struct work *work = work_of(call);
    TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
    work->hubs = arena_take(&call->scratch, sizeof *work->hubs);
    if (work->hubs == NULL)
        return FAIL(ERR_NO_MEMORY);
    work->hubs[0] = call->request.found;
    return OK;
}

struct err embedded_hub_count(struct call *call)
{
    return count_devices(call, work_of(call)->hubs[0]);
}

struct err embedded_hub_show(struct call *call)
{
    struct json_writer w;
    bool again = false;
    TRY(take_count(call, &again));
    if (again) {
        call_go_to(call, embedded_hub_count);
        return OK;
    }
    json_begin(&w, &call->x->body);
    write_hub(call, &w, work_of(call)->hubs[0]);
    return buf_err(&call->x->body);
}

struct err embedded_hub_show_keys(struct call *call)
{
    const struct control_api_settings *settings = &work_of(call)->api->settings;
    const struct hub_record *hub = call->request.found;
    struct json_writer w;
    TRY(call_asked(call, ERR_SETTING_NOT_FOUND));
    json_begin(&w, &call->x->body);
    json_object_open(&w);
    json_key(&w, "value");
    TRY(settings->hub_policies(settings->context, hub->document, &w, &call->why));
    json_object_close(&w);
    return buf_err(&call->x->body);
}
