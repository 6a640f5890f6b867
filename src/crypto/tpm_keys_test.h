// For unit tests only: a TPM's public keys, one of which somebody's TPM made (device-protocol 6.1).
#pragma once

#include <openssl/bn.h>

#include "base/testing.h"
#include "base/text.h"
#include "crypto/tpm.h"

#define EK_B64                                                                                               \
    "AToAAQALAAMAsgAgg3GXZ0SEs/"                                                                             \
    "gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEAq5XC6r2JlMI5z4BUxCHlxGOg20"                       \
    "wjX83Fz6XyCLsoucqtyqYMuR4uVwVILktQoDpv6QbORY3Ghk089l9Goq2h6yekmvoS45UDCjpohy4r/"                        \
    "TdOl36Ff+hH7t5dsa92frW5aehB"                                                                            \
    "N7Ev8kEvhOqEznvPZ+nEivP6UDLwRV5hYgmv2pyC+bQ9D+FgbGjMuREQPPAZT0kaRbeXfKLYQU1Ygiuh4ZW1+"                  \
    "edTSxZarDo5GtlcJw62dx"                                                                                  \
    "HfsnQZs9twI5jOvzKKJDZaM8QbHxVB43Oum//5KWAVfRl13p/LfyDUMsJGiHd1CyJRQwmBWni/"                             \
    "kjEB0yHHgnIMPjMUzlLbTKDR368dGw="                                                                        \
    "="

enum { EK_SIZE = 316, SRK_SIZE = 284, EK_MODULUS = EK_SIZE - 256, SRK_MODULUS = SRK_SIZE - 256 };

static inline void ek_bytes(uint8_t out[EK_SIZE])
{
    size_t len = 0;
    assert_true(b64_decode(slice_text(EK_B64), out, EK_SIZE, &len));
    assert_int_equal(len, EK_SIZE);
}

// As the template of storage root keys says, with the modulus given.
static inline void srk_bytes(const uint8_t modulus[256], uint8_t out[SRK_SIZE])
{
    static const uint8_t head[] = {0x01, 0x1a, 0x00, 0x01, 0x00, 0x0b, 0x00, 0x03, 0x04, 0x72,
                                   0x00, 0x00, 0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10,
                                   0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00};
    _Static_assert(sizeof head == SRK_MODULUS, "what stands before the modulus");
    memcpy(out, head, sizeof head);
    memcpy(out + SRK_MODULUS, modulus, 256);
}

// Of the first 126: the M of ROCA.
static inline BIGNUM *product_of_primes(void)
{
    BIGNUM *m = BN_new();
    int count = 0;
    assert_int_equal(BN_one(m), 1);
    for (BN_ULONG n = 2; count < 126; n++) {
        bool prime = true;
        for (BN_ULONG d = 2; d * d <= n; d++)
            prime = prime && n % d != 0;
        if (!prime)
            continue;
        assert_int_equal(BN_mul_word(m, n), 1);
        count++;
    }
    assert_int_equal(BN_num_bits(m), 971);
    return m;
}
