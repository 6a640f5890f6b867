// The certificates that a peer showed, taken out of OpenSSL: what they are worth is judged in crypto/.
#include "wire/tls/internal.h"

#include "crypto/chain_openssl.h"

// Before its Finished a peer may show certificates of which it does not hold the keys.
static bool proven(const struct tls_session *session)
{
    return (session->state == TLS_OPEN || session->state == TLS_CLOSED) && SSL_is_init_finished(session->ssl);
}

struct err tls_take_chain(struct tls_session *session, struct chain **out)
{
    *out = NULL;
    X509 *leaf = SSL_get0_peer_certificate(session->ssl);
    if (leaf == NULL || session->chain_taken || !proven(session))
        return OK;
    STACK_OF(X509) *others = SSL_get_peer_cert_chain(session->ssl);
    // on the client's side the leaf is the first of this stack too, on the server's it is not in it
    if (sk_X509_num(others) > 0 && sk_X509_value(others, 0) == leaf)
        X509_free(sk_X509_shift(others));
    TRY(chain_from_openssl(leaf, others, out));
    session->chain_taken = true;
    while (sk_X509_num(others) > 0)
        X509_free(sk_X509_pop(others));
    return OK;
}
