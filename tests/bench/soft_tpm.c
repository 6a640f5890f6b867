// The device's half of TPM attestation, in software.
#include "soft_tpm.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "crypto/hmac.h"

enum { RSA_BYTES = 256, AES_BYTES = 16, NAME_BYTES = 2 + SHA256_SIZE, POOL_MAX = 1024 };

static const struct slice endorsement_head = {
    (const uint8_t
         *)"\x01\x3a\x00\x01\x00\x0b\x00\x03\x00\xb2\x00\x20\x83\x71\x97\x67\x44\x84\xb3\xf8\x1a\x90\xcc\x8d"
           "\x46\xa5\xd7\x24\xfd\x52\xd7\x6e\x06\x52\x0b\x64\xf2\xa1\xda\x1b\x33\x14\x69\xaa\x00\x06\x00\x80"
           "\x00\x43\x00\x10\x08\x00\x00\x00\x00\x00\x01\x00",
    60};
static const struct slice storage_root_head = {
    (const uint8_t
         *)"\x01\x1a\x00\x01\x00\x0b\x00\x03\x04\x72\x00\x00\x00\x06\x00\x80\x00\x43\x00\x10\x08\x00\x00\x00"
           "\x00\x00\x01\x00",
    28};

// ---- keys
// ----------------------------------------------------------------------------------------------------------------------

static bool write_public(EVP_PKEY *key, struct slice head, struct buf *out)
{
    uint8_t modulus[RSA_BYTES];
    BIGNUM *n = NULL;
    *out = buf_capped(1024);
    bool good = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                BN_bn2binpad(n, modulus, sizeof modulus) == RSA_BYTES;
    BN_free(n);
    buf_bytes(out, head);
    buf_bytes(out, slice_of(modulus, sizeof modulus));
    return good && !failed(buf_err(out));
}

static bool read_one(FILE *file, struct soft_tpm *tpm)
{
    tpm->endorsement = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    tpm->storage_root = tpm->endorsement != NULL ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    return tpm->storage_root != NULL &&
           write_public(tpm->endorsement, endorsement_head, &tpm->endorsement_public) &&
           write_public(tpm->storage_root, storage_root_head, &tpm->storage_root_public);
}

bool soft_tpm_read(const char *path, struct soft_tpm **tpms, size_t *count)
{
    FILE *file = fopen(path, "rb");
    *tpms = calloc(POOL_MAX, sizeof **tpms);
    *count = 0;
    if (file == NULL || *tpms == NULL)
        return false;
    while (*count < POOL_MAX && read_one(file, &(*tpms)[*count]))
        ++*count;
    (void)fclose(file);
    return *count > 0;
}

// ---- a blob
// --------------------------------------------------------------------------------------------------------------------

static struct slice sized(struct cursor *c)
{
    size_t len = cursor_u16(c);
    return cursor_bytes(c, len);
}

// TPM 2.0 Part 1, 11.4.10.2, SHA-256.
static bool kdfa(struct slice seed, struct slice label, struct slice context, uint32_t bits,
                 uint8_t out[SHA256_SIZE])
{
    const uint8_t size[4] = {0, 0, (uint8_t)(bits >> 8), (uint8_t)bits};
    const struct slice parts[] = {SLICE("\0\0\0\1"), label, SLICE("\0"), context,
                                  slice_of(size, sizeof size)};
    return !failed(hmac_sha256(seed, parts, sizeof parts / sizeof parts[0], out));
}

static bool name_of(struct slice area, uint8_t out[NAME_BYTES])
{
    out[0] = 0x00;
    out[1] = 0x0b;
    return !failed(sha256(area, out + 2));
}

// `label` with the NUL that ends it.
static bool oaep(EVP_PKEY *key, struct slice secret, struct slice label, uint8_t out[RSA_BYTES],
                 struct slice *seed)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t len = RSA_BYTES;
    void *copy = OPENSSL_memdup(label.at, label.len);
    bool good = ctx != NULL && copy != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)label.len) == 1;
    if (good)
        copy = NULL; // the context's
    good = good && EVP_PKEY_decrypt(ctx, out, &len, secret.at, secret.len) == 1;
    OPENSSL_free(copy);
    EVP_PKEY_CTX_free(ctx);
    *seed = slice_of(out, good ? len : 0);
    return good;
}

// In place.
static bool uncfb(const uint8_t key[AES_BYTES], uint8_t *bytes, size_t size)
{
    static const uint8_t iv[AES_BYTES];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;
    bool good = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_128_cfb128(), NULL, key, iv) == 1 &&
                EVP_DecryptUpdate(ctx, bytes, &len, bytes, (int)size) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

// Checks the outer integrity of `wrapped` (an HMAC and what it is of) and takes off the outer cipher into
// `out`.
static bool unwrap(struct slice seed, struct slice wrapped, struct slice name, struct buf *out)
{
    uint8_t key[SHA256_SIZE], want[SHA256_SIZE];
    struct cursor c = cursor_over(wrapped);
    struct slice integrity = sized(&c);
    const struct slice parts[] = {c.rest, name};
    bool good = cursor_ok(&c) && kdfa(seed, SLICE("INTEGRITY"), (struct slice){0}, 256, key) &&
                !failed(hmac_sha256(slice_of(key, sizeof key), parts, 2, want)) &&
                slice_equal(integrity, slice_of(want, sizeof want)) &&
                kdfa(seed, SLICE("STORAGE"), name, 128, key);
    *out = buf_capped(4096);
    buf_bytes(out, c.rest);
    return good && !failed(buf_err(out)) && uncfb(key, out->at, out->len);
}

// TPM2_ActivateCredential.
static bool activate_credential(const struct soft_tpm *tpm, struct slice id_object, struct slice secret,
                                struct secret *inner)
{
    uint8_t room[RSA_BYTES], name[NAME_BYTES];
    struct slice seed;
    struct buf plain = {0};
    bool good = name_of(slice_from(buf_slice(&tpm->storage_root_public), 2), name) &&
                oaep(tpm->endorsement, secret, slice_of("IDENTITY", sizeof "IDENTITY"), room, &seed) &&
                unwrap(seed, id_object, slice_of(name, sizeof name), &plain);
    struct cursor c = cursor_over(buf_slice(&plain));
    struct slice key = sized(&c);
    good = good && cursor_done(&c) && secret_set(inner, key);
    buf_release(&plain);
    return good;
}

// What is inside the inner wrapper: TPM2B_SENSITIVE of a keyed hash without authorization.
static bool read_sensitive(struct slice bytes, struct slice name, struct secret *key)
{
    uint8_t want[SHA256_SIZE];
    struct cursor outer = cursor_over(bytes);
    struct slice integrity = sized(&outer);
    struct buf both = buf_capped(4096);
    buf_bytes(&both, outer.rest);
    buf_bytes(&both, name);
    bool good = cursor_ok(&outer) && !failed(buf_err(&both)) && !failed(sha256(buf_slice(&both), want)) &&
                slice_equal(integrity, slice_of(want, sizeof want));
    buf_release(&both);
    struct slice sensitive = sized(&outer);
    struct cursor c = cursor_over(sensitive);
    good = good && cursor_u32(&c) == 0x00080000;
    (void)sized(&c); // what obfuscates the public part
    struct slice planted = sized(&c);
    return good && cursor_done(&c) && secret_set(key, planted);
}

// TPM2_Import, and a look inside.
static bool import(const struct soft_tpm *tpm, struct slice duplicate, struct slice secret, struct slice area,
                   const uint8_t inner[AES_BYTES], struct secret *key)
{
    uint8_t room[RSA_BYTES], name[NAME_BYTES];
    struct slice seed;
    struct buf plain = {0};
    bool good = name_of(area, name) &&
                oaep(tpm->storage_root, secret, slice_of("DUPLICATE", sizeof "DUPLICATE"), room, &seed) &&
                unwrap(seed, duplicate, slice_of(name, sizeof name), &plain) &&
                uncfb(inner, plain.at, plain.len) &&
                read_sensitive(buf_slice(&plain), slice_of(name, sizeof name), key);
    buf_release(&plain);
    return good;
}

// The file of tpm2_makecredential: magic, version, and the first two members of a blob.
static bool activate_file(const struct soft_tpm *tpm, struct cursor c, struct secret *key)
{
    (void)cursor_u32(&c);
    struct slice id_object = sized(&c), credential_secret = sized(&c);
    return cursor_done(&c) && activate_credential(tpm, id_object, credential_secret, key);
}

bool soft_tpm_activate(const struct soft_tpm *tpm, struct slice blob, struct secret *key)
{
    struct secret inner;
    struct cursor c = cursor_over(blob);
    if (slice_starts_with(blob, SLICE("\xba\xdc\xc0\xde")))
        return cursor_u32(&c) != 0 && activate_file(tpm, c, key);
    struct slice id_object = sized(&c), credential_secret = sized(&c);
    struct slice duplicate = sized(&c), duplicate_secret = sized(&c), area = sized(&c);
    (void)sized(&c); // a hint, which devices throw away
    return cursor_done(&c) && activate_credential(tpm, id_object, credential_secret, &inner) &&
           inner.len == AES_BYTES && import(tpm, duplicate, duplicate_secret, area, inner.bytes, key);
}
