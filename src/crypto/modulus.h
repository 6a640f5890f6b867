// RSA moduli that no sound generator makes. Not a test of primality: nobody can tell a good modulus from
// outside, only some of the bad ones. Private to src/crypto.
#pragma once

#include "base/slice.h"

struct modulus_flaws {
    bool small_factor; // odd, of up to ten bits
    // ROCA (CVE-2017-15361): some chips make primes of the form k*M + 65537^a mod M, and a modulus made of
    // these can be factored.
    bool roca;
};
// A big-endian number of at least 1984 bits.
struct modulus_flaws modulus_judge(struct slice modulus);
