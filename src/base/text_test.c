// Text forms of bytes, with the vectors of their standards.
#include "base/testing.h"
#include "base/text.h"

static void assert_encoded(void (*encode)(struct buf *, struct slice), struct slice in, const char *want)
{
    struct buf b = buf_capped(1000);
    encode(&b, in);
    assert_false(failed(buf_err(&b)));
    assert_slice(buf_slice(&b), want);
    buf_release(&b);
}

static void base64_has_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t out[16];
        size_t len = 99;
        assert_encoded(b64_encode, slice_text(rows[i][0]), rows[i][1]);
        assert_true(b64_decode(slice_text(rows[i][1]), out, sizeof out, &len));
        assert_slice(slice_of(out, len), rows[i][0]);
    }
    assert_encoded(b64_encode, BYTES(0xfb, 0xff, 0xfe), "+//+");
}

static void what_is_not_exactly_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z",      "Zg",    "Zg=",  "Zg===", "Zh==", "Zm9=",     "Zm-v",  "Zm_v",
        "Zm9v\n", " Zm9v", "=Zm9", "Z=m9",  "====", "Zg==Zg==", "Zm 9v", "Zm9v="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t out[16];
        size_t len;
        if (b64_decode(slice_text(bad[i]), out, sizeof out, &len))
            fail_msg("%s", bad[i]);
    }
    uint8_t small[2];
    size_t len;
    assert_false(b64_decode(SLICE("Zm9v"), small, sizeof small, &len));
    assert_true(b64_decode(SLICE("Zm8="), small, sizeof small, &len));
    struct arena a = arena_capped(1000);
    struct slice out;
    assert_false(failed(b64_decode_arena(&a, SLICE("Zm9v"), &out)));
    assert_slice(out, "foo");
    assert_int_equal(b64_decode_arena(&a, SLICE("Zm9"), &out).code, ERR_MALFORMED);
    arena_release(&a);
}

static void hex_is_read_in_both_cases_and_written_as_asked(void **state)
{
    (void)state;
    assert_encoded(hex_encode_lower, BYTES(0x00, 0xab, 0xff), "00abff");
    assert_encoded(hex_encode_upper, BYTES(0x00, 0xab, 0xff), "00ABFF");
    uint8_t out[4];
    size_t len;
    assert_true(hex_decode(SLICE("00aBFf"), out, sizeof out, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(out, "\x00\xab\xff", 3);
    static const char *const bad[] = {"0", "0g", "g0", "0x", " 0", "0011223344"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(hex_decode(slice_text(bad[i]), out, sizeof out, &len));
}

static void percent_encoding_leaves_only_unreserved_characters(void **state)
{
    (void)state;
    assert_encoded(percent_encode, SLICE("aZ09-._~"), "aZ09-._~");
    assert_encoded(percent_encode, SLICE("a/b+c d=\xc3\xa9"), "a%2Fb%2Bc%20d%3D%C3%A9");
    struct arena a = arena_capped(1000);
    struct slice out;
    assert_false(failed(percent_decode(&a, SLICE("a%2Fb%2bc%20d+e"), &out)));
    assert_slice(out, "a/b+c d+e");
    assert_false(failed(percent_decode(&a, SLICE("%2525"), &out))); // once
    assert_slice(out, "%25");
    static const char *const bad[] = {"%", "%4", "a%", "%4g", "%g4", "%00", "%%41"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(percent_decode(&a, slice_text(bad[i]), &out).code, ERR_MALFORMED);
    arena_release(&a);
}

static void a_guid_is_random_and_says_that_it_is(void **state)
{
    (void)state;
    uint8_t ones[16];
    static const uint8_t zeros[16];
    char text[GUID_TEXT];
    memset(ones, 0xff, sizeof ones);
    guid_format(ones, text);
    assert_slice(slice_of(text, GUID_TEXT), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    guid_format(zeros, text);
    assert_slice(slice_of(text, GUID_TEXT), "00000000-0000-4000-8000-000000000000");
}

static void utf8_is_what_rfc_3629_says(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "a\xc3\xa4z"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x7f",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "a\xc3"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(utf8_valid(slice_text(good[i])));
    assert_true(utf8_valid(slice_of("\0", 1)));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_valid(slice_text(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_has_the_vectors_of_rfc_4648),
        cmocka_unit_test(what_is_not_exactly_base64_is_refused),
        cmocka_unit_test(hex_is_read_in_both_cases_and_written_as_asked),
        cmocka_unit_test(percent_encoding_leaves_only_unreserved_characters),
        cmocka_unit_test(a_guid_is_random_and_says_that_it_is),
        cmocka_unit_test(utf8_is_what_rfc_3629_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
