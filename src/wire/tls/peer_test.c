// What devices show in the handshake: which certificates pass, what is taken of them, what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "crypto/begin.h"
#include "crypto/path.h"
#include "wire/tls/testing.h"
#include "wire/tls/tls.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

struct bench {
    struct tls_testing certificates;
    struct tls_context *context;
    struct tls_session *server;
    struct buf plain;
};

static struct tls_context *server_context(const struct tls_testing *t, bool ask)
{
    struct tls_settings settings = {.chain_pem = buf_slice(&t->chain_pem),
                                    .key_pem = buf_slice(&t->key_pem),
                                    .request_client_certificate = ask};
    struct tls_context *context = NULL;
    struct why why = {0};
    if (failed(tls_context_new(&settings, &context, &why)))
        fail_msg("server context: %s", why.text);
    return context;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    tls_testing_init(&b->certificates);
    b->context = server_context(&b->certificates, true);
    b->plain = buf_capped(1 << 20);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    tls_session_free(b->server);
    tls_context_free(b->context);
    buf_release(&b->plain);
    tls_testing_release(&b->certificates);
    free(b);
    return 0;
}

// A device that is OpenSSL alone and takes whatever its security level would refuse.
struct device {
    SSL_CTX *context;
    SSL *ssl;
    BIO *to_it;
    BIO *from_it;
};

static struct device device_start(struct bench *b, int version)
{
    struct device d = {.context = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_security_level(d.context, 0);
    SSL_CTX_set_min_proto_version(d.context, version);
    SSL_CTX_set_max_proto_version(d.context, version);
    d.ssl = SSL_new(d.context);
    d.to_it = BIO_new(BIO_s_mem());
    d.from_it = BIO_new(BIO_s_mem());
    SSL_set_bio(d.ssl, d.to_it, d.from_it);
    SSL_set_connect_state(d.ssl);
    tls_session_free(b->server);
    assert_false(failed(tls_session_new(b->context, NULL, &b->server)));
    return d;
}

static void device_end(struct device *d)
{
    SSL_free(d->ssl);
    SSL_CTX_free(d->context);
}

// Carries bytes to and fro until nothing moves. step: how many of the device's bytes are fed at once.
// between: called after each feed.
static void talk_by(struct bench *b, struct device *d, size_t step, void (*between)(struct bench *b))
{
    for (int rounds = 0; rounds < 8; rounds++) {
        char byte;
        (void)(SSL_in_init(d->ssl) ? SSL_do_handshake(d->ssl) : SSL_read(d->ssl, &byte, 1));
        ERR_clear_error();
        char *at = NULL;
        long len = BIO_get_mem_data(d->from_it, &at);
        for (struct slice all = slice_of(at, (size_t)len); !slice_empty(all); all = slice_from(all, step)) {
            struct slice in = slice_to(all, step);
            (void)tls_feed(b->server, &in, &b->plain);
            if (between != NULL)
                between(b);
        }
        (void)BIO_reset(d->from_it);
        struct buf *out = tls_output(b->server);
        if (out->len > 0)
            BIO_write(d->to_it, out->at, (int)out->len);
        buf_clear(out);
    }
}

static void talk(struct bench *b, struct device *d)
{
    talk_by(b, d, SIZE_MAX, NULL);
}

static void assert_open(const struct bench *b)
{
    if (tls_session_state(b->server) != TLS_OPEN)
        fail_msg("not open: %s", tls_session_why(b->server)->text);
}

static struct chain *taken(struct bench *b)
{
    struct chain *chain = NULL;
    assert_false(failed(tls_take_chain(b->server, &chain)));
    return chain;
}

static EVP_PKEY *read_key(const struct buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->at, (int)pem->len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(key);
    return key;
}

// The device of the bench, `device-1`, shows its leaf and the CA above it.
static struct device device_with_certificate(struct bench *b, int version)
{
    struct device d = device_start(b, version);
    BIO *bio = BIO_new_mem_buf(b->certificates.client_pem.at, (int)b->certificates.client_pem.len);
    X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    EVP_PKEY *key = read_key(&b->certificates.client_key_pem);
    assert_int_equal(SSL_use_certificate(d.ssl, leaf), 1);
    assert_int_equal(SSL_use_PrivateKey(d.ssl, key), 1);
    assert_int_equal(SSL_add0_chain_cert(d.ssl, ca), 1);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return d;
}

static void assert_leaf(const struct chain *chain, const struct device *d)
{
    assert_non_null(chain);
    assert_null(chain_problem(chain));
    uint8_t *der = NULL;
    int len = i2d_X509(SSL_get_certificate(d->ssl), &der);
    assert_true(slice_equal(chain_leaf(chain), slice_of(der, (size_t)len)));
    OPENSSL_free(der);
}

static void what_a_device_shows_is_taken_once(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        struct device d = device_with_certificate(b, versions[i]);
        talk(b, &d);
        assert_open(b);
        struct chain *chain = taken(b);
        assert_leaf(chain, &d);
        assert_true(slice_equal(chain_common_name(chain), SLICE("device-1")));
        uint32_t issuers[CHAIN_MAX];
        assert_int_equal(chain_issuers(chain, issuers, CHAIN_MAX), 1); // leaf and CA name the same one
        assert_null(taken(b));
        chain_release(chain);
        device_end(&d);
    }
}

static void a_session_goes_on_without_what_was_taken(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        struct device d = device_with_certificate(b, versions[i]);
        talk(b, &d);
        struct chain *chain = taken(b);
        chain_rest(chain); // and what was taken does without the session
        assert_leaf(chain, &d);
        struct why why = {0};
        if (failed(path_check_pinned(chain, (int64_t)time(NULL) * 1000000, &why)))
            fail_msg("%s", why.text);
        chain_release(chain);
        char answer[16];
        assert_int_equal(SSL_write(d.ssl, "ping", 4), 4);
        if (versions[i] == TLS1_3_VERSION) // new keys work too
            assert_int_equal(SSL_key_update(d.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        talk(b, &d);
        assert_true(slice_equal(buf_slice(&b->plain), SLICE("ping")));
        buf_clear(&b->plain);
        assert_false(failed(tls_write(b->server, SLICE("pong"))));
        BIO_write(d.to_it, tls_output(b->server)->at, (int)tls_output(b->server)->len);
        assert_int_equal(SSL_read(d.ssl, answer, sizeof answer), 4);
        assert_memory_equal(answer, "pong", 4);
        device_end(&d);
    }
}

static void a_device_without_certificate_shows_nothing(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        struct device d = device_start(b, versions[i]);
        talk(b, &d);
        assert_open(b);
        assert_null(taken(b));
        device_end(&d);
    }
}

static void a_port_that_does_not_ask_is_shown_nothing(void **state)
{
    struct bench *b = *state;
    tls_context_free(b->context);
    b->context = server_context(&b->certificates, false);
    for (size_t i = 0; i < 2; i++) {
        struct device d = device_with_certificate(b, versions[i]);
        talk(b, &d);
        assert_open(b);
        assert_null(taken(b));
        device_end(&d);
    }
}

static void nothing_before_the_end(struct bench *b)
{
    if (tls_session_state(b->server) == TLS_HANDSHAKING)
        assert_null(taken(b));
}

static void nothing_is_taken_before_the_key_is_proven(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        struct device d = device_with_certificate(b, versions[i]);
        talk_by(b, &d, 1, nothing_before_the_end);
        assert_open(b);
        struct chain *chain = taken(b);
        assert_leaf(chain, &d);
        chain_release(chain);
        device_end(&d);
    }
}

// The certificate is changed to one of another key after OpenSSL compared the two.
static void a_device_without_the_key_of_its_certificate_is_refused(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        struct device d = device_with_certificate(b, versions[i]);
        EVP_PKEY *others = EVP_EC_gen("P-256");
        X509 *leaf = SSL_get_certificate(d.ssl);
        assert_int_equal(X509_set_pubkey(leaf, others), 1);
        assert_true(X509_sign(leaf, others, EVP_sha256()) > 0);
        talk(b, &d);
        assert_int_equal(tls_session_state(b->server), TLS_FAILED);
        assert_string_equal(tls_session_why(b->server)->text,
                            "the peer does not hold the key of the certificate it showed");
        assert_null(taken(b));
        EVP_PKEY_free(others);
        device_end(&d);
    }
}

// In TLS 1.2 the certificate is in the clear: its first byte is damaged on the way.
static void a_certificate_that_is_none_is_named(void **state)
{
    struct bench *b = *state;
    struct device d = device_with_certificate(b, TLS1_2_VERSION);
    char *at = NULL;
    (void)SSL_do_handshake(d.ssl);
    size_t len = (size_t)BIO_get_mem_data(d.from_it, &at);
    struct slice in = slice_of(at, len);
    assert_false(failed(tls_feed(b->server, &in, &b->plain)));
    (void)BIO_reset(d.from_it);
    BIO_write(d.to_it, tls_output(b->server)->at, (int)tls_output(b->server)->len);
    (void)SSL_do_handshake(d.ssl);
    uint8_t *der = NULL;
    (void)i2d_X509(SSL_get_certificate(d.ssl), &der);
    len = (size_t)BIO_get_mem_data(d.from_it, &at);
    in = slice_of(at, len);
    size_t found = slice_find(in, slice_of(der, 16));
    assert_true(found < in.len);
    at[found] = 0x31;
    assert_int_equal(tls_feed(b->server, &in, &b->plain).code, ERR_PROTOCOL);
    assert_non_null(strstr(tls_session_why(b->server)->text, "a certificate that cannot be decoded: "));
    OPENSSL_free(der);
    ERR_clear_error();
    device_end(&d);
}

static int count_names(SSL *ssl, void *count)
{
    const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(ssl);
    *(int *)count = sk_X509_NAME_num(names) < 0 ? 0 : sk_X509_NAME_num(names);
    return 1;
}

// Names would tell strangers who our fleets are, and some clients show nothing when theirs is not among them.
static void the_request_names_no_ca(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        struct device d = device_with_certificate(b, versions[i]);
        int count = -1;
        SSL_set_cert_cb(d.ssl, count_names, &count);
        talk(b, &d);
        assert_open(b);
        assert_int_equal(count, 0);
        device_end(&d);
    }
}

// A self-signed certificate of that key.
static X509 *certificate_of(EVP_PKEY *key)
{
    X509 *made = X509_new();
    X509_NAME *name = X509_get_subject_name(made);
    int id = EVP_PKEY_get_id(key);
    bool own_digest = id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448;
    assert_int_equal(X509_set_version(made, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(made), 7), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(made), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(made), 3600));
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"odd", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(made, name), 1);
    assert_int_equal(X509_set_pubkey(made, key), 1);
    assert_true(X509_sign(made, key, own_digest ? NULL : EVP_sha256()) > 0);
    return made;
}

static EVP_PKEY *dsa_key(void)
{
    EVP_PKEY_CTX *making = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    EVP_PKEY *parameters = NULL, *key = NULL;
    assert_int_equal(EVP_PKEY_paramgen_init(making), 1);
    assert_int_equal(EVP_PKEY_CTX_set_dsa_paramgen_bits(making, 1024), 1);
    assert_int_equal(EVP_PKEY_paramgen(making, &parameters), 1);
    EVP_PKEY_CTX_free(making);
    making = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL);
    assert_int_equal(EVP_PKEY_keygen_init(making), 1);
    assert_int_equal(EVP_PKEY_keygen(making, &key), 1);
    EVP_PKEY_CTX_free(making);
    EVP_PKEY_free(parameters);
    return key;
}

static EVP_PKEY *rsa_pss_key(void)
{
    EVP_PKEY_CTX *making = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;
    assert_int_equal(EVP_PKEY_keygen_init(making), 1);
    assert_int_equal(EVP_PKEY_keygen(making, &key), 1); // 2048 bits
    EVP_PKEY_CTX_free(making);
    return key;
}

static EVP_PKEY *key_of(const char *type, const char *curve, size_t bits)
{
    EVP_PKEY *key = curve != NULL                  ? EVP_EC_gen(curve)
                    : strcmp(type, "DSA") == 0     ? dsa_key()
                    : strcmp(type, "RSA-PSS") == 0 ? rsa_pss_key()
                    : bits != 0                    ? EVP_PKEY_Q_keygen(NULL, NULL, type, bits)
                                                   : EVP_PKEY_Q_keygen(NULL, NULL, type);
    if (key == NULL)
        fail_msg("no key of %s", curve != NULL ? curve : type);
    return key;
}

// What our profile takes must pass in both versions (RFC 8446 4.2.3, RFC 8422); and so must what it refuses,
// as far as TLS has a way to sign with it, because a refusal inside the protocol says more than an alert.
static void a_leaf_of_any_key_that_tls_can_sign_with_passes(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *type, *curve;
        size_t bits;
        bool passes[2]; // TLS 1.2, TLS 1.3
    } rows[] = {
        {"RSA", NULL, 2048, {true, true}},      {"EC", "P-256", 0, {true, true}},
        {"EC", "P-384", 0, {true, true}},       {"EC", "P-521", 0, {true, true}},
        {"ED25519", NULL, 0, {true, true}},     {"RSA", NULL, 1024, {true, true}},
        {"RSA-PSS", NULL, 0, {true, true}},     {"ED448", NULL, 0, {true, true}},
        {"DSA", NULL, 0, {true, false}},        {"EC", "P-192", 0, {false, false}},
        {"EC", "secp256k1", 0, {false, false}}, {"EC", "brainpoolP256r1", 0, {false, false}},
    };
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        const char *name = rows[i / 2].curve != NULL ? rows[i / 2].curve : rows[i / 2].type;
        EVP_PKEY *key = key_of(rows[i / 2].type, rows[i / 2].curve, rows[i / 2].bits);
        X509 *leaf = certificate_of(key);
        struct device d = device_start(b, versions[i % 2]);
        assert_int_equal(SSL_use_certificate(d.ssl, leaf), 1);
        assert_int_equal(SSL_use_PrivateKey(d.ssl, key), 1);
        talk(b, &d);
        struct chain *chain = taken(b);
        if ((chain != NULL) != rows[i / 2].passes[i % 2])
            fail_msg("%s, %s: %s; %s", name, SSL_get_version(d.ssl), chain != NULL ? "taken" : "not taken",
                     tls_session_why(b->server)->text);
        if (chain != NULL)
            assert_leaf(chain, &d);
        chain_release(chain);
        device_end(&d);
        X509_free(leaf);
        EVP_PKEY_free(key);
    }
}

static void a_server_shows_its_chain_to_a_client(void **state)
{
    struct bench *b = *state;
    struct tls_settings settings = {.client = true, .trusted_pem = buf_slice(&b->certificates.ca_pem)};
    struct tls_context *context = NULL;
    struct tls_session *client = NULL;
    assert_false(failed(tls_context_new(&settings, &context, NULL)));
    assert_false(failed(tls_session_new(context, "localhost", &client)));
    assert_false(failed(tls_session_new(b->context, NULL, &b->server)));
    for (int rounds = 0; rounds < 4; rounds++) {
        struct slice in = buf_slice(tls_output(client));
        assert_false(failed(tls_feed(b->server, &in, &b->plain)));
        buf_clear(tls_output(client));
        in = buf_slice(tls_output(b->server));
        assert_false(failed(tls_feed(client, &in, &b->plain)));
        buf_clear(tls_output(b->server));
    }
    struct chain *chain = NULL;
    assert_false(failed(tls_take_chain(client, &chain)));
    assert_non_null(chain);
    assert_true(slice_equal(chain_common_name(chain), SLICE("localhost")));
    chain_release(chain);
    assert_false(failed(tls_take_chain(client, &chain)));
    assert_null(chain);
    tls_session_free(client);
    tls_context_free(context);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    crypto_begin(); // as usherd does
    const struct CMUnitTest tests[] = {
        CASE(what_a_device_shows_is_taken_once),
        CASE(a_session_goes_on_without_what_was_taken),
        CASE(a_device_without_certificate_shows_nothing),
        CASE(a_port_that_does_not_ask_is_shown_nothing),
        CASE(nothing_is_taken_before_the_key_is_proven),
        CASE(a_device_without_the_key_of_its_certificate_is_refused),
        CASE(a_certificate_that_is_none_is_named),
        CASE(the_request_names_no_ca),
        CASE(a_leaf_of_any_key_that_tls_can_sign_with_passes),
        CASE(a_server_shows_its_chain_to_a_client),
    };
    return cmocka_run_group_tests_name("tls peer", tests, NULL, NULL);
}
