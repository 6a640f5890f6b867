// Devices at the AMQP door: who is let in by what, which links are theirs, how requests are answered and
// refused. In place of the front and the engine stand connections, links and deliveries that can be looked
// at.
#include "flow/flow_pki_test.h"
#include "flow/flow_tpm_test.h"

#include <stdio.h>

#include "api/device/device.h"

struct amqp_link {
    struct amqp_connection *connection;
    bool to_peer;
    bool accepted;
    char refused[64]; // condition
};

struct amqp_delivery {
    bool accepted;
    char rejected[64]; // condition
    char description[2048];
    uint32_t retry_after_s;
    size_t outcome_at; // when, in the order of all that the connection was told
};

struct amqp_connection {
    struct world *world;
    struct amqp_door door;
    void *session; // NULL: gone
    struct chain *chain;
    bool deciding, admitted, opened, ready;
    uint32_t refused; // enum err_code
    size_t challenges;
    struct buf challenge; // the last one
    bool closed;
    size_t limit;
    int64_t expires_us;
    size_t told;
    size_t messages;
    size_t message_at;
    struct amqp_link *message_link;
    struct amqp_correlation correlation;
    char properties[256]; // name=value;…
    char body[4096];
};

static struct amqp_connection connections[16];
static size_t connection_count;
static struct amqp_link links[64];
static size_t link_count;
static struct amqp_delivery deliveries[64];
static size_t delivery_count;
static struct device_api *api;

// ---- the front and the engine
// -----------------------------------------------------------------------------------------

struct link_ticket amqp_connection_ticket(const struct amqp_connection *c)
{
    return (struct link_ticket){(uint32_t)(c - connections), 1};
}

struct amqp_connection *amqp_connection_of(struct amqp_front *front, struct link_ticket ticket)
{
    (void)front;
    struct amqp_connection *c = &connections[ticket.slot];
    return c->session != NULL && !c->closed && c->refused == 0 ? c : NULL;
}

void *amqp_connection_session(const struct amqp_connection *c)
{
    return c->session;
}

void amqp_connection_decide(struct amqp_connection *c)
{
    c->deciding = true;
}

void amqp_connection_go_on(struct amqp_connection *c)
{
    c->deciding = false;
}

void amqp_connection_challenge(struct amqp_connection *c, struct slice bytes)
{
    assert_in_range(bytes.len, 1, AMQP_CHALLENGE_MAX);
    c->challenges++;
    c->challenge.len = 0;
    c->challenge.cap = AMQP_CHALLENGE_MAX;
    buf_bytes(&c->challenge, bytes);
}

void amqp_connection_admit(struct amqp_connection *c)
{
    c->admitted = true;
}

void amqp_connection_open(struct amqp_connection *c)
{
    c->opened = true;
}

void amqp_connection_ready(struct amqp_connection *c)
{
    c->ready = true;
}

void amqp_connection_limit(struct amqp_connection *c, size_t max_message)
{
    c->limit = max_message;
}

void amqp_connection_refuse_quietly(struct amqp_connection *c, struct err e)
{
    c->refused = e.code;
}

void amqp_connection_refuse(struct amqp_connection *c, struct err e, const struct why *why)
{
    assert_non_null(why);
    c->refused = e.code;
}

void amqp_connection_close(struct amqp_connection *c, struct err e, const struct why *why)
{
    (void)why;
    if (failed(e))
        fail_msg("closed: %s", err_info(e)->name);
    c->closed = true;
}

void amqp_connection_flush(struct amqp_connection *c)
{
    (void)c;
}

void amqp_connection_expires(struct amqp_connection *c, int64_t at_us, const char *awaited)
{
    assert_true(at_us == 0 || awaited != NULL);
    c->expires_us = at_us;
}

struct chain *amqp_connection_chain(struct amqp_connection *c)
{
    return c->chain;
}

uint64_t amqp_connection_id(const struct amqp_connection *c)
{
    return 1 + (uint64_t)(c - connections);
}

struct slice amqp_connection_peer(const struct amqp_connection *c)
{
    (void)c;
    return SLICE("192.0.2.1:50000");
}

void amqp_connection_log_refusal(struct amqp_connection *c, struct slice registration_id, struct err e,
                                 const struct why *why)
{
    (void)c, (void)registration_id, (void)e, (void)why;
}

void amqp_link_accept(struct amqp_link *link)
{
    link->accepted = true;
}

static void copy(char *out, size_t room, struct slice text)
{
    (void)snprintf(out, room, "%.*s", (int)text.len, (const char *)text.at);
}

void amqp_link_refuse(struct amqp_link *link, struct slice condition, struct slice description)
{
    assert_true(description.len > 0);
    copy(link->refused, sizeof link->refused, condition);
}

void amqp_accept(struct amqp_delivery *delivery)
{
    assert_true(delivery->outcome_at == 0);
    delivery->accepted = true;
    delivery->outcome_at = ++connections[0].told;
}

void amqp_reject(struct amqp_delivery *delivery, struct slice condition, struct slice description,
                 uint32_t retry_after_s)
{
    assert_true(delivery->outcome_at == 0);
    copy(delivery->rejected, sizeof delivery->rejected, condition);
    copy(delivery->description, sizeof delivery->description, description);
    delivery->retry_after_s = retry_after_s;
    delivery->outcome_at = ++connections[0].told;
}

struct err amqp_send(struct amqp_link *link, const struct amqp_correlation *correlation,
                     const struct amqp_property *properties, size_t property_count, struct slice body)
{
    struct amqp_connection *c = link->connection;
    struct buf text = buf_capped(4096);
    assert_true(link->to_peer && link->accepted);
    for (size_t i = 0; i < property_count; i++)
        buf_printf(&text, "%.*s=%.*s;", SLICE_ARG(properties[i].name), SLICE_ARG(properties[i].text));
    copy(c->properties, sizeof c->properties, buf_slice(&text));
    buf_release(&text);
    copy(c->body, sizeof c->body, body);
    c->correlation = *correlation;
    c->message_link = link;
    c->message_at = ++connections[0].told;
    c->messages++;
    return OK;
}

// ---- devices
// ----------------------------------------------------------------------------------------------------------

static struct amqp_connection *dial(struct world *w, struct chain *chain)
{
    assert_true(connection_count < sizeof connections / sizeof connections[0]);
    struct amqp_connection *c = &connections[connection_count++];
    *c = (struct amqp_connection){.world = w, .door = device_amqp_door(api), .chain = chain};
    c->session = c->door.open(c->door.context, c);
    assert_non_null(c->session);
    return c;
}

static void hang_up(struct amqp_connection *c)
{
    if (c->session != NULL)
        c->door.closed(c->session);
    c->session = NULL;
    chain_release(c->chain);
    c->chain = NULL;
    buf_release(&c->challenge);
}

static void happens(struct amqp_connection *c, struct amqp_event event)
{
    assert_false(c->deciding || c->closed || c->refused != 0);
    c->door.event(c->session, &event);
    for (int i = 0; i < 2000 && c->deciding && c->refused == 0; i++) {
        deliver(c->world, 2);
        pass(c->world, 0);
    }
}

static void sasl(struct amqp_connection *c, const char *mechanism, struct slice bytes)
{
    happens(c,
            (struct amqp_event){.kind = AMQP_SASL_INIT, .mechanism = slice_text(mechanism), .bytes = bytes});
    assert_true(c->admitted != (c->refused != 0));
}

static void say_open(struct amqp_connection *c, bool after_sasl)
{
    happens(c, (struct amqp_event){.kind = AMQP_OPENED, .sasl = after_sasl});
}

// authorize NUL user NUL token for `resource`; \1 in authorize is none.
static void plain(struct amqp_connection *c, const char *authorize, const char *user, const char *resource)
{
    struct buf bytes = buf_capped(4096);
    struct secret key = device_key();
    buf_text(&bytes, authorize);
    buf_u8(&bytes, 0);
    buf_text(&bytes, user);
    buf_u8(&bytes, 0);
    sas_sign(&bytes, slice_text(resource), c->world->now_us / 1000000 + 3600, &key, SLICE("registration"));
    sasl(c, "PLAIN", buf_slice(&bytes));
    buf_release(&bytes);
}

static struct amqp_link *attach_as(struct amqp_connection *c, bool to_peer, const char *address,
                                   const char *name, const char *client)
{
    struct amqp_link *link = &links[link_count++];
    assert_true(link_count < sizeof links / sizeof links[0]);
    *link = (struct amqp_link){.connection = c, .to_peer = to_peer};
    happens(c, (struct amqp_event){.kind = AMQP_ATTACHED,
                                   .link = link,
                                   .to_peer = to_peer,
                                   .address = slice_text(address),
                                   .link_name = slice_text(name),
                                   .api_version = SLICE("2019-03-31"),
                                   .client_version = slice_text(client)});
    assert_true(link->accepted != (link->refused[0] != '\0'));
    return link;
}

static struct amqp_link *attach(struct amqp_connection *c, bool to_peer, const char *id)
{
    char address[200];
    (void)snprintf(address, sizeof address, SCOPE "/registrations/%s", id);
    return attach_as(c, to_peer, address, "link", "");
}

// dev1, let in by its key, its receiver attached; *sender is the other link.
static struct amqp_connection *dev1(struct world *w, struct amqp_link **sender)
{
    struct amqp_connection *c = dial(w, NULL);
    plain(c, "", SCOPE "/registrations/dev1", SCOPE "%2fregistrations%2fdev1");
    assert_true(c->admitted);
    say_open(c, true);
    assert_true(c->opened);
    (void)attach(c, true, "dev1");
    *sender = attach(c, false, "dev1");
    return c;
}

static struct amqp_message registration(const char *body)
{
    return (struct amqp_message){
        .properties = {{SLICE("iotdps-operation-type"), SLICE("iotdps-register")}},
        .property_count = 1,
        .body_kind = AMQP_BODY_DATA,
        .body = slice_text(body),
    };
}

static struct amqp_delivery *send_message(struct amqp_link *sender, const struct amqp_message *message)
{
    struct amqp_delivery *delivery = &deliveries[delivery_count++];
    assert_true(delivery_count < sizeof deliveries / sizeof deliveries[0]);
    *delivery = (struct amqp_delivery){0};
    happens(sender->connection,
            (struct amqp_event){
                .kind = AMQP_DELIVERED, .link = sender, .delivery = delivery, .message = message});
    return delivery;
}

static void until_settled(struct world *w, const struct amqp_delivery *delivery)
{
    for (int i = 0; i < 2000 && delivery->outcome_at == 0; i++) {
        deliver(w, 2);
        pass(w, i % 4 == 3 ? 1 : 0);
    }
    assert_true(delivery->outcome_at != 0);
}

static struct amqp_delivery *ask_and_wait(struct amqp_link *sender, const struct amqp_message *message)
{
    struct amqp_delivery *delivery = send_message(sender, message);
    until_settled(sender->connection->world, delivery);
    return delivery;
}

static struct amqp_delivery *enroll(struct amqp_link *sender)
{
    struct amqp_message message = registration("{\"registrationId\":\"dev1\"}");
    message.body = (struct slice){0};
    message.body_kind = AMQP_BODY_NONE;
    return ask_and_wait(sender, &message);
}

static int setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    struct world *w = *state;
    connection_count = link_count = delivery_count = 0;
    connections[0].told = 0;
    struct device_api_settings settings = {.flow = w->flow, .poller = &w->poller, .clock = &w->clock};
    return failed(device_api_new(&settings, &api)) ? -1 : 0;
}

static int teardown(void **state)
{
    while (connection_count > 0)
        hang_up(&connections[--connection_count]);
    until_idle(*state);
    device_api_free(api);
    return pki_teardown(state);
}

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
        connection_count--;
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
    device_api_free(api);
    struct device_api_settings settings = {.flow = w->flow, .poller = &w->poller, .clock = &w->clock};
    assert_false(failed(device_api_new(&settings, &api)));
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

static void messages_that_are_too_large_are_not_sent_without_end(void **state)
{
    struct world *w = *state;
    struct amqp_link *sender;
    struct amqp_connection *c = dev1(w, &sender);
    for (int i = 0; i < 8; i++) {
        happens(c, (struct amqp_event){.kind = AMQP_TOO_LARGE, .link = sender, .limit = AMQP_MESSAGE_MAX});
        if (c->closed)
            break;
        happens(c, (struct amqp_event){.kind = AMQP_DETACHED, .link = sender});
        sender = attach(c, false, "dev1");
        assert_true(i < 7);
    }
    assert_true(c->closed);
}

// ---- TPMs
// ---------------------------------------------------------------------------------------------------------------

// 00 scope 00 id 00 EK
static struct amqp_connection *begin_tpm(struct world *w, const char *id, struct slice endorsement_key,
                                         const char *host)
{
    struct amqp_connection *c = dial(w, NULL);
    struct buf bytes = buf_capped(4096);
    buf_u8(&bytes, 0);
    buf_text(&bytes, SCOPE);
    buf_u8(&bytes, 0);
    buf_text(&bytes, id);
    buf_u8(&bytes, 0);
    buf_bytes(&bytes, endorsement_key);
    happens(c, (struct amqp_event){.kind = AMQP_SASL_INIT,
                                   .mechanism = SLICE("TPM"),
                                   .bytes = buf_slice(&bytes),
                                   .hostname = slice_text(host)});
    buf_release(&bytes);
    return c;
}

static void respond(struct amqp_connection *c, struct slice carried)
{
    struct buf bytes = buf_capped(8192);
    buf_u8(&bytes, 0);
    buf_bytes(&bytes, carried);
    happens(c, (struct amqp_event){.kind = AMQP_SASL_RESPONSE, .bytes = buf_slice(&bytes)});
    buf_release(&bytes);
}

static struct slice ek(unsigned number)
{
    return slice_of(tpm_of(number)->endorsement_key, sizeof tpm_of(number)->endorsement_key);
}

static struct slice srk(unsigned number)
{
    return slice_of(tpm_of(number)->storage_root_key, sizeof tpm_of(number)->storage_root_key);
}

// Up to the question for the token; both pieces are checked on the way.
static struct amqp_connection *challenged(struct world *w, const char *id, unsigned number)
{
    struct amqp_connection *c = begin_tpm(w, id, ek(number), "localhost");
    assert_int_equal(c->challenges, 1);
    assert_true(slice_equal(buf_slice(&c->challenge), slice_of("", 1)));
    respond(c, srk(number));
    assert_int_equal(c->challenges, 2);
    assert_int_equal(c->challenge.at[0], 0x80);
    size_t first = c->challenge.len - 1;
    respond(c, (struct slice){0});
    assert_int_equal(c->challenges, 3);
    assert_int_equal(c->challenge.at[0], 0xC1);
    size_t second = c->challenge.len - 1;
    assert_in_range(first + second, 700, TPM_BLOB_MAX);
    assert_in_range(first - second, 0, 1);
    return c;
}

static void answer_with(struct amqp_connection *c, const char *id, const struct secret *key)
{
    struct buf token = buf_capped(4096);
    char resource[200];
    (void)snprintf(resource, sizeof resource, SCOPE "%%2fregistrations%%2f%s", id);
    sas_sign(&token, slice_text(resource), c->world->now_us / 1000000 + 3600, key, SLICE("registration"));
    respond(c, buf_slice(&token));
    buf_release(&token);
}

static void a_device_with_a_tpm_is_let_in_by_what_was_planted(void **state)
{
    struct world *w = *state;
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    struct amqp_connection *c = challenged(w, "tpm1", 0);
    assert_false(c->admitted);
    struct secret key = planted(w, "tpm1", amqp_connection_id(c));
    assert_int_equal(key.len, 32);
    answer_with(c, "tpm1", &key);
    assert_true(c->admitted);
    say_open(c, true);
    assert_true(attach(c, true, "tpm1")->accepted);
    assert_string_equal(attach(c, false, "dev1")->refused, "amqp:unauthorized-access");
    struct amqp_link *sender = attach(c, false, "tpm1");
    struct amqp_message message = registration("");
    assert_true(ask_and_wait(sender, &message)->accepted);
    assert_non_null(strstr(c->body, "\"status\":\"assigned\""));
    assert_non_null(strstr(c->body, "\"tpm\":{\"authenticationKey\":\""));
}

static void a_tpm_that_does_not_answer_what_it_was_asked_is_refused(void **state)
{
    struct world *w = *state;
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    struct amqp_connection *first = challenged(w, "tpm1", 0);
    struct amqp_connection *second = challenged(w, "tpm1", 0);
    struct secret others = planted(w, "tpm1", amqp_connection_id(first));
    answer_with(second, "tpm1", &others); // the challenge of another connection
    assert_false(second->admitted);
    assert_true(second->refused != 0);
    answer_with(first, "tpm1", &others); // which is not used up by that
    assert_true(first->admitted);
    struct amqp_connection *wrong = begin_tpm(w, "tpm1", ek(1), "");
    respond(wrong, srk(1));
    assert_int_equal(wrong->refused, ERR_TPM_KEY);
    struct amqp_connection *unknown = begin_tpm(w, "nobody", ek(0), "");
    respond(unknown, srk(0));
    assert_int_equal(err_info(FAIL(unknown->refused))->class, ERR_CLASS_AUTH);
}

static void what_is_no_tpm_is_refused_before_anything_is_looked_up(void **state)
{
    struct world *w = *state;
    put_tpm_enrollment(w, "tpm1", tpm_of(0));
    static const char *const hosts[] = {SCOPE "/registrations/tpm2", "0ne00000000/registrations/tpm1"};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(begin_tpm(w, "tpm1", ek(0), hosts[i])->refused, ERR_IDENTITY_MISMATCH);
    assert_int_equal(begin_tpm(w, "tpm1", ek(0), SCOPE "/registrations/TPM1")->challenges, 1);
    assert_int_equal(begin_tpm(w, "tpm1", slice_to(ek(0), 315), "")->refused, ERR_INVALID);
    assert_int_equal(begin_tpm(w, "", ek(0), "")->refused, ERR_CREDENTIAL_MISSING);
    struct amqp_connection *c = begin_tpm(w, "tpm1", ek(0), "");
    happens(c, (struct amqp_event){.kind = AMQP_SASL_RESPONSE, .bytes = srk(0)}); // no NUL before it
    assert_true(c->refused != 0);
    c = begin_tpm(w, "tpm1", ek(0), "");
    respond(c, slice_to(srk(0), 283));
    assert_int_equal(c->refused, ERR_INVALID);
    c = dial(w, NULL);
    respond(c, srk(0)); // to no challenge
    assert_int_equal(c->refused, ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_device_with_a_key_registers),
        TEST(whoever_names_itself_wrongly_is_not_let_in),
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
        TEST(messages_that_are_too_large_are_not_sent_without_end),
        TEST(a_device_with_a_tpm_is_let_in_by_what_was_planted),
        TEST(a_tpm_that_does_not_answer_what_it_was_asked_is_refused),
        TEST(what_is_no_tpm_is_refused_before_anything_is_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
