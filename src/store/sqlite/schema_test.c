// Which questions the database answers from an index: those that are asked again and again while a fleet of
// any size is kept must not read all of its registrations.
#include "store/sqlite/schema.h"

#include "base/testing.h"

#include <sqlite3.h>

static sqlite3 *database;

static int set_up(void **state)
{
    struct buf sql = buf_capped(SCHEMA_SQL_MAX);
    (void)state;
    schema_create(&sql);
    schema_indexes(&sql);
    buf_u8(&sql, 0);
    bool made = !failed(buf_err(&sql)) && sqlite3_open(":memory:", &database) == SQLITE_OK &&
                sqlite3_exec(database, (const char *)sql.at, NULL, NULL, NULL) == SQLITE_OK;
    buf_release(&sql);
    return made ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return sqlite3_close(database) == SQLITE_OK ? 0 : -1;
}

// One comparison, or two joined by AND. The plan has one step, which uses the index.
static void assert_served(const struct query_node *where, bool count, bool all_partitions, const char *index)
{
    struct schema_hints hints = {0};
    struct buf sql = buf_capped(SCHEMA_SQL_MAX);
    sqlite3_stmt *s;
    schema_hints(where, STORE_REGISTRATION, &hints);
    buf_text(&sql, "EXPLAIN QUERY PLAN ");
    if (count)
        schema_count(&sql, STORE_REGISTRATION, all_partitions, &hints);
    else
        schema_scan(&sql, STORE_REGISTRATION, all_partitions, &hints);
    assert_false(failed(buf_err(&sql)));
    assert_false(count && hints.rest);
    assert_int_equal(sqlite3_prepare_v2(database, (const char *)sql.at, (int)sql.len, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const char *step = (const char *)sqlite3_column_text(s, 3);
    if (strstr(step, index) == NULL)
        fail_msg("%.*s: %s", (int)sql.len, (const char *)sql.at, step);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE); // no sorting after it
    sqlite3_finalize(s);
    buf_release(&sql);
}

static const struct query_value nothing = {.kind = QUERY_TEXT},
                                a_hub = {.kind = QUERY_TEXT, .text = SLICE("h")},
                                assigning = {.kind = QUERY_TEXT, .text = SLICE("assigning")};
static const struct query_node left = {
    .op = QUERY_NE, .path = SLICE("leftHub"), .values = &nothing, .count = 1};
static const struct query_node left_there = {
    .op = QUERY_EQ, .path = SLICE("leftHub"), .values = &a_hub, .count = 1};
static const struct query_node assigned = {
    .op = QUERY_EQ, .path = SLICE("assignedHub"), .values = &a_hub, .count = 1};
static const struct query_node under_way = {
    .op = QUERY_EQ, .path = SLICE("status"), .values = &assigning, .count = 1};

static void what_is_still_to_be_removed_is_found_without_reading_the_fleet(void **state)
{
    (void)state;
    assert_served(&left, false, true, "INDEX registration_left_hub");
    assert_served(&left, false, false, "INDEX registration_left_hub");
    assert_served(&left_there, false, true, "INDEX registration_left_hub");
    assert_served(&left_there, false, false, "INDEX registration_left_hub");
    assert_served(&left, true, false, "INDEX registration_left_hub");
}

static void the_devices_of_a_hub_are_counted_without_reading_them(void **state)
{
    (void)state;
    assert_served(&assigned, true, false, "COVERING INDEX registration_assigned_hub");
    assert_served(&assigned, false, false, "INDEX registration_assigned_hub");
}

static void unfinished_operations_are_found_without_reading_the_fleet(void **state)
{
    (void)state;
    assert_served(&under_way, false, true, "INDEX registration_assigning");
}

static void an_index_does_not_count_what_the_query_leaves_out(void **state)
{
    (void)state;
    struct query_node not_left = {.op = QUERY_NOT, .left = &left};
    struct query_node either = {.op = QUERY_OR, .left = &left, .right = &assigned};
    const struct query_node *const more[] = {&not_left, &either};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        struct query_node both = {.op = QUERY_AND, .left = &assigned, .right = more[i]};
        struct schema_hints hints = {0};
        schema_hints(&both, STORE_REGISTRATION, &hints);
        assert_true(hints.rest);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_still_to_be_removed_is_found_without_reading_the_fleet),
        cmocka_unit_test(the_devices_of_a_hub_are_counted_without_reading_them),
        cmocka_unit_test(unfinished_operations_are_found_without_reading_the_fleet),
        cmocka_unit_test(an_index_does_not_count_what_the_query_leaves_out),
    };
    return cmocka_run_group_tests_name("store_sqlite_schema", tests, set_up, tear_down);
}
