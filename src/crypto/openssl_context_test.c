// What OpenSSL offers in our context, and what it does not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/begin.h"
#include "crypto/bench_pki.h"
#include "crypto/certificate.h"
#include "crypto/openssl_context.h"

static bool has_digest(const char *name)
{
    EVP_MD *digest = EVP_MD_fetch(openssl_context(), name, NULL);
    EVP_MD_free(digest);
    ERR_clear_error();
    return digest != NULL;
}

static bool has_cipher(const char *name)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(openssl_context(), name, NULL);
    EVP_CIPHER_free(cipher);
    ERR_clear_error();
    return cipher != NULL;
}

static void what_the_house_uses_is_there(void **state)
{
    (void)state;
    assert_true(has_digest("SHA256"));
    assert_true(has_digest("SHA2-384"));
    assert_true(has_cipher("AES-128-GCM"));
    assert_true(has_cipher("ChaCha20-Poly1305"));
}

static void what_nobody_should_use_cannot_be_had(void **state)
{
    (void)state;
    assert_false(has_digest("MD5"));
    assert_false(has_digest("MD5-SHA1"));
    assert_false(has_cipher("AES-128-CBC"));
    assert_false(has_cipher("DES-EDE3-CBC"));
}

static void decode(enum bench_key key, const char *kind)
{
    struct buf pem = buf_capped(BENCH_PEM_MAX);
    struct buf key_pem = buf_capped(BENCH_PEM_MAX);
    struct arena arena = arena_capped(64 * 1024);
    struct slice der;
    struct bench_spec spec = {
        .role = BENCH_DEVICE, .key = key, .common_name = SLICE("dev1"), .now_us = INT64_C(1700000000000000)};
    assert_false(failed(bench_make(&spec, &pem, &key_pem, NULL)));
    assert_false(failed(certificate_read(&arena, buf_slice(&pem), &der, NULL)));
    X509 *x509 = X509_new_ex(openssl_context(), NULL);
    const unsigned char *at = der.at;
    assert_non_null(d2i_X509(&x509, &at, (long)der.len));
    assert_non_null(X509_get0_pubkey(x509));
    assert_true(EVP_PKEY_is_a(X509_get0_pubkey(x509), kind));
    assert_int_equal(X509_verify(x509, X509_get0_pubkey(x509)), 1); // it signed itself
    X509_free(x509);
    arena_release(&arena);
    buf_release(&pem);
    buf_release(&key_pem);
}

static void certificates_are_decoded_and_their_signatures_checked(void **state)
{
    (void)state;
    decode(BENCH_EC, "EC");
    decode(BENCH_RSA, "RSA");
}

// The public key of `key` as SubjectPublicKeyInfo; *len is its length.
static unsigned char *encoded(EVP_PKEY *key, int *len)
{
    unsigned char *der = NULL;
    *len = i2d_PUBKEY(key, &der);
    assert_true(*len > 0);
    return der;
}

static EVP_PKEY *decoded(const unsigned char *der, int len)
{
    EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &der, len, openssl_context(), NULL);
    ERR_clear_error();
    return key;
}

static void same_text(const EVP_PKEY *a, const EVP_PKEY *b, const char *name)
{
    char of_a[80], of_b[80];
    assert_int_equal(EVP_PKEY_get_utf8_string_param(a, name, of_a, sizeof of_a, NULL), 1);
    assert_int_equal(EVP_PKEY_get_utf8_string_param(b, name, of_b, sizeof of_b, NULL), 1);
    assert_string_equal(of_a, of_b);
}

static void same_point(const EVP_PKEY *a, const EVP_PKEY *b)
{
    unsigned char of_a[256], of_b[256];
    size_t len_a, len_b;
    assert_int_equal(EVP_PKEY_get_octet_string_param(a, OSSL_PKEY_PARAM_PUB_KEY, of_a, sizeof of_a, &len_a),
                     1);
    assert_int_equal(EVP_PKEY_get_octet_string_param(b, OSSL_PKEY_PARAM_PUB_KEY, of_b, sizeof of_b, &len_b),
                     1);
    assert_int_equal(len_a, len_b);
    assert_memory_equal(of_a, of_b, len_a);
}

// Points in both forms, and curves that OpenSSL decodes itself.
static void keys_on_curves_are_what_openssl_alone_makes_of_them(void **state)
{
    (void)state;
    static const struct {
        const char *curve;
        const char *form;
    } table[] = {{"P-256", "uncompressed"}, {"P-256", "compressed"}, {"P-384", "uncompressed"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (int round = 0; round < 20; round++) {
            int len;
            EVP_PKEY *made = EVP_EC_gen(table[i].curve);
            assert_int_equal(EVP_PKEY_set_utf8_string_param(made, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                            table[i].form),
                             1);
            unsigned char *der = encoded(made, &len);
            EVP_PKEY *ours = decoded(der, len);
            assert_non_null(ours);
            EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(openssl_context(), ours, NULL);
            assert_int_equal(EVP_PKEY_public_check(check), 1);
            EVP_PKEY_CTX_free(check);
            const unsigned char *at = der;
            EVP_PKEY *theirs = d2i_PUBKEY(NULL, &at, len);
            assert_int_equal(EVP_PKEY_eq(made, theirs), 1);
            same_text(ours, theirs, OSSL_PKEY_PARAM_GROUP_NAME);
            same_text(ours, theirs, OSSL_PKEY_PARAM_EC_ENCODING);
            same_text(ours, theirs, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT);
            same_point(ours, theirs);
            assert_int_equal(EVP_PKEY_get_bits(ours), EVP_PKEY_get_bits(theirs));
            assert_int_equal(EVP_PKEY_get_security_bits(ours), EVP_PKEY_get_security_bits(theirs));
            OPENSSL_free(der);
            EVP_PKEY_free(made);
            EVP_PKEY_free(ours);
            EVP_PKEY_free(theirs);
        }
    }
}

// Every byte of the key damaged in turn: never a key that OpenSSL alone does not make of it.
static void a_damaged_key_is_no_key(void **state)
{
    (void)state;
    int len;
    EVP_PKEY *made = EVP_EC_gen("P-256");
    unsigned char *der = encoded(made, &len);
    assert_int_equal(len, 91);
    for (int i = 0; i < len; i++) {
        der[i] ^= 1;
        const unsigned char *at = der;
        EVP_PKEY *theirs = d2i_PUBKEY(NULL, &at, len);
        EVP_PKEY *ours = decoded(der, len);
        if ((theirs == NULL) != (ours == NULL))
            fail_msg("byte %d: %s", i, ours != NULL ? "ours is a key" : "theirs is a key");
        if (i > 26)
            assert_null(ours); // the point is not on the curve
        EVP_PKEY_free(theirs);
        EVP_PKEY_free(ours);
        der[i] ^= 1;
    }
    for (int shorter = 0; shorter < len; shorter++)
        assert_null(decoded(der, shorter));
    OPENSSL_free(der);
    EVP_PKEY_free(made);
}

int main(void)
{
    crypto_begin(); // as usherd does
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_house_uses_is_there),
        cmocka_unit_test(what_nobody_should_use_cannot_be_had),
        cmocka_unit_test(certificates_are_decoded_and_their_signatures_checked),
        cmocka_unit_test(keys_on_curves_are_what_openssl_alone_makes_of_them),
        cmocka_unit_test(a_damaged_key_is_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
