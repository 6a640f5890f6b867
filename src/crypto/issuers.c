// Two maps, each with its elements in the order of their last use.
#include "crypto/issuers.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "crypto/hmac.h"
#include "crypto/issuers_kept.h"
#include "crypto/random.h"

struct kept {
    struct list link;
    struct facts *facts;
    struct label label; // of its subject
    unsigned char *der; // OpenSSL's
    size_t der_len;
};

enum {
    LOOKED_AT = 4
}; // the latest used, before anything is hashed: most devices of an hour have few CAs above them

struct kept_list {
    struct list link;
    uint8_t digest[SHA256_SIZE];
    struct revocation *list;
};

struct issuers {
    struct map certificates; // fingerprint -> kept
    struct list recent;      // the longest unused first
    size_t max;
    struct map lists; // digest -> kept_list
    struct list recent_lists;
    size_t list_bytes;
    size_t list_bytes_max;
};

struct err issuers_new(size_t certificates, size_t crl_bytes, struct issuers **out)
{
    struct issuers *issuers = calloc(1, sizeof *issuers);
    if (issuers == NULL)
        return FAIL(ERR_NO_MEMORY);
    uint64_t seed;
    random_fill(&seed, sizeof seed);
    map_init(&issuers->certificates, seed);
    map_init(&issuers->lists, seed);
    list_init(&issuers->recent);
    list_init(&issuers->recent_lists);
    issuers->max = certificates;
    issuers->list_bytes_max = crl_bytes;
    *out = issuers;
    return OK;
}

static void forget(struct issuers *issuers, struct kept *kept)
{
    (void)map_remove(&issuers->certificates, slice_of(kept->facts->fingerprint, FINGERPRINT_SIZE));
    list_remove(&kept->link);
    facts_release(kept->facts);
    OPENSSL_free(kept->der);
    free(kept);
}

static void forget_list(struct issuers *issuers, struct kept_list *kept)
{
    (void)map_remove(&issuers->lists, slice_of(kept->digest, SHA256_SIZE));
    list_remove(&kept->link);
    issuers->list_bytes -= revocation_size(kept->list);
    revocation_release(kept->list);
    free(kept);
}

void issuers_free(struct issuers *issuers)
{
    if (issuers == NULL)
        return;
    LIST_EACH (at, &issuers->recent)
        forget(issuers, CONTAINER_OF(at, struct kept, link));
    LIST_EACH (at, &issuers->recent_lists)
        forget_list(issuers, CONTAINER_OF(at, struct kept_list, link));
    map_release(&issuers->certificates);
    map_release(&issuers->lists);
    free(issuers);
}

static void touch(struct list *recent, struct list *link)
{
    list_remove(link);
    list_append(recent, link);
}

static struct kept *kept_at(struct issuers *issuers, const uint8_t fingerprint[FINGERPRINT_SIZE])
{
    struct kept *kept = map_get(&issuers->certificates, slice_of(fingerprint, FINGERPRINT_SIZE));
    if (kept != NULL)
        touch(&issuers->recent, &kept->link);
    return kept;
}

static struct kept *kept_lately(struct issuers *issuers, struct slice der)
{
    size_t left = LOOKED_AT;
    for (struct list *at = issuers->recent.prev; at != &issuers->recent && left > 0; at = at->prev, left--) {
        struct kept *kept = CONTAINER_OF(at, struct kept, link);
        if (slice_equal(slice_of(kept->der, kept->der_len), der)) {
            touch(&issuers->recent, at);
            return kept;
        }
    }
    return NULL;
}

struct facts *issuers_find(struct issuers *issuers, const uint8_t fingerprint[FINGERPRINT_SIZE])
{
    struct kept *kept = kept_at(issuers, fingerprint);
    return kept != NULL ? kept->facts : NULL;
}

void issuers_keep(struct issuers *issuers, struct facts *facts)
{
    struct slice key = slice_of(facts->fingerprint, FINGERPRINT_SIZE);
    if (issuers->max == 0 || map_get(&issuers->certificates, key) != NULL)
        return;
    struct kept *kept = calloc(1, sizeof *kept);
    int len = kept != NULL ? i2d_X509(facts->x509, &kept->der) : -1;
    if (len < 0 || failed(map_put(&issuers->certificates, key, kept, NULL))) {
        if (len > 0)
            OPENSSL_free(kept->der);
        free(kept);
        return;
    }
    kept->der_len = (size_t)len;
    kept->label = facts_label(X509_get_subject_name(facts->x509));
    kept->facts = facts_hold(facts);
    list_append(&issuers->recent, &kept->link);
    if (issuers->certificates.count > issuers->max)
        forget(issuers, CONTAINER_OF(issuers->recent.next, struct kept, link));
}

struct err issuers_facts(struct issuers *issuers, struct slice der, struct facts **out)
{
    uint8_t fingerprint[FINGERPRINT_SIZE];
    struct kept *kept = kept_lately(issuers, der);
    if (kept == NULL) {
        TRY(sha256(der, fingerprint));
        kept = kept_at(issuers, fingerprint);
    }
    if (kept != NULL) {
        *out = facts_hold(kept->facts);
        return OK;
    }
    TRY(facts_read(der, out));
    issuers_keep(issuers, *out);
    return OK;
}

struct err issuers_names(struct issuers *issuers, struct slice der, uint32_t *subject, uint32_t *issuer)
{
    struct facts *facts;
    TRY(issuers_facts(issuers, der, &facts));
    *subject = facts->subject;
    *issuer = facts->issuer;
    facts_release(facts);
    return OK;
}

struct err issuers_label(struct issuers *issuers, struct slice der, char label[ISSUER_LABEL_SIZE],
                         int64_t *not_after_us)
{
    struct facts *facts;
    TRY(issuers_facts(issuers, der, &facts));
    const struct kept *kept = kept_lately(issuers, der);
    struct label name = kept != NULL ? kept->label : facts_label(X509_get_subject_name(facts->x509));
    _Static_assert(sizeof name.text == ISSUER_LABEL_SIZE, "a label fits");
    memcpy(label, name.text, sizeof name.text);
    *not_after_us = facts->not_after_us;
    facts_release(facts);
    return OK;
}

bool issuers_has_crl(const struct issuers *issuers, struct slice digest)
{
    return map_get(&issuers->lists, digest) != NULL;
}

static void keep_list(struct issuers *issuers, struct slice digest, struct revocation *list)
{
    size_t size = revocation_size(list);
    if (size > issuers->list_bytes_max)
        return;
    struct kept_list *kept = calloc(1, sizeof *kept);
    if (kept == NULL)
        return;
    if (failed(map_put(&issuers->lists, digest, kept, NULL))) {
        free(kept);
        return;
    }
    memcpy(kept->digest, digest.at, SHA256_SIZE);
    kept->list = revocation_hold(list);
    list_append(&issuers->recent_lists, &kept->link);
    issuers->list_bytes += size;
    while (issuers->list_bytes > issuers->list_bytes_max)
        forget_list(issuers, CONTAINER_OF(issuers->recent_lists.next, struct kept_list, link));
}

static struct err read_list(struct issuers *issuers, struct slice digest, struct slice der,
                            const struct facts *ca, struct revocation **out, struct why *why)
{
    uint8_t found[SHA256_SIZE];
    if (slice_empty(der))
        return why_fail(why, ERR_INVALID, "the revocation list is not at hand");
    TRY(sha256(der, found));
    if (!slice_equal(slice_of(found, SHA256_SIZE), digest))
        return why_fail(why, ERR_INVALID, "the revocation list is not the one that was handed in");
    TRY(revocation_read(der, ca, out, why));
    keep_list(issuers, digest, *out);
    return OK;
}

struct err issuers_list(struct issuers *issuers, struct slice digest, struct slice der,
                        const struct facts *ca, struct revocation **out, struct why *why)
{
    struct kept_list *kept = map_get(&issuers->lists, digest);
    if (kept == NULL)
        return read_list(issuers, digest, der, ca, out, why);
    touch(&issuers->recent_lists, &kept->link);
    if (ca->key == NULL || EVP_PKEY_eq(kept->list->signer, ca->key) != 1)
        return why_fail(why, ERR_INVALID, "the revocation list was not signed with the CA's key");
    *out = revocation_hold(kept->list);
    return OK;
}
