// The signature is always over the raw text of sr: six encodings of it are in the field (device-protocol.md
// section 5).
#include "crypto/sas.h"

#include "base/text.h"

#define PREFIX SLICE("SharedAccessSignature ")

enum { SIGNATURE_B64 = 44 }; // base64 of 32 bytes

enum field { FIELD_SR, FIELD_SIG, FIELD_SE, FIELD_SKN, FIELD_COUNT };

static const struct slice field_names[FIELD_COUNT] = {
    [FIELD_SR] = {(const uint8_t *)"sr", 2},
    [FIELD_SIG] = {(const uint8_t *)"sig", 3},
    [FIELD_SE] = {(const uint8_t *)"se", 2},
    [FIELD_SKN] = {(const uint8_t *)"skn", 3},
};

static struct err malformed(struct why *why, const char *what)
{
    return why_fail(why, ERR_SAS_MALFORMED, "SAS token: %s", what);
}

static struct err split_fields(struct slice rest, struct slice values[FIELD_COUNT], struct why *why)
{
    bool seen[FIELD_COUNT] = {0};
    struct slice field;
    while (slice_cut(&rest, '&', &field)) {
        struct slice value = field;
        struct slice name;
        if (!slice_cut(&value, '=', &name))
            continue;
        for (size_t i = 0; i < FIELD_COUNT; i++) {
            if (!slice_equal(name, field_names[i]))
                continue;
            if (seen[i])
                return why_fail(why, ERR_SAS_MALFORMED, "SAS token: %.*s is there twice", SLICE_ARG(name));
            seen[i] = true;
            values[i] = value;
        }
    }
    for (size_t i = 0; i < FIELD_SKN; i++) {
        if (slice_empty(values[i]))
            return why_fail(why, ERR_SAS_MALFORMED, "SAS token: %.*s is missing", SLICE_ARG(field_names[i]));
    }
    return OK;
}

// Undoes the percent-encoding, then the base64.
static bool read_signature(struct slice raw, uint8_t out[SHA256_SIZE])
{
    uint8_t text[SIGNATURE_B64];
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.at[i];
        size_t decoded = 0;
        if (c == '%') {
            if (!hex_decode(slice_to(slice_from(raw, i + 1), 2), &c, 1, &decoded) || decoded != 1)
                return false;
            i += 2;
        }
        if (len == sizeof text)
            return false;
        text[len++] = c;
    }
    size_t size = 0;
    return b64_decode(slice_of(text, len), out, SHA256_SIZE, &size) && size == SHA256_SIZE;
}

struct err sas_parse(struct slice header, struct sas_token *out, struct why *why)
{
    *out = (struct sas_token){0};
    header = slice_trim(header);
    if (header.len > SAS_TOKEN_MAX)
        return malformed(why, "too long");
    if (!slice_starts_with_nocase(header, PREFIX))
        return malformed(why, "does not begin with SharedAccessSignature");
    struct slice values[FIELD_COUNT] = {0};
    TRY(split_fields(slice_trim(slice_from(header, PREFIX.len)), values, why));
    uint64_t expiry;
    if (!slice_to_u64(values[FIELD_SE], &expiry) || expiry > (uint64_t)SAS_EXPIRY_MAX)
        return malformed(why, "se is no time in seconds since 1970");
    if (!read_signature(values[FIELD_SIG], out->signature))
        return malformed(why, "sig is not 32 bytes in base64");
    out->resource = values[FIELD_SR];
    out->expiry_text = values[FIELD_SE];
    out->expiry_s = (int64_t)expiry;
    out->policy = values[FIELD_SKN];
    return OK;
}

static struct err sign(struct slice resource, struct slice expiry, const struct secret *key,
                       uint8_t out[SHA256_SIZE])
{
    const struct slice parts[] = {resource, SLICE("\n"), expiry};
    return hmac_sha256(secret_slice(key), parts, 3, out);
}

// Never branches on the outcome of the comparison.
static struct err matches(const struct sas_token *token, const struct secret *key, unsigned *matched)
{
    static const struct secret nobody = {.len = SHA256_SIZE};
    bool usable = key != NULL && key->len > 0;
    uint8_t want[SHA256_SIZE];
    struct err e = sign(token->resource, token->expiry_text, usable ? key : &nobody, want);
    unsigned equal = bytes_equal_ct(slice_of(want, sizeof want), slice_of(token->signature, sizeof want));
    *matched = equal & (unsigned)usable & (unsigned)!failed(e);
    bytes_wipe(want, sizeof want);
    return e;
}

struct err sas_verify(const struct sas_token *token, const struct secret *primary,
                      const struct secret *secondary)
{
    unsigned first = 0;
    unsigned second = 0;
    struct err e = matches(token, primary, &first);
    struct err f = matches(token, secondary, &second);
    TRY(e);
    TRY(f);
    return (first | second) != 0 ? OK : FAIL(ERR_SAS_SIGNATURE);
}

static struct err decode_resource(const struct sas_token *token, struct arena *arena, struct slice *out,
                                  struct why *why)
{
    struct err e = percent_decode(arena, token->resource, out);
    if (e.code == ERR_MALFORMED)
        return why_fail(why, ERR_SAS_RESOURCE, "SAS token: sr has a broken escape");
    return e;
}

struct err sas_resource_is(const struct sas_token *token, struct arena *arena, struct slice expected,
                           struct why *why)
{
    struct slice resource;
    TRY(decode_resource(token, arena, &resource, why));
    if (slice_equal_nocase(resource, expected))
        return OK;
    return why_fail(why, ERR_SAS_RESOURCE, "SAS token: sr is for %.*s, not for %.*s",
                    SLICE_ARG(slice_to(resource, 80)), SLICE_ARG(slice_to(expected, 100)));
}

static struct slice without_port(struct slice host)
{
    size_t colon = host.len;
    while (colon > 0 && host.at[colon - 1] >= '0' && host.at[colon - 1] <= '9')
        colon--;
    if (colon < 2 || colon == host.len || host.at[colon - 1] != ':')
        return host;
    // the colons inside [::1] are no port's
    return host.at[0] == '[' && host.at[colon - 2] != ']' ? host : slice_to(host, colon - 1);
}

static struct slice without_slashes(struct slice path)
{
    while (path.len > 0 && path.at[0] == '/')
        path = slice_from(path, 1);
    while (path.len > 0 && path.at[path.len - 1] == '/')
        path.len--;
    return path;
}

static bool is_prefix_by_segment(struct slice prefix, struct slice path)
{
    if (prefix.len == 0)
        return true;
    return slice_starts_with_nocase(path, prefix) && (path.len == prefix.len || path.at[prefix.len] == '/');
}

struct err sas_resource_covers(const struct sas_token *token, struct arena *arena, struct slice host,
                               struct slice path, struct why *why)
{
    struct slice resource;
    TRY(decode_resource(token, arena, &resource, why));
    size_t slash = slice_find_byte(resource, '/');
    struct slice for_host = without_port(slice_to(resource, slash));
    struct slice for_path = without_slashes(slice_from(resource, slash));
    path = without_slashes(path);
    bool same_host = for_host.len > 0 && slice_equal_nocase(for_host, without_port(host));
    if (same_host && is_prefix_by_segment(for_path, path))
        return OK;
    if (same_host && path.len > 0 && is_prefix_by_segment(path, for_path)) {
        struct slice more = slice_from(for_path, path.len + 1);
        if (slice_starts_with_nocase(more, SLICE("api-version=")) && slice_find_byte(more, '/') == more.len)
            return OK;
    }
    return why_fail(why, ERR_SAS_RESOURCE, "SAS token: sr is for %.*s, not for %.*s/%.*s",
                    SLICE_ARG(slice_to(resource, 80)), SLICE_ARG(slice_to(host, 60)),
                    SLICE_ARG(slice_to(path, 60)));
}

struct err sas_policy(const struct sas_token *token, struct arena *arena, struct slice *policy,
                      struct why *why)
{
    struct err e = percent_decode(arena, token->policy, policy);
    if (e.code == ERR_MALFORMED)
        return malformed(why, "skn has a broken escape");
    return e;
}

bool sas_expired(const struct sas_token *token, int64_t now_us, int64_t skew_s)
{
    return token->expiry_s <= now_us / 1000000 - skew_s;
}

void sas_to_sign(struct buf *out, struct slice resource, int64_t expiry_s)
{
    buf_bytes(out, resource);
    buf_u8(out, '\n');
    buf_decimal(out, (uint64_t)expiry_s);
}

void sas_assemble(struct buf *out, struct slice resource, int64_t expiry_s,
                  const uint8_t signature[SHA256_SIZE], struct slice policy)
{
    uint8_t base64[SIGNATURE_B64]; // on the stack and full-sized, so that it neither grows nor breaks
    struct buf text = {.at = base64, .room = sizeof base64, .cap = sizeof base64};
    b64_encode(&text, slice_of(signature, SHA256_SIZE));
    buf_bytes(out, PREFIX);
    buf_text(out, "sr=");
    buf_bytes(out, resource);
    buf_text(out, "&sig=");
    percent_encode(out, buf_slice(&text));
    buf_text(out, "&se=");
    buf_decimal(out, (uint64_t)expiry_s);
    if (!slice_empty(policy)) {
        buf_text(out, "&skn=");
        percent_encode(out, policy);
    }
}

void sas_sign(struct buf *out, struct slice resource, int64_t expiry_s, const struct secret *key,
              struct slice policy)
{
    INVARIANT(expiry_s >= 0);
    uint8_t signature[SHA256_SIZE];
    uint8_t digits[20];
    struct buf expiry = {.at = digits, .room = sizeof digits, .cap = sizeof digits};
    buf_decimal(&expiry, (uint64_t)expiry_s);
    struct err e = sign(resource, buf_slice(&expiry), key, signature);
    if (failed(e))
        out->broken = e.code;
    sas_assemble(out, resource, expiry_s, signature, policy);
}
