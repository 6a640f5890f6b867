// The whole conversation with proton's own client: what a device's SDK would notice.
#include "wire/amqp/client_test.h"

static void said(struct client *c, const char *want)
{
    assert_slice(buf_slice(&c->stage.said), want);
}

static const char address[] = "amqps://dps.example/0ne1/registrations/d1";

static void a_device_with_a_token_is_heard_and_answered(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, "0ne1/registrations/d1", "SharedAccessSignature sr=x");
    client_begin(&c);
    client_attach(&c, true, address);
    client_attach(&c, false, address);
    run(&c);
    said(&c,
         "sasl-init mechanism=PLAIN bytes=<00>0ne1/registrations/d1<00>SharedAccessSignature sr=x "
         "host=\n"
         "opened after SASL container=prov_connection host=dps.example\n"
         "attached from=amqps://dps.example/0ne1/registrations/d1 name=recv_link api=2019-03-31 client=\n"
         "attached to=amqps://dps.example/0ne1/registrations/d1 name=sender_link api=2019-03-31 client=\n");
    assert_string_equal(pn_terminus_get_address(pn_link_remote_source(c.receiver)), address);
    assert_string_equal(pn_terminus_get_address(pn_link_remote_target(c.sender)), address);
    assert_int_equal(pn_link_credit(c.sender), AMQP_CREDIT);
    assert_int_equal(pn_transport_get_remote_max_frame(c.driver.transport), AMQP_FRAME_MAX);
    assert_int_equal(pn_transport_remote_channel_max(c.driver.transport), AMQP_SESSIONS_MAX - 1);
    assert_int_equal(pn_transport_get_remote_idle_timeout(c.driver.transport), 60000);
    assert_true(pn_link_remote_max_message_size(c.sender) == AMQP_MESSAGE_MAX);
    buf_clear(&c.stage.said);
    send_request(&c, "{\"registrationId\":\"d1\"}", text_id("guid"));
    run(&c);
    said(&c, "delivered property=iotdps-operation-type value=iotdps-register property=force value=false "
             "property=number value=-7 correlation=a1:5 kind=1 body={\"registrationId\":\"d1\"}\n");
    assert_non_null(c.request);
    assert_int_equal(pn_delivery_remote_state(c.request), PN_ACCEPTED);
    assert_true(pn_delivery_settled(c.request));
    pn_message_t *m = read_answer(&c);
    assert_int_equal(pn_message_get_correlation_id(m).type, PN_STRING);
    pn_message_free(m);
    buf_clear(&c.stage.said);
    pn_connection_close(c.driver.connection);
    run(&c);
    said(&c, "closed why=\n");
    assert_true(pn_connection_state(c.driver.connection) & PN_REMOTE_CLOSED);
    assert_true(amqp_is_over(c.stage.peer));
    client_release(&c);
}

static void a_wrong_token_is_refused_by_sasl_outcome_1(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, "0ne1/registrations/d1", "wrong");
    c.stage.deny = true;
    run(&c);
    assert_true(c.refused);
    assert_int_equal(pn_sasl_outcome(pn_sasl(c.driver.transport)), PN_SASL_AUTH);
    assert_true(amqp_is_over(c.stage.peer));
    assert_true(slice_find(buf_slice(&c.stage.said), SLICE("broken")) == c.stage.said.len);
    client_release(&c);
}

// As C# and Node do: the sender link is attached once the receiver's attach is answered.
static void a_device_with_a_certificate_needs_no_sasl(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    client_begin(&c);
    client_attach(&c, true, "0ne1/registrations/d1");
    run(&c);
    assert_true(pn_link_state(c.receiver) & PN_REMOTE_ACTIVE);
    client_attach(&c, false, "0ne1/registrations/d1");
    run(&c);
    said(&c, "opened without SASL container=prov_connection host=dps.example\n"
             "attached from=0ne1/registrations/d1 name=recv_link api=2019-03-31 client=\n"
             "attached to=0ne1/registrations/d1 name=sender_link api=2019-03-31 client=\n");
    send_request(&c, "", (pn_atom_t){.type = PN_NULL});
    run(&c);
    pn_message_t *m = read_answer(&c);
    assert_int_equal(pn_message_get_correlation_id(m).type, PN_NULL);
    pn_message_free(m);
    client_release(&c);
}

static void correlation_ids_come_back_in_their_type(void **state)
{
    (void)state;
    const pn_atom_t ids[] = {
        {.type = PN_ULONG, .u.as_ulong = 0},
        {.type = PN_ULONG, .u.as_ulong = 77},
        {.type = PN_ULONG, .u.as_ulong = UINT64_MAX},
        {.type = PN_UUID, .u.as_uuid = {.bytes = "0123456789abcde"}},
        {.type = PN_BINARY, .u.as_bytes = {3, "\0\1\2"}},
        text_id("x"),
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct client c;
        client_init(&c, NULL, NULL);
        client_begin(&c);
        client_attach(&c, true, "a");
        client_attach(&c, false, "a");
        send_request(&c, "{}", ids[i]);
        run(&c);
        pn_message_t *m = read_answer(&c);
        pn_atom_t back = pn_message_get_correlation_id(m);
        assert_int_equal(back.type, ids[i].type);
        if (back.type == PN_ULONG)
            assert_true(back.u.as_ulong == ids[i].u.as_ulong);
        else if (back.type == PN_UUID)
            assert_memory_equal(back.u.as_uuid.bytes, ids[i].u.as_uuid.bytes, 16);
        else
            assert_true(slice_equal(slice_of(back.u.as_bytes.start, back.u.as_bytes.size),
                                    slice_of(ids[i].u.as_bytes.start, ids[i].u.as_bytes.size)));
        pn_message_free(m);
        client_release(&c);
    }
}

static void a_rejection_says_why_and_when_to_try_again(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    c.stage.reject = true;
    client_begin(&c);
    client_attach(&c, false, "a");
    send_request(&c, "{}", text_id("x"));
    run(&c);
    assert_non_null(c.request);
    assert_int_equal(pn_delivery_remote_state(c.request), PN_REJECTED);
    pn_condition_t *error = pn_disposition_condition(pn_delivery_remote(c.request));
    assert_string_equal(pn_condition_get_name(error), "amqp:unauthorized-access");
    assert_string_equal(pn_condition_get_description(error), "{\"errorCode\":401002}");
    pn_data_t *info = pn_condition_info(error);
    pn_data_rewind(info);
    assert_true(pn_data_next(info));
    assert_int_equal(pn_data_get_map(info), 4);
    pn_data_enter(info);
    for (const char *const *name = (const char *const[]){"Retry-After", "retry-after", NULL}; *name != NULL;
         name++) {
        pn_data_next(info);
        assert_int_equal(pn_data_type(info), PN_SYMBOL);
        assert_slice(slice_of(pn_data_get_symbol(info).start, pn_data_get_symbol(info).size), *name);
        pn_data_next(info);
        assert_int_equal(pn_data_get_int(info), 5);
    }
    client_release(&c);
}

static void a_link_to_nowhere_is_refused_and_the_rest_works(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    client_begin(&c);
    client_attach(&c, true, "nowhere");
    client_attach(&c, false, "a");
    send_request(&c, "{}", text_id("x"));
    run(&c);
    assert_true(pn_link_state(c.receiver) & PN_REMOTE_CLOSED);
    assert_string_equal(pn_condition_get_name(pn_link_remote_condition(c.receiver)), "amqp:not-found");
    assert_int_equal(pn_terminus_get_type(pn_link_remote_source(c.receiver)), PN_UNSPECIFIED);
    assert_int_equal(pn_delivery_remote_state(c.request), PN_ACCEPTED);
    buf_clear(&c.stage.said);
    pn_link_close(c.receiver);
    run(&c);
    said(&c, "detached\n");
    pn_session_close(c.session);
    run(&c);
    said(&c, "detached\ndetached\n");
    assert_true(pn_session_state(c.session) & PN_REMOTE_CLOSED);
    client_release(&c);
}

static void links_and_sessions_come_and_go_without_end(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    for (int i = 0; i < 50; i++) {
        client_begin(&c);
        client_attach(&c, true, "a");
        client_attach(&c, false, "a");
        send_request(&c, "{}", text_id("x"));
        run(&c);
        assert_non_null(c.answer);
        c.answer = NULL;
        if (i % 2 == 0) {
            pn_link_close(c.sender);
            pn_link_detach(c.receiver);
            run(&c);
        }
        pn_session_close(c.session);
        run(&c);
        pn_session_free(c.session);
        run(&c);
        assert_false(amqp_is_over(c.stage.peer));
    }
    client_release(&c);
}

static void large_messages_of_many_frames_go_both_ways(void **state)
{
    (void)state;
    static char body[96 * 1024 + 1];
    memset(body, 'x', sizeof body - 1);
    struct client c;
    client_init(&c, NULL, NULL);
    pn_transport_set_max_frame(c.driver.transport, 1024);
    client_begin(&c);
    client_attach(&c, true, "a");
    client_attach(&c, false, "a");
    run(&c);
    for (int i = 0; i < 30; i++) { // more than the credit, which has to come back
        c.request = c.answer = NULL;
        send_request(&c, body, text_id("x"));
        run(&c);
        assert_non_null(c.request);
        assert_int_equal(pn_delivery_remote_state(c.request), PN_ACCEPTED);
        pn_delivery_settle(c.request);
        pn_message_t *m = read_answer(&c);
        pn_message_free(m);
        pn_link_advance(c.receiver);
        pn_delivery_settle(c.answer); // without a word about what became of it
        pn_link_flow(c.receiver, 1);
    }
    client_release(&c);
}

static void an_answer_waits_for_credit_and_too_many_are_an_error(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    client_begin(&c);
    c.miser = true;
    client_attach(&c, true, "a");
    run(&c);
    for (int i = 0; i < AMQP_UNSENT_MAX; i++)
        assert_false(failed(amqp_send(c.stage.to_peer, NULL, NULL, 0, SLICE("{}"))));
    assert_int_equal(amqp_send(c.stage.to_peer, NULL, NULL, 0, SLICE("{}")).code, ERR_CAPPED);
    amqp_stage_events(&c.stage);
    run(&c);
    assert_null(c.answer);
    pn_link_flow(c.receiver, 1);
    run(&c);
    assert_non_null(c.answer);
    assert_false(failed(amqp_send(c.stage.to_peer, NULL, NULL, 0, SLICE("{}"))));
    client_release(&c);
}

static void a_close_of_ours_says_why_and_waits_for_the_answer(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    run(&c);
    buf_clear(&c.stage.said);
    amqp_close(c.stage.peer, SLICE("amqp:connection:forced"), SLICE("stopping"));
    assert_false(amqp_is_over(c.stage.peer));
    amqp_stage_events(&c.stage);
    run(&c);
    assert_string_equal(pn_condition_get_name(pn_connection_remote_condition(c.driver.connection)),
                        "amqp:connection:forced");
    assert_string_equal(pn_condition_get_description(pn_connection_remote_condition(c.driver.connection)),
                        "stopping");
    pn_connection_close(c.driver.connection);
    run(&c);
    said(&c, "closed why=\n");
    client_release(&c);
}

static void silence_ends_the_connection_and_heartbeats_keep_it(void **state)
{
    (void)state;
    struct client c;
    client_init(&c, NULL, NULL);
    pn_transport_set_idle_timeout(c.driver.transport, 20000);
    run(&c);
    int64_t next = amqp_tick(c.stage.peer, 1000);
    assert_int_equal(next, 1000 + 5000); // half of what it asked for, which is half of what it has
    next = amqp_tick(c.stage.peer, next);
    amqp_stage_events(&c.stage);
    assert_int_equal(c.stage.out.len, 8); // an empty frame
    assert_true(amqp_tick(c.stage.peer, 1000 + 119999) > 0);
    assert_false(amqp_is_over(c.stage.peer));
    buf_clear(&c.stage.said);
    (void)amqp_tick(c.stage.peer, 1000 + 120000);
    assert_true(amqp_is_over(c.stage.peer));
    amqp_stage_events(&c.stage);
    said(&c, "broken why=amqp:resource-limit-exceeded: nothing came for 120000 ms or more\n");
    client_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_with_a_token_is_heard_and_answered),
        cmocka_unit_test(a_wrong_token_is_refused_by_sasl_outcome_1),
        cmocka_unit_test(a_device_with_a_certificate_needs_no_sasl),
        cmocka_unit_test(correlation_ids_come_back_in_their_type),
        cmocka_unit_test(a_rejection_says_why_and_when_to_try_again),
        cmocka_unit_test(a_link_to_nowhere_is_refused_and_the_rest_works),
        cmocka_unit_test(links_and_sessions_come_and_go_without_end),
        cmocka_unit_test(large_messages_of_many_frames_go_both_ways),
        cmocka_unit_test(an_answer_waits_for_credit_and_too_many_are_an_error),
        cmocka_unit_test(a_close_of_ours_says_why_and_waits_for_the_answer),
        cmocka_unit_test(silence_ends_the_connection_and_heartbeats_keep_it),
    };
    return cmocka_run_group_tests_name("amqp client", tests, NULL, NULL);
}
