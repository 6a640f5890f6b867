// Does the owner of a CA certificate hold its key? It signs a certificate whose common name is a code that
// was made for this purpose (service-api E.1). And what a certificate must be to become a CA certificate of a
// service at all.
#pragma once

#include "base/arena.h"

// Random bytes; the code is their hex, 64 characters, as long as a CN may be.
enum { POSSESSION_CODE_SIZE = 32 };

// code: its text, 64 hex digits in either case. ERR_INVALID with why: proof's common name is not the code
// (compared in constant time), ca's key did not sign it, its issuer is not ca's subject, one of the two is
// outside its validity or does not hold by the profile.
struct err possession_check(struct slice ca, struct slice proof, struct slice code, int64_t now_us,
                            struct why *why);

// What is worth knowing of a certificate that is to vouch for others. Made in the arena.
struct authority {
    uint32_t subject; // certificate_names
    uint32_t issuer;
    int64_t not_before_us;
    int64_t not_after_us;
};
// ERR_INVALID with why when it cannot vouch for anybody: no CA, weak key or signature, expired. One that is
// not valid yet may be handed in ahead of time.
struct err authority_check(struct slice der, int64_t now_us, struct authority *out, struct why *why);

// A revocation list of ca: PEM, DER or base64 of either; *der is made in the arena. ERR_INVALID with why: not
// a list, not signed by ca, an indirect or delta list, one of only some certificates or reasons, too long,
// already stale or not valid yet.
enum { CRL_MAX = 1 << 20 }; // bytes of DER
struct crl_facts {
    uint8_t digest[32]; // SHA-256 of der
    int64_t this_update_us;
    int64_t next_update_us; // 0: it does not say
    size_t revoked;
};
struct err crl_read(struct arena *arena, struct slice text, struct slice ca, int64_t now_us,
                    struct slice *der, struct crl_facts *out, struct why *why);
