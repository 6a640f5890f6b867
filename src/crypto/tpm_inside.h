// What the TPM files of this folder share, and what their tests look at: a public key taken apart, the parts
// of a blob that need no RSA, and RSA. Private to src/crypto; others include tpm.h.
#pragma once

#include "crypto/hmac.h"
#include "crypto/tpm.h"

enum {
    TPM_MODULUS = 256,        // bytes: RSA 2048
    TPM_NAME = 2 + 32,        // nameAlg and digest (TPM 2.0 Part 1, 16)
    TPM_IDENTITY_PUBLIC = 80, // bytes of a planted key's TPMT_PUBLIC
    TPM_EXPONENT = 65537
};

// A TPM2B_PUBLIC that follows the rules of tpm_public.c; views of it.
struct tpm_public {
    struct slice area;       // TPMT_PUBLIC: what the name is the digest of
    struct slice modulus;    // TPM_MODULUS bytes, big-endian
    uint16_t symmetric_bits; // of the AES-CFB that protects what is under the key: 128 or 256
};

// tpm_public_check, with what was found.
struct err tpm_public_read(struct slice tpm2b_public, enum tpm_key which, struct tpm_public *out,
                           struct why *why);
// "endorsement key", "storage root key".
const char *tpm_key_name(enum tpm_key which);

// RSA-OAEP with SHA-256 under the key (TPM 2.0 Part 1, B.4): TPM_MODULUS bytes at `out`. The label goes in
// with the NUL that ends it. ERR_INVALID: no such key can exist. ERR_NO_MEMORY.
struct err tpm_oaep(const struct tpm_public *to, const char *label, struct slice seed, uint8_t *out);

// KDFa with SHA-256 (TPM 2.0 Part 1, 11.4.10.2), `bits` 128 or 256: bits / 8 bytes at `out`, the rest zeroed.
struct err tpm_kdfa(struct slice seed, const char *label, struct slice context, uint16_t bits,
                    uint8_t out[SHA256_SIZE]);
struct err tpm_name(struct slice area, uint8_t out[TPM_NAME]);
// TPMT_PUBLIC of the planted key (device-protocol 6.3, idPub).
struct err tpm_identity_public(const struct secret *key, const uint8_t obfuscation[32],
                               uint8_t out[TPM_IDENTITY_PUBLIC]);
// Members 1, 3 and 6 of a blob, each with its size before it; `bits` is the parent's AES.
struct err tpm_put_credential(const struct tpm_seeds *seeds, const uint8_t storage_root_name[TPM_NAME],
                              uint16_t bits, struct buf *out);
struct err tpm_put_duplicate(const struct secret *key, const struct tpm_seeds *seeds,
                             const uint8_t identity_name[TPM_NAME], uint16_t bits, struct buf *out);
struct err tpm_put_hint(struct slice hint, const uint8_t inner_key[16], struct buf *out);
