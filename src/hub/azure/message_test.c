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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_sent_as_its_thumbprints),
        cmocka_unit_test(thumbprints_come_back_in_any_case),
        cmocka_unit_test(a_key_left_to_the_hub_may_be_anything),
        cmocka_unit_test(what_an_enrollment_does_not_say_stays_as_the_hub_has_it),
        cmocka_unit_test(an_etag_cannot_smuggle_a_header),
    };
    return cmocka_run_group_tests_name("azure message", tests, NULL, NULL);
}
