// Certificates for tests, and putting them where operators keep them.
#include "flow/flow_pki_test.h"

#include <stdio.h>

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

void put_ca(struct world *w, const char *name, const struct certificate *c, bool verified)
{
    struct ca_certificate ca = {
        .name = slice_text(name), .certificate = c->der, .verified = verified, .etag = ++w->next_random};
    assert_false(failed(ca_certificate_words(&w->arena, &ca, &ca.words)));
    put(w, STORE_CERTIFICATE, ca.name, &ca);
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
