// Made with the same library that reads them, so what they are made of is said in the extensions' text.
#include "crypto/making_test.h"

#include <openssl/conf.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

enum { MADE_MAX = 256 };

static struct made all[MADE_MAX];
static size_t count;
static uint8_t *lists[MADE_MAX];
static size_t list_count;
static EVP_PKEY *rsa; // the only kind that takes long to make
static long next_serial = 1000;

static X509_NAME *make_name(const char *text)
{
    X509_NAME *name = X509_NAME_new();
    if (text[0] != '/' && text[0] != '\0')
        assert_int_equal(
            X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const uint8_t *)text, -1, -1, 0),
            1);
    while (text[0] == '/') {
        char type[16];
        char value[128];
        int read = 0;
        assert_int_equal(sscanf(text, "/%15[^=]=%127[^/]%n", type, value, &read), 2);
        assert_int_equal(
            X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const uint8_t *)value, -1, -1, 0), 1);
        text += read;
    }
    return name;
}

EVP_PKEY *make_key(const char *kind)
{
    EVP_PKEY *key = NULL;
    if (kind == NULL)
        kind = "P-256";
    if (strcmp(kind, "RSA") == 0) {
        if (rsa == NULL)
            rsa = EVP_RSA_gen(2048);
        EVP_PKEY_up_ref(rsa);
        key = rsa;
    } else if (strcmp(kind, "RSA-PSS") == 0) {
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
        assert_int_equal(EVP_PKEY_keygen_init(context), 1);
        assert_int_equal(EVP_PKEY_generate(context, &key), 1);
        EVP_PKEY_CTX_free(context);
    } else if (strncmp(kind, "ED", 2) == 0 || kind[0] == 'X') {
        key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    } else {
        key = EVP_EC_gen(kind);
    }
    if (key == NULL)
        fail_msg("a key of kind %s: %s", kind, ERR_error_string(ERR_get_error(), NULL));
    return key;
}

static void add_extensions(X509 *x509, X509_CRL *crl, const struct made *issuer, const char *text)
{
    X509V3_CTX context;
    CONF *sections = NCONF_new(NULL); // none, but some extensions ask for them
    char line[8192];
    X509V3_set_ctx(&context, issuer != NULL ? issuer->x509 : x509, x509, NULL, crl, 0);
    X509V3_set_nconf(&context, sections);
    while (text[0] != '\0') {
        size_t len = strcspn(text, "\n");
        assert_true(len < sizeof line);
        memcpy(line, text, len);
        line[len] = '\0';
        char *value = strchr(line, '=');
        assert_non_null(value);
        *value++ = '\0';
        X509_EXTENSION *extension = X509V3_EXT_nconf(sections, &context, line, value);
        if (extension == NULL)
            fail_msg("extension %s=%s: %s", line, value, ERR_error_string(ERR_get_error(), NULL));
        assert_int_equal(
            x509 != NULL ? X509_add_ext(x509, extension, -1) : X509_CRL_add_ext(crl, extension, -1), 1);
        X509_EXTENSION_free(extension);
        text += len + (text[len] == '\n');
    }
    NCONF_free(sections);
}

static void set_serial(X509 *x509, const struct spec *spec)
{
    if (spec->serial_hex == NULL) {
        ASN1_INTEGER_set(X509_get_serialNumber(x509), spec->serial != 0 ? spec->serial : next_serial++);
        return;
    }
    BIGNUM *number = NULL;
    assert_true(BN_hex2bn(&number, spec->serial_hex) > 0);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
    BN_free(number);
}

static const EVP_MD *digest_for(EVP_PKEY *key, const char *digest)
{
    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
        return NULL;
    return EVP_get_digestbyname(digest != NULL ? digest : "SHA256");
}

static void sign(X509 *x509, EVP_PKEY *key, const struct spec *spec)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *inner;
    assert_int_equal(EVP_DigestSignInit(context, &inner, digest_for(key, spec->digest), NULL, key), 1);
    if (spec->pss) {
        EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, 32);
        if (spec->mask != NULL)
            EVP_PKEY_CTX_set_rsa_mgf1_md_name(inner, spec->mask, NULL);
    }
    assert_true(X509_sign_ctx(x509, context) > 0);
    EVP_MD_CTX_free(context);
    if (spec->spoiled) {
        const ASN1_BIT_STRING *signature;
        X509_get0_signature(&signature, NULL, x509);
        ((ASN1_BIT_STRING *)signature)->data[signature->length - 2] ^= 1;
    }
}

// The one outside is the last before the signature.
static void change_outer_algorithm(uint8_t *der, int len)
{
    static const uint8_t ecdsa_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    int at = len - (int)sizeof ecdsa_sha256;
    while (at > 0 && memcmp(der + at, ecdsa_sha256, sizeof ecdsa_sha256) != 0)
        at--;
    assert_true(at > 0);
    der[at + 7] = 0x03;
}

// As a peer would send it: written, and decoded again.
static void finish(struct made *made, X509 *x509, const struct spec *spec)
{
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);
    assert_true(len > 0);
    if (spec->two_algorithms)
        change_outer_algorithm(der, len);
    const unsigned char *at = der;
    made->x509 = d2i_X509(NULL, &at, len);
    assert_non_null(made->x509);
    made->der = slice_of(der, (size_t)len);
    X509_free(x509);
    ERR_clear_error();
}

const struct made *make(const struct spec *spec)
{
    assert_true(count < MADE_MAX);
    struct made *made = &all[count++];
    *made = (struct made){0};
    X509 *x509 = X509_new();
    if (spec->same_key != NULL)
        EVP_PKEY_up_ref(made->key = spec->same_key->key);
    else if (spec->key != NULL)
        EVP_PKEY_up_ref(made->key = spec->key);
    else
        made->key = make_key(spec->kind);
    X509_NAME *subject = make_name(spec->subject);
    X509_NAME *issuer = spec->issuer_name != NULL ? make_name(spec->issuer_name)
                        : spec->issuer != NULL    ? X509_NAME_dup(X509_get_subject_name(spec->issuer->x509))
                                                  : X509_NAME_dup(subject);
    bool usual = spec->from_us == 0 && spec->to_us == 0;
    int64_t from = NOW_US + (usual ? -DAY_US : spec->from_us);
    int64_t to = NOW_US + (usual ? 365 * DAY_US : spec->to_us);
    X509_set_version(x509, spec->version != 0 ? spec->version - 1 : X509_VERSION_3);
    set_serial(x509, spec);
    X509_set_subject_name(x509, subject);
    X509_set_issuer_name(x509, issuer);
    X509_NAME_free(subject);
    X509_NAME_free(issuer);
    ASN1_TIME_adj(X509_getm_notBefore(x509), (time_t)(from / 1000000), 0, 0);
    ASN1_TIME_adj(X509_getm_notAfter(x509), (time_t)(to / 1000000), 0, 0);
    assert_int_equal(X509_set_pubkey(x509, made->key), 1);
    add_extensions(x509, NULL, spec->issuer, spec->extensions != NULL ? spec->extensions : CA_EXTENSIONS);
    if (spec->change != NULL)
        spec->change(x509);
    sign(x509, spec->issuer != NULL ? spec->issuer->key : made->key, spec);
    finish(made, x509, spec);
    return made;
}

// What anybody can do without a key: of an ECDSA signature (r, s), (r, n - s) is one of the same bytes too.
const struct made *make_rewritten(const struct made *original)
{
    assert_true(count < MADE_MAX);
    struct made *made = &all[count++];
    X509 *x509 = X509_dup(original->x509);
    const ASN1_BIT_STRING *signature;
    X509_get0_signature(&signature, NULL, x509);
    const uint8_t *from = ASN1_STRING_get0_data(signature);
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &from, ASN1_STRING_length(signature));
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *other = BN_dup(EC_GROUP_get0_order(group));
    assert_int_equal(BN_sub(other, other, ECDSA_SIG_get0_s(pair)), 1);
    assert_int_equal(ECDSA_SIG_set0(pair, BN_dup(ECDSA_SIG_get0_r(pair)), other), 1);
    uint8_t *written = NULL;
    int len = i2d_ECDSA_SIG(pair, &written);
    assert_int_equal(ASN1_STRING_set((ASN1_BIT_STRING *)signature, written, len), 1);
    OPENSSL_free(written);
    EC_GROUP_free(group);
    ECDSA_SIG_free(pair);
    *made = (struct made){.x509 = x509, .key = original->key};
    EVP_PKEY_up_ref(made->key);
    finish(made, x509, &(struct spec){0});
    assert_false(slice_equal(made->der, original->der));
    return made;
}

const struct made *make_ca(const char *name, const struct made *issuer)
{
    return make(&(struct spec){.subject = name, .issuer = issuer});
}

const struct made *make_device(const char *name, const struct made *issuer)
{
    return make(&(struct spec){.subject = name, .issuer = issuer, .extensions = DEVICE_EXTENSIONS});
}

static void add_revoked(X509_CRL *crl, const struct made *made, time_t when)
{
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_TIME *time = ASN1_TIME_set(NULL, when);
    X509_REVOKED_set_serialNumber(revoked, (ASN1_INTEGER *)X509_get0_serialNumber(made->x509));
    X509_REVOKED_set_revocationDate(revoked, time);
    ASN1_TIME_free(time);
    assert_int_equal(X509_CRL_add0_revoked(crl, revoked), 1);
}

struct slice make_list(const struct list_spec *spec)
{
    X509_CRL *crl = X509_CRL_new();
    bool usual = spec->from_us == 0 && spec->to_us == 0;
    time_t from = (time_t)((NOW_US + (usual ? -DAY_US / 24 : spec->from_us)) / 1000000);
    time_t to = (time_t)((NOW_US + (usual ? DAY_US : spec->to_us)) / 1000000);
    ASN1_TIME *first = ASN1_TIME_set(NULL, from);
    ASN1_TIME *last = ASN1_TIME_set(NULL, to);
    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(spec->issuer->x509));
    X509_CRL_set1_lastUpdate(crl, first);
    if (!spec->endless)
        X509_CRL_set1_nextUpdate(crl, last);
    ASN1_TIME_free(first);
    ASN1_TIME_free(last);
    for (size_t i = 0; spec->revoked != NULL && spec->revoked[i] != NULL; i++)
        add_revoked(crl, spec->revoked[i], from);
    if (spec->extensions != NULL)
        add_extensions(NULL, crl, spec->issuer, spec->extensions);
    EVP_PKEY *key = spec->signer != NULL ? spec->signer->key : spec->issuer->key;
    assert_true(X509_CRL_sign(crl, key, digest_for(key, spec->digest)) > 0);
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(crl, &der);
    assert_true(len > 0 && list_count < MADE_MAX);
    X509_CRL_free(crl);
    lists[list_count++] = der;
    return slice_of(der, (size_t)len);
}

void made_release(void)
{
    ERR_clear_error();
    for (size_t i = 0; i < count; i++) {
        X509_free(all[i].x509);
        EVP_PKEY_free(all[i].key);
        OPENSSL_free((void *)all[i].der.at);
    }
    for (size_t i = 0; i < list_count; i++)
        OPENSSL_free(lists[i]);
    count = 0;
    list_count = 0;
}
