// Writes identities and twins, reads answers.
#include "hub/azure/message.h"

#include "base/text.h"
#include "json/json.h"
#include "json/write.h"

static const struct json_limits answer_limits = {.bytes = AZURE_ANSWER_MAX, .depth = JSON_DEPTH_MAX};
enum { KEY_TEXT_MAX = 92, ETAG_LONGEST = 128 };

// --- writing
// -----------------------------------------------------------------------------------------------------------

static void write_key(struct json_writer *w, const char *name, const struct secret *key)
{
    uint8_t room[KEY_TEXT_MAX];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    b64_encode(&text, secret_slice(key));
    json_field_text(w, name, buf_slice(&text));
    bytes_wipe(room, sizeof room);
}

static void write_authentication(struct json_writer *w, const struct hub_identity *identity)
{
    json_key(w, "authentication");
    json_object_open(w);
    json_field_text(w, "type", name_of(&hub_authentication_names, identity->authentication));
    if (identity->authentication == HUB_AUTH_SAS) {
        json_key(w, "symmetricKey");
        json_object_open(w);
        write_key(w, "primaryKey", &identity->primary_key);
        write_key(w, "secondaryKey", &identity->secondary_key);
        json_object_close(w);
    }
    if (identity->authentication == HUB_AUTH_SELF_SIGNED) {
        json_key(w, "x509Thumbprint");
        json_object_open(w);
        json_field_text(w, "primaryThumbprint", identity->primary_thumbprint);
        json_field_text(w, "secondaryThumbprint", identity->secondary_thumbprint);
        json_object_close(w);
    }
    json_object_close(w);
}

// What the hub had (NULL: nothing) with iotEdge as the enrollment has it, if it says anything.
static void write_capabilities(struct json_writer *w, const struct json *had,
                               const struct hub_identity *identity)
{
    json_key(w, "capabilities");
    json_object_open(w);
    bool said = had == NULL || identity->iot_edge != SWITCH_UNSET;
    for (struct json_each m = json_each(had); json_next(&m);) {
        if (said && slice_equal(m.key, SLICE("iotEdge")))
            continue;
        json_key_slice(w, m.key);
        json_node(w, m.value);
    }
    if (said)
        json_field_bool(w, "iotEdge", identity->iot_edge == SWITCH_ON);
    json_object_close(w);
}

struct err azure_identity_create(struct buf *out, const struct hub_identity *identity)
{
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_field_text(&w, "deviceId", identity->device_id);
    json_field_text(&w, "status", SLICE("enabled"));
    write_authentication(&w, identity);
    write_capabilities(&w, NULL, identity);
    json_object_close(&w);
    return buf_err(out);
}

// --- reading
// -----------------------------------------------------------------------------------------------------------

struct err azure_answer_read(struct slice answer, struct slice device_id, struct json_doc *doc,
                             struct why *why)
{
    struct why detail = {0};
    if (failed(json_read(answer, answer_limits, doc, &detail)))
        return why_fail(why, ERR_HUB_UNAVAILABLE, "the hub's answer makes no sense: %.160s", detail.text);
    struct err e = OK;
    struct slice named = json_as_string(json_get(json_root(doc), "deviceId"));
    if (json_kind(json_root(doc)) != JSON_KIND_OBJECT || named.len == 0)
        e = why_fail(why, ERR_HUB_UNAVAILABLE, "the hub's answer names no device");
    else if (!slice_equal(named, device_id))
        e = why_fail(why, ERR_HUB_REFUSED,
                     "the hub answered for device '%.*s', not for the one it was asked for",
                     named.len > 128 ? 128 : (int)named.len, (const char *)named.at);
    if (failed(e))
        json_doc_release(doc);
    return e;
}

// An empty key was left to the hub to make.
static bool key_echoed(const struct json *keys, const char *name, const struct secret *key)
{
    uint8_t bytes[SECRET_MAX];
    size_t len = 0;
    if (key->len == 0)
        return true;
    bool same = b64_decode(json_as_string(json_get(keys, name)), bytes, sizeof bytes, &len) &&
                bytes_equal_ct(slice_of(bytes, len), secret_slice(key));
    bytes_wipe(bytes, sizeof bytes);
    return same;
}

static bool thumbprint_echoed(const struct json *thumbprints, const char *name, struct slice thumbprint)
{
    return slice_equal_nocase(json_as_string(json_get(thumbprints, name)), thumbprint);
}

static bool credentials_echoed(const struct json *authentication, const struct hub_identity *identity)
{
    struct slice type = json_as_string(json_get(authentication, "type"));
    if (!slice_equal_nocase(type, name_of(&hub_authentication_names, identity->authentication)))
        return false;
    const struct json *keys = json_get(authentication, "symmetricKey");
    const struct json *thumbprints = json_get(authentication, "x509Thumbprint");
    if (identity->authentication == HUB_AUTH_SAS)
        return key_echoed(keys, "primaryKey", &identity->primary_key) &&
               key_echoed(keys, "secondaryKey", &identity->secondary_key);
    if (identity->authentication == HUB_AUTH_SELF_SIGNED)
        return thumbprint_echoed(thumbprints, "primaryThumbprint", identity->primary_thumbprint) &&
               thumbprint_echoed(thumbprints, "secondaryThumbprint", identity->secondary_thumbprint);
    return true;
}

struct err azure_identity_check(struct slice answer, const struct hub_identity *identity, struct why *why)
{
    struct json_doc doc = {0};
    TRY(azure_answer_read(answer, identity->device_id, &doc, why));
    struct err e = OK;
    if (!credentials_echoed(json_get(json_root(&doc), "authentication"), identity))
        e = why_fail(why, ERR_HUB_REFUSED, "the hub did not keep the credentials that it was given");
    json_doc_release(&doc);
    return e;
}

// --- adopting
// ----------------------------------------------------------------------------------------------------------

// It goes into a header: only what an entity tag may hold (RFC 9110 8.8.3).
static struct err take_etag(struct slice text, struct buf *etag, struct why *why)
{
    bool good = text.len <= ETAG_LONGEST;
    for (size_t i = 0; i < text.len && good; i++)
        good = text.at[i] > 0x20 && text.at[i] < 0x7f && text.at[i] != '"';
    if (!good)
        return why_fail(why, ERR_HUB_UNAVAILABLE, "the hub's answer makes no sense: its etag is none");
    buf_bytes(etag, text);
    return buf_err(etag);
}

static void write_adopted(struct buf *out, const struct json *had, const struct hub_identity *identity)
{
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    for (struct json_each m = json_each(had); json_next(&m);) {
        if (slice_equal(m.key, SLICE("authentication")) || slice_equal(m.key, SLICE("capabilities")))
            continue;
        json_key_slice(&w, m.key);
        json_node(&w, m.value);
    }
    write_authentication(&w, identity);
    write_capabilities(&w, json_get(had, "capabilities"), identity);
    json_object_close(&w);
}

struct err azure_identity_adopt(struct slice answer, const struct hub_identity *identity, struct buf *out,
                                struct buf *etag, struct why *why)
{
    struct json_doc doc = {0};
    TRY(azure_answer_read(answer, identity->device_id, &doc, why));
    struct err e = take_etag(json_as_string(json_get(json_root(&doc), "etag")), etag, why);
    if (!failed(e)) {
        write_adopted(out, json_root(&doc), identity);
        e = buf_err(out);
    }
    json_doc_release(&doc);
    return e;
}

static void write_renewed(struct buf *out, const struct json *had, const struct hub_identity *identity)
{
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_field_text(&w, "deviceId", identity->device_id);
    struct slice status = json_as_string(json_get(had, "status"));
    json_field_text(&w, "status", status.len > 0 ? status : SLICE("enabled"));
    json_field_text_if(&w, "statusReason", json_as_string(json_get(had, "statusReason")));
    write_authentication(&w, identity);
    write_capabilities(&w, json_get(had, "capabilities"), identity);
    json_object_close(&w);
}

struct err azure_identity_renew(struct slice answer, const struct hub_identity *identity, struct buf *out,
                                struct buf *etag, struct why *why)
{
    struct json_doc doc = {0};
    TRY(azure_answer_read(answer, identity->device_id, &doc, why));
    struct err e = take_etag(json_as_string(json_get(json_root(&doc), "etag")), etag, why);
    if (!failed(e)) {
        write_renewed(out, json_root(&doc), identity);
        e = buf_err(out);
    }
    json_doc_release(&doc);
    return e;
}

// --- errors
// ------------------------------------------------------------------------------------------------------------

static bool repeats_key(struct slice body, const struct secret *key)
{
    uint8_t room[KEY_TEXT_MAX];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    b64_encode(&text, secret_slice(key));
    bool found = text.len > 0 && slice_find(body, buf_slice(&text)) < body.len;
    bytes_wipe(room, sizeof room);
    return found;
}

bool azure_error_is_absent(struct slice body)
{
    return slice_find(body, SLICE("DeviceNotFound")) < body.len ||
           slice_find(body, SLICE("404001")) < body.len;
}

// Base64 hidden by what it may be written in elsewhere: JSON within a string, a URL, HTML.
static bool is_escaped(struct slice text)
{
    static const char *const marks[] = {"\\", "%2", "%3", "&#", "&plus", "&sol", "&equals"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (slice_find(text, slice_text(marks[i])) < text.len)
            return true;
    }
    return false;
}

static bool repeats_secrets(struct slice text, const struct hub_request *request)
{
    return slice_find(text, SLICE("SharedAccessSignature")) < text.len ||
           repeats_key(text, &request->identity.primary_key) ||
           repeats_key(text, &request->identity.secondary_key) ||
           repeats_key(text, &request->hub->policy_key) ||
           repeats_key(text, &request->hub->policy_key_secondary);
}

// All names and strings as they read when they are decoded.
static bool node_repeats_secrets(const struct json *node, const struct hub_request *request)
{
    struct slice text = json_as_string(node);
    bool found = is_escaped(text) || repeats_secrets(text, request);
    for (struct json_each m = json_each(node); !found && json_next(&m);)
        found =
            is_escaped(m.key) || repeats_secrets(m.key, request) || node_repeats_secrets(m.value, request);
    bool array = json_kind(node) == JSON_KIND_ARRAY;
    for (size_t i = 0; array && !found && i < json_count(node); i++)
        found = node_repeats_secrets(json_at(node, i), request);
    return found;
}

struct slice azure_error_text(struct slice body, bool whole, const struct hub_request *request,
                              struct buf *room)
{
    struct json_doc doc = {0};
    body = slice_trim(body);
    struct slice text = body;
    if (body.len == 0 || repeats_secrets(body, request))
        return (struct slice){0};
    bool is_json = !failed(json_read(body, answer_limits, &doc, NULL));
    bool hidden = is_json ? node_repeats_secrets(json_root(&doc), request) : is_escaped(body);
    struct slice message = json_as_string(json_get(json_root(&doc), "Message"));
    if (!whole && message.len > 0)
        text = message;
    if (!hidden)
        buf_bytes(room, slice_to(text, room->cap - room->len));
    json_doc_release(&doc);
    return hidden ? (struct slice){0} : buf_slice(room);
}
