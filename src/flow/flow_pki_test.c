// Certificates for tests, and putting them where operators keep them.
#include "flow/flow_pki_test.h"

#include <stdio.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/certificate.h"
#include "crypto/hmac.h"
#include "domain/words.h"

// ---- a PKI
// --------------------------------------------------------------------------------------------------------

static struct certificate made[32];
static size_t made_count;

struct certificate *make(struct world *w, enum bench_role role, const char *name,
                         const struct certificate *issuer, int days)
{
    assert_true(made_count < sizeof made / sizeof made[0]);
    struct certificate *c = &made[made_count++];
    *c = (struct certificate){.pem = buf_capped(BENCH_PEM_MAX), .key = buf_capped(BENCH_PEM_MAX)};
    struct bench_spec spec = {.role = role,
                              .common_name = slice_text(name),
                              .path_len = BENCH_ANY_DEPTH,
                              .days = days,
                              .now_us = w->now_us};
    struct why why = {0};
    const char *const localhost[] = {"localhost"};
    if (role == BENCH_SERVER)
        spec.names = (struct bench_names){.dns = localhost, .dns_count = 1};
    if (issuer != NULL) {
        spec.issuer_certificate = buf_slice(&issuer->pem);
        spec.issuer_key = buf_slice(&issuer->key);
    }
    if (failed(bench_make(&spec, &c->pem, &c->key, &why)))
        fail_msg("%s", why.text);
    assert_false(failed(certificate_read(&w->arena, buf_slice(&c->pem), &c->der, &why)));
    return c;
}

struct certificate *root_of(struct world *w, const char *name)
{
    return make(w, BENCH_ROOT, name, NULL, 0);
}

struct certificate *below(struct world *w, const char *name, const struct certificate *issuer)
{
    return make(w, BENCH_INTERMEDIATE, name, issuer, 0);
}

struct certificate *device(struct world *w, const char *name, const struct certificate *issuer)
{
    return make(w, BENCH_DEVICE, name, issuer, 0);
}

int pki_teardown(void **state)
{
    int result = world_teardown(state);
    while (made_count > 0) {
        made_count--;
        buf_release(&made[made_count].pem);
        buf_release(&made[made_count].key);
    }
    return result;
}

// What TLS would hand over; NULL ends the list.
struct chain *chain_of(const struct certificate *leaf, const struct certificate *first,
                       const struct certificate *second)
{
    const struct certificate *all[] = {leaf, first, second};
    struct slice der[3];
    size_t count = 0;
    struct chain *chain = NULL;
    for (size_t i = 0; i < 3 && all[i] != NULL; i++)
        der[count++] = all[i]->der;
    assert_false(failed(chain_new(der, count, &chain)));
    return chain;
}

// ---- what operators keep
// ------------------------------------------------------------------------------------------

static void put(struct world *w, enum store_table table, struct slice id, const void *record)
{
    struct slice key;
    assert_false(failed(arena_lower(&w->arena, id, &key)));
    struct store_request request = {
        .verb = STORE_PUT, .table = table, .partition = SLICE(SCOPE), .key = key, .record = record};
    store_do(w, &request);
    assert_false(failed(request.result));
}

static void put_ca_as(struct world *w, struct ca_certificate *ca)
{
    ca->etag = ++w->next_random;
    assert_false(failed(ca_certificate_words(&w->arena, ca, &ca->words)));
    put(w, STORE_CERTIFICATE, ca->name, ca);
}

void put_ca(struct world *w, const char *name, const struct certificate *c, bool verified)
{
    struct ca_certificate ca = {.name = slice_text(name), .certificate = c->der, .verified = verified};
    put_ca_as(w, &ca);
}

static X509 *x509_of(const struct certificate *c)
{
    const unsigned char *at = c->der.at;
    X509 *x509 = d2i_X509(NULL, &at, (long)c->der.len);
    assert_non_null(x509);
    return x509;
}

// Signed by `issuer`, good for a week around now.
static struct slice list_of(struct world *w, const struct certificate *issuer,
                            const struct certificate *revoked)
{
    X509_CRL *crl = X509_CRL_new();
    X509 *by = x509_of(issuer);
    BIO *pem = BIO_new_mem_buf(issuer->key.at, (int)issuer->key.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)(w->now_us / 1000000 - 3600));
    assert_true(X509_CRL_set_version(crl, 1) == 1 && X509_CRL_set1_lastUpdate(crl, time) == 1 &&
                X509_CRL_set_issuer_name(crl, X509_get_subject_name(by)) == 1);
    if (revoked != NULL) {
        X509 *out = x509_of(revoked);
        X509_REVOKED *entry = X509_REVOKED_new();
        assert_true(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(out)) == 1 &&
                    X509_REVOKED_set_revocationDate(entry, time) == 1 &&
                    X509_CRL_add0_revoked(crl, entry) == 1);
        X509_free(out);
    }
    assert_non_null(ASN1_TIME_set(time, (time_t)(w->now_us / 1000000 + 7 * 86400)));
    assert_true(X509_CRL_set1_nextUpdate(crl, time) == 1 && X509_CRL_sign(crl, key, EVP_sha256()) > 0);
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(crl, &der);
    struct slice kept = {0};
    assert_true(len > 0 && !failed(arena_copy(&w->arena, slice_of(der, (size_t)len), &kept)));
    OPENSSL_free(der);
    ASN1_TIME_free(time);
    EVP_PKEY_free(key);
    BIO_free(pem);
    X509_free(by);
    X509_CRL_free(crl);
    return kept;
}

void put_ca_with_list(struct world *w, const char *name, const struct certificate *c, bool verified,
                      const struct certificate *revoked)
{
    uint8_t digest[SHA256_SIZE];
    struct ca_crl list = {.name = slice_text(name), .crl = list_of(w, c, revoked), .etag = ++w->next_random};
    assert_false(failed(sha256(list.crl, digest)));
    struct ca_certificate ca = {.name = slice_text(name),
                                .certificate = c->der,
                                .verified = verified,
                                .crl_digest = slice_of(digest, sizeof digest),
                                .crl_next_update_us = w->now_us + 7 * 86400 * INT64_C(1000000)};
    put(w, STORE_CRL, list.name, &list);
    put_ca_as(w, &ca);
}

static void put_words(struct world *w, struct enrollment *e)
{
    e->etag = ++w->next_random;
    assert_false(failed(enrollment_words(&w->arena, e, &e->words)));
    put(w, e->kind == ENROLLMENT_GROUP ? STORE_GROUP : STORE_ENROLLMENT, e->id, e);
}

void put_group(struct world *w, const char *id, const struct certificate *signing,
               enum provisioning_status status)
{
    struct enrollment e = {.kind = ENROLLMENT_GROUP,
                           .id = slice_text(id),
                           .provisioning_status = status,
                           .attestation = {.type = ATTESTATION_X509,
                                           .certificate_role = CERTIFICATE_SIGNING,
                                           .primary_certificate = signing->der}};
    put_words(w, &e);
}

void put_group_by_name(struct world *w, const char *id, const char *ca)
{
    struct enrollment e = {.kind = ENROLLMENT_GROUP,
                           .id = slice_text(id),
                           .provisioning_status = PROVISIONING_ENABLED,
                           .attestation = {.type = ATTESTATION_X509,
                                           .certificate_role = CERTIFICATE_CA_REFERENCE,
                                           .primary_ca = slice_text(ca)}};
    put_words(w, &e);
}

void put_individual(struct world *w, const char *id, const struct certificate *primary,
                    const struct certificate *secondary, enum provisioning_status status)
{
    struct enrollment e = {
        .id = slice_text(id),
        .provisioning_status = status,
        .attestation = {.type = ATTESTATION_X509,
                        .certificate_role = CERTIFICATE_CLIENT,
                        .primary_certificate = primary->der,
                        .secondary_certificate = secondary != NULL ? secondary->der : (struct slice){0}}};
    put_words(w, &e);
}

// A verified root and a group of it: what most tests begin with.
struct certificate *fleet(struct world *w)
{
    struct certificate *root = root_of(w, "Factory root");
    put_ca(w, "factory", root, true);
    put_group(w, "Fleet", root, PROVISIONING_ENABLED);
    return root;
}

// ---- devices at the door
// -----------------------------------------------------------------------------------------

// The connection is gone before the answer comes: the request must not need it.
void show_and_leave(struct world *w, enum flow_verb verb, const char *id, const char *operation,
                    const struct certificate *leaf, const struct certificate *first,
                    const struct certificate *second)
{
    struct chain *chain = chain_of(leaf, first, second);
    ask_showing(w, verb, id, operation, chain);
    chain_release(chain);
}

// Shows the leaf alone, or with one that is above it.
void enter(struct world *w, const char *id, const struct certificate *leaf, const struct certificate *first)
{
    size_t answers = w->answers;
    show_and_leave(w, FLOW_REGISTER, id, "", leaf, first, NULL);
    until_answers(w, answers + 1);
}

void assert_assigned(struct world *w)
{
    if (failed(w->result))
        fail_msg("%s: %s", err_info(w->result)->name, w->why.text);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

void assert_refused(struct world *w, enum err_code code)
{
    if (w->result.code != code)
        fail_msg("%s: %s", err_info(w->result)->name, w->why.text);
    assert_int_equal(err_info(w->result)->number, 401002); // all that the device learns
    assert_true(strlen(w->why.text) > 20);                 // the operator learns more
}
