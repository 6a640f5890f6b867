// Reads registration requests and writes their results.
#include "api/device/messages.h"

#include "base/instant.h"
#include "base/text.h"
#include "domain/identifier.h"
#include "json/json.h"
#include "json/write.h"

enum { BASE64_CERTIFICATE_MAX = (DEVICE_TPM_CERTIFICATE_MAX + 2) / 3 * 4 };
enum { BASE64_PUBLIC_MAX = (TPM_PUBLIC_MAX + 2) / 3 * 4 };

bool device_is_token(struct slice text)
{
    return slice_starts_with_nocase(text, SLICE("SharedAccessSignature"));
}

struct slice device_shown(struct slice text)
{
    return device_is_token(text) ? SLICE("(a SAS token, which is left out)") : text;
}

// ---- tpm
// -------------------------------------------------------------------------------------------------------------

static struct err want_public(const struct json_in *in, const char *name, enum tpm_key which,
                              struct arena *arena, struct slice *out, struct why *why)
{
    struct slice text = {0};
    struct why reason = {0};
    TRY(json_want_string(in, name, JSON_REQUIRED, BASE64_PUBLIC_MAX, &text, why));
    struct err e = b64_decode_arena(arena, text, out);
    if (e.code == ERR_MALFORMED)
        return json_refuse(in, name, why, "must be the TPM2B_PUBLIC in base64");
    TRY(e);
    e = tpm_public_check(*out, which, &reason);
    return e.code == ERR_INVALID ? json_refuse(in, name, why, "is refused: %s", reason.text) : e;
}

static struct err want_certificate(const struct json_in *in, size_t index, struct arena *arena,
                                   struct slice *out, struct why *why)
{
    const char *name = "endorsementCertificates";
    struct slice text = {0};
    TRY(json_want_string_at(in, name, index, BASE64_CERTIFICATE_MAX, &text, why));
    struct err e = b64_decode_arena(arena, text, out);
    return e.code == ERR_MALFORMED || out->len == 0
               ? json_refuse(in, name, why, "must be an array of certificates (DER) in base64")
               : e;
}

static struct err want_chain(const struct json_in *in, struct arena *arena, struct chain **out,
                             struct why *why)
{
    const char *name = "endorsementCertificates";
    const struct json *array = NULL;
    struct slice certificates[CHALLENGE_CERTIFICATES_MAX];
    TRY(json_want_array(in, name, JSON_OPTIONAL, CHALLENGE_CERTIFICATES_MAX, &array, why));
    size_t count = json_count(array);
    for (size_t i = 0; i < count; i++)
        TRY(want_certificate(in, i, arena, &certificates[i], why));
    if (count == 0)
        return OK;
    struct chain *chain = NULL;
    TRY(chain_new(certificates, count, &chain));
    const struct why *problem = chain_problem(chain);
    struct err e = problem != NULL ? json_refuse(in, name, why, "is refused: %s", problem->text) : OK;
    if (failed(e))
        chain_release(chain);
    else
        *out = chain;
    return e;
}

static struct err tpm_take(const struct json_in *body, struct arena *arena, struct device_tpm *out,
                           struct why *why)
{
    struct json_in in;
    TRY(json_want_string(body, "authorization", JSON_OPTIONAL, SAS_TOKEN_MAX, &out->authorization, why));
    TRY(arena_copy(arena, out->authorization, &out->authorization));
    TRY(json_want_object(body, "tpm", JSON_OPTIONAL, &in, why));
    if (in.object == NULL)
        return OK;
    TRY(want_public(&in, "endorsementKey", TPM_ENDORSEMENT_KEY, arena, &out->identity.endorsement_key, why));
    TRY(want_public(&in, "storageRootKey", TPM_STORAGE_ROOT_KEY, arena, &out->identity.storage_root_key,
                    why));
    return want_chain(&in, arena, &out->chain, why);
}

// ---- the body
// --------------------------------------------------------------------------------------------------------

static struct err body_take(const struct json_doc *doc, struct slice registration_id, struct arena *arena,
                            struct slice *payload, struct device_tpm *tpm, struct why *why)
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
        return tpm != NULL ? tpm_take(&in, arena, tpm, why) : OK;
    struct buf text = buf_capped(JSON_LIMITS_DEFAULT.bytes * 2);
    struct json_writer w;
    json_begin(&w, &text);
    json_node(&w, value);
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&text), payload);
    buf_release(&text);
    TRY(e);
    return tpm != NULL ? tpm_take(&in, arena, tpm, why) : OK;
}

static struct err body_read(struct slice text, struct slice registration_id, struct arena *arena,
                            struct slice *payload, struct device_tpm *tpm, struct why *why)
{
    *payload = (struct slice){0};
    if (slice_empty(slice_trim(text)))
        return OK;
    struct json_doc doc = {0};
    TRY(json_read(text, JSON_LIMITS_DEFAULT, &doc, why));
    struct err e = body_take(&doc, registration_id, arena, payload, tpm, why);
    json_doc_release(&doc);
    return e;
}

struct err device_body_read(struct slice text, struct slice registration_id, struct arena *arena,
                            struct slice *payload, struct why *why)
{
    return body_read(text, registration_id, arena, payload, NULL, why);
}

struct err device_body_read_tpm(struct slice text, struct slice registration_id, struct arena *arena,
                                struct slice *payload, struct device_tpm *tpm, struct why *why)
{
    *tpm = (struct device_tpm){0};
    return body_read(text, registration_id, arena, payload, tpm, why);
}

// ---- answers
// ---------------------------------------------------------------------------------------------------------

static void base64_field(struct json_writer *w, const char *key, struct slice bytes)
{
    char text[(TPM_BLOB_MAX + 2) / 3 * 4];
    struct buf out = {.at = (uint8_t *)text, .room = sizeof text, .cap = sizeof text};
    b64_encode(&out, bytes);
    json_field_text(w, key, buf_slice(&out));
}

void device_challenge_write(struct buf *out, const struct flow_outcome *outcome)
{
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_field_text(&w, "message", SLICE("Authorization required"));
    base64_field(&w, "authenticationKey", outcome->challenge);
    json_field_text(&w, "keyName", SLICE("registration"));
    json_object_close(&w);
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

// A device with a TPM finds its key for the hub here, wrapped (device-protocol 6.2).
static void tpm_field(struct json_writer *w, struct slice authentication_key)
{
    if (authentication_key.len == 0)
        return;
    json_key(w, "tpm");
    json_object_open(w);
    base64_field(w, "authenticationKey", authentication_key);
    json_object_close(w);
}

// How the device proved itself: an object that says so, with the group it came in by.
static void attestation_field(struct json_writer *w, const struct flow_outcome *outcome)
{
    static const char *const keys[] = {
        [ATTESTATION_SYMMETRIC_KEY] = "symmetricKey", [ATTESTATION_X509] = "x509"};
    tpm_field(w, outcome->authentication_key);
    if (outcome->attestation != ATTESTATION_SYMMETRIC_KEY && outcome->attestation != ATTESTATION_X509)
        return;
    json_key(w, keys[outcome->attestation]);
    json_object_open(w);
    json_field_text_if(w, "enrollmentGroupId", outcome->group_id);
    json_object_close(w);
}

// Absent members are left out, never null, and assignedHub comes with deviceId or not at all (device-protocol
// 0.8, 8.3).
static void result_object(struct json_writer *w, const struct flow_outcome *outcome, struct slice api_version)
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
        json_field_text_if(
            w, "substatus",
            name_of(&registration_substatus_names, registration_substatus_for(r, api_version)));
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

void device_operation_write(struct buf *out, const struct flow_outcome *outcome, struct slice api_version)
{
    const struct registration *r = outcome->registration;
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_field_text(&w, "operationId", r->operation_id);
    json_field_text(&w, "status", name_of(&registration_status_names, r->status));
    json_key(&w, "registrationState");
    result_object(&w, outcome, api_version);
    json_object_close(&w);
}

void device_result_write(struct buf *out, const struct flow_outcome *outcome, struct slice api_version)
{
    struct json_writer w;
    json_begin(&w, out);
    result_object(&w, outcome, api_version);
}
