// Growing buffers: what is appended is there, in order; what does not fit breaks the buffer for good.
#include "base/buf.h"
#include "base/testing.h"

static void appended_parts_stand_in_order(void **state)
{
    (void)state;
    struct buf b = buf_capped(4096);
    buf_text(&b, "a");
    buf_u8(&b, 0xfe);
    buf_u16(&b, 0x0102);
    buf_u32(&b, 0x03040506);
    buf_decimal(&b, 0);
    buf_decimal(&b, UINT64_MAX);
    buf_printf(&b, "%s=%d", "k", -1);
    buf_bytes(&b, (struct slice){0});
    static const char want[] = "a\xfe\x01\x02\x03\x04\x05\x06"
                               "018446744073709551615k=-1";
    assert_false(failed(buf_err(&b)));
    assert_int_equal(b.len, sizeof want - 1);
    assert_memory_equal(b.at, want, b.len);
    buf_release(&b);
}

static void letters_are_made_small_and_nothing_else(void **state)
{
    (void)state;
    struct buf b = buf_capped(64);
    buf_lower(&b, SLICE("@AZ[`az{09\xc3\x84"));
    assert_slice(buf_slice(&b), "@az[`az{09\xc3\x84");
    buf_release(&b);
}

static void long_formats_are_not_cut(void **state)
{
    (void)state;
    struct buf b = buf_capped(4096);
    char text[1500];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    buf_printf(&b, "<%s>", text);
    assert_int_equal(b.len, 1501);
    assert_int_equal(b.at[1500], '>');
    buf_release(&b);
}

static void over_the_cap_nothing_more_is_taken_until_it_is_cleared(void **state)
{
    (void)state;
    struct buf b = buf_capped(10);
    buf_text(&b, "12345678");
    buf_text(&b, "90a");
    assert_int_equal(buf_err(&b).code, ERR_CAPPED);
    buf_text(&b, "x"); // would fit, but the text would have a hole
    assert_slice(buf_slice(&b), "12345678");
    assert_null(buf_reserve(&b, 1));
    assert_true(b.room <= 10);
    buf_clear(&b);
    buf_text(&b, "1234567890");
    assert_false(failed(buf_err(&b)));
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(buf_err(&b).code, ERR_CAPPED);
    buf_release(&b);
}

static void consuming_keeps_the_rest(void **state)
{
    (void)state;
    struct buf b = buf_capped(100);
    buf_text(&b, "abcdef");
    buf_consume(&b, 2);
    assert_slice(buf_slice(&b), "cdef");
    buf_shrink(&b); // not empty: stays
    assert_slice(buf_slice(&b), "cdef");
    buf_consume(&b, 100);
    assert_int_equal(b.len, 0);
    buf_shrink(&b);
    assert_null(b.at);
    buf_text(&b, "again");
    assert_slice(buf_slice(&b), "again");
    buf_release(&b);
    buf_release(NULL);
}

static void reserved_room_can_be_written_and_counted(void **state)
{
    (void)state;
    struct buf b = buf_capped(1000);
    uint8_t *to = buf_reserve(&b, 500);
    assert_non_null(to);
    memcpy(to, "xyz", 3);
    buf_added(&b, 3);
    assert_slice(buf_slice(&b), "xyz");
    buf_release(&b);
}

static void what_is_moved_arrives_whole_whoever_has_the_memory(void **state)
{
    (void)state;
    struct buf to = buf_capped(600), from = buf_capped(1000), large = buf_capped(1000);
    buf_text(&from, "abc");
    const uint8_t *at = from.at;
    buf_move(&to, &from); // taken over
    assert_ptr_equal(to.at, at);
    assert_null(from.at);
    buf_text(&from, "def");
    buf_move(&to, &from); // appended
    assert_int_equal(from.len, 0);
    assert_slice(buf_slice(&to), "abcdef");
    buf_move(&to, &from); // nothing
    assert_slice(buf_slice(&to), "abcdef");
    buf_release(&to);
    for (int i = 0; i < 700; i++)
        buf_u8(&large, 'x');
    buf_move(&to, &large); // more than it may hold
    assert_int_equal(buf_err(&to).code, ERR_CAPPED);
    assert_int_equal(to.len, 0);
    buf_release(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_parts_stand_in_order),
        cmocka_unit_test(letters_are_made_small_and_nothing_else),
        cmocka_unit_test(long_formats_are_not_cut),
        cmocka_unit_test(over_the_cap_nothing_more_is_taken_until_it_is_cleared),
        cmocka_unit_test(consuming_keeps_the_rest),
        cmocka_unit_test(reserved_room_can_be_written_and_counted),
        cmocka_unit_test(what_is_moved_arrives_whole_whoever_has_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
