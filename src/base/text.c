// Base64, hex, percent-encoding and GUIDs.
#include "base/text.h"

#include <stdio.h>

static const char b64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void b64_encode(struct buf *out, struct slice in)
{
    size_t len = (in.len + 2) / 3 * 4;
    uint8_t *to = buf_reserve(out, len);
    if (to == NULL)
        return;
    for (size_t i = 0; i < in.len; i += 3, to += 4) {
        size_t left = in.len - i;
        uint32_t word = (uint32_t)in.at[i] << 16 | (left > 1 ? (uint32_t)in.at[i + 1] << 8 : 0) |
                        (left > 2 ? (uint32_t)in.at[i + 2] : 0);
        to[0] = (uint8_t)b64_alphabet[word >> 18];
        to[1] = (uint8_t)b64_alphabet[word >> 12 & 63];
        to[2] = left > 1 ? (uint8_t)b64_alphabet[word >> 6 & 63] : '=';
        to[3] = left > 2 ? (uint8_t)b64_alphabet[word & 63] : '=';
    }
    buf_added(out, len);
}

static int b64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool b64_decode(struct slice in, uint8_t *out, size_t room, size_t *len)
{
    *len = 0;
    if (in.len % 4 != 0)
        return false;
    size_t padding = 0;
    while (padding < 2 && in.len > 0 && in.at[in.len - 1 - padding] == '=')
        padding++;
    size_t size = in.len / 4 * 3 - padding;
    if (size > room)
        return false;
    uint32_t word = 0;
    size_t written = 0;
    for (size_t i = 0; i < in.len; i++) {
        int v = i >= in.len - padding ? 0 : b64_value(in.at[i]);
        if (v < 0)
            return false;
        word = word << 6 | (uint32_t)v;
        if (i % 4 != 3)
            continue;
        for (int shift = 16; shift >= 0; shift -= 8) {
            if (written < size)
                out[written++] = (uint8_t)(word >> shift);
            else if ((word >> shift & 255) != 0)
                return false; // bits set that no encoder sets
        }
        word = 0;
    }
    *len = size;
    return true;
}

struct err b64_decode_arena(struct arena *a, struct slice in, struct slice *out)
{
    *out = (struct slice){0};
    size_t room = in.len / 4 * 3;
    uint8_t *to = arena_take(a, room + 1);
    if (to == NULL)
        return FAIL(ERR_NO_MEMORY);
    size_t len = 0;
    if (!b64_decode(in, to, room, &len))
        return FAIL(ERR_MALFORMED);
    *out = slice_of(to, len);
    return OK;
}

static void hex_encode(struct buf *out, struct slice in, const char *digits)
{
    uint8_t *to = in.len > 0 ? buf_reserve(out, in.len * 2) : NULL;
    if (to == NULL)
        return;
    for (size_t i = 0; i < in.len; i++) {
        to[2 * i] = (uint8_t)digits[in.at[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[in.at[i] & 15];
    }
    buf_added(out, in.len * 2);
}

void hex_encode_lower(struct buf *out, struct slice in)
{
    hex_encode(out, in, "0123456789abcdef");
}

void hex_encode_upper(struct buf *out, struct slice in)
{
    hex_encode(out, in, "0123456789ABCDEF");
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(struct slice in, uint8_t *out, size_t room, size_t *len)
{
    *len = 0;
    if (in.len % 2 != 0 || in.len / 2 > room)
        return false;
    for (size_t i = 0; i < in.len; i += 2) {
        int high = hex_value(in.at[i]);
        int low = hex_value(in.at[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    *len = in.len / 2;
    return true;
}

static bool unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void percent_encode(struct buf *out, struct slice in)
{
    for (size_t i = 0; i < in.len; i++) {
        if (unreserved(in.at[i])) {
            buf_u8(out, in.at[i]);
        } else {
            buf_u8(out, '%');
            hex_encode_upper(out, slice_of(in.at + i, 1));
        }
    }
}

struct err percent_decode(struct arena *a, struct slice in, struct slice *out)
{
    *out = (struct slice){0};
    if (in.len == 0)
        return OK;
    if (slice_find_byte(in, '%') == in.len)
        return arena_copy(a, in, out);
    uint8_t *to = arena_take(a, in.len);
    if (to == NULL)
        return FAIL(ERR_NO_MEMORY);
    size_t written = 0;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.at[i];
        size_t len = 0;
        if (c == '%') {
            if (!hex_decode(slice_to(slice_from(in, i + 1), 2), &c, 1, &len) || len != 1 || c == 0)
                return FAIL(ERR_MALFORMED);
            i += 2;
        }
        to[written++] = c;
    }
    *out = slice_of(to, written);
    return OK;
}

void guid_format(const uint8_t random[16], char out[GUID_TEXT])
{
    uint8_t b[16];
    memcpy(b, random, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = digits[b[i] >> 4];
        out[at++] = digits[b[i] & 15];
    }
}

size_t utf8_character(struct slice s)
{
    uint8_t a = s.at[0];
    if (a < 0x80)
        return 1;
    size_t len = a >= 0xc2 && a < 0xe0 ? 2 : a >= 0xe0 && a < 0xf0 ? 3 : a >= 0xf0 && a < 0xf5 ? 4 : 0;
    if (len == 0 || len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((s.at[i] & 0xc0) != 0x80)
            return 0;
    }
    uint8_t b = s.at[1];
    bool overlong = (a == 0xe0 && b < 0xa0) || (a == 0xf0 && b < 0x90);
    bool surrogate = a == 0xed && b >= 0xa0;
    bool beyond = a == 0xf4 && b >= 0x90;
    return overlong || surrogate || beyond ? 0 : len;
}

bool utf8_valid(struct slice s)
{
    while (s.len > 0) {
        size_t len = utf8_character(s);
        if (len == 0)
            return false;
        s = slice_from(s, len);
    }
    return true;
}
