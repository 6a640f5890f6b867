// What the handlers of REST requests share.
#include "embedded/call.h"

#include <stdlib.h>

#include "embedded/presence.h"

static void call_free(struct call *call)
{
    struct embedded *e = call->embedded;
    json_doc_release(&call->body);
    device_update_release(&call->update);
    arena_release(&call->arena);
    hubs_release(call->hubs);
    free(call);
    embedded_let_go(e);
}

void call_answer(struct call *call, unsigned status, const char *event)
{
    struct exchange *x = call->x;
    if (event != NULL) {
        struct log_line line;
        log_begin(&line, exchange_log(x), ERR_LEVEL_INFO, event);
        log_text(&line, LOG_trackingId, slice_of(x->tracking_id, GUID_TEXT));
        log_text(&line, LOG_hub, call->hub->host);
        log_text(&line, LOG_deviceId, call->id);
        log_text(&line, LOG_policy, x->caller);
        log_number(&line, LOG_connection, (int64_t)x->connection);
        log_end(&line);
    }
    call_free(call);
    exchange_answer(x, status);
}

struct err call_error(struct err e)
{
    switch (e.code) {
    case ERR_MALFORMED:
    case ERR_INVALID:
    case ERR_QUERY:
        return FAIL(ERR_HUB_ARGUMENT);
    case ERR_ABSENT:
        return FAIL(ERR_HUB_DEVICE_NOT_FOUND);
    case ERR_CONFLICT:
        return FAIL(ERR_HUB_DEVICE_EXISTS);
    case ERR_ETAG:
        return FAIL(ERR_HUB_ETAG);
    case ERR_CAPPED:
        return FAIL(ERR_HUB_TOO_LARGE);
    default:
        return err_info(e)->class == ERR_CLASS_AUTH ? FAIL(ERR_HUB_CALLER) : e;
    }
}

void call_read_device(struct call *call, void (*done)(struct store_request *request))
{
    call->store = (struct store_request){
        .verb = STORE_GET,
        .table = STORE_DEVICE,
        .partition = call->hub->host,
        .key = call->id,
        .arena = &call->arena,
        .done = done,
        .context = call,
    };
    store_submit(call->embedded->settings.store, &call->store);
}

void call_answer_device(struct call *call, const struct device *device, const char *event)
{
    struct json_writer w;
    json_begin(&w, &call->x->body);
    call->write(&w, device, presence_of(call->embedded, call->hub->host, device->id));
    call_answer(call, 200, event);
}

static void show_device(struct store_request *request)
{
    struct call *call = request->context;
    if (failed(request->result))
        call_refuse(call, request->result, &request->why);
    else
        call_answer_device(call, request->found, NULL);
}

void call_show_device(struct call *call)
{
    call_read_device(call, show_device);
}

void call_refuse(struct call *call, struct err e, const struct why *why)
{
    struct exchange *x = call->x;
    struct why kept = why != NULL ? *why : (struct why){0}; // it may be the call's own
    call_free(call);
    buf_clear(&x->body);
    exchange_refuse_as_hub(x, call_error(e), &kept);
}

struct err call_match(const struct call *call, struct slice etag)
{
    bool matches = !call->has_etag || call->any_etag || slice_equal(call->etag, etag);
    return matches ? OK : FAIL(ERR_ETAG);
}

void call_update_init(struct call *call, struct err (*change)(struct device_update *, struct device *),
                      void (*done)(struct device_update *))
{
    device_update_release(&call->update);
    call->update = (struct device_update){
        .store = call->embedded->settings.store,
        .random = call->embedded->settings.random,
        .hub = call->hub->host,
        .id = call->id,
        .change = change,
        .done = done,
        .context = call,
        .arena = {.cap = DEVICE_UPDATE_ARENA_CAP, .wipe = true},
    };
}

void call_push_desired(struct call *call, struct slice id, const struct json *change, int64_t version)
{
    struct buf body = buf_capped(2 * TWIN_PROPERTIES_MAX + 64);
    twin_write_push(&body, change, version);
    struct note note = {.kind = NOTE_DESIRED,
                        .hub = call->hub->host,
                        .device = id,
                        .version = version,
                        .body = buf_slice(&body)};
    if (!failed(buf_err(&body)))
        presence_tell(call->embedded, &note);
    buf_release(&body);
}

void call_recheck(struct call *call, struct slice id)
{
    presence_recheck(call->embedded, call->hub->host, id);
}

static void make_key(struct random *random, struct secret *key)
{
    if (key->len > 0)
        return;
    key->len = DEVICE_KEY_NEW;
    random_fill_from(random, key->bytes, key->len);
}

void call_make_keys(struct call *call, struct device *device)
{
    if (!device_needs_keys(device))
        return;
    make_key(call->embedded->settings.random, &device->primary_key);
    make_key(call->embedded->settings.random, &device->secondary_key);
}
