// Fuzzes the AMQP engine: the first byte says in what pieces the rest arrives and how a small front answers
// it. Beyond not crashing: the same is noticed whole and in pieces, what is kept stays within the caps, and
// nothing is noticed after the end.
#include "wire/amqp/testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DENY = 1, REJECT = 2, HOLD = 4, WITHOUT_HEADERS = 8 };

// Up to two links, so that the fuzzer need not find all of that by itself.
static const uint8_t preamble[] = "AMQP\0\1\0\0"
                                  "\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1\xa1\1c"
                                  "\0\0\0\x16\2\0\0\0\0\x53\x11\xc0\x09\4\x40\x43\x52\x64\x52\x64\x40";

static void finish(struct amqp_stage *stage)
{
    struct amqp_event event;
    for (size_t i = 0; i < stage->kept_count && i % 2 == 0; i++)
        amqp_accept(stage->kept[i]);
    (void)amqp_tick(stage->peer, 1);
    (void)amqp_tick(stage->peer, 1000000);
    amqp_stage_events(stage);
    if (amqp_is_over(stage->peer))
        INVARIANT(!amqp_next(stage->peer, &event));
    INVARIANT(stage->out.broken == 0 && stage->said.broken == 0);
}

static void run(struct slice bytes, uint8_t control, size_t split, struct amqp_stage *stage)
{
    amqp_stage_init(stage);
    stage->split = split;
    stage->deny = control & DENY;
    stage->reject = control & REJECT;
    stage->hold = control & HOLD;
    if (control & WITHOUT_HEADERS)
        amqp_stage_feed(stage, slice_of(preamble, sizeof preamble - 1));
    amqp_stage_feed(stage, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 1 << 17)
        return 0;
    struct slice bytes = slice_of(data + 1, size - 1);
    struct amqp_stage whole, pieces;
    run(bytes, data[0], 0, &whole);
    run(bytes, data[0], (size_t)(data[0] >> 4) + 1, &pieces);
    INVARIANT(amqp_is_over(whole.peer) == amqp_is_over(pieces.peer));
    INVARIANT(slice_equal(buf_slice(&whole.said), buf_slice(&pieces.said)));
    finish(&whole);
    finish(&pieces);
    amqp_stage_release(&whole);
    amqp_stage_release(&pieces);
    return 0;
}
