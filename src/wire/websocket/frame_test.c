// Frames as RFC 6455 5.2 draws them, both ways, at the borders of the three forms of length: against the
// literal examples of 5.7, and a plain encoder of this file's own that knows nothing of frame.c.
#include "wire/websocket/frame.h"

#include "base/testing.h"

static const size_t lengths[] = {0,  1,  2,   3,   4,   5,   7,   8,     9,     15,
                                 16, 17, 124, 125, 126, 127, 128, 65535, 65536, 65537};
static const uint8_t masks[][4] = {
    {0x37, 0xfa, 0x21, 0x3d}, {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 1}, {0x80, 0, 0, 0}};

enum { LENGTHS = sizeof lengths / sizeof *lengths, MASKS = sizeof masks / sizeof *masks };

// Nothing in it comes again every 4 or 8 bytes.
static uint8_t plain(size_t i)
{
    return (uint8_t)(i * 37 + i / 7 + (i >> 8) * 5);
}

// The frame as bytes, one after the other. mask: NULL for none.
static void reference(struct buf *out, uint8_t first, size_t len, const uint8_t *mask)
{
    uint8_t bit = mask != NULL ? 0x80 : 0;
    buf_u8(out, first);
    if (len <= 125) {
        buf_u8(out, bit | (uint8_t)len);
    } else if (len <= 65535) {
        buf_u8(out, bit | 126);
        buf_u8(out, (uint8_t)(len / 256));
        buf_u8(out, (uint8_t)(len % 256));
    } else {
        buf_u8(out, bit | 127);
        for (int i = 0; i < 4; i++)
            buf_u8(out, 0);
        buf_u32(out, (uint32_t)len);
    }
    for (size_t i = 0; mask != NULL && i < 4; i++)
        buf_u8(out, mask[i]);
    for (size_t i = 0; i < len; i++)
        buf_u8(out, mask != NULL ? plain(i) ^ mask[i % 4] : plain(i));
}

static void expect_plain(struct slice payload, size_t len)
{
    assert_int_equal(payload.len, len);
    for (size_t i = 0; i < len; i++) {
        if (payload.at[i] != plain(i))
            fail_msg("byte %zu of %zu is %u and not %u", i, len, payload.at[i], plain(i));
    }
}

// Feeds `bytes`: the first `first` of them, then the rest, each in pieces of `step`.
static void feed(struct slice bytes, size_t first, size_t step, struct buf *payload, struct buf *answers)
{
    struct websocket *ws;
    assert_false(failed(websocket_new(&ws)));
    struct slice parts[] = {slice_to(bytes, first), slice_from(bytes, first)};
    for (int i = 0; i < 2; i++) {
        while (parts[i].len > 0) {
            struct slice piece = slice_to(parts[i], step);
            parts[i] = slice_from(parts[i], piece.len);
            assert_false(failed(websocket_feed(ws, &piece, 0, payload)));
        }
    }
    buf_bytes(answers, buf_slice(websocket_output(ws)));
    websocket_free(ws);
}

static void expect_message(struct slice frames, size_t first, size_t step, size_t len)
{
    struct buf payload = buf_capped(1 << 20), answers = buf_capped(1 << 10);
    feed(frames, first, step, &payload, &answers);
    expect_plain(buf_slice(&payload), len);
    assert_int_equal(answers.len, 0);
    buf_release(&payload);
    buf_release(&answers);
}

// Whatever the pieces in which it comes.
static void expect_of(struct slice frame, const char *message, const char *answer)
{
    for (size_t step = 1; step <= frame.len; step++) {
        struct buf payload = buf_capped(100), answers = buf_capped(100);
        feed(frame, 0, step, &payload, &answers);
        assert_slice(buf_slice(&payload), message);
        assert_slice(buf_slice(&answers), answer);
        buf_release(&payload);
        buf_release(&answers);
    }
}

static void the_masked_hello_of_the_rfc_is_read_as_hello(void **state)
{
    (void)state;
    // RFC 6455 5.7, as a binary message
    expect_of(SLICE("\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "Hello", "");
}

static void a_ping_of_hello_is_answered_with_the_bytes_of_the_rfc(void **state)
{
    (void)state;
    // RFC 6455 5.7 has the masked Pong; a Ping differs in the opcode
    expect_of(SLICE("\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "", "\x8a\x05Hello");
}

static void frames_of_every_length_and_mask_are_read_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 3, 7, 8, 4096, 1 << 20};
    for (size_t i = 0; i < LENGTHS * MASKS; i++) {
        struct buf frame = buf_capped(1 << 20);
        reference(&frame, 0x82, lengths[i / MASKS], masks[i % MASKS]);
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
            expect_message(buf_slice(&frame), 0, steps[s], lengths[i / MASKS]);
        buf_release(&frame);
    }
}

static void a_frame_is_read_wherever_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTHS && lengths[i] < 1000; i++) {
        struct buf frame = buf_capped(1 << 20);
        reference(&frame, 0x82, lengths[i], masks[0]);
        for (size_t cut = 0; cut <= frame.len; cut++)
            expect_message(buf_slice(&frame), cut, 1 << 20, lengths[i]);
        buf_release(&frame);
    }
}

static void each_frame_has_its_own_mask_from_its_own_beginning(void **state)
{
    (void)state;
    for (size_t step = 1; step < 64; step++) {
        struct buf frames = buf_capped(1 << 20), payload = buf_capped(1 << 20), answers = buf_capped(1 << 10);
        struct buf expected = buf_capped(1 << 20);
        for (size_t i = 0; i < LENGTHS && lengths[i] < 1000; i++) {
            reference(&frames, 0x82, lengths[i], masks[i % MASKS]);
            for (size_t at = 0; at < lengths[i]; at++)
                buf_u8(&expected, plain(at));
        }
        feed(buf_slice(&frames), 0, step, &payload, &answers);
        assert_true(slice_equal(buf_slice(&payload), buf_slice(&expected)));
        buf_release(&frames);
        buf_release(&payload);
        buf_release(&answers);
        buf_release(&expected);
    }
}

// The longest there is: 125 bytes come back whole.
static void a_ping_of_any_length_comes_back_in_the_pong(void **state)
{
    (void)state;
    for (size_t len = 0; len <= FRAME_CONTROL_MAX; len++) {
        for (size_t step = 1; step < 12; step++) {
            struct buf ping = buf_capped(1 << 10), pong = buf_capped(1 << 10);
            struct buf payload = buf_capped(1 << 10), answers = buf_capped(1 << 10);
            reference(&ping, 0x89, len, masks[0]);
            reference(&pong, 0x8a, len, NULL);
            feed(buf_slice(&ping), 0, step, &payload, &answers);
            assert_int_equal(payload.len, 0);
            assert_true(slice_equal(buf_slice(&answers), buf_slice(&pong)));
            buf_release(&ping);
            buf_release(&pong);
            buf_release(&payload);
            buf_release(&answers);
        }
    }
}

static void the_heads_of_the_rfc_are_written(void **state)
{
    (void)state;
    static const uint8_t bytes[65536];
    static const struct {
        size_t len;
        struct slice head;
    } rows[] = {
        // RFC 6455 5.7
        {256, SLICE("\x82\x7e\x01\x00")},
        {65536, SLICE("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = buf_capped(1 << 20);
        frame_put(&out, FRAME_BINARY, slice_of(bytes, rows[i].len));
        assert_int_equal(out.len, rows[i].head.len + rows[i].len);
        assert_true(slice_equal(slice_to(buf_slice(&out), rows[i].head.len), rows[i].head));
        buf_release(&out);
    }
}

static void frames_of_every_length_are_written_in_the_shortest_form(void **state)
{
    (void)state;
    static uint8_t bytes[65537];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = plain(i);
    for (size_t i = 0; i < LENGTHS; i++) {
        struct buf out = buf_capped(1 << 20), expected = buf_capped(1 << 20);
        buf_text(&expected, "before");
        buf_text(&out, "before");
        reference(&expected, 0x82, lengths[i], NULL);
        frame_put(&out, FRAME_BINARY, slice_of(bytes, lengths[i]));
        assert_false(failed(buf_err(&out)));
        assert_true(slice_equal(buf_slice(&out), buf_slice(&expected)));
        buf_release(&out);
        buf_release(&expected);
    }
}

// Whatever room is left: all of it, or none of it and the output broken, which it then stays.
static void a_frame_that_does_not_fit_leaves_no_half_of_itself(void **state)
{
    (void)state;
    static const uint8_t bytes[200];
    enum { BEFORE = 6, WHOLE = 2 + 2 + sizeof bytes };
    for (size_t room = 0; room <= WHOLE; room++) {
        struct buf out = buf_capped(BEFORE + room);
        buf_text(&out, "before");
        frame_put(&out, FRAME_BINARY, slice_of(bytes, sizeof bytes));
        assert_int_equal(out.len, room < WHOLE ? BEFORE : BEFORE + WHOLE);
        assert_int_equal(buf_err(&out).code, room < WHOLE ? ERR_CAPPED : 0);
        if (room < WHOLE) {
            frame_put(&out, FRAME_PONG, (struct slice){0});
            assert_slice(buf_slice(&out), "before");
        }
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_masked_hello_of_the_rfc_is_read_as_hello),
        cmocka_unit_test(a_ping_of_hello_is_answered_with_the_bytes_of_the_rfc),
        cmocka_unit_test(frames_of_every_length_and_mask_are_read_in_pieces_of_any_size),
        cmocka_unit_test(a_frame_is_read_wherever_it_is_cut),
        cmocka_unit_test(each_frame_has_its_own_mask_from_its_own_beginning),
        cmocka_unit_test(a_ping_of_any_length_comes_back_in_the_pong),
        cmocka_unit_test(the_heads_of_the_rfc_are_written),
        cmocka_unit_test(frames_of_every_length_are_written_in_the_shortest_form),
        cmocka_unit_test(a_frame_that_does_not_fit_leaves_no_half_of_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
