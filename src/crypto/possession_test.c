// What operators of CAs hand in: certificates, proofs, revocation lists.
#include <openssl/err.h>

#include "base/text.h"
#include "crypto/making_test.h"
#include "crypto/possession.h"

#define CODE  "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"
#define OTHER "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEE"

static struct arena arena;
static struct why why;
static const struct made *ca;

static int set_up(void **state)
{
    (void)state;
    arena = arena_capped(10000000);
    ca = make_ca("CA", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    made_release();
    return 0;
}

static struct err prove(struct spec spec, const char *code)
{
    if (spec.subject == NULL)
        spec.subject = CODE;
    if (spec.extensions == NULL)
        spec.extensions = "";
    why.text[0] = '\0';
    return possession_check(ca->der, make(&spec)->der, slice_text(code), NOW_US, &why);
}

static void assert_proved(struct spec spec, const char *code)
{
    if (failed(prove(spec, code)))
        fail_msg("%s", why.text);
}

static void assert_not_proved(struct spec spec, const char *code, const char *words)
{
    struct err e = prove(spec, code);
    if (e.code != ERR_INVALID || strstr(why.text, words) == NULL)
        fail_msg("%s: '%s', want '%s'", err_info(e)->name, why.text, words);
}

static void who_signs_the_code_has_the_key(void **state)
{
    (void)state;
    assert_proved((struct spec){.issuer = ca}, CODE);
    assert_proved((struct spec){.issuer = ca, .version = 1}, CODE);
    assert_proved((struct spec){.issuer = ca, .extensions = CA_EXTENSIONS}, CODE);
    ca = make(&(struct spec){.subject = "CA", .kind = "RSA"});
    assert_proved((struct spec){.issuer = ca, .kind = "RSA"}, CODE);
}

static void the_case_of_the_code_does_not_matter(void **state)
{
    (void)state;
    assert_proved(
        (struct spec){.issuer = ca,
                      .subject = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        CODE);
    assert_proved((struct spec){.issuer = ca},
                  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
}

static void another_code_proves_nothing(void **state)
{
    (void)state;
    assert_not_proved((struct spec){.issuer = ca}, OTHER, "is not the code");
    assert_not_proved((struct spec){.issuer = ca}, "", "is not the code");
    assert_not_proved((struct spec){.issuer = ca, .subject = "0123"}, "0123", "is not the code");
    assert_not_proved((struct spec){.issuer = ca, .subject = "/O=" CODE}, CODE, "is not the code");
    assert_not_proved((struct spec){.issuer = ca, .subject = "/CN=" CODE "/CN=x"}, CODE, "is not the code");
}

static void the_key_of_another_ca_proves_nothing(void **state)
{
    (void)state;
    assert_not_proved((struct spec){.issuer = make_ca("other", NULL)}, CODE,
                      "issued by CN=other, not by CN=CA");
    assert_not_proved((struct spec){.issuer = make_ca("CA", NULL)}, CODE, "not signed with the key of CN=CA");
    assert_not_proved((struct spec){.issuer = ca, .issuer_name = "other"}, CODE, "issued by CN=other");
    assert_not_proved((struct spec){.issuer = ca, .spoiled = true}, CODE, "not signed with the key");
    assert_not_proved((struct spec){0}, CODE, "issued by"); // it signed itself
}

static void a_proof_has_its_time_and_form(void **state)
{
    (void)state;
    assert_not_proved((struct spec){.issuer = ca, .from_us = -2 * DAY_US, .to_us = -1000000}, CODE,
                      "expired");
    assert_not_proved((struct spec){.issuer = ca, .from_us = DAY_US, .to_us = 2 * DAY_US}, CODE,
                      "not valid before");
    assert_not_proved((struct spec){.issuer = ca, .digest = "SHA1"}, CODE, "digest");
    assert_not_proved((struct spec){.issuer = ca, .kind = "P-192"}, CODE, "curve");
    assert_int_equal(possession_check(ca->der, SLICE("x"), SLICE(CODE), NOW_US, &why).code, ERR_INVALID);
    assert_int_equal(possession_check(SLICE("x"), ca->der, SLICE(CODE), NOW_US, &why).code, ERR_INVALID);
}

static void only_a_ca_can_be_proved(void **state)
{
    (void)state;
    ca = make_device("CA", NULL);
    assert_not_proved((struct spec){.issuer = ca}, CODE, "CN=CA is no CA");
}

static void assert_no_authority(struct slice der, const char *words)
{
    struct authority found;
    struct err e = authority_check(der, NOW_US, &found, &why);
    if (e.code != ERR_INVALID || strstr(why.text, words) == NULL)
        fail_msg("%s: '%s', want '%s'", err_info(e)->name, why.text, words);
}

static void only_what_can_vouch_for_others_becomes_a_ca(void **state)
{
    (void)state;
    struct authority found;
    const struct made *lower = make_ca("lower", ca);
    assert_false(failed(authority_check(lower->der, NOW_US, &found, &why)));
    assert_int_equal(found.not_before_us, NOW_US - DAY_US);
    assert_int_equal(found.not_after_us, NOW_US + 365 * DAY_US);
    struct authority above;
    assert_false(failed(authority_check(ca->der, NOW_US, &above, &why)));
    assert_int_equal(found.issuer, above.subject);
    assert_int_not_equal(found.subject, above.subject);
    assert_no_authority(make_device("d1", ca)->der, "CN=d1 is no CA");
    assert_no_authority(SLICE("x"), "not well-formed");
    assert_no_authority(
        make(&(struct spec){.subject = "late", .from_us = -2 * DAY_US, .to_us = -1000000})->der,
        "CN=late expired at 2027-01-15T07:59:59Z");
    const struct made *early = make(&(struct spec){.subject = "x", .from_us = DAY_US, .to_us = 2 * DAY_US});
    assert_false(failed(authority_check(early->der, NOW_US, &found, &why))); // handed in ahead of time
}

static struct err read_list(struct slice text)
{
    struct slice der;
    struct crl_facts facts;
    why.text[0] = '\0';
    return crl_read(&arena, text, ca->der, NOW_US, &der, &facts, &why);
}

static void assert_no_list(struct slice text, const char *words)
{
    struct err e = read_list(text);
    if (e.code != ERR_INVALID || strstr(why.text, words) == NULL)
        fail_msg("%s: '%s', want '%s'", err_info(e)->name, why.text, words);
}

static void assert_list(struct slice text, struct slice want, size_t revoked)
{
    struct slice der;
    struct crl_facts facts;
    if (failed(crl_read(&arena, text, ca->der, NOW_US, &der, &facts, &why)))
        fail_msg("%s", why.text);
    assert_true(slice_equal(der, want));
    assert_int_equal(facts.revoked, revoked);
    assert_int_equal(facts.this_update_us, NOW_US - DAY_US / 24);
    assert_int_equal(facts.next_update_us, NOW_US + DAY_US);
}

static void a_list_is_taken_in_every_wrapping(void **state)
{
    (void)state;
    struct slice list = make_list(&(struct list_spec){
        .issuer = ca,
        .revoked = (const struct made *[]){make_device("d1", ca), make_device("d2", ca), NULL}});
    struct buf base64 = buf_capped(10000);
    struct buf pem = buf_capped(10000);
    struct buf again = buf_capped(10000);
    b64_encode(&base64, list);
    buf_text(&pem, "-----BEGIN X509 CRL-----\r\n");
    buf_bytes(&pem, buf_slice(&base64));
    buf_text(&pem, "\r\n-----END X509 CRL-----\r\n");
    b64_encode(&again, buf_slice(&pem));
    assert_list(list, list, 2);
    assert_list(buf_slice(&base64), list, 2);
    assert_list(buf_slice(&pem), list, 2);
    assert_list(buf_slice(&again), list, 2);
    buf_release(&base64);
    buf_release(&pem);
    buf_release(&again);
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    struct slice list = make_list(&(struct list_spec){.issuer = ca});
    assert_no_list(SLICE(""), "is empty");
    assert_no_list(SLICE("%%"), "neither PEM nor base64");
    assert_no_list(slice_to(list, list.len - 1), "not well-formed");
    assert_no_list(ca->der, "not well-formed");
    assert_no_list(SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
                   "is a certificate, not a list");
    assert_no_list(SLICE("-----BEGIN X509-----\nAAAA\n-----END X509-----"), "no BEGIN X509 CRL line");
    uint8_t *large = arena_take(&arena, 2 * CRL_MAX + 1);
    assert_non_null(large);
    assert_no_list(slice_of(large, 2 * CRL_MAX + 1), "too long");
    assert_int_equal(failed(read_list(list)), 0);
    ca = make_ca("CA", NULL);
    assert_no_list(list, "not signed with the key of CN=CA");
}

static void a_list_is_the_cas_own_and_complete(void **state)
{
    (void)state;
    const struct made *other = make_ca("other", NULL);
    assert_no_list(make_list(&(struct list_spec){.issuer = other}), "issued by CN=other, not by CN=CA");
    assert_no_list(make_list(&(struct list_spec){.issuer = ca, .signer = other}), "not signed with the key");
    assert_no_list(make_list(&(struct list_spec){.issuer = ca, .digest = "SHA1"}), "digest");
    assert_false(failed(read_list(make_list(&(struct list_spec){
        .issuer = ca, .extensions = "2.5.29.20=DER:020107\nauthorityKeyIdentifier=keyid\n"}))));
    // issuing distribution points: [1] onlyUser, [2] onlyCA, [4] indirect, [5] onlyAttribute, [3] reasons
    static const char *const partial[] = {"8101ff", "8201ff", "8501ff", "83020640"};
    for (size_t i = 0; i < 4; i++) {
        char text[80];
        (void)snprintf(text, sizeof text, "2.5.29.28=critical,DER:30%02x%s\n",
                       (unsigned)strlen(partial[i]) / 2, partial[i]);
        assert_no_list(make_list(&(struct list_spec){.issuer = ca, .extensions = text}), "some certificates");
    }
    assert_no_list(
        make_list(&(struct list_spec){.issuer = ca, .extensions = "2.5.29.28=critical,DER:30038401ff\n"}),
        "indirect");
    assert_no_list(
        make_list(&(struct list_spec){.issuer = ca, .extensions = "2.5.29.27=critical,DER:020101\n"}),
        "delta");
    assert_no_list(make_list(&(struct list_spec){.issuer = ca, .extensions = "1.2.3.4=critical,DER:0500\n"}),
                   "critical extension");
}

static void a_list_is_fresh_when_it_is_handed_in(void **state)
{
    (void)state;
    assert_no_list(make_list(&(struct list_spec){.issuer = ca, .from_us = -2 * DAY_US, .to_us = -1000000}),
                   "stale since 2027-01-15T07:59:59Z");
    assert_no_list(make_list(&(struct list_spec){.issuer = ca, .from_us = DAY_US, .to_us = 2 * DAY_US}),
                   "not valid before");
    struct slice der;
    struct crl_facts facts;
    assert_false(failed(crl_read(&arena, make_list(&(struct list_spec){.issuer = ca, .endless = true}),
                                 ca->der, NOW_US, &der, &facts, &why)));
    assert_int_equal(facts.next_update_us, 0);
}

static void a_ca_that_may_not_sign_lists_has_none(void **state)
{
    (void)state;
    ca = make(&(struct spec){.subject = "CA",
                             .extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"});
    assert_no_list(make_list(&(struct list_spec){.issuer = ca}), "CN=CA may not sign revocation lists");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_signs_the_code_has_the_key),
        TEST(the_case_of_the_code_does_not_matter),
        TEST(another_code_proves_nothing),
        TEST(the_key_of_another_ca_proves_nothing),
        TEST(a_proof_has_its_time_and_form),
        TEST(only_a_ca_can_be_proved),
        TEST(only_what_can_vouch_for_others_becomes_a_ca),
        TEST(a_list_is_taken_in_every_wrapping),
        TEST(what_is_no_list_is_refused),
        TEST(a_list_is_the_cas_own_and_complete),
        TEST(a_list_is_fresh_when_it_is_handed_in),
        TEST(a_ca_that_may_not_sign_lists_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
