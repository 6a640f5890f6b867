// JSON merge patch: the table of RFC 7396 appendix A, and limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/merge.h"

static const struct {
    const char *target;
    const char *patch;
    const char *result;
} rows[] = {
    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
    {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
    {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
    {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
    {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
    {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
    {"{\"a\":\"foo\"}", "null", "null"},
    {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
    {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
    {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
    {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    // not in the appendix: nothing to merge into, and nulls inside an array stay
    {"", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"},
    {"{}", "{\"a\":[null,{\"b\":null}]}", "{\"a\":[null,{\"b\":null}]}"},
};

static void patches_do_what_the_rfc_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out = buf_capped(1000);
        struct why why = {0};
        struct err e = json_merge(slice_text(rows[i].target), slice_text(rows[i].patch), JSON_LIMITS_DEFAULT,
                                  &out, &why);
        if (failed(e) || !slice_equal(buf_slice(&out), slice_text(rows[i].result)))
            fail_msg("row %zu: %s \"%s\", got %.*s", i, err_info(e)->name, why.text,
                     SLICE_ARG(buf_slice(&out)));
        buf_release(&out);
    }
}

static void bad_text_on_either_side_is_refused_and_nothing_written(void **state)
{
    (void)state;
    struct buf out = buf_capped(1000);
    struct why why;
    assert_int_equal(json_merge(SLICE("{"), SLICE("{}"), JSON_LIMITS_DEFAULT, &out, &why).code,
                     ERR_MALFORMED);
    assert_int_equal(json_merge(SLICE("{}"), SLICE("{]"), JSON_LIMITS_DEFAULT, &out, &why).code,
                     ERR_MALFORMED);
    assert_int_equal(json_merge(SLICE("{}"), SLICE(""), JSON_LIMITS_DEFAULT, &out, &why).code, ERR_MALFORMED);
    assert_int_equal(out.len, 0);
    buf_release(&out);
}

static void the_patch_lives_on_after_the_target_is_gone(void **state)
{
    (void)state;
    struct json_doc target;
    struct json_doc patch;
    assert_false(failed(json_read(SLICE("{\"keep\":{\"x\":1}}"), JSON_LIMITS_DEFAULT, &target, NULL)));
    assert_false(failed(json_read(SLICE("{\"new\":[{\"y\":2}]}"), JSON_LIMITS_DEFAULT, &patch, NULL)));
    assert_false(failed(json_doc_merge(&target, json_root(&patch))));
    json_doc_release(&patch);
    assert_int_equal(json_count(json_root(&target)), 2);
    assert_int_equal(json_count(json_get(json_root(&target), "new")), 1);
    json_doc_release(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_do_what_the_rfc_says),
        cmocka_unit_test(bad_text_on_either_side_is_refused_and_nothing_written),
        cmocka_unit_test(the_patch_lives_on_after_the_target_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
