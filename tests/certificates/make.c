// Certificates and revocation lists from plans.
#include "make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static const time_t DAY = 86400;

// What the texts of plans may refer to.
static const char SECTIONS[] = "[inside]\nO=Inside\n"
                               "[inside_deep]\nO=Inside\nOU=Deep\n"
                               "[outside]\nO=Outside\n"
                               "[spelled]\nCN=spelled out\n";

void give_up(const char *what)
{
    fprintf(stderr, "certificates: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

// The text with the name in place of each $; the caller frees it.
static char *text_with(const char *text, const char *name)
{
    size_t room = strlen(text) + 1;
    for (const char *at = text; *at; at++)
        room += *at == '$' ? strlen(name) : 0;
    char *out = malloc(room);
    if (!out)
        give_up("no memory");
    size_t len = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '$') {
            memcpy(out + len, name, strlen(name));
            len += strlen(name);
        } else {
            out[len++] = *at;
        }
    }
    out[len] = '\0';
    return out;
}

X509_NAME *name_read(const char *text, const char *name)
{
    X509_NAME *out = X509_NAME_new();
    char *whole = text_with(text, name);
    for (const char *at = whole; *at;) {
        const char *end = strchr(at, '/');
        size_t len = end ? (size_t)(end - at) : strlen(at);
        const char *equals = memchr(at, '=', len);
        char type[32] = "";
        if (!equals || (size_t)(equals - at) >= sizeof type)
            give_up(text);
        memcpy(type, at, (size_t)(equals - at));
        const unsigned char *value = (const unsigned char *)equals + 1;
        if (!X509_NAME_add_entry_by_txt(out, type, MBSTRING_UTF8, value, (int)(at + len - equals - 1), -1, 0))
            give_up(text);
        at += end ? len + 1 : len;
    }
    free(whole);
    return out;
}

static void add_extension(X509 *certificate, X509V3_CTX *context, CONF *conf, const char *key,
                          const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_nconf(conf, context, key, value);
    if (!extension || !X509_add_ext(certificate, extension, -1))
        give_up(value);
    X509_EXTENSION_free(extension);
}

// Names the issuer's key: by the SHA-1 of it, or as the plan lies.
static void add_authority(X509 *certificate, const struct made *signer, const char *hex)
{
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    authority->keyid = ASN1_OCTET_STRING_new();
    if (hex) {
        long len = 0;
        unsigned char *bytes = OPENSSL_hexstr2buf(hex, &len);
        ASN1_STRING_set0(authority->keyid, bytes, (int)len);
    } else {
        X509 *holder = X509_new();
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        X509_set_pubkey(holder, signer->key);
        X509_pubkey_digest(holder, EVP_sha1(), digest, &len);
        ASN1_OCTET_STRING_set(authority->keyid, digest, (int)len);
        X509_free(holder);
    }
    if (!X509_add1_ext_i2d(certificate, NID_authority_key_identifier, authority, 0, X509V3_ADD_APPEND))
        give_up("authority key identifier");
    AUTHORITY_KEYID_free(authority);
}

static void add_extensions(X509 *certificate, const struct plan *plan, const char *name, bool is_ca,
                           const struct made *signer)
{
    CONF *conf = NCONF_new(NULL);
    BIO *sections = BIO_new_mem_buf(SECTIONS, -1);
    if (NCONF_load_bio(conf, sections, NULL) != 1)
        give_up("sections");
    BIO_free(sections);
    X509V3_CTX context;
    X509V3_set_ctx(&context, NULL, certificate, NULL, NULL, 0);
    X509V3_set_nconf(&context, conf);
    const char *rows[][3] = {
        {"basicConstraints", plan->basic, is_ca ? "critical,CA:TRUE" : ""},
        {"keyUsage", plan->usage, is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature"},
        {"extendedKeyUsage", plan->purpose, is_ca ? "" : "clientAuth"},
        {"subjectAltName", plan->alternative, ""},
        {"nameConstraints", plan->constraints, ""},
        {"subjectKeyIdentifier", NULL, "hash"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *value = rows[i][1] ? rows[i][1] : rows[i][2];
        char *text = text_with(value, name);
        if (*text)
            add_extension(certificate, &context, conf, rows[i][0], text);
        free(text);
    }
    if (!plan->authority || *plan->authority)
        add_authority(certificate, signer, plan->authority);
    for (size_t i = 0; i < 3 && plan->more[i]; i++) {
        char *key = text_with(plan->more[i], name);
        char *value = strchr(key, '=');
        *value = '\0';
        add_extension(certificate, &context, conf, key, value + 1);
        free(key);
    }
    NCONF_free(conf);
}

static void set_time(ASN1_TIME *into, const char *text, time_t otherwise)
{
    if (!text) {
        ASN1_TIME_set(into, otherwise); // UTCTime until 2049, as RFC 5280 4.1.2.5 has it
        return;
    }
    ASN1_STRING_set(into, text + 1, -1);
    into->type = *text == 'G' ? V_ASN1_GENERALIZEDTIME : V_ASN1_UTCTIME;
}

static void set_serial(X509 *certificate, const char *text)
{
    BIGNUM *number = BN_new();
    if (text)
        BN_hex2bn(&number, text);
    else
        BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
}

static const EVP_MD *digest_of(enum digest digest)
{
    switch (digest) {
    case SHA_256:
    case PSS_SHA_256:
        return EVP_sha256();
    case SHA_384:
        return EVP_sha384();
    case SHA_512:
        return EVP_sha512();
    case SHA_224:
        return EVP_sha224();
    case SHA_1:
    case PSS_SHA_1:
        return EVP_sha1();
    case MD_5:
        return EVP_md5();
    }
    give_up("digest");
}

static void sign(X509 *certificate, EVP_PKEY *key, enum digest digest)
{
    if (!key_is_whole(key)) // what is signed in its name does not hold, but its key is looked at first
        key = key_make(RSA_2048);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *details = NULL;
    bool own = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
    if (EVP_DigestSignInit(context, &details, own ? NULL : digest_of(digest), NULL, key) != 1)
        give_up("cannot sign");
    if (digest == PSS_SHA_256 || digest == PSS_SHA_1) {
        EVP_PKEY_CTX_set_rsa_padding(details, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(details, RSA_PSS_SALTLEN_DIGEST);
    }
    if (X509_sign_ctx(certificate, context) <= 0)
        give_up("cannot sign");
    EVP_MD_CTX_free(context);
}

void certificate_make(const struct plan *plan, const char *name, bool is_ca, const struct made *signer,
                      time_t now, struct made *into)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, (plan->version ? plan->version : 3) - 1);
    set_serial(certificate, plan->serial);
    X509_set_subject_name(certificate, into->subject);
    X509_NAME *lie = plan->issuer_name ? name_read(plan->issuer_name, name) : NULL;
    X509_set_issuer_name(certificate, lie ? lie : signer->subject);
    X509_NAME_free(lie);
    set_time(X509_getm_notBefore(certificate), plan->not_before, now + DAY * (plan->from ? plan->from : -1));
    set_time(X509_getm_notAfter(certificate), plan->not_after, now + DAY * (plan->until ? plan->until : 365));
    if (X509_set_pubkey(certificate, into->key) != 1)
        give_up(name);
    if (plan->version != 1)
        add_extensions(certificate, plan, name, is_ca, signer);
    if (plan->edit)
        plan->edit(certificate, name);
    sign(certificate, signer->key, plan->digest);
    if (plan->broken_signature) {
        const ASN1_BIT_STRING *signature = NULL;
        X509_get0_signature(&signature, NULL, certificate);
        ((ASN1_BIT_STRING *)(uintptr_t)signature)->data[signature->length - 1] ^= 1;
    }
    into->serial = ASN1_INTEGER_dup(X509_get_serialNumber(certificate));
    int len = i2d_X509(certificate, &into->der);
    if (len <= 0)
        give_up(name);
    into->len = (size_t)len;
    if (plan->rewrite)
        plan->rewrite(&into->der, &into->len);
    X509_free(certificate);
}

void crl_make(const struct crl_plan *plan, const struct made *issuer, const struct made *signer,
              const struct made *const *revoked, size_t count, time_t now, uint8_t **der, size_t *len)
{
    X509_CRL *list = X509_CRL_new();
    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, issuer->subject);
    ASN1_TIME *time = ASN1_TIME_set(NULL, now + DAY * (plan->from ? plan->from : -1));
    X509_CRL_set1_lastUpdate(list, time);
    for (size_t i = 0; i < count; i++) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, revoked[i]->serial);
        X509_REVOKED_set_revocationDate(entry, time);
        X509_CRL_add0_revoked(list, entry);
    }
    ASN1_TIME_set(time, now + DAY * (plan->until ? plan->until : 7));
    X509_CRL_set1_nextUpdate(list, time);
    ASN1_TIME_free(time);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_INTEGER_set(number, 1);
    X509_CRL_add1_ext_i2d(list, NID_crl_number, number, 0, 0);
    ASN1_INTEGER_free(number);
    if (plan->more) {
        char *key = strdup(plan->more);
        char *value = strchr(key, '=');
        *value = '\0';
        X509_EXTENSION *extension = X509V3_EXT_nconf(NULL, NULL, key, value + 1);
        if (!extension || !X509_CRL_add_ext(list, extension, -1))
            give_up(plan->more);
        X509_EXTENSION_free(extension);
        free(key);
    }
    bool own = EVP_PKEY_is_a(signer->key, "ED25519");
    if (X509_CRL_sign(list, signer->key, own ? NULL : EVP_sha256()) <= 0)
        give_up("cannot sign a revocation list");
    int size = i2d_X509_CRL(list, der);
    *len = (size_t)size;
    X509_CRL_free(list);
}

void made_release(struct made *made)
{
    EVP_PKEY_free(made->key);
    X509_NAME_free(made->subject);
    ASN1_INTEGER_free(made->serial);
    free(made->der);
}
