// Predicates on certificates of endorsement keys.
#include "crypto/endorsement.h"

#include <openssl/x509v3.h>

#include "base/slice.h"

enum { KEY_BITS = 2048 };

// Object identifiers, as they are encoded.
#define TPM_MANUFACTURER SLICE("\x67\x81\x05\x02\x01") // 2.23.133.2.1
#define TPM_MODEL        SLICE("\x67\x81\x05\x02\x02")
#define TPM_VERSION      SLICE("\x67\x81\x05\x02\x03")
#define EK_CERTIFICATE   SLICE("\x67\x81\x05\x08\x01") // 2.23.133.8.1, tcg-kp-EKCertificate

static bool is(const ASN1_OBJECT *object, struct slice encoded)
{
    return slice_equal(slice_of(OBJ_get0_data(object), OBJ_length(object)), encoded);
}

static bool has_attribute(const X509_NAME *name, struct slice type)
{
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        if (is(X509_NAME_ENTRY_get_object(entry), type))
            return ASN1_STRING_length(X509_NAME_ENTRY_get_data(entry)) > 0;
    }
    return false;
}

bool endorsement_names_tpm(X509 *x509)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        found = name->type == GEN_DIRNAME && has_attribute(name->d.directoryName, TPM_MANUFACTURER) &&
                has_attribute(name->d.directoryName, TPM_MODEL) &&
                has_attribute(name->d.directoryName, TPM_VERSION);
    }
    GENERAL_NAMES_free(names);
    return found;
}

bool endorsement_name_is_critical(X509 *x509)
{
    int at = X509_get_ext_by_NID(x509, NID_subject_alt_name, -1);
    return X509_NAME_entry_count(X509_get_subject_name(x509)) > 0 ||
           (at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x509, at)));
}

bool endorsement_key_fits(X509 *x509)
{
    EVP_PKEY *key = X509_get0_pubkey(x509);
    return key != NULL && EVP_PKEY_is_a(key, "RSA") == 1 && EVP_PKEY_get_bits(key) == KEY_BITS;
}

bool endorsement_enciphers(X509 *x509)
{
    uint32_t usage = X509_get_key_usage(x509); // all bits without the extension
    return (usage & KU_KEY_ENCIPHERMENT) != 0 && (usage & KU_DIGITAL_SIGNATURE) == 0;
}

// Whether its extended key usage has the purpose; true without one.
static bool is_for_endorsement(X509 *x509)
{
    if (X509_get_ext_by_NID(x509, NID_ext_key_usage, -1) < 0)
        return true;
    EXTENDED_KEY_USAGE *purposes = X509_get_ext_d2i(x509, NID_ext_key_usage, NULL, NULL);
    bool found = false;
    for (int i = 0; !found && i < sk_ASN1_OBJECT_num(purposes); i++)
        found = is(sk_ASN1_OBJECT_value(purposes, i), EK_CERTIFICATE);
    EXTENDED_KEY_USAGE_free(purposes);
    return found;
}

bool endorsement_purpose(X509 *x509)
{
    return is_for_endorsement(x509);
}

bool endorsement_authority_purpose(X509 *x509)
{
    return (X509_get_extended_key_usage(x509) & XKU_ANYEKU) != 0 || is_for_endorsement(x509);
}
