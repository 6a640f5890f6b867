// A certificate authority for the bench: `usherd --dev` and tests make their CA and server certificate with
// it. Not for production, where certificates come from the operator.
#pragma once

#include "base/buf.h"

enum { BENCH_PEM_MAX = 64 * 1024 }; // longest certificate or key that is read

// Who a server certificate is for. At least one name or address.
struct bench_names {
    const char *const *dns; // "localhost"
    size_t dns_count;
    const char *const *ips; // "127.0.0.1", "::1"
    size_t ip_count;
};

// All keys are EC P-256. Certificates and keys are appended to the buffers as PEM (keys as PKCS#8, not
// encrypted: the caller wipes the buffer). Keys and serials come from OpenSSL's generator. Validity begins an
// hour before now_us. Errors: ERR_INVALID with why, ERR_NO_MEMORY, or what broke a buffer (ERR_CAPPED).

// Self-signed, valid for ten years, signs leaf certificates only. common_name: 1..64 bytes.
struct err bench_ca_make(const char *common_name, int64_t now_us, struct buf *certificate, struct buf *key,
                         struct why *why);
// Signed by the CA given as PEM, valid for 825 days, for TLS servers of those names.
struct err bench_server_make(struct slice ca_certificate, struct slice ca_key,
                             const struct bench_names *names, int64_t now_us, struct buf *certificate,
                             struct buf *key, struct why *why);
