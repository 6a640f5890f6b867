// X.509 certificates as operators hand them in and as the API shows them (service-api.md A.5). Not for chains
// and trust.
#pragma once

#include "base/arena.h"

enum { CERTIFICATE_TEXT_MAX = 32 * 1024, CERTIFICATE_DER_MAX = 16 * 1024 };

// One certificate as PEM, base64 of DER, base64 of the PEM text, or DER; blanks and CRLF around and between
// lines are ignored, text around a PEM block too. *der is made in the arena. ERR_INVALID with why: too long,
// no certificate, more than one, a private key, not well-formed X.509, or not to be described. ERR_NO_MEMORY.
struct err certificate_read(struct arena *arena, struct slice text, struct slice *der, struct why *why);

// X509CertificateInfo: the same eight members in the same forms.
struct certificate_info {
    struct slice subject_name;      // as .NET prints it: last RDN first, "CN=dev, O=maker"
    struct slice sha1_thumbprint;   // 40 hex digits, capitals
    struct slice sha256_thumbprint; // 64 hex digits, capitals
    struct slice issuer_name;
    struct slice not_before; // YYYY-MM-DDTHH:MM:SSZ
    struct slice not_after;
    struct slice serial_number; // hex digits, capitals, two per byte, no leading 00
    int version;                // 3 for X.509v3
};

// All text is made in the arena. ERR_INVALID with why when `der` is no certificate; ERR_NO_MEMORY.
struct err certificate_describe(struct arena *arena, struct slice der, struct certificate_info *out,
                                struct why *why);

// What a certificate is found by: a hash of the name, the same for names that RFC 5280 7.1 calls equal. Two
// names may share one; whoever uses what was found compares the names themselves. ERR_INVALID: not a
// certificate.
struct err certificate_names(struct slice der, uint32_t *subject, uint32_t *issuer);

// What the issuer signed of a certificate; a view of it, all of it when it is not well-formed. Whoever shows
// a certificate can write its signature otherwise without a key (of an ECDSA signature (r, s), (r, n - s)
// holds too), so this, not the whole, says whether two are the same.
struct slice certificate_signed_part(struct slice der);
bool certificate_same(struct slice a, struct slice b);
