// Identity of a device of the embedded hub as JSON, and the ETags of the hub API. The twin is in twin.c.
#include "domain/device.h"

#include "base/instant.h"
#include "base/text.h"
#include "domain/identifier.h"

struct err device_fresh(struct arena *arena, struct slice id, int64_t now_us, uint64_t salt,
                        struct device *out)
{
    uint8_t room[64];
    struct buf metadata = {.at = room, .room = sizeof room, .cap = sizeof room};
    buf_text(&metadata, "{\"$lastUpdated\":\"");
    instant_format_ms(&metadata, now_us);
    buf_text(&metadata, "\"}");
    TRY(buf_err(&metadata));
    struct slice kept;
    TRY(arena_copy(arena, buf_slice(&metadata), &kept));
    *out = (struct device){
        .id = id,
        .generation = now_us,
        .status = DEVICE_ENABLED,
        .authentication = HUB_AUTH_SAS,
        .tags = SLICE("{}"),
        .desired = SLICE("{}"),
        .reported = SLICE("{}"),
        .desired_metadata = kept,
        .reported_metadata = kept,
        .desired_version = 1,
        .reported_version = 1,
        .twin_version = 1,
        .identity_version = 1 + (int64_t)(salt & 0x3fffffff),
        .created_us = now_us,
        .updated_us = now_us,
    };
    return OK;
}

// A key in base64; an empty one leaves *key as it is.
static struct err key_read(const struct json_in *keys, const char *name, struct secret *key, struct why *why)
{
    struct slice text;
    TRY(json_want_string(keys, name, JSON_OPTIONAL, 4 * SECRET_MAX, &text, why));
    if (slice_empty(text))
        return OK;
    uint8_t bytes[SECRET_MAX];
    size_t len;
    bool right = b64_decode(text, bytes, sizeof bytes, &len) && len >= DEVICE_KEY_MIN;
    if (right)
        (void)secret_set(key, slice_of(bytes, len));
    bytes_wipe(bytes, sizeof bytes);
    return right
               ? OK
               : json_refuse(keys, name, why, "must be base64 of %d to %d bytes", DEVICE_KEY_MIN, SECRET_MAX);
}

static struct err thumbprint_read(struct arena *arena, const struct json_in *prints, const char *name,
                                  struct slice *out, struct why *why)
{
    struct slice text;
    TRY(json_want_string(prints, name, JSON_OPTIONAL, 128, &text, why));
    uint8_t bytes[32];
    size_t len;
    if (!slice_empty(text) && (!hex_decode(text, bytes, sizeof bytes, &len) || (len != 20 && len != 32)))
        return json_refuse(prints, name, why, "must be 40 or 64 hexadecimal digits");
    return arena_copy(arena, text, out);
}

// `type` may be left out: older clients only send the part that is meant.
static struct err authentication_type(const struct json_in *in, enum hub_authentication *out, struct why *why)
{
    struct slice word;
    TRY(json_want_string(in, "type", JSON_OPTIONAL, 32, &word, why));
    unsigned type = HUB_AUTH_SAS;
    const struct json *prints = json_get(in->object, "x509Thumbprint");
    if (slice_empty(word) && (!slice_empty(json_as_string(json_get(prints, "primaryThumbprint"))) ||
                              !slice_empty(json_as_string(json_get(prints, "secondaryThumbprint")))))
        type = HUB_AUTH_SELF_SIGNED;
    else if (!slice_empty(word) && !name_read(&hub_authentication_names, word, &type))
        return json_refuse(in, "type", why, "must be sas, selfSigned, certificateAuthority or none");
    *out = (enum hub_authentication)type;
    return OK;
}

static struct err authentication_read(struct arena *arena, const struct json_in *body, struct device *device,
                                      struct why *why)
{
    struct json_in in;
    struct json_in keys;
    struct json_in prints;
    TRY(json_want_object(body, "authentication", JSON_OPTIONAL, &in, why));
    if (in.object == NULL)
        return OK;
    TRY(authentication_type(&in, &device->authentication, why));
    TRY(json_want_object(&in, "symmetricKey", JSON_OPTIONAL, &keys, why));
    TRY(json_want_object(&in, "x509Thumbprint", JSON_OPTIONAL, &prints, why));
    if (device->authentication == HUB_AUTH_SAS) {
        TRY(key_read(&keys, "primaryKey", &device->primary_key, why));
        TRY(key_read(&keys, "secondaryKey", &device->secondary_key, why));
    } else {
        secret_wipe(&device->primary_key);
        secret_wipe(&device->secondary_key);
    }
    device->primary_thumbprint = device->secondary_thumbprint = (struct slice){0};
    if (device->authentication != HUB_AUTH_SELF_SIGNED)
        return OK;
    TRY(thumbprint_read(arena, &prints, "primaryThumbprint", &device->primary_thumbprint, why));
    TRY(thumbprint_read(arena, &prints, "secondaryThumbprint", &device->secondary_thumbprint, why));
    if (slice_empty(device->primary_thumbprint) && slice_empty(device->secondary_thumbprint))
        return json_refuse(&in, "x509Thumbprint", why, "needs a thumbprint for type selfSigned");
    return OK;
}

static struct err status_read(struct arena *arena, const struct json_in *body, int64_t now_us,
                              struct device *device, struct why *why)
{
    struct slice word;
    struct slice reason;
    TRY(json_want_string(body, "status", JSON_OPTIONAL, 32, &word, why));
    TRY(json_want_string(body, "statusReason", JSON_OPTIONAL, 128, &reason, why));
    unsigned status = DEVICE_ENABLED;
    if (!slice_empty(word) && !name_read(&device_status_names, word, &status))
        return json_refuse(body, "status", why, "must be enabled or disabled");
    if (device->status != status)
        device->status_updated_us = now_us;
    device->status = (enum device_status)status;
    return arena_copy(arena, reason, &device->status_reason);
}

static struct err identity_read(struct arena *arena, const struct json *body, const char *id_name,
                                int64_t now_us, struct device *device, struct why *why)
{
    struct json_in in;
    TRY(json_in_root(body, "the device", &in, why));
    struct slice id;
    TRY(json_want_string(&in, id_name, JSON_OPTIONAL, DEVICE_ID_MAX, &id, why));
    if (!slice_empty(id) && !slice_equal(id, device->id))
        return json_refuse(&in, id_name, why, "is not the device ID of the path");
    TRY(status_read(arena, &in, now_us, device, why));
    TRY(authentication_read(arena, &in, device, why));
    struct json_in capabilities;
    TRY(json_want_object(&in, "capabilities", JSON_OPTIONAL, &capabilities, why));
    if (capabilities.object == NULL)
        return OK;
    bool edge = false;
    TRY(json_want_bool(&capabilities, "iotEdge", JSON_OPTIONAL, &edge, why));
    device->iot_edge = edge ? SWITCH_ON : SWITCH_OFF;
    return OK;
}

struct err device_read(struct arena *arena, const struct json *body, const char *id_name, int64_t now_us,
                       struct device *out, struct why *why)
{
    struct device device = *out;
    struct err e = identity_read(arena, body, id_name, now_us, &device, why);
    if (!failed(e))
        *out = device;
    bytes_wipe(&device, sizeof device);
    return e;
}

bool device_needs_keys(const struct device *device)
{
    return device->authentication == HUB_AUTH_SAS &&
           (device->primary_key.len == 0 || device->secondary_key.len == 0);
}

void device_write_time(struct json_writer *w, const char *key, int64_t us)
{
    uint8_t room[40];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    if (us != 0)
        instant_format(&text, us);
    else
        buf_text(&text, "0001-01-01T00:00:00");
    json_field_text(w, key, buf_slice(&text));
}

void device_write_capabilities(struct json_writer *w, const struct device *device)
{
    json_key(w, "capabilities");
    json_object_open(w);
    json_field_bool(w, "iotEdge", device->iot_edge == SWITCH_ON);
    json_object_close(w);
}

static void text_or_null(struct json_writer *w, const char *key, struct slice text)
{
    if (slice_empty(text))
        json_field_raw(w, key, SLICE("null"));
    else
        json_field_text(w, key, text);
}

void device_write_thumbprints(struct json_writer *w, const struct device *device)
{
    json_key(w, "x509Thumbprint");
    json_object_open(w);
    text_or_null(w, "primaryThumbprint", device->primary_thumbprint);
    text_or_null(w, "secondaryThumbprint", device->secondary_thumbprint);
    json_object_close(w);
}

static void key_write(struct json_writer *w, const char *name, const struct secret *key)
{
    uint8_t room[(SECRET_MAX + 2) / 3 * 4];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    b64_encode(&text, secret_slice(key));
    text_or_null(w, name, buf_slice(&text));
    bytes_wipe(room, sizeof room);
}

static void authentication_write(struct json_writer *w, const struct device *device)
{
    json_key(w, "authentication");
    json_object_open(w);
    json_key(w, "symmetricKey");
    json_object_open(w);
    key_write(w, "primaryKey", &device->primary_key);
    key_write(w, "secondaryKey", &device->secondary_key);
    json_object_close(w);
    device_write_thumbprints(w, device);
    json_field_text(w, "type", name_of(&hub_authentication_names, device->authentication));
    json_object_close(w);
}

void device_etag_write(struct buf *out, const struct device *device)
{
    uint8_t room[24];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    buf_decimal(&text, (uint64_t)device->identity_version);
    b64_encode(out, buf_slice(&text));
}

void twin_etag_write(struct buf *out, const struct device *device)
{
    uint8_t bytes[8];
    struct buf text = {.at = bytes, .room = sizeof bytes, .cap = sizeof bytes};
    buf_u32(&text, (uint32_t)((uint64_t)device->twin_version >> 32));
    buf_u32(&text, (uint32_t)device->twin_version);
    b64_encode(out, buf_slice(&text));
}

void device_write(struct json_writer *w, const struct device *device, struct device_presence presence)
{
    uint8_t room[40];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    json_object_open(w);
    json_field_text(w, "deviceId", device->id);
    buf_decimal(&text, (uint64_t)device->generation);
    json_field_text(w, "generationId", buf_slice(&text));
    buf_clear(&text);
    device_etag_write(&text, device);
    json_field_text(w, "etag", buf_slice(&text));
    json_field_text(w, "connectionState", presence.connected ? SLICE("Connected") : SLICE("Disconnected"));
    json_field_text(w, "status", name_of(&device_status_names, device->status));
    text_or_null(w, "statusReason", device->status_reason);
    device_write_time(w, "connectionStateUpdatedTime", presence.since_us);
    device_write_time(w, "statusUpdatedTime", device->status_updated_us);
    device_write_time(w, "lastActivityTime", presence.since_us);
    json_field_number(w, "cloudToDeviceMessageCount", 0);
    authentication_write(w, device);
    device_write_capabilities(w, device);
    json_object_close(w);
}

void hub_etag_read(struct slice text, bool *any, struct slice *etag)
{
    text = slice_trim(text);
    if (slice_starts_with_nocase(text, SLICE("W/")))
        text = slice_from(text, 2);
    if (text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"')
        text = slice_to(slice_from(text, 1), text.len - 2);
    *any = slice_equal(text, SLICE("*"));
    *etag = text;
}
