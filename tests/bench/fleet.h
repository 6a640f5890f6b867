// Devices with certificates for the load generator: each shows a leaf of its own below one issuer.
#pragma once

#include "crypto/bench_pki.h"
#include "wire/tls/tls.h"

struct fleet {
    struct buf ca;         // PEM of what the server is trusted by
    struct buf issuer;     // PEM: the certificate that signs the leaves, and is shown after each of them
    struct buf issuer_key; // PEM
    int64_t now_us;
    struct tls_context **contexts; // one for each device
};

// Makes key, certificate and TLS context of each of `count` devices, called PREFIX and a number from `first`
// on in steps of `stride`: before any time is taken, for it costs more than a registration. False with a
// reason.
bool fleet_make(struct fleet *fleet, const char *prefix, long first, long stride, long count,
                struct why *why);
