// The table, and what its rules look at.
#include "crypto/profile.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdint.h>

#include "crypto/endorsement.h"
#include "crypto/modulus.h"
#include "crypto/openssl_context.h"

enum { RSA_MIN_BITS = 2048, RSA_MAX_BITS = 8192, RSA_E_MIN = 65537, RSA_E_MAX_BITS = 64, SERIAL_MAX = 20 };

static int extension_nid(const X509_EXTENSION *extension)
{
    return OBJ_obj2nid(X509_EXTENSION_get_object((X509_EXTENSION *)extension));
}

static bool few_extensions(X509 *x509)
{
    return X509_get_ext_count(x509) <= PROFILE_EXTENSIONS_MAX;
}

static bool extensions_once(X509 *x509)
{
    for (int i = 0; i < X509_get_ext_count(x509); i++) {
        if (X509_get_ext_by_OBJ(x509, X509_EXTENSION_get_object(X509_get_ext(x509, i)), i) >= 0)
            return false;
    }
    return true;
}

// How many elements stand in the DER element at *at; -1 when it is not well-formed.
static long count_elements(const uint8_t **at, long room, bool deeper)
{
    long len;
    int tag, class;
    const uint8_t *from = *at;
    if (room <= 0 || (ASN1_get_object(at, &len, &tag, &class, room) & 0x80) != 0 || len > room - (*at - from))
        return -1;
    const uint8_t *end = *at + len;
    long count = 0;
    while (*at < end) {
        long below = 1;
        if (deeper) {
            below = count_elements(at, end - *at, false);
        } else {
            const uint8_t *inner = *at;
            if ((ASN1_get_object(&inner, &len, &tag, &class, end - *at) & 0x80) != 0 || len > end - inner)
                return -1;
            *at = inner + len;
        }
        if (below < 0)
            return -1;
        count += below;
    }
    return count;
}

// Counted before anything decodes the names. deeper: a list of lists. What cannot be counted is left to the
// rule about what cannot be read.
static bool few_in(X509 *x509, int nid, bool deeper, long max)
{
    int index = X509_get_ext_by_NID(x509, nid, -1);
    if (index < 0)
        return true;
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(x509, index));
    const uint8_t *at = ASN1_STRING_get0_data(value);
    return count_elements(&at, ASN1_STRING_length(value), deeper) <= max;
}

static bool few_names(X509 *x509)
{
    return few_in(x509, NID_subject_alt_name, false, PROFILE_NAMES_MAX);
}

static bool few_constraints(X509 *x509)
{
    return few_in(x509, NID_name_constraints, true, PROFILE_CONSTRAINTS_MAX);
}

static bool version_fits(X509 *x509)
{
    long version = X509_get_version(x509);
    return version == X509_VERSION_3 ||
           ((version == X509_VERSION_1 || version == X509_VERSION_2) && X509_get_ext_count(x509) <= 0);
}

static bool serial_fits(X509 *x509)
{
    int len = ASN1_STRING_length(X509_get0_serialNumber(x509));
    return len >= 1 && len <= SERIAL_MAX;
}

static bool is_policy(int nid)
{
    return nid == NID_policy_constraints || nid == NID_inhibit_any_policy || nid == NID_policy_mappings;
}

// What is understood here: what holds in it is seen to, or nothing in it could speak against the certificate.
static bool is_understood(int nid)
{
    switch (nid) {
    case NID_basic_constraints:
    case NID_key_usage:
    case NID_ext_key_usage:
    case NID_subject_alt_name:
    case NID_issuer_alt_name:
    case NID_name_constraints:
    case NID_subject_key_identifier:
    case NID_authority_key_identifier:
    case NID_certificate_policies: // any policy is as good as any other
        return true;
    default:
        return is_policy(nid); // a rule of its own refuses these
    }
}

// OpenSSL reads the value and does not mind what stands behind it.
static bool is_one_element(const ASN1_OCTET_STRING *value)
{
    const uint8_t *at = ASN1_STRING_get0_data(value);
    long len = ASN1_STRING_length(value);
    const uint8_t *end = at + len;
    int tag, class;
    return len > 0 && (ASN1_get_object(&at, &len, &tag, &class, len) & 0x80) == 0 && at + len == end;
}

static bool extensions_readable(X509 *x509)
{
    for (int i = 0; i < X509_get_ext_count(x509); i++) {
        const X509_EXTENSION *extension = X509_get_ext(x509, i);
        if (is_understood(extension_nid(extension)) &&
            !is_one_element(X509_EXTENSION_get_data((X509_EXTENSION *)extension)))
            return false;
    }
    return (X509_get_extension_flags(x509) & (EXFLAG_INVALID | EXFLAG_NO_FINGERPRINT)) == 0;
}

static bool no_policy_demands(X509 *x509)
{
    for (int i = 0; i < X509_get_ext_count(x509); i++) {
        const X509_EXTENSION *extension = X509_get_ext(x509, i);
        if (X509_EXTENSION_get_critical(extension) && is_policy(extension_nid(extension)))
            return false;
    }
    return true;
}

static bool criticals_understood(X509 *x509)
{
    for (int i = 0; i < X509_get_ext_count(x509); i++) {
        const X509_EXTENSION *extension = X509_get_ext(x509, i);
        if (X509_EXTENSION_get_critical(extension) && !is_understood(extension_nid(extension)))
            return false;
    }
    return true;
}

static bool validity_makes_sense(X509 *x509)
{
    const ASN1_TIME *ends[] = {X509_get0_notBefore(x509), X509_get0_notAfter(x509)};
    int days, seconds;
    for (int i = 0; i < 2; i++) {
        int len = ASN1_STRING_length(ends[i]);
        int wanted = ASN1_STRING_type(ends[i]) == V_ASN1_GENERALIZEDTIME ? 15 : 13;
        if (len != wanted || ASN1_STRING_get0_data(ends[i])[len - 1] != 'Z')
            return false;
    }
    return ASN1_TIME_diff(&days, &seconds, ends[0], ends[1]) == 1 && days >= 0 && seconds >= 0;
}

// The kind of its key as it is written down, before the key itself is looked at.
static int key_nid(const X509 *x509, const X509_ALGOR **algorithm)
{
    ASN1_OBJECT *kind = NULL;
    X509_ALGOR *found = NULL;
    (void)X509_PUBKEY_get0_param(&kind, NULL, NULL, &found, X509_get_X509_PUBKEY(x509));
    *algorithm = found;
    return OBJ_obj2nid(kind);
}

static bool is_rsa(const X509 *x509)
{
    const X509_ALGOR *algorithm;
    int nid = key_nid(x509, &algorithm);
    return nid == NID_rsaEncryption || nid == NID_rsassaPss;
}

static bool key_kind(X509 *x509)
{
    const X509_ALGOR *algorithm;
    int nid = key_nid(x509, &algorithm);
    return is_rsa(x509) || nid == NID_X9_62_id_ecPublicKey || nid == NID_ED25519;
}

static int curve_type(const X509 *x509, const void **value)
{
    const X509_ALGOR *algorithm;
    int type = V_ASN1_OBJECT;
    *value = NULL;
    if (key_nid(x509, &algorithm) == NID_X9_62_id_ecPublicKey)
        X509_ALGOR_get0(NULL, &type, value, algorithm);
    return type;
}

static bool curve_named(X509 *x509)
{
    const void *curve;
    return curve_type(x509, &curve) == V_ASN1_OBJECT;
}

static bool curve_allowed(X509 *x509)
{
    const void *curve;
    if (curve_type(x509, &curve) != V_ASN1_OBJECT || curve == NULL)
        return true; // no curve, or the rule before
    int nid = OBJ_obj2nid(curve);
    return nid == NID_X9_62_prime256v1 || nid == NID_secp384r1 || nid == NID_secp521r1;
}

static bool key_readable(X509 *x509)
{
    return X509_get0_pubkey(x509) != NULL;
}

static bool rsa_long_enough(X509 *x509)
{
    return !is_rsa(x509) || EVP_PKEY_get_bits(X509_get0_pubkey(x509)) >= RSA_MIN_BITS;
}

static bool rsa_short_enough(X509 *x509)
{
    return !is_rsa(x509) || EVP_PKEY_get_bits(X509_get0_pubkey(x509)) <= RSA_MAX_BITS;
}

// A long exponent makes checking a signature as dear as making one.
static bool rsa_exponent(X509 *x509)
{
    if (!is_rsa(x509))
        return true;
    BIGNUM *e = NULL;
    bool fits = EVP_PKEY_get_bn_param(X509_get0_pubkey(x509), OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
                BN_is_odd(e) && BN_num_bits(e) <= RSA_E_MAX_BITS && BN_get_word(e) >= RSA_E_MIN;
    BN_free(e);
    return fits;
}

static bool rsa_no_roca(X509 *x509)
{
    uint8_t bytes[RSA_MAX_BITS / 8]; // no more: a rule before this one
    BIGNUM *n = NULL;
    if (!is_rsa(x509))
        return true;
    bool sound = EVP_PKEY_get_bn_param(X509_get0_pubkey(x509), OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                 !modulus_judge(slice_of(bytes, (size_t)BN_bn2bin(n, bytes))).roca;
    BN_free(n); // NULL: there was no memory for it
    return sound;
}

// RFC 5280 4.1.1.2
static bool signature_said_once(X509 *x509)
{
    const X509_ALGOR *outer;
    X509_get0_signature(NULL, &outer, x509);
    return X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(x509)) == 0;
}

static bool strong_digest(int nid)
{
    return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

static bool strong_algorithm(const X509_ALGOR *digest)
{
    const ASN1_OBJECT *kind = NULL;
    if (digest != NULL)
        X509_ALGOR_get0(&kind, NULL, NULL, digest);
    return kind != NULL && strong_digest(OBJ_obj2nid(kind));
}

// PSS has a digest for what is signed and one for its mask; what it leaves out is SHA-1 (RFC 4055 3.1).
static bool strong_pss(const X509_ALGOR *algorithm)
{
    const void *value;
    int type;
    X509_ALGOR_get0(NULL, &type, &value, algorithm);
    if (type != V_ASN1_SEQUENCE)
        return false;
    const ASN1_OBJECT *generator = NULL;
    X509_ALGOR *mask = NULL;
    RSA_PSS_PARAMS *pss = ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
    bool strong = pss != NULL && strong_algorithm(pss->hashAlgorithm) && pss->maskGenAlgorithm != NULL;
    if (strong) {
        X509_ALGOR_get0(&generator, &type, &value, pss->maskGenAlgorithm);
        if (OBJ_obj2nid(generator) == NID_mgf1 && type == V_ASN1_SEQUENCE)
            mask = ASN1_item_unpack(value, ASN1_ITEM_rptr(X509_ALGOR));
        strong = strong_algorithm(mask);
    }
    X509_ALGOR_free(mask);
    RSA_PSS_PARAMS_free(pss);
    return strong;
}

// The kind of key that signs in this way, or NID_undef; *digest is NID_undef where the kind brings its own.
static int signs_with(const X509_ALGOR *algorithm, int *digest)
{
    const ASN1_OBJECT *kind;
    int key = NID_undef;
    X509_ALGOR_get0(&kind, NULL, NULL, algorithm);
    return OBJ_find_sigid_algs(OBJ_obj2nid(kind), digest, &key) == 1 ? key : NID_undef;
}

static bool kind_allowed(const X509_ALGOR *algorithm)
{
    int digest;
    int key = signs_with(algorithm, &digest);
    return key == NID_rsaEncryption || key == NID_rsassaPss || key == NID_X9_62_id_ecPublicKey ||
           key == NID_ED25519;
}

static bool digest_allowed(const X509_ALGOR *algorithm)
{
    int digest;
    int key = signs_with(algorithm, &digest);
    if (key == NID_rsassaPss)
        return strong_pss(algorithm);
    return key == NID_ED25519 || strong_digest(digest);
}

bool profile_signature(const X509_ALGOR *algorithm)
{
    return kind_allowed(algorithm) && digest_allowed(algorithm);
}

static bool signature_kind(X509 *x509)
{
    return kind_allowed(X509_get0_tbs_sigalg(x509));
}

static bool signature_digest(X509 *x509)
{
    return digest_allowed(X509_get0_tbs_sigalg(x509));
}

static bool version_is_3(X509 *x509)
{
    return X509_get_version(x509) == X509_VERSION_3;
}

static bool has_subject(X509 *x509)
{
    return X509_NAME_entry_count(X509_get_subject_name(x509)) > 0;
}

static bool has_basic_constraints(X509 *x509)
{
    return (X509_get_extension_flags(x509) & EXFLAG_BCONS) != 0;
}

static bool is_authority(X509 *x509)
{
    return (X509_get_extension_flags(x509) & EXFLAG_CA) != 0;
}

static bool is_no_authority(X509 *x509)
{
    return !has_basic_constraints(x509) || !is_authority(x509);
}

// A root that signed itself may leave it out, as `openssl req -x509` does: it counts only because an operator
// says so, and RFC 5280 6.1.4 (n) lets it.
static bool has_key_usage(X509 *x509)
{
    return (X509_get_extension_flags(x509) & (EXFLAG_KUSAGE | EXFLAG_SS)) != 0;
}

static bool may_sign_certificates(X509 *x509)
{
    return (X509_get_key_usage(x509) & KU_KEY_CERT_SIGN) != 0;
}

static bool may_sign(X509 *x509)
{
    return (X509_get_key_usage(x509) & KU_DIGITAL_SIGNATURE) != 0; // all bits without the extension
}

static bool for_clients(X509 *x509)
{
    return (X509_get_extended_key_usage(x509) & (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0;
}

enum {
    AUTHORITY = 1 << ROLE_AUTHORITY,
    DEVICE = 1 << ROLE_DEVICE,
    PINNED = 1 << ROLE_PINNED,
    ENDORSEMENT = 1 << ROLE_ENDORSEMENT,
    ENDORSER = 1 << ROLE_ENDORSER,
    PROOF = 1 << ROLE_PROOF,
    CA = AUTHORITY | ENDORSER,
    ALL = CA | DEVICE | PINNED | ENDORSEMENT | PROOF,
};

// In this order; the first that does not hold is what the peer's operator hears about. A rule for all comes
// before those for some, so that caps are seen to before what they protect.
static const struct rule {
    unsigned roles;
    bool (*holds)(X509 *x509);
    const char *sentence; // after "the certificate X": what is wrong, and what to do
} rules[] = {
    // how much there may be of everything (threats A8)
    {ALL, few_extensions, "has more than 32 extensions"},
    {ALL, extensions_once, "has an extension twice (RFC 5280 4.2): issue it anew"},
    {ALL, few_names, "has more than 64 alternative names"},
    {ALL, few_constraints, "has more than 64 name constraints"},
    // its form
    {ALL, version_fits, "has extensions, but is not of version 3: issue it as X.509 v3"},
    {ALL, serial_fits, "has a serial number of more than 20 bytes (RFC 5280 4.1.2.2)"},
    {ALL, validity_makes_sense,
     "has a validity that ends before it begins (openssl: -days), or is not written as RFC 5280 asks"},
    {ALL, extensions_readable, "has an extension that cannot be read: issue it anew"},
    {ALL, no_policy_demands,
     "demands that certificate policies are processed, which is not done here: issue it without critical "
     "policy constraints"},
    {ALL, criticals_understood, "has a critical extension that is not known here: issue it without"},
    // its key
    {ALL, key_kind, "has a key that is neither RSA, EC nor Ed25519: use EC P-256"},
    {ALL, curve_named,
     "has an EC key with explicit parameters: use the named curve P-256 (openssl: named_curve)"},
    {ALL, curve_allowed,
     "has an EC key on a curve other than P-256, P-384 and P-521: use P-256 (openssl: prime256v1)"},
    {ALL, key_readable, "has a key that cannot be read"},
    {ALL, rsa_long_enough,
     "has an RSA key of less than 2048 bits: use a longer one (openssl: rsa:2048), or EC P-256"},
    {ALL, rsa_short_enough, "has an RSA key of more than 8192 bits: use a shorter one, or EC P-256"},
    {ALL, rsa_exponent, "has an RSA key with an exponent that is even, below 65537 or longer than 64 bits"},
    {ALL, rsa_no_roca, "has an RSA key that can be factored (ROCA, CVE-2017-15361): make one elsewhere"},
    // how it was signed
    {ALL, signature_said_once, "says two different things about how it was signed"},
    {ALL, signature_kind, "is signed neither with RSA, ECDSA nor Ed25519"},
    {ALL, signature_digest,
     "is signed with a digest other than SHA-256, SHA-384 and SHA-512: issue it anew (openssl: -sha256)"},
    // what vouches for others (threats B12)
    {CA, version_is_3,
     "is no CA (not X.509 v3): issue it with basicConstraints CA:TRUE (openssl x509 -req: by -extfile)"},
    {CA, has_subject, "is no CA (no subject name): issue it with one"},
    {CA, has_basic_constraints,
     "is no CA (no basicConstraints): issue it with CA:TRUE (openssl x509 -req: by -extfile)"},
    {CA, is_authority, "is no CA (basicConstraints says CA:FALSE): issue it with CA:TRUE"},
    {CA, has_key_usage,
     "has no keyUsage, which an intermediate CA needs: issue it with keyCertSign (openssl x509 -req "
     "-extfile, keyUsage=keyCertSign,cRLSign)"},
    {CA, may_sign_certificates, "may not sign certificates: issue it with keyUsage keyCertSign"},
    {AUTHORITY, for_clients, "may not vouch for TLS clients: add clientAuth to its extendedKeyUsage"},
    {ENDORSER, endorsement_authority_purpose,
     "may not vouch for TPMs: its extendedKeyUsage is without 2.23.133.8.1 (tcg-kp-EKCertificate)"},
    // what devices show
    {DEVICE, is_no_authority,
     "is a CA and no device's: issue it with CA:FALSE (openssl req -addext basicConstraints=CA:FALSE), or "
     "enroll it by itself"},
    {DEVICE | PINNED, may_sign, "may not sign, as TLS needs: add digitalSignature to its keyUsage"},
    {DEVICE | PINNED, for_clients, "is not for TLS clients: add clientAuth to its extendedKeyUsage"},
    // what TPMs have (TCG EK Credential Profile 2.x, 3.2)
    {ENDORSEMENT, is_no_authority, "is a CA's and not that of an endorsement key"},
    {ENDORSEMENT, endorsement_key_fits,
     "is not that of an RSA 2048 endorsement key, which alone is supported"},
    {ENDORSEMENT, endorsement_names_tpm,
     "is not that of an endorsement key: its alternative name says no TPM manufacturer, model and version"},
    {ENDORSEMENT, endorsement_name_is_critical,
     "has no subject, and an alternative name that is not critical (RFC 5280 4.2.1.6)"},
    {ENDORSEMENT, endorsement_enciphers,
     "is not that of an endorsement key: its keyUsage is not keyEncipherment, or is for signing, too"},
    {ENDORSEMENT, endorsement_purpose,
     "is not that of an endorsement key: its extendedKeyUsage is without 2.23.133.8.1 "
     "(tcg-kp-EKCertificate)"},
};

struct err profile_judge(X509 *x509, struct verdict *out)
{
    ERR_clear_error();
    *out = (struct verdict){0};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].holds(x509))
            continue;
        for (int role = 0; role < ROLE_COUNT; role++) {
            if ((rules[i].roles & 1u << role) != 0 && out->broken[role] == NULL)
                out->broken[role] = rules[i].sentence;
        }
        if (rules[i].roles == ALL)
            break;
    }
    return openssl_was_short_of_memory() ? FAIL(ERR_NO_MEMORY) : OK;
}

bool profile_may_be_kept(const struct verdict *verdict)
{
    return verdict->broken[ROLE_PROOF] == NULL; // which has no rules of its own
}
