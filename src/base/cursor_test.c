// Bounded reading: a short input never yields bytes that are not there.
#include "base/cursor.h"
#include "base/testing.h"

static void fields_are_read_in_network_order(void **state)
{
    (void)state;
    struct cursor c = cursor_over(BYTES(1, 2, 3, 0xf4, 5, 6, 7, 'a', 'b'));
    assert_int_equal(cursor_u8(&c), 1);
    assert_int_equal(cursor_u16(&c), 0x0203);
    assert_int_equal(cursor_u32(&c), 0xf4050607);
    assert_false(cursor_done(&c));
    assert_slice(cursor_bytes(&c, 2), "ab");
    assert_true(cursor_done(&c));
}

static void a_read_past_the_end_breaks_all_that_follow(void **state)
{
    (void)state;
    struct cursor c = cursor_over(BYTES(1, 2, 3));
    assert_int_equal(cursor_u32(&c), 0);
    assert_false(cursor_ok(&c));
    assert_int_equal(cursor_u8(&c), 0); // there is a byte, but no longer for this reader
    assert_int_equal(cursor_bytes(&c, 1).len, 0);
    assert_false(cursor_done(&c));
    c = cursor_over(BYTES(9));
    assert_int_equal(cursor_u16(&c), 0);
    assert_false(cursor_ok(&c));
    c = cursor_over(BYTES(9));
    assert_int_equal(cursor_bytes(&c, SIZE_MAX).len, 0);
    assert_false(cursor_ok(&c));
}

static void nothing_can_be_read_from_nothing(void **state)
{
    (void)state;
    struct cursor c = cursor_over((struct slice){0});
    assert_true(cursor_done(&c));
    assert_int_equal(cursor_bytes(&c, 0).len, 0);
    assert_true(cursor_done(&c));
    assert_int_equal(cursor_u8(&c), 0);
    assert_false(cursor_done(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_in_network_order),
        cmocka_unit_test(a_read_past_the_end_breaks_all_that_follow),
        cmocka_unit_test(nothing_can_be_read_from_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
