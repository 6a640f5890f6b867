// An own table in the manner of the Autobahn test suite: what a peer sends after the handshake, what becomes
// of it, and what it is told. Each row is fed whole, byte by byte, and cut in every place.
#include "base/testing.h"
#include "wire/websocket/websocket.h"

// Bytes that a row is made of. M: the mask, 1 2 3 4; masked(x, i): byte i of a payload.
#define M       1, 2, 3, 4
#define X(c, i) ((c) ^ ((i) % 4 + 1))
#define ROW(name, state, status, payload, out, ...)                                                          \
    {                                                                                                        \
        name, state, status, payload, out, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[])           \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define OPENED(name, payload, out, ...) ROW(name, WEBSOCKET_OPEN, 0, payload, out, __VA_ARGS__)
#define FAILS(name, status, ...)        ROW(name, WEBSOCKET_FAILED, status, "", "", __VA_ARGS__)
#define CLOSES(name, out, ...)          ROW(name, WEBSOCKET_CLOSED, 0, "", out, __VA_ARGS__)
#define HI                              X('h', 0), X('i', 1)

static const struct {
    const char *name;
    enum websocket_state state;
    int status; // of the Close that a failure ends with
    const char *payload;
    const char *out; // but for that Close
    const uint8_t *bytes;
    size_t len;
} rows[] = {
    // messages
    OPENED("a binary message", "hi", "", 0x82, 0x82, M, HI),
    OPENED("an empty message", "", "", 0x82, 0x80, M),
    OPENED("three messages", "hihihi", "", 0x82, 0x82, M, HI, 0x82, 0x82, M, HI, 0x82, 0x82, M, HI),
    OPENED("a message in two fragments", "hihi", "", 0x02, 0x82, M, HI, 0x80, 0x82, M, HI),
    OPENED("a message in three, the middle one empty", "hihi", "", 0x02, 0x82, M, HI, 0x00, 0x80, M, 0x80,
           0x82, M, HI),
    OPENED("a message of empty fragments", "", "", 0x02, 0x80, M, 0x00, 0x80, M, 0x80, 0x80, M),
    OPENED("half a head", "", "", 0x82),
    OPENED("a mask that changes nothing", "hi", "", 0x82, 0x82, 0, 0, 0, 0, 'h', 'i'),
    // control frames
    OPENED("a ping", "", "\x8a\x02hi", 0x89, 0x82, M, HI),
    OPENED("a pong that nobody asked for", "", "", 0x8a, 0x82, M, HI),
    OPENED("a ping within a message", "hihi", "\x8a\x02hi", 0x02, 0x82, M, HI, 0x89, 0x82, M, HI, 0x80, 0x82,
           M, HI),
    FAILS("a ping in fragments", 1002, 0x09, 0x82, M, HI),
    FAILS("a pong in fragments", 1002, 0x0a, 0x80, M),
    FAILS("a close in fragments", 1002, 0x08, 0x80, M),
    FAILS("a continuation of a ping", 1002, 0x80, 0x82, M, HI),
    FAILS("a ping of 126 bytes", 1002, 0x89, 0xfe),
    FAILS("a ping of 2^32 bytes", 1002, 0x89, 0xff),
    FAILS("a close of 126 bytes", 1002, 0x88, 0xfe),
    // bits that nobody negotiated
    FAILS("reserved bit 1, as permessage-deflate sets it", 1002, 0xc2),
    FAILS("reserved bit 2", 1002, 0xa2),
    FAILS("reserved bit 3", 1002, 0x92),
    FAILS("a ping with a reserved bit", 1002, 0xc9),
    FAILS("a close with reserved bits", 1002, 0xf8),
    FAILS("opcode 3", 1002, 0x83),
    FAILS("opcode 4", 1002, 0x84),
    FAILS("opcode 5", 1002, 0x85),
    FAILS("opcode 6", 1002, 0x86),
    FAILS("opcode 7", 1002, 0x87),
    FAILS("opcode 11", 1002, 0x8b),
    FAILS("opcode 12", 1002, 0x8c),
    FAILS("opcode 13", 1002, 0x8d),
    FAILS("opcode 14", 1002, 0x8e),
    FAILS("opcode 15", 1002, 0x8f),
    FAILS("a text message", 1003, 0x81),
    FAILS("a text message in fragments", 1003, 0x01),
    FAILS("MQTT without frames", 1002, 0x10, 0x1e),
    FAILS("HTTP without frames", 1002, 'G', 'E', 'T', ' '),
    // masks
    FAILS("a frame without a mask", 1002, 0x82, 0x02),
    FAILS("an empty frame without a mask", 1002, 0x82, 0x00),
    FAILS("a ping without a mask", 1002, 0x89, 0x00),
    FAILS("a close without a mask", 1002, 0x88, 0x00),
    FAILS("a long frame without a mask", 1002, 0x82, 0x7e),
    // order
    FAILS("a continuation of nothing", 1002, 0x80),
    FAILS("a continuation of nothing that goes on", 1002, 0x00),
    ROW("a continuation of a message that is over", WEBSOCKET_FAILED, 1002, "hi", "", 0x82, 0x82, M, HI,
        0x80),
    ROW("a message within a message", WEBSOCKET_FAILED, 1002, "hi", "", 0x02, 0x82, M, HI, 0x82),
    ROW("the start of a message within a message", WEBSOCKET_FAILED, 1002, "hi", "", 0x02, 0x82, M, HI, 0x02),
    ROW("a text within a binary message", WEBSOCKET_FAILED, 1003, "hi", "", 0x02, 0x82, M, HI, 0x01),
    // lengths
    FAILS("a length of 125 in two bytes", 1002, 0x82, 0xfe, 0, 125),
    FAILS("a length of 0 in two bytes", 1002, 0x82, 0xfe, 0, 0),
    FAILS("a length of 65535 in eight bytes", 1002, 0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
    FAILS("a length of 0 in eight bytes", 1002, 0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0),
    FAILS("a length of 2^63", 1002, 0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0),
    FAILS("a length of 2^64 - 1", 1002, 0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    FAILS("a length of 2^63 - 1", 1009, 0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    FAILS("a length of 2^32", 1009, 0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0),
    FAILS("a length of 1 MiB and one byte", 1009, 0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1),
    FAILS("a fragment of 2^40 bytes", 1009, 0x02, 0xff, 0, 0, 1, 0, 0, 0, 0, 0),
    OPENED("a length of 1 MiB, and nothing of it", "", "", 0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, M),
    // Close
    CLOSES("a close without a status", "\x88\x00", 0x88, 0x80, M),
    CLOSES("a close with 1000", "\x88\x02\x03\xe8", 0x88, 0x82, M, X(3, 0), X(0xe8, 1)),
    CLOSES("a close with 1001 and a reason", "\x88\x02\x03\xe9", 0x88, 0x85, M, X(3, 0), X(0xe9, 1),
           X('b', 2), X('y', 3), X('e', 4)),
    CLOSES("a close with 1011", "\x88\x02\x03\xf3", 0x88, 0x82, M, X(3, 0), X(0xf3, 1)),
    CLOSES("a close with 3000", "\x88\x02\x0b\xb8", 0x88, 0x82, M, X(0x0b, 0), X(0xb8, 1)),
    CLOSES("a close with 4999", "\x88\x02\x13\x87", 0x88, 0x82, M, X(0x13, 0), X(0x87, 1)),
    CLOSES("data after a close", "\x88\x02\x03\xe8", 0x88, 0x82, M, X(3, 0), X(0xe8, 1), 0x82, 0x82, M, HI),
    CLOSES("a ping after a close", "\x88\x02\x03\xe8", 0x88, 0x82, M, X(3, 0), X(0xe8, 1), 0x89, 0x80, M),
    CLOSES("rubbish after a close", "\x88\x00", 0x88, 0x80, M, 0xff, 0xff, 0xff),
    CLOSES("a close with a character of four bytes", "\x88\x02\x03\xe8", 0x88, 0x86, M, X(3, 0), X(0xe8, 1),
           X(0xf0, 2), X(0x9f, 3), X(0x98, 4), X(0x80, 5)),
    FAILS("a close of one byte", 1002, 0x88, 0x81, M, X(3, 0)),
    FAILS("a close with 0", 1002, 0x88, 0x82, M, X(0, 0), X(0, 1)),
    FAILS("a close with 999", 1002, 0x88, 0x82, M, X(3, 0), X(0xe7, 1)),
    FAILS("a close with 1004", 1002, 0x88, 0x82, M, X(3, 0), X(0xec, 1)),
    FAILS("a close with 1005", 1002, 0x88, 0x82, M, X(3, 0), X(0xed, 1)),
    FAILS("a close with 1006", 1002, 0x88, 0x82, M, X(3, 0), X(0xee, 1)),
    FAILS("a close with 1015", 1002, 0x88, 0x82, M, X(3, 0), X(0xf7, 1)),
    FAILS("a close with 1016", 1002, 0x88, 0x82, M, X(3, 0), X(0xf8, 1)),
    FAILS("a close with 2999", 1002, 0x88, 0x82, M, X(0x0b, 0), X(0xb7, 1)),
    FAILS("a close with 5000", 1002, 0x88, 0x82, M, X(0x13, 0), X(0x88, 1)),
    FAILS("a close with 65535", 1002, 0x88, 0x82, M, X(0xff, 0), X(0xff, 1)),
    FAILS("a close with a reason that is not UTF-8", 1007, 0x88, 0x83, M, X(3, 0), X(0xe8, 1), X(0xff, 2)),
    FAILS("a close with half a character", 1007, 0x88, 0x83, M, X(3, 0), X(0xe8, 1), X(0xc3, 2)),
    FAILS("a close with a surrogate", 1007, 0x88, 0x85, M, X(3, 0), X(0xe8, 1), X(0xed, 2), X(0xa0, 3),
          X(0x80, 4)),
    FAILS("a close with an overlong character", 1007, 0x88, 0x84, M, X(3, 0), X(0xe8, 1), X(0xc0, 2),
          X(0x80, 3)),
};

enum { ROWS = sizeof rows / sizeof *rows };

static bool out_is(const struct buf *out, size_t row)
{
    struct slice left = buf_slice(out);
    // the only NUL in an expected frame is the length of an empty Close
    size_t len = rows[row].out[0] == '\0' ? 0 : 2 + (size_t)rows[row].out[1];
    if (!slice_equal(slice_to(left, len), slice_of(rows[row].out, len)))
        return false;
    left = slice_from(left, len);
    uint8_t close[] = {0x88, 2, (uint8_t)(rows[row].status >> 8), (uint8_t)rows[row].status};
    return rows[row].status == 0 ? left.len == 0 : slice_equal(left, slice_of(close, sizeof close));
}

// Feeds a row in two parts, and each of them in steps.
static void feed_row(size_t row, size_t first, size_t step)
{
    struct websocket *ws;
    struct buf payload = buf_capped(1 << 20);
    struct err e = OK;
    assert_false(failed(websocket_new(&ws)));
    for (size_t at = 0; at < rows[row].len;) {
        size_t end = at + step;
        if (at < first && end > first)
            end = first;
        struct slice in = slice_to(slice_of(rows[row].bytes + at, rows[row].len - at), end - at);
        at += in.len;
        e = websocket_feed(ws, &in, 0, &payload);
        assert_int_equal(in.len, 0);
    }
    bool right =
        websocket_state(ws) == rows[row].state && failed(e) == (rows[row].state == WEBSOCKET_FAILED) &&
        (websocket_why(ws)->text[0] != '\0') == (rows[row].state == WEBSOCKET_FAILED) &&
        slice_equal(buf_slice(&payload), slice_text(rows[row].payload)) && out_is(websocket_output(ws), row);
    if (!right)
        fail_msg("%s, cut at %zu and every %zu: state %d, error %u (%s), %zu bytes of payload, %zu to send",
                 rows[row].name, first, step, (int)websocket_state(ws), e.code, websocket_why(ws)->text,
                 payload.len, websocket_output(ws)->len);
    websocket_free(ws);
    buf_release(&payload);
}

static void every_row_ends_as_the_table_says(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++)
        feed_row(row, rows[row].len, rows[row].len);
}

static void every_row_ends_the_same_byte_by_byte(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++)
        feed_row(row, rows[row].len, 1);
}

static void every_row_ends_the_same_wherever_it_is_cut(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t cut = 1; cut < rows[row].len; cut++)
            feed_row(row, cut, rows[row].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_ends_as_the_table_says),
        cmocka_unit_test(every_row_ends_the_same_byte_by_byte),
        cmocka_unit_test(every_row_ends_the_same_wherever_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
