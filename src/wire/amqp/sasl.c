// SASL's server side (AMQP 1.0 part 5): what is offered, asked and decided, as frames of one field each. Who
// is admitted is the caller's to know. proton hears of a peer only behind SASL, so that strangers cost
// little.
#include "wire/amqp/internal.h"

enum sasl_performative { MECHANISMS = 0x40, CHALLENGE = 0x42, OUTCOME = 0x44 };
enum sasl_outcome { OUTCOME_OK, OUTCOME_AUTH };

enum { SASL_FRAME = 1, DATA_OFFSET = 2 };

// A frame but for the `len` bytes of its only field, which the caller appends.
static struct buf *begin_frame(struct amqp_peer *peer, enum sasl_performative what, size_t len)
{
    enum { DESCRIPTOR = 3, CODE = 1 };
    struct buf *out = &peer->out;
    bool brief = 1 + len <= UINT8_MAX; // the list's size and count are of one byte each, or of four
    size_t width = brief ? 1 : 4;
    buf_u32(out, (uint32_t)(AMQP_FRAME_HEADER + DESCRIPTOR + CODE + 2 * width + len));
    buf_u8(out, DATA_OFFSET);
    buf_u8(out, SASL_FRAME);
    buf_u16(out, 0);
    buf_u8(out, AMQP_DESCRIBED);
    buf_u8(out, AMQP_SMALLULONG);
    buf_u8(out, (uint8_t)what);
    buf_u8(out, brief ? AMQP_LIST8 : AMQP_LIST32);
    if (brief) {
        buf_u8(out, (uint8_t)(width + len));
        buf_u8(out, 1);
    } else {
        buf_u32(out, (uint32_t)(width + len));
        buf_u32(out, 1);
    }
    return out;
}

void amqp_sasl_offer(struct amqp_peer *peer)
{
    struct slice names = slice_text(peer->settings->mechanisms), name;
    unsigned count = 1;
    for (size_t i = 0; i < names.len; i++)
        count += names.at[i] == ' ';
    // Count and code; a length before each name, which for all but the first takes the place of a blank.
    size_t size = 2 + 1 + names.len;
    struct buf *out = begin_frame(peer, MECHANISMS, 2 + size);
    buf_u8(out, AMQP_ARRAY8);
    buf_u8(out, (uint8_t)size);
    buf_u8(out, (uint8_t)count);
    buf_u8(out, AMQP_SYMBOL8);
    while (slice_cut(&names, ' ', &name)) {
        buf_u8(out, (uint8_t)name.len);
        buf_bytes(out, name);
    }
}

static bool is_waiting(const struct amqp_peer *peer)
{
    return !peer->over && peer->blocked &&
           (peer->phase == AMQP_AT_SASL_INIT || peer->phase == AMQP_AT_SASL_ANSWER);
}

void amqp_sasl_challenge(struct amqp_peer *peer, struct slice bytes)
{
    INVARIANT(bytes.len <= AMQP_CHALLENGE_MAX);
    if (!is_waiting(peer))
        return;
    struct buf *out = begin_frame(peer, CHALLENGE, 1 + sizeof(uint32_t) + bytes.len);
    buf_u8(out, AMQP_BINARY32);
    buf_u32(out, (uint32_t)bytes.len);
    buf_bytes(out, bytes);
    peer->phase = AMQP_AT_SASL_ANSWER;
    peer->blocked = false;
}

void amqp_sasl_end(struct amqp_peer *peer, bool admitted)
{
    if (!is_waiting(peer))
        return;
    struct buf *out = begin_frame(peer, OUTCOME, 2);
    buf_u8(out, AMQP_UBYTE);
    buf_u8(out, admitted ? OUTCOME_OK : OUTCOME_AUTH);
    peer->phase = AMQP_AT_PLAIN_HEADER;
    peer->over = !admitted;
    peer->blocked = false;
}
