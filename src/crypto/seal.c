// Sealing and unsealing.
#include "crypto/seal.h"

#include <openssl/err.h>

#include "crypto/algorithms.h"
#include "crypto/hmac.h"

enum { VERSION = 1, HEADER = 2, TAG = 16 };
_Static_assert(SEAL_OVERHEAD == HEADER + SEAL_NONCE_SIZE + TAG, "the sealed form");

struct err sealer_init(struct sealer *sealer, struct slice master, struct why *why)
{
    *sealer = (struct sealer){0};
    if (master.len != SEAL_MASTER_SIZE)
        return why_fail(why, ERR_CONFIG, "the master key has %zu bytes, not %d", master.len,
                        SEAL_MASTER_SIZE);
    static const uint8_t zeros[SEAL_MASTER_SIZE];
    if (bytes_equal_ct(master, slice_of(zeros, sizeof zeros)))
        return why_fail(why, ERR_CONFIG, "the master key is all zero");
    uint8_t derived[SHA256_SIZE];
    TRY(hmac_sha256(master, &SLICE("usher seal key id"), 1, derived));
    INVARIANT(secret_set(&sealer->master, master));
    sealer->key_id = derived[0];
    bytes_wipe(derived, sizeof derived);
    return OK;
}

void sealer_release(struct sealer *sealer)
{
    if (sealer != NULL)
        bytes_wipe(sealer, sizeof *sealer);
}

static struct err record_key(const struct sealer *sealer, struct slice aad, uint8_t key[SHA256_SIZE])
{
    INVARIANT(sealer->master.len == SEAL_MASTER_SIZE);
    const struct slice parts[] = {SLICE("usher seal v1"), aad};
    return hmac_sha256(secret_slice(&sealer->master), parts, 2, key);
}

// header is authenticated, too.
static bool encrypt(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t *nonce,
                    const uint8_t header[HEADER], struct slice plain, uint8_t *to)
{
    int wrote = 0;
    return context != NULL &&
           EVP_EncryptInit_ex2(context, algorithms()->aes_256_gcm, key, nonce, NULL) == 1 &&
           EVP_EncryptUpdate(context, NULL, &wrote, header, HEADER) == 1 &&
           (plain.len == 0 || EVP_EncryptUpdate(context, to, &wrote, plain.at, (int)plain.len) == 1) &&
           EVP_EncryptFinal_ex(context, to + plain.len, &wrote) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, to + plain.len) == 1;
}

static bool decrypt(EVP_CIPHER_CTX *context, const uint8_t *key, struct slice sealed, uint8_t *to)
{
    const uint8_t *nonce = sealed.at + HEADER;
    const uint8_t *text = nonce + SEAL_NONCE_SIZE;
    size_t len = sealed.len - SEAL_OVERHEAD;
    uint8_t tag[TAG];
    uint8_t end[TAG]; // GCM writes nothing at the end, but wants a place
    int wrote = 0;
    memcpy(tag, text + len, TAG);
    return context != NULL &&
           EVP_DecryptInit_ex2(context, algorithms()->aes_256_gcm, key, nonce, NULL) == 1 &&
           EVP_DecryptUpdate(context, NULL, &wrote, sealed.at, HEADER) == 1 &&
           (len == 0 || EVP_DecryptUpdate(context, to, &wrote, text, (int)len) == 1) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(context, end, &wrote) == 1;
}

struct err seal(const struct sealer *sealer, const uint8_t nonce[SEAL_NONCE_SIZE], struct slice aad,
                struct slice plain, struct buf *out)
{
    if (plain.len > SEAL_PLAIN_MAX)
        return FAIL(ERR_CAPPED);
    uint8_t *to = buf_reserve(out, plain.len + SEAL_OVERHEAD);
    if (to == NULL)
        return buf_err(out);
    uint8_t key[SHA256_SIZE];
    TRY(record_key(sealer, aad, key));
    to[0] = VERSION;
    to[1] = sealer->key_id;
    memcpy(to + HEADER, nonce, SEAL_NONCE_SIZE);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool done = encrypt(context, key, nonce, to, plain, to + HEADER + SEAL_NONCE_SIZE);
    EVP_CIPHER_CTX_free(context);
    bytes_wipe(key, sizeof key);
    if (!done)
        return FAIL(ERR_NO_MEMORY);
    buf_added(out, plain.len + SEAL_OVERHEAD);
    return OK;
}

static struct err check_header(const struct sealer *sealer, struct slice sealed, struct why *why)
{
    if (sealed.len < SEAL_OVERHEAD || sealed.len > SEAL_PLAIN_MAX + SEAL_OVERHEAD || sealed.at[0] != VERSION)
        return why_fail(why, ERR_SEAL, "a stored secret is not in the sealed form");
    if (sealed.at[1] != sealer->key_id)
        return why_fail(why, ERR_SEAL, "a stored secret was sealed with another master key");
    return OK;
}

// `to` has room for the plaintext, which is wiped again on error.
static struct err open_into(const struct sealer *sealer, struct slice aad, struct slice sealed, uint8_t *to,
                            struct why *why)
{
    uint8_t key[SHA256_SIZE];
    TRY(record_key(sealer, aad, key));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool memory = context != NULL;
    bool done = decrypt(context, key, sealed, to);
    EVP_CIPHER_CTX_free(context);
    bytes_wipe(key, sizeof key);
    if (done)
        return OK;
    ERR_clear_error(); // what is left in the thread's queue would be taken for an error of the next TLS call
    bytes_wipe(to, sealed.len - SEAL_OVERHEAD);
    if (!memory)
        return FAIL(ERR_NO_MEMORY);
    return why_fail(why, ERR_SEAL, "a stored secret was changed, moved, or sealed with another master key");
}

struct err unseal(const struct sealer *sealer, struct slice aad, struct slice sealed, struct buf *out,
                  struct why *why)
{
    TRY(check_header(sealer, sealed, why));
    size_t len = sealed.len - SEAL_OVERHEAD;
    uint8_t nothing[1];
    uint8_t *to = len > 0 ? buf_reserve(out, len) : nothing;
    if (to == NULL)
        return buf_err(out);
    TRY(open_into(sealer, aad, sealed, to, why));
    if (len > 0)
        buf_added(out, len);
    return buf_err(out);
}

struct err unseal_secret(const struct sealer *sealer, struct slice aad, struct slice sealed,
                         struct secret *out, struct why *why)
{
    out->len = 0;
    TRY(check_header(sealer, sealed, why));
    size_t len = sealed.len - SEAL_OVERHEAD;
    if (len > SECRET_MAX)
        return why_fail(why, ERR_SEAL, "a stored secret is too long for a key");
    TRY(open_into(sealer, aad, sealed, out->bytes, why));
    out->len = len;
    return OK;
}
