// Tables as a person sees them.
#include "cli/print.h"

#include "base/testing.h"

static struct arena arena;
static struct buf out;

static int set_up(void **state)
{
    (void)state;
    arena = arena_capped(1 << 20);
    out = buf_capped(1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    buf_release(&out);
    return 0;
}

static void columns_are_aligned_and_lines_end_without_blanks(void **state)
{
    (void)state;
    struct table table = {.arena = &arena, .columns = 3};
    assert_false(failed(table_add(&table, (struct slice[]){SLICE("ID"), SLICE("HUB"), SLICE("N")})));
    assert_false(failed(table_add(&table, (struct slice[]){SLICE("device-1"), SLICE(""), SLICE("7")})));
    assert_false(failed(table_add(&table, (struct slice[]){SLICE("d2"), SLICE("localhost"), SLICE("")})));
    table_print(&table, &out);
    assert_slice(buf_slice(&out), "ID        HUB        N\n"
                                  "device-1             7\n"
                                  "d2        localhost\n");
}

static void letters_of_more_than_one_byte_count_once(void **state)
{
    (void)state;
    struct table table = {.arena = &arena, .columns = 2};
    assert_false(failed(table_add(&table, (struct slice[]){SLICE("Kühler"), SLICE("a")})));
    assert_false(failed(table_add(&table, (struct slice[]){SLICE("Heizer"), SLICE("b")})));
    table_print(&table, &out);
    assert_slice(buf_slice(&out), "Kühler  a\nHeizer  b\n");
}

static void a_table_without_rows_prints_nothing(void **state)
{
    (void)state;
    struct table table = {.arena = &arena, .columns = 2};
    table_print(&table, &out);
    assert_int_equal(out.len, 0);
}

static void text_of_others_cannot_drive_the_terminal(void **state)
{
    (void)state;
    print_text(&out, SLICE("a\x1b[2Jb\nc\x7f"
                           "d\xc2\x9b"
                           "e\xc3\xa9"));
    assert_slice(buf_slice(&out), "a?[2Jb?c?d?e\xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(columns_are_aligned_and_lines_end_without_blanks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(letters_of_more_than_one_byte_count_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_table_without_rows_prints_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_of_others_cannot_drive_the_terminal, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
