// Bounded reading of big-endian fields.
#include "base/cursor.h"

struct slice cursor_bytes(struct cursor *c, size_t len)
{
    if (c->broken || len > c->rest.len) {
        c->broken = true;
        return (struct slice){0};
    }
    struct slice taken = slice_to(c->rest, len);
    c->rest = slice_from(c->rest, len);
    return taken;
}

uint8_t cursor_u8(struct cursor *c)
{
    struct slice s = cursor_bytes(c, 1);
    return s.len == 1 ? s.at[0] : 0;
}

uint16_t cursor_u16(struct cursor *c)
{
    struct slice s = cursor_bytes(c, 2);
    return (uint16_t)(s.len == 2 ? s.at[0] << 8 | s.at[1] : 0);
}

uint32_t cursor_u32(struct cursor *c)
{
    struct slice s = cursor_bytes(c, 4);
    return s.len == 4 ? (uint32_t)s.at[0] << 24 | (uint32_t)s.at[1] << 16 | (uint32_t)s.at[2] << 8 | s.at[3]
                      : 0;
}
