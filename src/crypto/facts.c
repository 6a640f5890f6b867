// Facts of certificates: decoding, times, names for people, one signature.
#include "crypto/facts.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "base/instant.h"
#include "crypto/certificate.h"
#include "crypto/hmac.h"
#include "crypto/openssl_context.h"

bool proofs_have(const struct proofs *proofs, const uint8_t fingerprint[FINGERPRINT_SIZE])
{
    for (size_t i = 0; i < proofs->count && i < PROOFS_MAX; i++) {
        if (memcmp(proofs->of[i], fingerprint, FINGERPRINT_SIZE) == 0)
            return true;
    }
    return false;
}

void proofs_add(struct proofs *proofs, const uint8_t fingerprint[FINGERPRINT_SIZE])
{
    if (!proofs_have(proofs, fingerprint))
        memcpy(proofs->of[proofs->count++ % PROOFS_MAX], fingerprint, FINGERPRINT_SIZE);
}

struct err facts_decode(struct slice der, X509 **out)
{
    const unsigned char *at = der.at;
    *out = NULL;
    if (der.len == 0 || der.len > CERTIFICATE_DER_MAX)
        return FAIL(ERR_INVALID);
    ERR_clear_error();
    X509 *x509 = X509_new_ex(openssl_context(), NULL);
    if (x509 != NULL)
        (void)d2i_X509(&x509, &at, (long)der.len); // frees it, and makes it NULL, when it cannot
    bool no_memory = openssl_was_short_of_memory();
    if (x509 != NULL && at == der.at + der.len && !no_memory) {
        *out = x509;
        return OK;
    }
    X509_free(x509);
    return FAIL(no_memory ? ERR_NO_MEMORY : ERR_INVALID);
}

// RFC 5280 4.1.2.5: in UTC, with seconds, without fractions.
bool facts_time(const ASN1_TIME *time, int64_t *us)
{
    struct slice text = slice_of(ASN1_STRING_get0_data(time), (size_t)ASN1_STRING_length(time));
    size_t year = ASN1_STRING_type(time) == V_ASN1_GENERALIZEDTIME ? 4 : 2;
    if (text.len != year + 11 || text.at[text.len - 1] != 'Z')
        return false;
    const char *century = year == 4 ? "" : text.at[0] >= '5' ? "19" : "20";
    const char *at = (const char *)text.at;
    char civil[40];
    (void)snprintf(civil, sizeof civil, "%s%.*s-%.2s-%.2sT%.2s:%.2s:%.2sZ", century, (int)year, at, at + year,
                   at + year + 2, at + year + 4, at + year + 6, at + year + 8);
    return instant_parse(slice_text(civil), us);
}

struct err facts_name(const X509_NAME *name, uint32_t *out)
{
    int made = 0;
    *out = (uint32_t)X509_NAME_hash_ex(name, NULL, NULL, &made);
    ERR_clear_error();
    return made == 1 ? OK : FAIL(ERR_NO_MEMORY);
}

bool facts_signed_by(const struct facts *facts, const struct facts *issuer)
{
    bool holds = issuer->key != NULL && X509_verify(facts->x509, issuer->key) == 1;
    ERR_clear_error();
    return holds;
}

static struct err fill(struct facts *facts)
{
    X509 *x509 = facts->x509;
    TRY(profile_judge(x509, &facts->profile)); // first: what is over a cap is not decoded any further
    facts->key = X509_get0_pubkey(x509);
    TRY(facts_name(X509_get_subject_name(x509), &facts->subject));
    TRY(facts_name(X509_get_issuer_name(x509), &facts->issuer));
    (void)facts_time(X509_get0_notBefore(x509), &facts->not_before_us); // else the profile refuses it
    (void)facts_time(X509_get0_notAfter(x509), &facts->not_after_us);
    facts->self_issued = X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
    facts->path_len = -1;
    int found = -1;
    const char *const *broken = facts->profile.broken;
    if (broken[ROLE_AUTHORITY] == NULL || broken[ROLE_ENDORSER] == NULL) {
        facts->path_len = X509_get_pathlen(x509);
        facts->constraints = X509_get_ext_d2i(x509, NID_name_constraints, &found, NULL);
    }
    ERR_clear_error();
    // the profile has read them before: there is no memory, and without them it could vouch for anybody
    return facts->constraints == NULL && found != -1 ? FAIL(ERR_NO_MEMORY) : OK;
}

struct err facts_new(X509 *x509, const uint8_t fingerprint[FINGERPRINT_SIZE], struct facts **out)
{
    struct facts *facts = calloc(1, sizeof *facts);
    if (facts == NULL)
        return FAIL(ERR_NO_MEMORY);
    (void)X509_up_ref(x509);
    facts->holders = 1;
    facts->x509 = x509;
    memcpy(facts->fingerprint, fingerprint, FINGERPRINT_SIZE);
    struct err e = fill(facts);
    if (failed(e))
        facts_release(facts);
    else
        *out = facts;
    return e;
}

struct err facts_read(struct slice der, struct facts **out)
{
    uint8_t fingerprint[FINGERPRINT_SIZE];
    TRY(sha256(der, fingerprint));
    X509 *x509;
    TRY(facts_decode(der, &x509));
    struct err e = facts_new(x509, fingerprint, out);
    X509_free(x509);
    return e;
}

struct facts *facts_hold(struct facts *facts)
{
    facts->holders++;
    return facts;
}

void facts_release(struct facts *facts)
{
    if (facts == NULL || --facts->holders > 0)
        return;
    NAME_CONSTRAINTS_free(facts->constraints);
    X509_free(facts->x509);
    free(facts);
}

// Control characters would break the line that quotes the name; a cut never parts a character of UTF-8.
static struct label label_of(const char *kind, struct slice value)
{
    struct label label;
    size_t len = strlen(kind);
    memcpy(label.text, kind, len);
    size_t take = value.len < sizeof label.text - 1 - len ? value.len : sizeof label.text - 1 - len;
    while (take > 0 && take < value.len && (value.at[take] & 0xc0) == 0x80)
        take--;
    for (size_t i = 0; i < take; i++)
        label.text[len++] = value.at[i] < ' ' || value.at[i] == 0x7f ? '?' : (char)value.at[i];
    label.text[len] = '\0';
    return label;
}

struct label facts_label_common(struct slice common_name)
{
    return label_of("CN=", common_name);
}

struct label facts_label(const X509_NAME *name)
{
    static const struct {
        int nid;
        const char *kind;
    } wanted[] = {{NID_commonName, "CN="}, {NID_organizationalUnitName, "OU="}, {NID_organizationName, "O="}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        int at = X509_NAME_get_index_by_NID(name, wanted[i].nid, -1);
        unsigned char *utf8 = NULL;
        int len =
            at < 0 ? -1 : ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        if (len < 0)
            continue;
        struct label label = label_of(wanted[i].kind, slice_of(utf8, (size_t)len));
        OPENSSL_free(utf8);
        return label;
    }
    ERR_clear_error();
    return label_of("",
                    X509_NAME_entry_count(name) == 0 ? SLICE("without a name") : SLICE("of another name"));
}

struct label facts_label_time(int64_t us)
{
    struct buf text = buf_capped(64);
    instant_format(&text, us);
    struct label label = label_of("", slice_to(buf_slice(&text), 19));
    buf_release(&text);
    return label;
}
