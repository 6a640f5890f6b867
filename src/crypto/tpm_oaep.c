// RSA-OAEP to a TPM's key.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "crypto/openssl_context.h"
#include "crypto/tpm_inside.h"

static OSSL_PARAM *parameters(struct slice modulus)
{
    BIGNUM *n = BN_bin2bn(modulus.at, (int)modulus.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    bool done = n != NULL && build != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
                OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, TPM_EXPONENT) == 1;
    OSSL_PARAM *made = done ? OSSL_PARAM_BLD_to_param(build) : NULL;
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    return made;
}

static EVP_PKEY *public_key(struct slice modulus)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *numbers = parameters(modulus);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(openssl_context(), "RSA", NULL);
    if (numbers != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1)
        (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, numbers);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(numbers);
    return key;
}

static bool encrypt(EVP_PKEY *key, const char *label, struct slice seed, uint8_t *out)
{
    char padding[] = OSSL_PKEY_RSA_PAD_MODE_OAEP;
    char digest[] = "SHA256"; // of MGF1, too, unless that is given another
    char bytes[16];
    size_t size = strlen(label) + 1;
    INVARIANT(size <= sizeof bytes);
    memcpy(bytes, label, size);
    const OSSL_PARAM how[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, padding, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, bytes, size),
        OSSL_PARAM_construct_end(),
    };
    size_t len = TPM_MODULUS;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(openssl_context(), key, NULL);
    bool done = context != NULL && EVP_PKEY_encrypt_init_ex(context, how) == 1 &&
                EVP_PKEY_encrypt(context, out, &len, seed.at, seed.len) == 1 && len == TPM_MODULUS;
    EVP_PKEY_CTX_free(context);
    return done;
}

struct err tpm_oaep(const struct tpm_public *to, const char *label, struct slice seed, uint8_t *out)
{
    ERR_clear_error();
    EVP_PKEY *key = public_key(to->modulus);
    bool done = key != NULL && encrypt(key, label, seed, out);
    EVP_PKEY_free(key);
    bool no_memory = openssl_was_short_of_memory();
    return done ? OK : FAIL(no_memory ? ERR_NO_MEMORY : ERR_INVALID);
}
