// Ways from a device's certificate to a CA certificate of the service: which are found, and which one's end
// is told when there is none. What one certificate may do above another is in step_test.c.
#include "crypto/chain_inside.h"
#include "crypto/finding_test.h"
#include "crypto/hmac.h"
#include "crypto/issuers_kept.h"

static void a_device_below_a_ca_of_the_service_is_let_in(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *device = make_device("d1", root);
    hold(root, true);
    SHOW(device);
    assert_found(1);
    ASSERT_WAY(0, root);
}

static void intermediates_may_be_sent_or_held(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *upper = make_ca("upper", root);
    const struct made *lower = make_ca("lower", upper);
    const struct made *device = make_device("d1", lower);
    hold(root, true);
    SHOW(device, lower, upper);
    assert_found(1);
    ASSERT_WAY(0, lower, upper, root);
    SHOW(device, upper, root, lower); // in any order
    assert_found(1);
    ASSERT_WAY(0, lower, upper, root);
    hold(lower, false);
    hold(upper, false);
    SHOW(device);
    assert_found(1);
    ASSERT_WAY(0, lower, upper, root);
}

static void without_a_ca_of_the_service_there_is_no_way(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *lower = make_ca("lower", root);
    const struct made *device = make_device("d1", lower);
    SHOW(device);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "nobody known issued the certificate CN=d1");
    SHOW(device, lower, root);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "the chain ends at CN=root");
    hold(lower, false); // held by a group, but not verified
    SHOW(device);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "nobody known issued the certificate CN=lower");
}

static void several_ways_are_all_found(void **state)
{
    (void)state;
    const struct made *old_root = make_ca("old root", NULL);
    const struct made *new_root = make_ca("new root", NULL);
    const struct made *lower = make_ca("lower", old_root);
    const struct made *crossed =
        make(&(struct spec){.subject = "lower", .issuer = new_root, .same_key = lower});
    const struct made *device = make_device("d1", lower);
    hold(old_root, true);
    hold(new_root, true);
    SHOW(device, lower, crossed);
    assert_found(2);
    ASSERT_WAY(0, lower, old_root);
    ASSERT_WAY(1, crossed, new_root);
    SHOW(device, crossed);
    assert_found(1);
    ASSERT_WAY(0, crossed, new_root);
}

static void no_more_ways_than_there_is_room_for(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *lower = make_ca("lower", root);
    const struct made *again = make(&(struct spec){.subject = "lower", .issuer = root, .same_key = lower});
    hold(root, true);
    SHOW(make_device("d1", lower), lower, again);
    struct path_question question = {
        .chain = chain, .known = known, .known_count = known_count, .now_us = now_us};
    assert_false(failed(path_find(issuers, &question, paths, 1, &path_count, &why)));
    assert_int_equal(path_count, 1);
    ASSERT_WAY(0, lower, root);
}

static void what_the_service_holds_comes_before_what_is_shown(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *lower = make_ca("lower", root);
    const struct made *again = make(&(struct spec){.subject = "lower", .issuer = root, .same_key = lower});
    hold(root, true);
    hold(again, false);
    SHOW(make_device("d1", lower), lower);
    assert_found(2);
    ASSERT_WAY(0, again, root);
    ASSERT_WAY(1, lower, root);
}

static void a_way_ends_at_the_highest_anchor_that_holds(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *middle = make_ca("middle", root);
    const struct made *lower = make_ca("lower", middle);
    const struct made *device = make_device("d1", lower);
    hold(middle, true);
    SHOW(device, lower, root);
    assert_found(1);
    ASSERT_WAY(0, lower, middle); // root is nobody's anchor
    hold(root, true);
    assert_found(1);
    ASSERT_WAY(0, lower, middle, root);
}

static void a_bad_certificate_above_an_anchor_cuts_the_way_there(void **state)
{
    (void)state;
    const struct made *root =
        make(&(struct spec){.subject = "root", .from_us = -9 * DAY_US, .to_us = -DAY_US});
    const struct made *lower = make_ca("lower", root);
    hold(root, true);
    hold(lower, true);
    SHOW(make_device("d1", lower));
    assert_found(1);
    ASSERT_WAY(0, lower);
    expired_anchors = true;
    assert_found(1);
    ASSERT_WAY(0, lower, root);
}

static void an_anchor_may_be_shown_too(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    hold(root, true);
    hold(root, false); // and a group holds it
    SHOW(make_device("d1", root), root);
    assert_found(1);
    ASSERT_WAY(0, root);
}

static void names_are_compared_as_rfc_5280_says(void **state)
{
    (void)state;
    const struct made *root = make_ca("/O=Maker of  Things/CN=Root", NULL);
    const struct made *device = make(&(struct spec){.subject = "d1",
                                                    .issuer = root,
                                                    .issuer_name = "/O=maker OF things /CN=rOOt",
                                                    .extensions = DEVICE_EXTENSIONS});
    hold(root, true);
    SHOW(device);
    assert_found(1);
    SHOW(make(&(struct spec){.subject = "d1",
                             .issuer = root,
                             .issuer_name = "/CN=Root/O=Maker of Things",
                             .extensions = DEVICE_EXTENSIONS}));
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "nobody known issued");
}

static void cas_of_the_same_name_are_told_apart_by_their_keys(void **state)
{
    (void)state;
    const char *plain = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"; // no key identifier
    const struct made *ours = make(&(struct spec){.subject = "CA", .extensions = plain});
    const struct made *theirs = make(&(struct spec){.subject = "CA", .extensions = plain});
    hold(theirs, true);
    SHOW(make_device("d1", ours));
    assert_refused(ERR_CERTIFICATE_REFUSED, "not signed with the key of CN=CA");
    hold(ours, true);
    assert_found(1);
    ASSERT_WAY(0, ours);
}

static void a_key_identifier_that_contradicts_is_believed(void **state)
{
    (void)state;
    const struct made *ours = make_ca("CA", NULL);
    const struct made *theirs = make_ca("CA", NULL);
    hold(theirs, true);
    SHOW(make(
        &(struct spec){.subject = "d1", .issuer = ours, .extensions = "authorityKeyIdentifier=keyid\n"}));
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "nobody known issued");
    hold(ours, true);
    assert_found(1);
    ASSERT_WAY(0, ours);
}

static void circles_end(void **state)
{
    (void)state;
    EVP_PKEY *a_key = make_key(NULL);
    EVP_PKEY *b_key = make_key(NULL);
    const struct made *a = make(&(struct spec){.subject = "a", .key = a_key});
    const struct made *b = make(&(struct spec){.subject = "b", .key = b_key});
    const struct made *a_by_b = make(&(struct spec){.subject = "a", .issuer = b, .key = a_key});
    const struct made *b_by_a = make(&(struct spec){.subject = "b", .issuer = a, .key = b_key});
    SHOW(make_device("d1", a), a_by_b, b_by_a, a, b);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "the chain ends at");
    hold(b, true);
    struct err e = find();
    assert_false(failed(e));
    assert_true(path_count >= 1);
    EVP_PKEY_free(a_key);
    EVP_PKEY_free(b_key);
}

static void the_one_that_got_furthest_is_told(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *late =
        make(&(struct spec){.subject = "late", .issuer = root, .from_us = -9 * DAY_US, .to_us = -DAY_US});
    const struct made *lower = make_ca("lower", late);
    const char *plain = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n";
    hold(root, true);
    hold(make(&(struct spec){.subject = "lower", .extensions = plain}), true); // of the same name
    SHOW(make_device("d1", lower), lower, late);
    assert_refused(ERR_CERTIFICATE_EXPIRED, "CN=late, which vouches for CN=lower, expired at 2027-01-14");
}

static void a_self_signed_device_is_nobodys(void **state)
{
    (void)state;
    hold(make_ca("root", NULL), true);
    SHOW(make(&(struct spec){.subject = "d1", .extensions = ""}));
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "CN=d1 is self-signed");
    chain_rest(chain); // as between two requests of a connection
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "CN=d1 is self-signed");
}

static void signatures_that_are_checked_are_few(void **state)
{
    (void)state;
    const char *plain = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n";
    const struct made *root = make(&(struct spec){.subject = "CA", .extensions = plain});
    for (int i = 0; i < PATH_SIGNATURES_MAX; i++)
        hold(make(&(struct spec){.subject = "CA", .extensions = plain}), true);
    hold(root, true);
    SHOW(make_device("d1", root));
    assert_refused(ERR_CERTIFICATE_REFUSED, "too many certificates have the name CN=CA");
    known[0] = known[--known_count]; // one fewer
    assert_found(1);
}

static void no_device_can_hide_a_way_behind_certificates_of_its_own(void **state)
{
    (void)state;
    const char *plain = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n";
    const struct made *root = make(&(struct spec){.subject = "root", .extensions = plain});
    const struct made *enabled = make_ca("lower", root);
    const struct made *disabled =
        make(&(struct spec){.subject = "lower", .issuer = root, .same_key = enabled});
    const struct made *own[5];
    for (size_t i = 0; i < 5; i++)
        own[i] = make(&(struct spec){.subject = "root", .extensions = plain});
    hold(enabled, false);
    hold(root, true);
    hold(disabled, false);
    SHOW(make_device("d1", enabled), own[0], own[1], own[2], own[3], own[4]);
    assert_found(2);
    ASSERT_WAY(0, enabled, root);
    ASSERT_WAY(1, disabled, root);
}

static void more_than_the_service_may_hold_is_not_looked_at(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    for (size_t i = 0; i < PATH_KNOWN_MAX; i++)
        hold(root, false);
    hold(root, true);
    SHOW(make_device("d1", root));
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "CN=root");
    known[3].anchor = true;
    assert_found(1);
}

static void what_is_no_certificate_vouches_for_nobody(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    SHOW(make_device("d1", root));
    known[known_count++] = (struct path_known){.der = SLICE("0123456789"), .anchor = true};
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "nobody known issued");
    hold(root, true);
    assert_found(1);
}

static void a_chain_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *device = make_device("d1", root);
    const struct slice damaged[] = {device->der, slice_to(root->der, root->der.len - 1)};
    hold(root, true);
    assert_false(failed(chain_new(damaged, 2, &chain)));
    assert_refused(ERR_CERTIFICATE_REFUSED, "not well-formed");
    SHOW(device, root, root, root, root, root, root);
    assert_refused(ERR_CERTIFICATE_REFUSED, "more than 6 certificates");
    assert_int_equal(path_check_pinned(chain, NOW_US, &why).code, ERR_CERTIFICATE_REFUSED);
}

static void strangers_do_not_get_into_the_cache(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *lower = make_ca("lower", root);
    const struct made *device = make_device("d1", lower);
    uint8_t fingerprint[FINGERPRINT_SIZE];
    assert_false(failed(sha256(lower->der, fingerprint)));
    SHOW(device, lower, root);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "CN=root");
    assert_null(issuers_find(issuers, fingerprint));
    hold(root, true);
    assert_found(1);
    assert_non_null(issuers_find(issuers, fingerprint)); // now a whole way was proved
}

static void judging_again_decodes_nothing(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *lower = make(&(struct spec){
        .subject = "lower", .issuer = root, .extensions = CA_EXTENSIONS "nameConstraints=permitted;DNS:a\n"});
    hold(root, true);
    SHOW(make_device("d1", lower), lower);
    assert_found(1);
    chain_rest(chain);
    assert_found(1);
    ASSERT_WAY(0, lower, root);
    assert_null(chain->shown[0].x509);
    assert_null(chain->shown[1].x509);
    known[0].anchor = false; // the CA certificate was deleted
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "CN=root");
    known[0].anchor = true;
    now_us = NOW_US + 366 * DAY_US;
    assert_refused(ERR_CERTIFICATE_EXPIRED, "CN=d1 expired at 2028-01-15");
}

static void judging_goes_on_after_a_rest_without_a_verdict(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *lower = make_ca("lower", root);
    SHOW(make_device("d1", lower), lower);
    chain_rest(chain);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "CN=lower");
    chain_rest(chain);
    assert_refused(ERR_CERTIFICATE_UNTRUSTED, "CN=lower");
    hold(root, true);
    chain_rest(chain);
    assert_found(1);
    ASSERT_WAY(0, lower, root);
}

static void a_small_cache_changes_nothing(void **state)
{
    (void)state;
    issuers_free(issuers);
    assert_false(failed(issuers_new(1, 0, &issuers)));
    const struct made *root = make_ca("root", NULL);
    const struct made *upper = make_ca("upper", root);
    const struct made *lower = make_ca("lower", upper);
    hold(root, true);
    hold(upper, false);
    SHOW(make_device("d1", lower), lower);
    for (int i = 0; i < 3; i++) {
        assert_found(1);
        ASSERT_WAY(0, lower, upper, root);
        chain_rest(chain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_device_below_a_ca_of_the_service_is_let_in),
        TEST(intermediates_may_be_sent_or_held),
        TEST(without_a_ca_of_the_service_there_is_no_way),
        TEST(several_ways_are_all_found),
        TEST(no_more_ways_than_there_is_room_for),
        TEST(what_the_service_holds_comes_before_what_is_shown),
        TEST(a_way_ends_at_the_highest_anchor_that_holds),
        TEST(a_bad_certificate_above_an_anchor_cuts_the_way_there),
        TEST(an_anchor_may_be_shown_too),
        TEST(names_are_compared_as_rfc_5280_says),
        TEST(cas_of_the_same_name_are_told_apart_by_their_keys),
        TEST(a_key_identifier_that_contradicts_is_believed),
        TEST(circles_end),
        TEST(the_one_that_got_furthest_is_told),
        TEST(a_self_signed_device_is_nobodys),
        TEST(signatures_that_are_checked_are_few),
        TEST(no_device_can_hide_a_way_behind_certificates_of_its_own),
        TEST(more_than_the_service_may_hold_is_not_looked_at),
        TEST(what_is_no_certificate_vouches_for_nobody),
        TEST(a_chain_that_cannot_be_read_is_refused),
        TEST(strangers_do_not_get_into_the_cache),
        TEST(judging_again_decodes_nothing),
        TEST(judging_goes_on_after_a_rest_without_a_verdict),
        TEST(a_small_cache_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
