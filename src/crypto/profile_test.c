// Every rule of the profile, once kept and once broken.
#include <openssl/core_names.h>
#include <openssl/err.h>

#include "base/buf.h"
#include "crypto/facts.h"
#include "crypto/making_test.h"

static struct buf text;

static int set_up(void **state)
{
    (void)state;
    text = buf_capped(100000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_release(&text);
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    made_release();
    return 0;
}

static const char *verdict(enum role role, const struct made *made)
{
    struct facts *facts;
    assert_false(failed(facts_read(made->der, &facts)));
    const char *broken = facts->profile.broken[role];
    facts_release(facts);
    return broken;
}

static void assert_holds(enum role role, const struct made *made)
{
    const char *broken = verdict(role, made);
    if (broken != NULL)
        fail_msg("refused: %s", broken);
}

static void assert_broken(enum role role, const struct made *made, const char *words)
{
    const char *broken = verdict(role, made);
    if (broken == NULL || strstr(broken, words) == NULL)
        fail_msg("'%s', want '%s'", broken != NULL ? broken : "(it holds)", words);
}

static const struct made *with(const char *extensions)
{
    return make(&(struct spec){.subject = "x", .extensions = extensions});
}

// The extensions of a CA, and `count` more, made from a format with a number.
static const char *many(const char *before, const char *format, int count)
{
    buf_clear(&text);
    buf_text(&text, before);
    for (int i = 0; i < count; i++)
        buf_printf(&text, format, i); // NOLINT(clang-diagnostic-format-nonliteral)
    buf_u8(&text, 0);
    assert_false(failed(buf_err(&text)));
    return (const char *)text.at;
}

static void extensions_are_few_and_each_there_once(void **state)
{
    (void)state;
    assert_holds(ROLE_AUTHORITY, with(many(CA_EXTENSIONS, "1.2.3.%d=DER:0500\n", 29)));
    assert_broken(ROLE_AUTHORITY, with(many(CA_EXTENSIONS, "1.2.3.%d=DER:0500\n", 30)), "32 extensions");
    assert_broken(ROLE_AUTHORITY, with(CA_EXTENSIONS "keyUsage=digitalSignature\n"), "twice");
}

static void names_and_constraints_are_few(void **state)
{
    (void)state;
    const char *names = DEVICE_EXTENSIONS "subjectAltName=DNS:a";
    assert_holds(ROLE_DEVICE, with(many(names, ",DNS:a%d.example.com", 63)));
    assert_broken(ROLE_DEVICE, with(many(names, ",DNS:a%d.example.com", 64)), "64 alternative names");
    const char *constraints = CA_EXTENSIONS "nameConstraints=critical,excluded;DNS:a";
    assert_holds(ROLE_AUTHORITY, with(many(constraints, ",permitted;DNS:a%d.example.com", 63)));
    assert_broken(ROLE_AUTHORITY, with(many(constraints, ",permitted;DNS:a%d.example.com", 64)),
                  "64 name constraints");
}

static void only_version_3_has_extensions(void **state)
{
    (void)state;
    const struct made *old = make(&(struct spec){.subject = "x", .version = 1, .extensions = ""});
    assert_holds(ROLE_DEVICE, old);
    assert_broken(ROLE_AUTHORITY, old, "not X.509 v3");
    assert_broken(ROLE_DEVICE,
                  make(&(struct spec){.subject = "x", .version = 1, .extensions = DEVICE_EXTENSIONS}),
                  "not of version 3");
}

static void serial_numbers_have_up_to_20_bytes(void **state)
{
    (void)state;
    assert_holds(
        ROLE_AUTHORITY,
        make(&(struct spec){.subject = "x", .serial_hex = "7f00112233445566778899aabbccddeeff001122"}));
    assert_broken(
        ROLE_AUTHORITY,
        make(&(struct spec){.subject = "x", .serial_hex = "7f00112233445566778899aabbccddeeff00112233"}),
        "more than 20 bytes");
}

static void without_seconds(X509 *x509)
{
    ASN1_STRING_set(X509_getm_notBefore(x509), "2001010000Z", -1);
}

static void with_an_offset(X509 *x509)
{
    ASN1_STRING_set(X509_getm_notAfter(x509), "500101000000+0100", -1);
}

static void of_no_date(X509 *x509)
{
    ASN1_STRING_set(X509_getm_notAfter(x509), "491332250000Z", -1);
}

static void validity_makes_sense(void **state)
{
    (void)state;
    assert_holds(ROLE_AUTHORITY, make(&(struct spec){.subject = "x", .from_us = DAY_US, .to_us = DAY_US}));
    assert_broken(ROLE_AUTHORITY, make(&(struct spec){.subject = "x", .from_us = DAY_US, .to_us = -DAY_US}),
                  "validity that ends before");
    void (*const bad[])(X509 *) = {without_seconds, with_an_offset, of_no_date};
    for (size_t i = 0; i < 3; i++)
        assert_broken(ROLE_AUTHORITY, make(&(struct spec){.subject = "x", .change = bad[i]}), "validity");
}

static void extensions_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "2.5.29.19=critical,DER:0403010203\n",
        "2.5.29.15=critical,DER:0500\n",
        "2.5.29.37=DER:0403010203\n",
        "2.5.29.17=DER:3003820561\n",
        "2.5.29.30=critical,DER:3082\n",
        "2.5.29.14=DER:3000\n",
        "2.5.29.35=DER:0401\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_broken(ROLE_DEVICE, with(bad[i]), "cannot be read");
}

static void policies_are_taken_and_demands_about_them_refused(void **state)
{
    (void)state;
    assert_holds(ROLE_AUTHORITY, with(CA_EXTENSIONS "certificatePolicies=critical,1.2.3.4\n"));
    assert_holds(ROLE_AUTHORITY, with(CA_EXTENSIONS "policyConstraints=requireExplicitPolicy:0\n"));
    static const char *const bad[] = {
        CA_EXTENSIONS "policyConstraints=critical,requireExplicitPolicy:0\n",
        CA_EXTENSIONS "inhibitAnyPolicy=critical,0\n",
        CA_EXTENSIONS "policyMappings=critical,1.2.3.4:1.2.3.5\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_broken(ROLE_AUTHORITY, with(bad[i]), "policies");
}

static void what_is_critical_must_be_known(void **state)
{
    (void)state;
    assert_holds(ROLE_DEVICE, with(DEVICE_EXTENSIONS "1.2.3.4=DER:0500\n"));
    assert_holds(ROLE_DEVICE, with("subjectAltName=critical,DNS:a\nextendedKeyUsage=critical,clientAuth\n"));
    assert_broken(ROLE_DEVICE, with(DEVICE_EXTENSIONS "1.2.3.4=critical,DER:0500\n"), "not known here");
    assert_broken(ROLE_DEVICE,
                  with(DEVICE_EXTENSIONS "proxyCertInfo=critical,language:id-ppl-anyLanguage,pathlen:0\n"),
                  "not known here");
    assert_broken(ROLE_DEVICE, with("crlDistributionPoints=critical,URI:http://a\n"), "not known here");
}

static const struct made *of_kind(const char *kind)
{
    return make(&(struct spec){.subject = "x", .kind = kind});
}

static void keys_are_of_the_kinds_allowed(void **state)
{
    (void)state;
    static const char *const good[] = {"P-256", "P-384", "P-521", "ED25519", "RSA", "RSA-PSS"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_holds(ROLE_AUTHORITY, of_kind(good[i]));
    static const char *const curves[] = {"P-192", "P-224", "secp256k1", "brainpoolP256r1", "sect283r1"};
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        assert_broken(ROLE_AUTHORITY, of_kind(curves[i]), "on a curve other than");
    const struct made *ca = make_ca("ca", NULL);
    static const char *const kinds[] = {"ED448", "X25519"};
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY *key = make_key(kinds[i]);
        assert_broken(ROLE_AUTHORITY, make(&(struct spec){.subject = "x", .issuer = ca, .key = key}),
                      "neither RSA, EC nor Ed25519");
        EVP_PKEY_free(key);
    }
}

static void explicit_curves_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *key = make_key("P-256");
    assert_int_equal(
        EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT), 1);
    assert_broken(ROLE_DEVICE,
                  make(&(struct spec){.subject = "x", .key = key, .extensions = DEVICE_EXTENSIONS}),
                  "explicit parameters");
    EVP_PKEY_free(key);
}

static void off_the_curve(X509 *x509)
{
    uint8_t *point = OPENSSL_zalloc(65);
    point[0] = 4;
    point[64] = 1;
    assert_int_equal(X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(x509), OBJ_nid2obj(NID_X9_62_id_ecPublicKey),
                                            V_ASN1_OBJECT, OBJ_nid2obj(NID_X9_62_prime256v1), point, 65),
                     1);
}

static void keys_that_are_none_are_refused(void **state)
{
    (void)state;
    assert_broken(
        ROLE_DEVICE,
        make(&(struct spec){.subject = "x", .extensions = DEVICE_EXTENSIONS, .change = off_the_curve}),
        "key that cannot be read");
}

static const struct made *with_rsa(int bits, const char *exponent)
{
    BIGNUM *n = BN_new();
    assert_int_equal(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
    return make_with_modulus(n, exponent);
}

static void rsa_keys_of_the_kind_that_can_be_factored_are_refused(void **state)
{
    (void)state;
    assert_broken(ROLE_DEVICE, make_that_can_be_factored(), "ROCA");
}

static void rsa_keys_have_2048_to_8192_bits_and_a_usual_exponent(void **state)
{
    (void)state;
    assert_holds(ROLE_DEVICE, with_rsa(2048, "010001"));
    assert_holds(ROLE_DEVICE, with_rsa(8192, "010001"));
    assert_holds(ROLE_DEVICE, with_rsa(2048, "8000000000000001"));
    assert_broken(ROLE_DEVICE, with_rsa(2047, "010001"), "less than 2048");
    assert_broken(ROLE_DEVICE, with_rsa(1024, "010001"), "less than 2048");
    assert_broken(ROLE_DEVICE, with_rsa(8193, "010001"), "more than 8192");
    assert_broken(ROLE_DEVICE, with_rsa(16384, "010001"), "more than 8192");
    static const char *const bad[] = {"03", "ffff", "010000", "018000000000000001"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_broken(ROLE_DEVICE, with_rsa(2048, bad[i]), "exponent");
}

static void signatures_use_strong_digests(void **state)
{
    (void)state;
    static const char *const good[] = {"SHA256", "SHA384", "SHA512"};
    static const char *const bad[] = {"MD5", "SHA1", "SHA224"};
    static const char *const kinds[] = {"P-256", "RSA"};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < 3; i++)
            assert_holds(ROLE_AUTHORITY,
                         make(&(struct spec){.subject = "x", .kind = kinds[k], .digest = good[i]}));
        for (size_t i = k == 0 ? 1 : 0; i < 3; i++)
            assert_broken(ROLE_AUTHORITY,
                          make(&(struct spec){.subject = "x", .kind = kinds[k], .digest = bad[i]}),
                          "digest other than");
    }
}

static void pss_has_two_strong_digests(void **state)
{
    (void)state;
    assert_holds(ROLE_AUTHORITY, make(&(struct spec){.subject = "x", .kind = "RSA", .pss = true}));
    assert_holds(ROLE_AUTHORITY,
                 make(&(struct spec){.subject = "x", .kind = "RSA", .pss = true, .mask = "SHA512"}));
    assert_broken(ROLE_AUTHORITY,
                  make(&(struct spec){.subject = "x", .kind = "RSA", .pss = true, .mask = "SHA1"}),
                  "digest other than");
    assert_broken(ROLE_AUTHORITY,
                  make(&(struct spec){.subject = "x", .kind = "RSA", .pss = true, .digest = "SHA1"}),
                  "digest other than");
}

static void signatures_are_of_the_kinds_allowed(void **state)
{
    (void)state;
    const struct made *odd = make(&(struct spec){.subject = "x", .kind = "ED448"});
    assert_broken(ROLE_DEVICE, make_device("d1", odd), "neither with RSA, ECDSA nor Ed25519");
    assert_broken(ROLE_AUTHORITY, make(&(struct spec){.subject = "x", .digest = "SHA3-256"}),
                  "neither with RSA, ECDSA nor Ed25519");
    assert_broken(ROLE_AUTHORITY, make(&(struct spec){.subject = "x", .two_algorithms = true}),
                  "two different things");
}

static void an_authority_says_that_it_is_one(void **state)
{
    (void)state;
    assert_holds(ROLE_AUTHORITY, with("basicConstraints=CA:TRUE\nkeyUsage=keyCertSign\n"));
    assert_holds(ROLE_AUTHORITY, with(CA_EXTENSIONS "extendedKeyUsage=serverAuth,clientAuth\n"));
    assert_holds(ROLE_AUTHORITY, with(CA_EXTENSIONS "extendedKeyUsage=anyExtendedKeyUsage\n"));
    assert_broken(ROLE_AUTHORITY, with("keyUsage=keyCertSign\n"), "no basicConstraints");
    assert_broken(ROLE_AUTHORITY, with("basicConstraints=CA:FALSE\nkeyUsage=keyCertSign\n"), "CA:FALSE");
    assert_holds(ROLE_AUTHORITY, with("basicConstraints=CA:TRUE\n")); // a root, as openssl makes it
    assert_broken(ROLE_AUTHORITY,
                  make(&(struct spec){.subject = "x",
                                      .issuer = make_ca("ca", NULL),
                                      .extensions = "basicConstraints=CA:TRUE\n"}),
                  "no keyUsage");
    assert_broken(ROLE_AUTHORITY, with("basicConstraints=CA:TRUE\nkeyUsage=cRLSign,digitalSignature\n"),
                  "may not sign certificates");
    assert_broken(ROLE_AUTHORITY, with(CA_EXTENSIONS "extendedKeyUsage=serverAuth\n"), "TLS clients");
    assert_broken(ROLE_AUTHORITY, make(&(struct spec){.subject = "", .issuer_name = "y"}), "no subject name");
}

static void a_device_is_no_authority_and_may_be_a_tls_client(void **state)
{
    (void)state;
    assert_holds(ROLE_DEVICE, with(""));
    assert_holds(ROLE_DEVICE, with("basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\n"));
    assert_holds(ROLE_DEVICE, with("extendedKeyUsage=anyExtendedKeyUsage\n"));
    assert_broken(ROLE_DEVICE, with("basicConstraints=CA:TRUE\n"), "is a CA");
    assert_broken(ROLE_DEVICE, with("keyUsage=keyEncipherment\n"), "digitalSignature");
    assert_broken(ROLE_DEVICE, with("extendedKeyUsage=serverAuth\n"), "clientAuth");
}

static void a_pinned_certificate_may_be_a_ca_but_not_be_for_something_else(void **state)
{
    (void)state;
    assert_holds(ROLE_PINNED, with("basicConstraints=CA:TRUE\n"));
    assert_broken(ROLE_PINNED, with("keyUsage=keyCertSign\n"), "digitalSignature");
    assert_broken(ROLE_PINNED, with("extendedKeyUsage=serverAuth\n"), "clientAuth");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(extensions_are_few_and_each_there_once),
        TEST(names_and_constraints_are_few),
        TEST(only_version_3_has_extensions),
        TEST(serial_numbers_have_up_to_20_bytes),
        TEST(validity_makes_sense),
        TEST(extensions_that_cannot_be_read_are_refused),
        TEST(policies_are_taken_and_demands_about_them_refused),
        TEST(what_is_critical_must_be_known),
        TEST(keys_are_of_the_kinds_allowed),
        TEST(explicit_curves_are_refused),
        TEST(keys_that_are_none_are_refused),
        TEST(rsa_keys_have_2048_to_8192_bits_and_a_usual_exponent),
        TEST(rsa_keys_of_the_kind_that_can_be_factored_are_refused),
        TEST(signatures_use_strong_digests),
        TEST(pss_has_two_strong_digests),
        TEST(signatures_are_of_the_kinds_allowed),
        TEST(an_authority_says_that_it_is_one),
        TEST(a_device_is_no_authority_and_may_be_a_tls_client),
        TEST(a_pinned_certificate_may_be_a_ca_but_not_be_for_something_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
