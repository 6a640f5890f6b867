// One step of the search of path.c: may this certificate stand above those of the way so far? Private to
// src/crypto.
#pragma once

#include "crypto/chain_inside.h"
#include "crypto/issuers_kept.h"
#include "crypto/path.h"

// A certificate that may vouch for another.
struct candidate {
    struct facts *facts; // held; NULL: not worked out yet
    struct slice der;
    uint8_t fingerprint[FINGERPRINT_SIZE];
    uint32_t subject;
    bool known;
    bool anchor;
    size_t shown; // its place in the chain, when it is not known
};

// A signature that was checked in this search.
struct tried {
    const uint8_t *child; // fingerprints
    const uint8_t *parent;
    bool holds;
};

// Why a way ended; the one that got furthest is told.
struct blame {
    size_t rank;
    enum err_code code;
    struct why why;
};

struct search {
    struct issuers *issuers;
    const struct path_question *question;
    struct candidate candidates[PATH_KNOWN_MAX + CHAIN_MAX];
    size_t candidate_count;
    const struct facts *known[PATH_KNOWN_MAX]; // of the question's; NULL: no certificate
    struct candidate *way[PATH_ABOVE_MAX];     // above the leaf, nearest first
    size_t depth;
    struct tried tried[PATH_SIGNATURES_MAX];
    size_t tried_count;
    size_t strangers; // how many of those failed with what only the device showed
    size_t steps;
    struct blame blame;
    struct path *paths;
    size_t path_count;
    size_t max;
};

// The leaf by itself. Takes down why.
struct err step_check_leaf(struct search *s);
struct err step_leaf_holds(const struct chain *chain, const char *broken, int64_t now_us, struct why *why);
// Whether c, by its name and key identifier, may be who issued the top of the way (and is not in it).
// ERR_NO_MEMORY.
struct err step_is_issuer(struct search *s, struct candidate *c, bool *is);
// Whether it holds, by itself and for all that is below it. Takes down why. ERR_NO_MEMORY.
struct err step_check(struct search *s, struct candidate *c);
// The top of the way is no anchor, and nobody known issued it.
void step_blame_nobody(struct search *s);
void step_blame_steps(struct search *s);
