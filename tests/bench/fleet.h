// Devices with certificates for the load generator: each shows a leaf of its own below one issuer.
#pragma once

#include "crypto/bench_pki.h"
#include "wire/tls/tls.h"

struct fleet {
    struct buf ca;         // PEM of what the server is trusted by
    struct buf issuer;     // PEM: the certificate that the leaves are signed by, shown after each leaf
    struct buf issuer_key; // PEM
    struct buf *leaves;    // PEM: certificate, and key at the same index of `keys`
    struct buf *keys;
    long count;
    int64_t now_us;
};

// Makes certificate and key of each of `count` devices called PREFIX and a number from `first` in steps of
// `stride`, before any time is taken. False with a reason.
bool fleet_make(struct fleet *fleet, const char *prefix, long first, long stride, long count,
                struct why *why);
// A context for the device of this index; a new one each time, for its certificate is its own.
struct err fleet_context(const struct fleet *fleet, long index, struct tls_context **out, struct why *why);
