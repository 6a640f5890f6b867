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

static bool is_pem(struct slice text)
{
    return slice_find(text, SLICE("-----BEGIN ")) < text.len;
}

static struct err read_pem(struct arena *arena, const struct wrapping *wrapping, struct slice text,
                           struct slice *der, struct why *why)
{
    char line[64];
    char what[96];
    if (slice_find(text, SLICE("PRIVATE KEY-----")) < text.len)
        return refuse(wrapping, why,
                      "has a private key beside it: send the certificate alone, and replace that key");
    (void)snprintf(line, sizeof line, "-----BEGIN %s-----", wrapping->label);
    (void)snprintf(what, sizeof what, "has no BEGIN %s line", wrapping->label);
    size_t begin = slice_find(text, slice_text(line));
    if (begin == text.len)
        return refuse(wrapping, why, what);
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
    if (found.len > wrapping->der_max)
        return refuse(wrapping, why, "is too long");
    *der = found;
    return OK;
}
