// The certificates that a TLS peer showed, decoded once per connection. The handshake proved that it holds
// the leaf's key; what the certificates are worth is judged by path.h.
#pragma once

#include "base/err.h"
#include "base/slice.h"

enum {
    CHAIN_MAX = 6,        // certificates that are looked at, the leaf included; a longer chain is refused
    FINGERPRINT_SIZE = 32 // SHA-256 of a certificate's DER
};

// One thread. Counted by its holders: a connection, and each request that is under way for it.
struct chain;

// From DER, leaf first (wire/tls has chain_openssl.h). What is wrong with the peer's certificates is no error
// of this call: chain_problem says it, and judging the chain fails with it. count is at least 1.
// ERR_NO_MEMORY.
struct err chain_new(const struct slice *certificates, size_t count, struct chain **out);
struct chain *chain_hold(struct chain *chain);
void chain_release(struct chain *chain); // NULL is fine

// NULL, or why none of this can be judged: too many certificates, not decodable.
const struct why *chain_problem(const struct chain *chain);
struct slice chain_leaf(const struct chain *chain);          // DER; lives as long as the chain
struct slice chain_common_name(const struct chain *chain);   // of the leaf, UTF-8; empty: none, or several
const uint8_t *chain_fingerprint(const struct chain *chain); // of the leaf
// All that was shown, DER, leaf first; at most `max`. They live as long as the chain.
size_t chain_shown(const struct chain *chain, struct slice *out, size_t max);
// Of the leaf, for hubs that know it by that. ERR_NO_MEMORY.
struct err chain_sha1(const struct chain *chain, uint8_t out[20]);
int64_t chain_not_before_us(const struct chain *chain); // of the leaf
int64_t chain_not_after_us(const struct chain *chain);
// The names (see certificate_names) of the issuers of everything that was shown, each once.
size_t chain_issuers(const struct chain *chain, uint32_t *out, size_t max);
// Gives back what is needed only while judging: an idle connection keeps the DER and a few facts. Judging
// goes on to work, and costs a decoding more.
void chain_rest(struct chain *chain);
bool chain_rests(const struct chain *chain); // nothing is decoded now
