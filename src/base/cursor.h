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

uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c); // big-endian
uint32_t cursor_u32(struct cursor *c); // big-endian
// `len` bytes, a view into the input; empty when broken.
struct slice cursor_bytes(struct cursor *c, size_t len);
