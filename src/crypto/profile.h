// What a certificate must be, by itself, before anything else about it counts: stricter than OpenSSL
// (threats B12, B13). The rules are the table in profile.c. Not for what holds between certificates: that is
// path.c. Private to src/crypto.
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>

#include "base/err.h"

// What a certificate is judged as.
enum role {
    ROLE_AUTHORITY,   // it vouches for others
    ROLE_DEVICE,      // the leaf below an authority
    ROLE_PINNED,      // a leaf that an enrollment holds by itself
    ROLE_ENDORSEMENT, // the leaf, of a TPM's endorsement key
    ROLE_ENDORSER,    // it vouches for endorsement keys
    ROLE_PROOF,       // it was made to prove possession of a CA's key
    ROLE_COUNT
};

struct verdict {
    // By role: NULL when all rules hold, or what is wrong and what to do, to stand after "the certificate X".
    const char *broken[ROLE_COUNT];
};

enum {
    PROFILE_EXTENSIONS_MAX = 32,
    PROFILE_NAMES_MAX = 64,       // alternative names of one certificate
    PROFILE_CONSTRAINTS_MAX = 64, // subtrees of its name constraints
};

// Leaves nothing in OpenSSL's error queue. ERR_NO_MEMORY, as far as OpenSSL says so: what it could not read
// for want of memory may also stand there as a rule for all roles that is broken.
struct err profile_judge(X509 *x509, struct verdict *out);
// Nothing that is asked of every role is broken. Another verdict is not kept, because it may be wrong.
bool profile_may_be_kept(const struct verdict *verdict);
// Whether something may be signed this way: for revocation lists.
bool profile_signature(const X509_ALGOR *algorithm);
