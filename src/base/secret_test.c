// Key material: bounded, compared whole, gone when wiped.
#include "base/secret.h"
#include "base/testing.h"

static void a_secret_holds_up_to_64_bytes(void **state)
{
    (void)state;
    uint8_t bytes[SECRET_MAX + 1];
    memset(bytes, 7, sizeof bytes);
    struct secret s = {0};
    assert_true(secret_set(&s, slice_of(bytes, SECRET_MAX)));
    assert_int_equal(secret_slice(&s).len, SECRET_MAX);
    assert_false(secret_set(&s, slice_of(bytes, SECRET_MAX + 1)));
    assert_int_equal(s.len, 0);
    assert_true(secret_set(&s, (struct slice){0}));
    assert_int_equal(s.len, 0);
}

static void secrets_are_equal_only_when_every_byte_is(void **state)
{
    (void)state;
    uint8_t bytes[32] = {0};
    struct secret a, b;
    assert_true(secret_set(&a, slice_of(bytes, 32)));
    for (size_t i = 0; i < 32; i++) {
        bytes[i] = 1;
        assert_true(secret_set(&b, slice_of(bytes, 32)));
        assert_false(secret_equal(&a, &b));
        bytes[i] = 0;
    }
    assert_true(secret_set(&b, slice_of(bytes, 32)));
    assert_true(secret_equal(&a, &b));
    assert_true(secret_set(&b, slice_of(bytes, 31)));
    assert_false(secret_equal(&a, &b));
    assert_true(bytes_equal_ct((struct slice){0}, (struct slice){0}));
}

static void a_wiped_secret_leaves_nothing(void **state)
{
    (void)state;
    struct secret s;
    static const struct secret none;
    assert_true(secret_set(&s, SLICE("0123456789")));
    assert_true(secret_set(&s, SLICE("01")));
    secret_wipe(&s);
    assert_memory_equal(&s, &none, sizeof s);
    secret_wipe(NULL);
    char text[] = "secret";
    bytes_wipe(text, sizeof text);
    assert_memory_equal(text, "\0\0\0\0\0\0\0", sizeof text);
    bytes_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_holds_up_to_64_bytes),
        cmocka_unit_test(secrets_are_equal_only_when_every_byte_is),
        cmocka_unit_test(a_wiped_secret_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
