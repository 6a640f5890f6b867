// One function of OpenSSL's own provider is replaced: `derive` of TLS13-KDF, for HKDF-Expand-Label of RFC
// 8446 7.1 with SHA-256 and at most one block of output, given all it needs at once, as libssl does.
// Everything else goes on to OpenSSL's. See provider-kdf(7), EVP_KDF-TLS13_KDF(7).
#include "crypto/openssl_expand.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/hmac.h"
#include "crypto/openssl_dispatch.h"

enum { VECTOR_MAX = 255 }; // of label and context, RFC 8446 7.1

static OSSL_FUNC_kdf_derive_fn *derive_any;
static OSSL_DISPATCH functions[DISPATCH_MAX];

// HkdfLabel, and the secret to expand.
struct expansion {
    struct slice secret;
    struct slice prefix; // "tls13 "
    struct slice label;
    struct slice context;
    bool expand_only;
    bool with_sha256;
};

static bool is(const OSSL_PARAM *p, const char *name)
{
    return strcmp(p->key, name) == 0;
}

static bool take(const OSSL_PARAM *p, struct expansion *out)
{
    if (p->data_type == OSSL_PARAM_INTEGER && is(p, OSSL_KDF_PARAM_MODE)) {
        int mode;
        out->expand_only = OSSL_PARAM_get_int(p, &mode) == 1 && mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY;
        return out->expand_only;
    }
    if (p->data_type == OSSL_PARAM_UTF8_STRING && is(p, OSSL_KDF_PARAM_DIGEST)) {
        struct slice name = slice_of(p->data, p->data_size);
        out->with_sha256 = slice_equal(name, SLICE("SHA2-256")) || slice_equal(name, SLICE("SHA256"));
        return out->with_sha256;
    }
    if (p->data_type != OSSL_PARAM_OCTET_STRING)
        return false;
    struct slice *field = is(p, OSSL_KDF_PARAM_KEY)      ? &out->secret
                          : is(p, OSSL_KDF_PARAM_PREFIX) ? &out->prefix
                          : is(p, OSSL_KDF_PARAM_LABEL)  ? &out->label
                          : is(p, OSSL_KDF_PARAM_DATA)   ? &out->context
                                                         : NULL;
    if (field == NULL || !slice_empty(*field))
        return false;
    *field = slice_of(p->data, p->data_size);
    return true;
}

// False for whatever is not exactly what is done here.
static bool take_all(const OSSL_PARAM params[], struct expansion *out)
{
    for (const OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++) {
        if (!take(p, out))
            return false;
    }
    return out->expand_only && out->with_sha256 && out->secret.len == SHA256_SIZE && out->prefix.len > 0 &&
           out->label.len > 0 && out->prefix.len + out->label.len <= VECTOR_MAX &&
           out->context.len <= VECTOR_MAX;
}

static int derive(void *context, unsigned char *out, size_t len, const OSSL_PARAM params[])
{
    struct expansion e = {0};
    if (len == 0 || len > SHA256_SIZE || !take_all(params, &e))
        return derive_any(context, out, len, params);
    const uint8_t head[] = {0, (uint8_t)len, (uint8_t)(e.prefix.len + e.label.len)};
    const uint8_t context_len = (uint8_t)e.context.len;
    const uint8_t first = 1; // the number of the block, RFC 5869 2.3
    const struct slice parts[] = {slice_of(head, sizeof head), e.prefix,  e.label,
                                  slice_of(&context_len, 1),   e.context, slice_of(&first, 1)};
    uint8_t block[SHA256_SIZE];
    struct err made = hmac_sha256(e.secret, parts, sizeof parts / sizeof parts[0], block);
    if (!failed(made))
        memcpy(out, block, len);
    bytes_wipe(block, sizeof block);
    return !failed(made);
}

void openssl_expand_take_over(OSSL_ALGORITHM *kdf)
{
    derive_any = (OSSL_FUNC_kdf_derive_fn *)dispatch_find(kdf->implementation, OSSL_FUNC_KDF_DERIVE);
    if (derive_any != NULL &&
        dispatch_copy_but(kdf->implementation, OSSL_FUNC_KDF_DERIVE, (dispatch_function)derive, functions))
        kdf->implementation = functions;
}
