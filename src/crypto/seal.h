// Secrets at rest: sealed with a master key that is kept apart from the database (threats D5). AES-256-GCM
// under a key of the record's own, HMAC-SHA256(master, "usher seal v1" ‖ aad), where aad names the place
// (service, table, ID, field): what is moved to another place does not open.
//
// Sealed form: version (1), key ID, nonce (12 bytes), ciphertext (as long as the plaintext), tag (16 bytes).
#pragma once

#include "base/buf.h"
#include "base/secret.h"

enum { SEAL_MASTER_SIZE = 32, SEAL_NONCE_SIZE = 12, SEAL_OVERHEAD = 30, SEAL_PLAIN_MAX = 1024 * 1024 };

// Constant once made; threads may share it.
struct sealer {
    struct secret master;
    uint8_t key_id; // derived from the master key; tells a wrong master key from a damaged record
};

// ERR_CONFIG with why when the key has not SEAL_MASTER_SIZE bytes or is all zero.
struct err sealer_init(struct sealer *sealer, struct slice master, struct why *why);
void sealer_release(struct sealer *sealer);

// Appends the sealed form. nonce: fresh random bytes. ERR_CAPPED when plain is longer than SEAL_PLAIN_MAX or
// `out` has no room; ERR_NO_MEMORY.
struct err seal(const struct sealer *sealer, const uint8_t nonce[SEAL_NONCE_SIZE], struct slice aad,
                struct slice plain, struct buf *out);
// Appends the plaintext; nothing is appended on error. ERR_SEAL with why when the master key or the place is
// another than at sealing, or a bit was changed. The caller wipes `out`.
struct err unseal(const struct sealer *sealer, struct slice aad, struct slice sealed, struct buf *out,
                  struct why *why);
// The same for a key; *out is none on error. A plaintext longer than SECRET_MAX is ERR_SEAL.
struct err unseal_secret(const struct sealer *sealer, struct slice aad, struct slice sealed,
                         struct secret *out, struct why *why);
