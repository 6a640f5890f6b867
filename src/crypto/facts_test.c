// What is worked out of a certificate when memory runs out in the middle of it.
#include "crypto/facts.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "crypto/hmac.h"
#include "crypto/issuers_kept.h"
#include "crypto/making_test.h"

static long until_none = -1; // allocations that still succeed; -1: all
static bool none_for_long;   // then no other succeeds, or only one fails
static bool refused;

static bool give(void)
{
    if (until_none != 0) {
        until_none -= until_none > 0;
        return true;
    }
    refused = true;
    until_none = none_for_long ? 0 : -1;
    return false;
}

static void run_out_after(long allocations, bool for_long)
{
    until_none = allocations;
    none_for_long = for_long;
    refused = false;
}

// Whether it did run out meanwhile.
static bool ran_out(void)
{
    until_none = -1;
    return refused;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return give() ? malloc(size) : NULL;
}

static void *resize(void *at, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return give() ? realloc(at, size) : NULL;
}

static void release(void *at, const char *file, int line)
{
    (void)file, (void)line;
    free(at);
}

// Kept for later, such a CA could vouch for any name (I5).
static void without_memory_no_ca_loses_its_name_constraints(void **state)
{
    (void)state;
    const struct made *ca = make(&(struct spec){
        .subject = "ca", .extensions = CA_EXTENSIONS "nameConstraints=critical,permitted;DNS:example.com\n"});
    struct facts *first; // what is looked up once for the process has been
    assert_false(failed(facts_read(ca->der, &first)));
    assert_non_null(first->constraints);
    facts_release(first);
    for (long n = 0, short_of = 1; short_of; n++) {
        struct facts *facts = NULL;
        assert_true(n < 10000);
        run_out_after(n, true);
        struct err e = facts_read(ca->der, &facts);
        short_of = ran_out();
        if (!failed(e) && facts->profile.broken[ROLE_AUTHORITY] == NULL && facts->constraints == NULL)
            fail_msg("%ld allocations: a CA without its constraints", n);
        if (!failed(e))
            facts_release(facts);
    }
    made_release();
}

// Fails closed at once (I5), and is over when there is memory again (I9). What can be seen of it is told
// apart from a refusal (I11); OpenSSL hides what happens while it decodes a key.
static void check_without_memory(const struct made *made, enum role role, bool for_long)
{
    struct facts *whole;
    assert_false(failed(facts_read(made->der, &whole)));
    size_t hidden = 0;
    long n = 0;
    for (bool short_of = true; short_of; n++) {
        struct issuers *issuers;
        struct facts *facts = NULL;
        assert_true(n < 10000);
        assert_false(failed(issuers_new(4, 0, &issuers)));
        run_out_after(n, for_long);
        struct err e = issuers_facts(issuers, made->der, &facts);
        short_of = ran_out();
        if (failed(e) && e.code != ERR_NO_MEMORY)
            hidden++;
        if (!failed(e)) {
            hidden += facts->profile.broken[role] != whole->profile.broken[role];
            if (facts->profile.broken[role] == NULL && whole->profile.broken[role] != NULL)
                fail_msg("%ld allocations: good enough, although it %s", n, whole->profile.broken[role]);
            facts_release(facts);
        }
        assert_false(failed(issuers_facts(issuers, made->der, &facts)));
        if (facts->profile.broken[role] != whole->profile.broken[role])
            fail_msg("%ld allocations: it still %s", n, facts->profile.broken[role]);
        assert_int_equal(facts->subject, whole->subject);
        assert_int_equal(facts->issuer, whole->issuer);
        facts_release(facts);
        issuers_free(issuers);
    }
    facts_release(whole);
    if (hidden * 2 > (size_t)n)
        fail_msg("of %ld failures %zu were taken for a certificate's own", n, hidden);
}

static void a_want_of_memory_is_no_rule_that_a_certificate_breaks_and_is_not_kept(void **state)
{
    (void)state;
    const struct {
        const struct made *made;
        enum role role;
    } rows[] = {
        {make_ca("ca", NULL), ROLE_AUTHORITY},
        {make(&(struct spec){.subject = "rsa", .kind = "RSA"}), ROLE_AUTHORITY},
        {make(&(struct spec){.subject = "pss", .kind = "RSA", .pss = true}), ROLE_AUTHORITY},
        {make(&(struct spec){.subject = "ed", .kind = "ED25519"}), ROLE_AUTHORITY},
        {make(&(struct spec){.subject = "sha1", .kind = "RSA", .digest = "SHA1"}), ROLE_AUTHORITY},
        {make_that_can_be_factored(), ROLE_PINNED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_without_memory(rows[i].made, rows[i].role, false);
        check_without_memory(rows[i].made, rows[i].role, true);
    }
    made_release();
}

// A hub that took something else for the digest would know a device by it that is nobody's.
static void without_memory_a_certificate_has_no_sha1(void **state)
{
    (void)state;
    const struct made *device = make_device("d1", NULL);
    uint8_t want[SHA1_SIZE];
    uint8_t have[SHA1_SIZE];
    struct chain *chain;
    assert_false(failed(sha1(device->der, want)));
    assert_false(failed(chain_new(&device->der, 1, &chain)));
    long n = 0;
    for (bool short_of = true; short_of; n++) {
        assert_true(n < 100);
        run_out_after(n, true);
        struct err e = chain_sha1(chain, have);
        short_of = ran_out();
        assert_int_equal(e.code, short_of ? ERR_NO_MEMORY : ERR_NONE);
    }
    assert_true(n > 1);
    assert_memory_equal(have, want, SHA1_SIZE);
    chain_release(chain);
    made_release();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_no_ca_loses_its_name_constraints),
        cmocka_unit_test(a_want_of_memory_is_no_rule_that_a_certificate_breaks_and_is_not_kept),
        cmocka_unit_test(without_memory_a_certificate_has_no_sha1),
    };
    if (CRYPTO_set_mem_functions(take, resize, release) != 1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
