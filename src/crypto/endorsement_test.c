// Certificates of TPMs: what is one, what is none, and what vouches for one. The way to a CA is found by
// path.c as for devices, by other rules for what stands on it.
#include "base/text.h"
#include "crypto/facts.h"
#include "crypto/finding_test.h"
#include "crypto/possession.h"
#include "crypto/tpm.h"
#include "crypto/tpm_certificates_test.h"
#include "crypto/tpm_keys_test.h"

static uint8_t ek_der[1200], ca_der[1200], root_der[1200];

static struct slice from_b64(const char *text, uint8_t *room, size_t size)
{
    size_t len = 0;
    assert_true(b64_decode(slice_text(text), room, size, &len));
    return slice_of(room, len);
}

static const struct made *tpm_below(const struct made *issuer, const char *extensions)
{
    return make(&(struct spec){.subject = "", .issuer = issuer, .kind = "RSA", .extensions = extensions});
}

static void assert_role(enum role role, const struct made *made, const char *words)
{
    struct facts *facts;
    assert_false(failed(facts_read(made->der, &facts)));
    const char *broken = facts->profile.broken[role];
    facts_release(facts);
    if (words == NULL ? broken != NULL : broken == NULL || strstr(broken, words) == NULL)
        fail_msg("'%s', want '%s'", broken != NULL ? broken : "(it holds)",
                 words != NULL ? words : "(it holds)");
}

static void assert_endorsement(const char *extensions, const char *words)
{
    assert_role(ROLE_ENDORSEMENT, tpm_below(make_ca("ca", NULL), extensions), words);
}

static void a_tpms_certificate_as_swtpm_makes_it_is_let_in(void **state)
{
    (void)state;
    endorsement = true;
    const struct made root = {.der = from_b64(SWTPM_ROOT, root_der, sizeof root_der)};
    const struct made ca = {.der = from_b64(SWTPM_CA, ca_der, sizeof ca_der)};
    const struct made ek = {.der = from_b64(SWTPM_EK, ek_der, sizeof ek_der)};
    hold(&root, true);
    SHOW(&ek, &ca);
    assert_found(1);
    ASSERT_WAY(0, &ca, &root);
    endorsement = false;
    assert_refused(ERR_CERTIFICATE_REFUSED, "add digitalSignature");
}

static void a_tpms_certificate_does_not_let_a_device_in(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *tpm = tpm_below(root, TPM_EXTENSIONS);
    hold(root, true);
    SHOW(tpm);
    assert_refused(ERR_CERTIFICATE_REFUSED, "add digitalSignature");
    assert_int_equal(path_check_pinned(chain, now_us, &why).code, ERR_CERTIFICATE_REFUSED);
    endorsement = true;
    assert_found(1);
}

static void a_devices_certificate_is_none_of_a_tpm(void **state)
{
    (void)state;
    endorsement = true;
    const struct made *root = make_ca("root", NULL);
    hold(root, true);
    SHOW(make(
        &(struct spec){.subject = "d1", .issuer = root, .kind = "RSA", .extensions = DEVICE_EXTENSIONS}));
    assert_refused(ERR_CERTIFICATE_REFUSED, "says no TPM manufacturer, model and version");
    SHOW(make_device("d1", root));
    assert_refused(ERR_CERTIFICATE_REFUSED, "is not that of an RSA 2048 endorsement key");
}

#define NAME  TPM_NAME_EXTENSION
#define USAGE "keyUsage=critical,keyEncipherment\n"

static void what_the_profile_of_tpms_leaves_open_may_differ(void **state)
{
    (void)state;
    assert_endorsement(NAME USAGE, NULL); // no extended usage, no basic constraints
    assert_endorsement(
        TPM_EXTENSIONS
        "subjectDirectoryAttributes=DER:3019301706056781050210310E300C0C03322E30020100020200A4\n",
        NULL);
    assert_endorsement(NAME "keyUsage=keyEncipherment,dataEncipherment\n", NULL);
    assert_endorsement(NAME USAGE "extendedKeyUsage=1.2.3.4,2.23.133.8.1\n", NULL);
}

static void what_says_less_or_more_than_a_tpms_is_refused(void **state)
{
    (void)state;
    assert_endorsement(USAGE, "says no TPM manufacturer");
    assert_endorsement(USAGE "subjectAltName=critical,DNS:tpm.example.com\n", "says no TPM manufacturer");
    // manufacturer and model, no version
    assert_endorsement(
        USAGE "subjectAltName=critical,DER:302EA42C302A31163014060567810502010C0B69643A3030303031303134"
              "3110300E060567810502020C05737774706D\n",
        "says no TPM manufacturer");
    assert_endorsement(NAME, "keyUsage is not keyEncipherment");
    assert_endorsement(NAME "keyUsage=digitalSignature\n", "keyUsage is not keyEncipherment");
    assert_endorsement(NAME "keyUsage=keyEncipherment,digitalSignature\n", "or is for signing");
    assert_endorsement(NAME USAGE "extendedKeyUsage=clientAuth\n", "without 2.23.133.8.1");
    assert_endorsement(NAME USAGE "extendedKeyUsage=anyExtendedKeyUsage\n", "without 2.23.133.8.1");
    assert_endorsement(NAME USAGE "basicConstraints=CA:TRUE\n", "is a CA's");
    assert_endorsement(TPM_EXTENSIONS "1.2.3.4=critical,DER:0500\n", "critical extension");
}

static void without_a_subject_the_tpms_name_is_critical(void **state)
{
    (void)state;
    const char *extensions =
        USAGE "subjectAltName=DER:3046A444304231163014060567810502010C0B69643A3030303031303134"
              "3110300E060567810502020C05737774706D31163014060567810502030C0B69643A3230313931303233\n";
    const struct made *ca = make_ca("ca", NULL);
    assert_role(ROLE_ENDORSEMENT, tpm_below(ca, extensions), "not critical");
    assert_role(ROLE_ENDORSEMENT,
                make(&(struct spec){.subject = "tpm", .issuer = ca, .kind = "RSA", .extensions = extensions}),
                NULL);
}

static void a_ca_for_one_purpose_does_not_serve_the_other(void **state)
{
    (void)state;
    const struct made *root = make_ca("root", NULL);
    const struct made *tpms = make(&(struct spec){
        .subject = "tpms", .issuer = root, .extensions = CA_EXTENSIONS "extendedKeyUsage=2.23.133.8.1\n"});
    const struct made *devices = make(&(struct spec){
        .subject = "devices", .issuer = root, .extensions = CA_EXTENSIONS "extendedKeyUsage=clientAuth\n"});
    hold(root, true);
    endorsement = true;
    SHOW(tpm_below(tpms, TPM_EXTENSIONS), tpms);
    assert_found(1);
    SHOW(tpm_below(devices, TPM_EXTENSIONS), devices);
    assert_refused(ERR_CERTIFICATE_REFUSED, "may not vouch for TPMs");
    endorsement = false;
    SHOW(make_device("d1", devices), devices);
    assert_found(1);
    SHOW(make_device("d1", tpms), tpms);
    assert_refused(ERR_CERTIFICATE_REFUSED, "may not vouch for TLS clients");
}

static void either_kind_of_ca_can_be_handed_in(void **state)
{
    (void)state;
    struct authority authority;
    const struct made *tpms = make(
        &(struct spec){.subject = "tpms", .extensions = CA_EXTENSIONS "extendedKeyUsage=2.23.133.8.1\n"});
    const struct made *servers = make(
        &(struct spec){.subject = "servers", .extensions = CA_EXTENSIONS "extendedKeyUsage=serverAuth\n"});
    assert_false(failed(authority_check(tpms->der, NOW_US, &authority, &why)));
    assert_int_equal(authority_check(servers->der, NOW_US, &authority, &why).code, ERR_INVALID);
}

// What it may not vouch for it may not, whatever the purpose.
static void limits_of_a_ca_hold_for_tpms_too(void **state)
{
    (void)state;
    const struct made *root = make(&(struct spec){
        .subject = "root",
        .extensions = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n"
                      "extendedKeyUsage=2.23.133.8.1\n"});
    const struct made *lower = make_ca("lower", root);
    hold(root, true);
    endorsement = true;
    SHOW(tpm_below(root, TPM_EXTENSIONS));
    assert_found(1);
    SHOW(tpm_below(lower, TPM_EXTENSIONS), lower);
    assert_refused(ERR_CERTIFICATE_REFUSED, "root");
}

static void a_certificate_is_of_the_key_that_it_names_and_of_no_other(void **state)
{
    (void)state;
    uint8_t ek[EK_SIZE];
    struct slice der = from_b64(SWTPM_EK, ek_der, sizeof ek_der);
    struct facts *facts;
    BIGNUM *n = NULL;
    ek_bytes(ek);
    assert_int_equal(tpm_certificate_is_of(der, slice_of(ek, sizeof ek), &why).code, ERR_CERTIFICATE_REFUSED);
    assert_string_equal(why.text, "the TPM's certificate is that of another endorsement key");
    assert_false(failed(facts_read(der, &facts)));
    assert_int_equal(EVP_PKEY_get_bn_param(facts->key, "n", &n), 1);
    assert_int_equal(BN_bn2binpad(n, ek + EK_MODULUS, 256), 256);
    BN_free(n);
    facts_release(facts);
    assert_false(failed(tpm_certificate_is_of(der, slice_of(ek, sizeof ek), &why)));
    ek[EK_SIZE - 1] ^= 2;
    assert_int_equal(tpm_certificate_is_of(der, slice_of(ek, sizeof ek), &why).code, ERR_CERTIFICATE_REFUSED);
    assert_int_equal(tpm_certificate_is_of(slice_to(der, 100), slice_of(ek, sizeof ek), &why).code,
                     ERR_CERTIFICATE_REFUSED);
    ek_bytes(ek);
    assert_int_equal(
        tpm_certificate_is_of(make_device("d1", make_ca("ca", NULL))->der, slice_of(ek, sizeof ek), &why)
            .code,
        ERR_CERTIFICATE_REFUSED); // EC
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tpms_certificate_as_swtpm_makes_it_is_let_in),
        TEST(a_tpms_certificate_does_not_let_a_device_in),
        TEST(a_devices_certificate_is_none_of_a_tpm),
        TEST(what_the_profile_of_tpms_leaves_open_may_differ),
        TEST(what_says_less_or_more_than_a_tpms_is_refused),
        TEST(without_a_subject_the_tpms_name_is_critical),
        TEST(a_ca_for_one_purpose_does_not_serve_the_other),
        TEST(either_kind_of_ca_can_be_handed_in),
        TEST(limits_of_a_ca_hold_for_tpms_too),
        TEST(a_certificate_is_of_the_key_that_it_names_and_of_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
