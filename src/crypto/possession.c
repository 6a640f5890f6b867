// What the operator of a CA hands in: its certificate, the proof that its key is there, its revocation list.
#include "crypto/possession.h"

#include <openssl/err.h>

#include "base/secret.h"
#include "crypto/facts.h"
#include "crypto/hmac.h"
#include "crypto/revocation.h"
#include "crypto/wrapping.h"

static struct err read_facts(struct slice der, struct facts **out, struct why *why)
{
    struct err e = facts_read(der, out);
    return e.code == ERR_INVALID ? why_fail(why, ERR_INVALID, "the certificate is not well-formed X.509") : e;
}

static struct label label_of(const struct facts *facts)
{
    return facts_label(X509_get_subject_name(facts->x509));
}

static struct err check_profile(const struct facts *facts, enum role role, struct why *why)
{
    const char *broken = facts->profile.broken[role];
    if (broken == NULL)
        return OK;
    return why_fail(why, ERR_INVALID, "the certificate %s %s", label_of(facts).text, broken);
}

// A CA for devices' certificates, or for those of TPMs: which of the two is asked on each way through it.
static struct err check_authority(const struct facts *facts, struct why *why)
{
    return facts->profile.broken[ROLE_ENDORSER] == NULL ? OK : check_profile(facts, ROLE_AUTHORITY, why);
}

static struct err check_not_expired(const struct facts *facts, int64_t now_us, struct why *why)
{
    if (now_us <= facts->not_after_us)
        return OK;
    return why_fail(why, ERR_INVALID, "the certificate %s expired at %sZ", label_of(facts).text,
                    facts_label_time(facts->not_after_us).text);
}

static struct err check_begun(const struct facts *facts, int64_t now_us, struct why *why)
{
    if (now_us >= facts->not_before_us)
        return OK;
    return why_fail(why, ERR_INVALID, "the certificate %s is not valid before %sZ", label_of(facts).text,
                    facts_label_time(facts->not_before_us).text);
}

static uint8_t small(uint8_t c)
{
    return c >= 'A' && c <= 'F' ? (uint8_t)(c + ('a' - 'A')) : c;
}

// Hex digits, in either case; in constant time, because the code is not the peer's to know.
static bool is_code(struct slice text, struct slice code)
{
    enum { LEN = 2 * POSSESSION_CODE_SIZE };
    uint8_t a[LEN];
    uint8_t b[LEN];
    if (text.len != LEN || code.len != LEN)
        return false;
    for (size_t i = 0; i < LEN; i++) {
        a[i] = small(text.at[i]);
        b[i] = small(code.at[i]);
    }
    bool same = bytes_equal_ct(slice_of(a, LEN), slice_of(b, LEN));
    bytes_wipe(b, sizeof b);
    return same;
}

static bool common_name_is_code(const X509_NAME *name, struct slice code)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return false;
    const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    return is_code(slice_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)), code);
}

static struct err check_proof(const struct facts *ca, const struct facts *proof, struct slice code,
                              int64_t now_us, struct why *why)
{
    TRY(check_authority(ca, why));
    TRY(check_not_expired(ca, now_us, why));
    TRY(check_profile(proof, ROLE_PROOF, why));
    TRY(check_not_expired(proof, now_us, why));
    TRY(check_begun(proof, now_us, why));
    struct label name = label_of(ca);
    if (!common_name_is_code(X509_get_subject_name(proof->x509), code))
        return why_fail(why, ERR_INVALID,
                        "the common name of the verification certificate is not the code: sign one with the "
                        "newest code as its CN");
    if (X509_NAME_cmp(X509_get_issuer_name(proof->x509), X509_get_subject_name(ca->x509)) != 0)
        return why_fail(why, ERR_INVALID, "the verification certificate was issued by %s, not by %s",
                        facts_label(X509_get_issuer_name(proof->x509)).text, name.text);
    if (!facts_signed_by(proof, ca))
        return why_fail(why, ERR_INVALID, "the verification certificate was not signed with the key of %s",
                        name.text);
    return OK;
}

struct err possession_check(struct slice ca, struct slice proof, struct slice code, int64_t now_us,
                            struct why *why)
{
    struct facts *ca_facts = NULL;
    struct facts *proof_facts = NULL;
    struct err e = read_facts(ca, &ca_facts, why);
    if (!failed(e))
        e = read_facts(proof, &proof_facts, why);
    if (!failed(e))
        e = check_proof(ca_facts, proof_facts, code, now_us, why);
    facts_release(ca_facts);
    facts_release(proof_facts);
    return e;
}

struct err authority_check(struct slice der, int64_t now_us, struct authority *out, struct why *why)
{
    struct facts *facts;
    *out = (struct authority){0};
    TRY(read_facts(der, &facts, why));
    struct err e = check_authority(facts, why);
    if (!failed(e))
        e = check_not_expired(facts, now_us, why);
    if (!failed(e))
        *out = (struct authority){.subject = facts->subject,
                                  .issuer = facts->issuer,
                                  .not_before_us = facts->not_before_us,
                                  .not_after_us = facts->not_after_us};
    facts_release(facts);
    return e;
}

static struct err check_fresh(const struct revocation *list, int64_t now_us, struct why *why)
{
    if (revocation_is_fresh(list, now_us))
        return OK;
    if (list->this_update_us > now_us)
        return why_fail(why, ERR_INVALID, "the revocation list is not valid before %sZ: is the clock right?",
                        facts_label_time(list->this_update_us).text);
    return why_fail(why, ERR_INVALID, "the revocation list is stale since %sZ: hand in a fresh one",
                    facts_label_time(list->next_update_us).text);
}

static struct err read_list(struct slice der, const struct facts *ca, int64_t now_us, struct crl_facts *out,
                            struct why *why)
{
    struct revocation *list;
    TRY(sha256(der, out->digest));
    TRY(revocation_read(der, ca, &list, why));
    out->this_update_us = list->this_update_us;
    out->next_update_us = list->next_update_us;
    out->revoked = list->count;
    struct err e = check_fresh(list, now_us, why);
    revocation_release(list);
    return e;
}

struct err crl_read(struct arena *arena, struct slice text, struct slice ca, int64_t now_us,
                    struct slice *der, struct crl_facts *out, struct why *why)
{
    static const struct wrapping wrapping = {
        .what = "the revocation list",
        .label = "X509 CRL",
        .several = "is more than one: hand in one",
        .text_max = 2 * CRL_MAX,
        .der_max = CRL_MAX,
    };
    struct slice found;
    struct facts *facts;
    *der = (struct slice){0};
    *out = (struct crl_facts){0};
    TRY(unwrap(arena, &wrapping, text, &found, why));
    TRY(read_facts(ca, &facts, why));
    struct err e = read_list(found, facts, now_us, out, why);
    facts_release(facts);
    if (!failed(e))
        *der = found;
    return e;
}
