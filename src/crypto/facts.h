// One decoded certificate and what judging it needs again and again, worked out once. Private to src/crypto.
#pragma once

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/chain.h"
#include "crypto/profile.h"

// Fingerprints of certificates for which something was proved; the newest push out the oldest.
enum { PROOFS_MAX = 4 };
struct proofs {
    uint8_t of[PROOFS_MAX][FINGERPRINT_SIZE];
    size_t count; // of all that were ever added
};
bool proofs_have(const struct proofs *proofs, const uint8_t fingerprint[FINGERPRINT_SIZE]);
void proofs_add(struct proofs *proofs, const uint8_t fingerprint[FINGERPRINT_SIZE]);

// One thread. Counted by its holders. Constant, but for what was proved.
struct facts {
    size_t holders;
    X509 *x509;
    EVP_PKEY *key;                 // of x509; NULL when it cannot be decoded
    NAME_CONSTRAINTS *constraints; // NULL: none
    uint8_t fingerprint[FINGERPRINT_SIZE];
    uint32_t subject; // certificate_names
    uint32_t issuer;
    int64_t not_before_us;
    int64_t not_after_us;
    long path_len; // -1: no limit
    bool self_issued;
    struct verdict profile;
    struct proofs signers; // whose keys made its signature
};

// ERR_INVALID: it is not one whole certificate and nothing else, or too long. ERR_NO_MEMORY.
struct err facts_decode(struct slice der, X509 **out);
// Holds x509 by a reference of its own. ERR_NO_MEMORY.
struct err facts_new(X509 *x509, const uint8_t fingerprint[FINGERPRINT_SIZE], struct facts **out);
// ERR_INVALID: not a certificate. ERR_NO_MEMORY.
struct err facts_read(struct slice der, struct facts **out);
struct facts *facts_hold(struct facts *facts);
void facts_release(struct facts *facts); // NULL is fine

// False for a time that RFC 5280 4.1.2.5 does not allow.
bool facts_time(const ASN1_TIME *time, int64_t *us);
// certificate_names. ERR_NO_MEMORY.
struct err facts_name(const X509_NAME *name, uint32_t *out);
bool facts_signed_by(const struct facts *facts, const struct facts *issuer);

// A name cut to fit into a sentence for people: "CN=x", or the first that is there.
struct label {
    char text[44];
};
struct label facts_label(const X509_NAME *name);
// A common name that is already at hand.
struct label facts_label_common(struct slice common_name);
struct label facts_label_time(int64_t us);
