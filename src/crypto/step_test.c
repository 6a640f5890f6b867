// What one certificate may do above another: each rule kept and broken, and what is told then.
#include "crypto/finding_test.h"
#include "crypto/hmac.h"

// A root that the service holds, a CA below it as the test wants it, and a device below that.
static const struct made *root;
static const struct made *lower;
static const struct made *device;

static void build(struct spec spec)
{
    root = make_ca("root", NULL);
    spec.subject = "lower";
    spec.issuer = root;
    lower = make(&spec);
    device = make_device("d1", lower);
    hold(root, true);
    SHOW(device, lower);
}

static void a_ca_that_breaks_the_profile_is_refused(void **state)
{
    (void)state;
    build((struct spec){.extensions = "keyUsage=keyCertSign\n"});
    assert_refused(ERR_CERTIFICATE_REFUSED,
                   "the certificate CN=lower, which vouches for CN=d1, is no CA (no basicConstraints)");
}

static void a_device_that_breaks_the_profile_is_refused(void **state)
{
    (void)state;
    build((struct spec){0});
    SHOW(make(&(struct spec){.subject = "d1", .issuer = lower, .extensions = "keyUsage=keyAgreement\n"}),
         lower);
    assert_refused(ERR_CERTIFICATE_REFUSED, "the certificate CN=d1 may not sign");
    SHOW(lower);
    assert_refused(ERR_CERTIFICATE_REFUSED, "the certificate CN=lower is a CA");
}

static void a_changed_certificate_is_refused(void **state)
{
    (void)state;
    build((struct spec){.spoiled = true});
    assert_refused(ERR_CERTIFICATE_REFUSED, "CN=lower was not signed with the key of CN=root");
    SHOW(make(&(struct spec){.subject = "d1", .issuer = root, .extensions = "", .spoiled = true}));
    assert_refused(ERR_CERTIFICATE_REFUSED, "CN=d1 was not signed with the key of CN=root");
}

static void all_kinds_of_signatures_are_checked(void **state)
{
    (void)state;
    static const char *const kinds[] = {"P-256", "P-384", "P-521", "ED25519", "RSA", "RSA-PSS"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        known_count = 0;
        build((struct spec){.kind = kinds[i]});
        assert_found(1);
        SHOW(make(&(struct spec){.subject = "d1", .issuer = lower, .extensions = "", .spoiled = true}),
             lower);
        assert_refused(ERR_CERTIFICATE_REFUSED, "CN=d1 was not signed with the key of CN=lower");
    }
    SHOW(make(&(struct spec){.subject = "d1", .issuer = lower, .extensions = "", .pss = true}), lower);
    assert_found(1);
}

static void certificates_count_from_their_first_to_their_last_second(void **state)
{
    (void)state;
    build((struct spec){.from_us = -5 * DAY_US / 10, .to_us = 5 * DAY_US});
    now_us = NOW_US - 5 * DAY_US / 10;
    assert_found(1);
    now_us--;
    assert_refused(ERR_CERTIFICATE_EXPIRED,
                   "CN=lower, which vouches for CN=d1, is not valid before 2027-01-14T20:00:00Z");
    now_us = NOW_US + 5 * DAY_US;
    assert_found(1);
    now_us++;
    assert_refused(ERR_CERTIFICATE_EXPIRED, "CN=lower, which vouches for CN=d1, expired at 2027-01-20");
    expired_anchors = true; // it is none
    assert_refused(ERR_CERTIFICATE_EXPIRED, "CN=lower");
    now_us = NOW_US + 366 * DAY_US;
    assert_refused(ERR_CERTIFICATE_EXPIRED, "the certificate CN=d1 expired");
    now_us = NOW_US - 2 * DAY_US;
    assert_refused(ERR_CERTIFICATE_EXPIRED, "the certificate CN=d1 is not valid before");
}

static void an_expired_anchor_counts_only_where_that_is_wanted(void **state)
{
    (void)state;
    root = make(&(struct spec){.subject = "root", .from_us = -9 * DAY_US, .to_us = -DAY_US});
    hold(root, true);
    SHOW(make_device("d1", root));
    assert_refused(ERR_CERTIFICATE_EXPIRED, "CN=root, which vouches for CN=d1, expired");
    expired_anchors = true;
    assert_found(1);
    known_count = 0;
    root = make(&(struct spec){.subject = "root", .from_us = DAY_US, .to_us = 9 * DAY_US});
    hold(root, true);
    SHOW(make_device("d1", root));
    assert_refused(ERR_CERTIFICATE_EXPIRED, "CN=root, which vouches for CN=d1, is not valid before");
}

static void a_path_length_is_held(void **state)
{
    (void)state;
    root = make(&(struct spec){
        .subject = "root",
        .extensions = "basicConstraints=critical,CA:TRUE,pathlen:1\nkeyUsage=critical,keyCertSign\n"});
    const struct made *upper = make_ca("upper", root);
    lower = make_ca("lower", upper);
    hold(root, true);
    SHOW(make_device("d1", upper), upper);
    assert_found(1);
    SHOW(make_device("d1", lower), upper, lower);
    assert_refused(ERR_CERTIFICATE_REFUSED, "CN=root, which vouches for CN=upper, allows fewer CAs below it");
}

static void what_a_ca_issues_to_itself_does_not_lengthen_the_path(void **state)
{
    (void)state;
    const char *zero = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n";
    root = make_ca("root", NULL);
    const struct made *upper = make(&(struct spec){.subject = "ca", .issuer = root, .extensions = zero});
    lower = make(&(struct spec){.subject = "ca", .issuer = upper, .extensions = zero}); // with a new key
    hold(root, true);
    SHOW(make_device("d1", lower), lower, upper);
    assert_found(1);
    ASSERT_WAY(0, lower, upper, root);
    SHOW(make_device("d1", make_ca("other", lower)), make_ca("other", lower), lower, upper);
    assert_refused(ERR_CERTIFICATE_REFUSED, "CN=other");
}

static void four_certificates_above_the_device_are_enough(void **state)
{
    (void)state;
    const struct made *ca[5] = {make_ca("ca0", NULL)};
    for (size_t i = 1; i < 5; i++) {
        char name[] = "ca0";
        name[2] = (char)('0' + i);
        ca[i] = make_ca(name, ca[i - 1]);
    }
    hold(ca[0], true);
    SHOW(make_device("d1", ca[3]), ca[3], ca[2], ca[1]);
    assert_found(1);
    ASSERT_WAY(0, ca[3], ca[2], ca[1], ca[0]);
    SHOW(make_device("d1", ca[4]), ca[4], ca[3], ca[2], ca[1]);
    assert_refused(ERR_CERTIFICATE_REFUSED, "more than 4 certificates away");
}

static const struct made *named(const char *subject, const char *names)
{
    char text[256];
    (void)snprintf(text, sizeof text, "subjectAltName=%s\n", names);
    return make(
        &(struct spec){.subject = subject, .issuer = lower, .extensions = names[0] != '\0' ? text : ""});
}

static void names_are_held_to_what_a_ca_may_vouch_for(void **state)
{
    (void)state;
    build((struct spec){
        .extensions = CA_EXTENSIONS
        "nameConstraints=critical,permitted;DNS:.example.com,permitted;email:example.com,"
        "permitted;URI:.example.com,permitted;IP:10.0.0.0/255.0.0.0,excluded;DNS:bad.example.com\n"});
    static const char *const good[] = {"",
                                       "DNS:a.example.com",
                                       "email:a@example.com",
                                       "URI:coap://a.example.com/x",
                                       "IP:10.1.2.3",
                                       "DNS:a.example.com,IP:10.1.2.3"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        SHOW(named("d1", good[i]), lower);
        assert_found(1);
    }
    static const char *const bad[] = {
        "DNS:a.example.org",          "DNS:x.bad.example.com", "email:a@example.org",
        "URI:coap://a.example.org/x", "IP:11.1.2.3",           "DNS:a.example.com,IP:11.1.2.3",
        "DNS:a.example.com,DNS:b.org"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        SHOW(named("d1", bad[i]), lower);
        assert_refused(ERR_CERTIFICATE_REFUSED, "CN=d1 has a name that the CA CN=lower may not vouch for");
    }
    SHOW(named("/CN=d1/emailAddress=a@example.org", ""), lower); // RFC 5280 4.2.1.10
    assert_refused(ERR_CERTIFICATE_REFUSED, "name constraints");
}

static void names_of_cas_between_are_held_to_it_too(void **state)
{
    (void)state;
    const char *only = CA_EXTENSIONS "nameConstraints=critical,permitted;DNS:.example.com\n";
    root = make(&(struct spec){.subject = "root", .extensions = only});
    hold(root, true);
    for (int own = 0; own < 2; own++) { // what a CA issues to itself is exempt
        lower = make(&(struct spec){.subject = own ? "root" : "lower",
                                    .issuer = root,
                                    .extensions = CA_EXTENSIONS "subjectAltName=DNS:a.org\n"});
        SHOW(make_device("d1", lower), lower);
        if (own)
            assert_found(1);
        else
            assert_refused(ERR_CERTIFICATE_REFUSED, "CN=lower has a name that the CA CN=root may not");
    }
    lower = make_ca("lower", root);
    SHOW(named("d1", "DNS:a.org"), lower); // two levels down
    assert_refused(ERR_CERTIFICATE_REFUSED, "CN=d1 has a name that the CA CN=root may not");
}

static void list_for(struct path_known *ca, const struct list_spec *spec, bool required)
{
    static uint8_t digests[16][SHA256_SIZE];
    static size_t at;
    uint8_t *digest = digests[at++ % 16];
    ca->crl = make_list(spec);
    assert_false(failed(sha256(ca->crl, digest)));
    ca->crl_digest = slice_of(digest, SHA256_SIZE);
    ca->crl_required = required;
}

static void who_is_revoked_is_refused(void **state)
{
    (void)state;
    build((struct spec){0});
    const struct made *other = make_device("d2", lower);
    struct path_known *ca = hold(lower, false);
    list_for(ca, &(struct list_spec){.issuer = lower, .revoked = (const struct made *[]){device, NULL}},
             false);
    for (int i = 0; i < 3; i++) { // from the list, from the cache, and without what the device showed
        SHOW(device);
        assert_refused(ERR_CERTIFICATE_REVOKED, "CN=d1 was revoked by its CA CN=lower");
        assert_true(issuers_has_crl(issuers, ca->crl_digest));
        ca->crl = (struct slice){0};
        chain_rest(chain);
        assert_refused(ERR_CERTIFICATE_REVOKED, "CN=d1 was revoked");
    }
    SHOW(other);
    assert_found(1);
}

static void a_list_counts_at_once_and_for_proved_chains_too(void **state)
{
    (void)state;
    build((struct spec){0});
    assert_found(1);
    chain_rest(chain);
    struct path_known *ca = hold(lower, false);
    list_for(ca, &(struct list_spec){.issuer = lower, .revoked = (const struct made *[]){device, NULL}},
             false);
    assert_refused(ERR_CERTIFICATE_REVOKED, "CN=d1 was revoked");
}

static void whose_ca_is_revoked_is_refused(void **state)
{
    (void)state;
    build((struct spec){0});
    list_for(&known[0], &(struct list_spec){.issuer = root, .revoked = (const struct made *[]){lower, NULL}},
             false);
    assert_refused(ERR_CERTIFICATE_REVOKED, "CN=lower was revoked by its CA CN=root");
    hold(lower, true); // what its issuer withdrew is no end of a way either
    assert_refused(ERR_CERTIFICATE_REVOKED, "CN=lower was revoked by its CA CN=root");
    known[0].crl_digest = (struct slice){0};
    assert_found(1);
}

// Whatever else is wrong with whoever withdrew it: no way goes through there, but its word counts.
static void a_ca_that_was_revoked_does_not_come_back_when_its_issuer_ends(void **state)
{
    (void)state;
    static const struct spec roots[] = {
        {.subject = "root", .from_us = -9 * DAY_US, .to_us = -DAY_US},
        {.subject = "root", .from_us = DAY_US, .to_us = 9 * DAY_US},
        {.subject = "root", .extensions = CA_EXTENSIONS "nameConstraints=critical,permitted;email:nobody\n"},
    };
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        known_count = 0;
        root = make(&roots[i]);
        lower = make_ca("lower", root);
        device = make_device("d1", lower);
        hold(root, true);
        hold(lower, true);
        SHOW(device);
        assert_found(1);
        list_for(&known[0],
                 &(struct list_spec){.issuer = root, .revoked = (const struct made *[]){lower, NULL}}, false);
        assert_refused(ERR_CERTIFICATE_REVOKED, "CN=lower was revoked by its CA CN=root");
    }
}

static void a_list_is_about_the_key_whichever_certificate_is_shown(void **state)
{
    (void)state;
    build((struct spec){0});
    struct path_known *ca = hold(lower, false);
    list_for(ca, &(struct list_spec){.issuer = lower, .revoked = (const struct made *[]){device, NULL}},
             false);
    SHOW(device, make(&(struct spec){.subject = "lower", .issuer = root, .same_key = lower}));
    assert_refused(ERR_CERTIFICATE_REVOKED, "CN=d1 was revoked");
}

// The list is the one of the certificate that it was handed in for; another of the same key may not sign any.
static void a_list_is_read_with_the_certificate_that_it_belongs_to(void **state)
{
    (void)state;
    root = make_ca("root", NULL);
    const struct made *renewed = make(
        &(struct spec){.subject = "root",
                       .same_key = root,
                       .extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"});
    device = make_device("d1", root);
    list_for(hold(root, true), &(struct list_spec){.issuer = root}, false);
    hold(renewed, true);
    SHOW(device);
    assert_found(2);       // below either of them
    issuers_free(issuers); // whether the list is kept or not
    assert_false(failed(issuers_new(100, 1, &issuers)));
    struct path_known first = known[0];
    known[0] = known[1];
    known[1] = first;
    assert_found(2);
}

static void a_stale_list_revokes_and_is_not_enough_where_one_is_required(void **state)
{
    (void)state;
    build((struct spec){0});
    const struct made *other = make_device("d2", lower);
    struct path_known *ca = hold(lower, false);
    const struct list_spec stale = {.issuer = lower,
                                    .revoked = (const struct made *[]){device, NULL},
                                    .from_us = -2 * DAY_US,
                                    .to_us = -1000000};
    list_for(ca, &stale, false);
    assert_refused(ERR_CERTIFICATE_REVOKED, "CN=d1 was revoked");
    SHOW(other);
    assert_found(1);
    ca->crl_required = true;
    assert_refused(ERR_CERTIFICATE_REVOKED, "the revocation list of the CA CN=lower is stale");
    list_for(ca, &(struct list_spec){.issuer = lower}, true);
    assert_found(1);
    list_for(ca, &(struct list_spec){.issuer = lower, .endless = true}, true);
    assert_found(1);
    list_for(ca, &(struct list_spec){.issuer = lower, .from_us = DAY_US, .to_us = 2 * DAY_US}, true);
    assert_refused(ERR_CERTIFICATE_REVOKED, "stale");
}

static void a_required_list_must_be_there(void **state)
{
    (void)state;
    build((struct spec){0});
    hold(lower, false)->crl_required = true;
    assert_refused(ERR_CERTIFICATE_REVOKED, "CN=lower requires a revocation list and has none");
}

static void a_list_that_cannot_be_used_is_not_taken_for_an_empty_one(void **state)
{
    (void)state;
    build((struct spec){0});
    struct path_known *ca = hold(lower, false);
    list_for(ca, &(struct list_spec){.issuer = lower}, false);
    struct slice good = ca->crl;
    ca->crl = (struct slice){0};
    assert_refused(ERR_CERTIFICATE_REVOKED, "of the CA CN=lower: the revocation list is not at hand");
    ca->crl = make_list(&(struct list_spec){.issuer = lower, .from_us = -7200000000, .to_us = DAY_US});
    assert_refused(ERR_CERTIFICATE_REVOKED, "not the one that was handed in");
    ca->crl = good;
    assert_found(1);
    list_for(ca, &(struct list_spec){.issuer = lower, .signer = root}, false);
    assert_refused(ERR_CERTIFICATE_REVOKED, "not signed with the key of CN=lower");
}

static void a_list_larger_than_the_cache_is_read_each_time(void **state)
{
    (void)state;
    build((struct spec){0});
    issuers_free(issuers);
    assert_false(failed(issuers_new(100, 1, &issuers)));
    struct path_known *ca = hold(lower, false);
    list_for(ca, &(struct list_spec){.issuer = lower, .revoked = (const struct made *[]){device, NULL}},
             false);
    for (int i = 0; i < 2; i++)
        assert_refused(ERR_CERTIFICATE_REVOKED, "CN=d1 was revoked");
    assert_false(issuers_has_crl(issuers, ca->crl_digest));
}

static void a_pinned_certificate_holds_by_itself(void **state)
{
    (void)state;
    SHOW(make_ca("d1", NULL)); // self-signed, and keyUsage without digitalSignature
    assert_int_equal(path_check_pinned(chain, NOW_US, &why).code, ERR_CERTIFICATE_REFUSED);
    SHOW(make(&(struct spec){.subject = "d1", .extensions = "basicConstraints=critical,CA:TRUE\n"}));
    assert_false(failed(path_check_pinned(chain, NOW_US, &why)));
    chain_rest(chain);
    assert_false(failed(path_check_pinned(chain, NOW_US, &why)));
    assert_int_equal(path_check_pinned(chain, NOW_US + 366 * DAY_US, &why).code, ERR_CERTIFICATE_EXPIRED);
    assert_int_equal(path_check_pinned(chain, NOW_US - 2 * DAY_US, &why).code, ERR_CERTIFICATE_EXPIRED);
    SHOW(make(&(struct spec){.subject = "d1", .extensions = "", .digest = "SHA1"}));
    assert_int_equal(path_check_pinned(chain, NOW_US, &why).code, ERR_CERTIFICATE_REFUSED);
    assert_non_null(strstr(why.text, "CN=d1 is signed with a digest"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ca_that_breaks_the_profile_is_refused),
        TEST(a_device_that_breaks_the_profile_is_refused),
        TEST(a_changed_certificate_is_refused),
        TEST(all_kinds_of_signatures_are_checked),
        TEST(certificates_count_from_their_first_to_their_last_second),
        TEST(an_expired_anchor_counts_only_where_that_is_wanted),
        TEST(a_path_length_is_held),
        TEST(what_a_ca_issues_to_itself_does_not_lengthen_the_path),
        TEST(four_certificates_above_the_device_are_enough),
        TEST(names_are_held_to_what_a_ca_may_vouch_for),
        TEST(names_of_cas_between_are_held_to_it_too),
        TEST(who_is_revoked_is_refused),
        TEST(a_list_counts_at_once_and_for_proved_chains_too),
        TEST(whose_ca_is_revoked_is_refused),
        TEST(a_ca_that_was_revoked_does_not_come_back_when_its_issuer_ends),
        TEST(a_list_is_about_the_key_whichever_certificate_is_shown),
        TEST(a_list_is_read_with_the_certificate_that_it_belongs_to),
        TEST(a_stale_list_revokes_and_is_not_enough_where_one_is_required),
        TEST(a_required_list_must_be_there),
        TEST(a_list_that_cannot_be_used_is_not_taken_for_an_empty_one),
        TEST(a_list_larger_than_the_cache_is_read_each_time),
        TEST(a_pinned_certificate_holds_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
