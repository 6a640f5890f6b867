// Whatever TLS 1.3 asks for, our context derives what RFC 8446 says and what OpenSSL derives alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/slice.h"
#include "crypto/openssl_context.h"

enum { OUT_MAX = 64 };

struct question {
    int mode;
    const char *digest;
    struct slice secret, salt, prefix, label, data; // those without an address are left out
    size_t len;                                     // of the answer
};

static OSSL_PARAM octets(const char *name, struct slice s)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)s.at, s.len);
}

// As libssl asks: all parameters at once.
static int derive(OSSL_LIB_CTX *in, const struct question *q, unsigned char out[OUT_MAX])
{
    int mode = q->mode;
    OSSL_PARAM params[8], *p = params;
    *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)q->digest, 0);
    if (q->secret.at != NULL)
        *p++ = octets(OSSL_KDF_PARAM_KEY, q->secret);
    if (q->salt.at != NULL)
        *p++ = octets(OSSL_KDF_PARAM_SALT, q->salt);
    *p++ = octets(OSSL_KDF_PARAM_PREFIX, q->prefix);
    *p++ = octets(OSSL_KDF_PARAM_LABEL, q->label);
    if (q->data.at != NULL)
        *p++ = octets(OSSL_KDF_PARAM_DATA, q->data);
    *p = OSSL_PARAM_construct_end();
    EVP_KDF *kdf = EVP_KDF_fetch(in, "TLS13-KDF", NULL);
    assert_non_null(kdf);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    EVP_KDF_free(kdf);
    assert_non_null(context);
    memset(out, 0xa5, OUT_MAX);
    int done = EVP_KDF_derive(context, out, q->len, params);
    EVP_KDF_CTX_free(context);
    ERR_clear_error();
    return done;
}

static void same(const struct question *q)
{
    unsigned char ours[OUT_MAX], theirs[OUT_MAX];
    int done = derive(openssl_context(), q, ours);
    assert_int_equal(done > 0, derive(NULL, q, theirs) > 0);
    if (done > 0)
        assert_memory_equal(ours, theirs, OUT_MAX); // and nothing was written behind it
}

static const uint8_t bytes[300] = {1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233};

static struct question usual(void)
{
    return (struct question){.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
                             .digest = "SHA2-256",
                             .secret = slice_of(bytes, 32),
                             .prefix = SLICE("tls13 "),
                             .label = SLICE("c hs traffic"),
                             .data = slice_of(bytes + 100, 32),
                             .len = 32};
}

// RFC 8448 3, "simple 1-RTT handshake".
static const uint8_t handshake_secret[] = {0x1d, 0xc8, 0x26, 0xe9, 0x36, 0x06, 0xaa, 0x6f, 0xdc, 0x0a, 0xad,
                                           0xc1, 0x2f, 0x74, 0x1b, 0x01, 0x04, 0x6a, 0xa6, 0xb9, 0x9f, 0x69,
                                           0x1e, 0xd2, 0x21, 0xa9, 0xf0, 0xca, 0x04, 0x3f, 0xbe, 0xac};
static const uint8_t hellos_hash[] = {0x86, 0x0c, 0x06, 0xed, 0xc0, 0x78, 0x58, 0xee, 0x8e, 0x78, 0xf0,
                                      0xe7, 0x42, 0x8c, 0x58, 0xed, 0xd6, 0xb4, 0x3f, 0x2c, 0xa3, 0xe6,
                                      0xe9, 0x5f, 0x02, 0xed, 0x06, 0x3c, 0xf0, 0xe1, 0xca, 0xd8};
static const uint8_t server_secret[] = {0xb6, 0x7b, 0x7d, 0x69, 0x0c, 0xc1, 0x6c, 0x4e, 0x75, 0xe5, 0x42,
                                        0x13, 0xcb, 0x2d, 0x37, 0xb4, 0xe9, 0xc9, 0x12, 0xbc, 0xde, 0xd9,
                                        0x10, 0x5d, 0x42, 0xbe, 0xfd, 0x59, 0xd3, 0x91, 0xad, 0x38};
static const uint8_t server_key[] = {0x3f, 0xce, 0x51, 0x60, 0x09, 0xc2, 0x17, 0x27,
                                     0xd0, 0xf2, 0xe4, 0xe8, 0x6e, 0xe4, 0x03, 0xbc};
static const uint8_t server_iv[] = {0x5d, 0x31, 0x3e, 0xb2, 0x67, 0x12, 0x76, 0xee, 0x13, 0x00, 0x0b, 0x30};

static void gives(const struct question *q, struct slice expected)
{
    unsigned char out[OUT_MAX];
    assert_int_equal(derive(openssl_context(), q, out), 1);
    assert_int_equal(q->len, expected.len);
    assert_memory_equal(out, expected.at, expected.len);
}

static void expands_to(struct slice secret, struct slice label, struct slice data, struct slice expected)
{
    struct question q = usual();
    q.secret = secret;
    q.label = label;
    q.data = data;
    q.len = expected.len;
    gives(&q, expected);
}

static void a_handshake_of_the_rfc_has_the_keys_of_the_rfc(void **state)
{
    (void)state;
    struct slice of_server = slice_of(server_secret, sizeof server_secret);
    expands_to(slice_of(handshake_secret, sizeof handshake_secret), SLICE("s hs traffic"),
               slice_of(hellos_hash, sizeof hellos_hash), of_server);
    expands_to(of_server, SLICE("key"), (struct slice){0}, slice_of(server_key, sizeof server_key));
    expands_to(of_server, SLICE("iv"), (struct slice){0}, slice_of(server_iv, sizeof server_iv));
}

static void any_length_is_expanded_as_openssl_alone_does(void **state)
{
    (void)state;
    for (size_t len = 0; len <= OUT_MAX; len++) {
        struct question q = usual();
        q.len = len;
        same(&q);
        q.data = (struct slice){0};
        same(&q);
    }
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct question q = usual();
        q.label = slice_of(bytes, len);
        same(&q);
        q = usual();
        q.data = slice_of(bytes, len);
        same(&q);
        q = usual();
        q.secret = slice_of(bytes, len);
        same(&q);
        q = usual();
        q.prefix = slice_of(bytes, len);
        same(&q);
    }
}

// RFC 8448 3: the exchange's result, and the secrets before and after it.
static const uint8_t exchanged[] = {0x8b, 0xd4, 0x05, 0x4f, 0xb5, 0x5b, 0x9d, 0x63, 0xfd, 0xfb, 0xac,
                                    0xf9, 0xf0, 0x4b, 0x9f, 0x0d, 0x35, 0xe6, 0xd6, 0x3f, 0x53, 0x75,
                                    0x63, 0xef, 0xd4, 0x62, 0x72, 0x90, 0x0f, 0x89, 0x49, 0x2d};
static const uint8_t early_secret[] = {0x33, 0xad, 0x0a, 0x1c, 0x60, 0x7e, 0xc0, 0x3b, 0x09, 0xe6, 0xcd,
                                       0x98, 0x93, 0x68, 0x0c, 0xe2, 0x10, 0xad, 0xf3, 0x00, 0xaa, 0x1f,
                                       0x26, 0x60, 0xe1, 0xb2, 0x2e, 0x10, 0xf1, 0x70, 0xf9, 0x2a};
static const uint8_t master_secret[] = {0x18, 0xdf, 0x06, 0x84, 0x3d, 0x13, 0xa0, 0x8b, 0xf2, 0xa4, 0x49,
                                        0x84, 0x4c, 0x5f, 0x8a, 0x47, 0x80, 0x01, 0xbc, 0x4d, 0x4c, 0x62,
                                        0x79, 0x84, 0xd5, 0xa4, 0x1d, 0xa8, 0xd0, 0x40, 0x29, 0x19};

static struct question between_secrets(struct slice before, struct slice incoming)
{
    return (struct question){.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                             .digest = "SHA2-256",
                             .secret = incoming,
                             .salt = before,
                             .prefix = SLICE("tls13 "),
                             .label = SLICE("derived"),
                             .len = 32};
}

static void extracts_to(struct slice before, struct slice incoming, const uint8_t expected[32])
{
    struct question q = between_secrets(before, incoming);
    gives(&q, slice_of(expected, 32));
}

static void the_secrets_of_the_rfc_follow_from_one_another(void **state)
{
    (void)state;
    struct slice none = {0};
    extracts_to(none, none, early_secret);
    extracts_to(slice_of(early_secret, 32), slice_of(exchanged, 32), handshake_secret);
    extracts_to(slice_of(handshake_secret, 32), none, master_secret);
}

static void anything_is_extracted_as_openssl_alone_does(void **state)
{
    (void)state;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct question q = between_secrets(slice_of(bytes, 32), slice_of(bytes + 50, len < 250 ? len : 250));
        same(&q);
        q.salt = (struct slice){0};
        same(&q);
        q = between_secrets(slice_of(bytes, len), slice_of(bytes + 50, 32));
        same(&q);
        q.secret = (struct slice){0};
        same(&q);
        q = between_secrets(slice_of(bytes, 32), slice_of(bytes + 50, 32));
        q.label = slice_of(bytes, len);
        same(&q);
        q = between_secrets(slice_of(bytes, 32), slice_of(bytes + 50, 32));
        q.data = slice_of(bytes, len);
        same(&q);
    }
    for (size_t len = 0; len <= OUT_MAX; len++) {
        struct question q = between_secrets(slice_of(bytes, 32), slice_of(bytes + 50, 32));
        q.len = len;
        same(&q);
    }
}

static void what_is_not_done_here_is_openssls(void **state)
{
    (void)state;
    static const char *const digests[] = {"SHA256", "sha256", "SHA2-256", "SHA384",
                                          "SHA512", "SHA1",   "no digest"};
    static const int modes[] = {EVP_KDF_HKDF_MODE_EXPAND_ONLY, EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                                EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND};
    for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
        for (size_t d = 0; d < sizeof digests / sizeof digests[0]; d++) {
            struct question q = usual();
            q.mode = modes[m];
            q.digest = digests[d];
            for (q.len = 12; q.len <= OUT_MAX; q.len += 4)
                same(&q);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_of_the_rfc_has_the_keys_of_the_rfc),
        cmocka_unit_test(any_length_is_expanded_as_openssl_alone_does),
        cmocka_unit_test(the_secrets_of_the_rfc_follow_from_one_another),
        cmocka_unit_test(anything_is_extracted_as_openssl_alone_does),
        cmocka_unit_test(what_is_not_done_here_is_openssls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
