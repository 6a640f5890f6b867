// A growing byte buffer with a cap and a sticky failure: append freely, check once with buf_err.
#pragma once

#include "base/err.h"
#include "base/slice.h"

struct buf {
    uint8_t *at;
    size_t len;
    size_t room;
    size_t cap;      // never grows past this many bytes
    uint32_t broken; // enum err_code: ERR_CAPPED or ERR_NO_MEMORY once an append did not fit
};

// No memory is taken until the first append.
static inline struct buf buf_capped(size_t cap)
{
    return (struct buf){.cap = cap};
}

void buf_release(struct buf *b); // wipes nothing; secrets do not belong in a buf that outlives its request
// Empties it and forgets a failure; the memory stays.
void buf_clear(struct buf *b);
// Drops the first `len` bytes (clamped).
void buf_consume(struct buf *b, size_t len);
// Gives memory back when empty, for idle connections.
void buf_shrink(struct buf *b);
// Room for `len` more bytes at the end, or NULL with the buffer broken. buf_added says how many were written.
uint8_t *buf_reserve(struct buf *b, size_t len);
void buf_added(struct buf *b, size_t len);
void buf_bytes(struct buf *b, struct slice s);
// Appends what is in `from`, which is released. One that has no memory yet takes over that of `from`.
void buf_move(struct buf *b, struct buf *from);
void buf_lower(struct buf *b, struct slice s); // in small letters, as far as they are ASCII
void buf_text(struct buf *b, const char *text);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v); // big-endian
void buf_u32(struct buf *b, uint32_t v); // big-endian
void buf_decimal(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->at, b->len);
}

static inline struct err buf_err(const struct buf *b)
{
    return FAIL(b->broken);
}
