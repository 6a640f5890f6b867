// The service's half of TPM 2.0 attestation: reading the public keys that a TPM sends, and wrapping a key so
// that only the TPM that holds both of them can use it (device-protocol 6; TPM 2.0 Part 1, 23 and 24). No
// tool is run, no TPM is needed. What a device may do with the key is decided elsewhere.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

enum {
    TPM_PUBLIC_MAX = 512,    // bytes of a TPM2B_PUBLIC, its size included, that are looked at
    TPM_PLANTED_MAX = 64,    // bytes of a key to plant: no more than a block of SHA-256
    TPM_BLOB_MAX = 1280,     // bytes of an activation blob
    TPM_HINT_MAX = 256,      // bytes of what travels enciphered with it (member 6)
    TPM_REGISTRATION_ID = 52 // characters of the registration ID that a TPM gives itself
};

enum tpm_key { TPM_ENDORSEMENT_KEY, TPM_STORAGE_ROOT_KEY };

// Is this, to the last byte, a TPM2B_PUBLIC of a restricted RSA-2048 decryption key that never leaves its
// TPM, with SHA-256 and AES-CFB, and no known weakness (threats C3, C4)? ERR_INVALID with what is wrong,
// naming the key.
struct err tpm_public_check(struct slice tpm2b_public, enum tpm_key which, struct why *why);

// All that is random in a blob but the padding of RSA.
struct tpm_seeds {
    uint8_t obfuscation[32]; // seedValue of device-protocol 6.3
    uint8_t inner_key[16];
    uint8_t duplication[32];
    uint8_t credential[32];
};

// Appends the activation blob (device-protocol 6.2) that plants `key` (1..TPM_PLANTED_MAX bytes) in the TPM
// that holds both keys. `hint` travels with it, enciphered. Both keys have passed tpm_public_check, else
// ERR_INVALID. ERR_NO_MEMORY. `seeds` are secret: fresh for each blob, and wiped by the caller.
struct err tpm_activation_blob(struct slice endorsement_key, struct slice storage_root_key,
                               const struct secret *key, struct slice hint, const struct tpm_seeds *seeds,
                               struct buf *out, struct why *why);

// What a TPM device is called unless it says otherwise: base32 (RFC 4648, small letters, no padding) of the
// SHA-256 of its endorsement key's TPM2B_PUBLIC (device-protocol 6.1). ERR_NO_MEMORY.
struct err tpm_registration_id(struct slice endorsement_key, char out[TPM_REGISTRATION_ID]);
// Whether a registration ID could be one of those, without regard to case.
bool tpm_is_registration_id(struct slice id);

// What makes a key that passed tpm_public_check this one: a view of its modulus. All else of a TPM2B_PUBLIC
// (attributes, policy, how the exponent is written) can be written otherwise, and the same TPM goes on
// answering for it, because activation asks none of it (TPM 2.0 Part 1, 24).
struct slice tpm_modulus(struct slice tpm2b_public);
// The one name of a TPM, however its endorsement key is written: tpm_registration_id of the common way to
// write that modulus (device-protocol 6.1; TCG EK Credential Profile, template L-1). The same as that of
// nearly every device. Of a key that passed tpm_public_check. ERR_NO_MEMORY.
struct err tpm_own_registration_id(struct slice endorsement_key, char out[TPM_REGISTRATION_ID]);

// Is the certificate (DER) that of this endorsement key: the same RSA modulus and exponent?
// ERR_CERTIFICATE_REFUSED. Whether the certificate is worth anything is path.h's.
struct err tpm_certificate_is_of(struct slice certificate, struct slice endorsement_key, struct why *why);
