// Makes the bench's certificates. Every step of OpenSSL that fails here fails for want of memory, unless it
// was given something by the caller.
#include "crypto/bench_pki.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/secret.h"
#include "crypto/random.h"

enum { CA_DAYS = 3652, SERVER_DAYS = 825, SERIAL_SIZE = 16, NAME_MAX_LEN = 64, DNS_MAX = 253 };

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_SIZE];
    random_fill(bytes, sizeof bytes);
    bytes[0] = (bytes[0] & 0x7f) | 0x40; // positive and of full length (RFC 5280 4.1.2.2)
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool done = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return done;
}

static bool set_validity(X509 *certificate, int64_t now_us, int days)
{
    time_t begin = (time_t)(now_us / 1000000 - 3600);
    return ASN1_TIME_adj(X509_getm_notBefore(certificate), begin, 0, 0) != NULL &&
           ASN1_TIME_adj(X509_getm_notAfter(certificate), begin, days, 0) != NULL;
}

// A certificate with all but extensions and signature.
static X509 *begin_certificate(const char *common_name, EVP_PKEY *key, int64_t now_us, int days)
{
    X509 *certificate = X509_new();
    if (certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        set_serial(certificate) && set_validity(certificate, now_us, days) &&
        X509_set_pubkey(certificate, key) == 1 &&
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)common_name, -1, -1, 0) == 1)
        return certificate;
    X509_free(certificate);
    return NULL;
}

// value: in the words of OpenSSL's configuration; never made from input.
static bool add_extension(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool done = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static bool sign(X509 *certificate, EVP_PKEY *key)
{
    return X509_sign(certificate, key, EVP_sha256()) > 0;
}

static struct err append(struct buf *out, BIO *bio)
{
    char *at = NULL;
    long len = BIO_get_mem_data(bio, &at);
    buf_bytes(out, slice_of(at, len > 0 ? (size_t)len : 0));
    return buf_err(out);
}

static struct err write_pem(X509 *certificate, EVP_PKEY *key, struct buf *certificate_out,
                            struct buf *key_out)
{
    struct err e = FAIL(ERR_NO_MEMORY);
    BIO *public = BIO_new(BIO_s_mem());
    BIO *private = BIO_new(BIO_s_secmem());
    if (public != NULL && private != NULL && PEM_write_bio_X509(public, certificate) == 1 &&
        PEM_write_bio_PKCS8PrivateKey(private, key, NULL, NULL, 0, NULL, NULL) == 1) {
        e = append(certificate_out, public);
        struct err f = append(key_out, private);
        e = failed(e) ? e : f;
    }
    BIO_free(public);
    BIO_free(private);
    ERR_clear_error(); // what is left in the thread's queue would be taken for an error of the next TLS call
    return e;
}

static bool finish_ca(X509 *certificate, EVP_PKEY *key)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    return X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
           add_extension(certificate, &context, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, &context, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, &context, NID_authority_key_identifier, "keyid:always") &&
           sign(certificate, key);
}

struct err bench_ca_make(const char *common_name, int64_t now_us, struct buf *certificate, struct buf *key,
                         struct why *why)
{
    size_t len = strlen(common_name);
    if (len == 0 || len > NAME_MAX_LEN)
        return why_fail(why, ERR_INVALID, "the name of a CA has 1 to %d bytes", NAME_MAX_LEN);
    struct err e = FAIL(ERR_NO_MEMORY);
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *ca = pair != NULL ? begin_certificate(common_name, pair, now_us, CA_DAYS) : NULL;
    if (ca != NULL && finish_ca(ca, pair))
        e = write_pem(ca, pair, certificate, key);
    X509_free(ca);
    EVP_PKEY_free(pair);
    return e;
}

// Takes over `value`.
static bool push_name(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (name != NULL && value != NULL) {
        GENERAL_NAME_set0_value(name, type, value);
        if (sk_GENERAL_NAME_push(names, name) > 0)
            return true;
        value = NULL; // goes with the name
    }
    ASN1_STRING_free(value);
    GENERAL_NAME_free(name);
    return false;
}

static bool is_host_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= DNS_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*") == len;
}

static struct err push_dns(GENERAL_NAMES *names, const char *name, struct why *why)
{
    if (!is_host_name(name))
        return why_fail(why, ERR_INVALID, "\"%.80s\" is no host name", name);
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    if (value != NULL && ASN1_STRING_set(value, name, -1) != 1) {
        ASN1_IA5STRING_free(value);
        value = NULL;
    }
    return push_name(names, GEN_DNS, value) ? OK : FAIL(ERR_NO_MEMORY);
}

static struct err push_ip(GENERAL_NAMES *names, const char *address, struct why *why)
{
    uint8_t bytes[16];
    int len = inet_pton(AF_INET, address, bytes) == 1 ? 4 : inet_pton(AF_INET6, address, bytes) == 1 ? 16 : 0;
    if (len == 0)
        return why_fail(why, ERR_INVALID, "\"%.80s\" is no IP address", address);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    if (value != NULL && ASN1_OCTET_STRING_set(value, bytes, len) != 1) {
        ASN1_OCTET_STRING_free(value);
        value = NULL;
    }
    return push_name(names, GEN_IPADD, value) ? OK : FAIL(ERR_NO_MEMORY);
}

static struct err push_all(GENERAL_NAMES *names, const struct bench_names *wanted, struct why *why)
{
    for (size_t i = 0; i < wanted->dns_count; i++)
        TRY(push_dns(names, wanted->dns[i], why));
    for (size_t i = 0; i < wanted->ip_count; i++)
        TRY(push_ip(names, wanted->ips[i], why));
    return OK;
}

// *out is the caller's to free, and NULL on error.
static struct err make_names(const struct bench_names *wanted, GENERAL_NAMES **out, struct why *why)
{
    *out = GENERAL_NAMES_new();
    if (*out == NULL)
        return FAIL(ERR_NO_MEMORY);
    struct err e = push_all(*out, wanted, why);
    if (failed(e)) {
        GENERAL_NAMES_free(*out);
        *out = NULL;
    }
    return e;
}

static bool finish_server(X509 *certificate, X509 *ca, EVP_PKEY *ca_key, GENERAL_NAMES *names)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, ca, certificate, NULL, NULL, 0);
    return X509_set_issuer_name(certificate, X509_get_subject_name(ca)) == 1 &&
           X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1 &&
           add_extension(certificate, &context, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, &context, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, &context, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, &context, NID_authority_key_identifier, "keyid:always") &&
           sign(certificate, ca_key);
}

static struct err make_server(X509 *ca, EVP_PKEY *ca_key, const struct bench_names *names, int64_t now_us,
                              struct buf *certificate, struct buf *key, struct why *why)
{
    // the names that count are in the extension; a CN has room for 64 bytes only (RFC 5280 A.1)
    const char *first = names->dns_count > 0 ? names->dns[0] : names->ips[0];
    const char *common_name = strlen(first) <= NAME_MAX_LEN ? first : "usher";
    GENERAL_NAMES *alternatives;
    TRY(make_names(names, &alternatives, why));
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *server = pair != NULL ? begin_certificate(common_name, pair, now_us, SERVER_DAYS) : NULL;
    struct err e = FAIL(ERR_NO_MEMORY);
    if (server != NULL && finish_server(server, ca, ca_key, alternatives))
        e = write_pem(server, pair, certificate, key);
    X509_free(server);
    EVP_PKEY_free(pair);
    GENERAL_NAMES_free(alternatives);
    return e;
}

// Answers every passphrase prompt with "none", so that an encrypted key is refused and nobody is asked.
static int no_passphrase(char *to, int room, int writing, void *context)
{
    (void)to;
    (void)room;
    (void)writing;
    (void)context;
    return -1;
}

struct err bench_server_make(struct slice ca_certificate, struct slice ca_key,
                             const struct bench_names *names, int64_t now_us, struct buf *certificate,
                             struct buf *key, struct why *why)
{
    if (names->dns_count + names->ip_count == 0)
        return why_fail(why, ERR_INVALID, "a server certificate needs a name");
    if (slice_empty(ca_certificate) || slice_empty(ca_key))
        return why_fail(why, ERR_INVALID, "the CA's certificate or key is empty");
    if (ca_certificate.len > BENCH_PEM_MAX || ca_key.len > BENCH_PEM_MAX)
        return why_fail(why, ERR_INVALID, "the CA's certificate or key is too long");
    BIO *public = BIO_new_mem_buf(ca_certificate.at, (int)ca_certificate.len);
    BIO *private = BIO_new_mem_buf(ca_key.at, (int)ca_key.len);
    X509 *ca = public != NULL ? PEM_read_bio_X509(public, NULL, no_passphrase, NULL) : NULL;
    EVP_PKEY *pair = private != NULL ? PEM_read_bio_PrivateKey(private, NULL, no_passphrase, NULL) : NULL;
    struct err e = OK;
    if (public == NULL || private == NULL)
        e = FAIL(ERR_NO_MEMORY);
    else if (ca == NULL || pair == NULL || X509_check_private_key(ca, pair) != 1)
        e = why_fail(why, ERR_INVALID, "the CA's certificate and key are not PEM, or do not belong together");
    else
        e = make_server(ca, pair, names, now_us, certificate, key, why);
    X509_free(ca);
    EVP_PKEY_free(pair);
    BIO_free(public);
    BIO_free(private);
    ERR_clear_error(); // what is left in the thread's queue would be taken for an error of the next TLS call
    return e;
}
