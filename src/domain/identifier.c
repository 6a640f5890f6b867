// Checks of IDs, and the text form of ETags.
#include "domain/identifier.h"

#include "base/text.h"

static bool alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool one_of(uint8_t c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

// Length and character set; the character that does not belong is named by its place, as it may not be
// printable.
static struct err check(struct slice id, size_t max, const char *others, const char *what, struct why *why)
{
    if (id.len == 0)
        return why_fail(why, ERR_INVALID, "%s is missing or empty", what);
    if (id.len > max)
        return why_fail(why, ERR_INVALID, "%s has %zu characters; at most %zu are allowed", what, id.len,
                        max);
    for (size_t i = 0; i < id.len; i++) {
        if (!alphanumeric(id.at[i]) && !one_of(id.at[i], others))
            return why_fail(why, ERR_INVALID, "%s: character %zu is not allowed; use A-Z a-z 0-9 and %s",
                            what, i + 1, others);
    }
    return OK;
}

struct err registration_id_check(struct slice id, const char *what, struct why *why)
{
    TRY(check(id, REGISTRATION_ID_MAX, "-._:", what, why));
    if (!alphanumeric(id.at[0]))
        return why_fail(why, ERR_INVALID, "%s must begin with a letter or a digit", what);
    if (!alphanumeric(id.at[id.len - 1]) && id.at[id.len - 1] != '-')
        return why_fail(why, ERR_INVALID, "%s must end with a letter, a digit or '-'", what);
    return OK;
}

struct err device_id_check(struct slice id, const char *what, struct why *why)
{
    return check(id, DEVICE_ID_MAX, "-.%_*?!(),:=@$'+#", what, why);
}

static bool is_label(struct slice label)
{
    if (label.len == 0 || label.len > 63 || label.at[0] == '-' || label.at[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        if (!alphanumeric(label.at[i]) && label.at[i] != '-' && label.at[i] != '_')
            return false;
    }
    return true;
}

struct err host_check(struct slice host, const char *what, struct why *why)
{
    size_t colon = slice_find_byte(host, ':');
    struct slice name = slice_to(host, colon);
    struct slice label;
    uint64_t port = 1;
    if (colon < host.len && (!slice_to_u64(slice_from(host, colon + 1), &port) || port == 0 || port > 65535))
        return why_fail(why, ERR_INVALID, "%s: the part after ':' must be a port from 1 to 65535", what);
    bool good = name.len > 0 && name.len <= HOST_MAX && name.at[name.len - 1] != '.';
    while (good && slice_cut(&name, '.', &label))
        good = is_label(label);
    return good ? OK : why_fail(why, ERR_INVALID, "%s must be a host name such as hub.example.com", what);
}

// The quoted text that is encoded: the number's halves stand where the real service has what changes.
enum { ETAG_RAW = 38, ETAG_HIGH = 1, ETAG_LOW = 25 };

static void etag_raw(uint64_t etag, char raw[ETAG_RAW])
{
    static const char form[] = "\"00000000-0000-0800-0000-000000000000\"";
    static const char digits[] = "0123456789abcdef";
    memcpy(raw, form, ETAG_RAW);
    for (unsigned i = 0; i < 8; i++) {
        raw[ETAG_HIGH + i] = digits[(etag >> (60 - 4 * i)) & 0xF];
        raw[ETAG_LOW + i] = digits[(etag >> (28 - 4 * i)) & 0xF];
    }
}

void etag_write(struct buf *out, uint64_t etag)
{
    char raw[ETAG_RAW];
    etag_raw(etag, raw);
    b64_encode(out, slice_of(raw, sizeof raw));
}

void etag_write_plain(struct buf *out, uint64_t etag)
{
    char raw[ETAG_RAW];
    etag_raw(etag, raw);
    buf_bytes(out, slice_of(raw, sizeof raw));
}

static uint64_t hex_number(const uint8_t *digits, size_t count)
{
    uint8_t bytes[4] = {0};
    size_t len = 0;
    uint64_t value = 0;
    if (!hex_decode(slice_of(digits, count), bytes, sizeof bytes, &len))
        return 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | bytes[i];
    return value;
}

// The number, or 0 when the text is not one that etag_write makes.
static uint64_t etag_decode(struct slice text)
{
    uint8_t raw[ETAG_RAW];
    char again[ETAG_RAW];
    size_t len = 0;
    if (!b64_decode(text, raw, sizeof raw, &len) || len != ETAG_RAW)
        return 0;
    uint64_t etag = hex_number(raw + ETAG_HIGH, 8) << 32 | hex_number(raw + ETAG_LOW, 8);
    etag_raw(etag, again);
    return slice_equal(slice_of(raw, ETAG_RAW), slice_of(again, ETAG_RAW)) ? etag : 0;
}

struct err etag_read(struct slice text, bool *any, uint64_t *etag, struct why *why)
{
    *any = false;
    *etag = 0;
    text = slice_trim(text);
    if (slice_equal(text, SLICE("*"))) {
        *any = true;
        return OK;
    }
    if (slice_starts_with(text, SLICE("W/")))
        text = slice_from(text, 2);
    bool opens = slice_starts_with(text, SLICE("\""));
    bool closes = text.len > 1 && slice_ends_with(text, SLICE("\""));
    if (opens != closes)
        return why_fail(why, ERR_INVALID, "the ETag has a quote on one side only");
    if (opens)
        text = slice_of(text.at + 1, text.len - 2);
    if (text.len == 0)
        return why_fail(why, ERR_INVALID, "the ETag is empty; give the record's etag or *");
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= ' ' || text.at[i] == '"' || text.at[i] == ',' || text.at[i] >= 0x7F)
            return why_fail(why, ERR_INVALID, "character %zu of the ETag is not allowed; give one etag or *",
                            i + 1);
    }
    *etag = etag_decode(text);
    return OK;
}
