// What IDs are taken, and that ETags survive the ways clients send them back.
#include "domain/identifier.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct id_case {
    const char *id;
    bool registration;
    bool device;
};

static const struct id_case ids[] = {
    {"a", true, true},
    {"7", true, true},
    {"device-001", true, true},
    {"DEVICE_01.north:2", true, true},
    {"ends-with-dash-", true, true},
    {"", false, false},
    {"-starts-with-dash", false, true},
    {".starts-with-dot", false, true},
    {"ends-with-dot.", false, true},
    {"ends-with-underscore_", false, true},
    {"ends-with-colon:", false, true},
    {"has space", false, false},
    {"percent%41", false, true},
    {"slash/es", false, false},
    {"back\\slash", false, false},
    {"a*?!(),=@$'+#", false, true},
    {"quote\"", false, false},
    {"caf\xc3\xa9", false, false},
    {"overlong\xc0\xae", false, false},
    {"line\nbreak", false, false},
    {"<script>", false, false},
};

static void only_the_documented_characters_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct why why = {0};
        bool registration = !failed(registration_id_check(slice_text(ids[i].id), "registrationId", &why));
        bool device = !failed(device_id_check(slice_text(ids[i].id), "deviceId", NULL));
        if (registration != ids[i].registration || device != ids[i].device)
            fail_msg("'%s': registration ID %d, device ID %d; %s", ids[i].id, registration, device, why.text);
        assert_int_equal(strstr(why.text, "registrationId") != NULL, !registration);
    }
}

static void a_nul_inside_an_id_is_refused(void **state)
{
    (void)state;
    assert_true(failed(registration_id_check(slice_of("dev\0ice", 7), "registrationId", NULL)));
    assert_true(failed(device_id_check(slice_of("dev\0ice", 7), "deviceId", NULL)));
}

static void ids_have_at_most_128_characters(void **state)
{
    (void)state;
    char id[129];
    memset(id, 'a', sizeof id);
    assert_false(failed(registration_id_check(slice_of(id, 128), "registrationId", NULL)));
    assert_false(failed(device_id_check(slice_of(id, 128), "deviceId", NULL)));
    assert_true(failed(registration_id_check(slice_of(id, 129), "registrationId", NULL)));
    assert_true(failed(device_id_check(slice_of(id, 129), "deviceId", NULL)));
}

static void an_etag_is_base64_of_a_quoted_guid_like_text(void **state)
{
    (void)state;
    struct buf out = buf_capped(ETAG_TEXT_MAX);
    uint8_t raw[ETAG_TEXT_MAX];
    size_t len = 0;
    etag_write(&out, 0x0a00b742646801f5);
    assert_false(failed(buf_err(&out)));
    assert_true(b64_decode(buf_slice(&out), raw, sizeof raw, &len));
    assert_true(slice_equal(slice_of(raw, len), SLICE("\"0a00b742-0000-0800-0000-646801f50000\"")));
    assert_true(slice_equal(buf_slice(&out), SLICE("IjBhMDBiNzQyLTAwMDAtMDgwMC0wMDAwLTY0NjgwMWY1MDAwMCI=")));
    buf_release(&out);
}

static void an_etag_comes_back_however_the_client_wraps_it(void **state)
{
    (void)state;
    static const uint64_t values[] = {1, 0xFFFFFFFF, 0x100000000, UINT64_MAX, 0x0123456789abcdef};
    static const char *const wraps[][2] = {{"", ""}, {"\"", "\""}, {"W/\"", "\""}, {"  ", " "}, {"W/", ""}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (size_t k = 0; k < sizeof wraps / sizeof wraps[0]; k++) {
            struct buf text = buf_capped(128);
            bool any = true;
            uint64_t etag = 0;
            buf_text(&text, wraps[k][0]);
            etag_write(&text, values[i]);
            buf_text(&text, wraps[k][1]);
            assert_false(failed(etag_read(buf_slice(&text), &any, &etag, NULL)));
            assert_false(any);
            assert_true(etag == values[i]);
            buf_release(&text);
        }
    }
}

static void a_star_means_any_etag(void **state)
{
    (void)state;
    bool any = false;
    uint64_t etag = 7;
    assert_false(failed(etag_read(SLICE("*"), &any, &etag, NULL)));
    assert_true(any);
}

static void a_foreign_etag_is_no_error_but_matches_no_record(void **state)
{
    (void)state;
    static const char *const foreign[] = {
        "abc", "\"abc\"", "AAAAAAAADGk=",
        "IjBhMDBiNzQyLTAwMDAtMDgwMC0wMDAwLTY0NjgwMWY1MDAwMSI=", // ends with 0001
        "IjBBMDBCNzQyLTAwMDAtMDgwMC0wMDAwLTY0NjgwMWY1MDAwMCI="  // capital digits
    };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        bool any = true;
        uint64_t etag = 7;
        assert_false(failed(etag_read(slice_text(foreign[i]), &any, &etag, NULL)));
        assert_false(any);
        assert_true(etag == 0);
    }
}

static void a_broken_if_match_value_is_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {"",   "  ",   "\"",           "\"\"", "\"abc",      "abc\"",
                                         "W/", "a, b", "\"a\", \"b\"", "a b",  "caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct why why = {0};
        bool any = false;
        uint64_t etag = 0;
        assert_int_equal(etag_read(slice_text(broken[i]), &any, &etag, &why).code, ERR_INVALID);
        assert_true(why.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_documented_characters_are_taken),
        cmocka_unit_test(a_nul_inside_an_id_is_refused),
        cmocka_unit_test(ids_have_at_most_128_characters),
        cmocka_unit_test(an_etag_is_base64_of_a_quoted_guid_like_text),
        cmocka_unit_test(an_etag_comes_back_however_the_client_wraps_it),
        cmocka_unit_test(a_star_means_any_etag),
        cmocka_unit_test(a_foreign_etag_is_no_error_but_matches_no_record),
        cmocka_unit_test(a_broken_if_match_value_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
