// Residues modulo the small primes.
#include "crypto/modulus.h"

// The odd primes whose product with 2 is the M of ROCA for keys of 1984 to 3936 bits; longer keys have more.
static const uint16_t primes[] = {
    3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,  73,  79,
    83,  89,  97,  101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191,
    193, 197, 199, 211, 223, 227, 229, 233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311,
    313, 317, 331, 337, 347, 349, 353, 359, 367, 373, 379, 383, 389, 397, 401, 409, 419, 421, 431, 433, 439,
    443, 449, 457, 461, 463, 467, 479, 487, 491, 499, 503, 509, 521, 523, 541, 547, 557, 563, 569, 571, 577,
    587, 593, 599, 601, 607, 613, 617, 619, 631, 641, 643, 647, 653, 659, 661, 673, 677, 683, 691, 701};
enum { PRIMES = sizeof primes / sizeof primes[0] };

// Whether `rest` is a power of 65537 modulo the prime.
static bool is_power(uint32_t rest, uint32_t prime)
{
    uint32_t power = 1;
    do {
        if (power == rest)
            return true;
        power = power * (65537 % prime) % prime;
    } while (power != 1);
    return false;
}

static uint32_t modulo(struct slice modulus, uint32_t divisor)
{
    uint64_t rest = 0;
    size_t i = 0;
    for (; i < modulus.len % 4; i++)
        rest = (rest << 8 | modulus.at[i]) % divisor;
    for (; i < modulus.len; i += 4) {
        const uint8_t *at = modulus.at + i;
        uint32_t word = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        rest = (rest << 32 | word) % divisor;
    }
    return (uint32_t)rest;
}

// How many of the primes from `first` on have a product of 32 bits: one long division does for all of them.
static size_t group(size_t first, uint32_t *product)
{
    uint64_t next = primes[first];
    size_t count = 0;
    while (first + count < PRIMES && next <= UINT32_MAX) {
        *product = (uint32_t)next;
        count++;
        next *= first + count < PRIMES ? primes[first + count] : 1;
    }
    return count;
}

// ROCA's primes are powers of 65537 modulo each prime of M, so that their product is, too (Nemec et al., "The
// Return of Coppersmith's Attack", CCS 2017). Another modulus is that for all of them, by chance, less often
// than once in 2^27, which is the figure for the seventeen primes that the published tool looks at.
struct modulus_flaws modulus_judge(struct slice modulus)
{
    struct modulus_flaws flaws = {.roca = true};
    for (size_t first = 0; first < PRIMES;) {
        uint32_t product = 1;
        size_t count = group(first, &product);
        uint32_t rest = modulo(modulus, product);
        for (size_t i = first; i < first + count; i++) {
            flaws.small_factor = flaws.small_factor || rest % primes[i] == 0;
            flaws.roca = flaws.roca && is_power(rest % primes[i], primes[i]);
        }
        first += count;
    }
    return flaws;
}
