// Writes an enrollment as an answer shows it. The order of the members is that recorded from the real
// service.
#include "domain/enrollment.h"

#include "domain/registration.h"
#include "domain/want.h"

static void write_provisioning_status(struct json_writer *w, enum provisioning_status status)
{
    json_key(w, "provisioningStatus");
    if (status == PROVISIONING_NULL)
        json_nothing(w);
    else
        json_text(w, name_of(&provisioning_status_names,
                             status == PROVISIONING_DISABLED ? PROVISIONING_DISABLED : PROVISIONING_ENABLED));
}

static void write_reprovision_policy(struct json_writer *w, const struct enrollment *e)
{
    if (!e->reprovision_set)
        return;
    json_key(w, "reprovisionPolicy");
    json_object_open(w);
    json_field_bool(w, "updateHubAssignment", e->update_hub_assignment);
    json_field_bool(w, "migrateDeviceData", e->migrate_device_data);
    json_object_close(w);
}

// More than an enrollment may have (enrollment_read.c) and the mask.
enum { URL_SHOWN_MAX = 4096 };

static void write_url(struct json_writer *w, struct slice url, enum enrollment_view view)
{
    uint8_t room[URL_SHOWN_MAX];
    struct buf hidden = {.at = room, .room = sizeof room, .cap = sizeof room};
    size_t query = slice_find_byte(url, '?');
    if (view != ENROLLMENT_FOR_WEBHOOK || query == url.len) {
        json_field_text(w, "webhookUrl", url);
        return;
    }
    buf_bytes(&hidden, slice_to(url, query));
    buf_text(&hidden, "?****");
    json_field_text(w, "webhookUrl", buf_slice(&hidden));
}

static void write_webhook(struct json_writer *w, const struct enrollment *e, enum enrollment_view view)
{
    if (e->webhook_url.len == 0)
        return;
    json_key(w, "customAllocationDefinition");
    json_object_open(w);
    write_url(w, e->webhook_url, view);
    json_field_text(w, "apiVersion", e->webhook_api_version);
    json_object_close(w);
}

static void write_capabilities(struct json_writer *w, enum switch_state edge)
{
    if (edge == SWITCH_UNSET)
        return;
    json_key(w, "capabilities");
    json_object_open(w);
    json_field_bool(w, "iotEdge", edge == SWITCH_ON);
    json_object_close(w);
}

struct err enrollment_write(struct json_writer *w, const struct enrollment *e, enum enrollment_view view,
                            const struct registration *state)
{
    json_object_open(w);
    json_field_text(w, e->kind == ENROLLMENT_GROUP ? "enrollmentGroupId" : "registrationId", e->id);
    json_field_text_if(w, "deviceId", e->device_id);
    if (state != NULL) {
        json_key(w, "registrationState");
        TRY(registration_write(w, state, e->id));
    }
    field_json_if(w, "optionalDeviceInformation", e->device_information);
    json_key(w, "attestation");
    TRY(attestation_write(w, &e->attestation, view));
    write_capabilities(w, e->iot_edge);
    json_field_text_if(w, "iotHubHostName", e->hub_host_name);
    field_json_if(w, "initialTwin", e->initial_twin);
    if (view == ENROLLMENT_FOR_WEBHOOK)
        field_etag_plain(w, e->etag);
    else
        field_etag(w, e->etag);
    write_provisioning_status(w, e->provisioning_status);
    write_reprovision_policy(w, e);
    field_instant(w, "createdDateTimeUtc", e->created_us);
    field_instant(w, "lastUpdatedDateTimeUtc", e->updated_us);
    field_word_if(w, "allocationPolicy", &allocation_policy_names, e->allocation);
    field_json_if(w, "iotHubs", e->hubs);
    write_webhook(w, e, view);
    json_object_close(w);
    return buf_err(w->out);
}
