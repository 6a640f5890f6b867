// Looked up on first use; kept until the process ends.
#include "crypto/algorithms.h"

#include <pthread.h>

#include "base/err.h"

static struct algorithms found;

static void look_up(void)
{
    found = (struct algorithms){
        .sha1 = EVP_MD_fetch(NULL, "SHA1", NULL),
        .sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
        .aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL),
        .aes_128_cfb = EVP_CIPHER_fetch(NULL, "AES-128-CFB", NULL),
        .aes_256_cfb = EVP_CIPHER_fetch(NULL, "AES-256-CFB", NULL),
    };
}

const struct algorithms *algorithms(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    INVARIANT(pthread_once(&once, look_up) == 0);
    INVARIANT(found.sha1 != NULL && found.sha256 != NULL && found.aes_256_gcm != NULL);
    INVARIANT(found.aes_128_cfb != NULL && found.aes_256_cfb != NULL);
    return &found;
}
