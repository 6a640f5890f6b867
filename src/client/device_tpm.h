// The TPM of the device that is played: its keys, and what the service plants in it
// (device-protocol 6.1, 6.5). Blocks. Nothing is made permanent in the TPM: keys that it lacks are derived
// from its seeds each time anew, and are the same each time.
#pragma once

#include "base/arena.h"
#include "crypto/hmac.h"

enum { DEVICE_TPM_CERTIFICATES_MAX = 4 };

struct device_tpm;

// tcti: how to reach it, as tpm2-tools take it ("device:/dev/tpmrm0", "swtpm:host=127.0.0.1,port=2321").
// ERR_SYSTEM with why: not there, or not usable.
struct err device_tpm_open(const char *tcti, struct device_tpm **out, struct why *why);
void device_tpm_close(struct device_tpm *tpm); // NULL is fine

// TPM2B_PUBLIC of its endorsement key and of its storage root key; live as long as it does.
struct slice device_tpm_endorsement_key(const struct device_tpm *tpm);
struct slice device_tpm_storage_root_key(const struct device_tpm *tpm);
// The DER certificate of its endorsement key, from its non-volatile memory; empty when it has none. In the
// arena. ERR_SYSTEM, ERR_NO_MEMORY.
struct err device_tpm_certificate(struct device_tpm *tpm, struct arena *arena, struct slice *der,
                                  struct why *why);

// Takes the key out of an activation blob and keeps it, inside the TPM, in place of the one before.
// ERR_CONFLICT: it was not made for this TPM, or is damaged.
struct err device_tpm_activate(struct device_tpm *tpm, struct slice blob, struct why *why);
// HMAC-SHA256 with that key. At most 1,024 bytes are signed. ERR_INVALID before a key was planted.
struct err device_tpm_sign(struct device_tpm *tpm, struct slice message, uint8_t out[SHA256_SIZE],
                           struct why *why);
