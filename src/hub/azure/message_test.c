// What is written to a hub, and which of its answers are believed.
#include "hub/azure/message.h"

#include "base/testing.h"

#define THUMB "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"

static struct hub_identity certificate_of(const char *device_id)
{
    return (struct hub_identity){.device_id = slice_text(device_id),
                                 .authentication = HUB_AUTH_SELF_SIGNED,
                                 .primary_thumbprint = SLICE(THUMB),
                                 .secondary_thumbprint = SLICE(THUMB)};
}

static void a_certificate_is_sent_as_its_thumbprints(void **state)
{
    (void)state;
    struct buf out = buf_capped(4096);
    struct hub_identity identity = certificate_of("dev\"1");
    assert_false(failed(azure_identity_create(&out, &identity)));
    assert_slice(buf_slice(&out),
                 "{\"deviceId\":\"dev\\\"1\",\"status\":\"enabled\",\"authentication\":{\"type\":"
                 "\"selfSigned\",\"x509Thumbprint\":{\"primaryThumbprint\":\"" THUMB
                 "\",\"secondaryThumbprint\":\"" THUMB "\"}},\"capabilities\":{\"iotEdge\":false}}");
    buf_release(&out);
}

static void thumbprints_come_back_in_any_case(void **state)
{
    (void)state;
    struct hub_identity identity = certificate_of("dev1");
    struct why why;
#define ECHO(primary, secondary)                                                                             \
    SLICE("{\"deviceId\":\"dev1\",\"authentication\":{\"type\":\"selfSigned\",\"x509Thumbprint\":{"          \
          "\"primaryThumbprint\":\"" primary "\",\"secondaryThumbprint\":\"" secondary "\"}}}")
    struct slice same = ECHO("00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", THUMB);
    struct slice other = ECHO(THUMB, "10112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF");
    assert_false(failed(azure_identity_check(same, &identity, &why)));
    assert_int_equal(azure_identity_check(other, &identity, &why).code, ERR_HUB_REFUSED);
}

static void a_key_left_to_the_hub_may_be_anything(void **state)
{
    (void)state;
    struct hub_identity identity = {.device_id = SLICE("dev1"), .authentication = HUB_AUTH_SAS};
    struct why why;
    assert_true(secret_set(&identity.primary_key, SLICE("hello")));
    assert_false(failed(azure_identity_check(
        SLICE("{\"deviceId\":\"dev1\",\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{"
              "\"primaryKey\":\"aGVsbG8=\",\"secondaryKey\":\"d29ybGQ=\"}}}"),
        &identity, &why)));
}

static void what_an_enrollment_does_not_say_stays_as_the_hub_has_it(void **state)
{
    (void)state;
    struct buf out = buf_capped(4096);
    struct buf etag = buf_capped(100);
    struct why why;
    struct hub_identity identity = {.device_id = SLICE("dev1"), .authentication = HUB_AUTH_NONE};
    struct slice had =
        SLICE("{\"deviceId\":\"dev1\",\"capabilities\":{\"iotEdge\":true},\"authentication\":null}");
    assert_false(failed(azure_identity_adopt(had, &identity, &out, &etag, &why)));
    assert_slice(buf_slice(&out), "{\"deviceId\":\"dev1\",\"authentication\":{\"type\":\"none\"},"
                                  "\"capabilities\":{\"iotEdge\":true}}");
    assert_int_equal(etag.len, 0);
    buf_release(&out);
    buf_release(&etag);
}

static void an_etag_cannot_smuggle_a_header(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{\"deviceId\":\"dev1\",\"etag\":\"a\\r\\nX-Evil: 1\"}",
        "{\"deviceId\":\"dev1\",\"etag\":\"a\\\"b\"}",
        "{\"deviceId\":\"dev1\",\"etag\":\"a b\"}",
        "{\"deviceId\":\"dev1\",\"etag\":\"\\u00e4\"}",
    };
    struct hub_identity identity = certificate_of("dev1");
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct buf out = buf_capped(4096);
        struct buf etag = buf_capped(100);
        struct why why;
        struct err e = azure_identity_adopt(slice_text(answers[i]), &identity, &out, &etag, &why);
        assert_int_equal(e.code, ERR_HUB_UNAVAILABLE);
        assert_int_equal(etag.len, 0);
        buf_release(&out);
        buf_release(&etag);
    }
}

static struct slice shown(const char *body, bool whole, const struct hub_request *request)
{
    static uint8_t room[256];
    struct buf out = {.at = room, .room = sizeof room, .cap = sizeof room};
    return azure_error_text(slice_text(body), whole, request, &out);
}

static void a_key_is_not_shown_however_it_is_written(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"Message\":\"bad key ++++////\"}",
        "{\"Message\":\"bad key \\u002B\\u002b\\u002B+////\"}",
        "{\"Message\":\"bad key ++++\\/\\/\\/\\/\"}",
        "{\"Message\":\"no\",\"more\":[{\"key\":\"++++\\/\\/\\/\\/\"}]}",
        "{\"Message\":\"no\",\"\\u002b+++////\":1}",
        "{\"Message\":\"{\\\"key\\\":\\\"\\\\u002b+++////\\\"}\"}", // JSON in a string
        "\"Shared\\u0041ccessSignature sr=x\"",
        "key=%2B%2B%2B%2B%2F%2F%2F%2F",
        "<p>&#43;+++////</p>",
        "{\"cut off\":\"\\u002b+++////",
    };
    struct linked_hub hub = {0};
    struct hub_request request = {.hub = &hub};
    static const uint8_t key[] = {0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff}; // ++++////
    assert_true(secret_set(&request.identity.primary_key, slice_of(key, sizeof key)));
    for (size_t i = 0; i < 2 * (sizeof bodies / sizeof bodies[0]); i++) {
        struct slice text = shown(bodies[i / 2], i % 2 == 1, &request);
        if (text.len > 0)
            fail_msg("'%.*s' is shown", SLICE_ARG(text));
    }
    assert_slice(shown("{\"Message\":\"it is \\u0022so\\u0022\"}", false, &request), "it is \"so\"");
    assert_slice(shown("{\"Message\":\"so\",\"n\":[1]}", true, &request), "{\"Message\":\"so\",\"n\":[1]}");
    assert_slice(shown("plain words", true, &request), "plain words");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_sent_as_its_thumbprints),
        cmocka_unit_test(thumbprints_come_back_in_any_case),
        cmocka_unit_test(a_key_left_to_the_hub_may_be_anything),
        cmocka_unit_test(what_an_enrollment_does_not_say_stays_as_the_hub_has_it),
        cmocka_unit_test(an_etag_cannot_smuggle_a_header),
        cmocka_unit_test(a_key_is_not_shown_however_it_is_written),
    };
    return cmocka_run_group_tests_name("azure message", tests, NULL, NULL);
}
