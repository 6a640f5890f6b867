// Makes an SSL_CTX with everything off that a provisioning service has no use for.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/openssl_context.h"
#include "wire/tls/internal.h"

// Never asks for a passphrase on the terminal.
static int no_passphrase(char *out, int room, int writing, void *context)
{
    (void)out, (void)room, (void)writing, (void)context;
    return -1;
}

static X509 *next_certificate(BIO *pem)
{
    return PEM_read_bio_X509(pem, NULL, no_passphrase, NULL);
}

static struct err unusable(struct why *why, const char *what)
{
    struct why detail = {0};
    tls_explain(NULL, &detail);
    return why_fail(why, ERR_CONFIG, "%s: %s", what, detail.text);
}

static int64_t expiry_us(const X509 *certificate)
{
    struct tm until;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &until) != 1)
        return 0;
    return (int64_t)timegm(&until) * 1000000;
}

// Reading a PEM file ends with the error "no start line"; anything else means that the rest is damaged.
static bool read_to_the_end(void)
{
    unsigned long last = ERR_peek_last_error();
    bool end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    if (end)
        ERR_clear_error();
    return end;
}

static struct err use_chain(struct tls_context *context, struct slice pem, struct why *why)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    if (bio == NULL)
        return FAIL(ERR_NO_MEMORY);
    struct err result = OK;
    X509 *certificate = next_certificate(bio);
    if (certificate == NULL || SSL_CTX_use_certificate(context->ssl, certificate) != 1) {
        result = unusable(why, "the certificate cannot be used");
        goto out;
    }
    context->expires_us = expiry_us(certificate);
    for (;;) {
        X509_free(certificate);
        certificate = next_certificate(bio);
        if (certificate == NULL)
            break;
        if (SSL_CTX_add1_chain_cert(context->ssl, certificate) != 1) {
            result = unusable(why, "a certificate of the chain cannot be used");
            goto out;
        }
    }
    if (!read_to_the_end())
        result = unusable(why, "the certificate chain is damaged");
out:
    X509_free(certificate);
    BIO_free(bio);
    return result;
}

static struct err use_key(struct tls_context *context, struct slice pem, struct why *why)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    if (bio == NULL)
        return FAIL(ERR_NO_MEMORY);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    struct err result = OK;
    if (key == NULL || SSL_CTX_use_PrivateKey(context->ssl, key) != 1 ||
        SSL_CTX_check_private_key(context->ssl) != 1)
        result = unusable(why, "the private key cannot be used with the certificate");
    EVP_PKEY_free(key);
    BIO_free(bio);
    return result;
}

static struct err trust(struct tls_context *context, struct slice pem, struct why *why)
{
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    if (slice_empty(pem))
        return SSL_CTX_set_default_verify_paths(context->ssl) == 1 ? OK : unusable(why, "no CA certificates");
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    if (bio == NULL)
        return FAIL(ERR_NO_MEMORY);
    size_t count = 0;
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    for (X509 *certificate; (certificate = next_certificate(bio)) != NULL; count++) {
        (void)X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
    }
    BIO_free(bio);
    if (count == 0 || !read_to_the_end())
        return unusable(why, "the CA certificates cannot be read");
    return OK;
}

static int any_chain(X509_STORE_CTX *store, void *context)
{
    (void)context;
    // In TLS 1.2 OpenSSL takes leafs only on curves that it would exchange keys on. By now the keys are
    // exchanged, so that nobody gets us to compute on the slow ones.
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    if (SSL_version(ssl) == TLS1_2_VERSION && SSL_set1_groups_list(ssl, "P-256:P-384:P-521") != 1)
        return 0;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static int choose_alpn(SSL *ssl, const uint8_t **out, uint8_t *len, const uint8_t *in, unsigned in_len,
                       void *arg)
{
    (void)ssl;
    const struct tls_context *context = arg;
    uint8_t *chosen = NULL;
    if (SSL_select_next_proto(&chosen, len, context->alpn, (unsigned)context->alpn_len, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static struct err offer_alpn(struct tls_context *context, const char *const *names, struct why *why)
{
    for (; names != NULL && *names != NULL; names++) {
        size_t len = strlen(*names);
        if (len == 0 || len > 255 || context->alpn_len + 1 + len > sizeof context->alpn)
            return why_fail(why, ERR_CONFIG, "the ALPN names are too long");
        context->alpn[context->alpn_len] = (uint8_t)len;
        memcpy(context->alpn + context->alpn_len + 1, *names, len);
        context->alpn_len += 1 + len;
    }
    if (context->alpn_len == 0)
        return OK;
    if (!context->client)
        SSL_CTX_set_alpn_select_cb(context->ssl, choose_alpn, context);
    else if (SSL_CTX_set_alpn_protos(context->ssl, context->alpn, (unsigned)context->alpn_len) != 0)
        return FAIL(ERR_NO_MEMORY);
    return OK;
}

static void count_key_updates(int writing, int version, int type, const void *at, size_t len, SSL *ssl,
                              void *arg)
{
    (void)version, (void)ssl;
    struct tls_session *session = arg;
    bool update = type == SSL3_RT_HANDSHAKE && len > 0 && *(const uint8_t *)at == SSL3_MT_KEY_UPDATE;
    if (update && !writing && session != NULL)
        session->key_updates++;
}

// The profile of every session: TLS 1.2 and 1.3 with forward secrecy and AEAD; no resumption, which costs
// more than it saves and would be one more secret to rotate (threats A7, B16); no renegotiation, no early
// data, no compression.
static bool harden(SSL_CTX *ssl)
{
    SSL_CTX_set_security_level(ssl, 2);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_cert_list(ssl, TLS_CHAIN_MAX);
    SSL_CTX_set_msg_callback(ssl, count_key_updates);
    static const uint8_t name[] = "usher";
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 && SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set_ciphersuites(
               ssl, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(ssl, "X25519:P-256") == 1 &&
           SSL_CTX_set_session_id_context(ssl, name, sizeof name - 1) == 1;
}

static int bio_read(BIO *bio, char *out, size_t len, size_t *done)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->key_updates > TLS_KEY_UPDATES_MAX)
        return 0;
    if (slice_empty(session->in)) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *done = len < session->in.len ? len : session->in.len;
    memcpy(out, session->in.at, *done);
    session->in = slice_from(session->in, *done);
    return 1;
}

static int bio_write(BIO *bio, const char *in, size_t len, size_t *done)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buf_bytes(&session->out, slice_of(in, len));
    *done = len;
    return session->out.broken == 0;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

// Without an index of its own: those run out after a hundred reloads, and nobody looks this type up.
static BIO_METHOD *bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tls session");
    if (method == NULL)
        return NULL;
    if (BIO_meth_set_read_ex(method, bio_read) == 1 && BIO_meth_set_write_ex(method, bio_write) == 1 &&
        BIO_meth_set_ctrl(method, bio_control) == 1)
        return method;
    BIO_meth_free(method);
    return NULL;
}

static struct err fill(struct tls_context *context, const struct tls_settings *settings, struct why *why)
{
    context->ssl =
        SSL_CTX_new_ex(openssl_context(), NULL, settings->client ? TLS_client_method() : TLS_server_method());
    context->bio = bio_method();
    if (context->ssl == NULL || context->bio == NULL || !harden(context->ssl))
        return unusable(why, "OpenSSL cannot be set up");
    bool identity = !slice_empty(settings->chain_pem) || !slice_empty(settings->key_pem);
    if (identity || !settings->client) {
        if (slice_empty(settings->chain_pem) || slice_empty(settings->key_pem))
            return why_fail(why, ERR_CONFIG, "a certificate and its private key are needed, both");
        TRY(use_chain(context, settings->chain_pem, why));
        TRY(use_key(context, settings->key_pem, why));
    }
    if (settings->client)
        TRY(trust(context, settings->trusted_pem, why));
    if (!settings->client) // the chain is sent as it was given; none is looked for at each handshake
        SSL_CTX_set_mode(context->ssl, SSL_MODE_NO_AUTO_CHAIN);
    if (!settings->client && settings->request_client_certificate) {
        SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(context->ssl, any_chain, NULL);
    }
    return offer_alpn(context, settings->alpn, why);
}

struct err tls_context_new(const struct tls_settings *settings, struct tls_context **out, struct why *why)
{
    *out = NULL;
    struct tls_context *context = calloc(1, sizeof *context);
    if (context == NULL)
        return FAIL(ERR_NO_MEMORY);
    atomic_init(&context->owners, 1);
    context->client = settings->client;
    ERR_clear_error();
    struct err result = fill(context, settings, why);
    ERR_clear_error();
    if (failed(result)) {
        tls_context_free(context);
        return result;
    }
    *out = context;
    return OK;
}

struct tls_context *tls_context_share(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->owners, 1, memory_order_relaxed);
    return context;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL || atomic_fetch_sub_explicit(&context->owners, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->bio);
    free(context);
}

int64_t tls_context_expires_us(const struct tls_context *context)
{
    return context->expires_us;
}
