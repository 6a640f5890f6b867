// What a peer is sent while it takes little: its window, its credit, its frame size and its settle modes are
// kept, and it hears where things stand when it asks. What peers may send is flow_test.c's and
// refusal_test.c's.
#include "wire/amqp/amqp_test.h"
#include "wire/amqp/client_test.h"

// ---- what was sent

// How many frames with this performative; last, unless NULL: what is in the last of them.
static unsigned sent(const struct amqp_stage *stage, uint8_t what, pn_data_t *last)
{
    unsigned count = 0;
    struct slice frame;
    for (struct slice rest = buf_slice(&stage->out); cut_frame(&rest, &frame);) {
        if (frame.len < 11 || frame.at[10] != what)
            continue;
        count++;
        if (last == NULL)
            continue;
        pn_data_clear(last);
        assert_true(pn_data_decode(last, (const char *)frame.at + 8, frame.len - 8) > 0);
    }
    return count;
}

static size_t largest_sent(const struct amqp_stage *stage)
{
    size_t most = 0;
    struct slice frame;
    for (struct slice rest = buf_slice(&stage->out); cut_frame(&rest, &frame);)
        most = frame.len > most ? frame.len : most;
    return most;
}

static uint8_t last_sent(const struct amqp_stage *stage)
{
    uint8_t what = 0;
    struct slice frame;
    for (struct slice rest = buf_slice(&stage->out); cut_frame(&rest, &frame);)
        what = frame.len > 10 ? frame.at[10] : 0;
    return what;
}

struct flow {
    uint32_t next_incoming, next_outgoing, handle, count, credit;
    bool of_link, drain;
};

static struct flow last_flow(const struct amqp_stage *stage)
{
    struct flow f = {0};
    pn_data_t *data = pn_data(16);
    assert_true(sent(stage, 0x13, data) > 0);
    assert_int_equal(pn_data_scan(data, "D.[I.I.?III.o]", &f.next_incoming, &f.next_outgoing, &f.of_link,
                                  &f.handle, &f.count, &f.credit, &f.drain),
                     0);
    pn_data_free(data);
    return f;
}

// ---- a peer made by hand

static void feed(struct amqp_stage *stage, struct buf *bytes)
{
    amqp_stage_feed(stage, buf_slice(bytes));
    buf_release(bytes);
}

// A stage and a peer that takes frames of 512 bytes, and receives on handle 0, without credit so far.
static void receiver_init(struct amqp_stage *stage, uint32_t window)
{
    struct buf b = buf_capped(1 << 16);
    amqp_stage_init(stage);
    put_header(&b, false);
    amqp_frame(&b, 0, 0, "DL[SSI]", (uint64_t)0x10, "c", "dps.example", 512);
    amqp_frame(&b, 0, 0, BEGIN_FORMAT, (uint64_t)0x11, 7, window, 100);
    put_attach(&b, "r", 0, true, "a");
    feed(stage, &b);
    assert_non_null(stage->to_peer);
}

static void say(struct amqp_stage *stage, unsigned messages)
{
    for (unsigned i = 0; i < messages; i++)
        assert_false(failed(amqp_send(stage->to_peer, NULL, NULL, 0, SLICE("{}"))));
    amqp_stage_events(stage);
}

// Tells that it took `seen` frames and `count` messages so far, and of how many more it takes.
static void flow(struct amqp_stage *stage, uint32_t seen, uint32_t window, uint32_t count, uint32_t credit,
                 bool drain)
{
    struct buf b = buf_capped(1 << 10);
    amqp_frame(&b, 0, 0, "DL[IIIIIIIno]", (uint64_t)0x13, seen, window, 7, 100, 0, count, credit, drain);
    feed(stage, &b);
}

// The same of one that has not seen our begin and attach yet.
static void early_flow(struct amqp_stage *stage, uint32_t window, uint32_t credit)
{
    struct buf b = buf_capped(1 << 10);
    amqp_frame(&b, 0, 0, "DL[nIIIInI]", (uint64_t)0x13, window, 7, 100, 0, credit);
    feed(stage, &b);
}

// ---- the tests

// How much of an answer has come so far; it is taken off the link, which opens the window again.
static size_t take_part(struct client *c, struct buf *answer)
{
    char part[1 << 12];
    size_t sum = 0;
    for (ssize_t len; (len = pn_link_recv(c->receiver, part, sizeof part)) > 0; sum += (size_t)len)
        buf_bytes(answer, slice_of(part, (size_t)len));
    return sum;
}

static void an_answer_larger_than_the_window_comes_in_parts(void **state)
{
    (void)state;
    enum { FRAME = 512, WINDOW = 2 };
    static char body[4001];
    memset(body, 'x', sizeof body - 1);
    struct client c;
    struct buf answer = buf_capped(1 << 16);
    client_init(&c, NULL, NULL);
    pn_transport_set_max_frame(c.driver.transport, FRAME);
    client_begin(&c);
    pn_session_set_incoming_capacity(c.session, FRAME * WINDOW);
    client_attach(&c, true, "a");
    client_attach(&c, false, "a");
    send_request(&c, body, text_id("x"));
    run(&c);
    assert_non_null(c.answer);
    unsigned parts = 0;
    while (pn_delivery_partial(c.answer)) {
        assert_in_range(take_part(&c, &answer), FRAME * WINDOW / 2, FRAME * WINDOW);
        run(&c);
        parts++;
    }
    (void)take_part(&c, &answer);
    assert_in_range(parts, 3, 6);
    assert_true(answer.len > sizeof body);
    assert_true(slice_ends_with(buf_slice(&answer), slice_text(body)));
    assert_false(amqp_is_over(c.stage.peer));
    buf_release(&answer);
    client_release(&c);
}

static void a_window_holds_back_what_its_peer_does_not_take_yet(void **state)
{
    (void)state;
    struct amqp_stage stage;
    receiver_init(&stage, 0);
    flow(&stage, 0, 0, 0, 10, false);
    say(&stage, 4);
    assert_int_equal(sent(&stage, 0x14, NULL), 0);
    struct buf b = buf_capped(1 << 10);
    amqp_frame(&b, 0, 0, "DL[IIII]", (uint64_t)0x13, 0, 1, 7, 100); // of the session alone
    feed(&stage, &b);
    assert_int_equal(sent(&stage, 0x14, NULL), 1);
    flow(&stage, 0, 3, 0, 10, false); // of which it has seen none
    assert_int_equal(sent(&stage, 0x14, NULL), 3);
    flow(&stage, 3, 3, 3, 10, false);
    assert_int_equal(sent(&stage, 0x14, NULL), 4);
    amqp_stage_release(&stage);
}

static void a_peer_that_has_not_seen_our_begin_or_attach_gets_no_more_than_it_takes(void **state)
{
    (void)state;
    struct amqp_stage credit, window;
    receiver_init(&credit, 100);
    early_flow(&credit, 100, 3);
    say(&credit, 1);
    early_flow(&credit, 100, 3);
    say(&credit, 5);
    assert_int_equal(sent(&credit, 0x14, NULL), 3);
    amqp_stage_release(&credit);

    receiver_init(&window, 0);
    early_flow(&window, 3, 100);
    say(&window, 1);
    early_flow(&window, 3, 100);
    say(&window, 5);
    assert_int_equal(sent(&window, 0x14, NULL), 3);
    amqp_stage_release(&window);
}

static void a_peer_that_drains_gets_its_credit_back(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    client_begin(&c);
    client_attach(&c, true, "a"); // gives credit for 10
    run(&c);
    pn_link_drain(c.receiver, 0);
    run(&c);
    assert_int_equal(pn_link_credit(c.receiver), 0);
    assert_int_equal(pn_link_drained(c.receiver), 10);
    say(&c.stage, 1);
    run(&c);
    assert_null(c.answer);
    pn_link_set_drain(c.receiver, false);
    pn_link_flow(c.receiver, 1);
    run(&c);
    assert_non_null(c.answer);
    client_release(&c);
}

static void a_drained_peer_is_told_where_the_link_stands(void **state)
{
    (void)state;
    struct amqp_stage stage;
    receiver_init(&stage, 100);
    say(&stage, 2);
    flow(&stage, 0, 100, 0, 5, false);
    assert_int_equal(sent(&stage, 0x13, NULL), 0); // it did not ask
    flow(&stage, 2, 100, 2, 3, true);
    struct flow f = last_flow(&stage);
    assert_true(f.of_link && f.drain);
    assert_int_equal(f.count, 5); // 2 messages, and 3 that will not come
    assert_int_equal(f.credit, 0);
    assert_int_equal(f.next_outgoing, 2);
    assert_int_equal(f.next_incoming, 7);
    amqp_stage_release(&stage);
}

static void what_waits_is_sent_before_the_credit_is_given_back(void **state)
{
    (void)state;
    struct amqp_stage stage;
    receiver_init(&stage, 0);
    say(&stage, 2);
    flow(&stage, 0, 1, 0, 5, true);
    assert_int_equal(sent(&stage, 0x14, NULL), 1);
    assert_int_equal(sent(&stage, 0x13, NULL), 0); // the other one waits for the window
    struct buf b = buf_capped(1 << 10);
    amqp_frame(&b, 0, 0, "DL[IIII]", (uint64_t)0x13, 1, 100, 7, 100); // which opens
    feed(&stage, &b);
    assert_int_equal(sent(&stage, 0x14, NULL), 2);
    struct flow f = last_flow(&stage);
    assert_true(f.of_link && f.drain);
    assert_int_equal(f.count, 5);
    assert_int_equal(f.credit, 0);
    assert_int_equal(last_sent(&stage), 0x13);
    amqp_stage_release(&stage);
}

static void a_peer_that_asks_for_an_echo_gets_one(void **state)
{
    (void)state;
    struct amqp_stage stage;
    struct buf b = buf_capped(1 << 12);
    receiver_init(&stage, 100);
    flow(&stage, 0, 100, 0, 10, false);
    put_attach(&b, "s", 1, false, "a");
    put_transfer(&b, 1, 0); // which is answered
    feed(&stage, &b);
    unsigned before = sent(&stage, 0x13, NULL); // the credit for s

    amqp_frame(&b, 0, 0, "DL[IIIInnnnno]", (uint64_t)0x13, 1, 100, 8, 100, true);
    feed(&stage, &b);
    assert_int_equal(sent(&stage, 0x13, NULL), before + 1);
    struct flow f = last_flow(&stage);
    assert_false(f.of_link);
    assert_int_equal(f.next_incoming, 8); // its own first is 7
    assert_int_equal(f.next_outgoing, 1);

    amqp_frame(&b, 0, 0, "DL[IIIIIIInno]", (uint64_t)0x13, 1, 100, 8, 100, 1, 1, 0, true);
    feed(&stage, &b);
    assert_int_equal(sent(&stage, 0x13, NULL), before + 2);
    f = last_flow(&stage);
    assert_true(f.of_link && !f.drain);
    assert_int_equal(f.handle, 1);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.credit, AMQP_CREDIT - 1);
    amqp_stage_release(&stage);
}

static void a_peer_that_settles_second_is_told_that_we_have_settled(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    client_begin(&c);
    client_attach(&c, true, "a");
    pn_link_set_rcv_settle_mode(c.receiver, PN_RCV_SECOND);
    run(&c);
    assert_int_equal(pn_link_remote_rcv_settle_mode(c.receiver), PN_RCV_SECOND);
    say(&c.stage, 1);
    run(&c);
    assert_non_null(c.answer);
    assert_false(pn_delivery_settled(c.answer));
    pn_delivery_update(c.answer, PN_ACCEPTED);
    run(&c);
    assert_true(pn_delivery_settled(c.answer));
    client_release(&c);
}

static void a_presettled_link_gets_settled_messages(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    client_begin(&c);
    client_attach(&c, true, "a");
    pn_link_set_snd_settle_mode(c.receiver, PN_SND_SETTLED);
    run(&c);
    assert_int_equal(pn_link_remote_snd_settle_mode(c.receiver), PN_SND_SETTLED);
    say(&c.stage, 1);
    run(&c);
    assert_non_null(c.answer);
    assert_true(pn_delivery_settled(c.answer));
    client_release(&c);
}

static void a_settled_message_is_heard_without_a_word_about_its_outcome(void **state)
{
    (void)state;
    for (int settled = 0; settled < 2; settled++) {
        struct amqp_stage stage;
        struct buf b = buf_capped(1 << 12);
        amqp_stage_init(&stage);
        put_sender(&b);
        amqp_frame_with(&b, 0, DATA_SECTION, "DL[IIzIo]", (uint64_t)0x14, 0, 0, (size_t)1, "t", 0, settled);
        feed(&stage, &b);
        assert_true(slice_ends_with(buf_slice(&stage.said), SLICE("body={}\n")));
        assert_int_equal(sent(&stage, 0x15, NULL), settled ? 0 : 1);
        amqp_stage_release(&stage);
    }
}

static void credit_comes_back_once_five_messages_have_their_outcome(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    client_begin(&c);
    client_attach(&c, false, "a");
    run(&c);
    for (int i = 0; i < 20; i++) {
        send_request(&c, "{}", text_id("x"));
        run(&c);
        pn_delivery_settle(c.request);
        assert_int_equal(pn_link_credit(c.sender), AMQP_CREDIT - (i + 1) % 5);
    }
    client_release(&c);
}

static void nothing_larger_than_the_peer_s_frames_is_sent(void **state)
{
    (void)state;
    static char words[3001];
    memset(words, 'w', sizeof words - 1);
    struct amqp_stage stage;
    struct buf b = buf_capped(1 << 12);
    receiver_init(&stage, 100);
    stage.hold = true;
    flow(&stage, 0, 100, 0, 10, false);
    put_attach(&b, "s", 1, false, "a");
    put_transfer(&b, 1, 0);
    feed(&stage, &b);
    assert_false(failed(amqp_send(stage.to_peer, NULL, NULL, 0, slice_text(words))));
    amqp_stage_events(&stage);
    assert_in_range(largest_sent(&stage), 450, 512); // and not much smaller either
    amqp_reject(stage.kept[0], SLICE("amqp:internal-error"), slice_text(words), 5);
    assert_false(amqp_is_over(stage.peer));
    amqp_close(stage.peer, SLICE("amqp:internal-error"), slice_text(words));
    amqp_stage_events(&stage);
    assert_int_equal(sent(&stage, 0x15, NULL), 1);
    assert_int_equal(last_sent(&stage), 0x18);
    assert_true(largest_sent(&stage) <= 512);
    amqp_stage_release(&stage);
}

// Its answer repeats source and target. The peer may itself send larger frames than it takes.
static void an_attach_that_cannot_be_answered_in_its_frames_ends_the_connection(void **state)
{
    (void)state;
    char address[251] = {0};
    memset(address, 'a', sizeof address - 1);
    for (int role = 0; role < 2; role++) {
        struct amqp_stage stage;
        struct buf b = buf_capped(1 << 12);
        amqp_stage_init(&stage);
        put_header(&b, false);
        amqp_frame(&b, 0, 0, "DL[SSI]", (uint64_t)0x10, "c", "dps.example", 512);
        put_begin(&b, 0);
        amqp_frame(&b, 0, 0, ATTACH_FORMAT, (uint64_t)0x12, "link", 0, (bool)role, (uint64_t)0x28, address,
                   (uint64_t)0x29, address, 0, UINT64_MAX);
        feed(&stage, &b);
        assert_non_null(strstr(amqp_why(stage.peer)->text, "amqp:frame-size-too-small"));
        assert_true(amqp_is_over(stage.peer));
        assert_true(output_has(&stage, "amqp:frame-size-too-small"));
        assert_int_equal(sent(&stage, 0x12, NULL), 0);
        assert_int_equal(last_sent(&stage), 0x18);
        assert_true(largest_sent(&stage) <= 512);
        amqp_stage_release(&stage);
    }
}

// AMQP 1.0, 2.4.3: a close is the last thing that is written.
static void nothing_comes_behind_a_close(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        struct amqp_stage stage;
        struct buf b = buf_capped(1 << 12);
        amqp_stage_init(&stage);
        stage.hold = true;
        put_header(&b, false);
        amqp_frame(&b, 0, 0, "DL[SSnnI]", (uint64_t)0x10, "c", "dps.example", 2000);
        put_begin(&b, 0);
        put_attach(&b, "s", 0, false, "a");
        for (uint32_t i = 0; i < AMQP_CREDIT; i++)
            put_transfer(&b, 0, i);
        feed(&stage, &b);
        (void)amqp_tick(stage.peer, 1);
        if (!ours)
            put_close(&b);
        else
            amqp_close(stage.peer, (struct slice){0}, (struct slice){0});
        feed(&stage, &b);
        amqp_stage_events(&stage);
        assert_int_equal(last_sent(&stage), 0x18);
        buf_clear(&stage.out);
        for (size_t i = 0; i < AMQP_CREDIT; i++) // the credit would come back
            amqp_accept(stage.kept[i]);
        for (int64_t now = 2; now < 10000; now += 999) // and a sign of life be due
            (void)amqp_tick(stage.peer, now);
        amqp_stage_events(&stage);
        assert_int_equal(stage.out.len, 0);
        amqp_stage_release(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_larger_than_the_window_comes_in_parts),
        cmocka_unit_test(a_window_holds_back_what_its_peer_does_not_take_yet),
        cmocka_unit_test(a_peer_that_has_not_seen_our_begin_or_attach_gets_no_more_than_it_takes),
        cmocka_unit_test(a_peer_that_drains_gets_its_credit_back),
        cmocka_unit_test(a_drained_peer_is_told_where_the_link_stands),
        cmocka_unit_test(what_waits_is_sent_before_the_credit_is_given_back),
        cmocka_unit_test(a_peer_that_asks_for_an_echo_gets_one),
        cmocka_unit_test(a_peer_that_settles_second_is_told_that_we_have_settled),
        cmocka_unit_test(a_presettled_link_gets_settled_messages),
        cmocka_unit_test(a_settled_message_is_heard_without_a_word_about_its_outcome),
        cmocka_unit_test(credit_comes_back_once_five_messages_have_their_outcome),
        cmocka_unit_test(nothing_larger_than_the_peer_s_frames_is_sent),
        cmocka_unit_test(an_attach_that_cannot_be_answered_in_its_frames_ends_the_connection),
        cmocka_unit_test(nothing_comes_behind_a_close),
    };
    return cmocka_run_group_tests_name("amqp window", tests, NULL, NULL);
}
