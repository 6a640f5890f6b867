// Who is let in. What the device is then taken to is plan_test.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/keys.h"
#include "domain/decide.h"

enum { NOW_S = 1893450000 };

static struct secret key_of(uint8_t byte)
{
    struct secret key = {.len = 32};
    memset(key.bytes, byte, 32);
    return key;
}

static struct enrollment symmetric(enum enrollment_kind kind, const char *id, uint8_t primary,
                                   uint8_t secondary)
{
    return (struct enrollment){.kind = kind,
                               .id = slice_text(id),
                               .attestation = {.type = ATTESTATION_SYMMETRIC_KEY,
                                               .primary_key = key_of(primary),
                                               .secondary_key = key_of(secondary)}};
}

// A token as a device makes it; `resource` is what it puts into sr.
static struct credential token(struct arena *arena, const char *resource, int64_t expiry_s,
                               const struct secret *key, const char *policy)
{
    struct buf out = buf_capped(SAS_TOKEN_MAX);
    struct credential credential = {.kind = CREDENTIAL_SAS};
    struct slice text;
    sas_sign(&out, slice_text(resource), expiry_s, key, slice_text(policy));
    assert_false(failed(arena_copy(arena, buf_slice(&out), &text)));
    assert_false(failed(sas_parse(text, &credential.sas, NULL)));
    buf_release(&out);
    return credential;
}

static struct secret derived(uint8_t group_key, const char *registration_id)
{
    struct secret group = key_of(group_key);
    struct secret key;
    assert_false(failed(key_derive(&group, slice_text(registration_id), &key)));
    return key;
}

// Which key signs: a letter and what follows. 'k' + byte: that key itself; 'd' + byte: derived from it and
// the ID below.
struct signer {
    char how;
    uint8_t byte;
    const char *id;
};

static struct secret signer_key(const struct signer *s)
{
    return s->how == 'd' ? derived(s->byte, s->id) : key_of(s->byte);
}

enum { INDIVIDUAL = 1, GROUPS = 2, X509 = 4, OFF = 8 }; // what the service has; OFF: it is disabled

static const struct admission_case {
    const char *says;
    int has;
    const char *id; // as presented
    const char *resource;
    int64_t expires_in;
    const char *policy;
    struct signer signer;
    enum err_code code;
    const char *told;
} admissions[] = {
    {"primary key",
     INDIVIDUAL,
     "dev",
     "0ne1%2Fregistrations%2Fdev",
     60,
     "registration",
     {'k', 1, ""},
     ERR_NONE,
     NULL},
    {"secondary key", INDIVIDUAL, "dev", "0ne1%2fregistrations%2fdev", 60, "", {'k', 2, ""}, ERR_NONE, NULL},
    {"sr without encoding",
     INDIVIDUAL,
     "dev",
     "0ne1/registrations/dev",
     60,
     "registration",
     {'k', 1, ""},
     ERR_NONE,
     NULL},
    {"sr in lower case",
     INDIVIDUAL,
     "Dev",
     "0NE1%2Fregistrations%2FDEV",
     60,
     "",
     {'k', 1, ""},
     ERR_NONE,
     NULL},
    {"expired within the skew",
     INDIVIDUAL,
     "dev",
     "0ne1/registrations/dev",
     -299,
     "",
     {'k', 1, ""},
     ERR_NONE,
     NULL},
    {"expired",
     INDIVIDUAL,
     "dev",
     "0ne1/registrations/dev",
     -301,
     "",
     {'k', 1, ""},
     ERR_SAS_EXPIRED,
     "expired 301 s ago"},
    {"wrong key",
     INDIVIDUAL,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'k', 7, ""},
     ERR_SAS_SIGNATURE,
     "neither key"},
    {"another device's sr",
     INDIVIDUAL,
     "dev",
     "0ne1/registrations/dev2",
     60,
     "",
     {'k', 1, ""},
     ERR_SAS_RESOURCE,
     ""},
    {"another scope's sr",
     INDIVIDUAL,
     "dev",
     "0ne2/registrations/dev",
     60,
     "",
     {'k', 1, ""},
     ERR_SAS_RESOURCE,
     ""},
    {"a shorter sr", INDIVIDUAL, "dev", "0ne1/registrations", 60, "", {'k', 1, ""}, ERR_SAS_RESOURCE, ""},
    {"sr encoded twice",
     INDIVIDUAL,
     "dev",
     "0ne1%252Fregistrations%252Fdev",
     60,
     "",
     {'k', 1, ""},
     ERR_SAS_RESOURCE,
     ""},
    {"an operator's policy",
     INDIVIDUAL,
     "dev",
     "0ne1/registrations/dev",
     60,
     "owner",
     {'k', 1, ""},
     ERR_POLICY_UNKNOWN,
     "skn"},
    {"disabled, proven",
     INDIVIDUAL | OFF,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'k', 1, ""},
     ERR_ENROLLMENT_DISABLED,
     "enable"},
    {"disabled, not proven",
     INDIVIDUAL | OFF,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'k', 7, ""},
     ERR_SAS_SIGNATURE,
     "neither key"},
    {"individual of another type",
     INDIVIDUAL | X509,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'k', 1, ""},
     ERR_ATTESTATION_TYPE,
     "expects x509"},
    {"nobody knows it",
     0,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'k', 1, ""},
     ERR_REGISTRATION_UNKNOWN,
     "no enrollment"},
    {"first group, primary",
     GROUPS,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'d', 11, "dev"},
     ERR_NONE,
     NULL},
    {"first group, secondary",
     GROUPS,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'d', 12, "dev"},
     ERR_NONE,
     NULL},
    {"second group, primary",
     GROUPS,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'d', 21, "dev"},
     ERR_NONE,
     NULL},
    {"group, capitals as presented",
     GROUPS,
     "Dev",
     "0ne1/registrations/Dev",
     60,
     "",
     {'d', 21, "Dev"},
     ERR_NONE,
     NULL},
    {"group, key of the small letters",
     GROUPS,
     "Dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'d', 21, "dev"},
     ERR_NONE,
     NULL},
    {"group, key of other capitals",
     GROUPS,
     "Dev",
     "0ne1/registrations/Dev",
     60,
     "",
     {'d', 21, "DEV"},
     ERR_SAS_SIGNATURE,
     "exactly this ID"},
    {"group, another device's key",
     GROUPS,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'d', 11, "dev2"},
     ERR_SAS_SIGNATURE,
     "none of the 2 groups"},
    {"the group's own key",
     GROUPS,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'k', 21, ""},
     ERR_SAS_SIGNATURE,
     "key of group second itself"},
    {"group disabled, proven",
     GROUPS | OFF,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'d', 11, "dev"},
     ERR_ENROLLMENT_DISABLED,
     "group first is disabled"},
    {"group disabled, not proven",
     GROUPS | OFF,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'d', 7, "dev"},
     ERR_SAS_SIGNATURE,
     "none of the 2 groups"},
    {"individual wins over group",
     INDIVIDUAL | GROUPS,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'d', 11, "dev"},
     ERR_SAS_SIGNATURE,
     "neither key"},
    {"disabled individual blocks group",
     INDIVIDUAL | GROUPS | OFF,
     "dev",
     "0ne1/registrations/dev",
     60,
     "",
     {'k', 1, ""},
     ERR_ENROLLMENT_DISABLED,
     "individual"},
};

static void check_admission(const struct admission_case *c)
{
    struct arena arena = arena_capped(1 << 20);
    struct service service = {.id_scope = SLICE("0ne1")};
    struct enrollment individual = symmetric(ENROLLMENT_INDIVIDUAL, "dev", 1, 2);
    struct enrollment groups[] = {symmetric(ENROLLMENT_GROUP, "first", 11, 12),
                                  symmetric(ENROLLMENT_GROUP, "second", 21, 22)};
    const struct enrollment *list[] = {&groups[0], &groups[1]};
    struct secret key = signer_key(&c->signer);
    struct trace trace = {0};
    struct decision out;
    struct why why = {0};
    if ((c->has & X509) != 0)
        individual.attestation = (struct attestation){.type = ATTESTATION_X509};
    if ((c->has & OFF) != 0)
        individual.provisioning_status = groups[0].provisioning_status = PROVISIONING_DISABLED;
    struct admission admission = {
        .service = &service,
        .registration_id = slice_text(c->id),
        .individual = (c->has & INDIVIDUAL) != 0 ? &individual : NULL,
        .groups = list,
        .group_count = (c->has & GROUPS) != 0 ? 2 : 0,
        .credential = token(&arena, c->resource, NOW_S + c->expires_in, &key, c->policy),
        .now_us = NOW_S * INT64_C(1000000),
    };
    struct err e = decide_admission(&admission, &arena, &out, &trace, &why);
    if (e.code != c->code || (c->told != NULL && strstr(why.text, c->told) == NULL))
        fail_msg("%s: %u %s", c->says, e.code, why.text);
    assert_true(trace.count > 0);
    assert_true(!failed(e) || err_info(e)->class == ERR_CLASS_AUTH);
    assert_int_equal(out.primary_key.len > 0, !failed(e));
    if (!failed(e)) // the hub takes what the device signs with
        assert_true(secret_equal(&out.primary_key, &key) || secret_equal(&out.secondary_key, &key));
    arena_release(&arena);
}

static void only_a_valid_proof_lets_a_device_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof admissions / sizeof admissions[0]; i++)
        check_admission(&admissions[i]);
}

static bool warns_of_token(int64_t lives_s)
{
    struct arena arena = arena_capped(65536);
    struct service service = {.id_scope = SLICE("0ne1")};
    struct enrollment individual = symmetric(ENROLLMENT_INDIVIDUAL, "dev", 1, 2);
    struct secret key = key_of(1);
    struct admission admission = {
        .service = &service,
        .registration_id = SLICE("dev"),
        .individual = &individual,
        .credential = token(&arena, "0ne1/registrations/dev", NOW_S + lives_s, &key, ""),
        .now_us = NOW_S * INT64_C(1000000),
    };
    struct trace trace = {0};
    struct decision out;
    bool warned = false;
    assert_false(failed(decide_admission(&admission, &arena, &out, &trace, NULL)));
    for (size_t i = 0; i < trace.count; i++)
        warned =
            warned || slice_find(trace.lines[i].text, SLICE("more than a year")) < trace.lines[i].text.len;
    arena_release(&arena);
    return warned;
}

static void a_token_for_years_is_taken_and_warned_of(void **state)
{
    (void)state;
    assert_false(warns_of_token(24 * 3600));
    assert_true(warns_of_token(400 * 24 * 3600));
    assert_true(warns_of_token(SAS_EXPIRY_MAX - NOW_S));
}

static void a_device_without_a_token_is_refused(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct service service = {.id_scope = SLICE("0ne1")};
    struct enrollment individual = symmetric(ENROLLMENT_INDIVIDUAL, "dev", 1, 2);
    struct admission admission = {
        .service = &service, .registration_id = SLICE("dev"), .individual = &individual};
    struct decision out;
    assert_int_equal(decide_admission(&admission, &arena, &out, NULL, NULL).code, ERR_CREDENTIAL_MISSING);
    arena_release(&arena);
}

// The vectors of device-protocol 5: one device key, and the spellings of sr that the SDKs sign.
static const char *const vectors[] = {
    "sr=0ne000A0B1C/registrations/"
    "device-001&sig=mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY%3D&skn=registration&se=1893456000",
    "sr=0ne000A0B1C/registrations/"
    "device-001&sig=mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY%3D&se=1893456000&skn=",
    "sr=0ne000A0B1C%2Fregistrations%2Fdevice-001&sig=rLLZL7wvC%2BRbucCdkJFXgjZj%2FROvTeNYQ3%2Fn6c6E8HE%3D&se="
    "1893456000",
    "sr=0ne000A0B1C%2fregistrations%2fdevice-001&sig=FSe2gLmUnTxdEvDx0SoxFmWwCb%2Fp8DFfopxaVCgUWZw%3D&se="
    "1893456000&skn=registration",
    "sr=0ne000a0b1c%2Fregistrations%2Fdevice-001&sig=tBHQcg8kDwpfUEZmlYPNgiHNjVggaH3Hzea%2BK2rU0gI%3D&se="
    "1893456000&skn=registration",
};

static void the_tokens_of_all_sdks_admit_a_device_of_a_group(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct arena arena = arena_capped(65536);
        struct service service = {.id_scope = SLICE("0ne000A0B1C")};
        struct enrollment group = {.kind = ENROLLMENT_GROUP, .id = SLICE("g")};
        const struct enrollment *list[] = {&group};
        struct decision out;
        struct why why = {0};
        struct slice text;
        group.attestation.type = ATTESTATION_SYMMETRIC_KEY;
        group.attestation.primary_key.len = 64;
        for (uint8_t k = 0; k < 64; k++)
            group.attestation.primary_key.bytes[k] = k;
        struct admission admission = {.service = &service,
                                      .registration_id = SLICE("device-001"),
                                      .groups = list,
                                      .group_count = 1,
                                      .credential.kind = CREDENTIAL_SAS,
                                      .now_us = NOW_S * INT64_C(1000000)};
        assert_false(failed(arena_printf(&arena, &text, "SharedAccessSignature %s", vectors[i])));
        assert_false(failed(sas_parse(text, &admission.credential.sas, NULL)));
        if (failed(decide_admission(&admission, &arena, &out, NULL, &why)))
            fail_msg("%s: %s", vectors[i], why.text);
        arena_release(&arena);
    }
}

// Threats B3: a valid credential of one service is of no use at another, even with the same registration ID
// and a key that both know.
static void a_credential_counts_only_at_its_own_service(void **state)
{
    (void)state;
    static const char *const scopes[] = {"0ne0000000A", "0ne0000000B", "0ne0000000AB"};
    srand(7);
    for (unsigned round = 0; round < 200; round++) {
        struct arena arena = arena_capped(1 << 20);
        char id[32];
        char resource[96];
        (void)snprintf(id, sizeof id, "Device-%d", rand() % 1000);
        unsigned from = (unsigned)rand() % 3;
        bool grouped = rand() % 2 == 0;
        bool encoded = rand() % 2 == 0;
        bool shared_key = rand() % 2 == 0;
        const char *slash = encoded ? "%2F" : "/";
        (void)snprintf(resource, sizeof resource, "%s%sregistrations%s%s", scopes[from], slash, slash, id);
        uint8_t own = (uint8_t)(shared_key ? 50 : 50 + from);
        struct secret key = grouped ? derived(own, id) : key_of(own);
        for (unsigned at = 0; at < 3; at++) {
            uint8_t byte = (uint8_t)(shared_key ? 50 : 50 + at);
            struct service service = {.id_scope = slice_text(scopes[at])};
            struct enrollment e = symmetric(grouped ? ENROLLMENT_GROUP : ENROLLMENT_INDIVIDUAL, id, byte, 99);
            const struct enrollment *list[] = {&e};
            struct decision out;
            struct admission admission = {
                .service = &service,
                .registration_id = slice_text(id),
                .individual = grouped ? NULL : &e,
                .groups = list,
                .group_count = grouped ? 1 : 0,
                .credential = token(&arena, resource, NOW_S + 60, &key, "registration"),
                .now_us = NOW_S * INT64_C(1000000),
            };
            struct err result = decide_admission(&admission, &arena, &out, NULL, NULL);
            assert_int_equal(failed(result), at != from);
        }
        arena_release(&arena);
    }
}

static void changing_any_bit_of_a_proof_refuses_it(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 20);
    struct service service = {.id_scope = SLICE("0ne1")};
    struct enrollment individual = symmetric(ENROLLMENT_INDIVIDUAL, "dev", 1, 2);
    struct secret key = key_of(1);
    struct admission admission = {.service = &service,
                                  .registration_id = SLICE("dev"),
                                  .individual = &individual,
                                  .now_us = NOW_S * INT64_C(1000000)};
    struct credential good = token(&arena, "0ne1/registrations/dev", NOW_S + 60, &key, "");
    for (unsigned bit = 0; bit < SHA256_SIZE * 8; bit++) {
        struct decision out;
        admission.credential = good;
        admission.credential.sas.signature[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_equal(decide_admission(&admission, &arena, &out, NULL, NULL).code, ERR_SAS_SIGNATURE);
        assert_null(out.enrollment);
    }
    arena_release(&arena);
}

static void a_group_without_a_secondary_key_admits_by_its_primary_only(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct service service = {.id_scope = SLICE("0ne1")};
    struct enrollment group = symmetric(ENROLLMENT_GROUP, "g", 11, 12);
    const struct enrollment *list[] = {&group};
    struct secret good = derived(11, "dev");
    struct secret empty = {0};
    struct secret of_nothing;
    struct decision out;
    secret_wipe(&group.attestation.secondary_key);
    struct admission admission = {.service = &service,
                                  .registration_id = SLICE("dev"),
                                  .groups = list,
                                  .group_count = 1,
                                  .now_us = NOW_S * INT64_C(1000000)};
    admission.credential = token(&arena, "0ne1/registrations/dev", NOW_S + 60, &good, "");
    assert_false(failed(decide_admission(&admission, &arena, &out, NULL, NULL)));
    assert_int_equal(out.secondary_key.len, 0);
    assert_false(failed(key_derive(&empty, SLICE("dev"), &of_nothing)));
    admission.credential = token(&arena, "0ne1/registrations/dev", NOW_S + 60, &of_nothing, "");
    assert_int_equal(decide_admission(&admission, &arena, &out, NULL, NULL).code, ERR_SAS_SIGNATURE);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_valid_proof_lets_a_device_in),
        cmocka_unit_test(a_token_for_years_is_taken_and_warned_of),
        cmocka_unit_test(a_device_without_a_token_is_refused),
        cmocka_unit_test(the_tokens_of_all_sdks_admit_a_device_of_a_group),
        cmocka_unit_test(a_credential_counts_only_at_its_own_service),
        cmocka_unit_test(changing_any_bit_of_a_proof_refuses_it),
        cmocka_unit_test(a_group_without_a_secondary_key_admits_by_its_primary_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
