// GET, PATCH and PUT of one twin.
#include "embedded/call.h"

void twin_get(struct call *call)
{
    call->write = twin_write;
    call_show_device(call);
}

static struct err change(struct device_update *u, struct device *device)
{
    struct call *call = u->context;
    uint8_t room[ETAG_ROOM];
    struct buf etag = {.at = room, .room = sizeof room, .cap = sizeof room};
    twin_etag_write(&etag, device);
    TRY(call_match(call, buf_slice(&etag)));
    u->unchanged = call->how == TWIN_MERGE && call->parts.tags == NULL && call->parts.desired == NULL;
    if (u->unchanged)
        return OK;
    return twin_apply(&u->arena, device, call->how, true, &call->parts, embedded_wall_us(call->embedded),
                      &u->why);
}

static void changed(struct device_update *u)
{
    struct call *call = u->context;
    if (failed(u->result)) {
        call_refuse(call, u->result, &u->why);
        return;
    }
    if (call->parts.desired != NULL)
        call_push_desired(call, call->id, call->parts.desired, u->device->desired_version);
    call_answer_device(call, u->device, u->unchanged ? NULL : "hub.twin_updated");
}

static void update(struct call *call, enum twin_how how)
{
    struct why why = {0};
    struct err e = twin_parts_read(json_root(&call->body), &call->parts, &why);
    if (failed(e)) {
        call_refuse(call, e, &why);
        return;
    }
    call->write = twin_write;
    call->how = how;
    call_update_init(call, change, changed);
    device_update_start(&call->update);
}

void twin_patch(struct call *call)
{
    update(call, TWIN_MERGE);
}

void twin_put(struct call *call)
{
    update(call, TWIN_REPLACE);
}
