// A CA certificate of a service: whoever holds a certificate below it may be let in by an enrollment group,
// once the service's operator has proved to hold its key (service-api B.5, E.1). Not for judging chains: that
// is crypto/path.h.
#pragma once

#include "base/arena.h"
#include "base/secret.h"
#include "json/json.h"
#include "json/write.h"

enum { CA_CERTIFICATE_NAME_MAX = 256, CA_CODE_LIFE_S = 7 * 24 * 3600 };

struct ca_certificate {
    struct slice name;        // as the operator wrote it; compared without case
    struct slice certificate; // DER
    bool verified;            // possession was proved, or an operator vouched for it
    struct secret code;       // random bytes of the verification code; none: no code is waiting for its proof
    int64_t code_until_us;
    struct slice
        crl_digest; // SHA-256 of its revocation list (struct ca_crl of the same name); empty: it has none
    int64_t crl_next_update_us; // 0: the list does not say
    bool crl_required;          // without a fresh list, what it issued is refused (fail closed)
    int64_t not_after_us;
    struct slice words; // what it is found by: see domain/words.h
    int64_t created_us;
    int64_t updated_us;
    uint64_t etag;
};

// Its revocation list, kept apart: it may be large, and is wanted only when it is not yet known.
struct ca_crl {
    struct slice name;
    struct slice crl; // DER
    int64_t created_us;
    int64_t updated_us;
    uint64_t etag;
};

// What PUT …/certificates/{name} sends: {"certificate": PEM, DER in base64 or either in base64 again,
// "isVerified": false}; in `properties` or without (service-api B.5). `stored` is what is being replaced, or
// NULL: another certificate is no longer verified unless the body says so, and its waiting code and
// revocation list are gone (that a list is required stays); with the same certificate, or without one, they
// stay. All errors are ERR_INVALID
// (or ERR_NO_MEMORY), and why says what to do. Slices are copied to the arena; etag and times other than
// not_after_us are left alone.
struct err ca_certificate_read(struct arena *arena, const struct json *body, struct slice name,
                               const struct ca_certificate *stored, int64_t now_us,
                               struct ca_certificate *out, struct why *why);
// {"name","etag","properties":{"subject","expiry","thumbprint","isVerified","created","updated","certificate",
// and "verificationCode" when with_code}} (service-api B.5); and of our own "crl" when it has one.
struct err ca_certificate_write(struct json_writer *w, const struct ca_certificate *c, bool with_code);

// A new code replaces the one before.
void ca_certificate_make_code(struct ca_certificate *c, const uint8_t random[32], int64_t now_us);
// Checks the proof (certificate text in any of the forms) against the waiting code, which is used up by
// success only. ERR_INVALID with why: no code waits, it ran out, or possession_check's reasons. Sets
// verified.
struct err ca_certificate_prove(struct ca_certificate *c, struct arena *arena, struct slice proof,
                                int64_t now_us, struct why *why);
// How close to its end: the last of these days before the end that has passed.
enum ca_expiry { CA_EXPIRY_FAR, CA_EXPIRY_30_DAYS, CA_EXPIRY_7_DAYS, CA_EXPIRY_1_DAY, CA_EXPIRY_PAST };
enum ca_expiry ca_certificate_expiry(const struct ca_certificate *c, int64_t now_us);
