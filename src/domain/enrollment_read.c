// Reads and validates the JSON of an enrollment (service-api A.5, A.7). One function per member or small
// group of them.
#include "domain/attestation.h"
#include "domain/identifier.h"
#include "domain/want.h"

#include "domain/service.h"
#include "domain/words.h"

enum { TEXT_MAX = 256, URL_MAX = 2048, HUBS_TEXT_MAX = 16 * 1024, TWIN_TEXT_MAX = 128 * 1024 };

struct reading {
    struct arena *arena;
    const struct json_in *in;
    const struct enrollment *stored;
    struct enrollment *out;
    struct why *why;
};

static struct err read_id(struct reading *r, struct slice path_id)
{
    const char *name = r->out->kind == ENROLLMENT_GROUP ? "enrollmentGroupId" : "registrationId";
    TRY(want_copy(r->in, name, JSON_REQUIRED, TEXT_MAX, r->arena, &r->out->id, r->why));
    if (path_id.len > 0 && !slice_equal_nocase(r->out->id, path_id))
        return json_refuse(r->in, name, r->why, "is not the ID in the path");
    return registration_id_check(r->out->id, name, r->why);
}

static struct err read_device_id(struct reading *r)
{
    if (r->out->kind == ENROLLMENT_GROUP)
        return OK;
    TRY(want_copy(r->in, "deviceId", JSON_OPTIONAL, TEXT_MAX, r->arena, &r->out->device_id, r->why));
    TRY(r->out->device_id.len == 0 ? OK : device_id_check(r->out->device_id, "deviceId", r->why));
    return want_object_text(r->in, "optionalDeviceInformation", r->arena, &r->out->device_information,
                            r->why);
}

static struct err read_attestation(struct reading *r)
{
    struct json_in in;
    TRY(json_want_object(r->in, "attestation", JSON_REQUIRED, &in, r->why));
    const struct attestation *stored = r->stored != NULL ? &r->stored->attestation : NULL;
    return attestation_read(r->arena, &in, r->out->kind, stored, &r->out->attestation, r->why);
}

static struct err read_capabilities(struct reading *r)
{
    struct json_in in;
    bool edge = false;
    TRY(json_want_object(r->in, "capabilities", JSON_OPTIONAL, &in, r->why));
    TRY(json_want_bool(&in, "iotEdge", JSON_OPTIONAL, &edge, r->why));
    if (in.object != NULL)
        r->out->iot_edge = edge ? SWITCH_ON : SWITCH_OFF;
    return OK;
}

// null is kept apart from absent: it is echoed.
static struct err read_provisioning_status(struct reading *r)
{
    static const char *const words[] = {"", "", "enabled", "disabled"};
    static const struct names takes = {words, sizeof words / sizeof words[0]};
    unsigned status = PROVISIONING_UNSET;
    if (json_kind(json_get(r->in->object, "provisioningStatus")) == JSON_KIND_NULL)
        status = PROVISIONING_NULL;
    TRY(want_word(r->in, "provisioningStatus", JSON_OPTIONAL, &takes, &status, r->why));
    r->out->provisioning_status = (enum provisioning_status)status;
    return OK;
}

static struct err read_reprovision_policy(struct reading *r)
{
    struct json_in in;
    TRY(json_want_object(r->in, "reprovisionPolicy", JSON_OPTIONAL, &in, r->why));
    if (in.object == NULL)
        return OK;
    r->out->reprovision_set = true;
    TRY(json_want_bool(&in, "updateHubAssignment", JSON_REQUIRED, &r->out->update_hub_assignment, r->why));
    return json_want_bool(&in, "migrateDeviceData", JSON_REQUIRED, &r->out->migrate_device_data, r->why);
}

// What is kept is {"tags":…,"properties":{"desired":…}} with the operator's own members verbatim; a null in
// place of an object counts as absent.
static struct err read_initial_twin(struct reading *r)
{
    struct json_in twin;
    struct json_in tags;
    struct json_in properties;
    struct json_in desired;
    struct json_writer w;
    TRY(json_want_object(r->in, "initialTwin", JSON_OPTIONAL, &twin, r->why));
    TRY(json_want_object(&twin, "tags", JSON_OPTIONAL, &tags, r->why));
    TRY(json_want_object(&twin, "properties", JSON_OPTIONAL, &properties, r->why));
    TRY(json_want_object(&properties, "desired", JSON_OPTIONAL, &desired, r->why));
    if (twin.object == NULL)
        return OK;
    struct buf text = buf_capped(TWIN_TEXT_MAX);
    json_begin(&w, &text);
    json_object_open(&w);
    if (tags.object != NULL)
        json_field_node(&w, "tags", tags.object);
    if (properties.object != NULL) {
        json_key(&w, "properties");
        json_object_open(&w);
        if (desired.object != NULL)
            json_field_node(&w, "desired", desired.object);
        json_object_close(&w);
    }
    json_object_close(&w);
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(r->arena, buf_slice(&text), &r->out->initial_twin);
    buf_release(&text);
    return e;
}

static struct err read_hubs(struct reading *r)
{
    const struct json *hubs = NULL;
    struct json_writer w;
    TRY(json_want_array(r->in, "iotHubs", JSON_OPTIONAL, SERVICE_HUBS_MAX, &hubs, r->why));
    size_t count = json_count(hubs);
    for (size_t i = 0; i < count; i++) {
        struct slice host = {0};
        TRY(json_want_string_at(r->in, "iotHubs", i, TEXT_MAX, &host, r->why));
        TRY(host_check(host, "iotHubs", r->why));
    }
    if (count == 0)
        return OK;
    if (r->out->allocation == ALLOCATION_UNSET)
        return why_fail(r->why, ERR_INVALID,
                        "Enrollment allocationPolicy must be specified when iotHubs are specified.");
    if (r->out->allocation == ALLOCATION_STATIC && count > 1)
        return json_refuse(r->in, "iotHubs", r->why, "has %zu hubs; a static allocationPolicy takes one",
                           count);
    struct buf text = buf_capped(HUBS_TEXT_MAX);
    json_begin(&w, &text);
    json_node(&w, hubs);
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(r->arena, buf_slice(&text), &r->out->hubs);
    buf_release(&text);
    return e;
}

static struct err read_webhook(struct reading *r)
{
    struct json_in in;
    TRY(json_want_object(r->in, "customAllocationDefinition", JSON_OPTIONAL, &in, r->why));
    if (in.object == NULL && r->out->allocation == ALLOCATION_CUSTOM)
        return why_fail(
            r->why, ERR_INVALID,
            "A CustomAllocationDefinition is required when the allocation policy is set to 'Custom'");
    if (in.object == NULL)
        return OK;
    TRY(want_copy(&in, "webhookUrl", JSON_REQUIRED, URL_MAX, r->arena, &r->out->webhook_url, r->why));
    TRY(want_copy(&in, "apiVersion", JSON_REQUIRED, TEXT_MAX, r->arena, &r->out->webhook_api_version,
                  r->why));
    // whether http is called at all is a setting of the daemon (webhook.allowHttp)
    struct slice url = r->out->webhook_url;
    bool https = slice_starts_with_nocase(url, SLICE("https://")) && url.len > 8;
    if (!https && (!slice_starts_with_nocase(url, SLICE("http://")) || url.len < 8))
        return json_refuse(&in, "webhookUrl", r->why, "must be an https URL");
    if (r->out->webhook_api_version.len == 0)
        return json_refuse(&in, "apiVersion", r->why, "is empty");
    return OK;
}

static struct err read_allocation(struct reading *r)
{
    unsigned policy = ALLOCATION_UNSET;
    TRY(want_word(r->in, "allocationPolicy", JSON_OPTIONAL, &allocation_policy_names, &policy, r->why));
    r->out->allocation = (enum allocation_policy)policy;
    TRY(want_copy(r->in, "iotHubHostName", JSON_OPTIONAL, TEXT_MAX, r->arena, &r->out->hub_host_name,
                  r->why));
    TRY(r->out->hub_host_name.len == 0 ? OK : host_check(r->out->hub_host_name, "iotHubHostName", r->why));
    TRY(read_hubs(r));
    return read_webhook(r);
}

struct err enrollment_read(struct arena *arena, const struct json *body, enum enrollment_kind kind,
                           struct slice id, const struct enrollment *stored, struct enrollment *out,
                           struct why *why)
{
    struct json_in in;
    struct reading r = {arena, &in, stored, out, why};
    *out = (struct enrollment){.kind = kind};
    TRY(json_in_root(body, "the enrollment", &in, why));
    TRY(read_id(&r, id));
    TRY(read_device_id(&r));
    TRY(read_attestation(&r));
    TRY(read_capabilities(&r));
    TRY(read_provisioning_status(&r));
    TRY(read_reprovision_policy(&r));
    TRY(read_initial_twin(&r));
    TRY(read_allocation(&r));
    struct err e = enrollment_words(arena, out, &out->words);
    return e.code == ERR_INVALID ? json_refuse(&in, "attestation", why, "has a certificate without a name")
                                 : e;
}
