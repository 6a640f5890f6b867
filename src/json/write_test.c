// What the writer puts out, and that it reads back as the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "json/write.h"

static struct buf out;
static struct json_writer w;

static int fresh(void **state)
{
    (void)state;
    out = buf_capped(10000);
    json_begin(&w, &out);
    return 0;
}

static int released(void **state)
{
    (void)state;
    buf_release(&out);
    return 0;
}

#define ASSERT_WROTE(text)                                                                                   \
    do {                                                                                                     \
        assert_false(failed(buf_err(&out)));                                                                 \
        buf_u8(&out, 0);                                                                                     \
        assert_string_equal((const char *)out.at, (text));                                                   \
    } while (0)

static void commas_and_colons_are_where_they_belong(void **state)
{
    (void)state;
    json_object_open(&w);
    json_field_text(&w, "a", SLICE("x"));
    json_key(&w, "b");
    json_array_open(&w);
    json_number(&w, 1);
    json_object_open(&w);
    json_object_close(&w);
    json_array_open(&w);
    json_array_close(&w);
    json_bool(&w, true);
    json_nothing(&w);
    json_array_close(&w);
    json_field_raw(&w, "c", SLICE("{\"raw\":1}"));
    json_field_text_if(&w, "absent", (struct slice){0});
    json_field_text_if(&w, "d", SLICE("y"));
    json_key_slice(&w, SLICE("e\""));
    json_bool(&w, false);
    json_object_close(&w);
    ASSERT_WROTE("{\"a\":\"x\",\"b\":[1,{},[],true,null],\"c\":{\"raw\":1},\"d\":\"y\",\"e\\\"\":false}");
}

static void text_is_escaped(void **state)
{
    (void)state;
    json_text(&w, slice_of("\"\\/\b\f\n\r\t\0\x1f\x7f \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 21));
    ASSERT_WROTE("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    (void)state;
    // a stray byte, an overlong slash, a surrogate, beyond U+10FFFF, and a character cut off at the end
    json_text(&w, SLICE("a\xff"
                        "b\xc0\xaf"
                        "c\xed\xa0\x80"
                        "d\xf4\x90\x80\x80"
                        "e\xe2\x82"));
    ASSERT_WROTE("\"a\uFFFD"
                 "b\uFFFD\uFFFD"
                 "c\uFFFD\uFFFD\uFFFD"
                 "d\uFFFD\uFFFD\uFFFD\uFFFD"
                 "e\uFFFD\uFFFD\"");
}

static void numbers_reach_both_ends(void **state)
{
    (void)state;
    json_array_open(&w);
    json_number(&w, INT64_MIN);
    json_number(&w, -1);
    json_number(&w, 0);
    json_number(&w, INT64_MAX);
    json_array_close(&w);
    ASSERT_WROTE("[-9223372036854775808,-1,0,9223372036854775807]");
}

static void reals_are_short_and_stay_reals(void **state)
{
    (void)state;
    json_array_open(&w);
    json_decimal(&w, 0.1);
    json_decimal(&w, 1.0);
    json_decimal(&w, 1e300);
    json_decimal(&w, -0.0);
    json_decimal(&w, NAN);
    json_decimal(&w, INFINITY);
    json_array_close(&w);
    ASSERT_WROTE("[0.1,1.0,1e+300,-0.0,null,null]");
}

static void what_was_read_is_written_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"z\":1,\"a\":[{},[],\"\",null,true,false],\"m\":{\"n\":-3}}",
        "[0.1,1.0,3.141592653589793,2.2250738585072014e-308,1.7976931348623157e+308,123456789.125]",
        "\"caf\xc3\xa9 \\\" \\\\ \\u0001\"",
        "[9223372036854775807,-9223372036854775808]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json_doc doc;
        assert_false(failed(json_read(slice_text(texts[i]), JSON_LIMITS_DEFAULT, &doc, NULL)));
        buf_clear(&out);
        json_begin(&w, &out);
        json_node(&w, json_root(&doc));
        ASSERT_WROTE(texts[i]);
        json_doc_release(&doc);
    }
}

static void a_full_buffer_is_told_once_at_the_end(void **state)
{
    (void)state;
    struct buf small = buf_capped(8);
    json_begin(&w, &small);
    json_object_open(&w);
    json_field_text(&w, "name", SLICE("value"));
    json_object_close(&w);
    assert_int_equal(buf_err(&small).code, ERR_CAPPED);
    buf_release(&small);
}

static void nesting_beyond_the_writers_depth_breaks_the_buffer_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned i = 0; i < JSON_WRITER_DEPTH + 3; i++) {
        json_object_open(&w);
        json_key(&w, "k");
    }
    json_nothing(&w);
    for (unsigned i = 0; i < JSON_WRITER_DEPTH + 3; i++)
        json_object_close(&w);
    assert_int_equal(buf_err(&out).code, ERR_CAPPED);
}

static void nesting_to_the_writers_depth_works(void **state)
{
    (void)state;
    for (unsigned i = 0; i < JSON_WRITER_DEPTH; i++)
        json_array_open(&w);
    for (unsigned i = 0; i < JSON_WRITER_DEPTH; i++)
        json_array_close(&w);
    assert_false(failed(buf_err(&out)));
    assert_int_equal(out.len, 2 * JSON_WRITER_DEPTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commas_and_colons_are_where_they_belong, fresh, released),
        cmocka_unit_test_setup_teardown(text_is_escaped, fresh, released),
        cmocka_unit_test_setup_teardown(bytes_that_are_not_utf8_are_replaced, fresh, released),
        cmocka_unit_test_setup_teardown(numbers_reach_both_ends, fresh, released),
        cmocka_unit_test_setup_teardown(reals_are_short_and_stay_reals, fresh, released),
        cmocka_unit_test_setup_teardown(what_was_read_is_written_the_same, fresh, released),
        cmocka_unit_test_setup_teardown(a_full_buffer_is_told_once_at_the_end, fresh, released),
        cmocka_unit_test_setup_teardown(nesting_beyond_the_writers_depth_breaks_the_buffer_and_nothing_else,
                                        fresh, released),
        cmocka_unit_test_setup_teardown(nesting_to_the_writers_depth_works, fresh, released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
