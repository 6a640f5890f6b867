// Constant-time comparison and wiping.
#include "base/secret.h"

bool secret_set(struct secret *secret, struct slice s)
{
    secret->len = 0;
    if (s.len > SECRET_MAX)
        return false;
    if (s.len > 0)
        memcpy(secret->bytes, s.at, s.len);
    secret->len = s.len;
    return true;
}

void secret_wipe(struct secret *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, sizeof *secret);
}

bool bytes_equal_ct(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    volatile uint8_t differing = 0;
    for (size_t i = 0; i < a.len; i++)
        differing |= (uint8_t)(a.at[i] ^ b.at[i]);
    return differing == 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return bytes_equal_ct(secret_slice(a), secret_slice(b));
}

void bytes_wipe(void *at, size_t len)
{
    if (at != NULL)
        explicit_bzero(at, len);
}
