// What peers may do that is seldom done: each is heard as AMQP 1.0 says, in any order, and nobody is told
// more than it takes.
#include <string.h>

#include "wire/amqp/amqp_test.h"
#include "wire/amqp/internal.h"

struct scene {
    struct buf b;
    struct amqp_stage s;
};

static void scene_init(struct scene *x)
{
    x->b = buf_capped(1 << 20);
    amqp_stage_init(&x->s);
}

static void scene_feed(struct scene *x)
{
    amqp_stage_feed(&x->s, buf_slice(&x->b));
    buf_clear(&x->b);
}

static void scene_release(struct scene *x)
{
    amqp_stage_release(&x->s);
    buf_release(&x->b);
}

// amqp_tick says that the peer hears from us twice as often as it asks.
static void a_peer_never_waits_longer_than_it_asked(void **state)
{
    (void)state;
    struct scene x;
    scene_init(&x);
    put_header(&x.b, false);
    amqp_frame(&x.b, 0, 0, "DL[SSIHI]", (uint64_t)0x10, "c", "h", 65536, 10, 10000);
    scene_feed(&x);
    int64_t next = amqp_tick(x.s.peer, 1000);
    put_begin(&x.b, 0); // answered a millisecond later
    scene_feed(&x);
    int64_t spoke = 1001;
    buf_clear(&x.s.out);
    while (x.s.out.len == 0) { // called a millisecond late each time, as by a timer
        int64_t now = next + 1;
        next = amqp_tick(x.s.peer, now);
        amqp_stage_events(&x.s);
        if (x.s.out.len > 0)
            assert_in_range(now - spoke, 1, 10000);
    }
    scene_release(&x);
}

// AMQP 1.0, 2.4.1: an open is the first frame, however long its answer takes.
static void no_sign_of_life_comes_before_our_open(void **state)
{
    (void)state;
    struct scene x;
    scene_init(&x);
    x.s.silent = true;
    put_header(&x.b, false);
    amqp_frame(&x.b, 0, 0, "DL[SSIHI]", (uint64_t)0x10, "c", "h", 65536, 10, 1000);
    scene_feed(&x);
    for (int64_t now = 1000; now < 10000; now += 500)
        (void)amqp_tick(x.s.peer, now);
    amqp_stage_events(&x.s);
    assert_int_equal(x.s.out.len, 8); // the protocol header
    amqp_open(x.s.peer);
    for (int64_t now = 10000; now < 12000; now += 500)
        (void)amqp_tick(x.s.peer, now);
    amqp_stage_events(&x.s);
    assert_true(was_sent(&x.s, 0x10));
    assert_true(slice_ends_with(buf_slice(&x.s.out), SLICE("\0\0\0\10\2\0\0\0")));
    scene_release(&x);
}

// Of a peer that tells what it took so far, while nothing was sent: does it get the answer to a message?
static void is_answered_behind_a_flow(uint32_t frames, uint32_t messages)
{
    struct scene x;
    scene_init(&x);
    put_sender(&x.b);
    put_attach(&x.b, "r", 1, true, "a");
    amqp_frame(&x.b, 0, 0, "DL[IIIIIII]", (uint64_t)0x13, frames, 100, 0, 100, 1, messages, 10);
    put_transfer(&x.b, 0, 0);
    scene_feed(&x);
    assert_true(was_sent(&x.s, 0x14));
    scene_release(&x);
}

// The C SDK's client (uamqp) counts transfer frames where it should count messages: its delivery-count is
// ahead of ours behind a message of two frames. Its credit is from there on, and not nothing.
static void credit_of_a_peer_whose_count_is_ahead_is_credit(void **state)
{
    (void)state;
    is_answered_behind_a_flow(0, 1);
}

static void a_window_from_a_number_ahead_is_a_window(void **state)
{
    (void)state;
    is_answered_behind_a_flow(1, 0);
}

// What a device proves itself with is forgotten as soon as more comes, whether it was judged by then or not.
static void a_token_is_not_kept_while_its_answer_is_outstanding(void **state)
{
    (void)state;
    struct scene x;
    scene_init(&x);
    x.s.silent = true;
    put_header(&x.b, true);
    amqp_frame(&x.b, 1, 0, "DL[szS]", (uint64_t)0x41, "PLAIN", (size_t)9, "\0u\0token.", "h");
    scene_feed(&x);
    put_header(&x.b, false);
    scene_feed(&x);
    assert_true(slice_equal(buf_slice(&x.s.peer->held), slice_of("AMQP\0\1\0\0", 8)));
    scene_release(&x);
}

// AMQP 1.0, 2.7.2: handle-max is the highest handle that may be used towards who tells it. Which ones it uses
// itself is for ours to say, and we say none.
static void a_peer_may_use_handles_above_what_it_takes_itself(void **state)
{
    (void)state;
    struct scene x;
    scene_init(&x);
    put_header(&x.b, false);
    put_open(&x.b);
    amqp_frame(&x.b, 0, 0, "DL[nIIII]", (uint64_t)0x11, 0, 100, 100, 1); // handle-max 1: two links
    put_attach(&x.b, "one", 7, true, "a");
    put_attach(&x.b, "two", 8, false, "a");
    scene_feed(&x);
    assert_false(amqp_is_over(x.s.peer));
    scene_release(&x);
}

// What was taken for sending is sent whole once there is credit; the rest the caller is told of.
static void more_than_the_output_has_room_for_is_not_taken_for_sending(void **state)
{
    (void)state;
    static uint8_t body[60000];
    struct scene x;
    unsigned taken = 0;
    scene_init(&x);
    put_header(&x.b, false);
    amqp_frame(&x.b, 0, 0, "DL[SSI]", (uint64_t)0x10, "c", "h", 65536);
    put_begin(&x.b, 0);
    put_attach(&x.b, "r", 0, true, "a");
    scene_feed(&x);
    struct err err = OK;
    for (int i = 0; i < AMQP_UNSENT_MAX && !failed(err); i++) {
        err = amqp_send(x.s.to_peer, NULL, NULL, 0, slice_of(body, sizeof body));
        taken += !failed(err);
    }
    assert_int_equal(err.code, ERR_CAPPED);
    assert_in_range(taken, 1, AMQP_UNSENT_BYTES_MAX / sizeof body);
    buf_clear(&x.s.out);
    amqp_frame(&x.b, 0, 0, "DL[IIIIIII]", (uint64_t)0x13, 0, 100, 0, 100, 0, 0, 100);
    scene_feed(&x);
    assert_false(amqp_is_over(x.s.peer));
    assert_in_range(x.s.out.len, taken * sizeof body, taken * (sizeof body + 100));
    scene_release(&x);
}

static void an_empty_data_section_at_the_end_is_nothing(void **state)
{
    (void)state;
    struct scene x;
    scene_init(&x);
    put_sender(&x.b);
    amqp_frame_with(&x.b, 0, SLICE("\0\x53\x75\xa0\2{}\0\x53\x75\xa0\0"), TRANSFER_FORMAT, (uint64_t)0x14, 0,
                    0, (size_t)1, "t", 0);
    scene_feed(&x);
    assert_true(slice_ends_with(buf_slice(&x.s.said), SLICE("kind=1 body={}\n")));
    scene_release(&x);
}

// uamqp writes an error to its log when an attach has no max-message-size.
static void every_attach_says_the_largest_message(void **state)
{
    (void)state;
    struct scene x;
    scene_init(&x);
    put_header(&x.b, false);
    put_open(&x.b);
    put_begin(&x.b, 0);
    scene_feed(&x);
    buf_clear(&x.s.out);
    put_attach(&x.b, "r", 0, true, "a");
    scene_feed(&x);
    assert_int_equal(x.s.out.at[10], 0x12);
    assert_in_range(x.s.out.at[13], 11, 14); // fields: at least up to max-message-size
    scene_release(&x);
}

// Clients read the description of a rejection as JSON: half of one is worth nothing.
static void a_description_that_does_not_fit_is_not_cut_within_a_character(void **state)
{
    (void)state;
    char text[700];
    struct scene x;
    scene_init(&x);
    x.s.hold = true;
    put_header(&x.b, false);
    amqp_frame(&x.b, 0, 0, "DL[SSI]", (uint64_t)0x10, "c", "h", 512);
    put_begin(&x.b, 0);
    put_attach(&x.b, "s", 0, false, "a");
    put_transfer(&x.b, 0, 0);
    scene_feed(&x);
    buf_clear(&x.s.out);
    memcpy(text, "{\"x", 3);
    for (size_t i = 3; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2); // characters of two bytes that begin at odd places
    amqp_reject(x.s.kept[0], SLICE("amqp:internal-error"), slice_of(text, sizeof text - 1), 0);
    amqp_stage_events(&x.s);
    assert_true(x.s.out.len <= 512);
    assert_int_not_equal(x.s.out.at[x.s.out.len - 1], 0xc3);
    scene_release(&x);
}

static uint32_t dice(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % sides;
}

enum { CHANNELS = 2, HANDLES = 3 };

// What the peer knows of itself.
struct peer_model {
    bool begun[CHANNELS];
    bool attached[CHANNELS][HANDLES]; // handle 0 sends, the others receive
    bool amid[CHANNELS];
    int credit[CHANNELS];
    uint32_t id[CHANNELS];
};

// A frame that is allowed, or none.
static void put_any(struct buf *b, uint64_t *seed, struct peer_model *m)
{
    static const uint8_t part[9000];
    uint16_t c = (uint16_t)dice(seed, CHANNELS);
    uint32_t h = dice(seed, HANDLES), count = dice(seed, 4);
    char name[2] = {(char)('a' + h), 0};
    bool nowhere = dice(seed, 6) == 0, more = dice(seed, 3) == 0, aborted = dice(seed, 6) == 0;
    uint32_t kind = dice(seed, 14);
    if (!m->begun[c]) {
        put_begin(b, c);
        m->begun[c] = true;
        m->id[c] = 0;
        return;
    }
    if (kind == 0 && dice(seed, 3) == 0) {
        amqp_frame(b, 0, c, "DL[]", (uint64_t)0x17);
        m->begun[c] = m->amid[c] = false;
        memset(m->attached[c], 0, sizeof m->attached[c]);
        return;
    }
    if (!m->attached[c][h]) {
        amqp_frame(b, 0, c, ATTACH_FORMAT, (uint64_t)0x12, name, h, h != 0, (uint64_t)0x28,
                   nowhere && h != 0 ? "nowhere" : "a", (uint64_t)0x29, nowhere && h == 0 ? "nowhere" : "a",
                   0, UINT64_MAX);
        m->attached[c][h] = true;
        if (h == 0)
            m->credit[c] = AMQP_CREDIT;
        return;
    }
    if (kind == 1) {
        amqp_frame(b, 0, c, "DL[Io]", (uint64_t)0x16, h, dice(seed, 2));
        m->attached[c][h] = false;
        if (h == 0) {
            m->id[c] += m->amid[c];
            m->amid[c] = false;
        }
    } else if (kind < 6) {
        amqp_frame(b, 0, c, "DL[IIIIIIIIoo]", (uint64_t)0x13, count, dice(seed, 3), 0, 100, h, count,
                   dice(seed, 4) ? dice(seed, 12) : UINT32_MAX, 0, dice(seed, 4) == 0, dice(seed, 2));
    } else if (m->attached[c][0] && (m->amid[c] || m->credit[c] > 0)) {
        if (!m->amid[c])
            m->credit[c]--;
        amqp_frame_with(b, c, more || m->amid[c] ? slice_of(part, dice(seed, sizeof part)) : DATA_SECTION,
                        "DL[IIzIoonnno]", (uint64_t)0x14, 0, m->id[c], (size_t)1, "t", 0, dice(seed, 2),
                        more || (m->amid[c] && !aborted),
                        aborted); // what begins in zeros is never ended but aborted
        m->amid[c] = (more || m->amid[c]) && !aborted;
        if (!m->amid[c])
            m->id[c]++;
    }
}

// For the sanitizers: whatever order things come in, and however late the answers.
static void any_order_of_frames_and_answers_is_survived(void **state)
{
    (void)state;
    size_t steps = 0;
    for (uint64_t round = 0; round < 500; round++) {
        uint64_t seed = round * 7919 + 1;
        struct peer_model model = {0};
        struct scene x;
        scene_init(&x);
        x.s.hold = dice(&seed, 2);
        x.s.split = dice(&seed, 3) * 11;
        put_header(&x.b, false);
        amqp_frame(&x.b, 0, 0, "DL[SSI]", (uint64_t)0x10, "c", "h", dice(&seed, 2) ? 512 : 65536);
        scene_feed(&x);
        for (int i = 0; i < 120 && !amqp_is_over(x.s.peer); i++, steps++) {
            put_any(&x.b, &seed, &model);
            if (dice(&seed, 2))
                scene_feed(&x);
            struct slice said = buf_slice(&x.s.said);
            if (slice_find(said, SLICE("detached")) < said.len)
                x.s.kept_count = 0; // of links that may be gone: what was kept is not to be touched
            buf_clear(&x.s.said);
            while (x.s.kept_count > 0 && dice(&seed, 3) == 0)
                amqp_accept(x.s.kept[--x.s.kept_count]);
            if (x.s.to_peer != NULL && dice(&seed, 3) == 0)
                (void)amqp_send(x.s.to_peer, NULL, NULL, 0, slice_of("hello", 5));
            (void)amqp_tick(x.s.peer, 1000 * (int64_t)(i + 1));
        }
        scene_release(&x);
    }
    assert_true(steps > 10000); // they are not all refused at once
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_never_waits_longer_than_it_asked),
        cmocka_unit_test(no_sign_of_life_comes_before_our_open),
        cmocka_unit_test(credit_of_a_peer_whose_count_is_ahead_is_credit),
        cmocka_unit_test(a_window_from_a_number_ahead_is_a_window),
        cmocka_unit_test(a_token_is_not_kept_while_its_answer_is_outstanding),
        cmocka_unit_test(a_peer_may_use_handles_above_what_it_takes_itself),
        cmocka_unit_test(more_than_the_output_has_room_for_is_not_taken_for_sending),
        cmocka_unit_test(an_empty_data_section_at_the_end_is_nothing),
        cmocka_unit_test(every_attach_says_the_largest_message),
        cmocka_unit_test(a_description_that_does_not_fit_is_not_cut_within_a_character),
        cmocka_unit_test(any_order_of_frames_and_answers_is_survived),
    };
    return cmocka_run_group_tests_name("amqp rules", tests, NULL, NULL);
}
