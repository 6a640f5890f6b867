// Revocation lists, decoded to what is asked of them: the serial numbers, sorted. Private to src/crypto.
#pragma once

#include "crypto/facts.h"

enum { SERIAL_SIZE = 20 }; // bytes at most; the profile refuses longer ones
struct serial {
    uint8_t bytes[2 + SERIAL_SIZE]; // sign, length, digits; zeros behind
};
// False when it is too long, which means that it is in no list.
bool serial_of(const ASN1_INTEGER *number, struct serial *out);

struct revocation {
    size_t holders;
    EVP_PKEY *signer;
    int64_t this_update_us;
    int64_t next_update_us; // 0: it does not say
    size_t count;
    struct serial serials[]; // sorted
};

// ERR_INVALID with why: not a list, not signed by ca, ca may not sign lists, an indirect or delta list, a
// list of only some of what ca issued, a critical extension that is not known. ERR_NO_MEMORY.
struct err revocation_read(struct slice der, const struct facts *ca, struct revocation **out,
                           struct why *why);
struct revocation *revocation_hold(struct revocation *list);
void revocation_release(struct revocation *list); // NULL is fine
bool revocation_lists(const struct revocation *list, const struct serial *serial);
bool revocation_is_fresh(const struct revocation *list, int64_t now_us);
// How much memory it takes.
size_t revocation_size(const struct revocation *list);
