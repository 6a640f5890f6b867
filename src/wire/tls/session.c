// One connection's TLS: an SSL whose BIO reads the slice being fed and appends to the session's output.
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "wire/tls/internal.h"

// What is left in the thread's queue would be taken for an error of the next call. ERR_clear_error goes
// through all its places, and takes a seventh of what reading a short record does.
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static struct err fail(struct tls_session *session, enum err_code code)
{
    session->state = TLS_FAILED;
    session->failure = code;
    return FAIL(code);
}

// Where to say why it fails; NULL when memory is out.
static struct why *reason(struct tls_session *session)
{
    if (session->why == NULL)
        session->why = calloc(1, sizeof *session->why);
    return session->why;
}

// What SSL_* returned is not success: waiting for more input, the end, or a failure.
static struct err unfinished(struct tls_session *session, int returned)
{
    switch (SSL_get_error(session->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return OK;
    case SSL_ERROR_ZERO_RETURN:
        session->state = TLS_CLOSED;
        return OK;
    default:
        break;
    }
    if (session->key_updates > TLS_KEY_UPDATES_MAX) {
        forget_errors();
        (void)why_fail(reason(session), ERR_PROTOCOL, "the peer renewed its keys more than %d times",
                       TLS_KEY_UPDATES_MAX);
        return fail(session, ERR_PROTOCOL);
    }
    if (session->out.broken != 0) {
        forget_errors();
        (void)why_fail(reason(session), session->out.broken,
                       "more than %d bytes of ciphertext wait for the peer", TLS_OUTPUT_MAX);
        return fail(session, session->out.broken);
    }
    tls_explain(session->ssl, reason(session));
    return fail(session, ERR_PROTOCOL);
}

// OpenSSL keeps both sides' keys of the exchange until SSL_free, which costs memory, and forward secrecy
// towards whoever gets to read it. The type given does not matter.
static void forget_exchange(SSL *ssl)
{
    EVP_PKEY *ours = NULL, *theirs = NULL;
    if (SSL_get_tmp_key(ssl, &ours) == 1)
        (void)EVP_PKEY_set_type(ours, EVP_PKEY_X25519);
    if (SSL_get_peer_tmp_key(ssl, &theirs) == 1)
        (void)EVP_PKEY_set_type(theirs, EVP_PKEY_X25519);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
}

static struct err handshake(struct tls_session *session)
{
    int done = SSL_do_handshake(session->ssl);
    if (done != 1)
        return unfinished(session, done);
    session->state = TLS_OPEN;
    forget_exchange(session->ssl);
    return OK;
}

static struct err expect_server(struct tls_session *session, const char *name)
{
    X509_VERIFY_PARAM *rules = SSL_get0_param(session->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(rules, name) == 1)
        return OK;
    forget_errors();
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(rules, name, 0) != 1 ||
        SSL_set_tlsext_host_name(session->ssl, name) != 1) {
        forget_errors();
        return FAIL(ERR_INVALID);
    }
    return OK;
}

static struct err start(struct tls_session *session, const char *server_name)
{
    session->ssl = SSL_new(session->context->ssl);
    BIO *bio = session->ssl != NULL ? BIO_new(session->context->bio) : NULL;
    if (bio == NULL) {
        forget_errors();
        return FAIL(ERR_NO_MEMORY);
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_msg_callback_arg(session->ssl, session);
    if (!session->context->client) {
        SSL_set_accept_state(session->ssl);
        return OK;
    }
    SSL_set_connect_state(session->ssl);
    INVARIANT(server_name !=
              NULL); // a client that does not know whom it wants to reach cannot verify anything
    TRY(expect_server(session, server_name));
    return handshake(session);
}

struct err tls_session_new(struct tls_context *context, const char *server_name, struct tls_session **out)
{
    *out = NULL;
    struct tls_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return FAIL(ERR_NO_MEMORY);
    session->context = tls_context_share(context);
    session->out = buf_capped(TLS_OUTPUT_MAX);
    forget_errors();
    struct err result = start(session, server_name);
    if (failed(result)) {
        tls_session_free(session);
        return result;
    }
    *out = session;
    return OK;
}

void tls_session_free(struct tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    buf_release(&session->out);
    tls_context_free(session->context);
    free(session->why);
    free(session);
}

enum tls_state tls_session_state(const struct tls_session *session)
{
    return session->state;
}

// Once all input is taken and no record waits inside OpenSSL, asking it again would only fetch "nothing",
// which takes as long as a third of decrypting a short record.
static bool more_to_read(const struct tls_session *session)
{
    return !slice_empty(session->in) || SSL_has_pending(session->ssl) == 1;
}

static struct err decrypt(struct tls_session *session, struct buf *plain)
{
    while (session->state == TLS_OPEN && plain->len < plain->cap && more_to_read(session)) {
        size_t room = plain->cap - plain->len < TLS_PLAIN_MAX ? plain->cap - plain->len : TLS_PLAIN_MAX;
        uint8_t *to = buf_reserve(plain, room);
        if (to == NULL) {
            (void)why_fail(reason(session), ERR_NO_MEMORY, "out of memory while decrypting");
            return fail(session, ERR_NO_MEMORY);
        }
        size_t got = 0;
        if (SSL_read_ex(session->ssl, to, room, &got) != 1)
            return unfinished(session, 0);
        buf_added(plain, got);
    }
    return OK;
}

// OpenSSL would take an SSLv2-style hello too; nothing that speaks TLS 1.2 sends one.
static struct err sniff(struct tls_session *session)
{
    if (session->sniffed || session->context->client)
        return OK;
    session->sniffed = true;
    if (session->in.at[0] == SSL3_RT_HANDSHAKE)
        return OK;
    tls_explain_plaintext(session->in, reason(session));
    return fail(session, ERR_PROTOCOL);
}

static struct err advance(struct tls_session *session, struct buf *plain)
{
    if (!slice_empty(session->in))
        TRY(sniff(session));
    if (session->state == TLS_HANDSHAKING)
        TRY(handshake(session));
    return session->state == TLS_OPEN ? decrypt(session, plain) : OK;
}

struct err tls_feed(struct tls_session *session, struct slice *in, struct buf *plain)
{
    struct err result = session->state == TLS_FAILED ? FAIL(session->failure) : OK;
    if (session->state == TLS_OPEN || session->state == TLS_HANDSHAKING) {
        forget_errors();
        session->in = *in;
        result = advance(session, plain);
        *in = session->in;
        session->in = (struct slice){0};
    }
    if (session->state == TLS_CLOSED || session->state == TLS_FAILED)
        *in = slice_from(*in, in->len);
    return result;
}

struct err tls_write(struct tls_session *session, struct slice plain)
{
    if (session->state != TLS_OPEN)
        return FAIL(ERR_INTERNAL);
    if (slice_empty(plain))
        return OK;
    forget_errors();
    size_t done = 0;
    if (SSL_write_ex(session->ssl, plain.at, plain.len, &done) != 1)
        TRY(unfinished(session, 0));
    return done == plain.len ? OK : fail(session, ERR_INTERNAL);
}

void tls_close(struct tls_session *session)
{
    bool said = SSL_get_shutdown(session->ssl) & SSL_SENT_SHUTDOWN;
    if ((session->state != TLS_OPEN && session->state != TLS_CLOSED) || said)
        return;
    forget_errors();
    (void)SSL_shutdown(session->ssl);
    forget_errors();
    session->state = TLS_CLOSED;
}

struct buf *tls_output(struct tls_session *session)
{
    return &session->out;
}

const struct why *tls_session_why(const struct tls_session *session)
{
    static const struct why none;
    return session->why != NULL ? session->why : &none;
}

const char *tls_session_version(const struct tls_session *session)
{
    return SSL_get_version(session->ssl);
}

struct slice tls_session_alpn(const struct tls_session *session)
{
    const uint8_t *at = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(session->ssl, &at, &len);
    return slice_of(at, len);
}
