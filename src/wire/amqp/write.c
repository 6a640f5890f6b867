// AMQP 1.0 part 1, sections 1.3 to 1.6, and 2.3: what we send is written in as few bytes as its type has a
// code for.
#include <string.h>

#include "wire/amqp/write.h"

enum {
    BEGINNING = 9,   // a compound's code, size and count in their long form
    BRIEF = 3,       // and in the short one
    LARGE = 0x10,    // added to a code whose size is told in one byte: it is told in four
    DATA_OFFSET = 2, // in words: a frame's header has eight bytes
};

static void put_u32_at(struct buf *out, size_t at, size_t value)
{
    for (size_t i = 0; i < 4; i++)
        out->at[at + i] = (uint8_t)(value >> (8 * (3 - i)));
}

static void describe(struct buf *out, uint8_t descriptor)
{
    const uint8_t bytes[] = {AMQP_DESCRIBED, AMQP_SMALLULONG, descriptor};
    buf_bytes(out, slice_of(bytes, sizeof bytes));
}

static struct amqp_compound begin(struct buf *out, enum amqp_code code)
{
    const uint8_t bytes[BEGINNING] = {(uint8_t)code};
    struct amqp_compound c = {.out = out, .at = out->len};
    buf_bytes(out, slice_of(bytes, sizeof bytes));
    return c;
}

struct amqp_compound amqp_list(struct buf *out, uint8_t descriptor)
{
    describe(out, descriptor);
    return begin(out, AMQP_LIST32);
}

struct amqp_compound amqp_list_in(struct amqp_compound *in, uint8_t descriptor)
{
    in->count++;
    return amqp_list(in->out, descriptor);
}

struct amqp_compound amqp_map_in(struct amqp_compound *in)
{
    in->count++;
    return begin(in->out, AMQP_MAP32);
}

struct amqp_compound amqp_map(struct buf *out, uint8_t descriptor)
{
    describe(out, descriptor);
    return begin(out, AMQP_MAP32);
}

void amqp_end(struct amqp_compound *c)
{
    struct buf *out = c->out;
    if (out->broken != 0)
        return;
    uint8_t *at = out->at + c->at;
    size_t len = out->len - c->at - BEGINNING; // of the elements
    if (c->count == 0 && at[0] == AMQP_LIST32) {
        at[0] = AMQP_LIST0;
        out->len = c->at + 1;
        return;
    }
    if (1 + len > UINT8_MAX || c->count > UINT8_MAX) {
        put_u32_at(out, c->at + 1, 4 + len);
        put_u32_at(out, c->at + 5, c->count);
        return;
    }
    at[0] = (uint8_t)(at[0] & ~LARGE);
    at[1] = (uint8_t)(1 + len);
    at[2] = (uint8_t)c->count;
    memmove(at + BRIEF, at + BEGINNING, len);
    out->len -= BEGINNING - BRIEF;
}

// A value of no more than its code.
static void put_code(struct amqp_compound *in, enum amqp_code code)
{
    in->count++;
    buf_u8(in->out, (uint8_t)code);
}

void amqp_put_null(struct amqp_compound *in)
{
    put_code(in, AMQP_NULL);
}

void amqp_put_bool(struct amqp_compound *in, bool value)
{
    put_code(in, value ? AMQP_TRUE : AMQP_FALSE);
}

void amqp_put_ubyte(struct amqp_compound *in, uint8_t value)
{
    put_code(in, AMQP_UBYTE);
    buf_u8(in->out, value);
}

void amqp_put_ushort(struct amqp_compound *in, uint16_t value)
{
    put_code(in, AMQP_USHORT);
    buf_u16(in->out, value);
}

void amqp_put_uint(struct amqp_compound *in, uint32_t value)
{
    put_code(in, value == 0 ? AMQP_UINT0 : value <= UINT8_MAX ? AMQP_SMALLUINT : AMQP_UINT);
    if (value > UINT8_MAX)
        buf_u32(in->out, value);
    else if (value > 0)
        buf_u8(in->out, (uint8_t)value);
}

void amqp_put_ulong(struct amqp_compound *in, uint64_t value)
{
    put_code(in, value == 0 ? AMQP_ULONG0 : AMQP_ULONG);
    if (value == 0)
        return;
    buf_u32(in->out, (uint32_t)(value >> 32));
    buf_u32(in->out, (uint32_t)value);
}

void amqp_put_int(struct amqp_compound *in, int32_t value)
{
    put_code(in, AMQP_INT);
    buf_u32(in->out, (uint32_t)value);
}

// Text or bytes: `code` is the one of those up to 255.
static void put_sized(struct buf *out, enum amqp_code code, struct slice bytes)
{
    bool large = bytes.len > UINT8_MAX;
    buf_u8(out, (uint8_t)(large ? code | LARGE : code));
    if (large)
        buf_u32(out, (uint32_t)bytes.len);
    else
        buf_u8(out, (uint8_t)bytes.len);
    buf_bytes(out, bytes);
}

void amqp_put_string(struct amqp_compound *in, struct slice text)
{
    in->count++;
    put_sized(in->out, AMQP_STRING8, text);
}

void amqp_put_symbol(struct amqp_compound *in, struct slice text)
{
    in->count++;
    put_sized(in->out, AMQP_SYMBOL8, text);
}

void amqp_put_binary(struct amqp_compound *in, struct slice bytes)
{
    in->count++;
    put_sized(in->out, AMQP_BINARY8, bytes);
}

void amqp_put_symbols(struct amqp_compound *in, struct slice names)
{
    struct slice name;
    unsigned count = 1;
    for (size_t i = 0; i < names.len; i++)
        count += names.at[i] == ' ';
    put_code(in, AMQP_ARRAY8);
    // Its size: count and code; a length before each name, which for all but the first takes the place of a
    // blank.
    buf_u8(in->out, (uint8_t)(2 + 1 + names.len));
    buf_u8(in->out, (uint8_t)count);
    buf_u8(in->out, AMQP_SYMBOL8);
    while (slice_cut(&names, ' ', &name)) {
        buf_u8(in->out, (uint8_t)name.len);
        buf_bytes(in->out, name);
    }
}

void amqp_put_encoded(struct amqp_compound *in, struct slice value)
{
    if (slice_empty(value)) {
        amqp_put_null(in);
        return;
    }
    in->count++;
    buf_bytes(in->out, value);
}

void amqp_binary(struct buf *out, uint8_t descriptor, struct slice bytes)
{
    describe(out, descriptor);
    put_sized(out, AMQP_BINARY8, bytes);
}

struct amqp_compound amqp_frame_begin(struct buf *out, uint8_t type, uint16_t channel, uint8_t performative)
{
    const uint8_t header[] = {0, 0, 0, 0, DATA_OFFSET, type, (uint8_t)(channel >> 8), (uint8_t)channel};
    size_t frame = out->len;
    buf_bytes(out, slice_of(header, sizeof header));
    struct amqp_compound c = amqp_list(out, performative);
    c.frame = frame;
    return c;
}

size_t amqp_frame_end(struct amqp_compound *performative, struct slice payload)
{
    struct buf *out = performative->out;
    amqp_end(performative);
    buf_bytes(out, payload);
    if (out->broken != 0) {
        out->len = performative->frame;
        return 0;
    }
    size_t len = out->len - performative->frame;
    put_u32_at(out, performative->frame, len);
    return len;
}
