// For wire/tls only: the chain of a session, without decoding a second time.
#pragma once

#include <openssl/x509.h>

#include "crypto/chain.h"

// leaf and others as the TLS library holds them; the chain takes its own references. others may be NULL, and
// does not hold the leaf. The TLS library may go on holding the leaf but must not look at it any more:
// chain_rest empties it. ERR_NO_MEMORY.
struct err chain_from_openssl(X509 *leaf, STACK_OF(X509) * others, struct chain **out);
