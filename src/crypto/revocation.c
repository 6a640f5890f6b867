// Reading revocation lists (RFC 5280 5) and looking into them.
#include "crypto/revocation.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "crypto/possession.h"

bool serial_of(const ASN1_INTEGER *number, struct serial *out)
{
    int len = ASN1_STRING_length(number);
    *out = (struct serial){0};
    if (len < 0 || len > SERIAL_SIZE)
        return false;
    out->bytes[0] = ASN1_STRING_type(number) == V_ASN1_NEG_INTEGER;
    out->bytes[1] = (uint8_t)len;
    if (len > 0)
        memcpy(out->bytes + 2, ASN1_STRING_get0_data(number), (size_t)len);
    return true;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct serial));
}

static struct err refuse(struct why *why, const char *what)
{
    return why_fail(why, ERR_INVALID, "the revocation list %s", what);
}

// Only parts of what the CA issued, or by others: nobody could say which certificates it is silent about.
static struct err check_scope(X509_CRL *crl, struct why *why)
{
    if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
        return refuse(why, "is a delta list: hand in the complete one");
    int found;
    ISSUING_DIST_POINT *scope = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &found, NULL);
    if (scope == NULL)
        return found == -1 ? OK : refuse(why, "has an extension that cannot be read");
    bool indirect = scope->indirectCRL > 0;
    bool partial = scope->distpoint != NULL || scope->onlyuser > 0 || scope->onlyCA > 0 ||
                   scope->onlyattr > 0 || scope->onlysomereasons != NULL;
    ISSUING_DIST_POINT_free(scope);
    if (indirect)
        return refuse(why, "is an indirect one, which names what others issued: hand in the CA's own");
    return partial ? refuse(why, "is about some certificates, reasons or one distribution point only: hand "
                                 "in the complete one")
                   : OK;
}

static bool list_criticals_known(const X509_CRL *crl)
{
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(crl, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        if (X509_EXTENSION_get_critical(extension) && nid != NID_issuing_distribution_point &&
            nid != NID_authority_key_identifier && nid != NID_crl_number)
            return false;
    }
    return true;
}

static bool entry_criticals_known(const X509_REVOKED *entry)
{
    for (int i = 0; i < X509_REVOKED_get_ext_count(entry); i++) {
        X509_EXTENSION *extension = X509_REVOKED_get_ext(entry, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        if (X509_EXTENSION_get_critical(extension) && nid != NID_crl_reason && nid != NID_invalidity_date)
            return false;
    }
    return true;
}

static struct err check_issuer(X509_CRL *crl, const struct facts *ca, struct why *why)
{
    struct label name = facts_label(X509_get_subject_name(ca->x509));
    struct label issuer = facts_label(X509_CRL_get_issuer(crl));
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca->x509)) != 0)
        return why_fail(why, ERR_INVALID, "the revocation list was issued by %s, not by %s", issuer.text,
                        name.text);
    if ((X509_get_key_usage(ca->x509) & KU_CRL_SIGN) == 0)
        return why_fail(why, ERR_INVALID, "%s may not sign revocation lists: issue it with keyUsage cRLSign",
                        name.text);
    const X509_ALGOR *algorithm;
    X509_CRL_get0_signature(crl, NULL, &algorithm);
    if (!profile_signature(algorithm))
        return refuse(why, "is signed with a digest other than SHA-256, SHA-384 and SHA-512");
    if (ca->key == NULL || X509_CRL_verify(crl, ca->key) != 1)
        return why_fail(why, ERR_INVALID, "the revocation list was not signed with the key of %s", name.text);
    return OK;
}

static struct err check_times(const X509_CRL *crl, struct revocation *list, struct why *why)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    if (!facts_time(X509_CRL_get0_lastUpdate(crl), &list->this_update_us) ||
        (next != NULL && !facts_time(next, &list->next_update_us)))
        return refuse(why, "has a time that is not written as RFC 5280 asks");
    return OK;
}

static struct err fill(X509_CRL *crl, struct revocation *list, struct why *why)
{
    TRY(check_times(crl, list, why));
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
    for (int i = 0; entries != NULL && i < sk_X509_REVOKED_num(entries); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        if (!entry_criticals_known(entry))
            return refuse(why, "has an entry with a critical extension that is not known here");
        // one that is too long belongs to no certificate that the profile lets through
        if (serial_of(X509_REVOKED_get0_serialNumber(entry), &list->serials[list->count]))
            list->count++;
    }
    qsort(list->serials, list->count, sizeof list->serials[0], compare);
    return OK;
}

static struct err make(X509_CRL *crl, const struct facts *ca, struct revocation **out, struct why *why)
{
    TRY(check_scope(crl, why));
    if (!list_criticals_known(crl))
        return refuse(why, "has a critical extension that is not known here");
    TRY(check_issuer(crl, ca, why));
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
    size_t room = entries != NULL ? (size_t)sk_X509_REVOKED_num(entries) : 0;
    struct revocation *list = calloc(1, sizeof *list + room * sizeof list->serials[0]);
    if (list == NULL)
        return FAIL(ERR_NO_MEMORY);
    list->holders = 1;
    (void)EVP_PKEY_up_ref(ca->key);
    list->signer = ca->key;
    struct err e = fill(crl, list, why);
    if (failed(e))
        revocation_release(list);
    else
        *out = list;
    return e;
}

struct err revocation_read(struct slice der, const struct facts *ca, struct revocation **out, struct why *why)
{
    const unsigned char *at = der.at;
    if (der.len > CRL_MAX)
        return refuse(why, "is too long (more than 1 MiB)");
    X509_CRL *crl = der.len > 0 ? d2i_X509_CRL(NULL, &at, (long)der.len) : NULL;
    struct err e =
        crl == NULL || at != der.at + der.len ? refuse(why, "is not well-formed") : make(crl, ca, out, why);
    X509_CRL_free(crl);
    ERR_clear_error(); // what is left in the thread's queue would be taken for an error of the next TLS call
    return e;
}

struct revocation *revocation_hold(struct revocation *list)
{
    list->holders++;
    return list;
}

void revocation_release(struct revocation *list)
{
    if (list == NULL || --list->holders > 0)
        return;
    EVP_PKEY_free(list->signer);
    free(list);
}

bool revocation_lists(const struct revocation *list, const struct serial *serial)
{
    return bsearch(serial, list->serials, list->count, sizeof *serial, compare) != NULL;
}

bool revocation_is_fresh(const struct revocation *list, int64_t now_us)
{
    return list->this_update_us <= now_us && (list->next_update_us == 0 || now_us <= list->next_update_us);
}

size_t revocation_size(const struct revocation *list)
{
    return sizeof *list + list->count * sizeof list->serials[0];
}
