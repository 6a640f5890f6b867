// GET, PUT and DELETE of one device identity.
#include "embedded/call.h"

void device_get(struct call *call)
{
    call->write = device_write;
    call_show_device(call);
}

static struct err match_identity(struct call *call, const struct device *device)
{
    uint8_t room[ETAG_ROOM];
    struct buf etag = {.at = room, .room = sizeof room, .cap = sizeof room};
    device_etag_write(&etag, device);
    return call_match(call, buf_slice(&etag));
}

// ---- PUT ----------------------------------------------------------------------------------------
static struct err replace(struct device_update *u, struct device *device)
{
    struct call *call = u->context;
    int64_t now = embedded_wall_us(call->embedded);
    TRY(match_identity(call, device));
    TRY(device_read(&u->arena, json_root(&call->body), "deviceId", now, device, &u->why));
    call_make_keys(call, device);
    device->identity_version++;
    device->updated_us = now;
    return OK;
}

static void put_done(struct device_update *u)
{
    struct call *call = u->context;
    if (failed(u->result)) {
        call_refuse(call, u->result, &u->why);
        return;
    }
    if (!u->created)
        call_recheck(call, call->id);
    call_answer_device(call, u->device, u->created ? "hub.device_created" : "hub.device_updated");
}

static struct err create(struct call *call, struct why *why)
{
    struct device_update *u = &call->update;
    struct device *device = arena_take(&u->arena, sizeof *device);
    int64_t now = embedded_wall_us(call->embedded);
    if (device == NULL)
        return FAIL(ERR_NO_MEMORY);
    TRY(device_fresh(&u->arena, call->id, now, random_etag(u->random), device));
    TRY(device_read(&u->arena, json_root(&call->body), "deviceId", now, device, why));
    call_make_keys(call, device);
    device_update_create(u, device);
    return OK;
}

void device_put(struct call *call)
{
    struct why why = {0};
    call->write = device_write;
    call_update_init(call, call->has_etag ? replace : NULL, put_done);
    struct err e = OK;
    if (call->has_etag)
        device_update_start(&call->update);
    else
        e = create(call, &why);
    if (failed(e))
        call_refuse(call, e, &why);
}

// ---- DELETE -------------------------------------------------------------------------------------
static struct err remove_device(struct device_update *u, struct device *device)
{
    u->remove = true;
    return match_identity(u->context, device);
}

static void delete_done(struct device_update *u)
{
    struct call *call = u->context;
    if (failed(u->result)) {
        call_refuse(call, u->result, &u->why);
        return;
    }
    call_recheck(call, call->id);
    call_answer(call, 204, "hub.device_deleted");
}

void device_delete(struct call *call)
{
    struct why why = {"If-Match is required: an etag, or \"*\""};
    if (!call->has_etag) {
        call_refuse(call, FAIL(ERR_HUB_ARGUMENT), &why);
        return;
    }
    call_update_init(call, remove_device, delete_done);
    device_update_start(&call->update);
}
