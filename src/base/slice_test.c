// Views of bytes: comparing, searching, cutting, numbers.
#include "base/slice.h"
#include "base/testing.h"

static void comparing_knows_case_length_and_bytes_over_127(void **state)
{
    (void)state;
    assert_true(slice_equal(SLICE("a"), SLICE("a")));
    assert_false(slice_equal(SLICE("a"), SLICE("A")));
    assert_false(slice_equal(SLICE("a"), SLICE("ab")));
    assert_true(slice_equal((struct slice){0}, SLICE("")));
    assert_true(slice_equal_nocase(SLICE("aBc-9["), SLICE("AbC-9[")));
    assert_false(slice_equal_nocase(SLICE("["), SLICE("{"))); // 32 apart, but no letters
    assert_false(slice_equal_nocase(SLICE("@"), SLICE("`")));
    assert_true(slice_compare(SLICE("a"), SLICE("b")) < 0);
    assert_true(slice_compare(SLICE("ab"), SLICE("a")) > 0);
    assert_true(slice_compare(SLICE("\xff"), SLICE("a")) > 0);
    assert_int_equal(slice_compare((struct slice){0}, (struct slice){0}), 0);
}

static void beginnings_and_ends(void **state)
{
    (void)state;
    assert_true(slice_starts_with(SLICE("$dps/x"), SLICE("$dps/")));
    assert_false(slice_starts_with(SLICE("$dp"), SLICE("$dps/")));
    assert_true(slice_starts_with_nocase(SLICE("SHAREDaccess"), SLICE("SharedAccess")));
    assert_false(slice_starts_with_nocase(SLICE("Shared"), SLICE("SharedAccess")));
    assert_true(slice_ends_with(SLICE("a.net"), SLICE(".net")));
    assert_false(slice_ends_with(SLICE("net"), SLICE(".net")));
    assert_true(slice_starts_with(SLICE("x"), SLICE("")));
}

static void parts_never_reach_outside(void **state)
{
    (void)state;
    assert_slice(slice_from(SLICE("abc"), 1), "bc");
    assert_slice(slice_from(SLICE("abc"), 99), "");
    assert_slice(slice_to(SLICE("abc"), 2), "ab");
    assert_slice(slice_to(SLICE("abc"), 99), "abc");
    assert_slice(slice_from((struct slice){0}, 1), "");
}

static void searching_finds_the_first_or_the_end(void **state)
{
    (void)state;
    assert_int_equal(slice_find(SLICE("a/registrations/b/registrations/"), SLICE("/registrations/")), 1);
    assert_int_equal(slice_find(SLICE("abc"), SLICE("x")), 3);
    assert_int_equal(slice_find(SLICE("abc"), SLICE("abcd")), 3);
    assert_int_equal(slice_find(SLICE("abc"), SLICE("")), 0);
    assert_int_equal(slice_find((struct slice){0}, SLICE("x")), 0);
    assert_int_equal(slice_find_byte(SLICE("a=b=c"), '='), 1);
    assert_int_equal(slice_find_byte(SLICE("abc"), '='), 3);
}

static void cutting_takes_one_piece_after_the_other(void **state)
{
    (void)state;
    struct slice rest = SLICE("a&&b=c&");
    struct slice head;
    assert_true(slice_cut(&rest, '&', &head));
    assert_slice(head, "a");
    assert_true(slice_cut(&rest, '&', &head));
    assert_slice(head, "");
    assert_true(slice_cut(&rest, '&', &head));
    assert_slice(head, "b=c");
    assert_false(slice_cut(&rest, '&', &head));
}

static void blanks_go_from_both_ends(void **state)
{
    (void)state;
    assert_slice(slice_trim(SLICE(" \t\r\na b\n ")), "a b");
    assert_slice(slice_trim(SLICE(" \t ")), "");
    assert_slice(slice_trim((struct slice){0}), "");
}

static void only_digits_that_fit_are_a_number(void **state)
{
    (void)state;
    uint64_t v = 0;
    assert_true(slice_to_u64(SLICE("0"), &v));
    assert_int_equal(v, 0);
    assert_true(slice_to_u64(SLICE("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    assert_true(slice_to_u64(SLICE("007"), &v));
    assert_int_equal(v, 7);
    static const char *const bad[] = {
        "", "18446744073709551616", "99999999999999999999", "-1", "+1", " 1", "1 ", "0x1", "1.0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(slice_to_u64(slice_text(bad[i]), &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing_knows_case_length_and_bytes_over_127),
        cmocka_unit_test(beginnings_and_ends),
        cmocka_unit_test(parts_never_reach_outside),
        cmocka_unit_test(searching_finds_the_first_or_the_end),
        cmocka_unit_test(cutting_takes_one_piece_after_the_other),
        cmocka_unit_test(blanks_go_from_both_ends),
        cmocka_unit_test(only_digits_that_fit_are_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
