// OpenSSL's generator: seeded by the kernel, one per thread, safe after fork.
#include "crypto/random.h"

#include <openssl/rand.h>

#include "base/err.h"

void random_fill(void *at, size_t len)
{
    INVARIANT(RAND_bytes_ex(NULL, at, len, 0) == 1);
}
