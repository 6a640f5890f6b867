// Keys on P-256 decoded quickly: for openssl_context.c only. OpenSSL 3.0 makes the curve anew, with
// divisions, for each key that it decodes; here it is made once and copied.
#pragma once

#include <openssl/core.h>

// Puts ours in place of what `keys` (of keys named "EC") and `decoder` (from SubjectPublicKeyInfo in DER to
// such keys) refer to. Both are of the provider with this context; core: what OpenSSL gave to the provider
// that offers them now. They stay as they are when OpenSSL does not have all that is needed.
void openssl_p256_take_over(void *provider, const OSSL_DISPATCH *core, OSSL_ALGORITHM *keys,
                            OSSL_ALGORITHM *decoder);
