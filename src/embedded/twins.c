// GET, PATCH and PUT of one twin.
#include "embedded/call.h"
#include "embedded/presence.h"

static void answer_twin(struct call *call, const struct device *device, const char *event)
{
    struct json_writer w;
    json_begin(&w, &call->x->body);
    twin_write(&w, device, presence_of(call->embedded, call->hub->host, device->id));
    call_answer(call, 200, event);
}

static void got(struct store_request *request)
{
    struct call *call = request->context;
    if (failed(request->result))
        call_refuse(call, request->result, &request->why);
    else
        answer_twin(call, request->found, NULL);
}

void twin_get(struct call *call)
{
    call_read_device(call, got);
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
    answer_twin(call, u->device, u->unchanged ? NULL : "hub.twin_updated");
}

static void update(struct call *call, enum twin_how how)
{
    struct why why = {0};
    struct err e = twin_parts_read(json_root(&call->body), &call->parts, &why);
    if (failed(e)) {
        call_refuse(call, e, &why);
        return;
    }
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
