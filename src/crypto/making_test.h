// For unit tests only: certificates and revocation lists of every kind, good and bad, made by OpenSSL. What
// is made is freed by made_release. Whatever cannot be made fails the test.
#pragma once

#include <openssl/x509v3.h>

#include "base/testing.h"

#define NOW_US INT64_C(1800000000000000) // 2027-01-15T08:00:00Z
#define DAY_US INT64_C(86400000000)

#define CA_EXTENSIONS                                                                                        \
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
#define DEVICE_EXTENSIONS "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
// Names manufacturer id:00001014, model swtpm, version id:20191023: as swtpm_localca writes it.
#define TPM_NAME_EXTENSION                                                                                   \
    "subjectAltName=critical,DER:3046A444304231163014060567810502010C0B69643A3030303031303134"               \
    "3110300E060567810502020C05737774706D31163014060567810502030C0B69643A3230313931303233\n"
#define TPM_EXTENSIONS                                                                                       \
    TPM_NAME_EXTENSION                                                                                       \
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyEncipherment\nextendedKeyUsage=2.23.133.8.1\n"

struct made {
    X509 *x509;
    EVP_PKEY *key;
    struct slice der;
};

struct spec {
    const char *subject;       // the CN; or "/O=a/CN=b"; "" is the empty name
    const struct made *issuer; // NULL: itself
    const char *issuer_name;   // as subject; NULL: the issuer's subject
    const struct made *same_key;
    EVP_PKEY *key;          // public, not taken over; NULL: same_key's, or a new one
    const char *kind;       // of a new key: "P-256" (NULL), another curve, "RSA", "RSA-PSS", "ED25519"
    const char *extensions; // lines of name=value as in openssl.cnf; NULL: CA_EXTENSIONS
    long serial;            // 0: a new one
    const char *serial_hex;
    int64_t from_us; // against NOW_US; both 0: from a day ago, for a year
    int64_t to_us;
    const char *digest;         // NULL: SHA256, or what the key's kind needs
    bool pss;                   // sign with RSA-PSS
    const char *mask;           // its second digest; NULL: the same as the first
    long version;               // 0: 3
    bool spoiled;               // a byte of the signature is changed
    bool two_algorithms;        // ecdsa-with-SHA256 inside, ecdsa-with-SHA384 outside
    void (*change)(X509 *x509); // just before it is signed
};

const struct made *make(const struct spec *spec);
const struct made *make_ca(const char *name, const struct made *issuer);
const struct made *make_device(const char *name, const struct made *issuer);
// The same certificate (P-256), its signature written in the other way that ECDSA allows.
const struct made *make_rewritten(const struct made *made);
EVP_PKEY *make_key(const char *kind);
// Of an RSA key whose private half nobody knows, so that it is signed by another. Takes over n.
const struct made *make_with_modulus(BIGNUM *n, const char *exponent);
const struct made *make_that_can_be_factored(void); // ROCA

struct list_spec {
    const struct made *issuer;
    const struct made *const *revoked; // NULL at the end; NULL: nothing
    int64_t from_us;                   // against NOW_US; both 0: from an hour ago, for a day
    int64_t to_us;
    bool endless;           // no nextUpdate
    const char *extensions; // as above
    const char *digest;
    const struct made *signer; // NULL: the issuer
};
// DER.
struct slice make_list(const struct list_spec *spec);

void made_release(void);
