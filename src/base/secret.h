// Key material. Has no printer, is compared in constant time and wiped on release.
#pragma once

#include "base/slice.h"

enum { SECRET_MAX = 64 };

struct secret {
    uint8_t bytes[SECRET_MAX];
    size_t len; // 0: none
};

// False (and none) when s is longer than SECRET_MAX.
bool secret_set(struct secret *secret, struct slice s);
void secret_wipe(struct secret *secret);
bool secret_equal(const struct secret *a, const struct secret *b);

static inline struct slice secret_slice(const struct secret *secret)
{
    return slice_of(secret->bytes, secret->len);
}

// Takes the same time wherever the bytes differ; the lengths are not secret.
bool bytes_equal_ct(struct slice a, struct slice b);
// Overwrites memory in a way that the compiler keeps.
void bytes_wipe(void *at, size_t len);
