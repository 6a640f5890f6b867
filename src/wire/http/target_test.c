// Paths and queries are taken apart once, and only where they are well-formed.
#include "wire/http/http_test.h"

static void segments(const char *path, const char *const want[])
{
    struct arena a = arena_capped(4096);
    struct http_path p = http_path_of(slice_text(path));
    struct slice segment;
    for (size_t i = 0; want[i] != NULL; i++) {
        assert_false(failed(http_path_next(&p, &a, &segment)));
        assert_non_null(segment.at);
        assert_slice(segment, want[i]);
    }
    assert_false(failed(http_path_next(&p, &a, &segment)));
    assert_null(segment.at);
    arena_release(&a);
}

static void paths_come_apart_at_their_slashes_and_nowhere_else(void **state)
{
    (void)state;
    segments("/", (const char *const[]){NULL});
    segments("/enrollments/", (const char *const[]){"enrollments", NULL});
    segments("/enrollments/a:b", (const char *const[]){"enrollments", "a:b", NULL});
    segments("/enrollments/a%3Ab%3ac", (const char *const[]){"enrollments", "a:b:c", NULL});
    segments("/a%2Fb/c", (const char *const[]){"a/b", "c", NULL});
    segments("/a%252Fb", (const char *const[]){"a%2Fb", NULL});
    segments("/a//b", (const char *const[]){"a", "", "b", NULL});
    segments("/a+b", (const char *const[]){"a+b", NULL});
    segments("/...", (const char *const[]){"...", NULL});
}

static void malformed_segments_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"/%", "/%4", "/%4g",    "/%00", "/a%00b",
                                       "/.", "/..", "/%2e%2E", "/%2e/"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = arena_capped(4096);
        struct http_path p = http_path_of(slice_text(rows[i]));
        struct slice segment;
        if (http_path_next(&p, &a, &segment).code != ERR_MALFORMED)
            fail_msg("%s", rows[i]);
        arena_release(&a);
    }
}

static void query_parameters_are_found_and_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *query, *name, *want; // NULL: absent
    } rows[] = {
        {"api-version=2021-10-01", "api-version", "2021-10-01"},
        {"a=1&api-version=2021-10-01&b", "api-version", "2021-10-01"},
        {"API-Version=x", "api-version", "x"},
        {"api%2Dversion=x", "api-version", "x"},
        {"q=a%20b%26c%3Dd", "q", "a b&c=d"},
        {"q=a=b", "q", "a=b"},
        {"q=a+b", "q", "a+b"},
        {"q=", "q", ""},
        {"q", "q", ""},
        {"a&q", "q", ""},
        {"qq=1", "q", NULL},
        {"", "q", NULL},
        {"&&", "q", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = arena_capped(4096);
        struct slice value;
        assert_false(failed(http_query_get(slice_text(rows[i].query), slice_text(rows[i].name), &a, &value)));
        if ((value.at != NULL) != (rows[i].want != NULL))
            fail_msg("%s", rows[i].query);
        if (rows[i].want != NULL)
            assert_slice(value, rows[i].want);
        arena_release(&a);
    }
}

static void ambiguous_queries_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"q=1&q=2", "q=1&Q=1", "q=%", "q=%zz", "q=%00", "%=1&q=1"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = arena_capped(4096);
        struct slice value;
        if (http_query_get(slice_text(rows[i]), SLICE("q"), &a, &value).code != ERR_MALFORMED)
            fail_msg("%s", rows[i]);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_come_apart_at_their_slashes_and_nowhere_else),
        cmocka_unit_test(malformed_segments_are_refused),
        cmocka_unit_test(query_parameters_are_found_and_decoded),
        cmocka_unit_test(ambiguous_queries_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
