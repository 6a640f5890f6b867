// What operators send as a device identity, and what they get back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "domain/device.h"

#define T0 (INT64_C(1700000000) * 1000000) // 2023-11-14T22:13:20Z

static struct err read_into(struct arena *arena, const char *text, struct device *device, struct why *why)
{
    struct json_doc doc;
    assert_false(failed(json_read(slice_text(text), JSON_LIMITS_DEFAULT, &doc, NULL)));
    struct err e = device_read(arena, json_root(&doc), "deviceId", T0 + 1, device, why);
    json_doc_release(&doc);
    return e;
}

static void bodies_that_are_not_a_device_are_refused_by_field(void **state)
{
    (void)state;
    static const struct {
        const char *body, *why;
    } table[] = {
        {"[]", "object"},
        {"{\"deviceId\":\"Dev1\"}", "deviceId"},
        {"{\"status\":\"off\"}", "status"},
        {"{\"authentication\":{\"type\":\"tpm\"}}", "authentication.type"},
        {"{\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"!!\"}}}", "symmetricKey.primaryKey"},
        {"{\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"YWJj\"}}}", "16"},
        {"{\"authentication\":{\"type\":\"selfSigned\"}}", "x509Thumbprint"},
        {"{\"authentication\":{\"type\":\"selfSigned\",\"x509Thumbprint\":{\"primaryThumbprint\":\"abcd\"}}}",
         "40 or 64"},
        {"{\"capabilities\":{\"iotEdge\":1}}", "capabilities.iotEdge"},
        {"{\"statusReason\":7}", "statusReason"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct arena arena = arena_capped(1 << 16);
        struct device device;
        struct why why = {0};
        assert_false(failed(device_fresh(&arena, SLICE("dev1"), T0, 1, &device)));
        assert_int_equal(read_into(&arena, table[i].body, &device, &why).code, ERR_INVALID);
        if (strstr(why.text, table[i].why) == NULL)
            fail_msg("%s: %s", table[i].body, why.text);
        arena_release(&arena);
    }
}

static void empty_keys_keep_the_stored_ones(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 16);
    struct device device;
    assert_false(failed(device_fresh(&arena, SLICE("dev1"), T0, 1, &device)));
    assert_true(device_needs_keys(&device));
    assert_true(secret_set(&device.primary_key, SLICE("0123456789abcdef")));
    assert_true(secret_set(&device.secondary_key, SLICE("fedcba9876543210")));
    assert_false(
        failed(read_into(&arena,
                         "{\"deviceId\":\"dev1\",\"authentication\":{\"type\":\"sas\",\"symmetricKey\":"
                         "{\"primaryKey\":\"\",\"secondaryKey\":\"QUFBQUFBQUFBQUFBQUFBQQ==\"}}}",
                         &device, NULL)));
    assert_false(device_needs_keys(&device));
    assert_true(bytes_equal_ct(secret_slice(&device.primary_key), SLICE("0123456789abcdef")));
    assert_true(bytes_equal_ct(secret_slice(&device.secondary_key), SLICE("AAAAAAAAAAAAAAAA")));
    arena_release(&arena);
}

static void going_over_to_certificates_drops_the_keys(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 16);
    struct device device;
    assert_false(failed(device_fresh(&arena, SLICE("dev1"), T0, 1, &device)));
    assert_true(secret_set(&device.primary_key, SLICE("0123456789abcdef")));
    assert_false(failed(read_into(&arena,
                                  "{\"authentication\":{\"x509Thumbprint\":{\"primaryThumbprint\":"
                                  "\"00112233445566778899AABBCCDDEEFF00112233\"}}}",
                                  &device, NULL)));
    assert_int_equal(device.authentication, HUB_AUTH_SELF_SIGNED);
    assert_int_equal(device.primary_key.len, 0);
    assert_false(device_needs_keys(&device));
    arena_release(&arena);
}

static void a_service_sees_the_identity(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 16);
    struct device device;
    assert_false(failed(device_fresh(&arena, SLICE("dev1"), T0, 510934663, &device)));
    assert_true(secret_set(&device.primary_key, SLICE("AAAAAAAAAAAAAAAA")));
    assert_false(failed(read_into(&arena,
                                  "{\"status\":\"disabled\",\"statusReason\":\"lost\",\"capabilities\":"
                                  "{\"iotEdge\":true}}",
                                  &device, NULL)));
    struct buf out = buf_capped(4096);
    struct json_writer w;
    json_begin(&w, &out);
    device_write(&w, &device, (struct device_presence){.connected = true, .since_us = T0});
    buf_u8(&out, 0);
    assert_string_equal(
        (const char *)out.at,
        "{\"deviceId\":\"dev1\",\"generationId\":\"1700000000000000\",\"etag\":\"NTEwOTM0NjY0\","
        "\"connectionState\":\"Connected\",\"status\":\"disabled\",\"statusReason\":\"lost\","
        "\"connectionStateUpdatedTime\":\"2023-11-14T22:13:20.0000000Z\","
        "\"statusUpdatedTime\":\"2023-11-14T22:13:20.0000010Z\","
        "\"lastActivityTime\":\"2023-11-14T22:13:20.0000000Z\",\"cloudToDeviceMessageCount\":0,"
        "\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"QUFBQUFBQUFBQUFBQUFBQQ==\",\"secondaryKey\":"
        "null},"
        "\"x509Thumbprint\":{\"primaryThumbprint\":null,\"secondaryThumbprint\":null},\"type\":\"sas\"},"
        "\"capabilities\":{\"iotEdge\":true}}");
    buf_release(&out);
    arena_release(&arena);
}

static void if_match_is_read_with_and_without_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *etag;
        bool any;
    } table[] = {
        {"*", "*", true},        {"\"*\"", "*", true},          {"\"NDI=\"", "NDI=", false},
        {"NDI=", "NDI=", false}, {"W/\"NDI=\"", "NDI=", false}, {" \"NDI=\" ", "NDI=", false},
        {"\"", "\"", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        bool any;
        struct slice etag;
        hub_etag_read(slice_text(table[i].text), &any, &etag);
        assert_int_equal(any, table[i].any);
        assert_true(slice_equal(etag, slice_text(table[i].etag)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_that_are_not_a_device_are_refused_by_field),
        cmocka_unit_test(empty_keys_keep_the_stored_ones),
        cmocka_unit_test(going_over_to_certificates_drops_the_keys),
        cmocka_unit_test(a_service_sees_the_identity),
        cmocka_unit_test(if_match_is_read_with_and_without_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
