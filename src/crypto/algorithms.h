// The algorithms of OpenSSL, looked up once per process: in OpenSSL 3 the look-up costs more than the
// hashing. Constant after that, so all threads share them. Private to src/crypto.
#pragma once

#include <openssl/evp.h>

struct algorithms {
    EVP_MD *sha1;
    EVP_MD *sha256;
    EVP_CIPHER *aes_256_gcm;
    EVP_CIPHER *aes_128_cfb;
    EVP_CIPHER *aes_256_cfb;
};

// Never NULL; ends the process when OpenSSL lacks one of them, which only a broken installation does.
const struct algorithms *algorithms(void);
