// What a TPM does of TPM attestation, for the load generator: it holds an endorsement and a storage root key
// and opens activation blobs (device-protocol 6). It checks what decides whether the key is the right one,
// and no more.
#pragma once

#include <openssl/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

struct soft_tpm {
    EVP_PKEY *endorsement, *storage_root;
    struct buf endorsement_public, storage_root_public; // TPM2B_PUBLIC
};

// The TPMs of a file of private keys, PEM: of each the endorsement key and the storage root key, both RSA of
// 2048 bits. False: it cannot be read, or has none. The TPMs live until the process ends.
bool soft_tpm_read(const char *path, struct soft_tpm **tpms, size_t *count);
// The key that an activation blob plants; of what tpm2_makecredential makes, the secret in it. False: it is
// not for this TPM, or malformed.
bool soft_tpm_activate(const struct soft_tpm *tpm, struct slice blob, struct secret *key);
