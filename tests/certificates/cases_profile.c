// One certificate by itself: its key, its signature, its extensions, its serial number, its bytes. Threats
// B12, B13.
#include <stdlib.h>
#include <string.h>

#include "cases.h"

// Extensions and bytes that no text can say.

static void add_raw(X509 *certificate, int nid, const char *bytes, size_t len)
{
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, (const unsigned char *)bytes, (int)len);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, nid, 1, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
}

static void twice(X509 *certificate, int nid)
{
    X509_add_ext(certificate, X509_get_ext(certificate, X509_get_ext_by_NID(certificate, nid, -1)), -1);
}

static void usage_twice(X509 *certificate, const char *name)
{
    (void)name;
    twice(certificate, NID_key_usage);
}

static void basic_twice(X509 *certificate, const char *name)
{
    (void)name;
    twice(certificate, NID_basic_constraints);
}

static void basic_with_trailing_bytes(X509 *certificate, const char *name)
{
    (void)name;
    add_raw(certificate, NID_basic_constraints, "\x30\x03\x01\x01\xff\x05\x00", 7);
}

static void usage_of_garbage(X509 *certificate, const char *name)
{
    (void)name;
    add_raw(certificate, NID_key_usage, "\x04\x02\xff\xff", 4);
}

static void usage_of_nothing(X509 *certificate, const char *name)
{
    (void)name;
    add_raw(certificate, NID_key_usage, "\x03\x01\x00", 3);
}

static void names_of_garbage(X509 *certificate, const char *name)
{
    (void)name;
    add_raw(certificate, NID_subject_alt_name, "\x30\x7f\x82\x01x", 5);
}

static void constraints_of_garbage(X509 *certificate, const char *name)
{
    (void)name;
    add_raw(certificate, NID_name_constraints, "\xa0\x84\xff\xff\xff\xff", 6);
}

// The outer signature algorithm says ecdsa-with-SHA384, the inner one SHA256: the last byte of the second
// OID.
static void other_algorithm_outside(uint8_t **der, size_t *len)
{
    static const uint8_t oid[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    uint8_t *last = NULL;
    for (size_t i = 0; i + sizeof oid <= *len; i++)
        if (memcmp(*der + i, oid, sizeof oid) == 0)
            last = *der + i;
    if (!last)
        give_up("no ecdsa-with-SHA256");
    last[sizeof oid - 1] = 0x03;
}

static void bytes_behind(uint8_t **der, size_t *len)
{
    uint8_t *longer = malloc(*len + 3);
    if (!longer)
        give_up("no memory");
    memcpy(longer, *der, *len);
    memcpy(longer + *len, "\x05\x00\x00", 3);
    free(*der);
    *der = longer;
    *len += 3;
}

static void cut_short(uint8_t **der, size_t *len)
{
    (void)der;
    *len -= 20;
}

static void all_zero(uint8_t **der, size_t *len)
{
    memset(*der, 0, *len);
}

static void no_signature(uint8_t **der, size_t *len)
{
    const uint8_t *at = *der;
    X509 *certificate = d2i_X509(NULL, &at, (long)*len);
    const ASN1_BIT_STRING *signature = NULL;
    X509_get0_signature(&signature, NULL, certificate);
    ((ASN1_BIT_STRING *)(uintptr_t)signature)->length = 0;
    free(*der);
    *der = NULL;
    *len = (size_t)i2d_X509(certificate, der);
    X509_free(certificate);
}

#define REFUSED(words) .error = ERR_CERTIFICATE_REFUSED, .phrase = words
#define NEVER_SENT     .where = VERIFIER_ONLY, .because = "a TLS library cannot even load it"

const struct bad_case cases_profile[] = {
    // Signatures.
    {.name = "leaf-signature-broken",
     .certificates[LEAF] = {.broken_signature = true},
     REFUSED("not signed with the key")},
    {.name = "middle-signature-broken",
     .certificates[MIDDLE] = {.broken_signature = true},
     REFUSED("not signed with the key")},
    {.name = "leaf-signature-missing",
     .certificates[LEAF] = {.rewrite = no_signature},
     REFUSED("not signed with the key")},
    {.name = "leaf-says-two-algorithms",
     .certificates[LEAF] = {.rewrite = other_algorithm_outside},
     REFUSED("two different things about how it was signed")},
    {.name = "leaf-sha1",
     .certificates[LEAF] = {.digest = SHA_1},
     REFUSED("signed with a digest other than")},
    {.name = "leaf-rsa-sha1",
     .certificates = {[MIDDLE] = {.key = RSA_2048}, [LEAF] = {.digest = SHA_1}},
     REFUSED("signed with a digest other than")},
    {.name = "leaf-rsa-md5",
     .certificates = {[MIDDLE] = {.key = RSA_2048}, [LEAF] = {.digest = MD_5}},
     REFUSED("signed with a digest other than")},
    {.name = "leaf-sha224",
     .certificates[LEAF] = {.digest = SHA_224},
     REFUSED("signed with a digest other than")},
    {.name = "leaf-pss-sha1",
     .certificates = {[MIDDLE] = {.key = RSA_2048}, [LEAF] = {.digest = PSS_SHA_1}},
     REFUSED("signed with a digest other than")},
    {.name = "middle-sha1",
     .certificates[MIDDLE] = {.digest = SHA_1},
     REFUSED("signed with a digest other than")},
    {.name = "middle-rsa-md5",
     .certificates = {[ROOT] = {.key = RSA_2048}, [MIDDLE] = {.digest = MD_5}},
     REFUSED("signed with a digest other than")},
    {.name = "good-ecdsa-sha384",
     .certificates = {[MIDDLE] = {.key = EC_P384}, [LEAF] = {.digest = SHA_384, .key = EC_P384}}},
    {.name = "good-ecdsa-sha512",
     .certificates = {[MIDDLE] = {.key = EC_P521}, [LEAF] = {.digest = SHA_512, .key = EC_P521}}},
    {.name = "good-rsa",
     .certificates = {[ROOT] = {.key = RSA_3072}, [MIDDLE] = {.key = RSA_2048}, [LEAF] = {.key = RSA_2048}}},
    {.name = "good-rsa-sha512",
     .certificates = {[MIDDLE] = {.key = RSA_2048}, [LEAF] = {.key = RSA_3072, .digest = SHA_512}}},
    {.name = "good-pss",
     .certificates = {[MIDDLE] = {.key = RSA_2048}, [LEAF] = {.key = RSA_2048, .digest = PSS_SHA_256}}},
    {.name = "good-keys-for-pss-only",
     .certificates =
         {[MIDDLE] = {.key = RSA_ONLY_PSS}, [LEAF] = {.key = RSA_ONLY_PSS, .digest = PSS_SHA_256}}},
    {.name = "good-ed25519",
     .certificates = {[ROOT] = {.key = ED25519}, [MIDDLE] = {.key = ED25519}, [LEAF] = {.key = ED25519}}},

    // Keys.
    {.name = "leaf-rsa-1024",
     .certificates[LEAF] = {.key = RSA_1024},
     REFUSED("RSA key of less than 2048 bits")},
    {.name = "middle-rsa-1024",
     .certificates[MIDDLE] = {.key = RSA_1024},
     REFUSED("RSA key of less than 2048 bits")},
    {.name = "root-rsa-1024",
     .certificates[ROOT] = {.key = RSA_1024},
     REFUSED("RSA key of less than 2048 bits"),
     .where = AT_UPLOAD,
     .because = "what cannot vouch for anybody is not taken"},
    {.name = "leaf-rsa-8704",
     .certificates[LEAF] = {.key = RSA_8704},
     REFUSED("RSA key of more than 8192 bits")},
    {.name = "middle-rsa-16384",
     .certificates[MIDDLE] = {.key = RSA_16384},
     REFUSED("RSA key of more than 8192 bits")},
    {.name = "leaf-rsa-exponent-3", .certificates[LEAF] = {.key = RSA_EXPONENT_3}, REFUSED("exponent")},
    {.name = "middle-rsa-exponent-3", .certificates[MIDDLE] = {.key = RSA_EXPONENT_3}, REFUSED("exponent")},
    {.name = "leaf-rsa-exponent-long", .certificates[LEAF] = {.key = RSA_EXPONENT_LONG}, REFUSED("exponent")},
    {.name = "middle-rsa-exponent-long",
     .certificates[MIDDLE] = {.key = RSA_EXPONENT_LONG},
     REFUSED("exponent")},
    {.name = "middle-rsa-exponent-1", .certificates[MIDDLE] = {.key = RSA_EXPONENT_1}, REFUSED("exponent")},
    {.name = "middle-rsa-exponent-even",
     .certificates[MIDDLE] = {.key = RSA_EXPONENT_EVEN},
     REFUSED("exponent")},
    {.name = "middle-rsa-modulus-even",
     .certificates[MIDDLE] = {.key = RSA_MODULUS_EVEN},
     REFUSED("not signed with the key")},
    {.name = "leaf-dsa",
     .certificates[LEAF] = {.key = DSA_2048},
     REFUSED("neither RSA, EC nor Ed25519"),
     .where = BY_TLS,
     .because = "TLS 1.3 has no DSA, and OpenSSL offers none for TLS 1.2"},
    {.name = "middle-dsa",
     .certificates[MIDDLE] = {.key = DSA_2048},
     REFUSED("signed neither with RSA, ECDSA nor Ed25519")},
    {.name = "leaf-p192",
     .certificates[LEAF] = {.key = EC_P192},
     REFUSED("on a curve other than"),
     .where = BY_TLS,
     .because = "TLS 1.3 has no signature scheme for that curve"},
    {.name = "middle-p192", .certificates[MIDDLE] = {.key = EC_P192}, REFUSED("on a curve other than")},
    {.name = "middle-p224", .certificates[MIDDLE] = {.key = EC_P224}, REFUSED("on a curve other than")},
    {.name = "middle-secp256k1",
     .certificates[MIDDLE] = {.key = EC_SECP256K1},
     REFUSED("on a curve other than")},
    {.name = "leaf-brainpool",
     .certificates[LEAF] = {.key = EC_BRAINPOOL},
     REFUSED("on a curve other than"),
     .where = BY_TLS,
     .because = "TLS 1.3 has no signature scheme for that curve"},
    {.name = "middle-brainpool",
     .certificates[MIDDLE] = {.key = EC_BRAINPOOL},
     REFUSED("on a curve other than")},
    {.name = "leaf-curve-spelled-out",
     .certificates[LEAF] = {.key = EC_EXPLICIT},
     REFUSED("explicit parameters")},
    {.name = "middle-curve-spelled-out",
     .certificates[MIDDLE] = {.key = EC_EXPLICIT},
     REFUSED("explicit parameters")},
    {.name = "leaf-ed448", .certificates[LEAF] = {.key = ED448}, REFUSED("neither RSA, EC nor Ed25519")},
    {.name = "middle-ed448",
     .certificates[MIDDLE] = {.key = ED448},
     REFUSED("signed neither with RSA, ECDSA nor Ed25519")},

    // Extensions.
    {.name = "leaf-unknown-critical",
     .certificates[LEAF] = {.more = {"1.2.3.4.5=critical,DER:0500"}},
     REFUSED("critical extension")},
    {.name = "middle-unknown-critical",
     .certificates[MIDDLE] = {.more = {"1.2.3.4.5=critical,DER:0500"}},
     REFUSED("critical extension")},
    {.name = "good-unknown-not-critical",
     .certificates =
         {[MIDDLE] = {.more = {"1.2.3.4.5=DER:0500"}}, [LEAF] = {.more = {"1.2.3.4.5=DER:0500"}}}},
    {.name = "leaf-extension-twice", .certificates[LEAF] = {.edit = usage_twice}, REFUSED("twice")},
    {.name = "middle-extension-twice", .certificates[MIDDLE] = {.edit = basic_twice}, REFUSED("twice")},
    {.name = "middle-basic-constraints-with-more-behind",
     .certificates[MIDDLE] = {.basic = "", .edit = basic_with_trailing_bytes},
     REFUSED("extension that cannot be read")},
    {.name = "leaf-usage-of-garbage",
     .certificates[LEAF] = {.usage = "", .edit = usage_of_garbage},
     REFUSED("extension that cannot be read")},
    {.name = "leaf-usage-of-nothing",
     .certificates[LEAF] = {.usage = "", .edit = usage_of_nothing},
     REFUSED("extension that cannot be read")},
    {.name = "leaf-names-of-garbage",
     .certificates[LEAF] = {.edit = names_of_garbage},
     REFUSED("extension that cannot be read")},
    {.name = "middle-constraints-of-garbage",
     .certificates[MIDDLE] = {.edit = constraints_of_garbage},
     REFUSED("extension that cannot be read")},
    {.name =
         "middle-policy-constraints", // policies are not processed here, so a critical demand cannot be met
     .certificates[MIDDLE] = {.more = {"policyConstraints=critical,requireExplicitPolicy:0"}},
     REFUSED("policies")},
    {.name = "leaf-is-a-proxy", // RFC 3820: a certificate by which a leaf speaks through another
     .certificates[LEAF] = {.more = {"proxyCertInfo=critical,language:id-ppl-anyLanguage"}},
     REFUSED("critical extension")},
    {.name = "good-critical-policies", // RFC 5280 6.1.1: any policy will do, nothing asks for more
     .certificates[LEAF] = {.more = {"certificatePolicies=critical,1.2.3.4"}}},

    // Serial numbers: those that no CA should give are borne, as RFC 5280 4.1.2.2 asks, up to its 20 bytes.
    {.name = "good-serial-zero", .certificates[LEAF] = {.serial = "0"}},
    {.name = "good-serial-negative",
     .certificates = {[MIDDLE] = {.serial = "-1122"}, [LEAF] = {.serial = "-80"}}},
    {.name = "leaf-serial-too-long",
     .certificates[LEAF] = {.serial = "7102030405060708090A0B0C0D0E0F101112131415"},
     REFUSED("serial")},
    {.name = "middle-serial-too-long",
     .certificates[MIDDLE] = {.serial = "7102030405060708090A0B0C0D0E0F101112131415"},
     REFUSED("serial")},
    {.name = "good-serial-of-20-bytes",
     .certificates[LEAF] = {.serial = "7102030405060708090A0B0C0D0E0F1011121314"}},

    // Bytes.
    {.name = "leaf-with-bytes-behind",
     .certificates[LEAF] = {.rewrite = bytes_behind},
     REFUSED("certificate"),
     NEVER_SENT},
    {.name = "middle-with-bytes-behind",
     .certificates[MIDDLE] = {.rewrite = bytes_behind},
     REFUSED("certificate"),
     NEVER_SENT},
    {.name = "leaf-cut-short",
     .certificates[LEAF] = {.rewrite = cut_short},
     REFUSED("certificate"),
     NEVER_SENT},
    {.name = "middle-cut-short",
     .certificates[MIDDLE] = {.rewrite = cut_short},
     REFUSED("certificate"),
     NEVER_SENT},
    {.name = "middle-all-zero",
     .certificates[MIDDLE] = {.rewrite = all_zero},
     REFUSED("certificate"),
     NEVER_SENT},
    {.name = "stranger-all-zero", // nobody needs it, but what cannot be read is no chain
     .certificates[SECOND] = {.signer = ROOT, .rewrite = all_zero},
     .shown = {LEAF, MIDDLE, SECOND},
     REFUSED("certificate"),
     NEVER_SENT},
};
const size_t cases_profile_count = sizeof cases_profile / sizeof *cases_profile;
