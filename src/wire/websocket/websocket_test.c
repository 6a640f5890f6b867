// What a connection lives through: long messages, our own frames, the end from either side, budgets.
#include "wire/websocket/websocket.h"

#include "base/testing.h"

struct bench {
    struct websocket *ws;
    struct buf payload;
    struct buf sent; // what the peer sends next
    int64_t now_ms;
};

static void begin(struct bench *b)
{
    *b = (struct bench){.payload = buf_capped(4 << 20), .sent = buf_capped(4 << 20)};
    assert_false(failed(websocket_new(&b->ws)));
}

static void end(struct bench *b)
{
    websocket_free(b->ws);
    buf_release(&b->payload);
    buf_release(&b->sent);
}

static void put_frame(struct bench *b, uint8_t first, size_t len)
{
    static const uint8_t mask[] = {0xa5, 0x5a, 0x0f, 0xf0};
    buf_u8(&b->sent, first);
    if (len < 126) {
        buf_u8(&b->sent, (uint8_t)(0x80 | len));
    } else if (len < 65536) {
        buf_u8(&b->sent, 0xfe);
        buf_u16(&b->sent, (uint16_t)len);
    } else {
        buf_u8(&b->sent, 0xff);
        buf_u32(&b->sent, 0);
        buf_u32(&b->sent, (uint32_t)len);
    }
    buf_bytes(&b->sent, slice_of(mask, sizeof mask));
    for (size_t i = 0; i < len; i++)
        buf_u8(&b->sent, (uint8_t)('a' + i % 26) ^ mask[i % 4]);
}

// Feeds what put_frame made, in pieces of `step` bytes.
static struct err feed(struct bench *b, size_t step)
{
    struct err e = OK;
    for (size_t at = 0; at < b->sent.len; at += step) {
        struct slice in = slice_to(slice_from(buf_slice(&b->sent), at), step);
        e = websocket_feed(b->ws, &in, b->now_ms, &b->payload);
    }
    buf_clear(&b->sent);
    return e;
}

static void expect_payload(const struct bench *b, size_t len)
{
    assert_int_equal(b->payload.len, len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(b->payload.at[i], 'a' + i % 26);
}

static void expect_sent(struct bench *b, struct slice bytes)
{
    struct buf *out = websocket_output(b->ws);
    if (!slice_equal(buf_slice(out), bytes))
        fail_msg("%zu bytes are to be sent, %zu were wanted, or they are others", out->len, bytes.len);
    buf_clear(out);
}

static void the_key_of_the_rfc_gets_the_answer_of_the_rfc(void **state)
{
    (void)state;
    char text[WEBSOCKET_ACCEPT_TEXT];
    assert_false(failed(websocket_accept(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), text, NULL)));
    assert_slice(slice_of(text, sizeof text), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); // RFC 6455 1.3
}

static void a_key_that_is_not_base64_of_16_bytes_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "dGhlIHNhbXBsZSBub25jZQ=",
                                      "dGhlIHNhbXBsZSBub25jZR==",
                                      "dGhlIHNhbXBsZSBub25jZTE=",
                                      "!!!!IHNhbXBsZSBub25jZQ==",
                                      "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ=="};
    char text[WEBSOCKET_ACCEPT_TEXT];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct why why = {0};
        assert_int_equal(websocket_accept(slice_text(bad[i]), text, &why).code, ERR_MALFORMED);
        assert_string_not_equal(why.text, "");
    }
}

static void messages_of_every_kind_of_length_arrive_whole(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 125, 126, 127, 4095, 4096, 4097, 65535, 65536, WEBSOCKET_FRAME_MAX};
    static const size_t steps[] = {1 << 20, 1, 7, 4096};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            struct bench b;
            begin(&b);
            put_frame(&b, 0x82, lengths[i]);
            assert_false(failed(feed(&b, steps[s])));
            expect_payload(&b, lengths[i]);
            end(&b);
        }
    }
}

static void payload_comes_through_before_its_frame_is_whole(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    put_frame(&b, 0x82, 60000);
    b.sent.len = 4 + 4 + 1000;
    assert_false(failed(feed(&b, 1 << 20)));
    expect_payload(&b, 1000);
    end(&b);
}

static void what_we_write_is_one_frame_without_a_mask(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        struct slice head;
    } rows[] = {
        {1, SLICE("\x82\x01")},
        {125, SLICE("\x82\x7d")},
        {126, SLICE("\x82\x7e\x00\x7e")},
        {65535, SLICE("\x82\x7e\xff\xff")},
        {65536, SLICE("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00")},
    };
    static uint8_t bytes[65536 + 16];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;
        begin(&b);
        memset(bytes, 'w', sizeof bytes);
        websocket_write(b.ws, slice_of(bytes + 16, rows[i].len));
        memcpy(bytes, rows[i].head.at, rows[i].head.len);
        struct buf *out = websocket_output(b.ws);
        assert_int_equal(out->len, rows[i].head.len + rows[i].len);
        assert_memory_equal(out->at, rows[i].head.at, rows[i].head.len);
        assert_int_equal(out->at[out->len - 1], 'w');
        end(&b);
    }
}

static void writing_nothing_sends_nothing(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    websocket_write(b.ws, (struct slice){0});
    expect_sent(&b, (struct slice){0});
    end(&b);
}

static void our_close_is_sent_once_and_answered_by_theirs(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    websocket_close(b.ws, WEBSOCKET_GOING_AWAY);
    websocket_close(b.ws, WEBSOCKET_NORMAL);
    websocket_write(b.ws, SLICE("too late"));
    expect_sent(&b, SLICE("\x88\x02\x03\xe9"));
    assert_int_equal(websocket_state(b.ws), WEBSOCKET_CLOSING);
    put_frame(&b, 0x82, 10); // on its way before the peer had read our Close
    put_frame(&b, 0x89, 0);
    assert_false(failed(feed(&b, 1 << 20)));
    assert_int_equal(b.payload.len, 0);
    expect_sent(&b, (struct slice){0});
    buf_bytes(&b.sent, SLICE("\x88\x80\x01\x02\x03\x04"));
    assert_false(failed(feed(&b, 1)));
    assert_int_equal(websocket_state(b.ws), WEBSOCKET_CLOSED);
    expect_sent(&b, (struct slice){0});
    end(&b);
}

static void nothing_is_written_after_the_peer_closed(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    buf_bytes(&b.sent, SLICE("\x88\x80\x01\x02\x03\x04"));
    assert_false(failed(feed(&b, 1 << 20)));
    websocket_write(b.ws, SLICE("too late"));
    websocket_close(b.ws, WEBSOCKET_NORMAL);
    expect_sent(&b, SLICE("\x88\x00"));
    end(&b);
}

static void nothing_is_taken_or_written_after_a_violation(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    buf_bytes(&b.sent, SLICE("\x81"));
    assert_int_equal(feed(&b, 1).code, ERR_PROTOCOL);
    websocket_write(b.ws, SLICE("too late"));
    websocket_close(b.ws, WEBSOCKET_NORMAL);
    put_frame(&b, 0x82, 10);
    assert_int_equal(feed(&b, 1 << 20).code, ERR_PROTOCOL);
    assert_int_equal(b.payload.len, 0);
    expect_sent(&b, SLICE("\x88\x02\x03\xeb"));
    end(&b);
}

static void ten_pings_in_a_second_are_answered_and_one_more_is_one_too_many(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    for (int i = 0; i < WEBSOCKET_CONTROL_PER_SECOND; i++) {
        put_frame(&b, 0x89, 0);
        assert_false(failed(feed(&b, 1 << 20)));
        expect_sent(&b, SLICE("\x8a\x00"));
    }
    put_frame(&b, 0x89, 0);
    assert_int_equal(feed(&b, 1 << 20).code, ERR_THROTTLED);
    assert_int_equal(websocket_state(b.ws), WEBSOCKET_FAILED);
    expect_sent(&b, SLICE("\x88\x02\x03\xf0"));
    end(&b);
}

static void pongs_count_as_pings_do(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    for (int i = 0; i <= WEBSOCKET_CONTROL_PER_SECOND; i++)
        put_frame(&b, 0x8a, 125);
    assert_int_equal(feed(&b, 1 << 20).code, ERR_THROTTLED);
    end(&b);
}

static void a_ping_every_now_and_then_is_answered_for_ever(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    for (int i = 0; i < 1000; i++) {
        b.now_ms += 1000 / WEBSOCKET_CONTROL_PER_SECOND;
        put_frame(&b, 0x89, 1);
        assert_false(failed(feed(&b, 1 << 20)));
        expect_sent(&b, SLICE("\x8a\x01\x61"));
    }
    end(&b);
}

static void pings_of_a_peer_that_does_not_read_end_the_connection(void **state)
{
    (void)state;
    struct bench b;
    struct err e = OK;
    begin(&b);
    for (int i = 0; i < 100 && !failed(e); i++) {
        b.now_ms += 1000;
        put_frame(&b, 0x89, 125);
        e = feed(&b, 1 << 20);
    }
    assert_int_equal(e.code, ERR_THROTTLED);
    assert_true(websocket_output(b.ws)->len < WEBSOCKET_PONGS_MAX + 256);
    end(&b);
}

static void payload_that_finds_no_memory_ends_the_connection(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    b.payload.cap = 100;
    put_frame(&b, 0x82, 101);
    assert_true(failed(feed(&b, 1 << 20)));
    assert_int_equal(websocket_state(b.ws), WEBSOCKET_FAILED);
    expect_sent(&b, SLICE("\x88\x02\x03\xf3"));
    end(&b);
}

// A frame that is under way, one of no bytes, one that breaks a rule: none leaves anything behind for the
// next.
static void connections_take_each_their_own_frames(void **state)
{
    (void)state;
    struct bench bs[3];
    for (size_t i = 0; i < 3; i++)
        begin(&bs[i]);
    for (int round = 0; round < 3; round++) {
        put_frame(&bs[0], 0x82, 300);
        struct buf whole = bs[0].sent;
        bs[0].sent.len = 100;
        buf_clear(&bs[0].payload);
        struct slice first = slice_to(buf_slice(&whole), 100), rest = slice_from(buf_slice(&whole), 100);
        assert_false(failed(websocket_feed(bs[0].ws, &first, 0, &bs[0].payload)));
        put_frame(&bs[1], 0x82, 0);
        put_frame(&bs[1], 0x82, 200);
        put_frame(&bs[1], 0x89, 0);
        buf_clear(&bs[1].payload);
        assert_false(failed(feed(&bs[1], 7)));
        expect_payload(&bs[1], 200);
        expect_sent(&bs[1], SLICE("\x8a\0"));
        bs[1].now_ms += 1000;
        websocket_write(bs[0].ws, SLICE("meanwhile"));
        expect_sent(&bs[0], SLICE("\x82\x09meanwhile"));
        put_frame(&bs[2], 0x82, 10);
        buf_u8(&bs[2].sent, 0x72);
        (void)feed(&bs[2], 5);
        assert_int_equal(websocket_state(bs[2].ws), WEBSOCKET_FAILED);
        assert_false(failed(websocket_feed(bs[0].ws, &rest, 0, &bs[0].payload)));
        expect_payload(&bs[0], 300);
        buf_clear(&bs[0].sent);
    }
    for (size_t i = 0; i < 3; i++)
        end(&bs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_the_rfc_gets_the_answer_of_the_rfc),
        cmocka_unit_test(a_key_that_is_not_base64_of_16_bytes_is_refused),
        cmocka_unit_test(messages_of_every_kind_of_length_arrive_whole),
        cmocka_unit_test(payload_comes_through_before_its_frame_is_whole),
        cmocka_unit_test(what_we_write_is_one_frame_without_a_mask),
        cmocka_unit_test(writing_nothing_sends_nothing),
        cmocka_unit_test(our_close_is_sent_once_and_answered_by_theirs),
        cmocka_unit_test(nothing_is_written_after_the_peer_closed),
        cmocka_unit_test(nothing_is_taken_or_written_after_a_violation),
        cmocka_unit_test(ten_pings_in_a_second_are_answered_and_one_more_is_one_too_many),
        cmocka_unit_test(pongs_count_as_pings_do),
        cmocka_unit_test(a_ping_every_now_and_then_is_answered_for_ever),
        cmocka_unit_test(pings_of_a_peer_that_does_not_read_end_the_connection),
        cmocka_unit_test(payload_that_finds_no_memory_ends_the_connection),
        cmocka_unit_test(connections_take_each_their_own_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
