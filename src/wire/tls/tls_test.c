// TLS sessions against each other and against a plain OpenSSL client, all in memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "crypto/begin.h"
#include "wire/tls/testing.h"
#include "wire/tls/tls.h"

enum { PLAIN_ROOM = 1 << 20 };

struct bench {
    struct tls_testing certificates;
    struct tls_context *server_context;
    struct tls_context *client_context;
    struct tls_session *server;
    struct tls_session *client;
    struct buf at_server;
    struct buf at_client;
};

static struct tls_context *server_context(const struct tls_testing *t, bool ask, const char *const *alpn)
{
    struct tls_settings settings = {.chain_pem = buf_slice(&t->chain_pem),
                                    .key_pem = buf_slice(&t->key_pem),
                                    .request_client_certificate = ask,
                                    .alpn = alpn};
    struct tls_context *context = NULL;
    struct why why = {0};
    if (failed(tls_context_new(&settings, &context, &why)))
        fail_msg("server context: %s", why.text);
    return context;
}

static struct tls_context *client_context(const struct tls_testing *t, bool with_certificate,
                                          const char *const *alpn)
{
    struct tls_settings settings = {.client = true, .trusted_pem = buf_slice(&t->ca_pem), .alpn = alpn};
    if (with_certificate) {
        settings.chain_pem = buf_slice(&t->client_pem);
        settings.key_pem = buf_slice(&t->client_key_pem);
    }
    struct tls_context *context = NULL;
    struct why why = {0};
    if (failed(tls_context_new(&settings, &context, &why)))
        fail_msg("client context: %s", why.text);
    return context;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    tls_testing_init(&b->certificates);
    b->server_context = server_context(&b->certificates, true, NULL);
    b->client_context = client_context(&b->certificates, false, NULL);
    b->at_server = buf_capped(PLAIN_ROOM);
    b->at_client = buf_capped(PLAIN_ROOM);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    tls_session_free(b->server);
    tls_session_free(b->client);
    tls_context_free(b->server_context);
    tls_context_free(b->client_context);
    buf_release(&b->at_server);
    buf_release(&b->at_client);
    tls_testing_release(&b->certificates);
    free(b);
    return 0;
}

static void begin(struct bench *b, const char *name)
{
    assert_false(failed(tls_session_new(b->server_context, NULL, &b->server)));
    assert_false(failed(tls_session_new(b->client_context, name, &b->client)));
}

// Hands what one has to say to the other, `step` bytes at a time; false when there was nothing.
static bool carry(struct tls_session *from, struct tls_session *to, struct buf *plain, size_t step)
{
    struct buf *out = tls_output(from);
    if (out->len == 0)
        return false;
    for (struct slice all = buf_slice(out); !slice_empty(all); all = slice_from(all, step)) {
        struct slice in = slice_to(all, step);
        (void)tls_feed(to, &in, plain);
        assert_int_equal(in.len, 0);
    }
    buf_clear(out);
    assert_int_equal(ERR_peek_error(), 0);
    return true;
}

static void talk_by(struct bench *b, size_t step)
{
    for (int rounds = 0; rounds < 20; rounds++) {
        bool client_spoke = carry(b->client, b->server, &b->at_server, step);
        bool server_spoke = carry(b->server, b->client, &b->at_client, step);
        if (!client_spoke && !server_spoke)
            return;
    }
    fail_msg("the two sides never come to rest");
}

static void talk(struct bench *b)
{
    talk_by(b, SIZE_MAX);
}

static void connected(struct bench *b)
{
    begin(b, "localhost");
    talk(b);
    assert_int_equal(tls_session_state(b->server), TLS_OPEN);
    assert_int_equal(tls_session_state(b->client), TLS_OPEN);
}

static void assert_why(const struct tls_session *session, const char *part)
{
    const char *text = tls_session_why(session)->text;
    assert_int_equal(tls_session_state(session), TLS_FAILED);
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void assert_received(struct buf *at, const char *text)
{
    assert_int_equal(at->len, strlen(text));
    assert_memory_equal(at->at, text, at->len);
    buf_clear(at);
}

static void two_sides_shake_hands_and_exchange_text(void **state)
{
    struct bench *b = *state;
    connected(b);
    assert_string_equal(tls_session_version(b->server), "TLSv1.3");
    assert_false(failed(tls_write(b->client, SLICE("ping"))));
    talk(b);
    assert_received(&b->at_server, "ping");
    assert_false(failed(tls_write(b->server, SLICE("pong"))));
    talk(b);
    assert_received(&b->at_client, "pong");
}

static void bytes_may_come_one_at_a_time(void **state)
{
    struct bench *b = *state;
    begin(b, "127.0.0.1");
    talk_by(b, 1);
    assert_int_equal(tls_session_state(b->server), TLS_OPEN);
    assert_false(failed(tls_write(b->client, SLICE("slow but sure"))));
    talk_by(b, 1);
    assert_received(&b->at_server, "slow but sure");
}

static void many_records_arrive_whole(void **state)
{
    struct bench *b = *state;
    connected(b);
    size_t len = 300 * 1024;
    uint8_t *big = malloc(len);
    for (size_t i = 0; i < len; i++)
        big[i] = (uint8_t)(i * 31 + i / 251);
    assert_false(failed(tls_write(b->client, slice_of(big, len))));
    talk_by(b, 1000);
    assert_int_equal(b->at_server.len, len);
    assert_memory_equal(b->at_server.at, big, len);
    free(big);
}

static void plaintext_past_the_cap_waits_with_the_caller(void **state)
{
    struct bench *b = *state;
    connected(b);
    uint8_t block[40000] = {7};
    assert_false(failed(tls_write(b->client, slice_of(block, sizeof block))));
    struct buf small = buf_capped(10000);
    struct slice in = buf_slice(tls_output(b->client));
    size_t total = 0;
    for (int i = 0; i < 10 && total < sizeof block; i++) {
        assert_false(failed(tls_feed(b->server, &in, &small)));
        assert_true(small.len <= 10000);
        total += small.len;
        buf_clear(&small);
    }
    assert_int_equal(total, sizeof block);
    buf_release(&small);
}

static void output_nobody_takes_is_capped(void **state)
{
    struct bench *b = *state;
    connected(b);
    uint8_t *block = calloc(1, TLS_OUTPUT_MAX);
    assert_int_equal(tls_write(b->server, slice_of(block, TLS_OUTPUT_MAX)).code, ERR_CAPPED);
    assert_why(b->server, "bytes of ciphertext wait");
    assert_true(tls_output(b->server)->room <= TLS_OUTPUT_MAX);
    free(block);
}

static void feed_plaintext(struct bench *b, struct slice in, const char *expected)
{
    tls_session_free(b->server);
    assert_false(failed(tls_session_new(b->server_context, NULL, &b->server)));
    assert_int_equal(tls_feed(b->server, &in, &b->at_server).code, ERR_PROTOCOL);
    assert_int_equal(in.len, 0);
    assert_why(b->server, expected);
    assert_int_equal(ERR_peek_error(), 0);
}

static void plaintext_on_a_tls_port_is_named(void **state)
{
    struct bench *b = *state;
    feed_plaintext(b, SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "plain HTTP request");
    feed_plaintext(b, SLICE("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"), "plain MQTT CONNECT");
    feed_plaintext(b, SLICE("AMQP\x03\x01\x00\x00"), "plain AMQP header");
    feed_plaintext(b, SLICE("\x80\x2e\x01\x00\x02"), "not TLS: 0x802e010002");
    feed_plaintext(b, SLICE("\x16garbage that goes on"), "not a TLS record");
}

static void big_declared_lengths_are_refused_at_once(void **state)
{
    struct bench *b = *state;
    feed_plaintext(b, SLICE("\x16\x03\x01\xff\xff"), "longer than TLS allows");
    // one small record whose ClientHello says that it is 16 MB long
    feed_plaintext(b, SLICE("\x16\x03\x01\x00\x04\x01\xff\xff\xff"), "longer than is taken");
}

static void close_notify_reaches_the_other_side(void **state)
{
    struct bench *b = *state;
    connected(b);
    assert_false(failed(tls_write(b->server, SLICE("bye"))));
    tls_close(b->server);
    talk(b);
    assert_received(&b->at_client, "bye");
    assert_int_equal(tls_session_state(b->client), TLS_CLOSED);
    assert_int_equal(tls_write(b->server, SLICE("more")).code, ERR_INTERNAL);
    tls_close(b->client);
    assert_true(tls_output(b->client)->len > 0);
    size_t said = tls_output(b->client)->len;
    tls_close(b->client);
    assert_int_equal(tls_output(b->client)->len, said);
}

static void closing_before_the_handshake_says_nothing(void **state)
{
    struct bench *b = *state;
    begin(b, "localhost");
    tls_close(b->server);
    assert_int_equal(tls_output(b->server)->len, 0);
}

static void a_client_refuses_a_server_of_another_name(void **state)
{
    struct bench *b = *state;
    begin(b, "example.org");
    talk(b);
    assert_why(b->client, "not trusted: hostname mismatch");
    assert_why(b->server, "alert");
}

static void a_client_refuses_a_server_of_an_unknown_ca(void **state)
{
    struct bench *b = *state;
    tls_context_free(b->client_context);
    struct tls_settings settings = {.client = true, .trusted_pem = buf_slice(&b->certificates.other_ca_pem)};
    assert_false(failed(tls_context_new(&settings, &b->client_context, NULL)));
    begin(b, "localhost");
    talk(b);
    assert_why(b->client, "not trusted");
    assert_why(b->server, "unknown CA");
}

static void alpn_is_agreed_or_refused(void **state)
{
    struct bench *b = *state;
    static const char *const http[] = {"http/1.1", NULL};
    static const char *const both[] = {"h2", "http/1.1", NULL};
    static const char *const ftp[] = {"ftp", NULL};
    tls_context_free(b->server_context);
    b->server_context = server_context(&b->certificates, false, http);
    connected(b); // a client that offers nothing
    tls_session_free(b->server);
    tls_session_free(b->client);
    tls_context_free(b->client_context);
    b->client_context = client_context(&b->certificates, false, both);
    connected(b);
    assert_true(slice_equal(tls_session_alpn(b->server), SLICE("http/1.1")));
    tls_session_free(b->server);
    tls_session_free(b->client);
    tls_context_free(b->client_context);
    b->client_context = client_context(&b->certificates, false, ftp);
    begin(b, "localhost");
    talk(b);
    assert_why(b->server, "ALPN");
}

static void certificates_that_cannot_serve_are_explained(void **state)
{
    struct bench *b = *state;
    const struct tls_testing *t = &b->certificates;
    struct slice chain = buf_slice(&t->chain_pem);
    struct slice key = buf_slice(&t->key_pem);
    const struct tls_settings bad[] = {
        {.chain_pem = chain},
        {.key_pem = key},
        {.chain_pem = SLICE("rubbish"), .key_pem = key},
        {.chain_pem = chain, .key_pem = SLICE("rubbish")},
        {.chain_pem = chain, .key_pem = buf_slice(&t->client_key_pem)},
        {.chain_pem = slice_to(chain, chain.len - 60), .key_pem = key}, // a half-written file
        {.client = true, .trusted_pem = SLICE("rubbish")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tls_context *context = NULL;
        struct why why = {0};
        assert_int_equal(tls_context_new(&bad[i], &context, &why).code, ERR_CONFIG);
        assert_null(context);
        assert_true(strlen(why.text) > 20);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void a_session_outlives_the_context_it_began_with(void **state)
{
    struct bench *b = *state;
    connected(b);
    tls_context_free(b->server_context);
    b->server_context = NULL;
    assert_false(failed(tls_write(b->server, SLICE("still here"))));
    talk(b);
    assert_received(&b->at_client, "still here");
}

static void the_context_says_when_its_certificate_expires(void **state)
{
    struct bench *b = *state;
    int64_t day = (int64_t)86400 * 1000000;
    int64_t now = (int64_t)time(NULL) * 1000000;
    assert_true(llabs(tls_context_expires_us(b->server_context) - now - day) < (int64_t)60 * 1000000);
    assert_int_equal(tls_context_expires_us(b->client_context), 0);
}

// A client that is OpenSSL alone, for what ours does not do.
struct plain_client {
    SSL_CTX *context;
    SSL *ssl;
    BIO *to_it;
    BIO *from_it;
};

static struct plain_client plain_client(int version)
{
    struct plain_client c = {.context = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_security_level(c.context, 0);
    SSL_CTX_set_min_proto_version(c.context, version);
    SSL_CTX_set_max_proto_version(c.context, version);
    c.ssl = SSL_new(c.context);
    c.to_it = BIO_new(BIO_s_mem());
    c.from_it = BIO_new(BIO_s_mem());
    SSL_set_bio(c.ssl, c.to_it, c.from_it);
    SSL_set_connect_state(c.ssl);
    return c;
}

static void plain_client_free(struct plain_client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->context);
}

// Lets the client do its handshake or read, and carries bytes to and fro until nothing moves.
static unsigned long plain_talk(struct bench *b, struct plain_client *c)
{
    unsigned long error = 0;
    for (int rounds = 0; rounds < 10; rounds++) {
        char byte;
        ERR_clear_error();
        if (SSL_in_init(c->ssl) ? SSL_do_handshake(c->ssl) != 1 : SSL_read(c->ssl, &byte, 1) != 1)
            error = error != 0 ? error : ERR_peek_error();
        ERR_clear_error();
        char *at = NULL;
        long len = BIO_get_mem_data(c->from_it, &at);
        struct slice in = slice_of(at, (size_t)len);
        (void)tls_feed(b->server, &in, &b->at_server);
        (void)BIO_reset(c->from_it);
        struct buf *out = tls_output(b->server);
        if (out->len > 0)
            BIO_write(c->to_it, out->at, (int)out->len);
        buf_clear(out);
    }
    return error;
}

static void tls_1_1_is_refused_and_tls_1_2_taken(void **state)
{
    struct bench *b = *state;
    assert_false(failed(tls_session_new(b->server_context, NULL, &b->server)));
    struct plain_client old = plain_client(TLS1_1_VERSION);
    assert_int_equal(ERR_GET_REASON(plain_talk(b, &old)), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    assert_why(b->server, "TLS 1.2");
    plain_client_free(&old);
    tls_session_free(b->server);
    assert_false(failed(tls_session_new(b->server_context, NULL, &b->server)));
    struct plain_client good = plain_client(TLS1_2_VERSION);
    assert_int_equal(plain_talk(b, &good), 0);
    assert_int_equal(tls_session_state(b->server), TLS_OPEN);
    plain_client_free(&good);
}

static void renegotiation_is_refused(void **state)
{
    struct bench *b = *state;
    assert_false(failed(tls_session_new(b->server_context, NULL, &b->server)));
    struct plain_client c = plain_client(TLS1_2_VERSION);
    assert_int_equal(plain_talk(b, &c), 0);
    assert_int_equal(SSL_renegotiate(c.ssl), 1);
    (void)SSL_do_handshake(c.ssl);
    assert_int_equal(ERR_GET_REASON(plain_talk(b, &c)), SSL_R_NO_RENEGOTIATION);
    plain_client_free(&c);
}

static void nothing_is_shared_when_no_cipher_is(void **state)
{
    struct bench *b = *state;
    assert_false(failed(tls_session_new(b->server_context, NULL, &b->server)));
    struct plain_client c = plain_client(TLS1_2_VERSION);
    assert_int_equal(SSL_set_cipher_list(c.ssl, "AES128-SHA"), 1);
    assert_int_equal(ERR_GET_REASON(plain_talk(b, &c)), SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
    assert_why(b->server, "no shared cipher");
    plain_client_free(&c);
}

static void count_ticket(int writing, int version, int type, const void *at, size_t len, SSL *ssl,
                         void *count)
{
    (void)version, (void)ssl;
    if (!writing && type == SSL3_RT_HANDSHAKE && len > 0 && *(const uint8_t *)at == SSL3_MT_NEWSESSION_TICKET)
        ++*(int *)count;
}

static void no_ticket_is_ever_issued(void **state)
{
    struct bench *b = *state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        tls_session_free(b->server);
        assert_false(failed(tls_session_new(b->server_context, NULL, &b->server)));
        struct plain_client c = plain_client(versions[i]);
        int tickets = 0;
        SSL_set_msg_callback(c.ssl, count_ticket);
        SSL_set_msg_callback_arg(c.ssl, &tickets);
        assert_int_equal(plain_talk(b, &c), 0);
        assert_int_equal(tls_session_state(b->server), TLS_OPEN);
        assert_int_equal(tickets, 0);
        assert_false(SSL_SESSION_has_ticket(SSL_get_session(c.ssl)));
        plain_client_free(&c);
    }
}

static void renewing_keys_without_end_is_stopped(void **state)
{
    struct bench *b = *state;
    assert_false(failed(tls_session_new(b->server_context, NULL, &b->server)));
    struct plain_client c = plain_client(TLS1_3_VERSION);
    assert_int_equal(plain_talk(b, &c), 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(SSL_key_update(c.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(c.ssl), 1);
    }
    (void)plain_talk(b, &c);
    assert_why(b->server, "renewed its keys");
    plain_client_free(&c);
}

static void a_chain_longer_than_16_kb_is_refused(void **state)
{
    struct bench *b = *state;
    assert_false(failed(tls_session_new(b->server_context, NULL, &b->server)));
    struct plain_client c = plain_client(TLS1_3_VERSION);
    BIO *pem = BIO_new_mem_buf(b->certificates.client_pem.at, (int)b->certificates.client_pem.len);
    X509 *leaf = PEM_read_bio_X509(pem, NULL, NULL, NULL);
    BIO_free(pem);
    pem = BIO_new_mem_buf(b->certificates.client_key_pem.at, (int)b->certificates.client_key_pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);
    BIO_free(pem);
    assert_int_equal(SSL_use_certificate(c.ssl, leaf), 1);
    assert_int_equal(SSL_use_PrivateKey(c.ssl, key), 1);
    for (int i = 0; i < 60; i++)
        assert_int_equal(SSL_add1_chain_cert(c.ssl, leaf), 1);
    (void)plain_talk(b, &c);
    assert_why(b->server, "longer than is taken");
    X509_free(leaf);
    EVP_PKEY_free(key);
    plain_client_free(&c);
}

static void a_failed_session_leaves_no_trace_in_the_next(void **state)
{
    struct bench *b = *state;
    feed_plaintext(b, SLICE("\x16\x03\x01\xff\xff"), "longer");
    ERR_raise_data(ERR_LIB_USER, 1, "left behind by somebody else");
    tls_session_free(b->server);
    begin(b, "localhost");
    talk(b);
    assert_int_equal(tls_session_state(b->server), TLS_OPEN);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    crypto_begin(); // as usherd does
    const struct CMUnitTest tests[] = {
        CASE(two_sides_shake_hands_and_exchange_text),
        CASE(bytes_may_come_one_at_a_time),
        CASE(many_records_arrive_whole),
        CASE(plaintext_past_the_cap_waits_with_the_caller),
        CASE(output_nobody_takes_is_capped),
        CASE(plaintext_on_a_tls_port_is_named),
        CASE(big_declared_lengths_are_refused_at_once),
        CASE(close_notify_reaches_the_other_side),
        CASE(closing_before_the_handshake_says_nothing),
        CASE(a_client_refuses_a_server_of_another_name),
        CASE(a_client_refuses_a_server_of_an_unknown_ca),
        CASE(alpn_is_agreed_or_refused),
        CASE(certificates_that_cannot_serve_are_explained),
        CASE(a_session_outlives_the_context_it_began_with),
        CASE(the_context_says_when_its_certificate_expires),
        CASE(tls_1_1_is_refused_and_tls_1_2_taken),
        CASE(renegotiation_is_refused),
        CASE(nothing_is_shared_when_no_cipher_is),
        CASE(no_ticket_is_ever_issued),
        CASE(renewing_keys_without_end_is_stopped),
        CASE(a_chain_longer_than_16_kb_is_refused),
        CASE(a_failed_session_leaves_no_trace_in_the_next),
    };
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
