// Reads registration requests and writes their results.
#include "api/device/messages.h"

#include "base/instant.h"
#include "domain/identifier.h"
#include "json/json.h"
#include "json/write.h"

static struct err body_take(const struct json_doc *doc, struct slice registration_id, struct arena *arena,
                            struct slice *payload, struct why *why)
{
    struct json_in in;
    struct slice id = {0};
    TRY(json_in_root(json_root(doc), "the body", &in, why));
    TRY(json_want_string(&in, "registrationId", JSON_OPTIONAL, REGISTRATION_ID_MAX, &id, why));
    if (id.len > 0 && !slice_equal_nocase(id, registration_id)) {
        return why_fail(why, ERR_INVALID,
                        "registrationId in the body is \"%.*s\", but the device is \"%.*s\"", SLICE_ARG(id),
                        SLICE_ARG(registration_id));
    }
    const struct json *value = json_get(in.object, "payload");
    if (!json_given(value))
        return OK;
    struct buf text = buf_capped(JSON_LIMITS_DEFAULT.bytes * 2);
    struct json_writer w;
    json_begin(&w, &text);
    json_node(&w, value);
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&text), payload);
    buf_release(&text);
    return e;
}

struct err device_body_read(struct slice text, struct slice registration_id, struct arena *arena,
                            struct slice *payload, struct why *why)
{
    *payload = (struct slice){0};
    if (slice_empty(slice_trim(text)))
        return OK;
    struct json_doc doc = {0};
    TRY(json_read(text, JSON_LIMITS_DEFAULT, &doc, why));
    struct err e = body_take(&doc, registration_id, arena, payload, why);
    json_doc_release(&doc);
    return e;
}

static void instant_field(struct json_writer *w, const char *key, int64_t us)
{
    char text[40];
    struct buf out = {.at = (uint8_t *)text, .room = sizeof text, .cap = sizeof text};
    instant_format(&out, us);
    json_field_text(w, key, buf_slice(&out));
}

static void etag_field(struct json_writer *w, uint64_t etag)
{
    char text[ETAG_TEXT_MAX];
    struct buf out = {.at = (uint8_t *)text, .room = sizeof text, .cap = sizeof text};
    etag_write(&out, etag);
    json_field_text(w, "etag", buf_slice(&out));
}

// How the device proved itself: an object that says so, with the group it came in by.
static void attestation_field(struct json_writer *w, const struct flow_outcome *outcome)
{
    static const char *const keys[] = {
        [ATTESTATION_SYMMETRIC_KEY] = "symmetricKey", [ATTESTATION_X509] = "x509"};
    if (outcome->attestation != ATTESTATION_SYMMETRIC_KEY && outcome->attestation != ATTESTATION_X509)
        return;
    json_key(w, keys[outcome->attestation]);
    json_object_open(w);
    json_field_text_if(w, "enrollmentGroupId", outcome->group_id);
    json_object_close(w);
}

// Absent members are left out, never null, and assignedHub comes with deviceId or not at all (device-protocol
// 0.8, 8.3).
static void result_object(struct json_writer *w, const struct flow_outcome *outcome)
{
    const struct registration *r = outcome->registration;
    bool assigned = r->status == STATUS_ASSIGNED;
    json_object_open(w);
    if (assigned)
        attestation_field(w, outcome);
    json_field_text(w, "registrationId", r->id);
    instant_field(w, "createdDateTimeUtc", r->created_us);
    if (assigned) {
        json_field_text(w, "assignedHub", r->assigned_hub);
        json_field_text(w, "deviceId", r->device_id);
    }
    json_field_text(w, "status", name_of(&registration_status_names, r->status));
    if (assigned)
        json_field_text_if(w, "substatus", name_of(&registration_substatus_names, r->substatus));
    if (r->error_code != 0) {
        json_field_number(w, "errorCode", r->error_code);
        json_field_text(w, "errorMessage", r->error_message);
    }
    instant_field(w, "lastUpdatedDateTimeUtc", r->updated_us);
    etag_field(w, r->etag);
    if (assigned && r->payload.len > 0)
        json_field_raw(w, "payload", r->payload);
    json_object_close(w);
}

void device_operation_write(struct buf *out, const struct flow_outcome *outcome)
{
    const struct registration *r = outcome->registration;
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_field_text(&w, "operationId", r->operation_id);
    json_field_text(&w, "status", name_of(&registration_status_names, r->status));
    json_key(&w, "registrationState");
    result_object(&w, outcome);
    json_object_close(&w);
}

void device_result_write(struct buf *out, const struct flow_outcome *outcome)
{
    struct json_writer w;
    json_begin(&w, out);
    result_object(&w, outcome);
}
