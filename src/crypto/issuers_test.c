// What is kept of certificates and revocation lists, and what has to give way.
#include <openssl/err.h>

#include "crypto/certificate.h"
#include "crypto/hmac.h"
#include "crypto/issuers_kept.h"
#include "crypto/making_test.h"

static struct issuers *issuers;
static struct why why;

static int set_up(void **state)
{
    (void)state;
    return failed(issuers_new(2, 2 * (sizeof(struct revocation) + 4 * sizeof(struct serial)), &issuers));
}

static int tear_down(void **state)
{
    (void)state;
    issuers_free(issuers);
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    made_release();
    return 0;
}

static bool is_kept(const struct made *made)
{
    uint8_t fingerprint[FINGERPRINT_SIZE];
    assert_false(failed(sha256(made->der, fingerprint)));
    return issuers_find(issuers, fingerprint) != NULL;
}

static void want(const struct made *made)
{
    uint32_t names[4];
    assert_false(failed(issuers_names(issuers, made->der, &names[0], &names[1])));
    assert_false(failed(certificate_names(made->der, &names[2], &names[3])));
    assert_int_equal(names[0], names[2]);
    assert_int_equal(names[1], names[3]);
}

static void the_certificate_used_least_lately_gives_way(void **state)
{
    (void)state;
    const struct made *a = make_ca("a", NULL);
    const struct made *b = make_ca("b", a);
    const struct made *c = make_ca("c", b);
    want(a);
    want(b);
    want(a);
    want(c);
    assert_false(is_kept(b));
    assert_true(is_kept(a));
    assert_true(is_kept(c));
    want(b);
    assert_true(is_kept(b));
}

static void who_uses_a_certificate_keeps_it_alive(void **state)
{
    (void)state;
    const struct made *a = make_ca("a", NULL);
    struct facts *facts;
    assert_false(failed(issuers_facts(issuers, a->der, &facts)));
    want(make_ca("b", NULL));
    want(make_ca("c", NULL));
    assert_false(is_kept(a));
    assert_int_equal(X509_cmp(facts->x509, a->x509), 0);
    facts_release(facts);
}

static void what_is_no_certificate_is_not_kept(void **state)
{
    (void)state;
    uint32_t names[2];
    assert_int_equal(issuers_names(issuers, SLICE("nothing"), &names[0], &names[1]).code, ERR_INVALID);
    assert_int_equal(issuers_names(issuers, (struct slice){0}, &names[0], &names[1]).code, ERR_INVALID);
    assert_int_equal(certificate_names(SLICE("nothing"), &names[0], &names[1]).code, ERR_INVALID);
}

static struct slice digest_of(struct slice der, uint8_t out[SHA256_SIZE])
{
    assert_false(failed(sha256(der, out)));
    return slice_of(out, SHA256_SIZE);
}

static void want_list(const struct made *ca, struct slice digest, struct slice der)
{
    struct facts *facts;
    struct revocation *list;
    assert_false(failed(issuers_facts(issuers, ca->der, &facts)));
    assert_false(failed(issuers_list(issuers, digest, der, facts, &list, &why)));
    revocation_release(list);
    facts_release(facts);
}

static void lists_have_a_share_of_memory(void **state)
{
    (void)state;
    const struct made *ca = make_ca("ca", NULL);
    const struct made *four[] = {ca, ca, ca, ca, NULL};
    uint8_t digest[3][SHA256_SIZE];
    struct slice lists[3];
    struct slice digests[3];
    for (size_t i = 0; i < 3; i++) {
        lists[i] = make_list(&(struct list_spec){
            .issuer = ca, .revoked = four, .from_us = -(int64_t)i * DAY_US, .to_us = DAY_US});
        digests[i] = digest_of(lists[i], digest[i]);
    }
    want_list(ca, digests[0], lists[0]);
    want_list(ca, digests[1], lists[1]);
    want_list(ca, digests[0], (struct slice){0}); // it is kept
    want_list(ca, digests[2], lists[2]);
    assert_true(issuers_has_crl(issuers, digests[0]));
    assert_false(issuers_has_crl(issuers, digests[1]));
    assert_true(issuers_has_crl(issuers, digests[2]));
}

static void a_kept_list_is_not_taken_for_another_ca(void **state)
{
    (void)state;
    const struct made *ca = make_ca("ca", NULL);
    const struct made *other = make_ca("ca", NULL);
    uint8_t digest[SHA256_SIZE];
    struct slice list = make_list(&(struct list_spec){.issuer = ca});
    struct facts *facts;
    struct revocation *found;
    want_list(ca, digest_of(list, digest), list);
    want_list(make(&(struct spec){.subject = "ca", .same_key = ca}), slice_of(digest, SHA256_SIZE),
              (struct slice){0}); // the CA's certificate was renewed
    assert_false(failed(issuers_facts(issuers, other->der, &facts)));
    assert_int_equal(issuers_list(issuers, slice_of(digest, SHA256_SIZE), list, facts, &found, &why).code,
                     ERR_INVALID);
    facts_release(facts);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_certificate_used_least_lately_gives_way), TEST(who_uses_a_certificate_keeps_it_alive),
        TEST(what_is_no_certificate_is_not_kept),          TEST(lists_have_a_share_of_memory),
        TEST(a_kept_list_is_not_taken_for_another_ca),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
