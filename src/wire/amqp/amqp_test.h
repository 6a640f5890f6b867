// What the tests with frames made by hand share.
#pragma once

#include "base/cursor.h"
#include "base/testing.h"
#include "wire/amqp/testing.h"

// Of pn_data_fill. Descriptors: 0x10 open … 0x18 close, 0x41 sasl-init, 0x43 sasl-response, 0x28 source, 0x29
// target.
#define OPEN_FORMAT        "DL[SS]"
#define BEGIN_FORMAT       "DL[nIII]"
#define ATTACH_FORMAT      "DL[SIonnDL[S]DL[S]nnIL]"
#define TRANSFER_FORMAT    "DL[IIzI]"
#define DISPOSITION_FORMAT "DL[oIIoDL[]]"

static inline void put_header(struct buf *out, bool sasl)
{
    buf_bytes(out, slice_of(sasl ? "AMQP\3\1\0\0" : "AMQP\0\1\0\0", 8));
}

static inline void put_open(struct buf *out)
{
    amqp_frame(out, 0, 0, OPEN_FORMAT, (uint64_t)0x10, "c", "dps.example");
}

static inline void put_begin(struct buf *out, uint16_t channel)
{
    amqp_frame(out, 0, channel, BEGIN_FORMAT, (uint64_t)0x11, 0, 100, 100);
}

// role: true: the peer receives.
static inline void put_attach(struct buf *out, const char *name, uint32_t handle, bool role,
                              const char *address)
{
    amqp_frame(out, 0, 0, ATTACH_FORMAT, (uint64_t)0x12, name, handle, role, (uint64_t)0x28,
               role ? address : "remote_endpoint", (uint64_t)0x29, role ? "local_endpoint" : address, 0,
               UINT64_MAX);
}

static inline void put_credit(struct buf *out, uint32_t handle)
{
    amqp_frame(out, 0, 0, "DL[IIIIIII]", (uint64_t)0x13, 0, 100, 0, 100, handle, 0, 10);
}

// A data section '{}'.
#define DATA_SECTION SLICE("\0\x53\x75\xa0\2{}")

static inline void put_transfer(struct buf *out, uint32_t handle, uint32_t id)
{
    amqp_frame_with(out, 0, DATA_SECTION, TRANSFER_FORMAT, (uint64_t)0x14, handle, id, (size_t)1, "t", 0);
}

static inline void put_close(struct buf *out)
{
    amqp_frame(out, 0, 0, "DL[]", (uint64_t)0x18);
}

// Up to a link on which the peer sends, handle 0.
static inline void put_sender(struct buf *out)
{
    put_header(out, false);
    put_open(out);
    put_begin(out, 0);
    put_attach(out, "sender_link", 0, false, "a");
}

// Takes the next frame off what was sent; protocol headers before it are passed over. False: there is none.
static inline bool cut_frame(struct slice *rest, struct slice *frame)
{
    while (slice_starts_with(*rest, SLICE("AMQP")))
        *rest = slice_from(*rest, 8);
    struct cursor c = cursor_over(*rest);
    *frame = slice_to(*rest, cursor_u32(&c));
    *rest = slice_from(*rest, frame->len);
    return !slice_empty(*frame);
}

// Is a frame with this performative in the stage's output?
static inline bool was_sent(const struct amqp_stage *stage, uint8_t what)
{
    struct slice frame;
    for (struct slice rest = buf_slice(&stage->out); cut_frame(&rest, &frame);)
        if (frame.len > 10 && frame.at[10] == what)
            return true;
    return false;
}

static inline bool output_has(const struct amqp_stage *stage, const char *text)
{
    struct slice out = buf_slice(&stage->out);
    return slice_find(out, slice_text(text)) < out.len;
}
