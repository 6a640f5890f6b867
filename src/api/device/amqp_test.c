// Devices at the AMQP door: who is let in by what, which links are theirs, how requests are answered and
// refused.
#include "api/device/amqp_bench_test.h"

#include <stdio.h>

// ---- who is let in
// -----------------------------------------------------------------------------------------------------

static void a_device_with_a_key_registers(void **state)
{
    struct amqp_link *sender;
    struct amqp_connection *c = dev1(*state, &sender);
    assert_true(c->limit > 96 * 1024);
    assert_int_equal(c->expires_us, 0);
    struct amqp_message message = registration("{\"registrationId\":\"DEV1\",\"payload\":null}");
    message.correlation = (struct amqp_correlation){.kind = 0xA1, .len = 3, .bytes = {1, 'x', 'y'}};
    struct amqp_delivery *delivery = ask_and_wait(sender, &message);
    assert_true(delivery->accepted);
    assert_int_equal(c->messages, 1);
    assert_true(delivery->outcome_at < c->message_at); // C# asks for the message only after the outcome
    assert_memory_equal(&c->correlation, &message.correlation, sizeof c->correlation);
    assert_string_equal(c->properties, "iotdps-status=200;");
    assert_non_null(strstr(c->body, "\"status\":\"assigned\""));
}

static void a_device_that_registers_again_hears_what_its_version_knows(void **state)
{
    static const struct {
        const char *version;
        const char *told;
    } cases[] = {{"2019-03-31", "\"substatus\":\"initialAssignment\""},
                 {"2019-03-31", "\"substatus\":\"initialAssignment\""},
                 {"2019-04-15", "\"substatus\":\"reprovisionedToInitialAssignment\""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct amqp_link *sender;
        amqp_version = cases[i].version;
        struct amqp_connection *c = dev1(*state, &sender);
        amqp_version = "2019-03-31";
        assert_true(enroll(sender)->accepted);
        assert_int_equal(c->messages, 1);
        assert_non_null(strstr(c->body, cases[i].told));
    }
}

static void whoever_names_itself_wrongly_is_not_let_in(void **state)
{
    struct world *w = *state;
    put_enrollment(w, "dev2", PROVISIONING_ENABLED);
    static const struct {
        const char *authorize;
        const char *user;
        const char *resource;
        enum err_code code;
    } table[] = {
        {"", SCOPE "/registrations/DEV1", SCOPE "/registrations/dev1", ERR_NONE},
        {SCOPE "/registrations/dev1", SCOPE "/registrations/dev1", SCOPE "/registrations/dev1", ERR_NONE},
        {SCOPE "/registrations/dev2", SCOPE "/registrations/dev1", SCOPE "/registrations/dev1",
         ERR_IDENTITY_MISMATCH},
        {"", SCOPE "/registrations/dev2", SCOPE "/registrations/dev1", ERR_SAS_RESOURCE},
        {"", "0ne00000000/registrations/dev1", SCOPE "/registrations/dev1", ERR_SCOPE_UNKNOWN},
        {"", SCOPE "/registrations/nobody", SCOPE "/registrations/nobody", ERR_REGISTRATION_UNKNOWN},
        {"", "host/" SCOPE "/registrations/dev1", SCOPE "/registrations/dev1", ERR_CREDENTIAL_MISSING},
        {"", SCOPE "/dev1", SCOPE "/registrations/dev1", ERR_CREDENTIAL_MISSING},
        {"", SCOPE "/registrations/", SCOPE "/registrations/dev1", ERR_CREDENTIAL_MISSING},
        {"", "", SCOPE "/registrations/dev1", ERR_CREDENTIAL_MISSING},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct amqp_connection *c = dial(w, NULL);
        plain(c, table[i].authorize, table[i].user, table[i].resource);
        if (c->refused != table[i].code)
            fail_msg("row %zu: %s", i, err_info(FAIL(c->refused))->name);
    }
}

// In the wrong field of PLAIN, or of both.
static void a_token_in_place_of_a_name_is_not_told_to_the_log(void **state)
{
    static const char token[] = "SharedAccessSignature sr=" SCOPE "/registrations/dev1&sig=c2VjcmV0&se=1";
    struct world *w = *state;
    struct amqp_connection *c = dial(w, NULL);
    plain(c, "", token, SCOPE "/registrations/dev1");
    assert_int_equal(c->refused, ERR_CREDENTIAL_MISSING);
    assert_null(strstr(c->why, "sig="));
    assert_non_null(strstr(c->why, "a SAS token"));
    c = dial(w, NULL);
    plain(c, token, SCOPE "/registrations/dev1", SCOPE "/registrations/dev1");
    assert_int_equal(c->refused, ERR_IDENTITY_MISMATCH);
    assert_null(strstr(c->why, "sig="));
}

static void what_is_no_proof_is_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *mechanism;
        struct slice bytes;
        enum err_code code;
    } table[] = {
        {"PLAIN", {0}, ERR_CREDENTIAL_MISSING},
        {"PLAIN", {(const uint8_t *)"\0a", 2}, ERR_CREDENTIAL_MISSING},
        {"PLAIN", {(const uint8_t *)"\0a\0b\0c", 6}, ERR_CREDENTIAL_MISSING},
        {"PLAIN",
         {(const uint8_t *)"\0" SCOPE "/registrations/dev1\0secret", sizeof SCOPE + 26},
         ERR_SAS_MALFORMED},
        {"EXTERNAL", {0}, ERR_CREDENTIAL_MISSING}, // and no certificate
        {"ANONYMOUS", {0}, ERR_CREDENTIAL_MISSING},
        {"SCRAM-SHA-256", {0}, ERR_CREDENTIAL_MISSING},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct amqp_connection *c = dial(w, NULL);
        sasl(c, table[i].mechanism, table[i].bytes);
        if (c->refused != table[i].code)
            fail_msg("row %zu: %s", i, err_info(FAIL(c->refused))->name);
    }
    struct amqp_connection *c = dial(w, NULL);
    say_open(c, false);
    assert_int_equal(c->refused, ERR_CREDENTIAL_MISSING);
    assert_false(c->opened);
}

static void a_password_counts_and_the_certificate_beside_it_takes_no_room(void **state)
{
    struct world *w = *state;
    struct amqp_connection *c = dial(w, chain_of(device(w, "dev1", root_of(w, "Somebody")), NULL, NULL));
    plain(c, "", SCOPE "/registrations/dev1", SCOPE "/registrations/dev1");
    assert_true(c->admitted);
    assert_true(chain_rests(c->chain));
}

// ---- whose links
// ------------------------------------------------------------------------------------------------------

static void links_are_those_of_the_device_however_a_client_writes_it(void **state)
{
    static const struct {
        const char *address;
        const char *refused;
    } table[] = {
        {SCOPE "/registrations/dev1", ""},                             // .NET, Node
        {"/" SCOPE "/registrations/dev1", ""},                         // Java
        {"amqps://localhost/" SCOPE "/registrations/dev1", ""},        // C
        {"amqps://localhost:5671/0NE000a0b1c/registrations/DEV1", ""}, // without regard to case
        {SCOPE "/registrations/dev2", "amqp:unauthorized-access"},
        {SCOPE "/registrations/dev1/x", "amqp:unauthorized-access"},
        {"0ne00000000/registrations/dev1", "amqp:unauthorized-access"},
        {"x" SCOPE "/registrations/dev1", "amqp:unauthorized-access"},
        {"/registrations/dev1", "amqp:invalid-field"},
        {SCOPE "/registrations/", "amqp:invalid-field"},
        {"dev1", "amqp:invalid-field"},
        {"", "amqp:invalid-field"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct amqp_connection *c = dial(*state, NULL);
        plain(c, "", SCOPE "/registrations/dev1", SCOPE "/registrations/dev1");
        say_open(c, true);
        struct amqp_link *link = attach_as(c, i % 2 == 0, table[i].address, "link", "");
        if (strcmp(link->refused, table[i].refused) != 0)
            fail_msg("%s: %s", table[i].address, link->refused);
        hang_up(c);
    }
}

static void links_of_others_asked_for_again_and_again_close_the_connection(void **state)
{
    struct amqp_link *sender;
    struct amqp_connection *c = dev1(*state, &sender);
    for (int i = 0; i < 8; i++) {
        assert_false(c->closed);
        (void)attach(c, false, "dev2");
    }
    assert_true(c->closed);
}

static void two_links_may_send_but_one_only_receive(void **state)
{
    struct amqp_link *sender;
    struct amqp_connection *c = dev1(*state, &sender);
    struct amqp_link *second = attach(c, false, "dev1");
    assert_true(second->accepted);
    assert_true(enroll(sender)->accepted);
    assert_true(enroll(second)->accepted);
    assert_int_equal(c->messages, 2);
    struct amqp_link *receiver = c->message_link;
    assert_string_equal(attach(c, true, "dev1")->refused, "amqp:invalid-field");
    happens(c, (struct amqp_event){.kind = AMQP_DETACHED, .link = receiver});
    struct amqp_link *other = attach(c, true, "dev1");
    assert_true(enroll(sender)->accepted);
    assert_ptr_equal(c->message_link, other);
}

static void a_request_that_could_not_be_answered_is_rejected(void **state)
{
    struct amqp_connection *c = dial(*state, NULL);
    plain(c, "", SCOPE "/registrations/dev1", SCOPE "/registrations/dev1");
    say_open(c, true);
    struct amqp_link *sender = attach(c, false, "dev1");
    struct amqp_delivery *delivery = enroll(sender);
    assert_string_equal(delivery->rejected, "amqp:invalid-field");
    assert_non_null(strstr(delivery->description, "\"errorCode\":400004"));
    assert_non_null(strstr(delivery->description, "attach a link to receive"));
    (void)attach(c, true, "dev1");
    assert_true(enroll(sender)->accepted);
}

// ---- certificates
// ------------------------------------------------------------------------------------------------------

static void a_device_with_a_certificate_needs_no_sasl(void **state)
{
    struct world *w = *state;
    static const char *const mechanisms[] = {NULL, "EXTERNAL", "ANONYMOUS"};
    struct certificate *leaf = device(w, "dev3", fleet(w));
    for (size_t i = 0; i < 3; i++) {
        struct amqp_connection *c = dial(w, chain_of(leaf, NULL, NULL));
        if (mechanisms[i] != NULL)
            sasl(c, mechanisms[i], (struct slice){0});
        say_open(c, mechanisms[i] != NULL);
        assert_true(c->opened);
        assert_true(attach(c, true, "dev3")->accepted);
        struct amqp_link *sender = attach(c, false, "DEV3");
        assert_true(sender->accepted && c->ready);
        assert_true(c->limit > 96 * 1024);
        assert_true(enroll(sender)->accepted);
        assert_non_null(strstr(c->body, "\"x509\":{\"enrollmentGroupId\":\"Fleet\"}"));
        // the first link said who it is
        assert_string_equal(attach(c, false, "dev4")->refused, "amqp:unauthorized-access");
    }
}

static void a_certificate_that_is_not_let_in_hears_why_when_it_registers(void **state)
{
    struct world *w = *state;
    struct certificate *root = root_of(w, "New root");
    struct amqp_connection *c = dial(w, chain_of(device(w, "dev3", root), NULL, NULL));
    say_open(c, false);
    struct amqp_link *sender = attach(c, false, "dev3");
    assert_true(attach(c, true, "dev3")->accepted && sender->accepted);
    assert_true(c->limit <= 4096);
    assert_int_equal(c->expires_us, w->now_us + 30 * INT64_C(1000000));
    struct amqp_delivery *delivery = enroll(sender);
    assert_string_equal(delivery->rejected, "amqp:unauthorized-access");
    assert_non_null(strstr(delivery->description, "\"errorCode\":401002"));
    assert_null(strstr(delivery->description, "New root")); // strangers learn nothing
    assert_int_equal(delivery->retry_after_s, 0);
    assert_int_equal(c->messages, 0);
    // meanwhile an operator sees it in the log, and makes a group for it
    put_ca(w, "new", root, true);
    put_group(w, "new", root, PROVISIONING_ENABLED);
    assert_true(enroll(sender)->accepted);
    assert_true(c->limit > 96 * 1024);
    assert_int_equal(c->expires_us, 0);
    // and is told when its enrollment is disabled
    put_group(w, "new", root, PROVISIONING_DISABLED);
    assert_non_null(strstr(enroll(sender)->description, "disabled"));
}

static void a_connection_that_asks_in_vain_again_and_again_is_closed(void **state)
{
    struct world *w = *state;
    struct amqp_connection *c = dial(w, chain_of(device(w, "dev4", NULL), NULL, NULL));
    say_open(c, false);
    (void)attach(c, true, "dev4");
    struct amqp_link *sender = attach(c, false, "dev4");
    for (unsigned i = 0; i < 8; i++) {
        assert_false(c->closed);
        assert_string_equal(enroll(sender)->rejected, "amqp:unauthorized-access");
    }
    assert_true(c->closed); // with the outcome
}

// ---- requests
// ---------------------------------------------------------------------------------------------------------

static void polling_takes_any_body(void **state)
{
    struct world *w = *state;
    flow_free(w->flow);
    w->settings.strict_polling = true;
    make_flow(w);
    amqp_serve(w);
    struct amqp_link *sender;
    struct amqp_connection *c = dev1(w, &sender);
    assert_true(enroll(sender)->accepted);
    char wanted[100], operation[100] = {0};
    (void)snprintf(wanted, sizeof wanted, "iotdps-status=202;retry-after=%u;Retry-After=%u;",
                   w->settings.retry_after_s, w->settings.retry_after_s);
    assert_string_equal(c->properties, wanted);
    assert_non_null(strstr(c->body, "\"status\":\"assigning\""));
    const char *id = strstr(c->body, "\"operationId\":\"");
    assert_int_equal(sscanf(id, "\"operationId\":\"%99[^\"]", operation), 1);
    const struct {
        enum amqp_body kind;
        const char *text;
    } bodies[] = {
        {AMQP_BODY_NONE, ""},                              // Java
        {AMQP_BODY_VALUE, ""},                             // Node
        {AMQP_BODY_VALUE, "iotdps-get-operationstatus"},   // .NET
        {AMQP_BODY_DATA, "{\"registrationId\":\"dev1\"}"}, // C
    };
    until_idle(w);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct amqp_message poll = {
            .properties = {{SLICE("iotdps-operation-id"), slice_text(operation)},
                           {SLICE("iotdps-operation-type"), SLICE("iotdps-get-operationstatus")}},
            .property_count = 2,
            .body_kind = bodies[i].kind,
            .body = slice_text(bodies[i].text),
        };
        assert_true(ask_and_wait(sender, &poll)->accepted);
        assert_int_equal(c->messages, 2 + i);
        assert_string_equal(c->properties, "iotdps-status=200;");
        assert_non_null(strstr(c->body, "\"status\":\"assigned\""));
    }
}

static void what_is_asked_wrongly_is_rejected_with_a_reason(void **state)
{
    struct amqp_link *sender;
    struct amqp_connection *c = dev1(*state, &sender);
    struct amqp_message nothing = {0};
    struct amqp_delivery *delivery = ask_and_wait(sender, &nothing);
    assert_string_equal(delivery->rejected, "amqp:invalid-field");
    assert_non_null(strstr(delivery->description, "iotdps-operation-type"));
    struct amqp_message other = registration("{\"registrationId\":\"dev2\"}");
    delivery = ask_and_wait(sender, &other);
    assert_string_equal(delivery->rejected, "amqp:invalid-field");
    assert_non_null(strstr(delivery->description, "dev2"));
    struct amqp_message broken = registration("{");
    assert_string_equal(ask_and_wait(sender, &broken)->rejected, "amqp:decode-error");
    struct amqp_message poll = {
        .properties = {{SLICE("iotdps-operation-type"), SLICE("iotdps-get-operationstatus")},
                       {SLICE("iotdps-operation-id"), SLICE("5.0.of-somebody-else")}},
        .property_count = 2,
    };
    assert_string_equal(ask_and_wait(sender, &poll)->rejected, "amqp:not-found");
    assert_int_equal(c->messages, 0);
    assert_true(enroll(sender)->accepted); // and it goes on
}

static void a_fifth_request_at_once_is_told_to_come_again(void **state)
{
    struct world *w = *state;
    struct amqp_link *sender;
    (void)dev1(w, &sender);
    struct amqp_message message = registration("");
    struct amqp_delivery *asked[5];
    for (size_t i = 0; i < 5; i++)
        asked[i] = send_message(sender, &message);
    assert_string_equal(asked[4]->rejected, "com.microsoft:device-container-throttled");
    assert_true(asked[4]->retry_after_s > 0);
    assert_non_null(strstr(asked[4]->description, "\"errorCode\":429001"));
    for (size_t i = 0; i < 4; i++) {
        until_settled(w, asked[i]);
        assert_true(asked[i]->accepted);
    }
    assert_true(enroll(sender)->accepted);
}

static void java_is_not_answered_faster_than_it_can_wait(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *name, *client;
        bool waits;
    } table[] = {
        {"provision_sender_link", "", true},
        {"link", "com.microsoft.azure.sdk.iot.dps.dps-device-client/2.1.3", true},
        {"sender_link", "", false},
        {"link", "azure-iot-provisioning-device/1.9.1", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct amqp_connection *c = dial(w, NULL);
        plain(c, "", SCOPE "/registrations/dev1", SCOPE "/registrations/dev1");
        say_open(c, true);
        (void)attach_as(c, true, SCOPE "/registrations/dev1", table[i].name, table[i].client);
        struct amqp_link *sender =
            attach_as(c, false, SCOPE "/registrations/dev1", table[i].name, table[i].client);
        struct amqp_message good = registration(""), bad = registration("{");
        struct amqp_delivery *ok = send_message(sender, &good), *refused = send_message(sender, &bad);
        for (int j = 0; j < 2000 && flow_under_way(w->flow) > 0; j++)
            deliver(w, 2); // time stands still
        bool early = ok->outcome_at != 0 || refused->outcome_at != 0 || c->messages > 0;
        if (early == table[i].waits)
            fail_msg("%s %s", table[i].name, table[i].client);
        pass(w, 19);
        assert_int_equal(ok->outcome_at == 0, table[i].waits);
        pass(w, 1);
        assert_true(ok->accepted && refused->rejected[0] != '\0' && c->messages == 1);
    }
}

static void what_goes_away_meanwhile_takes_nothing_with_it(void **state)
{
    struct world *w = *state;
    struct amqp_link *sender;
    struct amqp_connection *c = dev1(w, &sender);
    struct amqp_message message = registration("");
    struct amqp_delivery *delivery = send_message(sender, &message);
    happens(c, (struct amqp_event){.kind = AMQP_DETACHED, .link = sender});
    until_idle(w);
    assert_int_equal(delivery->outcome_at, 0); // gone with its link
    assert_int_equal(c->messages, 1);          // the answer has another one
    sender = attach(c, false, "dev1");
    delivery = send_message(sender, &message);
    hang_up(c);
    until_idle(w);
    assert_int_equal(c->messages, 1);
    assert_int_equal(stored_registration(w, SLICE("dev1"))->status, STATUS_ASSIGNED);
}

static void messages_that_are_too_large_are_rejected_in_words_and_not_without_end(void **state)
{
    struct world *w = *state;
    struct amqp_link *sender;
    struct amqp_connection *c = dev1(w, &sender);
    for (int i = 0; i < 8; i++) {
        assert_false(c->closed);
        struct amqp_delivery delivery = {0};
        happens(
            c, (struct amqp_event){
                   .kind = AMQP_TOO_LARGE, .link = sender, .delivery = &delivery, .limit = AMQP_MESSAGE_MAX});
        assert_string_equal(delivery.rejected, "amqp:link:message-size-exceeded");
        assert_non_null(strstr(delivery.description, "\"errorCode\":413001"));
    }
    assert_true(c->closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, amqp_setup, amqp_teardown)
        TEST(a_device_with_a_key_registers),
        TEST(a_device_that_registers_again_hears_what_its_version_knows),
        TEST(whoever_names_itself_wrongly_is_not_let_in),
        TEST(a_token_in_place_of_a_name_is_not_told_to_the_log),
        TEST(what_is_no_proof_is_refused),
        TEST(a_password_counts_and_the_certificate_beside_it_takes_no_room),
        TEST(links_are_those_of_the_device_however_a_client_writes_it),
        TEST(links_of_others_asked_for_again_and_again_close_the_connection),
        TEST(two_links_may_send_but_one_only_receive),
        TEST(a_request_that_could_not_be_answered_is_rejected),
        TEST(a_device_with_a_certificate_needs_no_sasl),
        TEST(a_certificate_that_is_not_let_in_hears_why_when_it_registers),
        TEST(a_connection_that_asks_in_vain_again_and_again_is_closed),
        TEST(polling_takes_any_body),
        TEST(what_is_asked_wrongly_is_rejected_with_a_reason),
        TEST(a_fifth_request_at_once_is_told_to_come_again),
        TEST(java_is_not_answered_faster_than_it_can_wait),
        TEST(what_goes_away_meanwhile_takes_nothing_with_it),
        TEST(messages_that_are_too_large_are_rejected_in_words_and_not_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
