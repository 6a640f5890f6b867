// Shared access signatures: reading, checking and making the tokens of devices, operators and hubs
// (device-protocol.md section 5, service-api.md A.3 and H.4). Whose key counts and what a policy may do is
// decided elsewhere. Every refusal is an ERR_SAS_… with why.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/secret.h"
#include "crypto/hmac.h"

enum { SAS_TOKEN_MAX = 4096 };
// In seconds; later than any client means, and small enough to be counted in microseconds.
#define SAS_EXPIRY_MAX INT64_C(9000000000000)

// A token that was read, not yet checked. The slices are views of the text it was read from.
struct sas_token {
    struct slice resource;    // sr, raw: exactly as received, because that text is what is signed
    struct slice expiry_text; // se, raw
    int64_t expiry_s;         // se: seconds since 1970, 0..SAS_EXPIRY_MAX
    struct slice policy;      // skn, raw; empty when absent or empty: see sas_policy
    uint8_t signature[SHA256_SIZE];
};

// `header`: "SharedAccessSignature " and the fields, in any order; unknown fields are ignored.
// ERR_SAS_MALFORMED when it is not that, longer than SAS_TOKEN_MAX, lacks sr, sig or se, has one of these or
// skn twice, sig is not 32 bytes in base64, or se is no decimal number up to SAS_EXPIRY_MAX.
struct err sas_parse(struct slice header, struct sas_token *out, struct why *why);
// True when either key made the signature. Both are always computed and compared in constant time; a key that
// is NULL or none never matches, and takes as long. ERR_SAS_SIGNATURE when neither did, or ERR_NO_MEMORY.
struct err sas_verify(const struct sas_token *token, const struct secret *primary,
                      const struct secret *secondary);

// sr, decoded once, must be `expected`; ASCII letters compare without case. ERR_SAS_RESOURCE or
// ERR_NO_MEMORY.
struct err sas_resource_is(const struct sas_token *token, struct arena *arena, struct slice expected,
                           struct why *why);
// sr, decoded once, must be `host` or a prefix, by whole segments, of `host`/`path`; without case. `:port`
// after the host is ignored on both sides. path: "devices/dev1", decoded, with or without a slash in front;
// may be empty. The ending /api-version=… that old hub clients append to sr is ignored. ERR_SAS_RESOURCE or
// ERR_NO_MEMORY.
struct err sas_resource_covers(const struct sas_token *token, struct arena *arena, struct slice host,
                               struct slice path, struct why *why);
// skn, decoded; empty when there is none. ERR_SAS_MALFORMED on a broken escape.
struct err sas_policy(const struct sas_token *token, struct arena *arena, struct slice *policy,
                      struct why *why);
// skew_s: how long after its expiry a token still counts.
bool sas_expired(const struct sas_token *token, int64_t now_us, int64_t skew_s);

// Appends a token. resource: as it is to stand in the token, so encoded already; policy: not encoded, empty
// for none.
void sas_sign(struct buf *out, struct slice resource, int64_t expiry_s, const struct secret *key,
              struct slice policy);

// The same in two steps, for a key that cannot be had: the text to sign (HMAC-SHA256), and the token around
// the signature.
void sas_to_sign(struct buf *out, struct slice resource, int64_t expiry_s);
void sas_assemble(struct buf *out, struct slice resource, int64_t expiry_s,
                  const uint8_t signature[SHA256_SIZE], struct slice policy);
