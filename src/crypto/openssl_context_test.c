// What OpenSSL offers in our context, and what it does not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_house_uses_is_there),
        cmocka_unit_test(what_nobody_should_use_cannot_be_had),
        cmocka_unit_test(certificates_are_decoded_and_their_signatures_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
