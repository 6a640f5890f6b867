// What a device sends to register: the first line of the input is its registration ID, the rest the body. A
// payload is taken only from a body that names no other device, and is compact JSON that is read back as
// itself; of a TPM only keys that pass the check, and certificates that can be read.
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

// The same body where a TPM may be in it: the rest of it means what it meant before.
static void read_tpm(struct slice body, struct slice id, struct err plain, struct slice payload)
{
    struct arena arena = arena_capped(1 << 20);
    struct device_tpm tpm;
    struct slice again;
    struct why why = {0};
    struct err e = device_body_read_tpm(body, id, &arena, &again, &tpm, &why);
    INVARIANT(!failed(plain) || failed(e));
    if (failed(e)) {
        INVARIANT(tpm.chain == NULL && (why.text[0] != '\0' || e.code == ERR_NO_MEMORY));
    } else {
        const struct tpm_identity *keys = &tpm.identity;
        bool there = keys->endorsement_key.len > 0;
        INVARIANT(slice_equal(again, payload));
        INVARIANT(there == (keys->storage_root_key.len > 0) && (there || tpm.chain == NULL));
        INVARIANT(!there || (!failed(tpm_public_check(keys->endorsement_key, TPM_ENDORSEMENT_KEY, &why)) &&
                             !failed(tpm_public_check(keys->storage_root_key, TPM_STORAGE_ROOT_KEY, &why))));
        INVARIANT(tpm.chain == NULL || chain_problem(tpm.chain) == NULL);
    }
    chain_release(tpm.chain);
    arena_release(&arena);
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
    read_tpm(body, id, e, payload);
    arena_release(&arena);
    return 0;
}
