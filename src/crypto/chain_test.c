// What is known of the certificates that a device showed, before anybody judges them.
#include <openssl/err.h>

#include "crypto/certificate.h"
#include "crypto/chain_openssl.h"
#include "crypto/hmac.h"
#include "crypto/making_test.h"

static struct chain *chain;

static int set_up(void **state)
{
    (void)state;
    chain = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    chain_release(chain);
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    made_release();
    return 0;
}

static void read_one(const struct made *made)
{
    chain_release(chain);
    assert_false(failed(chain_new(&made->der, 1, &chain)));
}

static void assert_describes(const struct made *made)
{
    uint8_t digest[SHA256_SIZE];
    uint8_t have[SHA1_SIZE];
    assert_null(chain_problem(chain));
    assert_true(slice_equal(chain_leaf(chain), made->der));
    assert_false(failed(sha256(made->der, digest)));
    assert_memory_equal(chain_fingerprint(chain), digest, SHA256_SIZE);
    assert_false(failed(sha1(made->der, digest)));
    assert_false(failed(chain_sha1(chain, have)));
    assert_memory_equal(have, digest, SHA1_SIZE);
    assert_slice(chain_common_name(chain), "d1");
    assert_int_equal(chain_not_before_us(chain), NOW_US - DAY_US);
    assert_int_equal(chain_not_after_us(chain), NOW_US + 365 * DAY_US);
}

static void a_chain_says_what_its_leaf_is_also_at_rest(void **state)
{
    (void)state;
    const struct made *device = make_device("d1", make_ca("root", NULL));
    read_one(device);
    assert_describes(device);
    assert_false(chain_rests(chain));
    chain_rest(chain);
    assert_true(chain_rests(chain));
    chain_rest(chain);
    assert_describes(device);
}

// As after a handshake: the TLS library decoded the certificates, and gives its own up sometime.
static void take_from_tls(const struct made *device, STACK_OF(X509) * others)
{
    const unsigned char *at = device->der.at;
    X509 *leaf = d2i_X509(NULL, &at, (long)device->der.len);
    assert_non_null(leaf);
    chain_release(chain);
    assert_false(failed(chain_from_openssl(leaf, others, &chain)));
    X509_free(leaf);
}

static void a_chain_comes_from_tls_as_it_was_sent(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *lower = make_ca("lower", root);
    const struct made *device = make_device("d1", lower);
    STACK_OF(X509) *others = sk_X509_new_null();
    sk_X509_push(others, lower->x509);
    take_from_tls(device, others);
    assert_describes(device);
    uint32_t names[8];
    assert_int_equal(chain_issuers(chain, names, 8), 2);
    chain_rest(chain);
    assert_describes(device);
    for (int i = 0; i < CHAIN_MAX - 1; i++)
        sk_X509_push(others, root->x509);
    take_from_tls(device, others);
    assert_non_null(strstr(chain_problem(chain)->text, "more than 6"));
    sk_X509_free(others);
    take_from_tls(device, NULL);
    assert_describes(device);
}

static void a_chain_lives_as_long_as_somebody_holds_it(void **state)
{
    (void)state;
    const struct made *device = make_device("d1", make_ca("root", NULL));
    read_one(device);
    assert_ptr_equal(chain_hold(chain), chain);
    chain_release(chain);
    assert_describes(device);
}

static void issuers_are_named_once_each(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *lower = make_ca("lower", root);
    const struct made *device = make_device("d1", lower);
    const struct slice all[] = {device->der, lower->der, root->der};
    uint32_t have[4];
    uint32_t subject, lower_issuer, device_issuer;
    assert_false(failed(certificate_names(lower->der, &subject, &lower_issuer)));
    assert_false(failed(certificate_names(device->der, &(uint32_t){0}, &device_issuer)));
    assert_int_equal(subject, device_issuer);
    assert_false(failed(chain_new(all, 3, &chain)));
    assert_int_equal(chain_issuers(chain, have, 4), 2);
    assert_int_equal(have[0], device_issuer);
    assert_int_equal(have[1], lower_issuer);
    assert_int_equal(chain_issuers(chain, have, 1), 1);
}

static void with_a_nul(X509 *x509)
{
    X509_NAME *name = X509_get_subject_name(x509);
    X509_NAME_ENTRY_free(X509_NAME_delete_entry(name, 0));
    X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, (const uint8_t *)"d1\0x", 4, -1, 0);
}

static void only_one_plain_common_name_counts(void **state)
{
    (void)state;
    read_one(make_device("/O=o/CN=d1", NULL));
    assert_slice(chain_common_name(chain), "d1");
    static const char *const none[] = {"", "/O=o", "/CN=d1/CN=d2", "/CN=d1/O=o/CN=d1"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        read_one(make_device(none[i], NULL));
        assert_slice(chain_common_name(chain), "");
    }
    read_one(make(&(struct spec){.subject = "d1", .extensions = "", .change = with_a_nul}));
    assert_slice(chain_common_name(chain), "");
}

static void what_is_wrong_with_the_certificates_is_said(void **state)
{
    (void)state;
    static uint8_t large[CERTIFICATE_DER_MAX + 1] = {0x30, 0x83, 0x00, 0x3f, 0xfc};
    const struct made *device = make_device("d1", make_ca("root", NULL));
    const struct slice damaged[] = {slice_to(device->der, device->der.len - 1), device->der};
    const struct slice longer[] = {device->der, slice_of(large, sizeof large)};
    assert_false(failed(chain_new(damaged, 2, &chain)));
    assert_non_null(strstr(chain_problem(chain)->text, "not well-formed"));
    assert_slice(chain_common_name(chain), "");
    assert_int_equal(chain_issuers(chain, (uint32_t[4]){0}, 4), 0);
    chain_release(chain);
    assert_false(failed(chain_new(longer, 2, &chain)));
    assert_non_null(strstr(chain_problem(chain)->text, "more than 16 KiB"));
    assert_slice(chain_common_name(chain), "d1");
    chain_release(chain);
    assert_false(failed(chain_new(&longer[1], 1, &chain)));
    assert_non_null(strstr(chain_problem(chain)->text, "more than 16 KiB"));
    chain_release(chain);
    assert_false(failed(chain_new(&(struct slice){0}, 1, &chain)));
    assert_non_null(chain_problem(chain));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_chain_says_what_its_leaf_is_also_at_rest), TEST(a_chain_comes_from_tls_as_it_was_sent),
        TEST(a_chain_lives_as_long_as_somebody_holds_it), TEST(issuers_are_named_once_each),
        TEST(only_one_plain_common_name_counts),          TEST(what_is_wrong_with_the_certificates_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
