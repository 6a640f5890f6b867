// Writes twins, reads them, and compares.
#include "hub/azure/twin.h"

#include "hub/azure/message.h"
#include "json/json.h"
#include "json/write.h"

static const struct json_limits limits = {.bytes = AZURE_ANSWER_MAX, .depth = JSON_DEPTH_MAX};

// --- writing
// -----------------------------------------------------------------------------------------------------------

static void write_section(struct json_writer *w, const char *name, const struct json *section)
{
    json_key(w, name);
    if (json_kind(section) == JSON_KIND_OBJECT) {
        json_node(w, section);
        return;
    }
    json_object_open(w);
    json_object_close(w);
}

struct err azure_twin_write(struct buf *out, struct slice device_id, struct slice twin, struct why *why)
{
    struct json_doc doc = {0};
    struct why detail = {0};
    if (twin.len > 0 && failed(json_read(twin, limits, &doc, &detail)))
        return why_fail(why, ERR_HUB_REFUSED, "the initial twin cannot be sent: %.160s", detail.text);
    const struct json *root = json_root(&doc);
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_field_text(&w, "deviceId", device_id);
    write_section(&w, "tags", json_get(root, "tags"));
    json_key(&w, "properties");
    json_object_open(&w);
    write_section(&w, "desired", json_get(json_get(root, "properties"), "desired"));
    json_object_close(&w);
    json_object_close(&w);
    json_doc_release(&doc);
    return buf_err(out);
}

struct err azure_reported_write(struct buf *out, struct slice device_id, struct slice reported,
                                struct why *why)
{
    struct json_doc doc = {0};
    struct why detail = {0};
    if (failed(json_read(reported, limits, &doc, &detail)))
        return why_fail(why, ERR_HUB_REFUSED, "the reported properties cannot be sent: %.160s", detail.text);
    struct json_writer w;
    json_begin(&w, out);
    json_array_open(&w);
    json_object_open(&w);
    json_field_text(&w, "id", device_id);
    json_field_text(&w, "importMode", SLICE("updateTwin"));
    json_key(&w, "properties");
    json_object_open(&w);
    write_section(&w, "reported", json_root(&doc));
    json_object_close(&w);
    json_object_close(&w);
    json_array_close(&w);
    json_doc_release(&doc);
    return buf_err(out);
}

// --- reading
// -----------------------------------------------------------------------------------------------------------

static bool of_the_hub(struct slice key)
{
    return slice_equal(key, SLICE("$metadata")) || slice_equal(key, SLICE("$version"));
}

bool azure_reported_any(struct slice reported)
{
    struct json_doc doc = {0};
    if (slice_empty(reported) || failed(json_read(reported, limits, &doc, NULL)))
        return reported.len > 0; // what is no JSON is refused when it is written
    bool any = json_kind(json_root(&doc)) != JSON_KIND_OBJECT || json_count(json_root(&doc)) > 0;
    json_doc_release(&doc);
    return any;
}

bool azure_reported_taken(struct slice answer)
{
    struct json_doc doc = {0};
    bool taken = false;
    if (failed(json_read(answer, limits, &doc, NULL)))
        return false;
    if (!json_as_bool(json_get(json_root(&doc), "isSuccessful"), &taken))
        taken = false;
    json_doc_release(&doc);
    return taken;
}

static bool reported_stand(const struct json *twin, struct slice reported)
{
    struct json_doc want = {0};
    const struct json *got = json_get(json_get(twin, "properties"), "reported");
    if (slice_empty(reported))
        return true;
    bool stands = !failed(json_read(reported, limits, &want, NULL));
    for (struct json_each m = json_each(json_root(&want)); stands && json_next(&m);)
        stands = json_same(m.value, json_find(got, m.key));
    json_doc_release(&want);
    return stands;
}

struct err azure_twin_check(struct slice answer, struct slice device_id, struct slice reported,
                            bool *reported_stands, struct why *why)
{
    struct json_doc doc = {0};
    TRY(azure_answer_read(answer, device_id, &doc, why));
    *reported_stands = reported_stand(json_root(&doc), reported);
    json_doc_release(&doc);
    return OK;
}

static void tell_section(struct json_writer *w, const struct json *section)
{
    json_object_open(w);
    for (struct json_each m = json_each(section); json_next(&m);) {
        if (of_the_hub(m.key))
            continue;
        json_key_slice(w, m.key);
        json_node(w, m.value);
    }
    json_object_close(w);
}

static void tell_twin(struct buf *out, const struct json *twin)
{
    struct json_writer w;
    json_begin(&w, out);
    json_object_open(&w);
    json_key(&w, "tags");
    tell_section(&w, json_get(twin, "tags"));
    json_key(&w, "properties");
    json_object_open(&w);
    json_key(&w, "desired");
    tell_section(&w, json_get(json_get(twin, "properties"), "desired"));
    json_object_close(&w);
    json_object_close(&w);
}

static void tell_reported(struct buf *out, const struct json *twin)
{
    struct json_writer w;
    json_begin(&w, out);
    tell_section(&w, json_get(json_get(twin, "properties"), "reported"));
}

static struct err tell(void (*write)(struct buf *out, const struct json *twin), const struct json *twin,
                       struct arena *arena, struct slice *text)
{
    struct buf out = buf_capped(AZURE_ANSWER_MAX);
    write(&out, twin);
    struct err e = buf_err(&out);
    if (!failed(e))
        e = arena_copy(arena, buf_slice(&out), text);
    buf_release(&out);
    return e;
}

struct err azure_twin_tell(struct slice answer, struct hub_request *request)
{
    struct json_doc doc = {0};
    TRY(azure_answer_read(answer, request->identity.device_id, &doc, &request->why));
    const struct json *twin = json_root(&doc);
    const struct json *properties = json_get(twin, "properties");
    bool edge = false;
    struct err e = OK;
    // what is missing here would be lost at the next hub
    if (json_kind(json_get(properties, "desired")) != JSON_KIND_OBJECT ||
        json_kind(json_get(properties, "reported")) != JSON_KIND_OBJECT)
        e = why_fail(&request->why, ERR_HUB_UNAVAILABLE, "the hub's answer makes no sense: it is no twin");
    if (!failed(e))
        e = tell(tell_twin, twin, request->arena, &request->twin);
    if (!failed(e))
        e = tell(tell_reported, twin, request->arena, &request->reported);
    if (!json_as_bool(json_get(json_get(twin, "capabilities"), "iotEdge"), &edge))
        edge = false;
    request->identity.iot_edge = edge ? SWITCH_ON : SWITCH_OFF;
    request->found = !failed(e);
    json_doc_release(&doc);
    return e;
}
