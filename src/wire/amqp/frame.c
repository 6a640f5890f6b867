// Cuts the peer's bytes into protocol headers and frames, so that how they were split on the way makes no
// difference, and nothing larger than the caps is ever kept.
#include "base/secret.h"
#include "wire/amqp/internal.h"

enum { DATA_OFFSET_MIN = 2 };

static const struct slice sasl_header = {(const uint8_t *)"AMQP\3\1\0\0", AMQP_PROTOCOL_HEADER};
static const struct slice plain_header = {(const uint8_t *)"AMQP\0\1\0\0", AMQP_PROTOCOL_HEADER};

static bool in_sasl(const struct amqp_peer *peer)
{
    return peer->phase == AMQP_AT_SASL_INIT || peer->phase == AMQP_AT_SASL_ANSWER;
}

static bool event_waits(const struct amqp_peer *peer)
{
    return peer->has_event || peer->has_last || (peer->gone > 0 && !peer->over && !peer->closing);
}

static void drop_frame(struct amqp_peer *peer)
{
    if (peer->frame > 0 && (in_sasl(peer) || peer->phase == AMQP_AT_PLAIN_HEADER))
        bytes_wipe(peer->held.at, peer->frame);
    buf_consume(&peer->held, peer->frame);
    peer->frame = 0;
    amqp_inbox_free(peer->inbox);
    peer->inbox = NULL;
}

// A stranger has told us nothing yet that is worth keeping more bytes for (threats A4).
static uint32_t frame_limit(const struct amqp_peer *peer)
{
    if (peer->proven)
        return AMQP_FRAME_MAX;
    uint32_t cap = peer->phase < AMQP_AT_OPEN ? AMQP_SASL_BYTES_MAX : AMQP_OPEN_BYTES_MAX;
    return peer->phase_bytes < cap ? cap - peer->phase_bytes : 0;
}

static void too_large(struct amqp_peer *peer, uint32_t size)
{
    if (peer->proven)
        amqp_break(peer, "amqp:connection:framing-error", "a frame of %u bytes; the most is %d", size,
                   AMQP_FRAME_MAX);
    else
        amqp_break(peer, "amqp:resource-limit-exceeded",
                   "a frame of %u bytes after %u; the most is %d until %s", size, peer->phase_bytes,
                   peer->phase < AMQP_AT_OPEN ? AMQP_SASL_BYTES_MAX : AMQP_OPEN_BYTES_MAX,
                   peer->phase < AMQP_AT_OPEN ? "SASL is over" : "a link is accepted");
}

// How many bytes there have to be at the start of `have` before they can be looked at. The peer may be broken
// afterwards.
static size_t size_of_next(struct amqp_peer *peer, struct slice have)
{
    if (peer->phase == AMQP_AT_HEADER || peer->phase == AMQP_AT_PLAIN_HEADER)
        return AMQP_PROTOCOL_HEADER;
    if (have.len < AMQP_FRAME_HEADER)
        return AMQP_FRAME_HEADER;
    struct cursor c = cursor_over(have);
    uint32_t size = cursor_u32(&c);
    uint32_t offset = cursor_u8(&c);
    uint8_t type = cursor_u8(&c);
    if (offset < DATA_OFFSET_MIN || size < 4 * offset)
        amqp_break(peer, "amqp:connection:framing-error", "a frame of %u bytes with its body at word %u",
                   size, offset);
    else if (type != (in_sasl(peer) ? AMQP_SASL_FRAME : AMQP_PLAIN_FRAME))
        amqp_break(peer, "amqp:connection:framing-error", "a frame of type %u %s SASL", type,
                   in_sasl(peer) ? "during" : "outside of");
    else if (size > frame_limit(peer))
        too_large(peer, size);
    return size;
}

// Who the peer may be: words for the log.
static const char *foreign(uint8_t first)
{
    if (first == 0x10)
        return "; MQTT begins like this: a wrong port?";
    return first >= 'A' && first <= 'Z' ? "; HTTP begins like this: a wrong port?" : "";
}

static void refuse_header(struct amqp_peer *peer, struct slice h)
{
    struct slice ours = peer->phase == AMQP_AT_PLAIN_HEADER || h.at[4] != 3 ? plain_header : sasl_header;
    buf_bytes(&peer->out, ours); // AMQP 1.0, 2.2: and the connection is closed
    if (slice_starts_with(h, SLICE("AMQP")))
        amqp_break(peer, "amqp:connection:framing-error", "AMQP protocol %u, version %u.%u.%u%s", h.at[4],
                   h.at[5], h.at[6], h.at[7], peer->phase == AMQP_AT_PLAIN_HEADER ? " after SASL" : "");
    else
        amqp_break(peer, "amqp:connection:framing-error",
                   "not AMQP: begins with %02x %02x %02x %02x %02x %02x %02x %02x%s", h.at[0], h.at[1],
                   h.at[2], h.at[3], h.at[4], h.at[5], h.at[6], h.at[7], foreign(h.at[0]));
}

static void take_header(struct amqp_peer *peer, struct slice header)
{
    bool sasl = peer->phase == AMQP_AT_HEADER && slice_equal(header, sasl_header);
    if (!sasl && !slice_equal(header, plain_header)) {
        refuse_header(peer, header);
        return;
    }
    if (sasl) {
        buf_bytes(&peer->out, sasl_header);
        amqp_sasl_offer(peer);
        peer->phase = AMQP_AT_SASL_INIT;
        peer->sasl = true;
        return;
    }
    buf_bytes(&peer->out, plain_header);
    peer->phase = AMQP_AT_OPEN;
    peer->phase_bytes = 0;
}

static bool read_frame(struct slice bytes, struct amqp_frame *out)
{
    struct slice body = slice_from(bytes, (size_t)bytes.at[4] * 4);
    struct cursor c = cursor_over(body);
    struct amqp_value performative;
    out->channel = (uint16_t)(bytes.at[6] << 8 | bytes.at[7]);
    if (!amqp_value_read(&c, &performative) || !performative.described || !amqp_is_list(&performative) ||
        performative.descriptor == UINT64_MAX)
        return false;
    out->what = performative.descriptor;
    out->payload = c.rest;
    return amqp_list_read(&performative, out->fields, AMQP_FIELDS_MAX);
}

static void take_frame(struct amqp_peer *peer, struct slice bytes)
{
    struct amqp_frame f;
    bool empty = bytes.len == (size_t)bytes.at[4] * 4;
    if (empty && peer->phase == AMQP_AT_FRAMES)
        return; // a sign of life
    if (!read_frame(bytes, &f))
        amqp_break_field(peer, "a frame's body is malformed, too deep or of too many values");
    else if (f.what != AMQP_TRANSFER && !slice_empty(f.payload))
        amqp_break_field(peer, "a frame with more behind its performative");
    else
        amqp_take_frame(peer, &f);
}

// Keeps what comes while an answer is outstanding.
static void hold(struct amqp_peer *peer, struct slice *in)
{
    size_t cap = peer->proven ? AMQP_HELD_MAX : AMQP_OPEN_BYTES_MAX;
    size_t ahead = peer->held.len - peer->frame;
    if (in->len > cap - (ahead < cap ? ahead : cap)) {
        amqp_break(peer, "amqp:resource-limit-exceeded", "more than %zu bytes without waiting for an answer",
                   cap);
        return;
    }
    buf_bytes(&peer->held, *in);
    *in = slice_from(*in, in->len);
}

// Completes what is held to `need` bytes; false: they are not there yet.
static bool gather(struct amqp_peer *peer, size_t need, struct slice *in)
{
    if (peer->held.len >= need || slice_empty(*in))
        return peer->held.len >= need;
    size_t len = need - peer->held.len < in->len ? need - peer->held.len : in->len;
    if (buf_reserve(&peer->held, need - peer->held.len) != NULL)
        buf_bytes(&peer->held, slice_to(*in, len));
    *in = slice_from(*in, len);
    return peer->held.len >= need;
}

static void step(struct amqp_peer *peer, size_t size)
{
    struct slice unit = slice_to(buf_slice(&peer->held), size);
    peer->frame = size;
    peer->phase_bytes += peer->proven ? 0 : (uint32_t)size;
    if (peer->phase == AMQP_AT_HEADER || peer->phase == AMQP_AT_PLAIN_HEADER)
        take_header(peer, unit);
    else
        take_frame(peer, unit);
}

void amqp_advance(struct amqp_peer *peer, struct slice *in)
{
    while (!peer->over && !event_waits(peer)) {
        if (peer->blocked) {
            if (in_sasl(peer)) // a secret does not wait for its answer; an attach does, which repeats it
                drop_frame(peer);
            hold(peer, in);
            break;
        }
        drop_frame(peer);
        amqp_links_reap(peer);
        size_t size = size_of_next(peer, buf_slice(&peer->held));
        if (peer->over)
            break;
        if (!gather(peer, size, in)) {
            if (peer->held.broken != 0)
                amqp_break(peer, "amqp:internal-error", "out of memory");
            break;
        }
        if (size == AMQP_FRAME_HEADER && peer->phase != AMQP_AT_HEADER && peer->phase != AMQP_AT_PLAIN_HEADER)
            size = size_of_next(peer, buf_slice(&peer->held));
        if (!peer->over && gather(peer, size, in))
            step(peer, size);
    }
    buf_shrink(&peer->held);
    if (peer->over)
        *in = slice_from(*in, in->len);
}
