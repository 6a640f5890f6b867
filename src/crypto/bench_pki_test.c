// The bench's certificates pass a strict verifier for the names they were made for, and for no others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/bench_pki.h"

#define NOW   INT64_C(1800000000000000) // 2027-01-15T08:00:00Z
#define NOW_S ((time_t)(NOW / 1000000))
#define DAY_S ((time_t)86400)

static struct buf ca_certificate;
static struct buf ca_key;
static struct buf certificate;
static struct buf key;
static struct why why;
static const char *const dns[] = {"localhost", "bench.example.com"};
static const char *const ips[] = {"127.0.0.1", "::1"};
static const struct bench_names names = {.dns = dns, .dns_count = 2, .ips = ips, .ip_count = 2};

static int set_up(void **state)
{
    (void)state;
    struct buf *all[] = {&ca_certificate, &ca_key, &certificate, &key};
    for (size_t i = 0; i < 4; i++)
        *all[i] = buf_capped(10000);
    return failed(bench_ca_make("Bench CA", NOW, &ca_certificate, &ca_key, &why)) ||
           failed(bench_server_make(buf_slice(&ca_certificate), buf_slice(&ca_key), &names, NOW, &certificate,
                                    &key, &why));
}

static int tear_down(void **state)
{
    (void)state;
    buf_release(&ca_certificate);
    buf_release(&ca_key);
    buf_release(&certificate);
    buf_release(&key);
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    return 0;
}

static X509 *load(const struct buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->at, (int)pem->len);
    X509 *loaded = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(loaded);
    return loaded;
}

static EVP_PKEY *load_key(const struct buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->at, (int)pem->len);
    EVP_PKEY *loaded = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(loaded);
    return loaded;
}

// The verifier's verdict on the server certificate: X509_V_OK or why not.
static int verdict(const char *host, const char *ip, time_t at)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509 *ca = load(&ca_certificate);
    X509 *server = load(&certificate);
    assert_int_equal(X509_STORE_add_cert(store, ca), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, server, NULL), 1);
    X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_auth_level(rules, 2);
    X509_VERIFY_PARAM_set_time(rules, at);
    X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_SERVER);
    if (host != NULL)
        assert_int_equal(X509_VERIFY_PARAM_set1_host(rules, host, 0), 1);
    if (ip != NULL)
        assert_int_equal(X509_VERIFY_PARAM_set1_ip_asc(rules, ip), 1);
    int result = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_free(ca);
    X509_free(server);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return result;
}

static void a_strict_verifier_takes_the_server_for_its_names(void **state)
{
    (void)state;
    assert_int_equal(verdict("localhost", NULL, NOW_S), X509_V_OK);
    assert_int_equal(verdict("bench.example.com", NULL, NOW_S), X509_V_OK);
    assert_int_equal(verdict(NULL, "127.0.0.1", NOW_S), X509_V_OK);
    assert_int_equal(verdict(NULL, "::1", NOW_S), X509_V_OK);
    assert_int_equal(verdict("other.example.com", NULL, NOW_S), X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(verdict(NULL, "127.0.0.2", NOW_S), X509_V_ERR_IP_ADDRESS_MISMATCH);
}

static void certificates_hold_from_an_hour_ago_for_their_time(void **state)
{
    (void)state;
    assert_int_equal(verdict("localhost", NULL, NOW_S - 3500), X509_V_OK);
    assert_int_equal(verdict("localhost", NULL, NOW_S - 3700), X509_V_ERR_CERT_NOT_YET_VALID);
    assert_int_equal(verdict("localhost", NULL, NOW_S + 824 * DAY_S), X509_V_OK);
    assert_int_equal(verdict("localhost", NULL, NOW_S + 826 * DAY_S), X509_V_ERR_CERT_HAS_EXPIRED);
    X509 *ca = load(&ca_certificate);
    time_t nine = NOW_S + 3640 * DAY_S;
    time_t eleven = NOW_S + 3660 * DAY_S;
    assert_true(X509_cmp_time(X509_get0_notAfter(ca), &nine) > 0);
    assert_true(X509_cmp_time(X509_get0_notAfter(ca), &eleven) < 0);
    X509_free(ca);
}

static void the_ca_may_sign_leaves_and_the_server_may_not(void **state)
{
    (void)state;
    X509 *ca = load(&ca_certificate);
    X509 *server = load(&certificate);
    assert_int_equal(X509_check_ca(ca), 1);
    assert_int_equal(X509_get_pathlen(ca), 0);
    assert_int_equal(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_check_ca(server), 0);
    assert_int_equal(X509_get_key_usage(server), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(server), XKU_SSL_SERVER);
    int critical_constraints = X509_get_ext_by_NID(server, NID_basic_constraints, -1);
    assert_int_equal(X509_EXTENSION_get_critical(X509_get_ext(server, critical_constraints)), 1);
    assert_non_null(X509_get0_subject_key_id(ca));
    assert_non_null(X509_get0_authority_key_id(server));
    assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(ca), X509_get0_authority_key_id(server)),
                     0);
    X509_free(ca);
    X509_free(server);
}

static void keys_belong_to_their_certificates_and_differ(void **state)
{
    (void)state;
    X509 *ca = load(&ca_certificate);
    X509 *server = load(&certificate);
    EVP_PKEY *ca_pair = load_key(&ca_key);
    EVP_PKEY *pair = load_key(&key);
    assert_int_equal(X509_check_private_key(ca, ca_pair), 1);
    assert_int_equal(X509_check_private_key(server, pair), 1);
    assert_int_not_equal(EVP_PKEY_eq(ca_pair, pair), 1);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(ca), X509_get0_serialNumber(server)), 0);
    X509_free(ca);
    X509_free(server);
    EVP_PKEY_free(ca_pair);
    EVP_PKEY_free(pair);
}

static uint32_t make_for(const struct bench_names *wanted)
{
    struct buf out = buf_capped(10000);
    struct buf secret = buf_capped(10000);
    struct err e =
        bench_server_make(buf_slice(&ca_certificate), buf_slice(&ca_key), wanted, NOW, &out, &secret, &why);
    assert_true(failed(e) == (out.len == 0));
    buf_release(&out);
    buf_release(&secret);
    return e.code;
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a b", "a,DNS:evil.example.com", "caf\xc3\xa9.example.com"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(make_for(&(struct bench_names){.dns = &bad[i], .dns_count = 1}), ERR_INVALID);
        assert_int_equal(make_for(&(struct bench_names){.ips = &bad[i], .ip_count = 1}), ERR_INVALID);
    }
    assert_int_equal(make_for(&(struct bench_names){0}), ERR_INVALID);
    assert_int_equal(make_for(&(struct bench_names){.ips = ips, .ip_count = 1}), ERR_NONE);
}

static void a_name_longer_than_a_cn_may_be_goes_into_the_extension_only(void **state)
{
    (void)state;
    const char *name = "a-host-name-of-more-than-sixty-four-bytes.in-some-folder.of-the-bench.example.com";
    struct bench_names one = {.dns = &name, .dns_count = 1};
    buf_clear(&certificate);
    buf_clear(&key);
    assert_false(failed(bench_server_make(buf_slice(&ca_certificate), buf_slice(&ca_key), &one, NOW,
                                          &certificate, &key, &why)));
    assert_int_equal(verdict(name, NULL, NOW_S), X509_V_OK);
}

static void a_ca_that_does_not_fit_its_key_is_refused(void **state)
{
    (void)state;
    struct buf out = buf_capped(10000);
    assert_int_equal(
        bench_server_make(buf_slice(&ca_certificate), buf_slice(&key), &names, NOW, &out, &out, &why).code,
        ERR_INVALID);
    assert_int_equal(bench_server_make(SLICE("x"), buf_slice(&ca_key), &names, NOW, &out, &out, &why).code,
                     ERR_INVALID);
    assert_int_equal(
        bench_server_make(buf_slice(&ca_certificate), (struct slice){0}, &names, NOW, &out, &out, &why).code,
        ERR_INVALID);
    assert_int_equal(bench_ca_make("", NOW, &out, &out, &why).code, ERR_INVALID);
    assert_int_equal(out.len, 0);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_strict_verifier_takes_the_server_for_its_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(certificates_hold_from_an_hour_ago_for_their_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_ca_may_sign_leaves_and_the_server_may_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_belong_to_their_certificates_and_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_are_none_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_longer_than_a_cn_may_be_goes_into_the_extension_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_ca_that_does_not_fit_its_key_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
