// What a hub answers, for "dev1". A twin that is told is JSON without the hub's own members, can be sent to
// the next hub, and there counts as standing; an identity that is adopted or renewed is JSON about the
// device, and its etag fits into a header; an error's text repeats no key.
#include "hub/azure/message.h"
#include "hub/azure/twin.h"

#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 1 << 20, ETAG_MAX = 128 };

static const struct json_limits own_limits = {TEXT_MAX, JSON_DEPTH_MAX};

static void check_section(const struct json *section)
{
    INVARIANT(json_kind(section) == JSON_KIND_OBJECT);
    INVARIANT(json_get(section, "$version") == NULL && json_get(section, "$metadata") == NULL);
}

static void check_told(struct slice answer, const struct hub_request *told)
{
    struct buf out = buf_capped(TEXT_MAX);
    struct json_doc twin = {0};
    struct json_doc reported = {0};
    bool stands = false;
    INVARIANT(!failed(json_read(told->twin, own_limits, &twin, NULL)));
    INVARIANT(!failed(json_read(told->reported, own_limits, &reported, NULL)));
    check_section(json_get(json_get(json_root(&twin), "properties"), "desired"));
    check_section(json_get(json_root(&twin), "tags"));
    check_section(json_root(&reported));
    INVARIANT(azure_reported_any(told->reported) == (json_count(json_root(&reported)) > 0));
    INVARIANT(!failed(azure_twin_write(&out, told->identity.device_id, told->twin, NULL)));
    buf_clear(&out);
    INVARIANT(!failed(azure_reported_write(&out, told->identity.device_id, told->reported, NULL)));
    INVARIANT(!failed(azure_twin_check(answer, told->identity.device_id, told->reported, &stands, NULL)) &&
              stands);
    json_doc_release(&twin);
    json_doc_release(&reported);
    buf_release(&out);
}

static void read_twin(struct slice answer, const struct hub_request *request)
{
    struct arena arena = arena_capped(8 << 20);
    struct hub_request read = *request;
    read.arena = &arena;
    struct err e = azure_twin_tell(answer, &read);
    INVARIANT(failed(e) == !read.found);
    INVARIANT(!failed(e) || read.why.text[0] != '\0');
    if (!failed(e))
        check_told(answer, &read);
    arena_release(&arena);
}

static void take_identity(struct slice answer, const struct hub_request *request, bool renew)
{
    uint8_t room[ETAG_MAX];
    struct buf etag = {.at = room, .room = sizeof room, .cap = sizeof room};
    struct buf out = buf_capped(2 * TEXT_MAX);
    struct json_doc doc = {0};
    struct why why = {0};
    struct err e = renew ? azure_identity_renew(answer, &request->identity, &out, &etag, &why)
                         : azure_identity_adopt(answer, &request->identity, &out, &etag, &why);
    if (!failed(e)) {
        struct json_limits limits = {2 * TEXT_MAX, JSON_DEPTH_MAX};
        INVARIANT(!failed(json_read(buf_slice(&out), limits, &doc, NULL)));
        INVARIANT(slice_equal(json_as_string(json_get(json_root(&doc), "deviceId")), SLICE("dev1")));
        INVARIANT(slice_find_byte(buf_slice(&etag), '\r') == etag.len &&
                  slice_find_byte(buf_slice(&etag), '"') == etag.len);
    }
    json_doc_release(&doc);
    buf_release(&out);
}

static void show_error(struct slice answer, const struct hub_request *request)
{
    uint8_t room[1024];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    struct slice shown = azure_error_text(answer, false, request, &text);
    INVARIANT(shown.len <= sizeof room);
    INVARIANT(slice_find(shown, SLICE("a2V5")) == shown.len);
    (void)azure_error_is_absent(answer);
    (void)azure_reported_taken(answer);
    (void)failed(azure_identity_check(answer, &request->identity, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct linked_hub hub = {.host = SLICE("hub.example.com")};
    struct hub_request request = {.hub = &hub, .identity = {.device_id = SLICE("dev1")}};
    INVARIANT(secret_set(&request.identity.primary_key, SLICE("key"))); // a2V5 in base64
    INVARIANT(secret_set(&request.identity.secondary_key, SLICE("key")));
    struct slice answer = slice_of(data, size);
    read_twin(answer, &request);
    take_identity(answer, &request, false);
    take_identity(answer, &request, true);
    show_error(answer, &request);
    return 0;
}
