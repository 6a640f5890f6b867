// Stands between the code under test and OpenSSL's checking of signatures.
#include "signatures.h"

#include <openssl/x509.h>

unsigned signatures_checked;

#define COUNTED(type, function, parameters, ...)                                                             \
    type __real_##function parameters;                                                                       \
    type __wrap_##function parameters;                                                                       \
    type __wrap_##function parameters                                                                        \
    {                                                                                                        \
        signatures_checked++;                                                                                \
        return __real_##function(__VA_ARGS__);                                                               \
    }

COUNTED(int, EVP_DigestVerify,
        (EVP_MD_CTX * context, const unsigned char *signature, size_t signature_len,
         const unsigned char *data, size_t data_len),
        context, signature, signature_len, data, data_len)
COUNTED(int, EVP_DigestVerifyFinal, (EVP_MD_CTX * context, const unsigned char *signature, size_t len),
        context, signature, len)
COUNTED(int, EVP_PKEY_verify,
        (EVP_PKEY_CTX * context, const unsigned char *signature, size_t signature_len,
         const unsigned char *data, size_t data_len),
        context, signature, signature_len, data, data_len)
COUNTED(int, X509_verify, (X509 * certificate, EVP_PKEY *key), certificate, key)
COUNTED(int, X509_CRL_verify, (X509_CRL * list, EVP_PKEY *key), list, key)
COUNTED(int, ASN1_item_verify,
        (const ASN1_ITEM *item, const X509_ALGOR *algorithm, const ASN1_BIT_STRING *signature,
         const void *data, EVP_PKEY *key),
        item, algorithm, signature, data, key)
