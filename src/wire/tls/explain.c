// Turns what OpenSSL reports into a sentence that tells an operator what the peer did.
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "base/text.h"
#include "wire/tls/internal.h"

static const struct {
    int reason;
    const char *sentence;
} sentences[] = {
    {SSL_R_NO_SHARED_CIPHER,
     "no shared cipher suite: the peer offers none with ECDHE and AES-GCM or ChaCha20"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the peer offers no protocol version from TLS 1.2 on"},
    {SSL_R_VERSION_TOO_LOW, "the peer offers no protocol version from TLS 1.2 on"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, "no shared key exchange group: X25519 and P-256 are taken"},
    {SSL_R_NO_SHARED_GROUPS, "no shared key exchange group: X25519 and P-256 are taken"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
     "the peer takes no signature that the server certificate's key can make"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "the peer asks by ALPN for a protocol that this port does not speak"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, "a handshake message or certificate chain longer than is taken"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "a record longer than TLS allows"},
    {SSL_R_ENCRYPTED_LENGTH_TOO_LONG, "a record longer than TLS allows"},
    {SSL_R_DATA_LENGTH_TOO_LONG, "a record longer than TLS allows"},
    {SSL_R_WRONG_VERSION_NUMBER, "not a TLS record: wrong version number"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record that was damaged or forged"},
    {SSL_R_BAD_SIGNATURE, "the peer does not hold the key of the certificate it showed"},
    {SSL_R_NO_RENEGOTIATION, "renegotiation was refused"},
    {SSL_R_WRONG_CURVE,
     "the key of the peer's certificate is on a curve that this version of TLS does not sign with"},
    {SSL_R_UNKNOWN_CERTIFICATE_TYPE, "the key of the peer's certificate cannot be decoded"},
};

static const char *sentence_for(int reason)
{
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (sentences[i].reason == reason)
            return sentences[i].sentence;
    return NULL;
}

static void explain_code(const SSL *ssl, unsigned long code, struct why *why)
{
    int reason = ERR_GET_REASON(code);
    bool of_ssl = ERR_GET_LIB(code) == ERR_LIB_SSL;
    const char *sentence = of_ssl ? sentence_for(reason) : NULL;
    const char *name = ERR_reason_error_string(code);
    if (of_ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED && ssl != NULL)
        (void)snprintf(why->text, sizeof why->text, "the server's certificate is not trusted: %s",
                       X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    else if (of_ssl && reason > SSL_AD_REASON_OFFSET)
        (void)snprintf(why->text, sizeof why->text, "the peer gave up with alert %d, %s",
                       reason - SSL_AD_REASON_OFFSET,
                       SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
    else if (sentence != NULL)
        (void)snprintf(why->text, sizeof why->text, "%s", sentence);
    else if (ssl != NULL && ERR_GET_LIB(code) == ERR_LIB_ASN1)
        (void)snprintf(why->text, sizeof why->text,
                       "the peer showed a certificate that cannot be decoded: %s",
                       name != NULL ? name : "malformed");
    else
        (void)snprintf(why->text, sizeof why->text, "%s", name != NULL ? name : "unknown TLS error");
}

void tls_explain(const SSL *ssl, struct why *why)
{
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (why == NULL)
        return;
    if (code == 0)
        (void)snprintf(why->text, sizeof why->text, "TLS failed without a reason");
    else
        explain_code(ssl, code, why);
}

static bool looks_like_http(struct slice first)
{
    static const char *const methods[] = {"GET ", "PUT ", "POST", "HEAD", "DELE",
                                          "OPTI", "PATC", "CONN", "TRAC", "PRI "};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (slice_starts_with(first, slice_text(methods[i])))
            return true;
    return false;
}

void tls_explain_plaintext(struct slice first, struct why *why)
{
    const char *what = "bytes that are not TLS";
    if (why == NULL)
        return;
    if (looks_like_http(first))
        what = "a plain HTTP request on a TLS port";
    else if (first.at[0] == 0x10)
        what = "a plain MQTT CONNECT on a TLS port";
    else if (slice_starts_with(first, SLICE("AMQP")))
        what = "a plain AMQP header on a TLS port";
    struct buf hex = buf_capped(16);
    hex_encode_lower(&hex, slice_to(first, 8));
    (void)snprintf(why->text, sizeof why->text, "%s: 0x%.*s", what, SLICE_ARG(buf_slice(&hex)));
    buf_release(&hex);
}
