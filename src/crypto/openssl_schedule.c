// One function of OpenSSL's own provider is replaced: `derive` of TLS13-KDF, which is HKDF-Expand-Label and
// the steps between the secrets of RFC 8446 7.1, for SHA-256, given all it needs at once, as libssl does.
// Everything else goes on to OpenSSL's. See provider-kdf(7), EVP_KDF-TLS13_KDF(7).
#include "crypto/openssl_schedule.h"

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

static const uint8_t zeros[SHA256_SIZE];
static const uint8_t hash_of_nothing[SHA256_SIZE] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

// What is asked for. A field that was not given has no address.
struct question {
    int mode; // EVP_KDF_HKDF_MODE_EXPAND_ONLY or _EXTRACT_ONLY
    bool with_sha256;
    struct slice key;    // the secret to expand; or what comes in: (EC)DHE, PSK
    struct slice salt;   // the secret before, to extract with
    struct slice prefix; // "tls13 "
    struct slice label;
    struct slice context;
};

static bool is(const OSSL_PARAM *p, const char *name)
{
    return strcmp(p->key, name) == 0;
}

static bool take(const OSSL_PARAM *p, struct question *out)
{
    if (p->data_type == OSSL_PARAM_INTEGER && is(p, OSSL_KDF_PARAM_MODE))
        return OSSL_PARAM_get_int(p, &out->mode) == 1;
    if (p->data_type == OSSL_PARAM_UTF8_STRING && is(p, OSSL_KDF_PARAM_DIGEST)) {
        struct slice name = slice_of(p->data, p->data_size);
        out->with_sha256 = slice_equal(name, SLICE("SHA2-256")) || slice_equal(name, SLICE("SHA256"));
        return out->with_sha256;
    }
    if (p->data_type != OSSL_PARAM_OCTET_STRING)
        return false;
    struct slice *field = is(p, OSSL_KDF_PARAM_KEY)      ? &out->key
                          : is(p, OSSL_KDF_PARAM_SALT)   ? &out->salt
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
static bool take_all(const OSSL_PARAM params[], struct question *out)
{
    for (const OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++) {
        if (!take(p, out))
            return false;
    }
    return out->with_sha256 && out->prefix.len > 0 && out->label.len > 0 &&
           out->prefix.len + out->label.len <= VECTOR_MAX && out->context.len <= VECTOR_MAX;
}

// HKDF-Expand-Label(secret, label, context, len); len is at most one block.
static bool expand(const struct question *q, struct slice secret, struct slice context,
                   uint8_t out[SHA256_SIZE], size_t len)
{
    const uint8_t head[] = {0, (uint8_t)len, (uint8_t)(q->prefix.len + q->label.len)};
    const uint8_t context_len = (uint8_t)context.len;
    const uint8_t first = 1; // the number of the block, RFC 5869 2.3
    const struct slice parts[] = {slice_of(head, sizeof head), q->prefix, q->label,
                                  slice_of(&context_len, 1),   context,   slice_of(&first, 1)};
    return !failed(hmac_sha256(secret, parts, sizeof parts / sizeof parts[0], out));
}

// HKDF-Extract(Derive-Secret(the secret before, label, ""), what comes in): both are zeros where there is
// none.
static bool extract(const struct question *q, uint8_t out[SHA256_SIZE])
{
    uint8_t derived[SHA256_SIZE];
    bool first = q->salt.at == NULL;
    struct slice incoming = q->key.at != NULL ? q->key : slice_of(zeros, sizeof zeros);
    bool done = first || expand(q, q->salt, slice_of(hash_of_nothing, sizeof hash_of_nothing), derived,
                                sizeof derived);
    done = done && !failed(hmac_sha256(first ? (struct slice){0} : slice_of(derived, sizeof derived),
                                       &incoming, 1, out));
    bytes_wipe(derived, sizeof derived);
    return done;
}

static int derive(void *context, unsigned char *out, size_t len, const OSSL_PARAM params[])
{
    struct question q = {.mode = -1};
    uint8_t block[SHA256_SIZE];
    bool done;
    bool ours = len > 0 && len <= SHA256_SIZE && take_all(params, &q);
    if (ours && q.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && q.key.len == SHA256_SIZE && q.salt.at == NULL)
        done = expand(&q, q.key, q.context, block, len);
    else if (ours && q.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && len == SHA256_SIZE &&
             (q.salt.at == NULL || q.salt.len == SHA256_SIZE) && q.context.at == NULL)
        done = extract(&q, block);
    else
        return derive_any(context, out, len, params);
    if (done)
        memcpy(out, block, len);
    bytes_wipe(block, sizeof block);
    return done;
}

void openssl_schedule_take_over(OSSL_ALGORITHM *kdf)
{
    derive_any = (OSSL_FUNC_kdf_derive_fn *)dispatch_find(kdf->implementation, OSSL_FUNC_KDF_DERIVE);
    if (derive_any != NULL &&
        dispatch_copy_but(kdf->implementation, OSSL_FUNC_KDF_DERIVE, (dispatch_function)derive, functions))
        kdf->implementation = functions;
}
