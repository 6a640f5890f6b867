// Capped growing buffers.
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_release(struct buf *b)
{
    if (b == NULL)
        return;
    free(b->at);
    *b = buf_capped(b->cap);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->broken = 0;
}

void buf_consume(struct buf *b, size_t len)
{
    if (len >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->at, b->at + len, b->len - len);
    b->len -= len;
}

void buf_shrink(struct buf *b)
{
    if (b->len > 0 || b->at == NULL)
        return;
    free(b->at);
    b->at = NULL;
    b->room = 0;
}

static bool grow(struct buf *b, size_t wanted)
{
    size_t room = b->room < 256 ? 256 : b->room;
    while (room < wanted)
        room *= 2;
    if (room > b->cap)
        room = b->cap;
    uint8_t *at = realloc(b->at, room);
    if (at == NULL)
        return false;
    b->at = at;
    b->room = room;
    return true;
}

uint8_t *buf_reserve(struct buf *b, size_t len)
{
    if (b->broken != 0)
        return NULL;
    if (len > b->cap || b->len > b->cap - len) {
        b->broken = ERR_CAPPED;
        return NULL;
    }
    if (b->len + len > b->room && !grow(b, b->len + len)) {
        b->broken = ERR_NO_MEMORY;
        return NULL;
    }
    // a zero-length reservation of an empty buffer has no memory behind it, and none is written
    return b->at != NULL ? b->at + b->len : NULL;
}

void buf_added(struct buf *b, size_t len)
{
    INVARIANT(len <= b->room - b->len);
    b->len += len;
}

void buf_bytes(struct buf *b, struct slice s)
{
    if (s.len == 0)
        return;
    uint8_t *to = buf_reserve(b, s.len);
    if (to == NULL)
        return;
    memcpy(to, s.at, s.len);
    b->len += s.len;
}

void buf_move(struct buf *b, struct buf *from)
{
    if (b->at == NULL && b->broken == 0 && from->room <= b->cap) {
        b->at = from->at;
        b->len = from->len;
        b->room = from->room;
        from->at = NULL;
    } else {
        buf_bytes(b, buf_slice(from));
    }
    buf_release(from);
}

void buf_lower(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_u8(b, s.at[i] >= 'A' && s.at[i] <= 'Z' ? (uint8_t)(s.at[i] + ('a' - 'A')) : s.at[i]);
}

void buf_text(struct buf *b, const char *text)
{
    buf_bytes(b, slice_text(text));
}

void buf_u8(struct buf *b, uint8_t v)
{
    uint8_t *to = buf_reserve(b, 1);
    if (to == NULL)
        return;
    *to = v;
    b->len++;
}

void buf_u16(struct buf *b, uint16_t v)
{
    uint8_t bytes[] = {(uint8_t)(v >> 8), (uint8_t)v};
    buf_bytes(b, slice_of(bytes, sizeof bytes));
}

void buf_u32(struct buf *b, uint32_t v)
{
    uint8_t bytes[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    buf_bytes(b, slice_of(bytes, sizeof bytes));
}

void buf_decimal(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    buf_bytes(b, slice_of(digits + at, sizeof digits - at));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char small[512];
    int len = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (len < (int)sizeof small) {
        buf_bytes(b, slice_of(small, len > 0 ? (size_t)len : 0));
        return;
    }
    uint8_t *to = buf_reserve(b, (size_t)len + 1);
    if (to == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf((char *)to, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}
