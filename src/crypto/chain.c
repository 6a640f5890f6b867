// Chains: what a peer showed is copied and described, nothing is believed.
#include "crypto/chain.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "crypto/certificate.h"
#include "crypto/chain_inside.h"
#include "crypto/chain_openssl.h"
#include "crypto/hmac.h"

enum { COMMON_NAME_MAX = 256 };

static const struct why too_many = {"the device shows more than 6 certificates: send the leaf and what is "
                                    "between it and the CA certificate"};
static const struct why too_long = {"the device shows a certificate of more than 16 KiB"};
static const struct why unreadable = {"the device shows a certificate that is not well-formed X.509"};

// The one common name, if there is exactly one; a NUL in it would end it early for whoever reads it as C.
static struct err read_common_name(struct chain *chain, const X509_NAME *name)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return OK;
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    struct err e = OK;
    if (len > 0 && len <= COMMON_NAME_MAX && memchr(utf8, 0, (size_t)len) == NULL) {
        chain->common_name = malloc((size_t)len);
        if (chain->common_name == NULL) {
            e = FAIL(ERR_NO_MEMORY);
        } else {
            memcpy(chain->common_name, utf8, (size_t)len);
            chain->common_name_len = (size_t)len;
        }
    }
    OPENSSL_free(utf8);
    ERR_clear_error();
    return e;
}

static struct err describe_leaf(struct chain *chain)
{
    const X509 *leaf = chain->shown[0].x509;
    (void)facts_time(X509_get0_notBefore(leaf), &chain->not_before_us); // else the profile refuses it
    (void)facts_time(X509_get0_notAfter(leaf), &chain->not_after_us);
    (void)serial_of(X509_get0_serialNumber(leaf), &chain->serial); // as above
    return read_common_name(chain, X509_get_subject_name(leaf));
}

// Of certificates that are copied already. Takes over their x509, of which the leaf's may be NULL only when
// there is a problem.
static struct err describe(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        struct shown *shown = &chain->shown[i];
        TRY(sha256(shown->der, shown->fingerprint));
        if (shown->x509 == NULL)
            continue;
        if (i > 0)
            TRY(facts_name(X509_get_subject_name(shown->x509), &shown->subject));
        TRY(facts_name(X509_get_issuer_name(shown->x509), &shown->issuer));
    }
    return chain->count > 0 && chain->shown[0].x509 != NULL ? describe_leaf(chain) : OK;
}

static struct chain *begin(size_t len)
{
    struct chain *chain = calloc(1, sizeof *chain);
    if (chain == NULL)
        return NULL;
    chain->holders = 1;
    chain->der = malloc(len > 0 ? len : 1);
    if (chain->der == NULL) {
        free(chain);
        return NULL;
    }
    return chain;
}

static struct err finish(struct chain *chain, struct chain **out)
{
    struct err e = describe(chain);
    if (failed(e)) {
        chain_release(chain);
        return e;
    }
    *out = chain;
    return OK;
}

struct err chain_new(const struct slice *certificates, size_t count, struct chain **out)
{
    const struct why *problem = count > CHAIN_MAX ? &too_many : NULL;
    size_t len = 0;
    size_t taken = 0;
    for (; taken < count && taken < CHAIN_MAX; taken++) {
        if (certificates[taken].len > CERTIFICATE_DER_MAX) {
            problem = &too_long;
            break;
        }
        len += certificates[taken].len;
    }
    struct chain *chain = begin(len);
    if (chain == NULL)
        return FAIL(ERR_NO_MEMORY);
    chain->problem = problem;
    struct err e = OK;
    for (uint8_t *at = chain->der; chain->count < taken && !failed(e); chain->count++) {
        struct slice from = certificates[chain->count];
        struct shown *shown = &chain->shown[chain->count];
        if (from.len > 0)
            memcpy(at, from.at, from.len);
        shown->der = slice_of(at, from.len);
        at += from.len;
        e = facts_decode(shown->der, &shown->x509);
        if (e.code != ERR_INVALID)
            continue;
        e = OK;
        if (chain->problem == NULL)
            chain->problem = &unreadable;
    }
    if (failed(e)) {
        chain_release(chain);
        return e;
    }
    return finish(chain, out);
}

// The decoded certificate keeps the bytes that were signed, so writing it again is a copy.
static struct err copy_openssl(struct chain *chain, X509 *const *x509, const int *len)
{
    unsigned char *at = chain->der;
    for (; len[chain->count] > 0; chain->count++) {
        struct shown *shown = &chain->shown[chain->count];
        shown->der = slice_of(at, (size_t)len[chain->count]);
        if (i2d_X509(x509[chain->count], &at) != len[chain->count])
            return FAIL(ERR_NO_MEMORY);
        (void)X509_up_ref(x509[chain->count]);
        shown->x509 = x509[chain->count];
    }
    return OK;
}

struct err chain_from_openssl(X509 *leaf, STACK_OF(X509) * others, struct chain **out)
{
    X509 *x509[CHAIN_MAX] = {leaf};
    int len[CHAIN_MAX + 1] = {0}; // 0 ends it
    int beside = others != NULL ? sk_X509_num(others) : 0;
    const struct why *problem = beside > CHAIN_MAX - 1 ? &too_many : NULL;
    size_t total = 0;
    for (int i = 0; i <= beside && i < CHAIN_MAX; i++) {
        if (i > 0)
            x509[i] = sk_X509_value(others, i - 1);
        len[i] = i2d_X509(x509[i], NULL);
        if (len[i] <= 0)
            return FAIL(ERR_NO_MEMORY);
        if (len[i] > CERTIFICATE_DER_MAX) {
            problem = &too_long;
            len[i] = 0;
            break;
        }
        total += (size_t)len[i];
    }
    struct chain *chain = begin(total);
    if (chain == NULL)
        return FAIL(ERR_NO_MEMORY);
    chain->problem = problem;
    chain->of_tls = true;
    struct err e = copy_openssl(chain, x509, len);
    if (failed(e)) {
        chain_release(chain);
        return e;
    }
    return finish(chain, out);
}

struct chain *chain_hold(struct chain *chain)
{
    chain->holders++;
    return chain;
}

// The TLS library holds the leaf too until the connection ends, and looks at it no more: what can be taken
// out of it is 2.5 KB for each connection. The type that the key gets does not matter; its data goes.
static void empty_leaf(struct chain *chain)
{
    const struct shown *leaf = &chain->shown[0];
    bool ours_alone = leaf->facts == NULL || leaf->facts->holders == 1;
    X509_NAME *nobody = leaf->x509 != NULL && ours_alone ? X509_NAME_new() : NULL;
    if (nobody == NULL)
        return;
    EVP_PKEY *key = X509_get0_pubkey(leaf->x509);
    if (key != NULL)
        (void)EVP_PKEY_set_type(key, EVP_PKEY_X25519);
    (void)X509_set_subject_name(leaf->x509, nobody);
    (void)X509_set_issuer_name(leaf->x509, nobody);
    while (X509_get_ext_count(leaf->x509) > 0)
        X509_EXTENSION_free(X509_delete_ext(leaf->x509, 0));
    X509_NAME_free(nobody);
    ERR_clear_error();
}

void chain_rest(struct chain *chain)
{
    if (chain->of_tls)
        empty_leaf(chain);
    chain->of_tls = false; // what is decoded from now on is ours
    for (size_t i = 0; i < chain->count; i++) {
        X509_free(chain->shown[i].x509);
        chain->shown[i].x509 = NULL;
        facts_release(chain->shown[i].facts);
        chain->shown[i].facts = NULL;
    }
}

bool chain_rests(const struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (chain->shown[i].x509 != NULL || chain->shown[i].facts != NULL)
            return false;
    }
    return true;
}

void chain_release(struct chain *chain)
{
    if (chain == NULL || --chain->holders > 0)
        return;
    chain_rest(chain);
    free(chain->der);
    free(chain->common_name);
    free(chain);
}

const struct why *chain_problem(const struct chain *chain)
{
    return chain->problem;
}

size_t chain_shown(const struct chain *chain, struct slice *out, size_t max)
{
    size_t count = chain->count < max ? chain->count : max;
    for (size_t i = 0; i < count; i++)
        out[i] = chain->shown[i].der;
    return count;
}

struct slice chain_leaf(const struct chain *chain)
{
    return chain->shown[0].der;
}

struct slice chain_common_name(const struct chain *chain)
{
    return slice_of(chain->common_name, chain->common_name_len);
}

const uint8_t *chain_fingerprint(const struct chain *chain)
{
    return chain->shown[0].fingerprint;
}

struct err chain_sha1(const struct chain *chain, uint8_t out[20])
{
    return sha1(chain->shown[0].der, out);
}

int64_t chain_not_before_us(const struct chain *chain)
{
    return chain->not_before_us;
}

int64_t chain_not_after_us(const struct chain *chain)
{
    return chain->not_after_us;
}

size_t chain_issuers(const struct chain *chain, uint32_t *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; chain->problem == NULL && i < chain->count && count < max; i++) {
        bool seen = false;
        for (size_t k = 0; k < count; k++)
            seen = seen || out[k] == chain->shown[i].issuer;
        if (!seen)
            out[count++] = chain->shown[i].issuer;
    }
    return count;
}

struct err chain_facts(struct chain *chain, size_t index, struct facts **out)
{
    struct shown *shown = &chain->shown[index];
    if (shown->x509 == NULL && failed(facts_decode(shown->der, &shown->x509)))
        return FAIL(ERR_NO_MEMORY); // it was decoded when the chain was made
    if (shown->facts == NULL)
        TRY(facts_new(shown->x509, shown->fingerprint, &shown->facts));
    *out = shown->facts;
    return OK;
}

struct err chain_judge(struct chain *chain, const struct verdict **out)
{
    if (!chain->judged) {
        struct facts *facts;
        TRY(chain_facts(chain, 0, &facts));
        chain->profile = facts->profile;
        chain->judged = profile_may_be_kept(&chain->profile);
    }
    *out = &chain->profile;
    return OK;
}

struct label chain_label(const struct chain *chain)
{
    return facts_label_common(chain->common_name_len > 0 ? chain_common_name(chain) : SLICE("(none)"));
}
