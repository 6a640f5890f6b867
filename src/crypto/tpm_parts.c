// The parts of an activation blob that need no RSA: the planted key's public area, what TPM2_Import undoes
// and what TPM2_ActivateCredential undoes (TPM 2.0 Part 1, 23.3 and 24; device-protocol 6.3).
#include <openssl/evp.h>

#include "crypto/algorithms.h"
#include "crypto/tpm_inside.h"

enum {
    SENSITIVE_MAX = 2 + 2 + 2 + 2 + 32 + 2 + TPM_PLANTED_MAX, // TPM2B_SENSITIVE
    INNER_MAX = 2 + SHA256_SIZE + SENSITIVE_MAX + TPM_NAME    // the name only while it is hashed
};

// A buffer over memory of the caller's, who wipes it: a growing one leaves copies behind.
static struct buf over(uint8_t *room, size_t size)
{
    return (struct buf){.at = room, .room = size, .cap = size};
}

static void put_sized(struct buf *out, struct slice bytes)
{
    buf_u16(out, (uint16_t)bytes.len);
    buf_bytes(out, bytes);
}

// AES-CFB in place, with a vector of zeros: each key is used once.
static struct err encipher(const uint8_t *key, uint16_t bits, uint8_t *at, size_t len)
{
    static const uint8_t zeros[16];
    const EVP_CIPHER *cipher = bits == 256 ? algorithms()->aes_256_cfb : algorithms()->aes_128_cfb;
    int wrote = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool done = context != NULL && EVP_EncryptInit_ex2(context, cipher, key, zeros, NULL) == 1 &&
                EVP_EncryptUpdate(context, at, &wrote, at, (int)len) == 1 && wrote == (int)len;
    EVP_CIPHER_CTX_free(context);
    return done ? OK : FAIL(ERR_NO_MEMORY);
}

struct err tpm_kdfa(struct slice seed, const char *label, struct slice context, uint16_t bits,
                    uint8_t out[SHA256_SIZE])
{
    static const uint8_t one[4] = {0, 0, 0, 1}; // the counter: a single round is enough for 256 bits
    const uint8_t size[4] = {0, 0, (uint8_t)(bits >> 8), (uint8_t)bits};
    const struct slice parts[] = {slice_of(one, sizeof one), slice_of(label, strlen(label) + 1), context,
                                  slice_of(size, sizeof size)};
    INVARIANT(bits <= SHA256_SIZE * 8);
    TRY(hmac_sha256(seed, parts, sizeof parts / sizeof parts[0], out));
    bytes_wipe(out + bits / 8, SHA256_SIZE - bits / 8);
    return OK;
}

struct err tpm_name(struct slice area, uint8_t out[TPM_NAME])
{
    out[0] = 0x00;
    out[1] = 0x0b; // SHA-256
    return sha256(area, out + 2);
}

struct err tpm_identity_public(const struct secret *key, const uint8_t obfuscation[32],
                               uint8_t out[TPM_IDENTITY_PUBLIC])
{
    static const uint8_t template[] = {
        0x00, 0x08,             // TPM_ALG_KEYEDHASH
        0x00, 0x0b,             // named by SHA-256
        0x00, 0x04, 0x04, 0x40, // sign, noDA, userWithAuth; neither fixedTPM nor fixedParent: it is imported
        0x00, 0x20,             // PolicyCommandCode(TPM2_Duplicate)
        0xbe, 0xf5, 0x6b, 0x8c, 0x1c, 0xc8, 0x4e, 0x11, 0xed, 0xd7, 0x17, 0x52,
        0x8d, 0x2c, 0xd9, 0x93, 0x56, 0xbd, 0x2b, 0xbf, 0x8f, 0x01, 0x52, 0x09,
        0xc3, 0xf8, 0x4a, 0xee, 0xab, 0xa8, 0xe8, 0xa2, 0x00, 0x05, 0x00, 0x0b, // HMAC with SHA-256
        0x00, 0x20}; // then the digest that binds the area to the key
    _Static_assert(sizeof template + SHA256_SIZE == TPM_IDENTITY_PUBLIC, "TPMT_PUBLIC");
    uint8_t both[32 + SECRET_MAX];
    memcpy(out, template, sizeof template);
    memcpy(both, obfuscation, 32);
    memcpy(both + 32, key->bytes, key->len);
    struct err e = sha256(slice_of(both, 32 + key->len), out + sizeof template);
    bytes_wipe(both, sizeof both);
    return e;
}

// Enciphers what was put into `wrapped` with a key made of the seed and appends, in TPM2Bs, its HMAC with
// `name` and itself: outer wrap and credential alike (TPM 2.0 Part 1, 22.4).
static struct err put_protected(struct slice seed, const uint8_t name[TPM_NAME], uint16_t bits,
                                struct buf *wrapped, struct buf *out)
{
    uint8_t key[SHA256_SIZE];
    uint8_t hmac[SHA256_SIZE];
    const struct slice covered[] = {buf_slice(wrapped), slice_of(name, TPM_NAME)};
    struct err e = tpm_kdfa(seed, "STORAGE", slice_of(name, TPM_NAME), bits, key);
    if (!failed(e))
        e = encipher(key, bits, wrapped->at, wrapped->len);
    if (!failed(e))
        e = tpm_kdfa(seed, "INTEGRITY", (struct slice){0}, 256, key);
    if (!failed(e))
        e = hmac_sha256(slice_of(key, sizeof key), covered, 2, hmac);
    bytes_wipe(key, sizeof key);
    TRY(e);
    buf_u16(out, (uint16_t)(2 + sizeof hmac + wrapped->len));
    put_sized(out, slice_of(hmac, sizeof hmac));
    buf_bytes(out, buf_slice(wrapped));
    return buf_err(out);
}

struct err tpm_put_credential(const struct tpm_seeds *seeds, const uint8_t storage_root_name[TPM_NAME],
                              uint16_t bits, struct buf *out)
{
    uint8_t room[2 + sizeof seeds->inner_key];
    struct buf credential = over(room, sizeof room);
    put_sized(&credential, slice_of(seeds->inner_key, sizeof seeds->inner_key));
    struct err e = put_protected(slice_of(seeds->credential, sizeof seeds->credential), storage_root_name,
                                 bits, &credential, out);
    bytes_wipe(room, sizeof room);
    return e;
}

// The inner wrap (TPM 2.0 Part 1, 23.3.2.3): digest and sensitive area, enciphered with the inner key.
static struct err put_inner(const struct secret *key, const struct tpm_seeds *seeds,
                            const uint8_t identity_name[TPM_NAME], struct buf *out)
{
    static const uint8_t no_digest_yet[SHA256_SIZE];
    put_sized(out, slice_of(no_digest_yet, SHA256_SIZE));
    size_t sensitive = out->len;
    buf_u16(out, (uint16_t)(2 + 2 + 2 + sizeof seeds->obfuscation + 2 + key->len));
    buf_u16(out, 0x0008); // TPM_ALG_KEYEDHASH
    buf_u16(out, 0);      // no authorization value
    put_sized(out, slice_of(seeds->obfuscation, sizeof seeds->obfuscation));
    put_sized(out, secret_slice(key));
    buf_bytes(out, slice_of(identity_name, TPM_NAME));
    TRY(sha256(slice_from(buf_slice(out), sensitive), out->at + 2));
    out->len -= TPM_NAME; // it is only in the digest
    return encipher(seeds->inner_key, 128, out->at, out->len);
}

struct err tpm_put_duplicate(const struct secret *key, const struct tpm_seeds *seeds,
                             const uint8_t identity_name[TPM_NAME], uint16_t bits, struct buf *out)
{
    uint8_t room[INNER_MAX];
    struct buf inner = over(room, sizeof room);
    struct err e = put_inner(key, seeds, identity_name, &inner);
    if (!failed(e))
        e = put_protected(slice_of(seeds->duplication, sizeof seeds->duplication), identity_name, bits,
                          &inner, out);
    bytes_wipe(room, sizeof room);
    return e;
}

struct err tpm_put_hint(struct slice hint, const uint8_t inner_key[16], struct buf *out)
{
    buf_u16(out, (uint16_t)hint.len);
    uint8_t *to = hint.len > 0 ? buf_reserve(out, hint.len) : NULL;
    if (to == NULL)
        return buf_err(out);
    memcpy(to, hint.at, hint.len);
    TRY(encipher(inner_key, 128, to, hint.len));
    buf_added(out, hint.len);
    return OK;
}
