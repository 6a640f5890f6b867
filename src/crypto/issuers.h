// Certificates that vouch for others, decoded and kept: decoding one costs more than checking a signature
// with it. Found by what they are (SHA-256 of their DER), so what is kept never goes stale; which of them
// count is decided elsewhere, each time anew. Keeps also who signed whom. One thread.
#pragma once

#include "base/err.h"
#include "base/slice.h"

struct issuers;

// Keeps up to `certificates` of them and up to crl_bytes of revocation lists; the least used give way.
struct err issuers_new(size_t certificates, size_t crl_bytes, struct issuers **out);
void issuers_free(struct issuers *issuers);

// The names of a certificate that the service or an enrollment holds (certificate_names), from what is kept,
// or decoded and kept now. ERR_INVALID: not a certificate. ERR_NO_MEMORY.
struct err issuers_names(struct issuers *issuers, struct slice der, uint32_t *subject, uint32_t *issuer);
// What to call such a certificate in a sentence for people ("CN=x", cut to fit), and the end of its validity.
// The same errors.
enum { ISSUER_LABEL_SIZE = 44 };
struct err issuers_label(struct issuers *issuers, struct slice der, char label[ISSUER_LABEL_SIZE],
                         int64_t *not_after_us);
// Whether the revocation list with this SHA-256 is kept.
bool issuers_has_crl(const struct issuers *issuers, struct slice digest);
