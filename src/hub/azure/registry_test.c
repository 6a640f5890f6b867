// A hub's registry in a few arrays.
#include "hub/azure/registry_test.h"

#include <stdio.h>

#include "base/testing.h"
#include "crypto/sas.h"
#include "json/json.h"
#include "json/write.h"

struct exchange {
    struct registry *registry;
    struct slice request;
    const struct json *body;
    struct slice id;
    struct buf answer;
    int status;
};

static struct slice header(const struct exchange *x, const char *name)
{
    char prefix[64];
    (void)snprintf(prefix, sizeof prefix, "\r\n%s: ", name);
    size_t at = slice_find(x->request, slice_text(prefix));
    if (at == x->request.len)
        return (struct slice){0};
    struct slice value = slice_from(x->request, at + strlen(prefix));
    return slice_to(value, slice_find_byte(value, '\r'));
}

static void refuse(struct exchange *x, int status, const char *code)
{
    x->status = status;
    buf_printf(&x->answer, "{\"Message\":\"ErrorCode:%s;no\",\"ExceptionMessage\":\"Tracking ID:1\"}", code);
}

static void keep(char room[REGISTRY_TEXT_MAX], const struct json *value)
{
    struct buf text = {.at = (uint8_t *)room, .room = REGISTRY_TEXT_MAX - 1, .cap = REGISTRY_TEXT_MAX - 1};
    struct json_writer w;
    json_begin(&w, &text);
    json_node(&w, value);
    assert_false(failed(buf_err(&text)));
    room[text.len] = '\0';
}

static void keep_text(char *room, size_t size, struct slice text)
{
    (void)snprintf(room, size, "%.*s", SLICE_ARG(text));
}

struct registry_device *registry_find(struct registry *registry, struct slice id)
{
    for (size_t i = 0; i < REGISTRY_DEVICES_MAX; i++) {
        if (registry->devices[i].there && slice_equal(slice_text(registry->devices[i].id), id))
            return &registry->devices[i];
    }
    return NULL;
}

static struct registry_device *add(struct registry *registry, struct slice id)
{
    for (size_t i = 0; i < REGISTRY_DEVICES_MAX; i++) {
        struct registry_device *d = &registry->devices[i];
        if (d->there)
            continue;
        *d = (struct registry_device){.there = true,
                                      .tags = "{}",
                                      .desired = "{}",
                                      .reported = "{}",
                                      .desired_version = 1,
                                      .reported_version = 1};
        keep_text(d->id, sizeof d->id, id);
        return d;
    }
    fail_msg("too many devices");
    return NULL;
}

// --- answers
// -----------------------------------------------------------------------------------------------------------

static void write_identity(struct exchange *x, const struct registry_device *d)
{
    struct json_writer w;
    json_begin(&w, &x->answer);
    json_object_open(&w);
    json_field_text(&w, "deviceId", slice_text(d->id));
    json_field_text(&w, "etag", slice_text(d->etag));
    json_field_text(&w, "status", slice_text(d->status));
    json_field_text_if(&w, "statusReason", slice_text(d->reason));
    json_field_raw(&w, "authentication", slice_text(d->authentication));
    json_key(&w, "capabilities");
    json_object_open(&w);
    json_field_bool(&w, "iotEdge", d->edge);
    json_object_close(&w);
    json_object_close(&w);
}

static void write_section(struct exchange *x, const char *name, const char *text, unsigned version)
{
    buf_printf(&x->answer, "\"%s\":{\"$metadata\":{\"$lastUpdated\":\"2024-01-01T00:00:00Z\"},%.*s%s", name,
               (int)strlen(text) - 2, text + 1, strlen(text) > 2 ? "," : "");
    buf_printf(&x->answer, "\"$version\":%u}", version);
}

static void write_twin(struct exchange *x, const struct registry_device *d)
{
    buf_printf(&x->answer, "{\"deviceId\":\"%s\",\"etag\":\"AAAA\",\"tags\":%s,\"properties\":{", d->id,
               d->tags);
    write_section(x, "desired", d->desired, d->desired_version);
    buf_text(&x->answer, ",");
    write_section(x, "reported", d->reported, d->reported_version);
    buf_printf(&x->answer, "},\"capabilities\":{\"iotEdge\":%s}}", d->edge ? "true" : "false");
}

// --- requests
// ----------------------------------------------------------------------------------------------------------

// True when If-Match allows for what is there; else it is refused.
static bool matches(struct exchange *x, const struct registry_device *d)
{
    char quoted[32];
    struct slice match = header(x, "If-Match");
    if (d == NULL) {
        refuse(x, 404, "DeviceNotFound");
        return false;
    }
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", d->etag);
    if (slice_equal(match, SLICE("\"*\"")) || slice_equal(match, slice_text(quoted)))
        return true;
    refuse(x, 412, "PreconditionFailed");
    return false;
}

static void put_device(struct exchange *x)
{
    struct registry_device *d = registry_find(x->registry, x->id);
    bool update = header(x, "If-Match").len > 0;
    if (!update && d != NULL)
        return refuse(x, 409, "DeviceAlreadyExists");
    if (update && !matches(x, d))
        return;
    if (d == NULL)
        d = add(x->registry, x->id);
    (void)snprintf(d->etag, sizeof d->etag, "e%u", ++x->registry->changes);
    keep_text(d->status, sizeof d->status, json_as_string(json_get(x->body, "status")));
    keep_text(d->reason, sizeof d->reason, json_as_string(json_get(x->body, "statusReason")));
    keep(d->authentication, json_get(x->body, "authentication"));
    d->edge = false;
    (void)json_as_bool(json_get(json_get(x->body, "capabilities"), "iotEdge"), &d->edge);
    write_identity(x, d);
}

static void delete_device(struct exchange *x)
{
    struct registry_device *d = registry_find(x->registry, x->id);
    if (!matches(x, d))
        return;
    d->there = false;
    x->status = 204;
}

static void put_twin(struct exchange *x)
{
    struct registry_device *d = registry_find(x->registry, x->id);
    if (!matches(x, d))
        return;
    keep(d->tags, json_get(x->body, "tags"));
    keep(d->desired, json_get(json_get(x->body, "properties"), "desired"));
    d->desired_version++;
    write_twin(x, d);
}

static void post_devices(struct exchange *x)
{
    const struct json *item = json_at(x->body, 0);
    struct registry_device *d = registry_find(x->registry, json_as_string(json_get(item, "id")));
    assert_int_equal(json_count(x->body), 1);
    assert_slice(json_as_string(json_get(item, "importMode")), "updateTwin");
    if (x->registry->reported == REGISTRY_KNOWS_NO_BULK)
        return refuse(x, 404, "InvalidRoute");
    if (d == NULL || x->registry->reported == REGISTRY_REFUSES) {
        x->status = 400;
        buf_text(&x->answer, "{\"isSuccessful\":false,\"errors\":[{\"errorCode\":\"ArgumentInvalid\"}]}");
        return;
    }
    if (x->registry->reported == REGISTRY_TAKES) {
        keep(d->reported, json_get(json_get(item, "properties"), "reported"));
        d->reported_version++;
    }
    buf_text(&x->answer, "{\"isSuccessful\":true,\"errors\":[],\"warnings\":[]}");
}

static bool authorized(const struct exchange *x)
{
    struct sas_token token;
    const struct secret *keys = x->registry->keys;
    if (keys[0].len == 0 && keys[1].len == 0)
        return true;
    return !failed(sas_parse(header(x, "Authorization"), &token, NULL)) &&
           !failed(sas_verify(&token, &keys[0], &keys[1]));
}

static void carry_out(struct exchange *x)
{
    struct slice rest = x->request;
    struct slice method;
    struct slice path;
    (void)slice_cut(&rest, ' ', &method);
    (void)slice_cut(&rest, '?', &path);
    bool twin = slice_starts_with(path, SLICE("/twins/"));
    bool get = slice_equal(method, SLICE("GET"));
    if (!authorized(x))
        return refuse(x, 401, "IotHubUnauthorizedAccess");
    if (slice_equal(method, SLICE("POST")))
        return post_devices(x);
    x->id = slice_from(path, twin ? strlen("/twins/") : strlen("/devices/"));
    struct registry_device *d = registry_find(x->registry, x->id);
    if (get && d == NULL)
        return refuse(x, 404, "DeviceNotFound");
    if (get)
        return twin ? write_twin(x, d) : write_identity(x, d);
    if (slice_equal(method, SLICE("DELETE")))
        return delete_device(x);
    return twin ? put_twin(x) : put_device(x);
}

void registry_answer(struct registry *registry, struct slice request, struct slice body, struct buf *out)
{
    struct json_doc doc = {0};
    struct exchange x = {.registry = registry, .request = request, .status = 200};
    x.answer = buf_capped(64 * 1024);
    if (body.len > 0)
        assert_false(failed(json_read(body, JSON_LIMITS_DEFAULT, &doc, NULL)));
    x.body = json_root(&doc);
    carry_out(&x);
    buf_printf(out, "HTTP/1.1 %d Kept\r\n", x.status);
    if (x.status != 204)
        buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", x.answer.len);
    buf_text(out, "\r\n");
    buf_bytes(out, buf_slice(&x.answer));
    buf_release(&x.answer);
    json_doc_release(&doc);
}
