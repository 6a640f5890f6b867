// What is in the cache of certificates and revocation lists, for those that judge. Private to src/crypto.
#pragma once

#include "crypto/issuers.h"
#include "crypto/revocation.h"

// NULL when it is not kept. The facts are held by the cache until something else is kept: hold them.
struct facts *issuers_find(struct issuers *issuers, const uint8_t fingerprint[FINGERPRINT_SIZE]);
// For a certificate that the service holds, or below which a whole way was proved: never for what a stranger
// shows, who would push out everything else. When memory is out, it is not kept; nor is what breaks a rule
// for all certificates, because that may come of a want of memory too (I9).
void issuers_keep(struct issuers *issuers, struct facts *facts);
// From what is kept, or decoded and kept now; *out is for the caller to release. ERR_INVALID: not a
// certificate. ERR_NO_MEMORY.
struct err issuers_facts(struct issuers *issuers, struct slice der, struct facts **out);
// The list with this digest, which ca's key signed; from what is kept, or read from der, which may be empty,
// and kept. *out is for the caller to release. ERR_INVALID with why: it is not at hand, does not fit its
// digest, or is not ca's. ERR_NO_MEMORY.
struct err issuers_list(struct issuers *issuers, struct slice digest, struct slice der,
                        const struct facts *ca, struct revocation **out, struct why *why);
