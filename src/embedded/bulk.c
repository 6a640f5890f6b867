// POST /devices: up to 100 items, one after the other, each by its own importMode (service-api H.2).
#include "domain/identifier.h"
#include "embedded/call.h"

enum { BULK_MAX = 100 };

static const struct mode {
    const char *name;
    bool creates, updates, removes, twin; // twin: of a device that is there
    bool match;                           // the item's etag must be that of what is there
} modes[] = {
    {"createOrUpdate", .creates = true, .updates = true},
    {"create", .creates = true},
    {"update", .updates = true},
    {"updateIfMatchETag", .updates = true, .match = true},
    {"createOrUpdateIfMatchETag", .creates = true, .updates = true, .match = true},
    {"delete", .removes = true},
    {"deleteIfMatchETag", .removes = true, .match = true},
    {"updateTwin", .twin = true},
    {"updateTwinIfMatchETag", .twin = true, .match = true},
};
enum { MODES = sizeof modes / sizeof modes[0] };

struct bulk {
    size_t next; // index of the item after the one under way
    size_t failed;
    struct json_writer w;    // of the answer
    const struct json *item; // under way
    const struct mode *mode;
    struct slice etag;
    bool any_etag;
    struct twin_parts parts;
};

static void go_on(struct call *call);

static void item_failed(struct call *call, struct slice id, struct err e, const struct why *why)
{
    struct bulk *bulk = call->bulk;
    const struct err_info *info = err_info(call_error(e));
    bool told = why != NULL && why->text[0] != '\0' && info->class != ERR_CLASS_FAULT;
    bulk->failed++;
    json_object_open(&bulk->w);
    json_field_text(&bulk->w, "deviceId", id);
    json_field_text(&bulk->w, "errorCode", slice_text(info->name));
    json_field_text(&bulk->w, "errorStatus", told ? slice_text(why->text) : slice_text(info->sentence));
    json_object_close(&bulk->w);
}

// ---- one item -----------------------------------------------------------------------------------
static struct err item_match(struct call *call, const struct device *device)
{
    struct bulk *bulk = call->bulk;
    uint8_t room[ETAG_ROOM];
    struct buf etag = {.at = room, .room = sizeof room, .cap = sizeof room};
    if (!bulk->mode->match || bulk->any_etag)
        return OK;
    if (bulk->mode->twin)
        twin_etag_write(&etag, device);
    else
        device_etag_write(&etag, device);
    return slice_equal(bulk->etag, buf_slice(&etag)) ? OK : FAIL(ERR_ETAG);
}

// Sections that the item has replace those of the device or are merged into them; an import may bring
// reported properties too (H.3).
static struct err item_sections(struct call *call, struct arena *arena, enum twin_how how,
                                struct device *device, struct why *why)
{
    const struct twin_parts *parts = &call->bulk->parts;
    int64_t now = embedded_wall_us(call->embedded);
    if (parts->reported != NULL)
        TRY(twin_change(arena, device, TWIN_REPORTED, how, parts->reported, now, why));
    return twin_apply(arena, device, how, false, parts, now, why);
}

static struct err item_identity(struct call *call, struct arena *arena, struct device *device,
                                struct why *why)
{
    TRY(device_read(arena, call->bulk->item, "id", embedded_wall_us(call->embedded), device, why));
    call_make_keys(call, device);
    return item_sections(call, arena, TWIN_REPLACE, device, why);
}

static struct err item_change(struct device_update *u, struct device *device)
{
    struct call *call = u->context;
    const struct mode *mode = call->bulk->mode;
    int64_t now = embedded_wall_us(call->embedded);
    TRY(item_match(call, device));
    u->remove = mode->removes;
    if (mode->removes)
        return OK;
    if (mode->twin)
        return item_sections(call, &u->arena, TWIN_MERGE, device, &u->why);
    device->identity_version++;
    device->updated_us = now;
    return item_identity(call, &u->arena, device, &u->why);
}

static void item_done(struct device_update *u)
{
    struct call *call = u->context;
    const struct json *desired = call->bulk->parts.desired;
    if (failed(u->result)) {
        item_failed(call, u->id, u->result, &u->why);
    } else if (!u->created) {
        if (!call->bulk->mode->twin)
            call_recheck(call, u->id);
        if (!u->remove && desired != NULL)
            call_push_desired(call, u->id, desired, u->device->desired_version);
    }
    go_on(call);
}

static struct err item_create(struct call *call, struct slice id, struct why *why)
{
    struct device_update *u = &call->update;
    struct device *device = arena_take(&u->arena, sizeof *device);
    if (device == NULL)
        return FAIL(ERR_NO_MEMORY);
    TRY(device_fresh(&u->arena, id, embedded_wall_us(call->embedded), random_etag(u->random), device));
    TRY(item_identity(call, &u->arena, device, why));
    device->desired_version = device->reported_version = device->twin_version = 1;
    device_update_create(u, device);
    return OK;
}

static struct err item_read(struct call *call, struct slice *id, struct why *why)
{
    struct bulk *bulk = call->bulk;
    struct json_in in;
    struct slice word;
    struct slice etag;
    size_t i = 0;
    TRY(json_in_root(bulk->item, "an item", &in, why));
    TRY(json_want_string(&in, "id", JSON_REQUIRED, DEVICE_ID_MAX, id, why));
    TRY(device_id_check(*id, "id", why));
    TRY(json_want_string(&in, "importMode", JSON_OPTIONAL, 64, &word, why));
    while (i < MODES && !slice_empty(word) && !slice_equal_nocase(word, slice_text(modes[i].name)))
        i++;
    if (i == MODES)
        return json_refuse(&in, "importMode", why, "is not one that the hub has");
    bulk->mode = &modes[i];
    TRY(json_want_string(&in, modes[i].twin ? "twinETag" : "eTag", JSON_OPTIONAL, 128, &etag, why));
    hub_etag_read(etag, &bulk->any_etag, &bulk->etag);
    return twin_parts_read(bulk->item, &bulk->parts, why);
}

// An error means that nothing was started.
static struct err item_start(struct call *call, struct slice *id, struct why *why)
{
    TRY(item_read(call, id, why));
    const struct mode *mode = call->bulk->mode;
    bool changes = mode->updates || mode->removes || mode->twin;
    call_update_init(call, changes ? item_change : NULL, item_done);
    call->update.id = *id;
    if (mode->creates)
        return item_create(call, *id, why);
    device_update_start(&call->update);
    return OK;
}

// ---- all of them --------------------------------------------------------------------------------
static void finish(struct call *call)
{
    struct bulk *bulk = call->bulk;
    json_array_close(&bulk->w);
    json_key(&bulk->w, "warnings");
    json_array_open(&bulk->w);
    json_array_close(&bulk->w);
    json_field_bool(&bulk->w, "isSuccessful", bulk->failed == 0);
    json_object_close(&bulk->w);
    if (bulk->failed > 0)
        exchange_header(call->x, "iothub-errorcode", slice_text(err_info(FAIL(ERR_HUB_BULK))->name));
    call_answer(call, bulk->failed > 0 ? err_info(FAIL(ERR_HUB_BULK))->http : 200, "hub.devices_changed");
}

static void go_on(struct call *call)
{
    struct bulk *bulk = call->bulk;
    const struct json *items = json_root(&call->body);
    while (bulk->next < json_count(items)) {
        struct why why = {0};
        struct slice id = {0};
        bulk->item = json_at(items, bulk->next++);
        struct err e = item_start(call, &id, &why);
        if (!failed(e))
            return;
        item_failed(call, id, e, &why);
    }
    finish(call);
}

void devices_bulk(struct call *call)
{
    struct why why = {0};
    const struct json *items = json_root(&call->body);
    size_t count = json_count(items);
    struct err e = OK;
    call->bulk = arena_take(&call->x->arena, sizeof *call->bulk);
    if (json_kind(items) != JSON_KIND_ARRAY || count == 0 || count > BULK_MAX)
        e = why_fail(&why, ERR_HUB_ARGUMENT, "the body must be an array of 1 to %d devices", BULK_MAX);
    else if (call->bulk == NULL)
        e = FAIL(ERR_NO_MEMORY);
    if (failed(e)) {
        call_refuse(call, e, &why);
        return;
    }
    json_begin(&call->bulk->w, &call->x->body);
    json_object_open(&call->bulk->w);
    json_key(&call->bulk->w, "errors");
    json_array_open(&call->bulk->w);
    go_on(call);
}
