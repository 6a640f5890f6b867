// Makes certificates, keys and revocation lists for tests, right ones and wrong ones, with OpenSSL directly.
// Not for anything that is installed: whatever does not work out ends the process with a sentence.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <openssl/x509v3.h>

enum key_kind {
    EC_P256, // what is used where a plan says nothing
    EC_P384,
    EC_P521,
    EC_P192,
    EC_P224,
    EC_SECP256K1,
    EC_BRAINPOOL,
    EC_EXPLICIT, // the curve spelled out as numbers instead of named
    RSA_1024,
    RSA_2048,
    RSA_3072,
    RSA_8704,          // five primes, so that it is made in seconds
    RSA_16384,         // a public key only: nobody waits for the other half
    RSA_EXPONENT_1,    // a public key only
    RSA_EXPONENT_3,    //
    RSA_EXPONENT_LONG, // 200 bits: whoever checks a signature pays for it
    RSA_EXPONENT_EVEN, // a public key only
    RSA_MODULUS_EVEN,  // a public key only
    RSA_ONLY_PSS,      // the key itself says that it is for PSS
    DSA_2048,          //
    ED25519,           //
    ED448,             //
    KEY_KINDS,         //
};

enum digest { SHA_256, SHA_384, SHA_512, SHA_224, SHA_1, MD_5, PSS_SHA_256, PSS_SHA_1 };

// A certificate as it should come out. What is left zero is as in a good one; "" leaves an extension out. In
// all texts a $ stands for the name of the case.
struct plan {
    const char *subject;     // "O=maker/CN=$"
    const char *issuer_name; // what it says, when that is not the subject of its signer
    unsigned signer;         // which certificate of the case signs it
    unsigned key_of;         // it has the same key as that certificate of the case
    enum key_kind key;
    enum digest digest;
    int from;                // days from now; 0: yesterday
    int until;               // days from now; 0: in a year
    const char *not_before;  // the text itself, a U or G (UTCTime or GeneralizedTime) in front
    const char *not_after;   //
    const char *serial;      // hex, maybe with a minus
    int version;             // 3 when 0
    const char *basic;       // extensions, as OpenSSL's configuration files spell them
    const char *usage;       //
    const char *purpose;     //
    const char *alternative; //
    const char *constraints; //
    const char *authority;   // the key identifier of the issuer, hex
    const char *more[3];     // "1.2.3.4=critical,DER:0500"
    bool broken_signature;   // one bit of it is wrong
    void (*edit)(X509 *certificate, const char *name); // what no text can say; before it is signed
    void (*rewrite)(uint8_t **der, size_t *len);       // after it was signed; may replace *der (malloc)
};

// A certificate with its key.
struct made {
    EVP_PKEY *key;
    X509_NAME *subject;
    ASN1_INTEGER *serial;
    uint8_t *der; // malloc'ed
    size_t len;
};
void made_release(struct made *made);

_Noreturn void give_up(const char *what);
// Keys of slow kinds are made once per process, and the second who asks gets the same.
EVP_PKEY *key_make(enum key_kind kind);
bool key_is_whole(const EVP_PKEY *key); // it can sign

X509_NAME *name_read(const char *text, const char *name);
// into->key and into->subject are there already, and so are those of the signer.
void certificate_make(const struct plan *plan, const char *name, bool is_ca, const struct made *signer,
                      time_t now, struct made *into);

// A revocation list of `issuer` (its name), signed by `signer`'s key.
struct crl_plan {
    int from;         // days from now; 0: yesterday
    int until;        // days from now; 0: in a week
    const char *more; // an extension of the list
};
void crl_make(const struct crl_plan *plan, const struct made *issuer, const struct made *signer,
              const struct made *const *revoked, size_t count, time_t now, uint8_t **der, size_t *len);
