// Tokens of every client in the field, and tokens that must not pass (device-protocol.md section 5, threats
// B5).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/text.h"
#include "crypto/keys.h"
#include "crypto/sas.h"

#define PREFIX    "SharedAccessSignature "
#define SIG_PLAIN "mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY%3D"
#define SR_PLAIN  "0ne000A0B1C/registrations/device-001"
#define AUDIENCE  SLICE("0ne000a0b1c/registrations/DEVICE-001")

static struct secret device_key;
static struct arena arena;
static struct why why;

static int keys(void **state)
{
    (void)state;
    struct secret group = {.len = 64};
    for (uint8_t i = 0; i < 64; i++)
        group.bytes[i] = i;
    arena = arena_capped(100000);
    return failed(key_derive(&group, SLICE("device-001"), &device_key));
}

static int release(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

// The rows of the reference, with the field order of the client.
static const struct {
    const char *client;
    const char *token;
    const char *policy;
} clients[] = {
    {"Node, symmetric key", PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&skn=registration&se=1893456000",
     "registration"},
    {"Java", PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=1893456000&skn=", ""},
    {"C#",
     PREFIX
     "sr=0ne000A0B1C%2Fregistrations%2Fdevice-001&sig=rLLZL7wvC%2BRbucCdkJFXgjZj%2FROvTeNYQ3%2Fn6c6E8HE%3D"
     "&se=1893456000&skn=registration",
     "registration"},
    {"Python",
     PREFIX
     "sr=0ne000A0B1C%2Fregistrations%2Fdevice-001&sig=rLLZL7wvC%2BRbucCdkJFXgjZj%2FROvTeNYQ3%2Fn6c6E8HE%3D"
     "&se=1893456000",
     ""},
    {"C",
     PREFIX "sr=0ne000A0B1C%2fregistrations%2fdevice-001&sig=FSe2gLmUnTxdEvDx0SoxFmWwCb%2fp8DFfopxaVCgUWZw%3d"
            "&se=1893456000&skn=registration",
     "registration"},
    {"identity service",
     PREFIX "sr=0ne000a0b1c%2Fregistrations%2Fdevice-001&sig=tBHQcg8kDwpfUEZmlYPNgiHNjVggaH3Hzea%2BK2rU0gI%3D"
            "&se=1893456000&skn=registration",
     "registration"},
    {"sig not percent-encoded",
     PREFIX "sr=" SR_PLAIN "&sig=mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY=&se=1893456000", ""},
    {"fields reversed, others beside them",
     PREFIX "x=1&se=1893456000&flag&sig=" SIG_PLAIN "&sr=" SR_PLAIN "&x=2", ""},
};

static void tokens_of_every_client_pass(void **state)
{
    (void)state;
    struct secret none = {0};
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        struct sas_token token;
        struct slice policy;
        why.text[0] = '\0';
        struct err e = sas_parse(slice_text(clients[i].token), &token, &why);
        if (!failed(e))
            e = sas_verify(&token, &device_key, &none);
        if (!failed(e))
            e = sas_resource_is(&token, &arena, AUDIENCE, &why);
        if (failed(e) || sas_expired(&token, INT64_C(1893455999) * 1000000, 0))
            fail_msg("%s: %s %s", clients[i].client, err_info(e)->name, why.text);
        assert_false(failed(sas_policy(&token, &arena, &policy, &why)));
        assert_true(slice_equal(policy, slice_text(clients[i].policy)));
    }
}

static const struct {
    const char *token;
    const char *why;
} malformed[] = {
    {"", "begin"},
    {"SharedAccessSignature", "begin"},
    {"SharedAccessSignature ", "begin"},
    {"Bearer eyJ0", "begin"},
    {PREFIX "x", "sr is missing"},
    {PREFIX "sig=" SIG_PLAIN "&se=1893456000", "sr is missing"},
    {PREFIX "sr=&sig=" SIG_PLAIN "&se=1893456000", "sr is missing"},
    {PREFIX "sr=" SR_PLAIN "&se=1893456000", "sig is missing"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN, "se is missing"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=", "se is missing"},
    {PREFIX "SR=" SR_PLAIN "&sig=" SIG_PLAIN "&se=1893456000", "sr is missing"},
    {PREFIX "sr=" SR_PLAIN "&sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=1893456000", "sr is there twice"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&sig=" SIG_PLAIN "&se=1893456000", "sig is there twice"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=1893456000&se=1893456001", "se is there twice"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=1893456000&skn=&skn=b", "skn is there twice"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=-1", "se is no time"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=+1893456000", "se is no time"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=9223372036854775808", "se is no time"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=18446744073709551616", "se is no time"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=9000000000001", "se is no time"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=1893456000.5", "se is no time"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=0x70DBD880", "se is no time"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=18934%356000", "se is no time"},
    {PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=1893456000 x", "se is no time"},
    {PREFIX "sr=" SR_PLAIN "&sig=abcd&se=1893456000", "sig is not"},
    {PREFIX "sr=" SR_PLAIN "&sig=mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY&se=1893456000", "sig is not"},
    {PREFIX "sr=" SR_PLAIN "&sig=mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY%253D&se=1893456000",
     "sig is not"},
    {PREFIX "sr=" SR_PLAIN "&sig=mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY%3&se=1893456000", "sig is not"},
    {PREFIX "sr=" SR_PLAIN "&sig=mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY%zz&se=1893456000", "sig is not"},
    {PREFIX "sr=" SR_PLAIN "&sig=mbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRZ%3D&se=1893456000", "sig is not"},
};

static void malformed_tokens_are_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        struct sas_token token;
        why.text[0] = '\0';
        struct err e = sas_parse(slice_text(malformed[i].token), &token, &why);
        if (e.code != ERR_SAS_MALFORMED || strstr(why.text, malformed[i].why) == NULL)
            fail_msg("row %zu: %s \"%s\", wanted \"%s\"", i, err_info(e)->name, why.text, malformed[i].why);
    }
}

static void an_endless_token_is_refused(void **state)
{
    (void)state;
    struct buf text = buf_capped(2 * SAS_TOKEN_MAX);
    struct sas_token token;
    buf_text(&text, clients[0].token);
    buf_text(&text, "&x=");
    while (text.len < SAS_TOKEN_MAX)
        buf_u8(&text, 'x');
    assert_false(failed(sas_parse(buf_slice(&text), &token, &why)));
    buf_u8(&text, 'x');
    assert_int_equal(sas_parse(buf_slice(&text), &token, &why).code, ERR_SAS_MALFORMED);
    buf_release(&text);
}

static struct sas_token parsed(const char *text)
{
    struct sas_token token;
    assert_false(failed(sas_parse(slice_text(text), &token, &why)));
    return token;
}

static void changing_any_part_breaks_the_signature(void **state)
{
    (void)state;
    static const char *const changed[] = {
        PREFIX "sr=0ne000A0B1C/registrations/device-002&sig=" SIG_PLAIN "&se=1893456000",
        PREFIX "sr=0ne000A0B1D/registrations/device-001&sig=" SIG_PLAIN "&se=1893456000",
        PREFIX "sr=0ne000A0B1C%2Fregistrations%2Fdevice-001&sig=" SIG_PLAIN "&se=1893456000",
        PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=1893456001",
        PREFIX "sr=" SR_PLAIN "&sig=" SIG_PLAIN "&se=01893456000",
        PREFIX "sr=" SR_PLAIN "&sig=nbWi5bNc2d1VuDAPtQhXFarGDq1mefd0iZPtNU1YWRY%3D&se=1893456000",
    };
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
        struct sas_token token = parsed(changed[i]);
        assert_int_equal(sas_verify(&token, &device_key, &device_key).code, ERR_SAS_SIGNATURE);
    }
}

static void either_key_opens_and_no_key_opens_nothing(void **state)
{
    (void)state;
    struct sas_token token = parsed(clients[0].token);
    struct secret other = {.len = 32, .bytes = {1}};
    struct secret none = {0};
    assert_false(failed(sas_verify(&token, &device_key, &other)));
    assert_false(failed(sas_verify(&token, &other, &device_key)));
    assert_false(failed(sas_verify(&token, NULL, &device_key)));
    assert_int_equal(sas_verify(&token, &other, &other).code, ERR_SAS_SIGNATURE);
    assert_int_equal(sas_verify(&token, NULL, NULL).code, ERR_SAS_SIGNATURE);
    assert_int_equal(sas_verify(&token, &none, &none).code, ERR_SAS_SIGNATURE);
}

// Somebody who knows that an enrollment has no secondary key must not get in by signing with nothing, or with
// zeros.
static void a_signature_made_with_an_empty_or_zero_key_does_not_match_a_missing_key(void **state)
{
    (void)state;
    static const struct secret forged[] = {{.len = 0}, {.len = 32}, {.len = 64}};
    struct secret none = {0};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        struct buf text = buf_capped(1000);
        struct sas_token token;
        sas_sign(&text, SLICE(SR_PLAIN), 1893456000, &forged[i], (struct slice){0});
        assert_false(failed(sas_parse(buf_slice(&text), &token, &why)));
        assert_int_equal(sas_verify(&token, &device_key, &none).code, ERR_SAS_SIGNATURE);
        assert_int_equal(sas_verify(&token, NULL, &none).code, ERR_SAS_SIGNATURE);
        buf_release(&text);
    }
}

static struct sas_token for_resource(const char *resource)
{
    return (struct sas_token){.resource = slice_text(resource)};
}

static void the_resource_must_be_the_registration_decoded_once(void **state)
{
    (void)state;
    static const struct {
        const char *resource;
        uint32_t code;
    } rows[] = {
        {"0ne000A0B1C/registrations/device-001", ERR_NONE},
        {"0NE000A0B1C%2fREGISTRATIONS%2Fdevice%2D001", ERR_NONE},
        {"0ne000A0B1C%252Fregistrations%252Fdevice-001", ERR_SAS_RESOURCE},
        {"0ne000A0B1C/registrations/device-0012", ERR_SAS_RESOURCE},
        {"0ne000A0B1C/registrations/device-00", ERR_SAS_RESOURCE},
        {"0ne000A0B1C/registrations", ERR_SAS_RESOURCE},
        {"0ne000A0B1C/registrations/device-001/", ERR_SAS_RESOURCE},
        {"0ne000FFFFF/registrations/device-001", ERR_SAS_RESOURCE},
        {"0ne000A0B1C/registrations/device-001%00", ERR_SAS_RESOURCE},
        {"0ne000A0B1C/registrations/device-001%", ERR_SAS_RESOURCE},
        {"0ne000A0B1C/registrations/device-001%2", ERR_SAS_RESOURCE},
        {"0ne000A0B1C/registrations/%c0%afdevice-001", ERR_SAS_RESOURCE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sas_token token = for_resource(rows[i].resource);
        struct err e = sas_resource_is(&token, &arena, AUDIENCE, &why);
        if (e.code != rows[i].code)
            fail_msg("%s: %s", rows[i].resource, err_info(e)->name);
    }
}

static void a_resource_covers_its_host_and_paths_by_whole_segments(void **state)
{
    (void)state;
    static const struct {
        const char *resource;
        const char *host;
        const char *path;
        bool covers;
    } rows[] = {
        {"dps.example.com", "dps.example.com", "", true},
        {"dps.example.com", "dps.example.com", "/enrollments/a", true},
        {"DPS.Example.COM", "dps.example.com", "/enrollments/a", true},
        {"dps.example.com/", "dps.example.com", "/enrollments/a", true},
        {"dps.example.com/enrollments", "dps.example.com", "/enrollments/a", true},
        {"dps.example.com/enrollments/", "dps.example.com", "enrollments/a", true},
        {"dps.example.com/enroll", "dps.example.com", "/enrollments/a", false},
        {"dps.example.com/enrollments/a/b", "dps.example.com", "/enrollments/a", false},
        {"dps.example.com/enrollments", "dps.example.com", "", false},
        {"dps.example.co", "dps.example.com", "", false},
        {"dps.example.comx", "dps.example.com", "", false},
        {"x.dps.example.com", "dps.example.com", "", false},
        {"other.example.com/dps.example.com", "dps.example.com", "", false},
        {"/enrollments", "dps.example.com", "/enrollments", false},
        // the port: Node's MQTT and the CLI paste it in (service-api.md A.3)
        {"localhost%3A28884%2Fdevices%2Fdev1", "localhost", "devices/dev1", true},
        {"localhost:28884/devices/dev1", "localhost:8883", "/devices/dev1", true},
        {"localhost%2Fdevices%2Fdev1", "localhost:28884", "devices/dev1", true},
        {"localhost:/devices/dev1", "localhost", "devices/dev1", false},
        {":443/devices/dev1", "", "devices/dev1", false},
        {"[::1]:443/devices/dev1", "[::1]", "devices/dev1", true},
        {"[::1]/devices/dev1", "[::2]", "devices/dev1", false},
        // devices of a hub (H.4)
        {"hub.local/devices/dev1", "hub.local", "devices/dev1", true},
        {"hub.local/devices/dev1", "hub.local", "devices/dev12", false},
        {"hub.local/devices/dev1", "hub.local", "devices/dev1/modules/m", true},
        {"hub.local/devices/dev1/api-version=2016-11-14", "hub.local", "devices/dev1", true},
        {"hub.local/devices/dev2/api-version=2016-11-14", "hub.local", "devices/dev1", false},
        {"hub.local/devices/dev1/modules", "hub.local", "devices/dev1", false},
        {"hub.local/api-version=2016-11-14", "hub.local", "devices/dev1", false},
        {"hub.local%252Fdevices%252Fdev1", "hub.local", "devices/dev1", false},
        {"hub.local/devices/dev1%0", "hub.local", "devices/dev1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sas_token token = for_resource(rows[i].resource);
        struct err e =
            sas_resource_covers(&token, &arena, slice_text(rows[i].host), slice_text(rows[i].path), &why);
        if (e.code != (rows[i].covers ? ERR_NONE : ERR_SAS_RESOURCE))
            fail_msg("%s on %s, %s: %s", rows[i].resource, rows[i].host, rows[i].path, err_info(e)->name);
    }
}

static void a_token_counts_until_its_expiry_and_the_skew(void **state)
{
    (void)state;
    struct sas_token token = {.expiry_s = 1000};
    assert_false(sas_expired(&token, INT64_C(999999999), 0));
    assert_true(sas_expired(&token, INT64_C(1000000000), 0));
    assert_false(sas_expired(&token, INT64_C(1299999999), 300));
    assert_true(sas_expired(&token, INT64_C(1300000000), 300));
    token.expiry_s = 0;
    assert_true(sas_expired(&token, INT64_C(1300000000), 300));
    token.expiry_s = SAS_EXPIRY_MAX;
    assert_false(sas_expired(&token, INT64_C(1893456000000000), 300));
}

static void a_token_made_here_is_the_one_that_a_client_makes(void **state)
{
    (void)state;
    struct buf text = buf_capped(1000);
    sas_sign(&text, SLICE("0ne000A0B1C%2Fregistrations%2Fdevice-001"), 1893456000, &device_key,
             SLICE("registration"));
    assert_true(slice_equal(buf_slice(&text), slice_text(clients[2].token)));
    buf_clear(&text);
    sas_sign(&text, SLICE("0ne000A0B1C%2Fregistrations%2Fdevice-001"), 1893456000, &device_key,
             (struct slice){0});
    assert_true(slice_equal(buf_slice(&text), slice_text(clients[3].token)));
    buf_release(&text);
}

static void policy_names_are_encoded_and_decoded(void **state)
{
    (void)state;
    struct buf text = buf_capped(1000);
    struct sas_token token;
    struct slice policy;
    sas_sign(&text, SLICE("h"), 1, &device_key, SLICE("a b&se=2"));
    assert_false(failed(sas_parse(buf_slice(&text), &token, &why)));
    assert_int_equal(token.expiry_s, 1);
    assert_false(failed(sas_policy(&token, &arena, &policy, &why)));
    assert_true(slice_equal(policy, SLICE("a b&se=2")));
    token.policy = SLICE("a%2");
    assert_int_equal(sas_policy(&token, &arena, &policy, &why).code, ERR_SAS_MALFORMED);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_every_client_pass),
        cmocka_unit_test(malformed_tokens_are_refused_with_a_reason),
        cmocka_unit_test(an_endless_token_is_refused),
        cmocka_unit_test(changing_any_part_breaks_the_signature),
        cmocka_unit_test(either_key_opens_and_no_key_opens_nothing),
        cmocka_unit_test(a_signature_made_with_an_empty_or_zero_key_does_not_match_a_missing_key),
        cmocka_unit_test(the_resource_must_be_the_registration_decoded_once),
        cmocka_unit_test(a_resource_covers_its_host_and_paths_by_whole_segments),
        cmocka_unit_test(a_token_counts_until_its_expiry_and_the_skew),
        cmocka_unit_test(a_token_made_here_is_the_one_that_a_client_makes),
        cmocka_unit_test(policy_names_are_encoded_and_decoded),
    };
    return cmocka_run_group_tests(tests, keys, release);
}
