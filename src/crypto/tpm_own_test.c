// One name for one TPM.
#include "base/testing.h"
#include "base/text.h"
#include "crypto/tpm.h"

// device-protocol 6.1
static const char vector[] =
    "AToAAQALAAMAsgAgg3GXZ0SEs/gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEAq5XC6r2JlMI5z4BUxCHlxGOg"
    "20wjX83Fz6XyCLsoucqtyqYMuR4uVwVILktQoDpv6QbORY3Ghk089l9Goq2h6yekmvoS45UDCjpohy4r/TdOl36Ff+hH7t5dsa92frW5"
    "aehBN7Ev8kEvhOqEznvPZ+nEivP6UDLwRV5hYgmv2pyC+bQ9D+FgbGjMuREQPPAZT0kaRbeXfKLYQU1Ygiuh4ZW1+edTSxZarDo5Gtlc"
    "Jw62dxHfsnQZs9twI5jOvzKKJDZaM8QbHxVB43Oum//5KWAVfRl13p/LfyDUMsJGiHd1CyJRQwmBWni/kjEB0yHHgnIMPjMUzlLbTKDR"
    "368dGw==";
static const char named[] = "y4jaojgr3ol26rmldhy7srig7i7en37ecq6kalg54yt3hkebmhpa";

static size_t read_vector(uint8_t key[TPM_PUBLIC_MAX])
{
    size_t len = 0;
    assert_true(b64_decode(slice_text(vector), key, TPM_PUBLIC_MAX, &len));
    assert_int_equal(len, 316);
    return len;
}

static void assert_named(struct slice key)
{
    char name[TPM_REGISTRATION_ID];
    assert_false(failed(tpm_own_registration_id(key, name)));
    assert_memory_equal(name, named, sizeof name);
}

static void a_tpm_is_called_as_it_calls_itself(void **state)
{
    (void)state;
    uint8_t key[TPM_PUBLIC_MAX];
    assert_named(slice_of(key, read_vector(key)));
}

// Another exponent's spelling, other attributes, another policy, no policy.
static void a_tpm_has_no_second_name(void **state)
{
    (void)state;
    uint8_t key[TPM_PUBLIC_MAX];
    size_t len = read_vector(key);
    key[9] ^= 0x40; // userWithAuth
    key[20] ^= 1;   // policy
    key[55] = 1;    // the exponent 0 stands for 65537, 00010001
    key[57] = 1;
    assert_false(failed(tpm_public_check(slice_of(key, len), TPM_ENDORSEMENT_KEY, NULL)));
    assert_named(slice_of(key, len));
    memmove(key + 12, key + 44, len - 44); // no policy
    len -= 32;
    key[0] = (uint8_t)((len - 2) >> 8);
    key[1] = (uint8_t)(len - 2);
    key[11] = 0;
    assert_false(failed(tpm_public_check(slice_of(key, len), TPM_ENDORSEMENT_KEY, NULL)));
    assert_named(slice_of(key, len));
}

static void another_tpm_has_another_name(void **state)
{
    (void)state;
    uint8_t key[TPM_PUBLIC_MAX];
    char name[TPM_REGISTRATION_ID];
    size_t len = read_vector(key);
    key[200] ^= 1;
    assert_false(failed(tpm_own_registration_id(slice_of(key, len), name)));
    assert_memory_not_equal(name, named, sizeof name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tpm_is_called_as_it_calls_itself),
        cmocka_unit_test(a_tpm_has_no_second_name),
        cmocka_unit_test(another_tpm_has_another_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
