// A certificate authority for the bench: `usherd --dev`, `usher pki` and tests make their certificates with
// it. Not for production, where certificates come from the operator.
#pragma once

#include "base/buf.h"

enum {
    BENCH_PEM_MAX = 64 * 1024, // longest certificate or key that is read
    BENCH_NAME_MAX = 64,       // bytes of a common name (RFC 5280 A.1)
    BENCH_ANY_DEPTH = -1,      // bench_spec.path_len
    BENCH_DAYS_MAX = 36500,
};

// What a certificate is for; decides its extensions and, unless days says otherwise, its time.
enum bench_role {
    BENCH_ROOT,         // a CA, ten years
    BENCH_INTERMEDIATE, // a CA, five years
    BENCH_DEVICE,       // a TLS client, 365 days
    BENCH_SERVER,       // a TLS server, 825 days
    BENCH_VERIFICATION, // proves that its issuer's key is held (service-api E.1), seven days
};

enum bench_key { BENCH_EC, BENCH_RSA }; // EC P-256, RSA of 2048 bits

// Who a server certificate is for. At least one name or address.
struct bench_names {
    const char *const *dns; // "localhost"
    size_t dns_count;
    const char *const *ips; // "127.0.0.1", "::1"
    size_t ip_count;
};

struct bench_spec {
    enum bench_role role;
    enum bench_key key;
    // 1 to 64 bytes of UTF-8; a device's is its registration ID, a verification's is the code.
    struct slice common_name;
    // The issuer's certificate (the first one of the PEM text) and key; both empty: self-signed, which
    // intermediates and verifications cannot be.
    struct slice issuer_certificate;
    struct slice issuer_key;
    int path_len; // CAs only: how many CAs may be below it, or BENCH_ANY_DEPTH
    int days;     // from an hour before now_us on; 0: as the role says; at most BENCH_DAYS_MAX
    int64_t now_us;
    struct bench_names names; // servers only
};

// Makes a new key and its certificate. Both are appended to the buffers as PEM (the key as PKCS#8, not
// encrypted: the caller wipes the buffer). Keys and serials come from OpenSSL's generator. ERR_INVALID with
// why: a name that cannot be one, or an issuer that is not PEM, does not fit its key, or may not sign
// certificates. ERR_NO_MEMORY, or what broke a buffer (ERR_CAPPED).
struct err bench_make(const struct bench_spec *spec, struct buf *certificate, struct buf *key,
                      struct why *why);
