// Writes values of AMQP's type system, and frames made of them: the counterpart of value.h. Lists and maps
// are begun and ended, and their sizes and counts put in then. A buffer that is full stays broken: it is
// asked once, at the end. Nobody outside this folder includes it.
#pragma once

#include "base/buf.h"
#include "wire/amqp/value.h"

// A list or map under way at the end of `out`. Ended in the reverse order of the beginnings.
struct amqp_compound {
    struct buf *out;
    size_t at;      // of its code
    size_t frame;   // where its frame begins, if it is a performative's
    uint32_t count; // of its elements so far
};

struct amqp_compound amqp_list(struct buf *out, uint8_t descriptor); // described by this number
// As the next element of another.
struct amqp_compound amqp_list_in(struct amqp_compound *in, uint8_t descriptor);
struct amqp_compound amqp_map_in(struct amqp_compound *in);
struct amqp_compound amqp_map(struct buf *out, uint8_t descriptor);
void amqp_end(struct amqp_compound *c); // in the short form where that does

// The next element. In a map, keys and values in turn.
void amqp_put_null(struct amqp_compound *in);
void amqp_put_bool(struct amqp_compound *in, bool value);
void amqp_put_ubyte(struct amqp_compound *in, uint8_t value);
void amqp_put_ushort(struct amqp_compound *in, uint16_t value);
void amqp_put_uint(struct amqp_compound *in, uint32_t value);
void amqp_put_ulong(struct amqp_compound *in, uint64_t value);
void amqp_put_int(struct amqp_compound *in, int32_t value);
void amqp_put_string(struct amqp_compound *in, struct slice text);
void amqp_put_symbol(struct amqp_compound *in, struct slice text);
void amqp_put_binary(struct amqp_compound *in, struct slice bytes);
// An array of symbols: the words of `names`, blanks between; at most 250 bytes.
void amqp_put_symbols(struct amqp_compound *in, struct slice names);
// A whole value as it is on the wire; empty: null.
void amqp_put_encoded(struct amqp_compound *in, struct slice value);

// A binary on its own, described by this number.
void amqp_binary(struct buf *out, uint8_t descriptor, struct slice bytes);

// A frame of type 0 (AMQP) or 1 (SASL), and in it its performative's list, which the caller fills.
struct amqp_compound amqp_frame_begin(struct buf *out, uint8_t type, uint16_t channel, uint8_t performative);
// Ends the list and the frame; payload: what a transfer carries. Returns the bytes of the frame, 0 if the
// buffer broke.
size_t amqp_frame_end(struct amqp_compound *performative, struct slice payload);
