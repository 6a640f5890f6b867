// Strict about what is inside, tolerant about how it is wrapped.
#include "crypto/wrapping.h"

#include <stdio.h>

#include "base/text.h"

enum { DER_SEQUENCE = 0x30 };

static struct err refuse(const struct wrapping *wrapping, struct why *why, const char *what)
{
    return why_fail(why, ERR_INVALID, "%s %s", wrapping->what, what);
}

// Base64 with blanks and line ends in it.
static struct err decode_lines(struct arena *arena, const struct wrapping *wrapping, struct slice text,
                               struct slice *out, struct why *why)
{
    uint8_t *packed = arena_take(arena, text.len + 1);
    size_t len = 0;
    if (packed == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            packed[len++] = c;
    }
    struct err e = b64_decode_arena(arena, slice_of(packed, len), out);
    return e.code == ERR_MALFORMED ? refuse(wrapping, why, "is neither PEM nor base64 of DER") : e;
}

// What is often handed in instead, by the line that its PEM begins with, and what to do then.
static const struct {
    const char *label;
    const char *sentence;
} others[] = {
    {"CERTIFICATE REQUEST", "is only a request: hand in what the CA makes of it (openssl x509 -req)"},
    {"NEW CERTIFICATE REQUEST", "is only a request: hand in what the CA makes of it (openssl x509 -req)"},
    {"TRUSTED CERTIFICATE", "is in a form of OpenSSL's own: convert it (openssl x509 -in FILE -out NEW)"},
    {"PKCS7", "is in a PKCS#7 bundle: take it out (openssl pkcs7 -print_certs)"},
    {"CERTIFICATE", "is a certificate, not a list"},
    {"X509 CRL", "is a revocation list"},
    {"PUBLIC KEY", "is a bare public key"},
};

static struct err refuse_other(const struct wrapping *wrapping, struct slice text, struct why *why)
{
    char line[64];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        (void)snprintf(line, sizeof line, "-----BEGIN %s-----", others[i].label);
        if (slice_find(text, slice_text(line)) < text.len)
            return refuse(wrapping, why, others[i].sentence);
    }
    (void)snprintf(line, sizeof line, "has no BEGIN %s line", wrapping->label);
    return refuse(wrapping, why, line);
}

// The same of DER, by what stands first inside the outermost SEQUENCE.
static const struct {
    const char *bytes;
    const char *sentence;
} other_ders[] = {
    {"\x02\x01\x03\x30", "is in a PKCS#12 file (.pfx, .p12): take it out (openssl pkcs12 -nokeys -clcerts)"},
    {"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02",
     "is in a PKCS#7 bundle: take it out (openssl pkcs7 -inform DER -print_certs)"},
};

static struct err check_der(const struct wrapping *wrapping, struct slice der, struct why *why)
{
    if (der.len < 2 || der.at[0] != DER_SEQUENCE)
        return OK;
    size_t length_bytes = (der.at[1] & 0x80) != 0 ? der.at[1] & 0x7f : 0;
    struct slice inside = slice_from(der, 2 + length_bytes < der.len ? 2 + length_bytes : der.len);
    for (size_t i = 0; i < sizeof other_ders / sizeof other_ders[0]; i++) {
        struct slice begin = slice_text(other_ders[i].bytes);
        if (inside.len >= begin.len && slice_equal(slice_to(inside, begin.len), begin))
            return refuse(wrapping, why, other_ders[i].sentence);
    }
    return OK;
}

static bool is_pem(struct slice text)
{
    return slice_find(text, SLICE("-----BEGIN ")) < text.len;
}

static struct err read_pem(struct arena *arena, const struct wrapping *wrapping, struct slice text,
                           struct slice *der, struct why *why)
{
    char line[64];
    char what[96];
    (void)snprintf(line, sizeof line, "-----BEGIN %s-----", wrapping->label);
    size_t begin = slice_find(text, slice_text(line));
    if (slice_find(text, SLICE("PRIVATE KEY-----")) < text.len)
        return refuse(
            wrapping, why,
            begin == text.len
                ? "is a private key: hand in the certificate instead, and replace a key that left its place"
                : "has a private key beside it: send the certificate alone, and replace that key");
    if (begin == text.len)
        return refuse_other(wrapping, text, why);
    text = slice_from(text, begin + strlen(line));
    (void)snprintf(line, sizeof line, "-----END %s-----", wrapping->label);
    (void)snprintf(what, sizeof what, "has no END %s line", wrapping->label);
    size_t end = slice_find(text, slice_text(line));
    if (end == text.len)
        return refuse(wrapping, why, what);
    struct slice rest = slice_from(text, end + strlen(line));
    (void)snprintf(line, sizeof line, "-----BEGIN %s-----", wrapping->label);
    if (slice_find(rest, slice_text(line)) < rest.len)
        return refuse(wrapping, why, wrapping->several);
    return decode_lines(arena, wrapping, slice_to(text, end), der, why);
}

static struct err take_off(struct arena *arena, const struct wrapping *wrapping, struct slice text,
                           struct slice *der, struct why *why)
{
    if (text.at[0] == DER_SEQUENCE && text.len > 1 && (text.at[1] & 0x80) != 0)
        return arena_copy(arena, text, der);
    text = slice_trim(text);
    if (is_pem(text))
        return read_pem(arena, wrapping, text, der, why);
    struct slice inner;
    TRY(decode_lines(arena, wrapping, text, &inner, why));
    if (is_pem(inner))
        return read_pem(arena, wrapping, inner, der, why);
    *der = inner;
    return OK;
}

struct err unwrap(struct arena *arena, const struct wrapping *wrapping, struct slice text, struct slice *der,
                  struct why *why)
{
    struct slice found = {0};
    *der = found;
    if (slice_empty(slice_trim(text)))
        return refuse(wrapping, why, "is empty");
    if (text.len > wrapping->text_max)
        return refuse(wrapping, why, "is too long");
    TRY(take_off(arena, wrapping, text, &found, why));
    TRY(check_der(wrapping, found, why));
    if (found.len > wrapping->der_max)
        return refuse(wrapping, why, "is too long");
    *der = found;
    return OK;
}
