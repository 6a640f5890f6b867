// Certificates for tests, made in memory: nothing to expire in the tree. Not part of the product.
#pragma once

#include "base/buf.h"

struct tls_testing {
    struct buf ca_pem;     // the CA that signed the server
    struct buf chain_pem;  // server leaf for localhost and 127.0.0.1, then the CA
    struct buf key_pem;    // the server's key
    struct buf client_pem; // a client leaf `device-1`, then its own CA, which nobody trusts
    struct buf client_key_pem;
    struct buf other_ca_pem; // that CA
};

// P-256 all over. Aborts when OpenSSL cannot.
void tls_testing_init(struct tls_testing *testing);
void tls_testing_release(struct tls_testing *testing);
