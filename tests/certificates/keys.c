// Keys of every kind that a certificate may hold, weak ones too.
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "make.h"

// Makes a key with one setting, of the kind that takes a number or a text.
static EVP_PKEY *generate(const char *type, void (*set)(EVP_PKEY_CTX *context, int value), int value)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (!context || EVP_PKEY_keygen_init(context) != 1)
        give_up(type);
    set(context, value);
    if (EVP_PKEY_keygen(context, &key) != 1)
        give_up(type);
    EVP_PKEY_CTX_free(context);
    return key;
}

static void set_curve_spelled_out(EVP_PKEY_CTX *context, int nid)
{
    EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, nid);
    EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_EXPLICIT_CURVE);
}

static void set_exponent(EVP_PKEY_CTX *context, int exponent)
{
    BIGNUM *number = BN_new();
    BN_set_word(number, (BN_ULONG)exponent);
    EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048);
    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, number);
    BN_free(number);
}

static void set_long_exponent(EVP_PKEY_CTX *context, int bits)
{
    BIGNUM *number = BN_new();
    BN_rand(number, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
    EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048);
    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, number);
    BN_free(number);
}

static void set_five_primes(EVP_PKEY_CTX *context, int bits)
{
    EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits);
    EVP_PKEY_CTX_set_rsa_keygen_primes(context, 5);
}

static void set_bits(EVP_PKEY_CTX *context, int bits)
{
    EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits);
}

// A number of that size in place of a modulus: nobody knows the primes, so nobody can sign.
static EVP_PKEY *rsa_public(int bits, unsigned exponent, int bottom)
{
    BIGNUM *n = BN_new();
    BIGNUM *e = BN_new();
    BN_rand(n, bits, BN_RAND_TOP_TWO, bottom);
    if (bottom == BN_RAND_BOTTOM_ANY)
        BN_clear_bit(n, 0);
    BN_set_word(e, exponent);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    if (EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        give_up("public RSA key");
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return key;
}

static EVP_PKEY *dsa(void)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    EVP_PKEY *parameters = NULL;
    EVP_PKEY *key = NULL;
    if (EVP_PKEY_paramgen_init(context) != 1 || EVP_PKEY_CTX_set_dsa_paramgen_bits(context, 2048) != 1 ||
        EVP_PKEY_paramgen(context, &parameters) != 1)
        give_up("DSA parameters");
    EVP_PKEY_CTX_free(context);
    context = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL);
    if (EVP_PKEY_keygen_init(context) != 1 || EVP_PKEY_keygen(context, &key) != 1)
        give_up("DSA key");
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(parameters);
    return key;
}

static EVP_PKEY *key_new(enum key_kind kind)
{
    switch (kind) {
    case EC_P256:
        return EVP_EC_gen("P-256");
    case EC_P384:
        return EVP_EC_gen("P-384");
    case EC_P521:
        return EVP_EC_gen("P-521");
    case EC_P192:
        return EVP_EC_gen("prime192v1");
    case EC_P224:
        return EVP_EC_gen("P-224");
    case EC_SECP256K1:
        return EVP_EC_gen("secp256k1");
    case EC_BRAINPOOL:
        return EVP_EC_gen("brainpoolP256r1");
    case EC_EXPLICIT:
        return generate("EC", set_curve_spelled_out, NID_X9_62_prime256v1);
    case RSA_1024:
        return EVP_RSA_gen(1024);
    case RSA_2048:
        return EVP_RSA_gen(2048);
    case RSA_3072:
        return EVP_RSA_gen(3072);
    case RSA_8704:
        return generate("RSA", set_five_primes, 8704);
    case RSA_16384:
        return rsa_public(16384, 65537, BN_RAND_BOTTOM_ODD);
    case RSA_EXPONENT_1:
        return rsa_public(2048, 1, BN_RAND_BOTTOM_ODD);
    case RSA_EXPONENT_3:
        return generate("RSA", set_exponent, 3);
    case RSA_EXPONENT_LONG:
        return generate("RSA", set_long_exponent, 200);
    case RSA_EXPONENT_EVEN:
        return rsa_public(2048, 65538, BN_RAND_BOTTOM_ODD);
    case RSA_MODULUS_EVEN:
        return rsa_public(2048, 65537, BN_RAND_BOTTOM_ANY);
    case RSA_ONLY_PSS:
        return generate("RSA-PSS", set_bits, 2048);
    case DSA_2048:
        return dsa();
    case ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case ED448:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    case KEY_KINDS:
        break;
    }
    give_up("kind of key");
}

EVP_PKEY *key_make(enum key_kind kind)
{
    static EVP_PKEY *kept[KEY_KINDS];
    bool slow = kind >= RSA_1024 && kind <= DSA_2048;
    if (slow && kept[kind]) {
        EVP_PKEY_up_ref(kept[kind]);
        return kept[kind];
    }
    EVP_PKEY *key = key_new(kind);
    if (!key)
        give_up("cannot make a key");
    if (slow) {
        EVP_PKEY_up_ref(key);
        kept[kind] = key;
    }
    return key;
}

bool key_is_whole(const EVP_PKEY *key)
{
    BIGNUM *secret = NULL;
    if (!EVP_PKEY_is_a(key, "RSA"))
        return true;
    bool whole = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_D, &secret) == 1;
    BN_clear_free(secret);
    return whole;
}
