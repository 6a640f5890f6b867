// Two devices of one name that sign with keys: who keeps the registration. Devices with certificates are in
// x509_test.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/keys.h"
#include "domain/decide.h"

enum { NOW_S = 1893450000 };

static struct enrollment group_of(const char *id, uint8_t key)
{
    struct enrollment e = {.kind = ENROLLMENT_GROUP, .id = slice_text(id)};
    e.attestation.type = ATTESTATION_SYMMETRIC_KEY;
    e.attestation.primary_key.len = 32;
    memset(e.attestation.primary_key.bytes, key, 32);
    return e;
}

enum former { GONE, IS_A, IS_B, IS_X509, IS_A_OF_OLD, IS_TPM }; // A_OF_OLD: it has B's key too
static const struct row {
    const char *says;
    enum enrollment_kind prior; // what admitted the device before
    enum former former;
    bool individual; // the device has one now
    bool disabled;   // group b
    enum err_code code;
} rows[] = {
    {"a device of b, registered through a", ENROLLMENT_GROUP, IS_A, false, false, ERR_REGISTRATION_TAKEN},
    {"registered through b", ENROLLMENT_GROUP, IS_B, false, false, ERR_NONE},
    {"a is gone", ENROLLMENT_GROUP, GONE, false, false, ERR_NONE},
    {"a's key made the signature too", ENROLLMENT_GROUP, IS_A_OF_OLD, false, false, ERR_NONE},
    {"registered through a group with certificates", ENROLLMENT_GROUP, IS_X509, false, false,
     ERR_REGISTRATION_TAKEN},
    {"registered through a group of TPMs", ENROLLMENT_GROUP, IS_TPM, false, false, ERR_REGISTRATION_TAKEN},
    {"an individual enrollment means it", ENROLLMENT_GROUP, IS_A, true, false, ERR_NONE},
    {"registered through its individual enrollment, which is gone", ENROLLMENT_INDIVIDUAL, GONE, false, false,
     ERR_NONE},
    {"b is disabled, and leaves no mark on a's device", ENROLLMENT_GROUP, IS_A, false, true,
     ERR_REGISTRATION_TAKEN},
    {"b is disabled", ENROLLMENT_GROUP, IS_B, false, true, ERR_ENROLLMENT_DISABLED},
};

static struct credential sign(struct arena *arena, const struct secret *key)
{
    struct buf out = buf_capped(SAS_TOKEN_MAX);
    struct credential credential = {.kind = CREDENTIAL_SAS};
    struct slice text;
    sas_sign(&out, SLICE("0ne1/registrations/Dev"), NOW_S + 60, key, SLICE(""));
    assert_false(failed(arena_copy(arena, buf_slice(&out), &text)));
    assert_false(failed(sas_parse(text, &credential.sas, NULL)));
    buf_release(&out);
    return credential;
}

// The device has the key that is derived from that of group b.
static void check_row(const struct row *row, bool former_first)
{
    struct arena arena = arena_capped(1 << 16);
    struct service service = {.id_scope = SLICE("0ne1")};
    struct enrollment a = group_of("a", row->former == IS_A_OF_OLD ? 2 : 1);
    struct enrollment b = group_of("b", 2);
    struct enrollment x509 = {
        .kind = ENROLLMENT_GROUP, .id = SLICE("x"), .attestation.type = ATTESTATION_X509};
    struct enrollment tpm = {.kind = ENROLLMENT_GROUP, .id = SLICE("t"), .attestation.type = ATTESTATION_TPM};
    const struct enrollment *formers[] = {NULL, &a, &b, &x509, &a, &tpm};
    const struct enrollment *groups[] = {former_first ? &a : &b, former_first ? &b : &a};
    struct enrollment individual = {.id = SLICE("dev"), .attestation.type = ATTESTATION_SYMMETRIC_KEY};
    struct registration prior = {
        .id = SLICE("dev"), .enrollment_kind = row->prior, .enrollment_id = SLICE("whatever")};
    struct secret key;
    struct decision out;
    struct why why = {0};
    b.provisioning_status = row->disabled ? PROVISIONING_DISABLED : PROVISIONING_ENABLED;
    assert_false(failed(key_derive(&b.attestation.primary_key, SLICE("Dev"), &key)));
    individual.attestation.primary_key = key;
    struct admission admission = {
        .service = &service,
        .registration_id = SLICE("Dev"),
        .individual = row->individual ? &individual : NULL,
        .groups = groups,
        .group_count = row->individual ? 0 : 2,
        .prior = &prior,
        .former = formers[row->former],
        .credential = sign(&arena, &key),
        .now_us = NOW_S * INT64_C(1000000),
    };
    struct err e = decide_admission(&admission, &arena, &out, NULL, &why);
    if (e.code != row->code)
        fail_msg("%s: %s: %s", row->says, err_info(e)->name, why.text);
    assert_int_equal(out.primary_key.len > 0, !failed(e));
    arena_release(&arena);
}

static void a_registration_stays_with_the_group_that_let_the_device_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i], false);
        check_row(&rows[i], true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_registration_stays_with_the_group_that_let_the_device_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
