// HMAC on one digest context. OpenSSL's own EVP_MAC does the same and takes twice as long for short texts.
#include "crypto/hmac.h"

#include "base/secret.h"
#include "base/text.h"
#include "crypto/algorithms.h"

enum { BLOCK = 64 }; // of SHA-256

static struct err digest(const EVP_MD *md, struct slice in, uint8_t *out)
{
    return EVP_Digest(in.at, in.len, out, NULL, md, NULL) == 1 ? OK : FAIL(ERR_NO_MEMORY);
}

struct slice digest_text(const uint8_t *digest, size_t size, uint8_t room[2 * SHA256_SIZE])
{
    struct buf hex = {.at = room, .room = 2 * SHA256_SIZE, .cap = 2 * SHA256_SIZE};
    hex_encode_upper(&hex, slice_of(digest, size));
    return buf_slice(&hex);
}

struct err sha1(struct slice in, uint8_t out[SHA1_SIZE])
{
    return digest(algorithms()->sha1, in, out);
}

struct err sha256(struct slice in, uint8_t out[SHA256_SIZE])
{
    return digest(algorithms()->sha256, in, out);
}

static bool update(EVP_MD_CTX *context, struct slice part)
{
    return part.len == 0 || EVP_DigestUpdate(context, part.at, part.len) == 1;
}

// One of the two passes of RFC 2104: H(pad ‖ parts).
static bool pass(EVP_MD_CTX *context, const uint8_t pad[BLOCK], const struct slice *parts, size_t count,
                 uint8_t *out)
{
    if (EVP_DigestInit_ex2(context, algorithms()->sha256, NULL) != 1 ||
        !update(context, slice_of(pad, BLOCK)))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!update(context, parts[i]))
            return false;
    }
    return EVP_DigestFinal_ex(context, out, NULL) == 1;
}

struct err hmac_sha256(struct slice key, const struct slice *parts, size_t count, uint8_t out[SHA256_SIZE])
{
    uint8_t inner[BLOCK] = {0};
    uint8_t outer[BLOCK];
    struct slice middle = slice_of(out, SHA256_SIZE);
    memset(out, 0, SHA256_SIZE);
    if (key.len > BLOCK)
        TRY(sha256(key, inner));
    else if (key.len > 0)
        memcpy(inner, key.at, key.len);
    for (size_t i = 0; i < BLOCK; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done =
        context != NULL && pass(context, inner, parts, count, out) && pass(context, outer, &middle, 1, out);
    EVP_MD_CTX_free(context);
    bytes_wipe(inner, sizeof inner);
    bytes_wipe(outer, sizeof outer);
    if (done)
        return OK;
    memset(out, 0, SHA256_SIZE);
    return FAIL(ERR_NO_MEMORY);
}
