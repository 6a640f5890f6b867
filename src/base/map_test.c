// Maps find what was put in, through growth and removal.
#include "base/map.h"
#include "base/testing.h"

#include <stdio.h>

enum { MANY = 5000 };

static struct slice key_of(int i, char text[16])
{
    return slice_of(text, (size_t)snprintf(text, 16, "key-%d", i));
}

static void what_was_put_in_is_found_and_what_was_removed_is_not(void **state)
{
    (void)state;
    static int values[MANY];
    struct map m;
    char text[16];
    map_init(&m, 42);
    assert_null(map_get(&m, SLICE("x")));
    assert_null(map_remove(&m, SLICE("x")));
    for (int i = 0; i < MANY; i++)
        assert_false(failed(map_put(&m, key_of(i, text), &values[i], NULL)));
    assert_int_equal(m.count, MANY);
    for (int i = 0; i < MANY; i += 3)
        assert_ptr_equal(map_remove(&m, key_of(i, text)), &values[i]);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(map_get(&m, key_of(i, text)), i % 3 == 0 ? NULL : &values[i]);
    assert_null(map_remove(&m, key_of(0, text)));
    map_release(&m);
    assert_int_equal(m.count, 0);
    map_release(NULL);
}

static void putting_again_replaces_and_hands_back_the_old(void **state)
{
    (void)state;
    int a, b;
    void *old = &a;
    struct map m;
    map_init(&m, 1);
    assert_false(failed(map_put(&m, SLICE("k"), &a, &old)));
    assert_null(old);
    assert_false(failed(map_put(&m, SLICE("k"), &b, &old)));
    assert_ptr_equal(old, &a);
    assert_int_equal(m.count, 1);
    assert_ptr_equal(map_get(&m, SLICE("k")), &b);
    map_release(&m);
}

static void keys_are_bytes_of_any_length(void **state)
{
    (void)state;
    int values[4];
    struct map m;
    map_init(&m, 7);
    struct slice keys[] = {{0}, slice_of("a\0b", 3), slice_of("a\0c", 3), SLICE("12345678123456781")};
    for (size_t i = 0; i < 4; i++)
        assert_false(failed(map_put(&m, keys[i], &values[i], NULL)));
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(map_get(&m, keys[i]), &values[i]);
    assert_null(map_get(&m, SLICE("a")));
    map_release(&m);
}

static void a_walk_meets_each_entry_once(void **state)
{
    (void)state;
    static int seen[100];
    struct map m;
    char text[16];
    map_init(&m, 3);
    for (int i = 0; i < 100; i++)
        assert_false(failed(map_put(&m, key_of(i, text), &seen[i], NULL)));
    size_t at = 0;
    struct slice key;
    void *value;
    int count = 0;
    while (map_next(&m, &at, &key, &value)) {
        int *s = value;
        assert_int_equal((*s)++, 0);
        assert_true(slice_equal(key, key_of((int)(s - seen), text)));
        count++;
    }
    assert_int_equal(count, 100);
    map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_in_is_found_and_what_was_removed_is_not),
        cmocka_unit_test(putting_again_replaces_and_hands_back_the_old),
        cmocka_unit_test(keys_are_bytes_of_any_length),
        cmocka_unit_test(a_walk_meets_each_entry_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
