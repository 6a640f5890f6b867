// What is sealed opens only with its master key, in its place, unchanged (threats D5).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypto/seal.h"

#define PLACE SLICE("0ne000A0B1C/enrollment/dev1/primaryKey")
#define PLAIN                                                                                                \
    SLICE("HostName=hub.example.com;SharedAccessKeyName=service;SharedAccessKey=c2VjcmV0c2VjcmV0c2VjcmV0")

static struct sealer sealer;
static struct buf sealed;
static struct buf opened;
static struct why why;
static const uint8_t nonce[SEAL_NONCE_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static int set_up(void **state)
{
    (void)state;
    uint8_t master[SEAL_MASTER_SIZE];
    for (size_t i = 0; i < sizeof master; i++)
        master[i] = (uint8_t)i;
    sealed = buf_capped(10000);
    opened = buf_capped(10000);
    return failed(sealer_init(&sealer, slice_of(master, sizeof master), &why)) ||
           failed(seal(&sealer, nonce, PLACE, PLAIN, &sealed));
}

static int tear_down(void **state)
{
    (void)state;
    buf_release(&sealed);
    buf_release(&opened);
    sealer_release(&sealer);
    assert_int_equal(ERR_peek_error(), 0); // nothing is left that a TLS call would trip over
    return 0;
}

static void what_is_sealed_opens_again(void **state)
{
    (void)state;
    assert_int_equal(sealed.len, PLAIN.len + SEAL_OVERHEAD);
    assert_false(failed(unseal(&sealer, PLACE, buf_slice(&sealed), &opened, &why)));
    assert_true(slice_equal(buf_slice(&opened), PLAIN));
}

static void the_plaintext_is_not_in_it(void **state)
{
    (void)state;
    assert_int_equal(slice_find(buf_slice(&sealed), SLICE("HostName")), sealed.len);
    assert_int_equal(slice_find(buf_slice(&sealed), SLICE("c2Vj")), sealed.len);
}

// The layout is what stored databases hold: version, key ID, nonce, ciphertext, tag.
static void the_sealed_form_is_the_documented_one(void **state)
{
    (void)state;
    assert_int_equal(sealed.at[0], 1);
    assert_int_equal(sealed.at[1], sealer.key_id);
    assert_memory_equal(sealed.at + 2, nonce, sizeof nonce);
}

static void another_place_does_not_open_it(void **state)
{
    (void)state;
    assert_int_equal(
        unseal(&sealer, SLICE("0ne000A0B1C/enrollment/dev2/primaryKey"), buf_slice(&sealed), &opened, &why)
            .code,
        ERR_SEAL);
    assert_int_equal(unseal(&sealer, (struct slice){0}, buf_slice(&sealed), &opened, &why).code, ERR_SEAL);
    assert_int_equal(opened.len, 0);
}

static void another_master_key_does_not_open_it(void **state)
{
    (void)state;
    size_t told = 0;
    for (uint8_t i = 1; i < 20; i++) {
        uint8_t master[SEAL_MASTER_SIZE] = {i};
        struct sealer other;
        assert_false(failed(sealer_init(&other, slice_of(master, sizeof master), &why)));
        assert_int_equal(unseal(&other, PLACE, buf_slice(&sealed), &opened, &why).code, ERR_SEAL);
        told += strstr(why.text, "another master key") != NULL;
        other.key_id = sealer.key_id; // one key in 256 has the same ID
        assert_int_equal(unseal(&other, PLACE, buf_slice(&sealed), &opened, &why).code, ERR_SEAL);
        sealer_release(&other);
    }
    assert_int_equal(told, 19);
}

static void any_changed_bit_is_noticed(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        sealed.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct err e = unseal(&sealer, PLACE, buf_slice(&sealed), &opened, &why);
        if (e.code != ERR_SEAL || opened.len != 0)
            fail_msg("bit %zu: %s", bit, err_info(e)->name);
        sealed.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void any_missing_end_is_noticed(void **state)
{
    (void)state;
    for (size_t len = 0; len < sealed.len; len++)
        assert_int_equal(unseal(&sealer, PLACE, slice_to(buf_slice(&sealed), len), &opened, &why).code,
                         ERR_SEAL);
}

static void nothing_can_be_sealed_too(void **state)
{
    (void)state;
    buf_clear(&sealed);
    assert_false(failed(seal(&sealer, nonce, PLACE, (struct slice){0}, &sealed)));
    assert_int_equal(sealed.len, SEAL_OVERHEAD);
    assert_false(failed(unseal(&sealer, PLACE, buf_slice(&sealed), &opened, &why)));
    assert_int_equal(opened.len, 0);
    sealed.at[sealed.len - 1] ^= 1;
    assert_int_equal(unseal(&sealer, PLACE, buf_slice(&sealed), &opened, &why).code, ERR_SEAL);
}

static void keys_open_into_a_secret(void **state)
{
    (void)state;
    struct secret key = {.len = 64};
    struct secret back = {.len = 3};
    for (uint8_t i = 0; i < 64; i++)
        key.bytes[i] = (uint8_t)(i * 3);
    assert_int_equal(unseal_secret(&sealer, PLACE, buf_slice(&sealed), &back, &why).code,
                     ERR_SEAL); // too long
    assert_int_equal(back.len, 0);
    buf_clear(&sealed);
    assert_false(failed(seal(&sealer, nonce, PLACE, secret_slice(&key), &sealed)));
    assert_false(failed(unseal_secret(&sealer, PLACE, buf_slice(&sealed), &back, &why)));
    assert_true(secret_equal(&key, &back));
    sealed.at[20] ^= 1;
    assert_int_equal(unseal_secret(&sealer, PLACE, buf_slice(&sealed), &back, &why).code, ERR_SEAL);
    assert_int_equal(back.len, 0);
}

static void a_full_buffer_is_reported(void **state)
{
    (void)state;
    struct buf small = buf_capped(PLAIN.len + SEAL_OVERHEAD - 1);
    assert_int_equal(seal(&sealer, nonce, PLACE, PLAIN, &small).code, ERR_CAPPED);
    buf_release(&small);
    small = buf_capped(PLAIN.len - 1);
    assert_int_equal(unseal(&sealer, PLACE, buf_slice(&sealed), &small, &why).code, ERR_CAPPED);
    buf_release(&small);
}

static void master_keys_of_a_wrong_form_are_refused(void **state)
{
    (void)state;
    static const uint8_t zeros[64];
    struct sealer other;
    assert_int_equal(sealer_init(&other, slice_of(zeros, 32), &why).code, ERR_CONFIG);
    assert_int_equal(sealer_init(&other, slice_of(sealed.at, 31), &why).code, ERR_CONFIG);
    assert_int_equal(sealer_init(&other, slice_of(sealed.at, 33), &why).code, ERR_CONFIG);
    assert_int_equal(sealer_init(&other, (struct slice){0}, &why).code, ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_sealed_opens_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_plaintext_is_not_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_sealed_form_is_the_documented_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_place_does_not_open_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_master_key_does_not_open_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_changed_bit_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_missing_end_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_can_be_sealed_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_open_into_a_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_buffer_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(master_keys_of_a_wrong_form_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
