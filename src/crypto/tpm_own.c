// One name for one TPM: endorsement keys are told apart by their modulus alone.
#include "crypto/tpm.h"

enum { MODULUS = 256, PUBLIC = 316 };

struct slice tpm_modulus(struct slice tpm2b_public)
{
    return tpm2b_public.len < MODULUS ? tpm2b_public : slice_from(tpm2b_public, tpm2b_public.len - MODULUS);
}

struct err tpm_own_registration_id(struct slice endorsement_key, char out[TPM_REGISTRATION_ID])
{
    // clang-format off
    static const uint8_t head[PUBLIC - MODULUS] = {
        0x01, 0x3a,                                     // size
        0x00, 0x01, 0x00, 0x0b,                         // RSA, named by SHA-256
        0x00, 0x03, 0x00, 0xb2,                         // fixedTPM fixedParent sensitiveDataOrigin adminWithPolicy
                                                        // restricted decrypt
        0x00, 0x20,                                     // PolicySecret(TPM_RH_ENDORSEMENT)
        0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
        0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
        0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10, // AES-128-CFB, no scheme
        0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, // 2048 bits, the usual exponent; size of the modulus
    };
    // clang-format on
    uint8_t whole[PUBLIC];
    struct slice modulus = tpm_modulus(endorsement_key);
    if (modulus.len != MODULUS)
        return tpm_registration_id(endorsement_key, out);
    memcpy(whole, head, sizeof head);
    memcpy(whole + sizeof head, modulus.at, MODULUS);
    return tpm_registration_id(slice_of(whole, sizeof whole), out);
}
