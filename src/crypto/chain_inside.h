// What a chain is made of, for chain.c and those that judge it. Private to src/crypto.
#pragma once

#include "crypto/facts.h"
#include "crypto/revocation.h"

// One of the certificates that the peer showed.
struct shown {
    struct slice der;
    uint8_t fingerprint[FINGERPRINT_SIZE];
    uint32_t subject; // certificate_names
    uint32_t issuer;
    X509 *x509;          // NULL: decoded again when it is wanted
    struct facts *facts; // NULL: worked out when they are wanted
};

struct chain {
    size_t holders;
    const struct why *problem;
    bool of_tls; // the TLS library holds the leaf too
    size_t count;
    struct shown shown[CHAIN_MAX]; // the leaf first
    uint8_t *der;                  // of all of them
    // Of the leaf, for as long as the chain lives:
    uint8_t *common_name;
    size_t common_name_len;
    int64_t not_before_us;
    int64_t not_after_us;
    struct serial serial;
    bool judged;
    struct verdict profile;    // when judged
    struct proofs signers;     // whose keys made its signature
    struct proofs constraints; // whose name constraints it keeps
};

// The facts are the chain's, until chain_rest. ERR_NO_MEMORY.
struct err chain_facts(struct chain *chain, size_t index, struct facts **out);
// What the profile says of the leaf. ERR_NO_MEMORY.
struct err chain_judge(struct chain *chain, const struct verdict **out);
struct label chain_label(const struct chain *chain);
