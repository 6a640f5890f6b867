// Certificates made to keep the verifier busy: many CAs of one name, so that each might have signed what is
// below. What is asserted is how many signatures are checked and that the answer names the cause, never how
// long it takes.
#include "base/testing.h"
#include "crypto/path.h"
#include "make.h"
#include "signatures.h"

#define NOW_S  ((time_t)1800000000) // 2027-01-15T08:00:00Z
#define NOW_US ((int64_t)NOW_S * 1000000)

enum { SHOWN = CHAIN_MAX - 1 };

// A crowd of CAs of one name that all could be above each other, and a leaf below the last of them.
struct crowd {
    struct made leaf;
    struct made known[PATH_KNOWN_MAX];
    struct made shown[SHOWN];
    struct made outside; // who signed the leaf
};

static void make_one(struct made *made, const struct made *signer, bool is_ca, EVP_PKEY *key)
{
    const struct plan plan = {.authority = ""}; // no key identifier says which of them it was
    made->subject = name_read(is_ca ? "CN=one of many" : "CN=device", "");
    made->key = key ? key : key_make(EC_P256);
    if (key)
        EVP_PKEY_up_ref(key);
    certificate_make(&plan, "", is_ca, signer ? signer : made, NOW_S, made);
}

static void crowd_make(struct crowd *crowd, bool one_key)
{
    *crowd = (struct crowd){0};
    make_one(&crowd->outside, NULL, true, NULL);
    EVP_PKEY *key = one_key ? crowd->outside.key : NULL;
    for (size_t i = 0; i < PATH_KNOWN_MAX; i++)
        make_one(&crowd->known[i], NULL, true, key);
    for (size_t i = 0; i < SHOWN; i++)
        make_one(&crowd->shown[i], NULL, true, key);
    make_one(&crowd->leaf, &crowd->outside, false, NULL);
}

static void crowd_release(struct crowd *crowd)
{
    made_release(&crowd->leaf);
    made_release(&crowd->outside);
    for (size_t i = 0; i < PATH_KNOWN_MAX; i++)
        made_release(&crowd->known[i]);
    for (size_t i = 0; i < SHOWN; i++)
        made_release(&crowd->shown[i]);
}

static struct err judge(const struct crowd *crowd, bool anchors, struct why *why)
{
    struct path_known known[PATH_KNOWN_MAX];
    struct slice shown[CHAIN_MAX] = {slice_of(crowd->leaf.der, crowd->leaf.len)};
    for (size_t i = 0; i < PATH_KNOWN_MAX; i++)
        known[i] =
            (struct path_known){.der = slice_of(crowd->known[i].der, crowd->known[i].len), .anchor = anchors};
    for (size_t i = 0; i < SHOWN; i++)
        shown[i + 1] = slice_of(crowd->shown[i].der, crowd->shown[i].len);
    struct issuers *issuers = NULL;
    struct chain *chain = NULL;
    assert_false(failed(issuers_new(128, 1 << 20, &issuers)));
    assert_false(failed(chain_new(shown, CHAIN_MAX, &chain)));
    const struct path_question question = {
        .chain = chain, .known = known, .known_count = PATH_KNOWN_MAX, .now_us = NOW_US};
    struct path paths[4];
    size_t count = 0;
    signatures_checked = 0;
    struct err e = path_find(issuers, &question, paths, 4, &count, why);
    chain_release(chain);
    issuers_free(issuers);
    assert_true(signatures_checked <= PATH_SIGNATURES_MAX);
    return e;
}

static void many_cas_of_one_name_cost_no_more_than_a_few_signatures(void **state)
{
    (void)state;
    struct crowd crowd;
    struct why why = {0};
    crowd_make(&crowd, false);
    struct err e = judge(&crowd, true, &why);
    crowd_release(&crowd);
    assert_int_equal(e.code, ERR_CERTIFICATE_REFUSED);
    if (!strstr(why.text, "too many certificates have the name CN=one of many"))
        fail_msg("the reason is '%s'", why.text);
}

// 69 certificates of one name and one key: each may stand above each, in 69 * 68 * 67 * 66 ways.
static void many_certificates_of_one_ca_do_not_multiply(void **state)
{
    (void)state;
    struct crowd crowd;
    struct why why = {0};
    crowd_make(&crowd, true);
    struct err e = judge(&crowd, false, &why);
    crowd_release(&crowd);
    assert_int_equal(e.code, ERR_CERTIFICATE_REFUSED);
    // by the signatures or by the ways, whichever cap comes first
    if (!strstr(why.text, "too many certificates have the name CN=one of many") &&
        !strstr(why.text, "too many certificates have the same names"))
        fail_msg("the reason is '%s'", why.text);
}

static void among_many_certificates_of_one_ca_the_way_is_found(void **state)
{
    (void)state;
    struct crowd crowd;
    struct why why = {0};
    crowd_make(&crowd, true);
    struct err e = judge(&crowd, true, &why);
    crowd_release(&crowd);
    assert_false(failed(e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_cas_of_one_name_cost_no_more_than_a_few_signatures),
        cmocka_unit_test(many_certificates_of_one_ca_do_not_multiply),
        cmocka_unit_test(among_many_certificates_of_one_ca_the_way_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
