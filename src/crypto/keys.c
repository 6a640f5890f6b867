// Keys in, keys derived.
#include "crypto/keys.h"

#include "base/text.h"
#include "crypto/hmac.h"

struct err key_derive(const struct secret *group_key, struct slice registration_id, struct secret *out)
{
    uint8_t derived[SHA256_SIZE];
    out->len = 0;
    TRY(hmac_sha256(secret_slice(group_key), &registration_id, 1, derived));
    INVARIANT(secret_set(out, slice_of(derived, sizeof derived)));
    bytes_wipe(derived, sizeof derived);
    return OK;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

struct err key_read_b64(struct slice text, struct secret *out, struct why *why)
{
    // room for one group more than a key has, so that a longer one is told from text that is no base64
    uint8_t bytes[KEY_MAX + 4];
    size_t len = 0;
    struct err e = OK;
    out->len = 0;
    if (text.len / 4 * 3 > sizeof bytes)
        return why_fail(why, ERR_INVALID, "a key has at most %d bytes", KEY_MAX);
    if (!b64_decode(text, bytes, sizeof bytes, &len))
        e = why_fail(why, ERR_INVALID, "a key must be standard base64 with padding");
    else if (len < KEY_MIN || len > KEY_MAX)
        e = why_fail(why, ERR_INVALID, "a key has %d to %d bytes, this one %zu", KEY_MIN, KEY_MAX, len);
    else if (all_zero(bytes, len))
        e = why_fail(why, ERR_INVALID, "a key must not be all zero");
    else
        INVARIANT(secret_set(out, slice_of(bytes, len)));
    bytes_wipe(bytes, sizeof bytes);
    return e;
}

void key_from_random(const uint8_t random[KEY_GENERATED], struct secret *out)
{
    INVARIANT(secret_set(out, slice_of(random, KEY_GENERATED)));
}
