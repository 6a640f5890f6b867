// Reads bytes from a slice with bounds. Once a read went past the end the cursor is broken: every later read
// gives zeros and cursor_ok says false, so a parser reads like a schema and checks once.
#pragma once

#include "base/slice.h"

struct cursor {
    struct slice rest;
    bool broken;
};

static inline struct cursor cursor_over(struct slice s)
{
    return (struct cursor){.rest = s};
}

static inline bool cursor_ok(const struct cursor *c)
{
    return !c->broken;
}

// True when nothing was read past the end and nothing is left.
static inline bool cursor_done(const struct cursor *c)
{
    return !c->broken && c->rest.len == 0;
}

// `len` bytes, a view into the input; empty when broken.
static inline struct slice cursor_bytes(struct cursor *c, size_t len)
{
    if (c->broken || len > c->rest.len) {
        c->broken = true;
        return (struct slice){0};
    }
    struct slice taken = slice_to(c->rest, len);
    c->rest = slice_from(c->rest, len);
    return taken;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
    struct slice s = cursor_bytes(c, 1);
    return s.len == 1 ? s.at[0] : 0;
}

// Big-endian.
static inline uint16_t cursor_u16(struct cursor *c)
{
    struct slice s = cursor_bytes(c, 2);
    return (uint16_t)(s.len == 2 ? s.at[0] << 8 | s.at[1] : 0);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
    struct slice s = cursor_bytes(c, 4);
    return s.len == 4 ? (uint32_t)s.at[0] << 24 | (uint32_t)s.at[1] << 16 | (uint32_t)s.at[2] << 8 | s.at[3]
                      : 0;
}
