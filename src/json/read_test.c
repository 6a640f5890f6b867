// What the reader takes and refuses (RFC 8259, threats A5).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/buf.h"
#include "json/json.h"

// Like SLICE, and a constant, so that it may stand in a table.
#define TEXT(literal)                                                                                        \
    {                                                                                                        \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                      \
    }

static struct err read(struct slice text, struct why *why)
{
    struct json_doc doc;
    struct err e = json_read(text, JSON_LIMITS_DEFAULT, &doc, why);
    assert_true(failed(e) == (json_root(&doc) == NULL));
    json_doc_release(&doc);
    return e;
}

struct refusal {
    struct slice text;
    const char *why; // must be part of the reason
};

static const struct refusal refusals[] = {
    {{NULL, 0}, "empty"},
    {TEXT(" \r\n\t "), "empty"},
    {TEXT("{\"a\":1,\"a\":2}"), "same key twice"},
    {TEXT("{\"a\":1,\"\\u0061\":2}"), "same key twice"},
    {TEXT("{\"x\":{\"a\":1,\"a\":1}}"), "same key twice"},
    {TEXT("\"a\0b\""), "NUL"},
    {TEXT("{}\0"), "NUL"},
    {TEXT("\"\\\0\""), "NUL"},
    {TEXT("\"\\u0000\""), "u0000"},
    {TEXT("{\"\\u0000\":1}"), "u0000"},
    {TEXT("\"\\ud800\""), "not JSON"},
    {TEXT("\"\\udc00\""), "not JSON"},
    {TEXT("\"\\ud800\\u0041\""), "not JSON"},
    {TEXT("\"\xff\""), "UTF-8"},
    {TEXT("\"\xc0\x80\""), "UTF-8"},
    {TEXT("\"\xe0\x80\xaf\""), "UTF-8"},
    {TEXT("\"\xed\xa0\x80\""), "UTF-8"},
    {TEXT("\"\xf4\x90\x80\x80\""), "UTF-8"},
    {TEXT("\"\xc3\""), "UTF-8"},
    {TEXT("\xef\xbb\xbf{}"), "not JSON"},
    {TEXT("{}{}"), "follows"},
    {TEXT("{} x"), "follows"},
    {TEXT("1 2"), "follows"},
    {TEXT("9223372036854775808"), "too large"},
    {TEXT("-9223372036854775809"), "too large"},
    {TEXT("1e400"), "too large"},
    {TEXT("-1e400"), "too large"},
    {TEXT("{"), "ends before"},
    {TEXT("[1,"), "ends before"},
    {TEXT("\"abc"), "ends before"},
    {TEXT("\"abc\\"), "not JSON"},
    {TEXT("[1,]"), "not JSON"},
    {TEXT("{\"a\":1,}"), "not JSON"},
    {TEXT("{a:1}"), "not JSON"},
    {TEXT("{'a':1}"), "not JSON"},
    {TEXT("{\"a\" 1}"), "not JSON"},
    {TEXT("{1:1}"), "not JSON"},
    {TEXT("[1 2]"), "not JSON"},
    {TEXT("]"), "not JSON"},
    {TEXT("[}"), "not JSON"},
    {TEXT("01"), "not JSON"},
    {TEXT("-01"), "not JSON"},
    {TEXT("+1"), "not JSON"},
    {TEXT(".5"), "not JSON"},
    {TEXT("[1.]"), "not JSON"},
    {TEXT("[1e]"), "not JSON"},
    {TEXT("[-]"), "not JSON"},
    {TEXT("0x10"), "follows"},
    {TEXT("NaN"), "not JSON"},
    {TEXT("Infinity"), "not JSON"},
    {TEXT("True"), "not JSON"},
    {TEXT("nul"), "not JSON"},
    {TEXT("\"a\nb\""), "not JSON"},
    {TEXT("\"a\tb\""), "not JSON"},
    {TEXT("\"\\x41\""), "not JSON"},
    {TEXT("\"\\u12\""), "not JSON"},
    {TEXT("// no\n{}"), "not JSON"},
    {TEXT("/* no */{}"), "not JSON"},
};

static void malformed_text_is_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct why why = {0};
        struct err e = read(refusals[i].text, &why);
        if (e.code != ERR_MALFORMED || strstr(why.text, refusals[i].why) == NULL)
            fail_msg("row %zu: %s: \"%s\", wanted \"%s\"", i, err_info(e)->name, why.text, refusals[i].why);
    }
}

static void reasons_name_line_and_column(void **state)
{
    (void)state;
    struct why why;
    assert_true(failed(read(SLICE("{\n  \"a\": 1,\n  \"b\" 2\n}"), &why)));
    assert_non_null(strstr(why.text, "line 3, column 7"));
    assert_true(failed(read(slice_of("{\n \0}", 5), &why)));
    assert_non_null(strstr(why.text, "line 2, column 2"));
}

static void reasons_do_not_quote_the_text(void **state)
{
    (void)state;
    struct why why;
    assert_true(failed(read(SLICE("{\"primaryKey\":\"c2VjcmV0\" \"c2VjcmV0\"}"), &why)));
    assert_null(strstr(why.text, "c2Vj"));
}

static struct slice nested(struct buf *out, char open, char close, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        buf_u8(out, (uint8_t)open);
    for (size_t i = 0; close != 0 && i < depth; i++)
        buf_u8(out, (uint8_t)close);
    assert_false(failed(buf_err(out)));
    return buf_slice(out);
}

static void nesting_is_taken_to_the_limit_and_no_deeper(void **state)
{
    (void)state;
    struct buf text = buf_capped(1000000);
    struct why why;
    assert_false(failed(read(nested(&text, '[', ']', JSON_DEPTH_MAX), &why)));
    buf_clear(&text);
    assert_int_equal(read(nested(&text, '[', ']', JSON_DEPTH_MAX + 1), &why).code, ERR_MALFORMED);
    assert_non_null(strstr(why.text, "too deep"));
    buf_release(&text);
}

static void a_hundred_thousand_brackets_cost_no_stack(void **state)
{
    (void)state;
    struct buf text = buf_capped(1000000);
    struct json_limits limits = {.bytes = 1000000, .depth = JSON_DEPTH_MAX};
    struct json_doc doc;
    struct why why;
    assert_int_equal(json_read(nested(&text, '[', 0, 100000), limits, &doc, &why).code, ERR_MALFORMED);
    assert_non_null(strstr(why.text, "too deep"));
    buf_release(&text);
}

static void brackets_in_strings_do_not_count_as_nesting(void **state)
{
    (void)state;
    struct buf text = buf_capped(1000);
    buf_text(&text, "[\"\\\"");
    for (size_t i = 0; i < 200; i++)
        buf_u8(&text, '[');
    buf_text(&text, "\", \"\\\\\", []]");
    struct why why;
    assert_false(failed(read(buf_slice(&text), &why)));
    buf_release(&text);
}

static void text_over_the_size_limit_is_refused_as_too_large(void **state)
{
    (void)state;
    struct json_limits limits = {.bytes = 4, .depth = 2};
    struct json_doc doc;
    struct why why;
    assert_false(failed(json_read(SLICE("[10]"), limits, &doc, &why)));
    json_doc_release(&doc);
    assert_int_equal(json_read(SLICE("[100]"), limits, &doc, &why).code, ERR_CAPPED);
}

static void endless_numbers_are_refused(void **state)
{
    (void)state;
    struct why why;
    struct buf text = buf_capped(1000);
    buf_text(&text, "0.");
    for (size_t i = 0; i < JSON_NUMBER_MAX - 2; i++)
        buf_u8(&text, '1');
    assert_false(failed(read(buf_slice(&text), &why)));
    buf_u8(&text, '1');
    assert_int_equal(read(buf_slice(&text), &why).code, ERR_MALFORMED);
    assert_non_null(strstr(why.text, "digits"));
    buf_release(&text);
}

static void values_come_out_as_written(void **state)
{
    (void)state;
    struct json_doc doc;
    struct slice text =
        SLICE(" {\"s\":\"\\u00e9\\ud83d\\ude00\\\"\",\"i\":-9223372036854775808,\"r\":0.5,\"t\":true,"
              "\"f\":false,\"n\":null,\"a\":[1,\"x\"],\"\":0} ");
    assert_false(failed(json_read(text, JSON_LIMITS_DEFAULT, &doc, NULL)));
    const struct json *root = json_root(&doc);
    int64_t i = 0;
    double r = 0;
    bool t = false;
    bool f = true;
    assert_int_equal(json_kind(root), JSON_KIND_OBJECT);
    assert_int_equal(json_count(root), 8);
    assert_true(slice_equal(json_as_string(json_get(root, "s")), SLICE("\xc3\xa9\xf0\x9f\x98\x80\"")));
    assert_true(json_as_int(json_get(root, "i"), &i) && i == INT64_MIN);
    assert_true(json_as_real(json_get(root, "r"), &r) && r == 0.5);
    assert_true(json_as_bool(json_get(root, "t"), &t) && t);
    assert_true(json_as_bool(json_get(root, "f"), &f) && !f);
    assert_int_equal(json_kind(json_get(root, "n")), JSON_KIND_NULL);
    assert_false(json_given(json_get(root, "n")));
    assert_true(slice_equal(json_as_string(json_at(json_get(root, "a"), 1)), SLICE("x")));
    assert_null(json_at(json_get(root, "a"), 2));
    assert_non_null(json_find(root, (struct slice){0}));
    assert_non_null(json_find(root, slice_to(SLICE("ixxx"), 1)));
    json_doc_release(&doc);
}

static void absent_values_are_harmless(void **state)
{
    (void)state;
    int64_t i = 7;
    bool b = true;
    double r = 1;
    struct json_doc doc = {0};
    assert_null(json_root(&doc));
    assert_int_equal(json_kind(NULL), JSON_KIND_ABSENT);
    assert_false(json_given(NULL));
    assert_null(json_get(NULL, "a"));
    assert_null(json_find(NULL, SLICE("a")));
    assert_null(json_at(NULL, 0));
    assert_int_equal(json_count(NULL), 0);
    assert_true(slice_empty(json_as_string(NULL)));
    assert_false(json_as_int(NULL, &i) || json_as_bool(NULL, &b) || json_as_real(NULL, &r));
    assert_int_equal(i, 7);
    struct json_each each = json_each(NULL);
    assert_false(json_next(&each));
    json_doc_release(&doc);
    json_doc_release(NULL);
}

static void members_are_walked_in_the_order_of_the_text(void **state)
{
    (void)state;
    struct json_doc doc;
    struct buf seen = buf_capped(100);
    assert_false(failed(json_read(SLICE("{\"z\":1,\"a\":2,\"m\":3}"), JSON_LIMITS_DEFAULT, &doc, NULL)));
    for (struct json_each m = json_each(json_root(&doc)); json_next(&m);) {
        int64_t value = 0;
        assert_true(json_as_int(m.value, &value));
        buf_bytes(&seen, m.key);
        buf_decimal(&seen, (uint64_t)value);
    }
    assert_true(slice_equal(buf_slice(&seen), SLICE("z1a2m3")));
    buf_release(&seen);
    json_doc_release(&doc);
}

static void sameness_ignores_the_order_of_members(void **state)
{
    (void)state;
    struct json_doc a;
    struct json_doc b;
    struct json_doc c;
    assert_false(failed(json_read(SLICE("{\"x\":[1,2],\"y\":null}"), JSON_LIMITS_DEFAULT, &a, NULL)));
    assert_false(failed(json_read(SLICE("{\"y\":null,\"x\":[1,2]}"), JSON_LIMITS_DEFAULT, &b, NULL)));
    assert_false(failed(json_read(SLICE("{\"y\":null,\"x\":[2,1]}"), JSON_LIMITS_DEFAULT, &c, NULL)));
    assert_true(json_same(json_root(&a), json_root(&b)));
    assert_false(json_same(json_root(&a), json_root(&c)));
    assert_false(json_same(json_root(&a), NULL));
    json_doc_release(&a);
    json_doc_release(&b);
    json_doc_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_text_is_refused_with_a_reason),
        cmocka_unit_test(reasons_name_line_and_column),
        cmocka_unit_test(reasons_do_not_quote_the_text),
        cmocka_unit_test(nesting_is_taken_to_the_limit_and_no_deeper),
        cmocka_unit_test(a_hundred_thousand_brackets_cost_no_stack),
        cmocka_unit_test(brackets_in_strings_do_not_count_as_nesting),
        cmocka_unit_test(text_over_the_size_limit_is_refused_as_too_large),
        cmocka_unit_test(endless_numbers_are_refused),
        cmocka_unit_test(values_come_out_as_written),
        cmocka_unit_test(absent_values_are_harmless),
        cmocka_unit_test(members_are_walked_in_the_order_of_the_text),
        cmocka_unit_test(sameness_ignores_the_order_of_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
