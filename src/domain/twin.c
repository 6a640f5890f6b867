// Merging, versions, metadata and limits of twins. Trees are walked recursively: TWIN_DEPTH_MAX is checked
// first.
#include "domain/twin.h"

#include "base/instant.h"
#include "json/merge.h"

// The fields of a device that make up one section. metadata and version are NULL for tags.
struct section {
    const char *name;
    size_t cap;
    struct slice *text;
    struct slice *metadata;
    int64_t *version;
};

static struct section section_of(struct device *device, enum twin_section which)
{
    switch (which) {
    case TWIN_TAGS:
        return (struct section){"tags", TWIN_TAGS_MAX, &device->tags, NULL, NULL};
    case TWIN_DESIRED:
        return (struct section){"desired", TWIN_PROPERTIES_MAX, &device->desired, &device->desired_metadata,
                                &device->desired_version};
    default:
        return (struct section){"reported", TWIN_PROPERTIES_MAX, &device->reported,
                                &device->reported_metadata, &device->reported_version};
    }
}

static bool service_key(struct slice key)
{
    return slice_equal(key, SLICE("$metadata")) || slice_equal(key, SLICE("$version"));
}

static struct err key_check(const char *name, struct slice key, struct why *why)
{
    if (slice_empty(key))
        return why_fail(why, ERR_INVALID, "%s holds an empty key", name);
    if (key.len > TWIN_KEY_MAX)
        return why_fail(why, ERR_INVALID, "%s holds a key of %zu bytes; at most %d are taken", name, key.len,
                        TWIN_KEY_MAX);
    for (size_t i = 0; i < key.len; i++) {
        uint8_t c = key.at[i];
        bool c1 = c == 0xc2 && i + 1 < key.len && key.at[i + 1] < 0xa0;
        if (c <= ' ' || c == 0x7f || c == '.' || c == '$' || c1)
            return why_fail(why, ERR_INVALID,
                            "%s: the key '%.*s' holds a dot, a dollar sign, a blank or a control", name,
                            (int)(key.len < 64 ? key.len : 64), (const char *)key.at);
    }
    return OK;
}

static struct err value_check(const char *name, const struct json *value, unsigned depth, struct why *why);

static struct err members_check(const char *name, const struct json *object, unsigned depth, struct why *why)
{
    for (struct json_each m = json_each(object); json_next(&m);) {
        if (depth == 0 && service_key(m.key))
            continue;
        TRY(key_check(name, m.key, why));
        TRY(value_check(name, m.value, depth + 1, why));
    }
    return OK;
}

static struct err value_check(const char *name, const struct json *value, unsigned depth, struct why *why)
{
    enum json_kind kind = json_kind(value);
    int64_t number;
    if (kind == JSON_KIND_STRING && json_as_string(value).len > TWIN_STRING_MAX)
        return why_fail(why, ERR_INVALID, "%s holds a string of %zu bytes; at most %d are taken", name,
                        json_as_string(value).len, TWIN_STRING_MAX);
    if (kind == JSON_KIND_INTEGER && json_as_int(value, &number) &&
        (number < TWIN_INTEGER_MIN || number > TWIN_INTEGER_MAX))
        return why_fail(why, ERR_INVALID, "%s holds the integer %lld; %lld to %lld are taken", name,
                        (long long)number, TWIN_INTEGER_MIN, TWIN_INTEGER_MAX);
    if (kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY)
        return OK;
    if (depth > TWIN_DEPTH_MAX)
        return why_fail(why, ERR_INVALID, "%s is nested deeper than %d", name, TWIN_DEPTH_MAX);
    if (kind == JSON_KIND_OBJECT)
        return members_check(name, value, depth, why);
    for (size_t i = 0; i < json_count(value); i++)
        TRY(value_check(name, json_at(value, i), depth + 1, why));
    return OK;
}

// Mirrors an object's structure; arrays and plain values are leaves. What the change touched, and what has no
// stamp yet, is stamped now, the rest as before.
static void metadata_write(struct json_writer *w, const struct json *value, const struct json *change,
                           const struct json *old, struct slice now)
{
    struct slice stamp = json_as_string(json_get(old, "$lastUpdated"));
    json_object_open(w);
    json_field_text(w, "$lastUpdated", change != NULL || slice_empty(stamp) ? now : stamp);
    for (struct json_each m = json_each(value); json_next(&m);) {
        json_key_slice(w, m.key);
        metadata_write(w, m.value, json_find(change, m.key), json_find(old, m.key), now);
    }
    json_object_close(w);
}

static struct err metadata_make(struct arena *arena, const struct json *value, const struct json *change,
                                struct slice old_text, int64_t now_us, struct slice *out)
{
    uint8_t room[40];
    struct buf now = {.at = room, .room = sizeof room, .cap = sizeof room};
    instant_format_ms(&now, now_us);
    struct json_doc old = {0};
    TRY(json_read(old_text, (struct json_limits){.bytes = SIZE_MAX, .depth = JSON_DEPTH_MAX}, &old, NULL));
    struct buf text = buf_capped(64 * TWIN_PROPERTIES_MAX);
    struct json_writer w;
    json_begin(&w, &text);
    metadata_write(&w, value, change, json_root(&old), buf_slice(&now));
    struct err e = buf_err(&text);
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&text), out);
    buf_release(&text);
    json_doc_release(&old);
    return e;
}

// The section's new value as a tree.
static struct err section_merge(const struct section *section, enum twin_how how, const struct json *change,
                                struct json_doc *whole)
{
    struct slice old = how == TWIN_MERGE ? *section->text : SLICE("{}");
    TRY(json_read(old, JSON_LIMITS_DEFAULT, whole, NULL));
    TRY(json_doc_merge(whole, change));
    if (json_get(change, "$metadata") == NULL && json_get(change, "$version") == NULL)
        return OK;
    struct json_doc strip = {0};
    TRY(json_read(SLICE("{\"$metadata\":null,\"$version\":null}"), JSON_LIMITS_DEFAULT, &strip, NULL));
    struct err e = json_doc_merge(whole, json_root(&strip));
    json_doc_release(&strip);
    return e;
}

static struct err section_text(struct arena *arena, const struct section *section, const struct json *whole,
                               struct slice *out, struct why *why)
{
    struct buf text = buf_capped(section->cap);
    struct json_writer w;
    json_begin(&w, &text);
    json_node(&w, whole);
    struct err e = buf_err(&text);
    if (e.code == ERR_CAPPED) // a rule of twins like the others, not a message that is too large
        e = why_fail(why, ERR_INVALID, "%s would be larger than %zu bytes", section->name, section->cap);
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&text), out);
    buf_release(&text);
    return e;
}

struct err twin_change(struct arena *arena, struct device *device, enum twin_section which, enum twin_how how,
                       const struct json *change, int64_t now_us, struct why *why)
{
    struct section section = section_of(device, which);
    if (json_kind(change) != JSON_KIND_OBJECT)
        return why_fail(why, ERR_INVALID, "%s must be a JSON object", section.name);
    TRY(members_check(section.name, change, 0, why));
    struct json_doc whole = {0};
    struct slice text = {0};
    struct slice metadata = {0};
    struct err e = section_merge(&section, how, change, &whole);
    if (!failed(e))
        e = section_text(arena, &section, json_root(&whole), &text, why);
    if (!failed(e) && section.metadata != NULL)
        e = metadata_make(arena, json_root(&whole), change,
                          how == TWIN_MERGE ? *section.metadata : SLICE("{}"), now_us, &metadata);
    json_doc_release(&whole);
    TRY(e);
    *section.text = text;
    if (section.metadata != NULL) {
        *section.metadata = metadata;
        *section.version += 1;
    }
    device->updated_us = now_us;
    return OK;
}

struct err twin_parts_read(const struct json *body, struct twin_parts *out, struct why *why)
{
    struct json_in in;
    struct json_in properties;
    struct json_in part;
    *out = (struct twin_parts){0};
    TRY(json_in_root(body, "the twin", &in, why));
    TRY(json_want_object(&in, "tags", JSON_OPTIONAL, &part, why));
    out->tags = part.object;
    TRY(json_want_object(&in, "properties", JSON_OPTIONAL, &properties, why));
    TRY(json_want_object(&properties, "desired", JSON_OPTIONAL, &part, why));
    out->desired = part.object;
    TRY(json_want_object(&properties, "reported", JSON_OPTIONAL, &part, why));
    out->reported = part.object;
    return OK;
}

static struct err parts_bring(struct arena *arena, struct device *device, enum twin_how how,
                              const struct twin_parts *parts, int64_t now_us, struct why *why)
{
    if (parts->tags != NULL)
        TRY(twin_change(arena, device, TWIN_TAGS, how, parts->tags, now_us, why));
    if (parts->desired != NULL)
        TRY(twin_change(arena, device, TWIN_DESIRED, how, parts->desired, now_us, why));
    if (parts->tags != NULL || parts->desired != NULL)
        device->twin_version++;
    return OK;
}

struct err twin_apply(struct arena *arena, struct device *device, enum twin_how how, bool whole,
                      const struct twin_parts *parts, int64_t now_us, struct why *why)
{
    struct json_doc empty = {0};
    TRY(json_read(SLICE("{}"), JSON_LIMITS_DEFAULT, &empty, NULL));
    struct twin_parts all = *parts;
    if (how == TWIN_REPLACE && whole && all.tags == NULL)
        all.tags = json_root(&empty);
    if (how == TWIN_REPLACE && whole && all.desired == NULL)
        all.desired = json_root(&empty);
    struct device changed = *device;
    struct err e = parts_bring(arena, &changed, how, &all, now_us, why);
    if (!failed(e))
        *device = changed;
    bytes_wipe(&changed, sizeof changed);
    json_doc_release(&empty);
    return e;
}

// The object `text` with members added at its end.
static void section_write(struct buf *out, struct slice text, struct slice metadata, int64_t version)
{
    buf_bytes(out, slice_to(text, text.len - 1));
    if (text.len > 2)
        buf_u8(out, ',');
    if (!slice_empty(metadata)) {
        buf_text(out, "\"$metadata\":");
        buf_bytes(out, metadata);
        buf_u8(out, ',');
    }
    buf_text(out, "\"$version\":");
    buf_decimal(out, (uint64_t)version);
    buf_u8(out, '}');
}

static void section_field(struct json_writer *w, const char *key, struct slice text, struct slice metadata,
                          int64_t version)
{
    struct buf section = buf_capped(text.len + metadata.len + 64);
    section_write(&section, text, metadata, version);
    if (failed(buf_err(&section)))
        w->out->broken = section.broken;
    else
        json_field_raw(w, key, buf_slice(&section));
    buf_release(&section);
}

void twin_write(struct json_writer *w, const struct device *device, struct device_presence presence)
{
    uint8_t room[40];
    struct buf etag = {.at = room, .room = sizeof room, .cap = sizeof room};
    json_object_open(w);
    json_field_text(w, "deviceId", device->id);
    twin_etag_write(&etag, device);
    json_field_text(w, "etag", buf_slice(&etag));
    buf_clear(&etag);
    device_etag_write(&etag, device);
    json_field_text(w, "deviceEtag", buf_slice(&etag));
    json_field_text(w, "status", name_of(&device_status_names, device->status));
    json_field_text_if(w, "statusReason", device->status_reason);
    device_write_time(w, "statusUpdateTime", device->status_updated_us);
    json_field_text(w, "connectionState", presence.connected ? SLICE("Connected") : SLICE("Disconnected"));
    device_write_time(w, "lastActivityTime", presence.since_us);
    json_field_number(w, "cloudToDeviceMessageCount", 0);
    json_field_text(w, "authenticationType", name_of(&hub_authentication_names, device->authentication));
    device_write_thumbprints(w, device);
    json_field_text(w, "modelId", SLICE(""));
    json_field_number(w, "version", device->twin_version + device->reported_version);
    json_field_raw(w, "tags", device->tags);
    json_key(w, "properties");
    json_object_open(w);
    section_field(w, "desired", device->desired, device->desired_metadata, device->desired_version);
    section_field(w, "reported", device->reported, device->reported_metadata, device->reported_version);
    json_object_close(w);
    device_write_capabilities(w, device);
    json_object_close(w);
}

void twin_write_for_device(struct buf *out, const struct device *device)
{
    buf_text(out, "{\"desired\":");
    section_write(out, device->desired, (struct slice){0}, device->desired_version);
    buf_text(out, ",\"reported\":");
    section_write(out, device->reported, (struct slice){0}, device->reported_version);
    buf_u8(out, '}');
}

void twin_write_push(struct buf *out, const struct json *change, int64_t version)
{
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    for (struct json_each m = json_each(change); json_next(&m);) {
        if (service_key(m.key))
            continue;
        json_key_slice(&w, m.key);
        json_node(&w, m.value);
    }
    json_field_number(&w, "$version", version);
    json_object_close(&w);
}
