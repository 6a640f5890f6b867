// What strangers may send: each is refused with words for the log, at once, in whatever pieces it comes, and
// nothing that it announces is allocated.
#include "wire/amqp/amqp_test.h"

// Fed whole and a byte at a time: the last event is `want`.
static void ends_with(struct buf *bytes, const char *want)
{
    for (size_t split = 0; split < 2; split++) {
        struct amqp_stage stage;
        amqp_stage_init(&stage);
        stage.split = split;
        amqp_stage_feed(&stage, buf_slice(bytes));
        struct slice said = buf_slice(&stage.said);
        if (!slice_ends_with(said, slice_text(want)))
            fail_msg("said '%.*s', want '%s' at its end", SLICE_ARG(said), want);
        assert_true(amqp_is_over(stage.peer));
        amqp_stage_release(&stage);
    }
    buf_release(bytes);
}

static struct buf nothing(void)
{
    return buf_capped(1 << 20);
}

static struct buf opened(void)
{
    struct buf b = nothing();
    put_header(&b, false);
    put_open(&b);
    return b;
}

static struct buf attached(void)
{
    struct buf b = nothing();
    put_sender(&b);
    return b;
}

static void other_protocols_are_told_ours(void **state)
{
    (void)state;
    struct buf b = nothing();
    buf_text(&b, "GET / HTTP/1.1\r\n\r\n");
    ends_with(&b, "broken why=amqp:connection:framing-error: not AMQP: begins with 47 45 54 20 2f 20 48 54; "
                  "HTTP begins like this: a wrong port?\n");
    static const struct {
        const char *header, *why, *answer;
    } rows[] = {
        {"AMQP\3\1\0\1", "AMQP protocol 3, version 1.0.1", "AMQP\3\1\0\0"},
        {"AMQP\3\1\1\0", "AMQP protocol 3, version 1.1.0", "AMQP\3\1\0\0"},
        {"AMQP\2\1\0\0", "AMQP protocol 2, version 1.0.0", "AMQP\0\1\0\0"}, // TLS inside
        {"AMQP\1\1\0\x0a", "AMQP protocol 1, version 1.0.10", "AMQP\0\1\0\0"},
        {"AMQP\0\0\x09\1", "AMQP protocol 0, version 0.9.1", "AMQP\0\1\0\0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct amqp_stage stage;
        amqp_stage_init(&stage);
        amqp_stage_feed(&stage, slice_of(rows[i].header, 8));
        assert_true(slice_equal(buf_slice(&stage.out), slice_of(rows[i].answer, 8)));
        assert_non_null(strstr(amqp_why(stage.peer)->text, rows[i].why));
        amqp_stage_release(&stage);
    }
    b = nothing();
    put_header(&b, true);
    amqp_frame(&b, 1, 0, "DL[szS]", (uint64_t)0x41, "PLAIN", (size_t)1, "\0", "h");
    put_header(&b, true);
    ends_with(&b, "AMQP protocol 3, version 1.0.0 after SASL\n");
}

static void a_frame_header_that_lies_is_refused_before_its_body_comes(void **state)
{
    (void)state;
    static const struct {
        const char *header, *want;
    } rows[] = {
        {"\xff\xff\xff\xff\2\0\0\0", "a frame of 4294967295 bytes; the most is 16384\n"},
        {"\0\0\x40\1\2\0\0\0", "a frame of 16385 bytes; the most is 16384\n"},
        {"\0\0\0\7\2\0\0\0", "a frame of 7 bytes with its body at word 2\n"},
        {"\0\0\0\0\2\0\0\0", "a frame of 0 bytes with its body at word 2\n"},
        {"\0\0\0\x10\1\0\0\0", "a frame of 16 bytes with its body at word 1\n"},
        {"\0\0\0\x10\xff\0\0\0", "a frame of 16 bytes with its body at word 255\n"},
        {"\0\0\0\x10\2\1\0\0", "a frame of type 1 outside of SASL\n"},
        {"\0\0\0\x10\2\7\0\0", "a frame of type 7 outside of SASL\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = attached();
        buf_bytes(&b, slice_of(rows[i].header, 8));
        ends_with(&b, rows[i].want);
    }
}

static void a_stranger_may_not_send_much(void **state)
{
    (void)state;
    struct buf b = nothing();
    put_header(&b, true);
    buf_bytes(&b, SLICE("\0\0\x20\0\2\1\0\0"));
    ends_with(&b, "a frame of 8192 bytes after 8; the most is 8192 until SASL is over\n");
    b = opened();
    buf_bytes(&b, SLICE("\0\0\x20\0\2\0\0\0"));
    ends_with(&b, "the most is 8192 until a link is accepted\n");
    b = opened();
    for (int i = 0; i < 1024; i++)
        buf_bytes(&b, SLICE("\0\0\0\10\2\0\0\0")); // signs of life
    ends_with(&b, "the most is 8192 until a link is accepted\n");
}

static void a_peer_that_does_not_wait_may_not_go_on_forever(void **state)
{
    (void)state;
    struct buf b = opened();
    struct amqp_stage stage;
    amqp_stage_init(&stage);
    stage.silent = true;
    for (int i = 0; i < 1025; i++)
        buf_bytes(&b, SLICE("\0\0\0\10\2\0\0\0"));
    amqp_stage_feed(&stage, buf_slice(&b));
    assert_non_null(strstr(amqp_why(stage.peer)->text, "more than 8192 bytes without waiting for an answer"));
    assert_true(was_sent(&stage, 0x10) && was_sent(&stage, 0x18));
    amqp_stage_release(&stage);
    buf_release(&b);
}

static void put_raw(struct buf *b, struct slice body)
{
    buf_u32(b, (uint32_t)(8 + body.len));
    buf_bytes(b, SLICE("\2\0\0\0"));
    buf_bytes(b, body);
}

static void type_bombs_are_not_looked_into(void **state)
{
    (void)state;
    struct buf nest = nothing(), symbols = nothing(), many = nothing();
    buf_bytes(&nest, SLICE("\0\x53\x10\xc0\x7f\1")); // open, whose first field is lists in lists
    for (int i = 0; i < 30; i++) {
        buf_u8(&nest, 0xc0);
        buf_u8(&nest, (uint8_t)(124 - 3 * i));
        buf_u8(&nest, 1);
    }
    while (nest.len < 5 + 0x7f)
        buf_u8(&nest, 0x40);
    buf_bytes(&symbols,
              SLICE("\0\x53\x10\xc0\x7f\1\xe0\x7c\x7a\xa3")); // an array of 122 empty symbols, twice
    for (int i = 0; i < 122; i++)
        buf_u8(&symbols, 0);
    buf_bytes(&many, SLICE("\0\x53\x10\xd0\0\0\x0f\xa4\0\0\x0f\xa0")); // 4000 nulls
    for (int i = 0; i < 4000; i++)
        buf_u8(&many, 0x40);
    const struct slice bodies[] = {
        buf_slice(&nest),
        buf_slice(&many),
        SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),                       // descriptors of descriptors
        SLICE("\0\x53\x10\0\x53\1\0\x53\1\0\x53\1\0\x53\1\0\x53\1\x45"), // and one after the other
        SLICE("\0\x53\x10\xd0\xff\xff\xff\xff\0\0\0\1"),                 // a list larger than the frame
        SLICE("\0\x53\x10\xd0\0\0\0\5\xff\xff\xff\xff\x40"),             // of more than it holds
        SLICE("\0\x53\x10\xd0\0\0\0\3\0\0\0"),                           // too small for its count
        SLICE("\0\x53\x10\xc0\x0b\1\xf0\0\0\0\5\xff\xff\xff\xff\x40"),   // an array of 2^32 - 1 nulls
        SLICE("\0\x53\x10\xc0\x0b\1\xf0\0\0\0\5\xff\xff\xff\xff\x45"),   // or empty lists
        SLICE("\0\x53\x10\xc0\7\1\xe0\4\3\xa3\1x"),                      // an array that ends early
        SLICE("\0\x53\x10\xc0\4\1\xc1\1\1"),                             // a map of one
        SLICE("\0\x53\x10\xc0\3\1\x56\2"),                               // a boolean 2
        SLICE("\0\x53\x10\xc0\3\1\xa1\5"),                               // a string longer than the list
        SLICE("\0\x53\x10\xc0\2\1\x3f"),                                 // unknown types
        SLICE("\0\x53\x10\xc0\2\1\x46"),
        SLICE("\0\xa3\x0e"
              "amqp:open:list\x45"), // a descriptor in words: nobody uses it
        SLICE("\x45"),
        SLICE("\0\x53\x10\xc1\1\0"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct buf b = nothing();
        put_header(&b, false);
        put_raw(&b, bodies[i]);
        ends_with(&b, "a frame's body is malformed, too deep or of too many values\n");
    }
    struct buf b = nothing();
    put_header(&b, false);
    put_raw(&b, buf_slice(&symbols));
    put_close(&b);
    ends_with(&b, "closed why=\n"); // small enough to be harmless
    buf_release(&nest);
    buf_release(&symbols);
    buf_release(&many);
}

static void frames_out_of_order_are_refused(void **state)
{
    (void)state;
    struct buf b = nothing();
    put_header(&b, false);
    put_begin(&b, 0);
    ends_with(&b, "amqp:not-allowed: performative 0x11 instead of open\n");
    b = nothing();
    put_header(&b, true);
    amqp_frame(&b, 1, 0, "DL[z]", (uint64_t)0x43, (size_t)1, "x");
    ends_with(&b, "amqp:not-allowed: performative 0x43 instead of sasl-init\n");
    b = nothing();
    put_header(&b, true);
    for (int i = 0; i < 2; i++)
        amqp_frame(&b, 1, 0, "DL[szS]", (uint64_t)0x41, "TPM", (size_t)1, "x", "h");
    ends_with(&b, "amqp:not-allowed: performative 0x41 instead of sasl-response\n");
    b = opened();
    put_open(&b);
    ends_with(&b, "amqp:not-allowed: a second open\n");
    b = opened();
    amqp_frame(&b, 0, 0, "DL[]", (uint64_t)0x1234567);
    ends_with(&b, "amqp:not-allowed: unknown performative 0x1234567\n");
    b = opened();
    put_close(&b);
    put_open(&b);
    put_raw(&b, SLICE("garbage"));
    ends_with(&b, "closed why=\n"); // what comes after the end is nobody's business
}

static void the_error_comes_with_open_and_close(void **state)
{
    (void)state;
    static const uint8_t closing[] = {0x10, 0x18};
    for (int known = 0; known < 2; known++) {
        struct amqp_stage stage;
        struct buf b = nothing();
        amqp_stage_init(&stage);
        put_header(&b, false);
        if (known)
            put_open(&b);
        put_transfer(&b, 0, 0);
        amqp_stage_feed(&stage, buf_slice(&b));
        for (size_t i = 0; i < sizeof closing; i++)
            assert_true(was_sent(&stage, closing[i]));
        assert_true(output_has(&stage, "amqp:not-allowed"));
        assert_true(output_has(&stage, known ? "performative 0x14 on channel 0, which has no session"
                                             : "performative 0x14 instead of open"));
        amqp_stage_release(&stage);
        buf_release(&b);
    }
}

static void sessions_are_few(void **state)
{
    (void)state;
    struct buf b = opened();
    put_begin(&b, 65535);
    ends_with(&b, "channel 65535; the highest is 3\n");
    b = opened();
    put_begin(&b, 4);
    ends_with(&b, "channel 4; the highest is 3\n");
    b = opened();
    put_begin(&b, 1);
    put_begin(&b, 1);
    ends_with(&b, "begin on channel 1, which has a session\n");
    b = opened();
    amqp_frame(&b, 0, 0, "DL[HIII]", (uint64_t)0x11, 0, 0, 100, 100);
    ends_with(&b, "begin on channel 0, as an answer to none of ours\n");
}

static void links_are_few(void **state)
{
    (void)state;
    struct buf b = attached();
    for (uint32_t i = 1; i < 1000; i++) {
        char name[2] = {(char)('A' + i % 20), 0};
        put_attach(&b, name, i, i % 2, "a");
    }
    ends_with(&b, "amqp:resource-limit-exceeded: more than 8 links\n");
    b = attached();
    put_attach(&b, "other", 0, false, "a");
    ends_with(&b, "attach with a handle that is in use: handle 0, name 'other'\n");
    b = attached();
    put_attach(&b, "sender_link", 1, false, "a");
    ends_with(&b, "attach with a name that is in use: handle 1, name 'sender_link'\n");
    b = opened();
    put_attach(&b, "early", 0, false, "a");
    ends_with(&b, "performative 0x12 on channel 0, which has no session\n");
    b = opened();
    put_begin(&b, 0);
    amqp_frame(&b, 0, 0, "DL[SS]", (uint64_t)0x12, "odd", "handle");
    ends_with(&b, "attach without a handle and role\n");
    b = opened();
    amqp_frame(&b, 0, 0, "DL[nIIII]", (uint64_t)0x11, 0, 100, 100, 0); // handle-max 0
    put_attach(&b, "one", 0, false, "a");
    put_attach(&b, "two", 1, false, "a");
    ends_with(&b, "attach above its own handle-max: handle 1, name 'two'\n");
}

static void transfers_need_a_link_an_id_and_credit(void **state)
{
    (void)state;
    struct amqp_stage stage;
    struct buf b = attached();
    amqp_stage_init(&stage);
    stage.hold = true;
    for (uint32_t i = 0; i <= AMQP_CREDIT; i++)
        put_transfer(&b, 0, i);
    amqp_stage_feed(&stage, buf_slice(&b));
    assert_int_equal(stage.kept_count, AMQP_CREDIT);
    assert_non_null(strstr(amqp_why(stage.peer)->text, "amqp:link:transfer-limit-exceeded"));
    amqp_stage_release(&stage);
    buf_release(&b);

    b = attached();
    put_transfer(&b, 5, 0);
    ends_with(&b, "amqp:session:unattached-handle: no link has handle 5\n");
    b = attached();
    amqp_frame(&b, 0, 0, "DL[Io]", (uint64_t)0x16, 0, true); // detach
    put_transfer(&b, 0, 0);
    ends_with(&b, "detached\nbroken why=amqp:session:unattached-handle: no link has handle 0\n");
    b = attached();
    put_attach(&b, "receiver", 1, true, "a");
    put_transfer(&b, 1, 0);
    ends_with(&b, "transfer on a link on which the peer receives\n");
    b = attached();
    amqp_frame_with(&b, 0, DATA_SECTION, "DL[InzI]", (uint64_t)0x14, 0, (size_t)1, "t", 0);
    ends_with(&b, "transfer without a delivery-id\n");
    b = attached();
    amqp_frame_with(&b, 0, DATA_SECTION, TRANSFER_FORMAT, (uint64_t)0x14, 0, 0, (size_t)33,
                    "012345678901234567890123456789012", 0);
    ends_with(&b, "transfer with a delivery-tag of more than 32 bytes\n");
    b = attached();
    put_transfer(&b, 0, 7);
    put_transfer(&b, 0, 9);
    ends_with(&b, "transfer with delivery-id 9, where 8 comes next\n");
}

static void a_message_may_not_grow_without_end(void **state)
{
    (void)state;
    static const uint8_t part[16000];
    struct buf b = attached();
    for (uint32_t i = 0; i < 7; i++)
        amqp_frame_with(&b, 0, slice_of(part, sizeof part), "DL[IIzIno]", (uint64_t)0x14, 0, 0, (size_t)1,
                        "t", 0, true);
    struct amqp_stage stage;
    amqp_stage_init(&stage);
    amqp_stage_feed(&stage, buf_slice(&b));
    assert_true(slice_ends_with(buf_slice(&stage.said), SLICE("too-large limit=102400\n")));
    assert_true(was_sent(&stage, 0x15) && !was_sent(&stage, 0x16) && !was_sent(&stage, 0x18));
    assert_int_not_equal(slice_find(buf_slice(&stage.out), SLICE("amqp:link:message-size-exceeded")),
                         stage.out.len);
    assert_true(amqp_is_amid(stage.peer) && !amqp_is_over(stage.peer));
    buf_release(&b);

    // What is still on its way is thrown away, and the next message is one like any other.
    for (uint32_t i = 0; i < 20; i++)
        amqp_frame_with(&b, 0, slice_of(part, sizeof part), "DL[IIzIno]", (uint64_t)0x14, 0, 0, (size_t)1,
                        "t", 0, i < 19);
    put_transfer(&b, 0, 1);
    amqp_stage_feed(&stage, buf_slice(&b));
    assert_false(amqp_is_amid(stage.peer));
    struct slice said = buf_slice(&stage.said);
    struct slice once = slice_from(said, slice_find(said, SLICE("too-large")) + 1);
    if (slice_find(once, SLICE("delivered")) == once.len || slice_find(once, SLICE("too-large")) < once.len)
        fail_msg("said '%.*s'", SLICE_ARG(said));
    amqp_stage_release(&stage);
    buf_release(&b);
}

static void messages_that_make_no_sense_end_the_connection(void **state)
{
    (void)state;
    const struct slice messages[] = {
        SLICE("\0\x53\x75\xa0\3{}"), // longer than it is
        SLICE("\0\x53\x75\xa1\2{}"), // data that is a string
        SLICE("{}"),                 // no section
        SLICE("\x45"),
        SLICE("\0\x53\x79\x45"),                     // an unknown section
        SLICE("\0\x53\x74\x45"),                     // properties that are no map
        SLICE("\0\x53\x74\xc1\3\2\x41\x41"),         // with keys that are no text
        SLICE("\0\x53\x74\xc1\x04\2\xa1\1x"),        // or values that are not there
        SLICE("\0\x53\x75\xa0\0\0\x53\x77\x40"),     // two kinds of body
        SLICE("\0\x53\x75\xa0\0\0\x53\x74\xc1\1\0"), // out of order
        SLICE("\0\x53\x73\x45\0\x53\x73\x45"),       // twice
        SLICE("\0\0\0\0\0\0"),
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct buf b = attached();
        amqp_frame_with(&b, 0, messages[i], TRANSFER_FORMAT, (uint64_t)0x14, 0, 0, (size_t)1, "t", 0);
        ends_with(&b, "amqp:decode-error: a message's sections are malformed\n");
    }
}

static void dispositions_of_what_was_never_sent_are_refused_and_storms_do_no_harm(void **state)
{
    (void)state;
    struct buf b = attached();
    amqp_frame(&b, 0, 0, DISPOSITION_FORMAT, (uint64_t)0x15, true, 0, 0xffffffff, false, (uint64_t)0x24);
    ends_with(&b, "amqp:not-allowed: disposition of deliveries 0 to 4294967295; there were 0\n");
    b = attached();
    put_attach(&b, "receiver", 1, true, "a");
    put_credit(&b, 1);
    put_transfer(&b, 0, 0);
    for (uint32_t i = 0; i < 5000; i++)
        amqp_frame(&b, 0, 0, DISPOSITION_FORMAT, (uint64_t)0x15, i % 2, i % 2 ? 0 : i, i % 2 ? 0 : UINT32_MAX,
                   i % 3, (uint64_t)0x24 + i % 4);
    put_close(&b);
    ends_with(&b, "closed why=\n");
}

static void haste_in_heartbeats_is_refused(void **state)
{
    (void)state;
    struct buf b = nothing();
    put_header(&b, false);
    amqp_frame(&b, 0, 0, "DL[SSIHI]", (uint64_t)0x10, "c", "h", 65536, 10, 1);
    ends_with(&b, "amqp:not-allowed: idle-time-out of 1 ms; the least is 1000\n");
}

static void the_peer_s_own_error_is_kept_for_the_log(void **state)
{
    (void)state;
    struct buf b = opened();
    amqp_frame(&b, 0, 0, "DL[DL[sS]]", (uint64_t)0x18, (uint64_t)0x1d, "amqp:internal-error", "battery low");
    ends_with(&b, "closed why=amqp:internal-error: battery low\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_protocols_are_told_ours),
        cmocka_unit_test(a_frame_header_that_lies_is_refused_before_its_body_comes),
        cmocka_unit_test(a_stranger_may_not_send_much),
        cmocka_unit_test(a_peer_that_does_not_wait_may_not_go_on_forever),
        cmocka_unit_test(type_bombs_are_not_looked_into),
        cmocka_unit_test(frames_out_of_order_are_refused),
        cmocka_unit_test(the_error_comes_with_open_and_close),
        cmocka_unit_test(sessions_are_few),
        cmocka_unit_test(links_are_few),
        cmocka_unit_test(transfers_need_a_link_an_id_and_credit),
        cmocka_unit_test(a_message_may_not_grow_without_end),
        cmocka_unit_test(messages_that_make_no_sense_end_the_connection),
        cmocka_unit_test(dispositions_of_what_was_never_sent_are_refused_and_storms_do_no_harm),
        cmocka_unit_test(haste_in_heartbeats_is_refused),
        cmocka_unit_test(the_peer_s_own_error_is_kept_for_the_log),
    };
    return cmocka_run_group_tests_name("amqp refusal", tests, NULL, NULL);
}
