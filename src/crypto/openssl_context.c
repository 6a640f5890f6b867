// A provider that is OpenSSL's default one, less everything that is not in the table below.
#include "crypto/openssl_context.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "crypto/openssl_p256.h"
#include "crypto/openssl_schedule.h"

enum { OFFERED_MAX = 12 };

// The keys are those that TLS takes from a device: what profile.c refuses among them is to be refused inside
// the device's protocol. Secrets are sealed, and tokens signed, with OpenSSL's usual context: algorithms.c.
#define KEYS "EC", "RSA", "RSA-PSS", "ED25519", "ED448", "DSA"
static const struct offer {
    int operation;
    const char *only; // what the properties of an algorithm must contain, or NULL
    const char *names[OFFERED_MAX];
} offers[] = {
    {OSSL_OP_DIGEST,
     NULL,
     {"SHA1", "SHA2-256", "SHA2-384", "SHA2-512"}}, // SHA1: what certificates are found by
    {OSSL_OP_CIPHER, NULL, {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"}},
    {OSSL_OP_MAC, NULL, {"HMAC"}},
    {OSSL_OP_KDF, NULL, {"HKDF", "TLS13-KDF", "TLS1-PRF"}},
    {OSSL_OP_RAND, NULL, {"CTR-DRBG", "SEED-SRC"}},
    {OSSL_OP_KEYMGMT, NULL, {KEYS, "X25519"}},
    {OSSL_OP_KEYEXCH, NULL, {"X25519", "ECDH"}},
    {OSSL_OP_ASYM_CIPHER, NULL, {"RSA"}}, // OAEP to the keys of TPMs; no suite that TLS offers uses it
    {OSSL_OP_SIGNATURE, NULL, {"ECDSA", "RSA", "ED25519", "ED448", "DSA"}},
    {OSSL_OP_DECODER, "input=der,structure=SubjectPublicKeyInfo", {KEYS}}, // a certificate's key
};
enum { OFFERS = sizeof offers / sizeof offers[0] };

static OSSL_PROVIDER *whole;
static OSSL_ALGORITHM picked[OFFERS][OFFERED_MAX + 1]; // a zeroed one ends each

// Whether `name` is one of `names`, which are separated by colons.
static bool has_name(const char *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = names; at != NULL; at = strchr(at, ':')) {
        at += *at == ':';
        if (strncmp(at, name, len) == 0 && (at[len] == '\0' || at[len] == ':'))
            return true;
    }
    return false;
}

static bool wanted(const struct offer *offer, const OSSL_ALGORITHM *algorithm)
{
    if (offer->only != NULL && strstr(algorithm->property_definition, offer->only) == NULL)
        return false;
    for (size_t i = 0; i < OFFERED_MAX && offer->names[i] != NULL; i++) {
        if (has_name(algorithm->algorithm_names, offer->names[i]))
            return true;
    }
    return false;
}

static void pick(const struct offer *offer, OSSL_ALGORITHM out[OFFERED_MAX + 1])
{
    int no_cache = 0;
    size_t count = 0;
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(whole, offer->operation, &no_cache);
    for (; all != NULL && all->algorithm_names != NULL; all++) {
        if (wanted(offer, all)) {
            INVARIANT(count < OFFERED_MAX);
            out[count++] = *all;
        }
    }
    INVARIANT(count > 0);
}

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    (void)context;
    *no_cache = 0;
    for (size_t i = 0; i < OFFERS; i++) {
        if (offers[i].operation == operation)
            return picked[i];
    }
    return NULL;
}

// Which groups TLS may negotiate.
static int capabilities(void *context, const char *capability, OSSL_CALLBACK *found, void *arg)
{
    (void)context;
    return OSSL_PROVIDER_get_capabilities(whole, capability, found, arg);
}

static OSSL_ALGORITHM *of_name(int operation, const char *name)
{
    for (size_t i = 0; i < OFFERS; i++) {
        for (size_t k = 0; offers[i].operation == operation && k < OFFERED_MAX; k++) {
            if (picked[i][k].algorithm_names != NULL && has_name(picked[i][k].algorithm_names, name))
                return &picked[i][k];
        }
    }
    INVARIANT(false);
}

// The algorithms are the whole provider's code, so its context is what they are given.
static int start(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
        {0, NULL},
    };
    (void)core;
    *out = functions;
    *context = OSSL_PROVIDER_get0_provider_ctx(whole);
    openssl_p256_take_over(*context, in, of_name(OSSL_OP_KEYMGMT, "EC"), of_name(OSSL_OP_DECODER, "EC"));
    openssl_schedule_take_over(of_name(OSSL_OP_KDF, "TLS13-KDF"));
    return 1;
}

static OSSL_LIB_CTX *made;

static void make(void)
{
    whole = OSSL_PROVIDER_load(NULL, "default");
    INVARIANT(whole != NULL);
    for (size_t i = 0; i < OFFERS; i++)
        pick(&offers[i], picked[i]);
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
    INVARIANT(context != NULL && OSSL_PROVIDER_add_builtin(context, "usher", start) == 1 &&
              OSSL_PROVIDER_load(context, "usher") != NULL);
    made = context;
}

OSSL_LIB_CTX *openssl_context(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    INVARIANT(pthread_once(&once, make) == 0);
    return made;
}

bool openssl_was_short_of_memory(void)
{
    bool was = false;
    for (unsigned long e = ERR_get_error(); e != 0; e = ERR_get_error())
        was = was || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    return was;
}
