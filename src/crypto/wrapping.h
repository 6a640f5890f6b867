// Certificates and revocation lists come as DER, as PEM, or as either of them in base64: the C, .NET, Java
// and Node clients each wrap them differently (service-api.md A.5). Private to src/crypto.
#pragma once

#include "base/arena.h"

struct wrapping {
    const char *what;    // "the certificate", to begin a sentence
    const char *label;   // of its PEM block, "CERTIFICATE"
    const char *several; // the end of a sentence about more than one
    size_t text_max;
    size_t der_max;
};

// Tolerant about blanks and about text around a PEM block. *der is made in the arena, no more than der_max
// long; what is in it is not looked at. ERR_INVALID with why: too long, nothing of the kind,
// more than one, a private key. ERR_NO_MEMORY.
struct err unwrap(struct arena *arena, const struct wrapping *wrapping, struct slice text, struct slice *der,
                  struct why *why);
