// Digests and HMAC against published vectors; keys as operators give them (threats B8).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/text.h"
#include "crypto/hmac.h"
#include "crypto/keys.h"
#include "crypto/random.h"

#define GROUP_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

static struct why why;

static void assert_hex(const uint8_t *bytes, size_t len, const char *hex)
{
    struct buf text = buf_capped(200);
    hex_encode_lower(&text, slice_of(bytes, len));
    assert_true(slice_equal(buf_slice(&text), slice_text(hex)));
    buf_release(&text);
}

// FIPS 180-4 examples.
static void digests_are_those_of_the_standard(void **state)
{
    (void)state;
    uint8_t out[SHA256_SIZE];
    assert_false(failed(sha256(SLICE("abc"), out)));
    assert_hex(out, SHA256_SIZE, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_false(failed(sha256((struct slice){0}, out)));
    assert_hex(out, SHA256_SIZE, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_false(failed(sha1(SLICE("abc"), out)));
    assert_hex(out, SHA1_SIZE, "a9993e364706816aba3e25717850c26c9cd0d89d");
}

// RFC 4231, test cases 1, 2, 6 (a key longer than a block) and one without key and text.
static void hmac_is_that_of_the_rfc(void **state)
{
    (void)state;
    uint8_t key[131];
    uint8_t out[SHA256_SIZE];
    memset(key, 0x0b, 20);
    assert_false(failed(hmac_sha256(slice_of(key, 20), &SLICE("Hi There"), 1, out)));
    assert_hex(out, SHA256_SIZE, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    const struct slice parts[] = {SLICE("what do ya want "), {0}, SLICE("for nothing?")};
    assert_false(failed(hmac_sha256(SLICE("Jefe"), parts, 3, out)));
    assert_hex(out, SHA256_SIZE, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    struct slice text = SLICE("Test Using Larger Than Block-Size Key - Hash Key First");
    assert_false(failed(hmac_sha256(slice_of(key, sizeof key), &text, 1, out)));
    assert_hex(out, SHA256_SIZE, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_false(failed(hmac_sha256((struct slice){0}, NULL, 0, out)));
    assert_hex(out, SHA256_SIZE, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void device_keys_are_derived_as_azure_derives_them(void **state)
{
    (void)state;
    struct secret group;
    struct secret device;
    static const struct {
        struct slice id;
        struct slice key;
    } rows[] = {
        {{(const uint8_t *)"device-001", 10},
         {(const uint8_t *)"Tz4Wtei6uHSGQm0NiJy0Ijsh6/sJcnyJYOAfzqC4oKM=", 44}},
        {{(const uint8_t *)"Device-001", 10},
         {(const uint8_t *)"YXibH+z6O23cIvcGa1LmUYe11nxKx5NIWN5vy1MNplc=", 44}},
    };
    assert_false(failed(key_read_b64(SLICE(GROUP_KEY), &group, &why)));
    for (size_t i = 0; i < 2; i++) {
        struct buf text = buf_capped(100);
        assert_false(failed(key_derive(&group, rows[i].id, &device)));
        b64_encode(&text, secret_slice(&device));
        assert_true(slice_equal(buf_slice(&text), rows[i].key));
        buf_release(&text);
    }
}

static void keys_of_a_wrong_form_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why; // NULL: taken
    } rows[] = {
        {"AAECAwQFBgcICQoLDA0ODw==", NULL}, // 16 bytes
        {"AAECAwQFBgcICQoLDA0O", "16 to 64 bytes, this one 15"},
        {GROUP_KEY, NULL}, // 64 bytes
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=",
         "this one 65"},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+"
         "P0BBQkNERUZHSElK",
         "at most 64 bytes"},
        {"", "this one 0"},
        {"AAAAAAAAAAAAAAAAAAAAAA==", "all zero"},
        {"AAAAAAAAAAAAAAAAAAAAAQ==", NULL},
        {"AAECAwQFBgcICQoLDA0ODw", "base64"},
        {"AAECAwQFBgcICQoLDA0ODw=", "base64"},
        {"AAECAwQFBgcICQoLDA0ODx==", "base64"}, // bits that no encoder sets
        {"AAECAwQFBgcICQoLDA0O_w==", "base64"}, // the URL alphabet
        {" AAECAwQFBgcICQoLDA0ODw==   ", "base64"},
        {"not a key!not a key!not ", "base64"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct secret key = {.len = 5};
        why.text[0] = '\0';
        struct err e = key_read_b64(slice_text(rows[i].text), &key, &why);
        bool as_wanted = rows[i].why == NULL
                             ? !failed(e) && key.len > 0
                             : e.code == ERR_INVALID && key.len == 0 && strstr(why.text, rows[i].why) != NULL;
        if (!as_wanted)
            fail_msg("row %zu: %s \"%s\"", i, err_info(e)->name, why.text);
    }
}

static void generated_keys_have_64_bytes(void **state)
{
    (void)state;
    uint8_t bytes[KEY_GENERATED];
    struct secret key;
    random_fill(bytes, sizeof bytes);
    key_from_random(bytes, &key);
    assert_int_equal(key.len, 64);
    assert_memory_equal(key.bytes, bytes, 64);
}

static void *hash_many(void *result)
{
    bool *same = result;
    uint8_t first[SHA256_SIZE];
    uint8_t out[SHA256_SIZE];
    *same = !failed(hmac_sha256(SLICE("key"), &SLICE("text"), 1, first));
    for (size_t i = 0; i < 1000; i++)
        *same = *same && !failed(hmac_sha256(SLICE("key"), &SLICE("text"), 1, out)) &&
                memcmp(first, out, sizeof out) == 0;
    return NULL;
}

static void threads_may_hash_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    bool same[4] = {0};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_many, &same[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(same[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_hash_at_once),
        cmocka_unit_test(digests_are_those_of_the_standard),
        cmocka_unit_test(hmac_is_that_of_the_rfc),
        cmocka_unit_test(device_keys_are_derived_as_azure_derives_them),
        cmocka_unit_test(keys_of_a_wrong_form_are_refused_with_a_reason),
        cmocka_unit_test(generated_keys_have_64_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
