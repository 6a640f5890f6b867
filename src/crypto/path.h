// Is there a way from the leaf that a device showed up to a certificate that the service trusts? By a profile
// of our own, stricter than OpenSSL's (threats A8, B11 to B14): the table in profile.c.
#pragma once

#include "crypto/chain.h"
#include "crypto/issuers.h"

enum { PATH_ABOVE_MAX = 4, PATH_SIGNATURES_MAX = 8, PATH_KNOWN_MAX = 64 };

// A certificate that the service holds: one of its CA certificates, or one of an enrollment group.
struct path_known {
    struct slice der;
    bool anchor;             // a verified CA certificate of the service: a way may end here
    struct slice crl_digest; // SHA-256 of its revocation list; empty: it has none
    struct slice crl;        // the list's DER; may be empty when issuers_has_crl(crl_digest)
    bool crl_required;       // without a fresh list nothing that it issued counts (fail closed)
};

struct path_question {
    struct chain *chain; // what else it shows is used in any order, and does not have to be used
    const struct path_known *known;
    size_t known_count; // more than PATH_KNOWN_MAX: the rest is not looked at
    int64_t now_us;
    bool expired_anchors; // an anchor counts although it expired (threats B14)
    bool endorsement;     // the leaf is a TPM's, of its endorsement key: another profile for it, and
                          // another purpose of those above it
};

// A way: what is above the leaf, nearest first, up to the highest anchor that holds.
struct path {
    struct slice above[PATH_ABOVE_MAX]; // DER; views of the question's
    size_t count;                       // at least 1
};

// Up to `max` ways, each different; every certificate of a way holds, by itself and for those below it.
// Signatures are checked with kept keys, no more than PATH_SIGNATURES_MAX of them, and one that held is not
// checked again for this chain. When there is no way, why says what was wrong with the one that got furthest,
// naming the certificate, and the error is one of
//  - ERR_CERTIFICATE_EXPIRED: a certificate is expired or not valid yet
//  - ERR_CERTIFICATE_REVOKED: it is on its issuer's list; or that list is missing or stale where it is
//    required, or is not at hand or not usable although there is one
//  - ERR_CERTIFICATE_REFUSED: the profile, a signature or a constraint does not hold
//  - ERR_CERTIFICATE_UNTRUSTED: nobody known issued it
//  - ERR_NO_MEMORY
struct err path_find(struct issuers *issuers, const struct path_question *question, struct path *paths,
                     size_t max, size_t *count, struct why *why);
// The leaf by itself, for an enrollment that pins exactly this certificate: key, algorithm, validity, what it
// may be used for. Whoever signed it, even itself, and whether it says that it is a CA, does not matter then.
struct err path_check_pinned(struct chain *chain, int64_t now_us, struct why *why);
