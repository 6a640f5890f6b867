// Activation blobs: the vector of device-protocol 6.4 for what needs no RSA, and blobs undone with the
// private halves of both keys, as TPM2_ActivateCredential and TPM2_Import do it. A TPM's own word is in
// tests/tpm.
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/cursor.h"
#include "crypto/tpm_inside.h"
#include "crypto/tpm_keys_test.h"

static struct tpm_seeds seeds;
static struct secret key;
static struct buf out;
static uint8_t ek[EK_SIZE];
static uint8_t srk[SRK_SIZE];
static EVP_PKEY *ek_private;
static EVP_PKEY *srk_private;

static void count_up(uint8_t *at, size_t len, uint8_t from)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(from + i);
}

static EVP_PKEY *new_key(uint8_t modulus[256])
{
    EVP_PKEY *made = EVP_RSA_gen(2048);
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(made, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_bn2binpad(n, modulus, 256), 256);
    BN_free(n);
    return made;
}

static int set_up_all(void **state)
{
    (void)state;
    uint8_t modulus[256];
    ek_bytes(ek);
    ek_private = new_key(ek + EK_MODULUS);
    srk_private = new_key(modulus);
    srk_bytes(modulus, srk);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    EVP_PKEY_free(ek_private);
    EVP_PKEY_free(srk_private);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    out = buf_capped(TPM_BLOB_MAX);
    key.len = 32;
    count_up(key.bytes, key.len, 0x00);
    count_up(seeds.obfuscation, 32, 0x20);
    count_up(seeds.inner_key, 16, 0x40);
    count_up(seeds.duplication, 32, 0x50);
    count_up(seeds.credential, 32, 0x70);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_release(&out);
    assert_int_equal(ERR_peek_error(), 0);
    return 0;
}

static void assert_hex(struct slice have, const char *want)
{
    struct buf text = buf_capped(2 * TPM_BLOB_MAX);
    hex_encode_lower(&text, have);
    assert_slice(buf_slice(&text), want);
    buf_release(&text);
}

#define ID_PUB                                                                                               \
    "0008000b000404400020bef56b8c1cc84e11edd717528d2cd99356bd2bbf8f015209c3f84aeeaba8e8a20005000b0020"       \
    "84e4bd6ca2af96412fdc62fe44d4e9709cdc31933081a62486a48a154b582d53"
#define ID_NAME "000b71fa08d0f7d66be8b67e24810cfbbb8a633af10e1eddc0e2b926ecd1c21d2db1"

static void the_planted_keys_public_area_is_that_of_the_vector(void **state)
{
    (void)state;
    uint8_t public[TPM_IDENTITY_PUBLIC];
    uint8_t name[TPM_NAME];
    assert_false(failed(tpm_identity_public(&key, seeds.obfuscation, public)));
    assert_hex(slice_of(public, sizeof public), ID_PUB);
    assert_false(failed(tpm_name(slice_of(public, sizeof public), name)));
    assert_hex(slice_of(name, sizeof name), ID_NAME);
}

static void the_duplicate_is_that_of_the_vector(void **state)
{
    (void)state;
    uint8_t name[TPM_NAME];
    size_t len;
    assert_true(hex_decode(SLICE(ID_NAME), name, sizeof name, &len));
    assert_false(failed(tpm_put_duplicate(&key, &seeds, name, 128, &out)));
    assert_hex(
        buf_slice(&out),
        "008e0020"
        "24c0e85ce42e4f7e35065a731505f725401fc47fb0d88fc676aedeec92b94243"
        "8c14f013ec8c5296d53e01a07519783813132af04ff69fcca9e25de81ae3329349f157d44797d4e568478830b523244179b9"
        "96e4f6ee3327595fc2a4795271e09d7a5711e2163df4685fb322538242123f2733ee66ce99efb4993f478cfd666dc581c793"
        "31783bd81811a0af");
}

static void the_credential_is_that_of_the_vector(void **state)
{
    (void)state;
    uint8_t name[TPM_NAME];
    assert_false(failed(tpm_name(SLICE("example-srk-tpmt-public"), name)));
    assert_hex(slice_of(name, sizeof name),
               "000b5c8c5fb5aaeac4f7085a349137e904314b7e46bd0dd1fa45ae48738bc67efe91");
    assert_false(failed(tpm_put_credential(&seeds, name, 128, &out)));
    assert_hex(buf_slice(&out), "00340020"
                                "df6f898934c0190ef205a382af73ce701192bf301d9d0f776a250f97d5bdd8eb"
                                "8ebdea9d9891f72914d188c1894e2a397630");
}

static void the_hint_is_that_of_the_vector(void **state)
{
    (void)state;
    assert_false(failed(tpm_put_hint(SLICE("http://example/"), seeds.inner_key, &out)));
    assert_hex(buf_slice(&out), "000f70ed223aa787f1e64544aa67558f82");
}

static void derived_keys_are_those_of_the_vector(void **state)
{
    (void)state;
    uint8_t name[TPM_NAME];
    uint8_t derived[SHA256_SIZE];
    size_t len;
    assert_true(hex_decode(SLICE(ID_NAME), name, sizeof name, &len));
    assert_false(failed(
        tpm_kdfa(slice_of(seeds.duplication, 32), "STORAGE", slice_of(name, sizeof name), 128, derived)));
    assert_hex(slice_of(derived, sizeof derived),
               "b163356da7688c1cf3f1f6d50ea95da900000000000000000000000000000000");
    assert_false(
        failed(tpm_kdfa(slice_of(seeds.duplication, 32), "INTEGRITY", (struct slice){0}, 256, derived)));
    assert_hex(slice_of(derived, sizeof derived),
               "6cd6174fcebfe9bf57eda6b3bacf7f2d0e5af0356323f6ba9dd83b7208f0f1b4");
}

// As the holder of the private key would.
static void assert_holds_seed(EVP_PKEY *private, const char *label, struct slice encrypted,
                              const uint8_t seed[32])
{
    uint8_t plain[256];
    size_t len = sizeof plain;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(private, NULL);
    assert_int_equal(EVP_PKEY_decrypt_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()), 1);
    size_t size = strlen(label) + 1; // the NUL is part of it
    assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(context, OPENSSL_memdup(label, size), (int)size), 1);
    assert_int_equal(EVP_PKEY_decrypt(context, plain, &len, encrypted.at, encrypted.len), 1);
    assert_int_equal(len, 32);
    assert_memory_equal(plain, seed, 32);
    EVP_PKEY_CTX_free(context);
}

static struct slice member(struct cursor *at)
{
    return cursor_bytes(at, cursor_u16(at));
}

static struct err make_blob(struct slice hint, struct why *why)
{
    buf_clear(&out);
    return tpm_activation_blob(slice_of(ek, sizeof ek), slice_of(srk, sizeof srk), &key, hint, &seeds, &out,
                               why);
}

// The members' bytes are those of the parts above; who can read the seeds is what a blob adds.
static void assert_blob(uint16_t ek_bits, uint16_t srk_bits)
{
    struct why why = {0};
    struct buf parts = buf_capped(TPM_BLOB_MAX);
    uint8_t public[TPM_IDENTITY_PUBLIC], name[TPM_NAME], srk_name[TPM_NAME];
    assert_false(failed(make_blob(SLICE("dev1"), &why)));
    struct cursor at = cursor_over(buf_slice(&out));
    struct slice members[6];
    for (size_t i = 0; i < 6; i++)
        members[i] = member(&at);
    assert_true(cursor_done(&at));
    assert_holds_seed(ek_private, "IDENTITY", members[1], seeds.credential);
    assert_holds_seed(srk_private, "DUPLICATE", members[3], seeds.duplication);
    assert_false(failed(tpm_identity_public(&key, seeds.obfuscation, public)));
    assert_true(slice_equal(members[4], slice_of(public, sizeof public)));
    assert_false(failed(tpm_name(slice_of(public, sizeof public), name)));
    assert_false(failed(tpm_name(slice_of(srk + 2, sizeof srk - 2), srk_name)));
    assert_false(failed(tpm_put_credential(&seeds, srk_name, ek_bits, &parts)));
    assert_true(slice_equal(members[0], slice_from(buf_slice(&parts), 2)));
    buf_clear(&parts);
    assert_false(failed(tpm_put_duplicate(&key, &seeds, name, srk_bits, &parts)));
    assert_true(slice_equal(members[2], slice_from(buf_slice(&parts), 2)));
    assert_int_equal(members[5].len, 4);
    buf_release(&parts);
}

static void a_blob_can_be_undone_with_both_private_keys(void **state)
{
    (void)state;
    assert_blob(128, 128);
    assert_int_equal(out.len, 798 + 4);
}

static void a_parent_with_aes_256_gets_what_it_can_read(void **state)
{
    (void)state;
    ek[EK_MODULUS - 14] = 0x01, ek[EK_MODULUS - 13] = 0x00;
    assert_blob(256, 128);
    srk[14] = 0x01, srk[15] = 0x00;
    assert_blob(256, 256);
    ek[EK_MODULUS - 14] = 0x00, ek[EK_MODULUS - 13] = 0x80;
    assert_blob(128, 256);
    srk[14] = 0x00, srk[15] = 0x80;
}

static void keys_of_1_to_64_bytes_can_be_planted_and_no_others(void **state)
{
    (void)state;
    struct why why = {0};
    for (key.len = 1; key.len <= TPM_PLANTED_MAX; key.len++)
        assert_false(failed(make_blob(SLICE("x"), &why)));
    assert_int_equal(key.len, 65);
    assert_int_equal(make_blob(SLICE("x"), &why).code, ERR_INVALID);
    assert_string_equal(why.text, "a key for a TPM has 1 to 64 bytes, this one 65");
    key.len = 0;
    assert_int_equal(make_blob(SLICE("x"), &why).code, ERR_INVALID);
    assert_int_equal(out.len, 0);
}

static void the_largest_blob_fits(void **state)
{
    (void)state;
    struct why why = {0};
    uint8_t hint[TPM_HINT_MAX + 1] = {0};
    key.len = TPM_PLANTED_MAX;
    assert_false(failed(make_blob(slice_of(hint, TPM_HINT_MAX), &why)));
    assert_true(out.len <= TPM_BLOB_MAX);
    assert_int_equal(make_blob(slice_of(hint, sizeof hint), &why).code, ERR_INVALID);
    assert_false(failed(make_blob((struct slice){0}, &why)));
    assert_int_equal(out.len, 798 + 32);
}

static void a_blob_is_not_made_for_a_key_that_is_not_a_tpms(void **state)
{
    (void)state;
    struct why why = {0};
    ek[9] ^= 0x02;
    assert_int_equal(make_blob(SLICE("x"), &why).code, ERR_INVALID);
    assert_string_equal(why.text, "the endorsement key is not fixedTPM: it could be moved to another TPM");
    ek[9] ^= 0x02;
    srk[SRK_SIZE - 1] ^= 1;
    assert_int_equal(make_blob(SLICE("x"), &why).code, ERR_INVALID);
    assert_string_equal(why.text, "the storage root key has an even modulus");
    srk[SRK_SIZE - 1] ^= 1;
}

static void a_tpm_is_called_by_the_digest_of_its_endorsement_key(void **state)
{
    (void)state;
    uint8_t real[EK_SIZE];
    char id[TPM_REGISTRATION_ID];
    ek_bytes(real);
    assert_false(failed(tpm_registration_id(slice_of(real, sizeof real), id)));
    assert_slice(slice_of(id, sizeof id), "y4jaojgr3ol26rmldhy7srig7i7en37ecq6kalg54yt3hkebmhpa");
    assert_true(tpm_is_registration_id(slice_of(id, sizeof id)));
}

static void registration_ids_of_another_form_are_not_those_of_tpms(void **state)
{
    (void)state;
#define ID "y4jaojgr3ol26rmldhy7srig7i7en37ecq6kalg54yt3hkebmhp"
    assert_true(tpm_is_registration_id(SLICE(ID "a")));
    assert_true(tpm_is_registration_id(SLICE(ID "q")));
    assert_true(tpm_is_registration_id(SLICE("Y4JAOJGR3OL26RMLDHY7SRIG7I7EN37ECQ6KALG54YT3HKEBMHPA")));
    assert_false(tpm_is_registration_id(SLICE(ID "b"))); // 257 bits
    assert_false(tpm_is_registration_id(SLICE(ID)));
    assert_false(tpm_is_registration_id(SLICE(ID "aa")));
    assert_false(tpm_is_registration_id(SLICE("14jaojgr3ol26rmldhy7srig7i7en37ecq6kalg54yt3hkebmhpa")));
    assert_false(tpm_is_registration_id(SLICE("84jaojgr3ol26rmldhy7srig7i7en37ecq6kalg54yt3hkebmhpa")));
    assert_false(tpm_is_registration_id(SLICE("-4jaojgr3ol26rmldhy7srig7i7en37ecq6kalg54yt3hkebmhpa")));
    assert_false(tpm_is_registration_id((struct slice){0}));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_planted_keys_public_area_is_that_of_the_vector),
        CASE(the_duplicate_is_that_of_the_vector),
        CASE(the_credential_is_that_of_the_vector),
        CASE(the_hint_is_that_of_the_vector),
        CASE(derived_keys_are_those_of_the_vector),
        CASE(a_blob_can_be_undone_with_both_private_keys),
        CASE(a_parent_with_aes_256_gets_what_it_can_read),
        CASE(keys_of_1_to_64_bytes_can_be_planted_and_no_others),
        CASE(the_largest_blob_fits),
        CASE(a_blob_is_not_made_for_a_key_that_is_not_a_tpms),
        CASE(a_tpm_is_called_by_the_digest_of_its_endorsement_key),
        CASE(registration_ids_of_another_form_are_not_those_of_tpms),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
