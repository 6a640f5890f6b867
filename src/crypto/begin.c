// Leaves out what only costs.
#include "crypto/begin.h"

#include <openssl/crypto.h>

#include "base/err.h"

void crypto_begin(void)
{
    INVARIANT(OPENSSL_init_crypto(OPENSSL_INIT_NO_ADD_ALL_CIPHERS, NULL) == 1);
}
