// Digests and HMAC (RFC 2104, FIPS 180-4). All are pure functions, callable from any thread; the only error
// is ERR_NO_MEMORY.
#pragma once

#include "base/err.h"
#include "base/slice.h"

enum { SHA1_SIZE = 20, SHA256_SIZE = 32 };

// In capital hex digits, as a thumbprint is written; the text lives in `room`.
struct slice digest_text(const uint8_t *digest, size_t size, uint8_t room[2 * SHA256_SIZE]);

struct err sha1(struct slice in, uint8_t out[SHA1_SIZE]);
struct err sha256(struct slice in, uint8_t out[SHA256_SIZE]);
// Over the parts one after the other, as if they were one text. The key may have any length, 0 too. After an
// error `out` is zeroed.
struct err hmac_sha256(struct slice key, const struct slice *parts, size_t count, uint8_t out[SHA256_SIZE]);
