// Fuzzes the AMQP engine: the first byte says how a small front answers the rest, and what it does of its own
// accord when half of that has come. Beyond not crashing: the same is noticed whole and in pieces, what is
// kept stays within the caps, what is sent is whole frames that proton reads and none after a close, and
// nothing is noticed after the end.
#include <proton/codec.h>

#include "base/cursor.h"
#include "wire/amqp/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DENY = 1, REJECT = 2, HOLD = 4, WITHOUT_HEADERS = 8 };
enum { TALK = 16, CLOSE = 32, LIMIT = 64, SLOW = 128 }; // half-way; SLOW: nothing is answered before

// Up to a session, so that the fuzzer need not find all of that by itself.
static const uint8_t preamble[] = "AMQP\0\1\0\0"
                                  "\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1\xa1\1c"
                                  "\0\0\0\x14\2\0\0\0\0\x53\x11\xc0\7\4\x40\x43\x52\x64\x52\x64";

enum { ATTACH = 0x12, TRANSFER = 0x14, CLOSED = 0x18 };

// A body is what proton reads too, and no more. Attaches are not looked into: they repeat what the peer said
// its source and target are, odd as that may be.
static void check_body(uint8_t what, struct slice body)
{
    if (what == ATTACH)
        return;
    pn_data_t *data = pn_data(16);
    ssize_t len = pn_data_decode(data, (const char *)body.at, body.len);
    INVARIANT(len > 0 && (what == TRANSFER || (size_t)len == body.len));
    pn_data_free(data);
}

static void check_output(struct slice out)
{
    uint8_t what = 0;
    while (!slice_empty(out)) {
        if (slice_starts_with(out, SLICE("AMQP"))) {
            out = slice_from(out, 8);
            continue;
        }
        struct cursor c = cursor_over(out);
        uint32_t size = cursor_u32(&c);
        INVARIANT(size >= 8 && size <= out.len && what != CLOSED);
        struct slice body = slice_from(slice_to(out, size), 8);
        out = slice_from(out, size);
        if (slice_empty(body))
            continue;
        INVARIANT(slice_starts_with(body, slice_of("\0\x53", 2)) && body.len > 2);
        what = body.at[2];
        check_body(what, body);
    }
}

static void finish(struct amqp_stage *stage)
{
    struct amqp_event event;
    for (size_t i = 0; i < stage->kept_count; i += 2)
        amqp_accept(stage->kept[i]);
    (void)amqp_tick(stage->peer, 1);
    (void)amqp_tick(stage->peer, 100000);
    (void)amqp_tick(stage->peer, 1000000);
    amqp_stage_events(stage);
    if (amqp_is_over(stage->peer))
        INVARIANT(!amqp_next(stage->peer, &event));
    INVARIANT(stage->out.broken == 0 && stage->said.broken == 0);
    check_output(buf_slice(&stage->out));
}

// More messages than may wait, each of more bytes than the smallest frame has.
static void talk(struct amqp_stage *stage)
{
    static const uint8_t body[1200];
    for (int i = 0; i <= AMQP_UNSENT_MAX && stage->to_peer != NULL; i++)
        (void)amqp_send(stage->to_peer, NULL, NULL, 0, slice_of(body, sizeof body));
}

static void midway(struct amqp_stage *stage, uint8_t control)
{
    if (stage->silent) {
        stage->silent = false;
        amqp_sasl_end(stage->peer, !stage->deny);
        amqp_open(stage->peer);
        amqp_stage_events(stage);
    }
    if (control & TALK)
        talk(stage);
    if (control & LIMIT)
        amqp_limit(stage->peer, 100);
    if (control & CLOSE)
        amqp_close(stage->peer, SLICE("amqp:connection:forced"), SLICE("stopping"));
    amqp_stage_events(stage);
}

static void run(struct slice bytes, uint8_t control, size_t split, struct amqp_stage *stage)
{
    amqp_stage_init(stage);
    stage->split = split;
    stage->deny = control & DENY;
    stage->reject = control & REJECT;
    stage->hold = control & HOLD;
    stage->silent = control & SLOW;
    if (control & WITHOUT_HEADERS)
        amqp_stage_feed(stage, slice_of(preamble, sizeof preamble - 1));
    amqp_stage_feed(stage, slice_to(bytes, bytes.len / 2));
    midway(stage, control);
    amqp_stage_feed(stage, slice_from(bytes, bytes.len / 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 1 << 17)
        return 0;
    struct slice bytes = slice_of(data + 1, size - 1);
    struct amqp_stage whole, pieces;
    run(bytes, data[0], 0, &whole);
    run(bytes, data[0], size % 16 + 1, &pieces);
    INVARIANT(amqp_is_over(whole.peer) == amqp_is_over(pieces.peer));
    INVARIANT(amqp_is_amid(whole.peer) == amqp_is_amid(pieces.peer));
    INVARIANT(slice_equal(buf_slice(&whole.said), buf_slice(&pieces.said)));
    finish(&whole);
    finish(&pieces);
    amqp_stage_release(&whole);
    amqp_stage_release(&pieces);
    return 0;
}
