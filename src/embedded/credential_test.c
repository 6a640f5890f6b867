// What devices show to their hub: certificates by thumbprint, tokens beside them, and what becomes of a live
// session when its identity changes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/bench_pki.h"
#include "crypto/certificate.h"
#include "crypto/hmac.h"
#include "embedded/fake_front_test.h"

enum { DAY_S = 86400, PEMS_MAX = 8192 };

// Of one device: two certificates that the bench's root signed, and one that signed itself.
struct shown {
    struct chain *chain;
    char sha256[65];
    char sha1[41];
};

static struct world *w;
static struct shown first, second, other;

static void show(struct shown *out, struct slice issuer, struct slice issuer_key, int days)
{
    struct buf pem = buf_capped(PEMS_MAX), key = buf_capped(PEMS_MAX);
    struct arena arena = arena_capped(64 * 1024);
    struct slice der;
    struct certificate_info info;
    struct why why = {0};
    struct bench_spec spec = {.role = BENCH_DEVICE,
                              .common_name = SLICE("whoever"), // the hub does not look at it
                              .issuer_certificate = issuer,
                              .issuer_key = issuer_key,
                              .days = days,
                              .now_us = WALL_0};
    if (failed(bench_make(&spec, &pem, &key, &why)))
        fail_msg("%s", why.text);
    assert_false(failed(certificate_read(&arena, buf_slice(&pem), &der, &why)));
    assert_false(failed(certificate_describe(&arena, der, &info, &why)));
    (void)snprintf(out->sha256, sizeof out->sha256, "%.*s", SLICE_ARG(info.sha256_thumbprint));
    (void)snprintf(out->sha1, sizeof out->sha1, "%.*s", SLICE_ARG(info.sha1_thumbprint));
    assert_false(failed(chain_new(&der, 1, &out->chain)));
    arena_release(&arena);
    buf_release(&pem);
    buf_release(&key);
}

static int setup(void **state)
{
    (void)state;
    struct buf pem = buf_capped(PEMS_MAX), key = buf_capped(PEMS_MAX);
    struct bench_spec root = {
        .role = BENCH_ROOT, .common_name = SLICE("Fleet"), .path_len = BENCH_ANY_DEPTH, .now_us = WALL_0};
    assert_false(failed(bench_make(&root, &pem, &key, NULL)));
    w = world_new();
    show(&first, buf_slice(&pem), buf_slice(&key), 10);
    show(&second, buf_slice(&pem), buf_slice(&key), 10);
    show(&other, (struct slice){0}, (struct slice){0}, 10);
    buf_release(&pem);
    buf_release(&key);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(w);
    chain_release(first.chain);
    chain_release(second.chain);
    chain_release(other.chain);
    return 0;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++)
        *text = *text >= 'A' && *text <= 'F' ? (char)(*text + ('a' - 'A')) : *text;
}

// Replaces whatever there is. `rest`: more members, with a comma in front.
static void put(const char *id, const char *authentication, const char *rest)
{
    char path[64], body[700];
    (void)snprintf(path, sizeof path, "/devices/%s", id);
    (void)snprintf(body, sizeof body, "{\"authentication\":%s%s}", authentication, rest);
    struct ask ask = {.method = "PUT", .path = path, .body = body, .if_match = "*"};
    unsigned status = world_ask(w, ask)->status;
    ask.if_match = NULL;
    if (status == 404)
        status = world_ask(w, ask)->status;
    assert_int_equal(status, 200);
    world_pump(w, NULL);
}

static void put_thumbprints(const char *id, const char *primary, const char *secondary)
{
    char text[400];
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"selfSigned\",\"x509Thumbprint\":{\"primaryThumbprint\":\"%s\","
                   "\"secondaryThumbprint\":\"%s\"}}",
                   primary, secondary);
    put(id, text, "");
}

#define KEYS_A                                                                                               \
    "{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\","   \
    "\"secondaryKey\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}}"
#define KEYS_B                                                                                               \
    "{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","   \
    "\"secondaryKey\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"}}"
#define KEYS_C                                                                                               \
    "{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","   \
    "\"secondaryKey\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}}"

static struct mqtt_link *with_certificate(size_t loop, const char *id, const struct shown *shown)
{
    return world_dial(w, (struct dial){.loop = loop, .client_id = id, .password = "", .chain = shown->chain});
}

static void assert_refused(struct mqtt_link *link, const char *error, const char *reason)
{
    assert_int_equal(link->refused, ERR_HUB_CALLER); // alike for the device: CONNACK 5
    if (strstr(world_line(w), "\"event\":\"hub.connect_refused\"") == NULL ||
        strstr(world_line(w), error) == NULL || strstr(world_line(w), reason) == NULL)
        fail_msg("%s does not say %s: %s", world_line(w), error, reason);
}

// ---- getting in ---------------------------------------------------------------------------------
static void a_device_gets_in_by_any_form_of_thumbprint(void **state)
{
    (void)state;
    char sha256[65], sha1[41];
    (void)snprintf(sha256, sizeof sha256, "%s", first.sha256);
    (void)snprintf(sha1, sizeof sha1, "%s", first.sha1);
    lower(sha256);
    lower(sha1);
    const char *const forms[] = {first.sha256, first.sha1, sha256, sha1};
    for (size_t i = 0; i < 8; i++) {
        put_thumbprints("dev1", i % 2 == 0 ? forms[i / 2] : second.sha256,
                        i % 2 == 0 ? second.sha1 : forms[i / 2]);
        struct mqtt_link *link = with_certificate(i % LOOPS, "dev1", &first);
        assert_true(link->accepted);
        assert_true(link_publish(link, "devices/dev1/messages/events/", "hello"));
        link_close(link);
        link = with_certificate(0, "dev1", &second); // the other of the two
        assert_true(link->accepted);
        link_close(link);
    }
}

static void one_thumbprint_is_enough_in_either_place(void **state)
{
    (void)state;
    put_thumbprints("dev1", first.sha256, "");
    assert_true(with_certificate(0, "dev1", &first)->accepted);
    put_thumbprints("dev2", "", first.sha256);
    assert_true(with_certificate(0, "dev2", &first)->accepted);
    char text[200]; // without a type it is meant all the same, as Azure's registry client has it
    (void)snprintf(text, sizeof text, "{\"x509Thumbprint\":{\"secondaryThumbprint\":\"%s\"}}", first.sha1);
    put("dev3", text, "");
    assert_true(with_certificate(0, "dev3", &first)->accepted);
}

static void a_certificate_that_signed_itself_gets_in_too(void **state)
{
    (void)state;
    put_thumbprints("dev1", other.sha256, other.sha256);
    assert_true(with_certificate(0, "dev1", &other)->accepted);
}

static void what_does_not_hold_is_refused_alike_and_the_log_says_why(void **state)
{
    (void)state;
    put_thumbprints("dev1", first.sha256, second.sha1);
    put("keys", KEYS_A, "");
    put("ca", "{\"type\":\"certificateAuthority\"}", "");
    assert_refused(with_certificate(0, "dev1", &other), "certificate_untrusted", other.sha256);
    assert_refused(with_certificate(0, "nobody", &first), "DeviceNotFound", "the hub has no such device");
    assert_refused(with_certificate(0, "keys", &first), "credential_missing",
                   "the hub knows the device by its keys: the password must hold a token");
    assert_refused(with_certificate(0, "ca", &first), "IotHubUnauthorizedAccess", "is not selfSigned");
    struct shown nothing = {0};
    assert_refused(with_certificate(0, "dev1", &nothing), "credential_missing",
                   "neither a token nor a certificate");
    assert_refused(world_dial(w, (struct dial){.client_id = "dev1", .chain = first.chain}), "sas_signature",
                   "the hub knows the device by its certificate, not by a key");
    put("dev1",
        "{\"type\":\"selfSigned\",\"x509Thumbprint\":{\"primaryThumbprint\":\"0123456789012345678901234567"
        "890123456789\"}}",
        ",\"status\":\"disabled\"");
    assert_refused(with_certificate(0, "dev1", &first), "certificate_untrusted", first.sha256);
}

static void a_disabled_device_is_refused(void **state)
{
    (void)state;
    char text[200];
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"selfSigned\",\"x509Thumbprint\":{\"primaryThumbprint\":\"%s\"}}",
                   first.sha256);
    put("dev1", text, ",\"status\":\"disabled\"");
    assert_refused(with_certificate(0, "dev1", &first), "IotHubUnauthorizedAccess", "the device is disabled");
}

// The bench's certificates are good for ten days, from an hour before they were made.
static void only_certificates_of_today_count(void **state)
{
    (void)state;
    put_thumbprints("dev1", first.sha256, first.sha256);
    world_move_time(w, -2 * 3600);
    assert_refused(with_certificate(0, "dev1", &first), "certificate_expired", "not valid yet");
    world_move_time(w, 2 * 3600 + 10 * DAY_S - 3601);
    struct mqtt_link *link = with_certificate(0, "dev1", &first);
    assert_true(link->accepted);
    link_close(link);
    world_move_time(w, 2);
    assert_refused(with_certificate(0, "dev1", &first), "certificate_expired", "has expired");
}

static void a_link_ends_with_its_certificate(void **state)
{
    (void)state;
    put_thumbprints("dev1", first.sha256, first.sha256);
    world_move_time(w, 100);
    struct mqtt_link *link = with_certificate(0, "dev1", &first);
    // the clock that deadlines use began at 1 s when the wall clock showed NOW_S
    assert_int_equal(link->expires_us, (1 + 10 * (int64_t)DAY_S - 3600) * 1000000);
}

static void a_token_counts_whatever_certificate_is_beside_it(void **state)
{
    (void)state;
    put("dev1", KEYS_A, "");
    struct mqtt_link *link = world_dial(w, (struct dial){.client_id = "dev1", .chain = other.chain});
    assert_true(link->accepted);
    link_close(link);
    put_thumbprints("dev2", first.sha256, first.sha256);
    struct dial wrong = {.client_id = "dev2", .password = "secret", .chain = first.chain};
    assert_refused(world_dial(w, wrong), "sas_malformed", "");
    const struct secret *policy =
        &world_policy(w, "device")->primary; // as H.4 has it: a policy's key will do
    wrong.password = world_token(w, "hub.local", NOW_S + 60, policy, "device");
    assert_true(world_dial(w, wrong)->accepted);
}

// ---- live sessions ------------------------------------------------------------------------------
static void a_session_ends_when_its_key_goes_and_not_before(void **state)
{
    (void)state;
    for (size_t loop = 0; loop < LOOPS; loop++) { // the operator's requests are on loop 0
        put("dev1", KEYS_A, "");
        struct mqtt_link *link = world_dial(w, (struct dial){.loop = loop, .client_id = "dev1"});
        put("dev1", KEYS_B, ""); // it is the secondary key now
        put("dev1", KEYS_B, ",\"statusReason\":\"looked at\"");
        assert_int_equal(link->closed_for, ERR_NONE);
        put("dev1", KEYS_C, "");
        assert_int_equal(link->closed_for, ERR_SAS_SIGNATURE);
        assert_string_equal(link->closed_why, "neither of the device's keys made the signature");
        link_close(link);
    }
}

static void a_session_ends_when_its_certificate_goes_and_not_before(void **state)
{
    (void)state;
    for (size_t loop = 0; loop < LOOPS; loop++) {
        put_thumbprints("dev1", first.sha256, first.sha256);
        struct mqtt_link *link = with_certificate(loop, "dev1", &first);
        put_thumbprints("dev1", second.sha256, first.sha1); // half rolled
        assert_int_equal(link->closed_for, ERR_NONE);
        put_thumbprints("dev1", second.sha256, second.sha256);
        assert_int_equal(link->closed_for, ERR_CERTIFICATE_UNTRUSTED);
        link_close(link);
    }
}

static void a_session_ends_when_the_device_is_to_prove_itself_otherwise(void **state)
{
    (void)state;
    put_thumbprints("dev1", first.sha256, first.sha256);
    struct mqtt_link *link = with_certificate(1, "dev1", &first);
    put("dev1", KEYS_A, "");
    assert_int_equal(link->closed_for, ERR_CREDENTIAL_MISSING);
}

static void a_bulk_change_ends_sessions_too(void **state)
{
    (void)state;
    put("dev1", KEYS_A, "");
    put("dev2", KEYS_A, "");
    put("dev3", KEYS_A, "");
    struct mqtt_link *changed = world_dial(w, (struct dial){.loop = 1, .client_id = "dev1"});
    struct mqtt_link *gone = world_dial(w, (struct dial){.loop = 0, .client_id = "dev2"});
    struct mqtt_link *kept = world_dial(w, (struct dial){.loop = 1, .client_id = "dev3"});
    struct ask bulk = {.method = "POST",
                       .path = "/devices",
                       .body = "[{\"id\":\"dev1\",\"importMode\":\"update\",\"authentication\":" KEYS_C "},"
                               "{\"id\":\"dev2\",\"importMode\":\"delete\"},"
                               "{\"id\":\"dev3\",\"importMode\":\"update\",\"authentication\":" KEYS_B "}]"};
    assert_int_equal(world_ask(w, bulk)->status, 200);
    world_pump(w, NULL);
    assert_int_equal(changed->closed_for, ERR_SAS_SIGNATURE);
    assert_int_equal(gone->closed_for, ERR_HUB_DEVICE_NOT_FOUND);
    assert_int_equal(kept->closed_for, ERR_NONE);
}

static struct ask replace_keys(size_t loop)
{
    return (struct ask){.loop = loop,
                        .method = "PUT",
                        .path = "/devices/dev1",
                        .if_match = "*",
                        .body = "{\"authentication\":" KEYS_C "}",
                        .no_wait = true};
}

// The device's record was read on one loop when the other one changes it.
static void a_change_while_the_device_connects_is_not_missed(void **state)
{
    (void)state;
    put("dev1", KEYS_A, "");
    struct mqtt_link *link = world_dial(w, (struct dial){.loop = 0, .client_id = "dev1", .no_wait = true});
    struct answer *a = world_ask(w, replace_keys(1));
    world_pump_loop(w, 1, &a->done);
    assert_int_equal(a->status, 200);
    assert_false(link->settled);
    world_pump(w, NULL);
    assert_true(link->refused == ERR_HUB_CALLER || link->closed_for == ERR_SAS_SIGNATURE);
}

// The same, and the news is there before the record that was read.
static void a_record_that_changed_while_it_was_read_is_read_again(void **state)
{
    (void)state;
    put("dev1", KEYS_A, "");
    struct mqtt_link *link = world_dial(w, (struct dial){.loop = 0, .client_id = "dev1", .no_wait = true});
    struct answer *a = world_ask(w, replace_keys(1));
    world_pump_loop(w, 1, &a->done);
    embedded_identity_changed(world_loop(w, 0), SLICE(HUB_HOST), SLICE("dev1"));
    world_pump(w, NULL);
    assert_refused(link, "sas_signature", "neither of the device's keys");
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_device_gets_in_by_any_form_of_thumbprint),
        WITH_WORLD(one_thumbprint_is_enough_in_either_place),
        WITH_WORLD(a_certificate_that_signed_itself_gets_in_too),
        WITH_WORLD(what_does_not_hold_is_refused_alike_and_the_log_says_why),
        WITH_WORLD(a_disabled_device_is_refused),
        WITH_WORLD(only_certificates_of_today_count),
        WITH_WORLD(a_link_ends_with_its_certificate),
        WITH_WORLD(a_token_counts_whatever_certificate_is_beside_it),
        WITH_WORLD(a_session_ends_when_its_key_goes_and_not_before),
        WITH_WORLD(a_session_ends_when_its_certificate_goes_and_not_before),
        WITH_WORLD(a_session_ends_when_the_device_is_to_prove_itself_otherwise),
        WITH_WORLD(a_bulk_change_ends_sessions_too),
        WITH_WORLD(a_change_while_the_device_connects_is_not_missed),
        WITH_WORLD(a_record_that_changed_while_it_was_read_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
