// The bench's certificates pass a strict verifier for what they were made for, and for nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/bench_pki.h"
#include "crypto/certificate.h"
#include "crypto/path.h"
#include "crypto/possession.h"

#define NOW   INT64_C(1800000000000000) // 2027-01-15T08:00:00Z
#define NOW_S ((time_t)(NOW / 1000000))
#define DAY_S ((time_t)86400)

// A certificate and its key, as PEM.
struct pair {
    struct buf certificate;
    struct buf key;
};

static struct pair root, server;
static struct why why;
static const char *const dns[] = {"localhost", "bench.example.com"};
static const char *const ips[] = {"127.0.0.1", "::1"};
static const struct bench_names names = {.dns = dns, .dns_count = 2, .ips = ips, .ip_count = 2};

static void pair_release(struct pair *pair)
{
    buf_release(&pair->certificate);
    buf_release(&pair->key);
}

// issuer: NULL for self-signed.
static struct err make(struct bench_spec spec, const struct pair *issuer, struct pair *out)
{
    out->certificate = out->key = buf_capped(10000);
    spec.now_us = NOW;
    if (issuer != NULL) {
        spec.issuer_certificate = buf_slice(&issuer->certificate);
        spec.issuer_key = buf_slice(&issuer->key);
    }
    return bench_make(&spec, &out->certificate, &out->key, &why);
}

static struct pair made(struct bench_spec spec, const struct pair *issuer)
{
    struct pair pair;
    why.text[0] = '\0';
    if (failed(make(spec, issuer, &pair)))
        fail_msg("%s", why.text);
    return pair;
}

// What becomes of a certificate that cannot be.
static uint32_t refused(struct bench_spec spec, const struct pair *issuer)
{
    struct pair pair;
    struct err e = make(spec, issuer, &pair);
    assert_true(failed(e) == (pair.certificate.len == 0));
    assert_true(failed(e) == (pair.key.len == 0));
    pair_release(&pair);
    return e.code;
}

static int set_up(void **state)
{
    (void)state;
    root = made((struct bench_spec){.role = BENCH_ROOT, .common_name = SLICE("Bench CA")}, NULL);
    server = made(
        (struct bench_spec){.role = BENCH_SERVER, .common_name = SLICE("localhost"), .names = names}, &root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pair_release(&root);
    pair_release(&server);
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    return 0;
}

static X509 *load(const struct pair *pair)
{
    BIO *bio = BIO_new_mem_buf(pair->certificate.at, (int)pair->certificate.len);
    X509 *loaded = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(loaded);
    return loaded;
}

static EVP_PKEY *load_key(const struct pair *pair)
{
    BIO *bio = BIO_new_mem_buf(pair->key.at, (int)pair->key.len);
    EVP_PKEY *loaded = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(loaded);
    return loaded;
}

// What the verifier is asked, and the certificates between leaf and anchor.
struct question {
    const struct pair *leaf;
    const struct pair *anchor;
    const struct pair *between[3];
    int purpose; // X509_PURPOSE_…; 0: none
    const char *host;
    const char *ip;
    time_t at; // 0: NOW_S
};

// X509_V_OK or why not.
static int verdict(struct question question)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    X509 *anchor = load(question.anchor);
    X509 *leaf = load(question.leaf);
    for (size_t i = 0; i < 3 && question.between[i] != NULL; i++)
        assert_true(sk_X509_push(between, load(question.between[i])) > 0);
    assert_int_equal(X509_STORE_add_cert(store, anchor), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, leaf, between), 1);
    X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    X509_VERIFY_PARAM_set_auth_level(rules, 2);
    X509_VERIFY_PARAM_set_time(rules, question.at != 0 ? question.at : NOW_S);
    if (question.purpose != 0)
        X509_VERIFY_PARAM_set_purpose(rules, question.purpose);
    if (question.host != NULL)
        assert_int_equal(X509_VERIFY_PARAM_set1_host(rules, question.host, 0), 1);
    if (question.ip != NULL)
        assert_int_equal(X509_VERIFY_PARAM_set1_ip_asc(rules, question.ip), 1);
    int result = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_free(anchor);
    X509_free(leaf);
    sk_X509_pop_free(between, X509_free);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error(); // the verifier leaves its own
    return result;
}

static int server_verdict(const char *host, const char *ip, time_t at)
{
    return verdict((struct question){.leaf = &server,
                                     .anchor = &root,
                                     .purpose = X509_PURPOSE_SSL_SERVER,
                                     .host = host,
                                     .ip = ip,
                                     .at = at});
}

static void a_strict_verifier_takes_the_server_for_its_names(void **state)
{
    (void)state;
    assert_int_equal(server_verdict("localhost", NULL, NOW_S), X509_V_OK);
    assert_int_equal(server_verdict("bench.example.com", NULL, NOW_S), X509_V_OK);
    assert_int_equal(server_verdict(NULL, "127.0.0.1", NOW_S), X509_V_OK);
    assert_int_equal(server_verdict(NULL, "::1", NOW_S), X509_V_OK);
    assert_int_equal(server_verdict("other.example.com", NULL, NOW_S), X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(server_verdict(NULL, "127.0.0.2", NOW_S), X509_V_ERR_IP_ADDRESS_MISMATCH);
    assert_int_not_equal(
        verdict((struct question){.leaf = &server, .anchor = &root, .purpose = X509_PURPOSE_SSL_CLIENT}),
        X509_V_OK);
}

static void certificates_hold_from_an_hour_ago_for_their_time(void **state)
{
    (void)state;
    assert_int_equal(server_verdict("localhost", NULL, NOW_S - 3500), X509_V_OK);
    assert_int_equal(server_verdict("localhost", NULL, NOW_S - 3700), X509_V_ERR_CERT_NOT_YET_VALID);
    assert_int_equal(server_verdict("localhost", NULL, NOW_S + 824 * DAY_S), X509_V_OK);
    assert_int_equal(server_verdict("localhost", NULL, NOW_S + 826 * DAY_S), X509_V_ERR_CERT_HAS_EXPIRED);
    static const struct {
        enum bench_role role;
        int asked, days;
    } cases[] = {
        {BENCH_ROOT, 0, 3652},      {BENCH_INTERMEDIATE, 0, 1826}, {BENCH_DEVICE, 0, 365},
        {BENCH_VERIFICATION, 0, 7}, {BENCH_DEVICE, 1, 1},          {BENCH_INTERMEDIATE, 30, 30},
        {BENCH_ROOT, 36500, 36500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair pair = made(
            (struct bench_spec){.role = cases[i].role, .common_name = SLICE("x"), .days = cases[i].asked},
            cases[i].role == BENCH_ROOT ? NULL : &root);
        X509 *certificate = load(&pair);
        time_t end = NOW_S - 3600 + cases[i].days * DAY_S, before = end - 1, after = end + 1;
        assert_true(X509_cmp_time(X509_get0_notAfter(certificate), &before) > 0);
        assert_true(X509_cmp_time(X509_get0_notAfter(certificate), &after) < 0);
        X509_free(certificate);
        pair_release(&pair);
    }
}

static void a_device_is_a_tls_client_below_intermediates(void **state)
{
    (void)state;
    static const enum bench_key types[] = {BENCH_EC, BENCH_RSA};
    for (size_t i = 0; i < 2; i++) {
        enum bench_key type = types[i];
        struct pair top = made(
            (struct bench_spec){
                .role = BENCH_ROOT, .key = type, .common_name = SLICE("top"), .path_len = BENCH_ANY_DEPTH},
            NULL);
        struct pair upper = made(
            (struct bench_spec){
                .role = BENCH_INTERMEDIATE, .key = type, .common_name = SLICE("upper"), .path_len = 1},
            &top);
        struct pair lower =
            made((struct bench_spec){.role = BENCH_INTERMEDIATE, .key = type, .common_name = SLICE("lower")},
                 &upper);
        struct pair device = made(
            (struct bench_spec){.role = BENCH_DEVICE, .key = type, .common_name = SLICE("dev:1_a")}, &lower);
        struct question question = {
            .leaf = &device, .anchor = &top, .between = {&upper, &lower}, .purpose = X509_PURPOSE_SSL_CLIENT};
        assert_int_equal(verdict(question), X509_V_OK);
        question.purpose = X509_PURPOSE_SSL_SERVER;
        assert_int_not_equal(verdict(question), X509_V_OK);
        question.purpose = X509_PURPOSE_SSL_CLIENT;
        question.anchor = &root; // another CA
        assert_int_equal(verdict(question), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        pair_release(&top);
        pair_release(&upper);
        pair_release(&lower);
        pair_release(&device);
    }
}

static void a_path_length_is_kept_in_the_certificate(void **state)
{
    (void)state;
    struct pair lower =
        made((struct bench_spec){.role = BENCH_INTERMEDIATE, .common_name = SLICE("too deep")},
             &root); // pathlen:0
    struct pair device =
        made((struct bench_spec){.role = BENCH_DEVICE, .common_name = SLICE("dev1")}, &lower);
    assert_int_equal(verdict((struct question){.leaf = &device, .anchor = &root, .between = {&lower}}),
                     X509_V_ERR_PATH_LENGTH_EXCEEDED);
    X509 *ca = load(&root);
    assert_int_equal(X509_get_pathlen(ca), 0);
    X509_free(ca);
    pair_release(&lower);
    pair_release(&device);
}

static void a_device_may_sign_for_itself(void **state)
{
    (void)state;
    struct pair device = made((struct bench_spec){.role = BENCH_DEVICE, .common_name = SLICE("dev1")}, NULL);
    X509 *certificate = load(&device);
    EVP_PKEY *key = load_key(&device);
    assert_int_equal(X509_verify(certificate, key), 1);
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)), 0);
    assert_int_equal(X509_check_ca(certificate), 0);
    assert_int_equal(
        verdict((struct question){.leaf = &device, .anchor = &device, .purpose = X509_PURPOSE_SSL_CLIENT}),
        X509_V_OK);
    X509_free(certificate);
    EVP_PKEY_free(key);
    pair_release(&device);
}

static void a_verification_is_signed_by_its_ca_and_named_by_the_code(void **state)
{
    (void)state;
    static const char code[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char name[80];
    struct pair proof =
        made((struct bench_spec){.role = BENCH_VERIFICATION, .common_name = slice_text(code)}, &root);
    X509 *certificate = load(&proof);
    assert_int_equal(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, 80),
                     64);
    assert_string_equal(name, code);
    assert_int_equal(verdict((struct question){.leaf = &proof, .anchor = &root}), X509_V_OK);
    X509_free(certificate);
    pair_release(&proof);
    // a proof signed by itself would prove nothing
    assert_int_equal(
        refused((struct bench_spec){.role = BENCH_VERIFICATION, .common_name = slice_text(code)}, NULL),
        ERR_INVALID);
}

static struct slice der(struct arena *arena, const struct pair *pair)
{
    struct slice found = {0};
    assert_false(failed(certificate_read(arena, buf_slice(&pair->certificate), &found, NULL)));
    return found;
}

// As a service judges them: the whole chain of a device up to a root, and one that signs for itself.
static void the_service_takes_devices_by_its_own_rules(void **state)
{
    (void)state;
    static const enum bench_key types[] = {BENCH_EC, BENCH_RSA};
    for (size_t i = 0; i < 2; i++) {
        struct arena arena = arena_capped(1 << 20);
        struct bench_spec spec = {
            .role = BENCH_ROOT, .key = types[i], .common_name = SLICE("top"), .path_len = BENCH_ANY_DEPTH};
        struct pair top = made(spec, NULL);
        spec.role = BENCH_INTERMEDIATE;
        spec.common_name = SLICE("middle");
        struct pair middle = made(spec, &top);
        spec.role = BENCH_DEVICE;
        spec.common_name = SLICE("dev1");
        struct pair device = made(spec, &middle), alone = made(spec, NULL);
        const struct slice shown[] = {der(&arena, &device), der(&arena, &middle)};
        const struct slice pinned = der(&arena, &alone);
        const struct path_known known = {.der = der(&arena, &top), .anchor = true};
        struct path_question question = {.known = &known, .known_count = 1, .now_us = NOW};
        struct issuers *issuers = NULL;
        struct chain *single = NULL;
        struct path path;
        size_t count = 0;
        assert_false(failed(issuers_new(10, 1000, &issuers)));
        assert_false(failed(chain_new(shown, 2, &question.chain)));
        if (failed(path_find(issuers, &question, &path, 1, &count, &why)))
            fail_msg("%s", why.text);
        assert_int_equal(count, 1);
        assert_int_equal(path.count, 2);
        assert_false(failed(chain_new(&pinned, 1, &single)));
        if (failed(path_check_pinned(single, NOW, &why)))
            fail_msg("%s", why.text);
        chain_release(question.chain);
        chain_release(single);
        issuers_free(issuers);
        arena_release(&arena);
        pair_release(&top);
        pair_release(&middle);
        pair_release(&device);
        pair_release(&alone);
    }
}

static void the_service_takes_a_verification_of_the_right_ca(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 20);
    const struct slice code = SLICE("0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF");
    struct pair other = made((struct bench_spec){.role = BENCH_ROOT, .common_name = SLICE("Bench CA")}, NULL);
    struct pair proof = made((struct bench_spec){.role = BENCH_VERIFICATION, .common_name = code}, &root);
    if (failed(possession_check(der(&arena, &root), der(&arena, &proof), code, NOW, &why)))
        fail_msg("%s", why.text);
    // a CA of the same name with another key
    assert_int_equal(possession_check(der(&arena, &other), der(&arena, &proof), code, NOW, &why).code,
                     ERR_INVALID);
    arena_release(&arena);
    pair_release(&other);
    pair_release(&proof);
}

static bool critical(X509 *certificate, int nid)
{
    int at = X509_get_ext_by_NID(certificate, nid, -1);
    assert_true(at >= 0);
    return X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) == 1;
}

static void extensions_say_what_each_may_do(void **state)
{
    (void)state;
    static const struct {
        enum bench_role role;
        int ca;
        uint32_t usage, extended;
    } cases[] = {
        {BENCH_ROOT, 1, KU_KEY_CERT_SIGN | KU_CRL_SIGN, UINT32_MAX},
        {BENCH_INTERMEDIATE, 1, KU_KEY_CERT_SIGN | KU_CRL_SIGN, UINT32_MAX},
        {BENCH_DEVICE, 0, KU_DIGITAL_SIGNATURE, XKU_SSL_CLIENT},
        {BENCH_SERVER, 0, KU_DIGITAL_SIGNATURE, XKU_SSL_SERVER},
        {BENCH_VERIFICATION, 0, KU_DIGITAL_SIGNATURE, UINT32_MAX}, // no extended key usage: any
    };
    X509 *ca = load(&root);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_root = cases[i].role == BENCH_ROOT;
        struct pair pair =
            made((struct bench_spec){.role = cases[i].role, .common_name = SLICE("x"), .names = names},
                 is_root ? NULL : &root);
        X509 *certificate = load(&pair);
        assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
        assert_int_equal(X509_check_ca(certificate), cases[i].ca);
        assert_int_equal(X509_get_key_usage(certificate), cases[i].usage);
        assert_int_equal(X509_get_extended_key_usage(certificate), cases[i].extended);
        assert_true(critical(certificate, NID_basic_constraints));
        assert_true(critical(certificate, NID_key_usage));
        assert_non_null(X509_get0_subject_key_id(certificate));
        assert_non_null(X509_get0_authority_key_id(certificate));
        if (!is_root)
            assert_int_equal(
                ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(ca), X509_get0_authority_key_id(certificate)),
                0);
        X509_free(certificate);
        pair_release(&pair);
    }
    X509_free(ca);
}

static void keys_and_serials_are_new_each_time(void **state)
{
    (void)state;
    X509 *ca = load(&root);
    X509 *other = load(&server);
    EVP_PKEY *ca_key = load_key(&root);
    EVP_PKEY *key = load_key(&server);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(other);
    assert_int_equal(X509_check_private_key(ca, ca_key), 1);
    assert_int_equal(X509_check_private_key(other, key), 1);
    assert_int_not_equal(EVP_PKEY_eq(ca_key, key), 1);
    assert_int_equal(ASN1_STRING_length(serial), 16);
    assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER); // not V_ASN1_NEG_INTEGER
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(ca), serial), 0);
    X509_free(ca);
    X509_free(other);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

static void keys_are_of_the_type_asked_for(void **state)
{
    (void)state;
    struct pair rsa =
        made((struct bench_spec){.role = BENCH_DEVICE, .key = BENCH_RSA, .common_name = SLICE("x")}, &root);
    EVP_PKEY *key = load_key(&rsa), *ec = load_key(&root);
    assert_true(EVP_PKEY_is_a(key, "RSA"));
    assert_int_equal(EVP_PKEY_get_bits(key), 2048);
    assert_true(EVP_PKEY_is_a(ec, "EC"));
    assert_int_equal(EVP_PKEY_get_bits(ec), 256);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ec);
    pair_release(&rsa);
}

static uint32_t server_for(struct bench_names wanted)
{
    return refused((struct bench_spec){.role = BENCH_SERVER, .common_name = SLICE("x"), .names = wanted},
                   &root);
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a b", "a,DNS:evil.example.com", "caf\xc3\xa9.example.com"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(server_for((struct bench_names){.dns = &bad[i], .dns_count = 1}), ERR_INVALID);
        assert_int_equal(server_for((struct bench_names){.ips = &bad[i], .ip_count = 1}), ERR_INVALID);
    }
    assert_int_equal(server_for((struct bench_names){0}), ERR_INVALID);
    assert_int_equal(server_for((struct bench_names){.ips = ips, .ip_count = 1}), ERR_NONE);
    static const char sixty_five[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const struct slice texts[] = {SLICE(""), SLICE("a\0b"), SLICE("\xff"), SLICE("\xc3"),
                                  slice_of(sixty_five, 65)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(refused((struct bench_spec){.role = BENCH_DEVICE, .common_name = texts[i]}, NULL),
                         ERR_INVALID);
    assert_int_equal(
        refused((struct bench_spec){.role = BENCH_DEVICE, .common_name = slice_of(sixty_five, 64)}, NULL),
        ERR_NONE);
}

static void a_time_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct bench_spec spec = {.role = BENCH_ROOT, .common_name = SLICE("x"), .days = -1};
    assert_int_equal(refused(spec, NULL), ERR_INVALID);
    spec.days = BENCH_DAYS_MAX + 1;
    assert_int_equal(refused(spec, NULL), ERR_INVALID);
}

static void an_issuer_that_cannot_sign_is_refused(void **state)
{
    (void)state;
    struct bench_spec spec = {.role = BENCH_DEVICE, .common_name = SLICE("x")};
    const struct pair mixed = {root.certificate, server.key};
    const struct pair no_key = {root.certificate, {0}};
    struct buf text = buf_capped(10);
    buf_text(&text, "x");
    const struct pair no_pem = {text, root.key};
    assert_int_equal(refused(spec, &mixed), ERR_INVALID);
    assert_int_equal(refused(spec, &no_key), ERR_INVALID);
    assert_int_equal(refused(spec, &no_pem), ERR_INVALID);
    assert_int_equal(refused(spec, &server), ERR_INVALID); // no CA
    spec.role = BENCH_INTERMEDIATE;
    assert_int_equal(refused(spec, NULL), ERR_INVALID); // nobody signs it
    buf_release(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_strict_verifier_takes_the_server_for_its_names),
        TEST(certificates_hold_from_an_hour_ago_for_their_time),
        TEST(a_device_is_a_tls_client_below_intermediates),
        TEST(a_path_length_is_kept_in_the_certificate),
        TEST(a_device_may_sign_for_itself),
        TEST(a_verification_is_signed_by_its_ca_and_named_by_the_code),
        TEST(the_service_takes_devices_by_its_own_rules),
        TEST(the_service_takes_a_verification_of_the_right_ca),
        TEST(extensions_say_what_each_may_do),
        TEST(keys_and_serials_are_new_each_time),
        TEST(keys_are_of_the_type_asked_for),
        TEST(names_that_are_none_are_refused),
        TEST(a_time_that_cannot_be_is_refused),
        TEST(an_issuer_that_cannot_sign_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
