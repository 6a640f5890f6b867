// A request's memory: capped, zeroed, released whole.
#include "base/arena.h"
#include "base/testing.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena a = arena_capped(1 << 20);
    uint8_t *last = NULL;
    for (size_t size = 1; size < 5000; size += 37) {
        uint8_t *at = arena_take(&a, size);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(at[i], 0);
        memset(at, 0xee, size);
        if (last != NULL)
            assert_int_equal(last[0], 0xee);
        last = at;
    }
    arena_release(&a);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_take(&a, 10)); // usable again
    arena_release(&a);
}

static void the_cap_holds_and_small_requests_still_fit(void **state)
{
    (void)state;
    struct arena a = arena_capped(1024);
    assert_null(arena_take(&a, 1025));
    assert_null(arena_take(&a, SIZE_MAX));
    assert_null(arena_take_many(&a, SIZE_MAX / 2, 4));
    assert_non_null(arena_take(&a, 1000));
    assert_null(arena_take(&a, 100));
    assert_non_null(arena_take(&a, 16));
    arena_release(&a);
}

static void copies_are_copies(void **state)
{
    (void)state;
    struct arena a = arena_capped(4096);
    char text[] = "MiXed-9";
    struct slice copy, lowered, printed;
    assert_false(failed(arena_copy(&a, slice_text(text), &copy)));
    assert_false(failed(arena_lower(&a, slice_text(text), &lowered)));
    assert_false(failed(arena_printf(&a, &printed, "%s/%d", text, 42)));
    char *cstr = arena_cstr(&a, slice_to(slice_text(text), 3));
    memset(text, '!', sizeof text - 1);
    assert_slice(copy, "MiXed-9");
    assert_slice(lowered, "mixed-9");
    assert_slice(printed, "MiXed-9/42");
    assert_string_equal(cstr, "MiX");
    assert_false(failed(arena_copy(&a, (struct slice){0}, &copy)));
    assert_int_equal(copy.len, 0);
    arena_release(&a);
}

static void without_room_a_copy_fails_and_is_empty(void **state)
{
    (void)state;
    struct arena a = arena_capped(16);
    struct slice out = SLICE("x");
    assert_int_equal(arena_copy(&a, SLICE("more than sixteen bytes"), &out).code, ERR_NO_MEMORY);
    assert_int_equal(out.len, 0);
    assert_int_equal(arena_lower(&a, SLICE("more than sixteen bytes"), &out).code, ERR_NO_MEMORY);
    assert_int_equal(arena_printf(&a, &out, "%s", "more than sixteen bytes").code, ERR_NO_MEMORY);
    assert_null(arena_cstr(&a, SLICE("more than sixteen bytes")));
    arena_release(&a);
    arena_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(the_cap_holds_and_small_requests_still_fit),
        cmocka_unit_test(copies_are_copies),
        cmocka_unit_test(without_room_a_copy_fails_and_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
