// Moduli of the kind that can be factored are told from those that sound generators make.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "crypto/modulus.h"
#include "crypto/tpm_keys_test.h"

enum { BYTES = 256, KEYS = 6, NUMBERS = 3000 };

// k * M + (65537^a mod M), of 1024 bits (CVE-2017-15361).
static BIGNUM *weak_prime(const BIGNUM *m, BN_CTX *context)
{
    BIGNUM *base = BN_new();
    BIGNUM *k = BN_new();
    BIGNUM *prime = BN_new();
    assert_int_equal(BN_set_word(base, 65537), 1);
    do {
        assert_int_equal(BN_rand(k, 256, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY), 1);
        assert_int_equal(BN_mod_exp(prime, base, k, m, context), 1);
        assert_int_equal(BN_rand(k, 53, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY), 1);
        assert_int_equal(BN_mul(k, k, m, context), 1);
        assert_int_equal(BN_add(prime, prime, k), 1);
    } while (BN_num_bits(prime) != 1024 || BN_check_prime(prime, context, NULL) != 1);
    BN_free(base);
    BN_free(k);
    return prime;
}

static struct modulus_flaws judge(const BIGNUM *n)
{
    uint8_t bytes[BYTES];
    assert_int_equal(BN_bn2binpad(n, bytes, BYTES), BYTES);
    return modulus_judge(slice_of(bytes, BYTES));
}

static void moduli_made_as_by_the_weak_chips_are_told(void **state)
{
    (void)state;
    BN_CTX *context = BN_CTX_new();
    BIGNUM *m = product_of_primes();
    for (int i = 0; i < 3; i++) {
        BIGNUM *p = weak_prime(m, context);
        BIGNUM *q = weak_prime(m, context);
        assert_int_equal(BN_mul(p, p, q, context), 1);
        struct modulus_flaws flaws = judge(p);
        assert_true(flaws.roca);
        assert_false(flaws.small_factor);
        BN_free(p);
        BN_free(q);
    }
    BN_free(m);
    BN_CTX_free(context);
}

static void moduli_of_sound_generators_are_not(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        EVP_PKEY *key = EVP_RSA_gen(8 * BYTES);
        BIGNUM *n = NULL;
        assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
        struct modulus_flaws flaws = judge(n);
        assert_false(flaws.roca);
        assert_false(flaws.small_factor);
        BN_free(n);
        EVP_PKEY_free(key);
    }
}

static void numbers_at_random_are_not_and_small_factors_are_those_that_there_are(void **state)
{
    (void)state;
    BIGNUM *n = BN_new();
    BIGNUM *m = product_of_primes();
    BIGNUM *common = BN_new();
    BN_CTX *context = BN_CTX_new();
    for (int i = 0; i < NUMBERS; i++) {
        assert_int_equal(BN_rand(n, 8 * BYTES, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
        assert_int_equal(BN_gcd(common, n, m, context), 1);
        struct modulus_flaws flaws = judge(n);
        assert_false(flaws.roca);
        assert_int_equal(flaws.small_factor, !BN_is_one(common));
    }
    BN_CTX_free(context);
    BN_free(common);
    BN_free(m);
    BN_free(n);
}

// 701 is the last prime that is looked at; lengths need not be whole words. One more than a multiple of all
// the primes has none of them as a factor.
static void the_largest_of_the_small_factors_is_found_at_any_length(void **state)
{
    (void)state;
    uint8_t bytes[BYTES + 3];
    BIGNUM *m = product_of_primes();
    for (size_t more = 0; more <= 3; more++) {
        BIGNUM *n = BN_new();
        assert_int_equal(BN_lshift(n, m, (int)(BYTES - 2 + more) * 8 - BN_num_bits(m)), 1);
        assert_int_equal(BN_add_word(n, 1), 1);
        for (int factor = 1; factor <= 701; factor += 700) {
            assert_int_equal(BN_mul_word(n, (BN_ULONG)factor), 1);
            assert_int_equal(BN_bn2binpad(n, bytes, (int)(BYTES + more)), (int)(BYTES + more));
            assert_int_equal(modulus_judge(slice_of(bytes, BYTES + more)).small_factor, factor == 701);
        }
        BN_free(n);
    }
    BN_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moduli_made_as_by_the_weak_chips_are_told),
        cmocka_unit_test(moduli_of_sound_generators_are_not),
        cmocka_unit_test(numbers_at_random_are_not_and_small_factors_are_those_that_there_are),
        cmocka_unit_test(the_largest_of_the_small_factors_is_found_at_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
