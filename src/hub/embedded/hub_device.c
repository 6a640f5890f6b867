// Keeping, setting, resetting and importing of twins, on records.
#include "hub/embedded/hub_device.h"

#include "domain/identifier.h"

struct err hub_twin_read(struct hub_request *request, struct hub_twin_parts *out)
{
    if (request->twin_how == HUB_TWIN_KEEP)
        return OK;
    if (!slice_empty(request->twin)) {
        TRY(json_read(request->twin, JSON_LIMITS_DEFAULT, &out->twin, &request->why));
        TRY(twin_parts_read(json_root(&out->twin), &out->parts, &request->why));
    }
    out->parts.reported = NULL; // an initial twin has none
    if (request->twin_how != HUB_TWIN_IMPORT || slice_empty(request->reported))
        return OK;
    TRY(json_read(request->reported, JSON_LIMITS_DEFAULT, &out->reported, &request->why));
    const struct json *reported = json_root(&out->reported);
    if (json_kind(reported) != JSON_KIND_OBJECT)
        return why_fail(&request->why, ERR_INVALID, "the reported properties are no object");
    out->parts.reported = json_count(reported) > 0 ? reported : NULL;
    return OK;
}

void hub_twin_release(struct hub_twin_parts *twin)
{
    json_doc_release(&twin->twin);
    json_doc_release(&twin->reported);
    twin->parts = (struct twin_parts){0};
}

static bool identity_same(const struct device *d, const struct hub_identity *i)
{
    return d->authentication == i->authentication && secret_equal(&d->primary_key, &i->primary_key) &&
           secret_equal(&d->secondary_key, &i->secondary_key) &&
           slice_equal(d->primary_thumbprint, i->primary_thumbprint) &&
           slice_equal(d->secondary_thumbprint, i->secondary_thumbprint) &&
           (i->iot_edge == SWITCH_UNSET || i->iot_edge == d->iot_edge);
}

static void identity_set(struct device *d, const struct hub_identity *i)
{
    d->authentication = i->authentication;
    d->primary_key = i->primary_key;
    d->secondary_key = i->secondary_key;
    d->primary_thumbprint = i->primary_thumbprint;
    d->secondary_thumbprint = i->secondary_thumbprint;
    if (i->iot_edge != SWITCH_UNSET)
        d->iot_edge = i->iot_edge;
}

// With what it is given from the start, which is its first version; reported properties were reported since.
static struct err furnish(struct arena *arena, const struct hub_request *request,
                          const struct twin_parts *parts, struct device *device, struct why *why)
{
    if (parts->tags != NULL || parts->desired != NULL) {
        TRY(twin_apply(arena, device, TWIN_REPLACE, false, parts, request->now_us, why));
        device->desired_version = device->twin_version = 1;
    }
    if (parts->reported == NULL)
        return OK;
    return twin_change(arena, device, TWIN_REPORTED, TWIN_REPLACE, parts->reported, request->now_us, why);
}

struct err hub_device_make(struct arena *arena, struct random *random, struct hub_request *request,
                           const struct hub_twin_parts *twin, struct device *out)
{
    TRY(device_id_check(request->identity.device_id, "deviceId", &request->why));
    TRY(device_fresh(arena, request->identity.device_id, request->now_us, random_etag(random), out));
    identity_set(out, &request->identity);
    return furnish(arena, request, &twin->parts, out, &request->why);
}

// As if it had been removed and made anew, but for what its operator decided about it.
static struct err renew(struct arena *arena, struct random *random, const struct hub_request *request,
                        const struct hub_twin_parts *twin, struct device *device, struct why *why)
{
    struct device made;
    TRY(device_fresh(arena, device->id, request->now_us, random_etag(random), &made));
    made.status = device->status;
    made.status_reason = device->status_reason;
    made.status_updated_us = device->status_updated_us;
    made.iot_edge = device->iot_edge;
    identity_set(&made, &request->identity);
    struct err e = furnish(arena, request, &twin->parts, &made, why);
    if (!failed(e))
        *device = made;
    bytes_wipe(&made, sizeof made);
    return e;
}

// Credentials and capabilities are refreshed, what the operator or the device wrote stays.
struct err hub_device_change(struct arena *arena, struct random *random, const struct hub_request *request,
                             const struct hub_twin_parts *twin, struct device *device, bool *changed,
                             bool *same, struct why *why)
{
    *changed = !identity_same(device, &request->identity);
    *same = !*changed && request->twin_how == HUB_TWIN_KEEP;
    if (*same)
        return OK;
    if (request->twin_how == HUB_TWIN_RESET || request->twin_how == HUB_TWIN_IMPORT) {
        *changed = true;
        return renew(arena, random, request, twin, device, why);
    }
    if (*changed)
        device->identity_version++;
    identity_set(device, &request->identity);
    device->updated_us = request->now_us;
    if (request->twin_how == HUB_TWIN_KEEP)
        return OK;
    return twin_apply(arena, device, TWIN_REPLACE, true, &twin->parts, request->now_us, why);
}

struct err hub_device_tell(struct hub_request *request, const struct device *device)
{
    request->found = device != NULL;
    if (device == NULL)
        return OK;
    request->identity.iot_edge = device->iot_edge == SWITCH_ON ? SWITCH_ON : SWITCH_OFF;
    TRY(arena_copy(request->arena, device->reported, &request->reported));
    uint8_t *text = arena_take(request->arena, device->tags.len + device->desired.len + 64);
    if (text == NULL)
        return FAIL(ERR_NO_MEMORY);
    struct buf out = {.at = text,
                      .room = device->tags.len + device->desired.len + 64,
                      .cap = device->tags.len + device->desired.len + 64};
    struct json_writer w;
    json_begin(&w, &out);
    json_object_open(&w);
    json_field_raw(&w, "tags", device->tags);
    json_key(&w, "properties");
    json_object_open(&w);
    json_field_raw(&w, "desired", device->desired);
    json_object_close(&w);
    json_object_close(&w);
    request->twin = buf_slice(&out);
    return buf_err(&out);
}
