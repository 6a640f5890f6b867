// Registrations as operators see them.
#include "domain/registration.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void shows(const struct registration *r, const char *id, const char *expected)
{
    struct buf out = buf_capped(4096);
    struct json_writer w;
    json_begin(&w, &out);
    assert_false(failed(registration_write(&w, r, slice_text(id))));
    buf_u8(&out, 0);
    assert_string_equal((const char *)out.at, expected);
    buf_release(&out);
}

static void a_device_that_never_registered_is_unassigned(void **state)
{
    (void)state;
    struct registration zeroed = {0};
    shows(NULL, "Dev-1", "{\"registrationId\":\"Dev-1\",\"status\":\"unassigned\"}");
    shows(&zeroed, "Dev-1", "{\"registrationId\":\"Dev-1\",\"status\":\"unassigned\"}");
}

static void an_assigned_device_is_shown_as_the_real_service_does(void **state)
{
    (void)state;
    struct registration r = {
        .id = SLICE("device-4dfe3739"),
        .status = STATUS_ASSIGNED,
        .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,
        .assigned_hub = SLICE("rk-cli-test-hub.azure-devices.net"),
        .device_id = SLICE("device-4dfe3739"),
        .operation_id = SLICE("5.not-shown"),
        .created_us = 1684537828880043,
        .updated_us = 1684537829173417,
        .etag = 0x000004ed646801e5,
    };
    shows(&r, "",
          "{\"registrationId\":\"device-4dfe3739\",\"createdDateTimeUtc\":\"2023-05-19T23:10:28.8800430Z\","
          "\"assignedHub\":\"rk-cli-test-hub.azure-devices.net\",\"deviceId\":\"device-4dfe3739\",\"status\":"
          "\"assigned\","
          "\"substatus\":\"initialAssignment\",\"lastUpdatedDateTimeUtc\":\"2023-05-19T23:10:29.1734170Z\","
          "\"etag\":\"IjAwMDAwNGVkLTAwMDAtMDgwMC0wMDAwLTY0NjgwMWU1MDAwMCI=\"}");
}

static void a_failure_shows_number_and_message_and_no_half_of_a_pair(void **state)
{
    (void)state;
    struct registration r = {
        .id = SLICE("d"),
        .status = STATUS_FAILED,
        .assigned_hub = SLICE("hub.example.com"),
        .intended_hub = SLICE("not.shown.example.com"),
        .hub_key = {.bytes = "nor is this key", .len = 15},
        .error_code = 400208,
        .error_message = SLICE("No hub."),
        .payload = SLICE("{\"a\":1}"),
        .created_us = 1000000,
        .updated_us = 1000000,
        .etag = 0x0a00b742646801f5,
    };
    shows(&r, "D",
          "{\"registrationId\":\"D\",\"createdDateTimeUtc\":\"1970-01-01T00:00:01.0000000Z\",\"status\":"
          "\"failed\","
          "\"errorCode\":400208,\"errorMessage\":\"No "
          "hub.\",\"lastUpdatedDateTimeUtc\":\"1970-01-01T00:00:01.0000000Z\","
          "\"etag\":\"IjBhMDBiNzQyLTAwMDAtMDgwMC0wMDAwLTY0NjgwMWY1MDAwMCI=\",\"payload\":{\"a\":1}}");
}

static void old_devices_are_told_what_they_know(void **state)
{
    (void)state;
    static const struct {
        const char *api_version;
        enum registration_substatus is;
        enum registration_substatus told;
    } cases[] = {
        {"2019-03-31", SUBSTATUS_REPROVISIONED, SUBSTATUS_INITIAL_ASSIGNMENT},
        {"2018-11-01", SUBSTATUS_REPROVISIONED, SUBSTATUS_INITIAL_ASSIGNMENT},
        {"2018-09-01-preview", SUBSTATUS_REPROVISIONED, SUBSTATUS_INITIAL_ASSIGNMENT},
        {"2019-04-15", SUBSTATUS_REPROVISIONED, SUBSTATUS_REPROVISIONED},
        {"2019-04-15-preview", SUBSTATUS_REPROVISIONED, SUBSTATUS_REPROVISIONED},
        {"2021-10-01", SUBSTATUS_REPROVISIONED, SUBSTATUS_REPROVISIONED},
        {"", SUBSTATUS_REPROVISIONED, SUBSTATUS_REPROVISIONED},
        // these two were there from the beginning
        {"2019-03-31", SUBSTATUS_DATA_MIGRATED, SUBSTATUS_DATA_MIGRATED},
        {"2019-03-31", SUBSTATUS_DATA_RESET, SUBSTATUS_DATA_RESET},
        {"2019-03-31", SUBSTATUS_NONE, SUBSTATUS_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct registration r = {.substatus = cases[i].is};
        assert_int_equal(registration_substatus_for(&r, slice_text(cases[i].api_version)), cases[i].told);
        assert_int_equal(r.substatus, cases[i].is);
    }
}

static void an_identity_is_a_hub_in_any_case_and_a_device_id_to_the_letter(void **state)
{
    (void)state;
    struct slice a = SLICE("a.example.com"), d = SLICE("Dev");
    assert_true(same_identity(a, d, SLICE("A.Example.com"), SLICE("Dev")));
    assert_false(same_identity(a, d, SLICE("b.example.com"), SLICE("Dev")));
    assert_false(same_identity(a, d, a, SLICE("dev")));
    assert_false(same_identity(a, d, a, SLICE("Dev2")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_never_registered_is_unassigned),
        cmocka_unit_test(an_assigned_device_is_shown_as_the_real_service_does),
        cmocka_unit_test(old_devices_are_told_what_they_know),
        cmocka_unit_test(a_failure_shows_number_and_message_and_no_half_of_a_pair),
        cmocka_unit_test(an_identity_is_a_hub_in_any_case_and_a_device_id_to_the_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
