// Enrollments as operators send them and get them back (service-api A.5, A.7).
#include "domain/enrollment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "domain/registration.h"
#include "domain/service.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODw=="                     // 16 bytes
#define KEY_B "ERERERERERERERERERERERERERERERERERERERERERE=" // 32 bytes
// An endorsement key of 2048 bits (device-protocol 6.1).
#define EK                                                                                                   \
    "AToAAQALAAMAsgAgg3GXZ0SEs/gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEAq5XC6r2JlM"             \
    "I5z4BUxCHlxGOg20wjX83Fz6XyCLsoucqtyqYMuR4uVwVILktQoDpv6QbORY3Ghk089l9Goq2h6yekmvoS45UDCjpo"             \
    "hy4r/TdOl36Ff+hH7t5dsa92frW5aehBN7Ev8kEvhOqEznvPZ+nEivP6UDLwRV5hYgmv2pyC+bQ9D+FgbGjMuREQPP"             \
    "AZT0kaRbeXfKLYQU1Ygiuh4ZW1+edTSxZarDo5GtlcJw62dxHfsnQZs9twI5jOvzKKJDZaM8QbHxVB43Oum//5KWAV"             \
    "fRl13p/LfyDUMsJGiHd1CyJRQwmBWni/kjEB0yHHgnIMPjMUzlLbTKDR368dGw=="
#define SYM "\"attestation\":{\"type\":\"symmetricKey\"}"
#define TIMES                                                                                                \
    "\"createdDateTimeUtc\":\"1970-01-01T00:00:01.0000000Z\","                                               \
    "\"lastUpdatedDateTimeUtc\":\"1970-01-01T00:00:02.0000000Z\""
#define ETAG "\"etag\":\"IjBhMDBiNzQyLTAwMDAtMDgwMC0wMDAwLTY0NjgwMWY1MDAwMCI=\""

// The arena must outlive the enrollment, not the text.
static struct err read_text(struct arena *arena, const char *text, enum enrollment_kind kind, const char *id,
                            const struct enrollment *stored, struct enrollment *out, struct why *why)
{
    struct json_doc doc = {0};
    struct err e = json_read(slice_text(text), JSON_LIMITS_DEFAULT, &doc, why);
    assert_false(failed(e));
    e = enrollment_read(arena, json_root(&doc), kind, slice_text(id), stored, out, why);
    json_doc_release(&doc);
    out->created_us = 1000000;
    out->updated_us = 2000000;
    out->etag = 0x0a00b742646801f5;
    return e;
}

static const char *written(struct arena *arena, const struct enrollment *e, enum enrollment_view view,
                           const struct registration *state)
{
    struct buf out = buf_capped(1 << 20);
    struct json_writer w;
    json_begin(&w, &out);
    assert_false(failed(enrollment_write(&w, e, view, state)));
    const char *text = arena_cstr(arena, buf_slice(&out));
    buf_release(&out);
    return text;
}

// What is sent and what an answer with keys then shows.
static const struct {
    enum enrollment_kind kind;
    const char *sent;
    const char *shown;
} taken[] = {
    // as recorded from the real service, with other keys
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"sym_enrollment_abf63bb6\",\"attestation\":{\"type\":\"symmetricKey\","
     "\"symmetricKey\":{"
     "\"primaryKey\":\"" KEY_A "\",\"secondaryKey\":\"" KEY_B "\"}},\"allocationPolicy\":\"geoLatency\","
     "\"capabilities\":null,\"reprovisionPolicy\":{\"migrateDeviceData\":true,\"updateHubAssignment\":true},"
     "\"customAllocationDefinition\":null,\"provisioningStatus\":null,\"deviceId\":\"sym_key_device_"
     "abf63bb6\","
     "\"optionalDeviceInformation\":null,\"iotHubs\":null,\"iotHubHostName\":null,"
     "\"initialTwin\":{\"properties\":{\"desired\":{\"key\":\"value\"}}}}",
     "{\"registrationId\":\"sym_enrollment_abf63bb6\",\"deviceId\":\"sym_key_device_abf63bb6\","
     "\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"" KEY_A
     "\",\"secondaryKey\":\"" KEY_B
     "\"}},\"initialTwin\":{\"properties\":{\"desired\":{\"key\":\"value\"}}}," ETAG
     ",\"provisioningStatus\":null,\"reprovisionPolicy\":{\"updateHubAssignment\":true,\"migrateDeviceData\":"
     "true}," TIMES ",\"allocationPolicy\":\"geoLatency\"}"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"Dev-1\",\"attestation\":{\"type\":\"TPM\",\"tpm\":{\"endorsementKey\":\"" EK "\","
     "\"storageRootKey\":\"AAE=\"}},\"capabilities\":{\"iotEdge\":true},\"provisioningStatus\":\"Disabled\","
     "\"allocationPolicy\":\"Static\",\"iotHubs\":[\"hub.example.com\"],\"iotHubHostName\":\"hub.example."
     "com\","
     "\"optionalDeviceInformation\":{\"b\":1,\"a\":[1.5,null]},\"etag\":\"x\",\"registrationState\":{\"a\":1}"
     ","
     "\"unknown\":[1],\"initialTwin\":{\"extra\":1,\"tags\":{\"z\":null,\"a\":1},\"properties\":null},"
     "\"reprovisionPolicy\":null}",
     "{\"registrationId\":\"Dev-1\",\"optionalDeviceInformation\":{\"b\":1,\"a\":[1.5,null]},"
     "\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"" EK "\",\"storageRootKey\":\"AAE=\"}},"
     "\"capabilities\":{\"iotEdge\":true},\"iotHubHostName\":\"hub.example.com\","
     "\"initialTwin\":{\"tags\":{\"z\":null,\"a\":1}}," ETAG ",\"provisioningStatus\":\"disabled\"," TIMES
     ",\"allocationPolicy\":\"static\",\"iotHubs\":[\"hub.example.com\"]}"},
    {ENROLLMENT_GROUP,
     "{\"enrollmentGroupId\":\"G\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{"
     "\"primaryKey\":\"" KEY_A
     "\",\"secondaryKey\":\"\"}},\"capabilities\":{},\"allocationPolicy\":\"custom\",\"iotHubs\":[],"
     "\"customAllocationDefinition\":{\"webhookUrl\":\"https://x.example.com/"
     "a?code=1\",\"apiVersion\":\"2021-10-01\"},"
     "\"initialTwin\":{\"tags\":null,\"properties\":{\"desired\":null}},"
     "\"reprovisionPolicy\":{\"updateHubAssignment\":false,\"migrateDeviceData\":false}}",
     "{\"enrollmentGroupId\":\"G\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{"
     "\"primaryKey\":\"" KEY_A
     "\"}},\"capabilities\":{\"iotEdge\":false},\"initialTwin\":{\"properties\":{}}," ETAG
     ",\"provisioningStatus\":\"enabled\",\"reprovisionPolicy\":{\"updateHubAssignment\":false,"
     "\"migrateDeviceData\":false}," TIMES ",\"allocationPolicy\":\"custom\",\"customAllocationDefinition\":{"
     "\"webhookUrl\":\"https://x.example.com/a?code=1\",\"apiVersion\":\"2021-10-01\"}}"},
    {ENROLLMENT_GROUP,
     "{\"enrollmentGroupId\":\"g\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":null,"
     "\"caReferences\":{\"primary\":\"root\",\"secondary\":null}}},\"deviceId\":\"ignored in a group\"}",
     "{\"enrollmentGroupId\":\"g\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"caReferences\":{"
     "\"primary\":\"root\"}}}," ETAG ",\"provisioningStatus\":\"enabled\"," TIMES "}"},
    {ENROLLMENT_GROUP,
     "{\"enrollmentGroupId\":\"g\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":null,"
     "\"caReferences\":{\"primary\":\"Maker EK CA\",\"secondary\":\"other\"}}}}",
     "{\"enrollmentGroupId\":\"g\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"caReferences\":{"
     "\"primary\":\"Maker EK CA\",\"secondary\":\"other\"}}}," ETAG
     ",\"provisioningStatus\":\"enabled\"," TIMES "}"},
};

static void what_is_sent_is_shown_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        struct arena arena = arena_capped(1 << 20);
        struct enrollment e;
        struct why why = {0};
        if (failed(read_text(&arena, taken[i].sent, taken[i].kind, "", NULL, &e, &why)))
            fail_msg("case %zu: %s", i, why.text);
        assert_string_equal(written(&arena, &e, ENROLLMENT_WITH_KEYS, NULL), taken[i].shown);
        arena_release(&arena);
    }
}

static const struct {
    enum enrollment_kind kind;
    const char *sent;
    const char *told; // a part of the reason
} refused[] = {
    {ENROLLMENT_INDIVIDUAL, "[]", "must be a JSON object"},
    {ENROLLMENT_INDIVIDUAL, "{" SYM "}", "registrationId is missing"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":null," SYM "}", "registrationId is missing"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"\"," SYM "}", "registrationId"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"other\"," SYM "}", "is not the ID in the path"},
    {ENROLLMENT_GROUP, "{\"registrationId\":\"dev\"," SYM "}", "enrollmentGroupId is missing"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":7," SYM "}", "registrationId must be a string"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\"}", "attestation is missing"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"attestation\":{}}", "attestation.type is missing"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"none\"}}",
     "attestation.type must be"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"magic\"}}",
     "attestation.type must be one of none, symmetricKey, x509, tpm"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{"
     "\"primaryKey\":\"AAECAwQFBgcICQoLDA0O\"}}}",
     "attestation.symmetricKey.primaryKey"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{"
     "\"secondaryKey\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}}}",
     "attestation.symmetricKey.secondaryKey"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{"
     "\"primaryKey\":\"not base64!\"}}}",
     "attestation.symmetricKey.primaryKey"},
    {ENROLLMENT_GROUP,
     "{\"enrollmentGroupId\":\"dev\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"AAE=\"}}"
     "}",
     "must not be tpm"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"tpm\"}}",
     "attestation.tpm is missing"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"?\"}}}",
     "attestation.tpm.endorsementKey is not base64"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"AAE=\"}}"
     "}",
     "attestation.tpm.endorsementKey is refused: the endorsement key"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"" EK
     "\",\"caReferences\":{\"primary\":\"a\"}}}}",
     "attestation.tpm.caReferences is for enrollment groups"},
    {ENROLLMENT_GROUP, "{\"enrollmentGroupId\":\"dev\",\"attestation\":{\"type\":\"tpm\"}}",
     "unless tpm.caReferences names"},
    {ENROLLMENT_GROUP,
     "{\"enrollmentGroupId\":\"dev\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"caReferences\":{}}}}",
     "attestation.tpm.caReferences.primary is missing"},
    {ENROLLMENT_GROUP,
     "{\"enrollmentGroupId\":\"dev\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"" EK
     "\",\"caReferences\":{\"primary\":\"a\"}}}}",
     "attestation.tpm.endorsementKey is for individual enrollments"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"x509\"}}",
     "attestation.x509 is missing"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"x509\",\"x509\":{}}}",
     "needs clientCertificates"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{},"
     "\"caReferences\":{\"primary\":\"a\"}}}}",
     "has both"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{}}}}",
     "attestation.x509.clientCertificates.primary is missing"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"signingCertificates\":{}}}}",
     "is for enrollment groups"},
    {ENROLLMENT_GROUP,
     "{\"enrollmentGroupId\":\"dev\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{}}}"
     "}",
     "is for individual enrollments"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{"
     "\"primary\":{\"certificate\":\"AAAA\"}}}}}",
     "clientCertificates.primary.certificate"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{"
     "\"primary\":{\"info\":{}}}}}}",
     "no stored one to keep"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"deviceId\":\"a b\"," SYM "}", "deviceId"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"provisioningStatus\":\"paused\"," SYM "}",
     "provisioningStatus must be one of enabled, disabled"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"provisioningStatus\":\"null\"," SYM "}",
     "provisioningStatus"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"capabilities\":{\"iotEdge\":1}," SYM "}",
     "capabilities.iotEdge"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"reprovisionPolicy\":{\"updateHubAssignment\":true}," SYM "}",
     "reprovisionPolicy.migrateDeviceData is missing"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"initialTwin\":[]," SYM "}", "initialTwin"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"initialTwin\":{\"tags\":1}," SYM "}",
     "initialTwin.tags"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"initialTwin\":{\"properties\":{\"desired\":\"x\"}}," SYM "}",
     "initialTwin.properties.desired"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"optionalDeviceInformation\":\"x\"," SYM "}",
     "optionalDeviceInformation"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"allocationPolicy\":\"random\"," SYM "}",
     "allocationPolicy must be one of"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"iotHubs\":[\"h.example.com\"]," SYM "}",
     "Enrollment allocationPolicy must be specified when iotHubs are specified."},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"allocationPolicy\":\"hashed\",\"iotHubs\":[\"https://h/\"]," SYM "}",
     "iotHubs"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"allocationPolicy\":\"hashed\",\"iotHubs\":[7]," SYM "}",
     "must be a string"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"allocationPolicy\":\"static\",\"iotHubs\":[\"a\",\"b\"]," SYM "}",
     "takes one"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"iotHubHostName\":\"a b\"," SYM "}",
     "iotHubHostName"},
    {ENROLLMENT_INDIVIDUAL, "{\"registrationId\":\"dev\",\"allocationPolicy\":\"Custom\"," SYM "}",
     "A CustomAllocationDefinition is required when the allocation policy is set to 'Custom'"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"customAllocationDefinition\":{\"webhookUrl\":\"ftp://x\","
     "\"apiVersion\":\"2021-10-01\"}," SYM "}",
     "webhookUrl must be an https URL"},
    {ENROLLMENT_INDIVIDUAL,
     "{\"registrationId\":\"dev\",\"customAllocationDefinition\":{\"webhookUrl\":\"https://x\"}," SYM "}",
     "apiVersion is missing"},
};

static void what_is_wrong_is_refused_and_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct arena arena = arena_capped(1 << 20);
        struct enrollment e;
        struct why why = {0};
        struct err result = read_text(&arena, refused[i].sent, refused[i].kind, "DEV", NULL, &e, &why);
        if (result.code != ERR_INVALID || strstr(why.text, refused[i].told) == NULL)
            fail_msg("%s -> %u '%s'", refused[i].sent, result.code, why.text);
        arena_release(&arena);
    }
}

static void the_id_keeps_its_case_and_compares_without(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 20);
    struct enrollment e;
    assert_false(failed(read_text(&arena, "{\"registrationId\":\"DeV\"," SYM "}", ENROLLMENT_INDIVIDUAL,
                                  "dEv", NULL, &e, NULL)));
    assert_true(slice_equal(e.id, SLICE("DeV")));
    arena_release(&arena);
}

// Keys sent, keys stored before, and which are there afterwards: a = KEY_A, b = KEY_B, - = none.
static const struct {
    const char *sent;
    const char *stored; // NULL: created
    const char *after;
} keys[] = {
    {"{\"type\":\"symmetricKey\"}", NULL, "--"},
    {"{\"type\":\"symmetricKey\",\"symmetricKey\":null}", NULL, "--"},
    {"{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"\",\"secondaryKey\":null}}", NULL, "--"},
    {"{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"" KEY_A "\"}}", NULL, "a-"},
    {"{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"" KEY_A "\",\"secondaryKey\":\"" KEY_B
     "\"}}",
     NULL, "ab"},
    {"{\"type\":\"symmetricKey\"}", "ab", "ab"},
    {"{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"\",\"secondaryKey\":\"\"}}", "ab", "ab"},
    {"{\"type\":\"symmetricKey\",\"symmetricKey\":{\"secondaryKey\":\"" KEY_A "\"}}", "ab", "aa"},
    {"{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"" KEY_B "\",\"secondaryKey\":null}}",
     "aa", "ba"},
    {"{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"" EK "\"}}", "ab", "--"},
};

static struct secret key_named(char name)
{
    struct secret a = {.len = 16};
    struct secret b = {.len = 32};
    for (uint8_t i = 0; i < 16; i++)
        a.bytes[i] = i;
    memset(b.bytes, 0x11, 32);
    return name == 'a' ? a : name == 'b' ? b : (struct secret){0};
}

static bool is_key(const struct secret *key, char name)
{
    struct secret expected = key_named(name);
    return key->len == expected.len && bytes_equal_ct(secret_slice(key), secret_slice(&expected));
}

static void keys_left_out_of_an_update_stay_as_they_were(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct arena arena = arena_capped(1 << 20);
        struct enrollment stored = {.attestation.type = ATTESTATION_SYMMETRIC_KEY};
        struct enrollment e;
        struct slice text;
        if (keys[i].stored != NULL) {
            stored.attestation.primary_key = key_named(keys[i].stored[0]);
            stored.attestation.secondary_key = key_named(keys[i].stored[1]);
        }
        assert_false(failed(
            arena_printf(&arena, &text, "{\"registrationId\":\"d\",\"attestation\":%s}", keys[i].sent)));
        assert_false(failed(read_text(&arena, arena_cstr(&arena, text), ENROLLMENT_INDIVIDUAL, "d",
                                      keys[i].stored != NULL ? &stored : NULL, &e, NULL)));
        if (!is_key(&e.attestation.primary_key, keys[i].after[0]) ||
            !is_key(&e.attestation.secondary_key, keys[i].after[1]))
            fail_msg("case %zu", i);
        bool lacks = strchr(keys[i].after, '-') != NULL && e.attestation.type == ATTESTATION_SYMMETRIC_KEY;
        assert_int_equal(enrollment_needs_keys(&e), lacks);
        arena_release(&arena);
    }
}

static void answers_without_keys_have_no_key(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 20);
    struct enrollment e;
    assert_false(failed(read_text(&arena, taken[0].sent, ENROLLMENT_INDIVIDUAL, "", NULL, &e, NULL)));
    const char *text = written(&arena, &e, ENROLLMENT_WITHOUT_KEYS, NULL);
    assert_non_null(strstr(text, "\"attestation\":{\"type\":\"symmetricKey\"},"));
    assert_null(strstr(text, KEY_A));
    assert_null(strstr(text, KEY_B));
    arena_release(&arena);
}

static void the_registration_state_stands_after_the_device_id(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 20);
    struct enrollment e;
    struct registration never = {0};
    assert_false(failed(read_text(&arena, "{\"registrationId\":\"Dev\"," SYM "}", ENROLLMENT_INDIVIDUAL, "",
                                  NULL, &e, NULL)));
    assert_string_equal(written(&arena, &e, ENROLLMENT_WITHOUT_KEYS, &never),
                        "{\"registrationId\":\"Dev\",\"registrationState\":{\"registrationId\":\"Dev\","
                        "\"status\":\"unassigned\"}," SYM "," ETAG
                        ",\"provisioningStatus\":\"enabled\"," TIMES "}");
    arena_release(&arena);
}

static void hubs_must_be_linked(void **state)
{
    (void)state;
    struct linked_hub hubs[] = {{.host = SLICE("a.example.com")}};
    struct service service = {.hubs = hubs, .hub_count = 1};
    struct why why = {0};
    struct enrollment none = {0};
    struct enrollment linked = {.hubs = SLICE("[\"A.example.com\"]"),
                                .hub_host_name = SLICE("a.EXAMPLE.com")};
    struct enrollment other = {.hubs = SLICE("[\"a.example.com\",\"b.example.com\"]")};
    struct enrollment legacy = {.hub_host_name = SLICE("c.example.com")};
    assert_false(failed(enrollment_check_hubs(&service, &none, &why)));
    assert_false(failed(enrollment_check_hubs(&service, &linked, &why)));
    assert_int_equal(enrollment_check_hubs(&service, &other, &why).code, ERR_INVALID);
    assert_non_null(strstr(why.text, "b.example.com"));
    assert_int_equal(enrollment_check_hubs(&service, &legacy, &why).code, ERR_INVALID);
    assert_non_null(strstr(why.text, "c.example.com"));
}

static void running_out_of_memory_fails_the_request_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        bool read = false;
        for (size_t cap = 0; cap < 16384 && !read; cap += 16) {
            struct arena arena = arena_capped(cap);
            struct enrollment e;
            struct err result = read_text(&arena, taken[i].sent, taken[i].kind, "", NULL, &e, NULL);
            assert_true(result.code == ERR_NONE || result.code == ERR_NO_MEMORY);
            read = !failed(result);
            arena_release(&arena);
        }
        assert_true(read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_is_shown_again),
        cmocka_unit_test(what_is_wrong_is_refused_and_named),
        cmocka_unit_test(the_id_keeps_its_case_and_compares_without),
        cmocka_unit_test(keys_left_out_of_an_update_stay_as_they_were),
        cmocka_unit_test(answers_without_keys_have_no_key),
        cmocka_unit_test(the_registration_state_stands_after_the_device_id),
        cmocka_unit_test(hubs_must_be_linked),
        cmocka_unit_test(running_out_of_memory_fails_the_request_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
