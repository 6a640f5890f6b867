// The activation blob put together, and what a TPM is known by.
#include "crypto/tpm.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include "crypto/facts.h"
#include "crypto/openssl_context.h"
#include "crypto/tpm_inside.h"

// A TPM2B_ENCRYPTED_SECRET: members 2 and 4.
static struct err put_encrypted(const struct tpm_public *to, enum tpm_key which, const char *label,
                                struct slice seed, struct buf *out, struct why *why)
{
    buf_u16(out, TPM_MODULUS);
    uint8_t *room = buf_reserve(out, TPM_MODULUS);
    if (room == NULL)
        return buf_err(out);
    struct err e = tpm_oaep(to, label, seed, room);
    if (e.code == ERR_INVALID)
        return why_fail(why, ERR_INVALID, "nothing can be encrypted to the %s", tpm_key_name(which));
    TRY(e);
    buf_added(out, TPM_MODULUS);
    return OK;
}

static struct err put_blob(const struct tpm_public *endorsement, const struct tpm_public *storage_root,
                           const struct secret *key, struct slice hint, const struct tpm_seeds *seeds,
                           struct buf *out, struct why *why)
{
    uint8_t storage_root_name[TPM_NAME];
    uint8_t identity[TPM_IDENTITY_PUBLIC];
    uint8_t identity_name[TPM_NAME];
    TRY(tpm_name(storage_root->area, storage_root_name));
    TRY(tpm_identity_public(key, seeds->obfuscation, identity));
    TRY(tpm_name(slice_of(identity, sizeof identity), identity_name));
    TRY(tpm_put_credential(seeds, storage_root_name, endorsement->symmetric_bits, out));
    TRY(put_encrypted(endorsement, TPM_ENDORSEMENT_KEY, "IDENTITY",
                      slice_of(seeds->credential, sizeof seeds->credential), out, why));
    TRY(tpm_put_duplicate(key, seeds, identity_name, storage_root->symmetric_bits, out));
    TRY(put_encrypted(storage_root, TPM_STORAGE_ROOT_KEY, "DUPLICATE",
                      slice_of(seeds->duplication, sizeof seeds->duplication), out, why));
    buf_u16(out, sizeof identity);
    buf_bytes(out, slice_of(identity, sizeof identity));
    return tpm_put_hint(hint, seeds->inner_key, out);
}

struct err tpm_activation_blob(struct slice endorsement_key, struct slice storage_root_key,
                               const struct secret *key, struct slice hint, const struct tpm_seeds *seeds,
                               struct buf *out, struct why *why)
{
    struct tpm_public endorsement;
    struct tpm_public storage_root;
    if (key->len == 0 || key->len > TPM_PLANTED_MAX)
        return why_fail(why, ERR_INVALID, "a key for a TPM has 1 to %d bytes, this one %zu", TPM_PLANTED_MAX,
                        key->len);
    if (hint.len > TPM_HINT_MAX)
        return why_fail(why, ERR_INVALID, "what travels with a key has at most %d bytes", TPM_HINT_MAX);
    TRY(tpm_public_read(endorsement_key, TPM_ENDORSEMENT_KEY, &endorsement, why));
    TRY(tpm_public_read(storage_root_key, TPM_STORAGE_ROOT_KEY, &storage_root, why));
    return put_blob(&endorsement, &storage_root, key, hint, seeds, out, why);
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567"; // RFC 4648 6

struct err tpm_registration_id(struct slice endorsement_key, char out[TPM_REGISTRATION_ID])
{
    uint8_t digest[SHA256_SIZE + 1] = {0}; // zero bits fill up the last letter
    memset(out, letters[0], TPM_REGISTRATION_ID);
    TRY(sha256(endorsement_key, digest));
    for (size_t i = 0; i < TPM_REGISTRATION_ID; i++) {
        size_t bit = i * 5;
        unsigned pair = (unsigned)digest[bit / 8] << 8 | digest[bit / 8 + 1];
        out[i] = letters[pair >> (11 - bit % 8) & 31];
    }
    return OK;
}

bool tpm_is_registration_id(struct slice id)
{
    if (id.len != TPM_REGISTRATION_ID)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (c < '2' || c > '7'))
            return false;
    }
    // 256 bits leave one to the last letter
    return memchr("aAqQ", id.at[id.len - 1], 4) != NULL;
}

// Whether the certificate's key has this number; false, too, when it is not an RSA key.
static bool has_number(EVP_PKEY *key, const char *parameter, struct slice number)
{
    BIGNUM *want = BN_bin2bn(number.at, (int)number.len, NULL);
    BIGNUM *have = NULL;
    bool same = key != NULL && want != NULL && EVP_PKEY_is_a(key, "RSA") == 1 &&
                EVP_PKEY_get_bn_param(key, parameter, &have) == 1 && BN_cmp(have, want) == 0;
    BN_free(have);
    BN_free(want);
    return same;
}

struct err tpm_certificate_is_of(struct slice certificate, struct slice endorsement_key, struct why *why)
{
    static const uint8_t exponent[] = {TPM_EXPONENT >> 16, 0, TPM_EXPONENT & 0xff};
    struct tpm_public endorsement;
    X509 *x509;
    struct err e = tpm_public_read(endorsement_key, TPM_ENDORSEMENT_KEY, &endorsement, why);
    if (e.code == ERR_INVALID)
        return FAIL(ERR_CERTIFICATE_REFUSED); // why says what is wrong with the key
    TRY(e);
    e = facts_decode(certificate, &x509);
    if (e.code == ERR_INVALID)
        return why_fail(why, ERR_CERTIFICATE_REFUSED, "the TPM's certificate is not well-formed X.509");
    TRY(e);
    EVP_PKEY *key = X509_get0_pubkey(x509);
    bool same = has_number(key, OSSL_PKEY_PARAM_RSA_N, endorsement.modulus) &&
                has_number(key, OSSL_PKEY_PARAM_RSA_E, slice_of(exponent, sizeof exponent));
    X509_free(x509);
    if (openssl_was_short_of_memory() && !same)
        return FAIL(ERR_NO_MEMORY);
    return same ? OK
                : why_fail(why, ERR_CERTIFICATE_REFUSED,
                           "the TPM's certificate is that of another endorsement key");
}
