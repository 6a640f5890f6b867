// The part of OpenSSL that this house uses, as a library context of its own: for crypto/ and wire/tls only.
// OpenSSL 3.0 goes through everything that its providers offer each time it decodes a key, which takes longer
// than checking a signature with it; and what is not offered can be neither negotiated nor decoded.
#pragma once

#include <openssl/types.h>

// One for the process, made on first use, kept until it ends; any thread. Never NULL: ends the process when
// OpenSSL cannot be set up, which only a broken installation (or no memory at start-up) does.
OSSL_LIB_CTX *openssl_context(void);
