// A provider that is OpenSSL's default one, less the kinds of keys and the decoders that nobody here needs.
#include "crypto/openssl_context.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"

// The keys that a certificate may hold or a handshake uses. Those that profile.c refuses are here too, where
// TLS takes them: then the device is told so inside its protocol.
static const char *const keys[] = {"EC", "RSA", "RSA-PSS", "ED25519", "X25519", "ED448", "DSA"};
enum { KEYS = sizeof keys / sizeof keys[0] };

static OSSL_PROVIDER *whole;
static OSSL_ALGORITHM key_kinds[KEYS + 1];
static OSSL_ALGORITHM decoders[KEYS + 1]; // of public keys as certificates hold them

// Names are "EC:id-ecPublicKey:1.2.840.10045.2.1", or "EC".
static bool wanted(const OSSL_ALGORITHM *algorithm)
{
    for (size_t i = 0; i < KEYS; i++) {
        size_t len = strlen(keys[i]);
        const char *names = algorithm->algorithm_names;
        if (strncmp(names, keys[i], len) == 0 && (names[len] == '\0' || names[len] == ':'))
            return true;
    }
    return false;
}

static void pick(int operation, const char *structure, OSSL_ALGORITHM out[KEYS + 1])
{
    int no_cache = 0;
    size_t count = 0;
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(whole, operation, &no_cache);
    for (; all != NULL && all->algorithm_names != NULL; all++) {
        if (!wanted(all) || strstr(all->property_definition, structure) == NULL)
            continue;
        INVARIANT(count < KEYS);
        out[count++] = *all;
    }
    INVARIANT(count > 0);
}

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    (void)context;
    *no_cache = 0;
    if (operation == OSSL_OP_KEYMGMT)
        return key_kinds;
    if (operation == OSSL_OP_DECODER)
        return decoders;
    if (operation == OSSL_OP_ENCODER || operation == OSSL_OP_STORE)
        return NULL;
    return OSSL_PROVIDER_query_operation(whole, operation, no_cache);
}

static int capabilities(void *context, const char *capability, OSSL_CALLBACK *found, void *arg)
{
    (void)context;
    return OSSL_PROVIDER_get_capabilities(whole, capability, found, arg);
}

// What the algorithms are given as their provider's context is that of the whole one, whose code they are.
static int start(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
        {0, NULL},
    };
    (void)core, (void)in;
    *out = functions;
    *context = OSSL_PROVIDER_get0_provider_ctx(whole);
    return 1;
}

static OSSL_LIB_CTX *made;

static void make(void)
{
    whole = OSSL_PROVIDER_load(NULL, "default");
    INVARIANT(whole != NULL);
    pick(OSSL_OP_KEYMGMT, "", key_kinds);
    pick(OSSL_OP_DECODER, "input=der,structure=SubjectPublicKeyInfo", decoders);
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
