// Makes two CAs, a server certificate from one and a client certificate from the other.
#include "wire/tls/testing.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/err.h"

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    INVARIANT(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

// issuer NULL: a self-signed CA. alternative_names NULL: none.
static struct identity issue(const char *name, const struct identity *issuer, const char *alternative_names)
{
    static long serial = 1;
    struct identity made = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    INVARIANT(made.key != NULL && made.certificate != NULL);
    X509 *certificate = made.certificate;
    X509 *signer = issuer != NULL ? issuer->certificate : certificate;
    INVARIANT(X509_set_version(certificate, X509_VERSION_3) == 1);
    INVARIANT(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++) == 1);
    INVARIANT(X509_gmtime_adj(X509_getm_notBefore(certificate), -60) != NULL);
    INVARIANT(X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) != NULL);
    INVARIANT(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                         (const uint8_t *)name, -1, -1, 0) == 1);
    INVARIANT(X509_set_issuer_name(certificate, X509_get_subject_name(signer)) == 1);
    INVARIANT(X509_set_pubkey(certificate, made.key) == 1);
    extend(certificate, signer, NID_basic_constraints,
           issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (issuer == NULL)
        extend(certificate, signer, NID_key_usage, "critical,keyCertSign");
    if (alternative_names != NULL)
        extend(certificate, signer, NID_subject_alt_name, alternative_names);
    INVARIANT(X509_sign(certificate, issuer != NULL ? issuer->key : made.key, EVP_sha256()) > 0);
    return made;
}

static void take(BIO *bio, struct buf *out)
{
    char *at = NULL;
    long len = BIO_get_mem_data(bio, &at);
    *out = buf_capped(16384);
    buf_bytes(out, slice_of(at, (size_t)len));
    INVARIANT(!failed(buf_err(out)));
    BIO_free(bio);
}

static void write_chain(X509 *leaf, X509 *ca, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    INVARIANT(bio != NULL && PEM_write_bio_X509(bio, leaf) == 1);
    INVARIANT(ca == NULL || PEM_write_bio_X509(bio, ca) == 1);
    take(bio, out);
}

static void write_key(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    INVARIANT(bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    take(bio, out);
}

static void forget(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

void tls_testing_init(struct tls_testing *t)
{
    struct identity ca = issue("bench CA", NULL, NULL);
    struct identity server = issue("localhost", &ca, "DNS:localhost,IP:127.0.0.1");
    struct identity other = issue("somebody else's CA", NULL, NULL);
    struct identity client = issue("device-1", &other, NULL);
    write_chain(ca.certificate, NULL, &t->ca_pem);
    write_chain(server.certificate, ca.certificate, &t->chain_pem);
    write_key(server.key, &t->key_pem);
    write_chain(client.certificate, other.certificate, &t->client_pem);
    write_key(client.key, &t->client_key_pem);
    write_chain(other.certificate, NULL, &t->other_ca_pem);
    forget(&ca);
    forget(&server);
    forget(&other);
    forget(&client);
}

void tls_testing_release(struct tls_testing *t)
{
    buf_release(&t->ca_pem);
    buf_release(&t->chain_pem);
    buf_release(&t->key_pem);
    buf_release(&t->client_pem);
    buf_release(&t->client_key_pem);
    buf_release(&t->other_ca_pem);
}
