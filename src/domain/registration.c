// How a registration is shown to operators.
#include "domain/registration.h"

#include "domain/decide.h"
#include "domain/want.h"

enum registration_substatus registration_substatus_for(const struct registration *r, struct slice api_version)
{
    struct slice first = SLICE("2019-04-15");
    bool old = api_version.len > 0 && slice_compare(slice_to(api_version, first.len), first) < 0;
    return old && r->substatus == SUBSTATUS_REPROVISIONED ? SUBSTATUS_INITIAL_ASSIGNMENT : r->substatus;
}

bool same_identity(struct slice hub, struct slice device_id, struct slice other_hub,
                   struct slice other_device_id)
{
    return slice_equal_nocase(hub, other_hub) && slice_equal(device_id, other_device_id);
}

bool registration_is_tidied(const struct registration *r)
{
    return r->status == STATUS_ASSIGNING && r->intended_hub.len == 0 && r->plan_steps == PLAN_REMOVE_LEFT;
}

static bool never_registered(const struct registration *r)
{
    return r == NULL || (r->status == STATUS_UNASSIGNED && r->created_us == 0);
}

static void write_members(struct json_writer *w, const struct registration *r, struct slice registration_id)
{
    static const struct registration nothing;
    bool never = never_registered(r);
    if (never)
        r = &nothing;
    json_field_text(w, "registrationId", registration_id.len > 0 ? registration_id : r->id);
    if (!never)
        field_instant(w, "createdDateTimeUtc", r->created_us);
    // clients want both or neither (device-protocol 8.3)
    if (r->assigned_hub.len > 0 && r->device_id.len > 0) {
        json_field_text(w, "assignedHub", r->assigned_hub);
        json_field_text(w, "deviceId", r->device_id);
    }
    field_word_if(w, "status", &registration_status_names, r->status);
    field_word_if(w, "substatus", &registration_substatus_names, r->substatus);
    if (r->error_code != 0)
        json_field_number(w, "errorCode", r->error_code);
    json_field_text_if(w, "errorMessage", r->error_message);
    if (!never) {
        field_instant(w, "lastUpdatedDateTimeUtc", r->updated_us);
        field_etag(w, r->etag);
    }
    field_json_if(w, "payload", r->payload);
}

struct err registration_write(struct json_writer *w, const struct registration *r,
                              struct slice registration_id)
{
    json_object_open(w);
    write_members(w, r, registration_id);
    json_object_close(w);
    return buf_err(w->out);
}

struct err registration_write_all(struct json_writer *w, const struct registration *r)
{
    json_object_open(w);
    write_members(w, r, r->id);
    json_field_text_if(w, "address", r->address);
    json_field_text_if(w, "intendedHub", r->intended_hub);
    json_field_text_if(w, "intendedDeviceId", r->intended_device_id);
    json_field_text_if(w, "leftHub", r->left_hub);
    json_field_text_if(w, "leftDeviceId", r->left_device_id);
    json_object_close(w);
    return buf_err(w->out);
}
