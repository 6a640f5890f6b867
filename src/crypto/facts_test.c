// What is worked out of a certificate when memory runs out in the middle of it.
#include "crypto/facts.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "crypto/making_test.h"

static long until_none = -1; // allocations that still succeed; -1: all

static bool give(void)
{
    if (until_none > 0)
        until_none--;
    return until_none != 0;
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
    bool whole = false;
    for (long n = 1; !whole; n++) {
        struct facts *facts = NULL;
        assert_true(n < 10000);
        until_none = n;
        struct err e = facts_read(ca->der, &facts);
        whole = until_none > 0;
        until_none = -1;
        if (!failed(e) && facts->profile.broken[ROLE_AUTHORITY] == NULL && facts->constraints == NULL)
            fail_msg("%ld allocations: a CA without its constraints", n);
        if (!failed(e))
            facts_release(facts);
    }
    made_release();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_no_ca_loses_its_name_constraints),
    };
    if (CRYPTO_set_mem_functions(take, resize, release) != 1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
