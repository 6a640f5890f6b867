// Queries as operators write them: which records they find, and how a wrong one is explained.
#include "domain/query.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void everything_that_azure_ignores_finds_everything(void **state)
{
    (void)state;
    static const char *const all[] = {"",
                                      "  \r\n",
                                      "*",
                                      "SELECT *",
                                      "select *",
                                      " Select\t* ",
                                      "SELECT * FROM enrollments",
                                      "select * from devices.jobs",
                                      "SELECT*",
                                      "SELECT * FROM enrollmentGroups "};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct arena arena = arena_capped(65536);
        struct query query;
        struct why why = {0};
        struct err e = query_parse(&arena, slice_text(all[i]), &query, &why);
        if (failed(e))
            fail_msg("'%s': %s", all[i], why.text);
        assert_null(query.where);
        arena_release(&arena);
    }
}

static void the_name_after_from_is_kept_as_written(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct query query;
    assert_false(
        failed(query_parse(&arena, SLICE("SELECT * FROM enrollmentGroups WHERE a = 1"), &query, NULL)));
    assert_true(slice_equal(query.from, SLICE("enrollmentGroups")));
    assert_non_null(query.where);
    arena_release(&arena);
}

static struct query_value text_value(const char *text)
{
    return (struct query_value){.kind = QUERY_TEXT, .text = slice_text(text)};
}

// The record that the cases below ask about.
static const struct query_value *record(void *context, struct slice path)
{
    static struct query_value found;
    static const struct {
        const char *path;
        struct query_value value;
    } fields[] = {
        {"n", {.kind = QUERY_INTEGER, .integer = 5}},
        {"big", {.kind = QUERY_INTEGER, .integer = 9007199254740993}},
        {"r", {.kind = QUERY_REAL, .real = 2.5}},
        {"yes", {.kind = QUERY_BOOLEAN, .boolean = true}},
        {"nothing", {.kind = QUERY_NULL}},
        {"tags.floor-2.$version", {.kind = QUERY_INTEGER, .integer = -3}},
    };
    (void)context;
    if (slice_equal(path, SLICE("status"))) {
        found = text_value("assigned");
        return &found;
    }
    if (slice_equal(path, SLICE("quote"))) {
        found = text_value("it's \"so\"");
        return &found;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (slice_equal(path, slice_text(fields[i].path))) {
            found = fields[i].value;
            return &found;
        }
    }
    return NULL;
}

static const struct {
    const char *where;
    bool found;
} conditions[] = {
    {"status = 'assigned'", true},
    {"status = \"assigned\"", true},
    {"status = 'Assigned'", false},
    {"status != 'failed'", true},
    {"status <> 'assigned'", false},
    {"status < 'b'", true},
    {"status >= 'assigned'", true},
    {"status > 'assigned'", false},
    {"status <= 'assign'", false},
    {"status = 5", false},
    {"status != 5", true},
    {"status < 5", false},
    {"status >= 5", false},
    {"status in ('failed','assigned')", true},
    {"status IN ['failed', 'assigned']", true},
    {"status IN ('failed')", false},
    {"status NOT IN ('failed')", true},
    {"absent NOT IN ('failed')", true},
    {"n = 5", true},
    {"n = 5.0", true},
    {"n = 5e0", true},
    {"n > 4.9", true},
    {"n < 5.5", true},
    {"n <= -5", false},
    {"n IN (1, 2.5, 5)", true},
    {"r > 2", true},
    {"r < 3", true},
    {"r = 2.5", true},
    {"r >= 3", false},
    {"big = 9007199254740992.0", false},
    {"big > 9007199254740992.0", true},
    {"big < 99999999999999999999", true},
    {"big > -99999999999999999999", true},
    {"n < 1e300", true},
    {"tags.floor-2.$version = -3", true},
    {"yes = true", true},
    {"yes = FALSE", false},
    {"yes != false", true},
    {"yes > false", false},
    {"yes = 1", false},
    {"nothing = null", true},
    {"nothing != null", false},
    {"nothing != 'x'", false},
    {"absent = null", true},
    {"absent != null", false},
    {"absent = 'x'", false},
    {"absent != 'x'", false},
    {"absent < 'x'", false},
    {"absent in (1, null)", true},
    {"status = null", false},
    {"status != null", true},
    {"NOT status = 'failed'", true},
    {"NOT absent != 'x'", true},
    {"NOT NOT n = 5", true},
    {"n = 5 AND r = 2", false},
    {"n = 4 OR r = 2.5", true},
    {"n = 5 OR n = 4 AND n = 3", true},
    {"(n = 5 OR n = 4) AND n = 3", false},
    {"NOT n = 4 AND n = 5", true},
    {"NOT (n = 4 OR n = 5)", false},
    {"((((n = 5))))", true},
    {"quote = 'it''s \"so\"'", true},
    {"quote = \"it's \"\"so\"\"\"", true},
    {"status = 'x' or\n\tn=5 aNd yes=TRUE", true},
    {"status = ''", false},
    {"status > ''", true},
};

static void conditions_find_the_records_that_fulfil_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        struct arena arena = arena_capped(65536);
        struct query query;
        struct why why = {0};
        char text[256];
        (void)snprintf(text, sizeof text, "SELECT * FROM things WHERE %s", conditions[i].where);
        struct err e = query_parse(&arena, slice_text(text), &query, &why);
        if (failed(e) || query_matches(query.where, record, NULL) != conditions[i].found)
            fail_msg("%s: expected %d; %s", conditions[i].where, conditions[i].found, why.text);
        arena_release(&arena);
    }
}

static const struct {
    const char *text;
    const char *told; // a part of the reason
} refusals[] = {
    {"SELECT", "the query ends where *"},
    {"SELECT deviceId FROM devices", "only whole records"},
    {"DROP TABLE enrollments", "expected SELECT *, found DROP"},
    {"* *", "expected FROM, WHERE or the end"},
    {"SELECT * FROM", "the query ends where the name of a collection"},
    {"SELECT * FROM where a = 1", "expected the name of a collection"},
    {"SELECT * WHERE", "the query ends where a field"},
    {"SELECT * WHERE a", "the query ends where =, !="},
    {"SELECT * WHERE a =", "the query ends where a value"},
    {"SELECT * WHERE a = b", "expected a value"},
    {"SELECT * WHERE a == 1", "expected a value"},
    {"SELECT * WHERE a = 'x", "expected a value"},
    {"SELECT * WHERE a = 1 b = 2", "expected AND, OR or the end, found b"},
    {"SELECT * WHERE a = 1; DROP TABLE x", "expected AND, OR or the end, found ;"},
    {"SELECT * WHERE a = 1 -- comment", "expected AND, OR or the end"},
    {"SELECT * WHERE (a = 1", "the query ends where AND, OR or )"},
    {"SELECT * WHERE a = 1)", "expected AND, OR or the end, found )"},
    {"SELECT * WHERE a IN ()", "expected a value"},
    {"SELECT * WHERE a IN (1, 2]", "expected , or )"},
    {"SELECT * WHERE a IN [1, 2)", "expected , or ]"},
    {"SELECT * WHERE a IN 1", "expected ( or ["},
    {"SELECT * WHERE a NOT 1", "expected IN"},
    {"SELECT * WHERE a..b = 1", "expected a field"},
    {"SELECT * WHERE a. = 1", "expected a field"},
    {"SELECT * WHERE null = 1", "expected a field"},
    {"SELECT * WHERE 1 = 1", "expected a field"},
    {"SELECT * WHERE a = 1.", "expected a value"},
    {"SELECT * WHERE a = 1e", "expected a value"},
    {"SELECT * WHERE a = 12abc", "expected a value"},
    {"SELECT * WHERE a = 1e999", "smaller number"},
    {"SELECT * WHERE a = 'x' UNION SELECT *", "expected AND, OR or the end, found UNION"},
    {"SELECT * WHERE a = 1 GROUP BY a", "expected AND, OR or the end, found GROUP"},
    {"SELECT * WHERE caf\xc3\xa9 = 1", "expected =, !="},
};

static void a_wrong_query_is_refused_and_says_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct arena arena = arena_capped(65536);
        struct query query;
        struct why why = {0};
        struct err e = query_parse(&arena, slice_text(refusals[i].text), &query, &why);
        if (e.code != ERR_QUERY || strstr(why.text, refusals[i].told) == NULL)
            fail_msg("'%s' -> %u %s", refusals[i].text, e.code, why.text);
        arena_release(&arena);
    }
}

// repeat("(", 3) and the like: builds a text out of `count` copies between a head and a tail.
static struct err parse_repeated(const char *head, const char *unit, size_t count, const char *tail)
{
    struct arena arena = arena_capped(262144);
    struct query query;
    struct buf text = buf_capped(65536);
    buf_text(&text, head);
    for (size_t i = 0; i < count; i++)
        buf_text(&text, unit);
    buf_text(&text, tail);
    assert_false(failed(buf_err(&text)));
    struct err e = query_parse(&arena, buf_slice(&text), &query, NULL);
    buf_release(&text);
    arena_release(&arena);
    return e;
}

static void size_and_depth_are_bounded(void **state)
{
    (void)state;
    assert_false(failed(parse_repeated("SELECT * WHERE ", "NOT ", QUERY_DEPTH_MAX, "a = 1")));
    assert_int_equal(parse_repeated("SELECT * WHERE ", "NOT ", QUERY_DEPTH_MAX + 1, "a = 1").code, ERR_QUERY);
    assert_int_equal(parse_repeated("SELECT * WHERE ", "(", 4000, "a = 1").code, ERR_QUERY);
    assert_false(failed(parse_repeated("SELECT * WHERE a = 1", " OR a = 1", 31, "")));
    assert_int_equal(parse_repeated("SELECT * WHERE a = 1", " OR a = 1", 32, "").code, ERR_QUERY);
    assert_false(failed(parse_repeated("SELECT * WHERE a IN (1", ",1", QUERY_VALUES_MAX - 1, ")")));
    assert_int_equal(parse_repeated("SELECT * WHERE a IN (1", ",1", QUERY_VALUES_MAX, ")").code, ERR_QUERY);
    assert_false(failed(parse_repeated("SELECT *", " ", QUERY_TEXT_MAX - 8, "")));
    assert_int_equal(parse_repeated("SELECT *", " ", QUERY_TEXT_MAX - 7, "").code, ERR_QUERY);
}

static void running_out_of_memory_fails_the_query_only(void **state)
{
    (void)state;
    struct slice text = SLICE("SELECT * FROM t WHERE a = 'x' AND (b IN (1, 2) OR NOT c = \"y\")");
    bool parsed = false;
    for (size_t cap = 0; cap < 4096 && !parsed; cap += 16) {
        struct arena arena = arena_capped(cap);
        struct query query;
        struct err e = query_parse(&arena, text, &query, NULL);
        assert_true(e.code == ERR_NONE || e.code == ERR_NO_MEMORY);
        parsed = !failed(e);
        arena_release(&arena);
    }
    assert_true(parsed);
}

static bool knows_status_only(void *context, struct slice path)
{
    (void)context;
    return slice_equal(path, SLICE("status"));
}

static void an_unknown_field_is_named(void **state)
{
    (void)state;
    struct arena arena = arena_capped(65536);
    struct query query;
    struct why why = {0};
    assert_false(
        failed(query_parse(&arena, SLICE("* WHERE status = 1 AND NOT status IN (2)"), &query, NULL)));
    assert_false(failed(query_check_paths(query.where, knows_status_only, NULL, &why)));
    assert_false(failed(query_parse(&arena, SLICE("* WHERE status = 1 OR NOT color = 2"), &query, NULL)));
    assert_int_equal(query_check_paths(query.where, knows_status_only, NULL, &why).code, ERR_QUERY);
    assert_non_null(strstr(why.text, "color"));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_azure_ignores_finds_everything),
        cmocka_unit_test(the_name_after_from_is_kept_as_written),
        cmocka_unit_test(conditions_find_the_records_that_fulfil_them),
        cmocka_unit_test(a_wrong_query_is_refused_and_says_where),
        cmocka_unit_test(size_and_depth_are_bounded),
        cmocka_unit_test(running_out_of_memory_fails_the_query_only),
        cmocka_unit_test(an_unknown_field_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
