// The AllocationResponse (service-api C.2), as functions that work elsewhere write it: members in any case,
// and often a JSON string that holds the JSON. Threats D2: what is of no use is refused in words, never
// guessed.
#include "domain/custom.h"

#include "json/json.h"
#include "json/write.h"

enum { HOST_TEXT_MAX = 256 };

static struct err refuse(struct why *why, const char *what)
{
    return why_fail(why, ERR_WEBHOOK, "the webhook's answer %s", what);
}

// Function apps write members as their language does: iotHubHostName, iotHubHostname, IotHubHostName.
static const struct json *find(const struct json *object, const char *name)
{
    for (struct json_each m = json_each(object); json_next(&m);) {
        if (slice_equal_nocase(m.key, slice_text(name)) && json_given(m.value))
            return m.value;
    }
    return NULL;
}

// A text that grew out of bounds: escapes and numbers may be longer here than there.
static struct err keep(struct arena *arena, struct buf *text, struct slice *out, struct why *why)
{
    struct err e = buf_err(text);
    if (e.code == ERR_CAPPED)
        e = refuse(why, "is too long");
    if (!failed(e))
        e = arena_copy(arena, buf_slice(text), out);
    buf_release(text);
    return e;
}

static bool object_or_nothing(const struct json *value)
{
    return value == NULL || json_kind(value) == JSON_KIND_OBJECT;
}

static void twin_write(struct json_writer *w, const struct json *tags, const struct json *properties,
                       const struct json *desired)
{
    json_object_open(w);
    if (tags != NULL)
        json_field_node(w, "tags", tags);
    if (properties != NULL) {
        json_key(w, "properties");
        json_object_open(w);
        if (desired != NULL)
            json_field_node(w, "desired", desired);
        json_object_close(w);
    }
    json_object_close(w);
}

// Kept as an enrollment's is: {"tags":…,"properties":{"desired":…}}.
static struct err read_twin(struct arena *arena, const struct json *twin, struct custom_answer *out,
                            struct why *why)
{
    const struct json *tags = find(twin, "tags");
    const struct json *properties = find(twin, "properties");
    const struct json *desired = find(properties, "desired");
    if (twin == NULL)
        return OK;
    if (json_kind(twin) != JSON_KIND_OBJECT)
        return refuse(why, "has an initialTwin that is no object");
    if (!object_or_nothing(tags))
        return refuse(why, "has an initialTwin whose tags are no object");
    if (!object_or_nothing(properties) || !object_or_nothing(desired))
        return refuse(why, "has an initialTwin whose properties.desired is no object");
    struct buf text = buf_capped(CUSTOM_ANSWER_MAX * 2);
    struct json_writer w;
    json_begin(&w, &text);
    twin_write(&w, tags, properties, desired);
    TRY(keep(arena, &text, &out->twin, why));
    out->has_twin = true;
    return OK;
}

static struct err read_payload(struct arena *arena, const struct json *payload, struct slice *out,
                               struct why *why)
{
    struct buf text = buf_capped(CUSTOM_ANSWER_MAX * 2);
    struct json_writer w;
    if (payload == NULL)
        return OK;
    json_begin(&w, &text);
    json_node(&w, payload);
    return keep(arena, &text, out, why);
}

static struct err read_object(struct arena *arena, const struct json *object, struct custom_answer *out,
                              struct why *why)
{
    const struct json *host = find(object, "iotHubHostName");
    if (json_kind(object) != JSON_KIND_OBJECT)
        return refuse(why, "is no JSON object");
    if (host == NULL)
        return refuse(why, "has no iotHubHostName");
    struct slice name = slice_trim(json_as_string(host));
    if (name.len == 0 || name.len > HOST_TEXT_MAX)
        return refuse(why, "has an iotHubHostName that is no host name");
    TRY(arena_copy(arena, name, &out->hub));
    TRY(read_twin(arena, find(object, "initialTwin"), out, why));
    return read_payload(arena, find(object, "payload"), &out->payload, why);
}

static struct err read_text(struct arena *arena, struct slice text, bool within, struct custom_answer *out,
                            struct why *why)
{
    struct json_limits limits = {.bytes = CUSTOM_ANSWER_MAX, .depth = JSON_DEPTH_MAX};
    struct json_doc doc = {0};
    struct why problem = {0};
    struct slice bom = SLICE("\xEF\xBB\xBF");
    if (slice_starts_with(text, bom))
        text = slice_from(text, bom.len);
    if (slice_trim(text).len == 0)
        return refuse(why, "is empty");
    struct err e = json_read(text, limits, &doc, &problem);
    if (e.code == ERR_CAPPED && text.len > CUSTOM_ANSWER_MAX)
        return refuse(why, "is longer than 64 KB");
    if (e.code == ERR_CAPPED || e.code == ERR_MALFORMED)
        return why_fail(why, ERR_WEBHOOK, "the webhook's answer is not JSON: %s", problem.text);
    TRY(e);
    // a string that holds the object (service-api C.2), but not a string in a string in a string
    if (!within && json_kind(json_root(&doc)) == JSON_KIND_STRING)
        e = read_text(arena, json_as_string(json_root(&doc)), true, out, why);
    else
        e = read_object(arena, json_root(&doc), out, why);
    json_doc_release(&doc);
    return e;
}

struct err custom_answer_read(struct arena *arena, struct slice text, struct custom_answer *out,
                              struct why *why)
{
    struct custom_answer read = {0};
    *out = (struct custom_answer){0};
    TRY(read_text(arena, text, false, &read, why));
    *out = read;
    return OK;
}
