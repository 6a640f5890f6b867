// The flows of each SDK as frames made by hand, in one write and in all other pieces: the same is noticed.
#include "wire/amqp/amqp_test.h"

static void feed_said(struct buf *bytes, size_t split, const char *want)
{
    struct amqp_stage stage;
    amqp_stage_init(&stage);
    stage.split = split;
    amqp_stage_feed(&stage, buf_slice(bytes));
    assert_slice(buf_slice(&stage.said), want);
    amqp_stage_release(&stage);
}

static void in_all_pieces(struct buf *bytes, const char *want)
{
    static const size_t splits[] = {0, 1, 2, 3, 7, 8, 9, 64, 333};
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        feed_said(bytes, splits[i], want);
    buf_release(bytes);
}

#define C_ADDRESS "amqps://dps.example/0ne1/registrations/d1"

static void put_both_links(struct buf *b, const char *receiver, const char *sender, const char *address)
{
    put_begin(b, 0);
    put_attach(b, receiver, 0, true, address);
    put_attach(b, sender, 1, false, address);
    put_credit(b, 0);
    put_transfer(b, 1, 0);
    put_close(b);
}

// C with a key: SASL PLAIN, both links at once, and nothing is waited for.
static void c_with_a_token_in_one_write(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    put_header(&b, true);
    amqp_frame(&b, 1, 0, "DL[szS]", (uint64_t)0x41, "PLAIN", (size_t)7, "\0u/r/d\0", "dps.example");
    put_header(&b, false);
    put_open(&b);
    put_both_links(&b, "recv_link", "sender_link", C_ADDRESS);
    in_all_pieces(&b, "sasl-init mechanism=PLAIN bytes=<00>u/r/d<00> host=dps.example\n"
                      "opened after SASL container=c host=dps.example\n"
                      "attached from=" C_ADDRESS " name=recv_link api= client=\n"
                      "attached to=" C_ADDRESS " name=sender_link api= client=\n"
                      "delivered correlation=00:0 kind=1 body={}\n"
                      "closed why=\n");
}

// Java with a certificate: no SASL, an address with a slash, both links at once.
static void java_with_a_certificate_in_one_write(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    put_header(&b, false);
    amqp_frame(&b, 0, 0, "DL[SSIHI]", (uint64_t)0x10, "c", "dps.example:5671", 65536, 65535, 60000);
    put_both_links(&b, "provision_receiver_link", "provision_sender_link", "/0ne1/registrations/d1");
    in_all_pieces(&b, "opened without SASL container=c host=dps.example:5671\n"
                      "attached from=/0ne1/registrations/d1 name=provision_receiver_link api= client=\n"
                      "attached to=/0ne1/registrations/d1 name=provision_sender_link api= client=\n"
                      "delivered correlation=00:0 kind=1 body={}\n"
                      "closed why=\n");
}

// C# and Node: API version and client version, the receiver first.
static void node_names_its_versions(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    put_header(&b, false);
    put_open(&b);
    put_begin(&b, 0);
    amqp_frame(&b, 0, 0, "DL[SIonnDL[S]DL[S]nnILnn{sSsS}]", (uint64_t)0x12, "guid", 0, true, (uint64_t)0x28,
               "0ne1/registrations/d1", (uint64_t)0x29, "", 0, (uint64_t)0, "com.microsoft:api-version",
               "2019-03-31", "com.microsoft:client-version", "azure-iot-provisioning-device/1.9.0");
    in_all_pieces(&b, "opened without SASL container=c host=dps.example\n"
                      "attached from=0ne1/registrations/d1 name=guid api=2019-03-31 "
                      "client=azure-iot-provisioning-device/1.9.0\n");
}

static void a_tpm_is_asked_twice_in_small_frames(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    put_header(&b, true);
    amqp_frame(&b, 1, 0, "DL[szS]", (uint64_t)0x41, "TPM", (size_t)10, "\0s\0r\0EK...", "s/registrations/r");
    amqp_frame(&b, 1, 0, "DL[z]", (uint64_t)0x43, (size_t)4, "\0SRK");
    amqp_frame(&b, 1, 0, "DL[z]", (uint64_t)0x43, (size_t)1, "\0");
    amqp_frame(&b, 1, 0, "DL[z]", (uint64_t)0x43, (size_t)6, "\0Share");
    put_header(&b, false);
    put_open(&b);
    struct amqp_stage stage;
    amqp_stage_init(&stage);
    amqp_stage_feed(&stage, buf_slice(&b));
    assert_true(output_has(&stage, "PLAIN") && output_has(&stage, "ANONYMOUS"));
    assert_true(output_has(&stage, "\x80one") && output_has(&stage, "\xc1two"));
    amqp_stage_release(&stage);
    in_all_pieces(&b, "sasl-init mechanism=TPM bytes=<00>s<00>r<00>EK... host=s/registrations/r\n"
                      "sasl-response bytes=<00>SRK\n"
                      "sasl-response bytes=<00>\n"
                      "sasl-response bytes=<00>Share\n"
                      "opened after SASL container=c host=dps.example\n");
}

static void the_largest_challenge_fits_a_frame_of_512_bytes(void **state)
{
    (void)state;
    static const uint8_t bytes[AMQP_CHALLENGE_MAX];
    struct buf b = buf_capped(1 << 16);
    struct amqp_stage stage;
    amqp_stage_init(&stage);
    stage.silent = true;
    put_header(&b, true);
    amqp_frame(&b, 1, 0, "DL[szS]", (uint64_t)0x41, "PLAIN", (size_t)1, "\0", "h");
    amqp_stage_feed(&stage, buf_slice(&b));
    buf_clear(&stage.out);
    amqp_sasl_challenge(stage.peer, slice_of(bytes, sizeof bytes));
    amqp_stage_events(&stage);
    assert_in_range(stage.out.len, AMQP_CHALLENGE_MAX, 512);
    amqp_stage_release(&stage);
    buf_release(&b);
}

static void sasl_frames_beyond_512_bytes_are_taken(void **state)
{
    (void)state;
    static char key[3000];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = 'k';
    struct buf b = buf_capped(1 << 16);
    struct amqp_stage stage;
    amqp_stage_init(&stage);
    put_header(&b, true);
    amqp_frame(&b, 1, 0, "DL[szS]", (uint64_t)0x41, "TPM", sizeof key, key, "h");
    stage.split = 100;
    amqp_stage_feed(&stage, buf_slice(&b));
    assert_true(slice_starts_with(buf_slice(&stage.said), SLICE("sasl-init mechanism=TPM bytes=kkkk")));
    assert_false(amqp_is_over(stage.peer));
    amqp_stage_release(&stage);
    buf_release(&b);
}

static void what_is_sent_before_the_answer_waits_for_it(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    struct amqp_stage stage;
    amqp_stage_init(&stage);
    stage.silent = true;
    put_header(&b, false);
    put_open(&b);
    put_both_links(&b, "r", "s", "a");
    amqp_stage_feed(&stage, buf_slice(&b));
    assert_slice(buf_slice(&stage.said), "opened without SASL container=c host=dps.example\n");
    amqp_open(stage.peer);
    amqp_stage_events(&stage);
    assert_true(slice_ends_with(buf_slice(&stage.said), SLICE("closed why=\n")));
    amqp_stage_release(&stage);
    buf_release(&b);
}

static void put_part(struct buf *b, struct slice part, bool first, bool more, bool aborted)
{
    if (first)
        amqp_frame_with(b, 0, part, "DL[IIzInonnno]", (uint64_t)0x14, 0, 0, (size_t)1, "t", 0, more, aborted);
    else
        amqp_frame_with(b, 0, part, "DL[Innnnonnno]", (uint64_t)0x14, 0, more, aborted);
}

static void a_message_of_several_frames_is_one(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    put_sender(&b);
    put_part(&b, SLICE("\0\x53\x75\xa0"), true, true, false);
    put_part(&b, SLICE("\3a"), false, true, false);
    put_part(&b, SLICE("bc\0\x53\x75\xa0\2de"), false, false, false);
    in_all_pieces(&b, "opened without SASL container=c host=dps.example\n"
                      "attached to=a name=sender_link api= client=\n"
                      "delivered correlation=00:0 kind=1 body=abcde\n");
}

static void a_message_taken_back_is_forgotten_and_gives_its_credit_back(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    struct amqp_stage stage;
    amqp_stage_init(&stage);
    put_sender(&b);
    for (uint32_t i = 0; i < 3 * AMQP_CREDIT; i++) {
        amqp_frame_with(&b, 0, DATA_SECTION, "DL[IIzIno]", (uint64_t)0x14, 0, i, (size_t)1, "t", 0, true);
        put_part(&b, (struct slice){0}, false, false, true);
    }
    put_transfer(&b, 0, 3 * AMQP_CREDIT);
    amqp_stage_feed(&stage, buf_slice(&b));
    assert_true(
        slice_ends_with(buf_slice(&stage.said),
                        SLICE("name=sender_link api= client=\ndelivered correlation=00:0 kind=1 body={}\n")));
    amqp_stage_release(&stage);
    buf_release(&b);
}

static void a_message_of_value_or_of_nothing_is_a_message(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    put_sender(&b);
    amqp_frame_with(&b, 0, SLICE("\0\x53\x77\xa1\2hi"), TRANSFER_FORMAT, (uint64_t)0x14, 0, 0, (size_t)1, "t",
                    0);
    amqp_frame_with(&b, 0, (struct slice){0}, TRANSFER_FORMAT, (uint64_t)0x14, 0, 1, (size_t)1, "t", 0);
    // properties with a correlation-id of smallulong 5; application properties sym: int -3, u: ulong, b: true
    amqp_frame_with(
        &b, 0,
        SLICE("\0\x53\x73\xc0\x08\6\x40\x40\x40\x40\x40\x53\5"
              "\0\x53\x74\xc1\x16\6\xa3\1s\x54\xfd\xa1\1u\x80\xff\xff\xff\xff\xff\xff\xff\xff\xa1\1b\x41"),
        TRANSFER_FORMAT, (uint64_t)0x14, 0, 2, (size_t)1, "t", 0);
    in_all_pieces(&b,
                  "opened without SASL container=c host=dps.example\n"
                  "attached to=a name=sender_link api= client=\n"
                  "delivered correlation=00:0 kind=2 body=hi\n"
                  "delivered correlation=00:0 kind=0 body=\n"
                  "delivered property=s value=-3 property=u value=18446744073709551615 property=b value=true "
                  "correlation=53:1 kind=0 body=\n");
}

// The peer goes while its messages have no outcome: the outcomes have nowhere to go, and that is all.
static void outcomes_after_the_detach_but_before_it_is_noticed_do_no_harm(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    struct amqp_stage stage;
    amqp_stage_init(&stage);
    stage.hold = true;
    put_sender(&b);
    put_transfer(&b, 0, 0);
    put_transfer(&b, 0, 1);
    put_transfer(&b, 0, 2);
    amqp_stage_feed(&stage, buf_slice(&b));
    assert_int_equal(stage.kept_count, 3);
    amqp_accept(stage.kept[1]);
    buf_clear(&b);
    amqp_frame(&b, 0, 0, "DL[]", (uint64_t)0x17); // end
    struct slice in = buf_slice(&b);
    amqp_feed(stage.peer, &in);
    amqp_accept(stage.kept[0]);
    amqp_reject(stage.kept[2], SLICE("amqp:internal-error"), SLICE("x"), 1);
    assert_int_equal(amqp_send(stage.last_link, NULL, NULL, 0, SLICE("x")).code, ERR_ABSENT);
    buf_clear(&stage.said);
    amqp_stage_events(&stage);
    assert_slice(buf_slice(&stage.said), "detached\n");
    amqp_stage_release(&stage);
    buf_release(&b);
}

// At most one session at a time, however many in one write.
static void sessions_one_after_the_other_are_not_too_many(void **state)
{
    (void)state;
    struct buf b = buf_capped(1 << 16);
    put_header(&b, false);
    put_open(&b);
    for (int i = 0; i <= AMQP_SESSIONS_MAX; i++) {
        put_begin(&b, 0);
        amqp_frame(&b, 0, 0, "DL[]", (uint64_t)0x17); // end
    }
    put_close(&b);
    in_all_pieces(&b, "opened without SASL container=c host=dps.example\nclosed why=\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_with_a_token_in_one_write),
        cmocka_unit_test(java_with_a_certificate_in_one_write),
        cmocka_unit_test(node_names_its_versions),
        cmocka_unit_test(a_tpm_is_asked_twice_in_small_frames),
        cmocka_unit_test(the_largest_challenge_fits_a_frame_of_512_bytes),
        cmocka_unit_test(sasl_frames_beyond_512_bytes_are_taken),
        cmocka_unit_test(what_is_sent_before_the_answer_waits_for_it),
        cmocka_unit_test(a_message_of_several_frames_is_one),
        cmocka_unit_test(a_message_taken_back_is_forgotten_and_gives_its_credit_back),
        cmocka_unit_test(a_message_of_value_or_of_nothing_is_a_message),
        cmocka_unit_test(outcomes_after_the_detach_but_before_it_is_noticed_do_no_harm),
        cmocka_unit_test(sessions_one_after_the_other_are_not_too_many),
    };
    return cmocka_run_group_tests_name("amqp flow", tests, NULL, NULL);
}
