// Makes the bench's certificates. Every step of OpenSSL that fails here fails for want of memory, unless it
// was given something by the caller.
#include "crypto/bench_pki.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/secret.h"
#include "crypto/random.h"

enum { SERIAL_SIZE = 16, DNS_MAX = 253, RSA_BITS = 2048 };

struct role {
    int days;
    bool authority;
    bool self_signed;           // it may be
    const char *key_usage;      // in the words of OpenSSL's configuration
    const char *extended_usage; // NULL: whatever its issuer may be used for
};

static const struct role roles[] = {
    [BENCH_ROOT] = {3652, true, true, "critical,keyCertSign,cRLSign", NULL},
    [BENCH_INTERMEDIATE] = {1826, true, false, "critical,keyCertSign,cRLSign", NULL},
    [BENCH_DEVICE] = {365, false, true, "critical,digitalSignature", "clientAuth"},
    [BENCH_SERVER] = {825, false, true, "critical,digitalSignature", "serverAuth"},
    [BENCH_VERIFICATION] = {7, false, false, "critical,digitalSignature", NULL},
};

// Who signs; for a self-signed certificate both are its own.
struct issuer {
    X509 *certificate;
    EVP_PKEY *key;
};

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

static EVP_PKEY *make_key(enum bench_key type)
{
    return type == BENCH_RSA ? EVP_RSA_gen(RSA_BITS) : EVP_EC_gen("P-256");
}

// A certificate with all but issuer, extensions and signature.
static X509 *begin_certificate(const struct bench_spec *spec, EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    int days = spec->days > 0 ? spec->days : roles[spec->role].days;
    if (certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        set_serial(certificate) && set_validity(certificate, spec->now_us, days) &&
        X509_set_pubkey(certificate, key) == 1 &&
        X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
                                   spec->common_name.at, (int)spec->common_name.len, -1, 0) == 1)
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
    // Ed25519, of which an operator's own CA may be, hashes by itself
    return X509_sign(certificate, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) > 0;
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

static bool add_constraints(X509 *certificate, X509V3_CTX *context, const struct bench_spec *spec)
{
    char text[48] = "critical,CA:FALSE";
    if (roles[spec->role].authority && spec->path_len < 0)
        (void)snprintf(text, sizeof text, "critical,CA:TRUE");
    else if (roles[spec->role].authority)
        (void)snprintf(text, sizeof text, "critical,CA:TRUE,pathlen:%d", spec->path_len);
    return add_extension(certificate, context, NID_basic_constraints, text);
}

static bool finish(X509 *certificate, const struct issuer *issuer, const struct bench_spec *spec,
                   GENERAL_NAMES *names)
{
    X509V3_CTX context;
    const struct role *role = &roles[spec->role];
    X509V3_set_ctx(&context, issuer->certificate, certificate, NULL, NULL, 0);
    return X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1 &&
           (names == NULL ||
            X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1) &&
           add_constraints(certificate, &context, spec) &&
           add_extension(certificate, &context, NID_key_usage, role->key_usage) &&
           (role->extended_usage == NULL ||
            add_extension(certificate, &context, NID_ext_key_usage, role->extended_usage)) &&
           add_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, &context, NID_authority_key_identifier, "keyid:always") &&
           sign(certificate, issuer->key);
}

// issuer: NULL for self-signed.
static struct err make(const struct bench_spec *spec, const struct issuer *issuer, struct buf *certificate,
                       struct buf *key, struct why *why)
{
    GENERAL_NAMES *names = NULL;
    if (spec->role == BENCH_SERVER)
        TRY(make_names(&spec->names, &names, why));
    EVP_PKEY *pair = make_key(spec->key);
    X509 *made = pair != NULL ? begin_certificate(spec, pair) : NULL;
    const struct issuer self = {made, pair};
    struct err e = FAIL(ERR_NO_MEMORY);
    if (made != NULL && finish(made, issuer != NULL ? issuer : &self, spec, names))
        e = write_pem(made, pair, certificate, key);
    X509_free(made);
    EVP_PKEY_free(pair);
    GENERAL_NAMES_free(names);
    ERR_clear_error(); // what is left in the thread's queue would be taken for an error of the next TLS call
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

static struct err read_issuer(const struct bench_spec *spec, struct issuer *issuer, struct why *why)
{
    if (slice_empty(spec->issuer_certificate) || slice_empty(spec->issuer_key))
        return why_fail(why, ERR_INVALID, "the issuer's certificate or key is empty");
    if (spec->issuer_certificate.len > BENCH_PEM_MAX || spec->issuer_key.len > BENCH_PEM_MAX)
        return why_fail(why, ERR_INVALID, "the issuer's certificate or key is too long");
    BIO *public = BIO_new_mem_buf(spec->issuer_certificate.at, (int)spec->issuer_certificate.len);
    BIO *private = BIO_new_mem_buf(spec->issuer_key.at, (int)spec->issuer_key.len);
    struct err e = OK;
    if (public == NULL || private == NULL) {
        e = FAIL(ERR_NO_MEMORY);
    } else {
        issuer->certificate = PEM_read_bio_X509(public, NULL, no_passphrase, NULL);
        issuer->key = PEM_read_bio_PrivateKey(private, NULL, no_passphrase, NULL);
        if (issuer->certificate == NULL || issuer->key == NULL ||
            X509_check_private_key(issuer->certificate, issuer->key) != 1)
            e = why_fail(why, ERR_INVALID,
                         "the issuer's certificate and key are not PEM, or do not belong together");
        else if (X509_check_ca(issuer->certificate) == 0)
            e = why_fail(why, ERR_INVALID, "the issuer is no CA: it may not sign certificates");
    }
    BIO_free(public);
    BIO_free(private);
    ERR_clear_error();
    return e;
}

static bool is_text(struct slice name)
{
    while (name.len > 0) {
        unsigned long point;
        int used = UTF8_getc(name.at, (int)name.len, &point);
        if (used <= 0 || point == 0)
            return false;
        name = slice_from(name, (size_t)used);
    }
    return true;
}

static struct err check(const struct bench_spec *spec, struct why *why)
{
    struct slice name = spec->common_name;
    INVARIANT((size_t)spec->role < sizeof roles / sizeof *roles);
    if (name.len == 0 || name.len > BENCH_NAME_MAX)
        return why_fail(why, ERR_INVALID, "the name in a certificate has 1 to %d bytes", (int)BENCH_NAME_MAX);
    if (!is_text(name))
        return why_fail(why, ERR_INVALID, "the name in a certificate is text: UTF-8 without NUL");
    if (spec->days < 0 || spec->days > BENCH_DAYS_MAX)
        return why_fail(why, ERR_INVALID, "a certificate holds for 1 to %d days", (int)BENCH_DAYS_MAX);
    if (spec->role == BENCH_SERVER && spec->names.dns_count + spec->names.ip_count == 0)
        return why_fail(why, ERR_INVALID, "a server certificate needs a host name or an address");
    return OK;
}

struct err bench_make(const struct bench_spec *spec, struct buf *certificate, struct buf *key,
                      struct why *why)
{
    struct issuer issuer = {0};
    TRY(check(spec, why));
    if (roles[spec->role].self_signed && slice_empty(spec->issuer_certificate) &&
        slice_empty(spec->issuer_key))
        return make(spec, NULL, certificate, key, why);
    struct err e = read_issuer(spec, &issuer, why);
    if (!failed(e))
        e = make(spec, &issuer, certificate, key, why);
    X509_free(issuer.certificate);
    EVP_PKEY_free(issuer.key);
    return e;
}
