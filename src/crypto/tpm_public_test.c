// Which public keys of TPMs are taken, and what is said about the others (threats C3, C4).
#include "crypto/tpm_keys_test.h"

static uint8_t ek[EK_SIZE];
static uint8_t srk[SRK_SIZE];

static int set_up(void **state)
{
    (void)state;
    ek_bytes(ek);
    srk_bytes(ek + EK_MODULUS, srk);
    return 0;
}

static void assert_refused(struct slice key, enum tpm_key which, const char *sentence)
{
    struct why why = {0};
    assert_int_equal(tpm_public_check(key, which, &why).code, ERR_INVALID);
    if (strcmp(why.text, sentence) != 0)
        fail_msg("have '%s', want '%s'", why.text, sentence);
}

// The storage root key with one byte changed; ends with what is wrong.
static void assert_changed_is_refused(size_t at, uint8_t value, const char *what)
{
    char sentence[240];
    uint8_t was = srk[at];
    (void)snprintf(sentence, sizeof sentence, "the storage root key %s", what);
    srk[at] = value;
    assert_refused(slice_of(srk, sizeof srk), TPM_STORAGE_ROOT_KEY, sentence);
    srk[at] = was;
}

static bool is_taken(struct slice key, enum tpm_key which)
{
    struct why why = {0};
    struct err e = tpm_public_check(key, which, &why);
    if (failed(e))
        print_message("# %s\n", why.text);
    return !failed(e);
}

static void what_devices_make_by_the_usual_templates_is_taken(void **state)
{
    (void)state;
    assert_true(is_taken(slice_of(ek, sizeof ek), TPM_ENDORSEMENT_KEY));
    assert_true(is_taken(slice_of(srk, sizeof srk), TPM_STORAGE_ROOT_KEY));
}

static void what_may_differ_between_tpms_is_left_to_them(void **state)
{
    (void)state;
    srk[15] = 0x00, srk[14] = 0x01; // AES-256
    assert_true(is_taken(slice_of(srk, sizeof srk), TPM_STORAGE_ROOT_KEY));
    srk[15] = 0x80, srk[14] = 0x00;
    srk[23] = 0x01, srk[25] = 0x01; // the exponent written out
    assert_true(is_taken(slice_of(srk, sizeof srk), TPM_STORAGE_ROOT_KEY));
    srk[23] = 0, srk[25] = 0;
    ek[12] ^= 0xff; // another policy
    assert_true(is_taken(slice_of(ek, sizeof ek), TPM_ENDORSEMENT_KEY));
    ek[9] = 0xf2; // and use with a password, as in the profile's high range
    assert_true(is_taken(slice_of(ek, sizeof ek), TPM_ENDORSEMENT_KEY));
    srk[8] = 0x00, srk[9] = 0x76; // subject to the dictionary attack logic, gone after a reset
    assert_true(is_taken(slice_of(srk, sizeof srk), TPM_STORAGE_ROOT_KEY));
}

static void bytes_too_few_or_too_many_are_refused(void **state)
{
    (void)state;
    uint8_t room[TPM_PUBLIC_MAX + 1] = {0};
    for (size_t len = 0; len < sizeof ek; len++) {
        assert_refused(slice_of(ek, len), TPM_ENDORSEMENT_KEY,
                       "the endorsement key is not a TPM2B_PUBLIC: its size does not fit");
        if (len < 3)
            continue;
        memcpy(room, ek, len); // cut off, with a size that says so
        room[0] = (uint8_t)((len - 2) >> 8), room[1] = (uint8_t)(len - 2);
        assert_refused(slice_of(room, len), TPM_ENDORSEMENT_KEY, "the endorsement key is cut off");
    }
    memcpy(room, ek, sizeof ek);
    assert_refused(slice_of(room, sizeof ek + 1), TPM_ENDORSEMENT_KEY,
                   "the endorsement key is not a TPM2B_PUBLIC: its size does not fit");
    room[1]++;
    assert_refused(slice_of(room, sizeof ek + 1), TPM_ENDORSEMENT_KEY,
                   "the endorsement key has bytes after its end");
    assert_refused(slice_of(room, sizeof room), TPM_ENDORSEMENT_KEY,
                   "the endorsement key is longer than 512 bytes");
    assert_refused(slice_of("\0\0", 2), TPM_STORAGE_ROOT_KEY,
                   "the storage root key is not a TPM2B_PUBLIC: its size does not fit");
}

static void keys_of_another_kind_are_refused_with_what_they_are(void **state)
{
    (void)state;
    assert_changed_is_refused(3, 0x23, "is an elliptic curve (ECC) key: only RSA 2048 is supported");
    assert_changed_is_refused(3, 0x08, "is not an RSA key");
    assert_changed_is_refused(5, 0x0c, "is named by another digest than SHA-256");
    assert_changed_is_refused(13, 0x10, "does not protect its children with AES");
    assert_changed_is_refused(15, 0xc0, "does not protect its children with AES-128 or AES-256");
    assert_changed_is_refused(17, 0x42, "does not use AES in CFB mode");
    assert_changed_is_refused(19, 0x14, "has a scheme, which a restricted decryption key must not have");
    assert_changed_is_refused(20, 0x04, "is not of 2048 bits: only RSA 2048 is supported");
    assert_changed_is_refused(20, 0x0c, "is not of 2048 bits: only RSA 2048 is supported");
    assert_changed_is_refused(25, 0x03, "has an exponent other than 65537");
    assert_changed_is_refused(22, 0x01, "has an exponent other than 65537");
    assert_changed_is_refused(26, 0x00, "has a modulus that is not of 256 bytes");
    assert_changed_is_refused(11, 0x14, "has a policy that is no SHA-256 digest");
}

// The attributes are 00030472.
static void keys_that_are_not_held_by_their_tpm_alone_are_refused(void **state)
{
    (void)state;
    assert_changed_is_refused(7, 0x02, "is not restricted: it would decrypt anything for anybody");
    assert_changed_is_refused(7, 0x01, "is not a decryption key");
    assert_changed_is_refused(9, 0x70, "is not fixedTPM: it could be moved to another TPM");
    assert_changed_is_refused(9, 0x62, "is not fixedParent: it could be moved to another TPM");
    assert_changed_is_refused(9, 0x52, "was not made inside its TPM (sensitiveDataOrigin)");
    assert_changed_is_refused(7, 0x07, "is for signing or duplicating, too, or has unknown attributes");
    assert_changed_is_refused(8, 0x0c, "is for signing or duplicating, too, or has unknown attributes");
    for (int bit = 0; bit < 32; bit++) { // those that the specification keeps for later
        uint32_t known = 0x000f0cf6;
        size_t at = 9 - (size_t)bit / 8;
        if ((known >> bit & 1) == 0)
            assert_changed_is_refused(at, (uint8_t)(srk[at] | 1u << bit % 8),
                                      "is for signing or duplicating, too, or has unknown attributes");
    }
}

static void weak_moduli_are_refused(void **state)
{
    (void)state;
    assert_changed_is_refused(SRK_MODULUS, ek[EK_MODULUS] & 0x7f, "has a modulus of less than 2048 bits");
    assert_changed_is_refused(SRK_SIZE - 1, ek[EK_SIZE - 1] & 0xfe, "has an even modulus");
    BIGNUM *n = BN_bin2bn(srk + SRK_MODULUS, 256, NULL);
    BN_ULONG rest = BN_mod_word(n, 7);
    assert_int_equal(BN_sub_word(n, rest), 1);
    if (!BN_is_odd(n))
        assert_int_equal(BN_add_word(n, 7), 1);
    assert_int_equal(BN_bn2binpad(n, srk + SRK_MODULUS, 256), 256);
    assert_refused(slice_of(srk, sizeof srk), TPM_STORAGE_ROOT_KEY,
                   "the storage root key has a modulus with a small factor");
    BN_free(n);
}

// What is a multiple of all the small primes, and 65537 more, leaves what 65537 leaves.
static void moduli_of_the_kind_that_can_be_factored_are_refused(void **state)
{
    (void)state;
    BN_CTX *context = BN_CTX_new();
    BIGNUM *m = product_of_primes();
    BIGNUM *n = BN_bin2bn(srk + SRK_MODULUS, 256, NULL);
    BIGNUM *rest = BN_new();
    assert_int_equal(BN_nnmod(rest, n, m, context), 1);
    assert_int_equal(BN_sub(n, n, rest), 1);
    assert_int_equal(BN_add_word(n, 65537), 1);
    assert_int_equal(BN_bn2binpad(n, srk + SRK_MODULUS, 256), 256);
    assert_refused(
        slice_of(srk, sizeof srk), TPM_STORAGE_ROOT_KEY,
        "the storage root key can be factored (ROCA, CVE-2017-15361): its TPM needs new firmware and "
        "a new key");
    BN_free(rest);
    BN_free(n);
    BN_free(m);
    BN_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_devices_make_by_the_usual_templates_is_taken, set_up),
        cmocka_unit_test_setup(what_may_differ_between_tpms_is_left_to_them, set_up),
        cmocka_unit_test_setup(bytes_too_few_or_too_many_are_refused, set_up),
        cmocka_unit_test_setup(keys_of_another_kind_are_refused_with_what_they_are, set_up),
        cmocka_unit_test_setup(keys_that_are_not_held_by_their_tpm_alone_are_refused, set_up),
        cmocka_unit_test_setup(weak_moduli_are_refused, set_up),
        cmocka_unit_test_setup(moduli_of_the_kind_that_can_be_factored_are_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
