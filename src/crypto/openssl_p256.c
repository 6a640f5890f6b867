// Two functions of OpenSSL's own provider are replaced, everything else goes on to it: `decode`, which knows
// the one encoding of a P-256 key that RFC 5480 2.1.1 and RFC 5280 leave, uncompressed, and `load`, which
// takes the key that this made. See provider-decoder(7), provider-keymgmt(7), provider-object(7).
#include "crypto/openssl_p256.h"

#include <openssl/bio.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "crypto/openssl_dispatch.h"

enum { PREFIX = 26, POINT = 65, WHOLE = PREFIX + POINT };

// SEQUENCE {SEQUENCE {id-ecPublicKey, prime256v1}, BIT STRING of 65 bytes}, and that the point is
// uncompressed.
static const uint8_t begins[PREFIX + 1] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                           0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                           0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

// What `decode` hands to `load`. The provider's own references are of another size.
struct made {
    void *key; // NULL once it was taken
    void *const *mark;
};

static void *curve; // a key without a point; only ever copied
static OSSL_FUNC_BIO_read_ex_fn *bio_read;
static OSSL_FUNC_BIO_ctrl_fn *bio_control;
static OSSL_FUNC_keymgmt_dup_fn *key_copy;
static OSSL_FUNC_keymgmt_set_params_fn *key_set;
static OSSL_FUNC_keymgmt_free_fn *key_free;
static OSSL_FUNC_keymgmt_load_fn *key_load;
static OSSL_FUNC_decoder_decode_fn *decode_any;
static OSSL_DISPATCH key_functions[DISPATCH_MAX];
static OSSL_DISPATCH decoder_functions[DISPATCH_MAX];

static void *load(const void *reference, size_t size)
{
    const struct made *made = reference;
    if (size != sizeof *made || made->mark != &curve)
        return key_load(reference, size);
    void *key = made->key;
    ((struct made *)(uintptr_t)reference)->key = NULL;
    return key;
}

static void *key_of(const uint8_t *point)
{
    void *key = key_copy(curve, OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, (void *)(uintptr_t)point,
                                          POINT),
        OSSL_PARAM_construct_end(),
    };
    if (key == NULL || key_set(key, params) == 1) // checks that the point is on the curve
        return key;
    key_free(key);
    return NULL;
}

static int hand_over(void *key, OSSL_CALLBACK *found, void *arg)
{
    int type = OSSL_OBJECT_PKEY;
    struct made made = {.key = key, .mark = &curve};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, (char[]){"EC"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &made, sizeof made),
        OSSL_PARAM_construct_end(),
    };
    int taken = found(params, arg);
    if (made.key != NULL)
        key_free(made.key);
    return taken;
}

static int decode(void *context, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *found, void *arg,
                  OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg)
{
    uint8_t der[WHOLE + 1];
    size_t len = 0;
    int from = bio_control(in, BIO_C_FILE_TELL, 0, NULL);
    bool wanted = from >= 0 && (selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0);
    if (wanted) {
        bool ours = bio_read(in, der, sizeof der, &len) == 1 && len == WHOLE &&
                    memcmp(der, begins, sizeof begins) == 0;
        void *key = ours ? key_of(der + PREFIX) : NULL;
        if (key != NULL)
            return hand_over(key, found, arg);
        if (bio_control(in, BIO_C_FILE_SEEK, from, NULL) < 0 ||
            bio_control(in, BIO_C_FILE_TELL, 0, NULL) != from)
            return 0;
    }
    return decode_any(context, in, selection, found, arg, passphrase, passphrase_arg);
}

static bool make_curve(void *provider, const OSSL_DISPATCH *keys)
{
    OSSL_FUNC_keymgmt_new_fn *make = (OSSL_FUNC_keymgmt_new_fn *)dispatch_find(keys, OSSL_FUNC_KEYMGMT_NEW);
    OSSL_FUNC_keymgmt_import_fn *fill =
        (OSSL_FUNC_keymgmt_import_fn *)dispatch_find(keys, OSSL_FUNC_KEYMGMT_IMPORT);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"P-256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    void *made = make != NULL && fill != NULL ? make(provider) : NULL;
    if (made != NULL && fill(made, OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS, params) != 1) {
        key_free(made);
        made = NULL;
    }
    curve = made;
    return made != NULL;
}

void openssl_p256_take_over(void *provider, const OSSL_DISPATCH *core, OSSL_ALGORITHM *keys,
                            OSSL_ALGORITHM *decoder)
{
    const OSSL_DISPATCH *of_keys = keys->implementation;
    const OSSL_DISPATCH *of_decoder = decoder->implementation;
    bio_read = (OSSL_FUNC_BIO_read_ex_fn *)dispatch_find(core, OSSL_FUNC_BIO_READ_EX);
    bio_control = (OSSL_FUNC_BIO_ctrl_fn *)dispatch_find(core, OSSL_FUNC_BIO_CTRL);
    key_copy = (OSSL_FUNC_keymgmt_dup_fn *)dispatch_find(of_keys, OSSL_FUNC_KEYMGMT_DUP);
    key_set = (OSSL_FUNC_keymgmt_set_params_fn *)dispatch_find(of_keys, OSSL_FUNC_KEYMGMT_SET_PARAMS);
    key_free = (OSSL_FUNC_keymgmt_free_fn *)dispatch_find(of_keys, OSSL_FUNC_KEYMGMT_FREE);
    key_load = (OSSL_FUNC_keymgmt_load_fn *)dispatch_find(of_keys, OSSL_FUNC_KEYMGMT_LOAD);
    decode_any = (OSSL_FUNC_decoder_decode_fn *)dispatch_find(of_decoder, OSSL_FUNC_DECODER_DECODE);
    bool all = bio_read != NULL && bio_control != NULL && key_copy != NULL && key_set != NULL &&
               key_free != NULL && key_load != NULL && decode_any != NULL;
    if (!all || !dispatch_copy_but(of_keys, OSSL_FUNC_KEYMGMT_LOAD, (dispatch_function)load, key_functions) ||
        !dispatch_copy_but(of_decoder, OSSL_FUNC_DECODER_DECODE, (dispatch_function)decode,
                           decoder_functions) ||
        !make_curve(provider, of_keys))
        return;
    keys->implementation = key_functions;
    decoder->implementation = decoder_functions;
}
