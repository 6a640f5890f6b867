// What a device sends to register: the first line of the input is its registration ID, the rest the body. A
// payload is taken only from a body that names no other device, and is compact JSON that is read back as
// itself.
#include "api/device/messages.h"
#include "json/json.h"
#include "json/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(struct arena *arena, struct slice payload)
{
    struct buf body = buf_capped(1 << 20);
    struct slice again;
    struct why why;
    buf_text(&body, "{\"payload\":");
    buf_bytes(&body, payload);
    buf_text(&body, "}");
    if (body.len <= JSON_LIMITS_DEFAULT.bytes) {
        INVARIANT(!failed(device_body_read(buf_slice(&body), SLICE("dev1"), arena, &again, &why)));
        INVARIANT(slice_equal(again, payload));
    }
    buf_release(&body);
}

// The body's own registrationId, if it has one, is the device's.
static void check_name(struct slice body, struct slice id)
{
    struct json_doc doc;
    if (slice_empty(slice_trim(body)))
        return;
    INVARIANT(!failed(json_read(body, JSON_LIMITS_DEFAULT, &doc, NULL)));
    struct slice named = json_as_string(json_get(json_root(&doc), "registrationId"));
    INVARIANT(named.len == 0 || slice_equal_nocase(named, id));
    json_doc_release(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = arena_capped(1 << 20);
    struct slice body = slice_of(data, size);
    struct slice id, payload;
    struct why why = {0};
    (void)slice_cut(&body, '\n', &id);
    struct err e = device_body_read(body, id, &arena, &payload, &why);
    INVARIANT(!failed(e) || e.code == ERR_MALFORMED || e.code == ERR_INVALID || e.code == ERR_CAPPED ||
              e.code == ERR_NO_MEMORY);
    if (failed(e)) {
        INVARIANT(payload.len == 0 && (why.text[0] != '\0' || e.code == ERR_NO_MEMORY));
    } else {
        check_name(body, id);
        if (payload.len > 0)
            read_back(&arena, payload);
    }
    arena_release(&arena);
    return 0;
}
