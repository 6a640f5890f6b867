// The bench of the AMQP door.
#include "api/device/amqp_bench_test.h"

#include <stdio.h>

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
    (void)snprintf(c->why, sizeof c->why, "%s", why->text);
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

struct amqp_connection *dial(struct world *w, struct chain *chain)
{
    assert_true(connection_count < sizeof connections / sizeof connections[0]);
    struct amqp_connection *c = &connections[connection_count++];
    *c = (struct amqp_connection){.world = w, .door = device_amqp_door(api), .chain = chain};
    c->session = c->door.open(c->door.context, c);
    assert_non_null(c->session);
    return c;
}

void hang_up(struct amqp_connection *c)
{
    if (c->session != NULL)
        c->door.closed(c->session);
    c->session = NULL;
    chain_release(c->chain);
    c->chain = NULL;
    buf_release(&c->challenge);
}

void happens(struct amqp_connection *c, struct amqp_event event)
{
    assert_false(c->deciding || c->closed || c->refused != 0);
    c->door.event(c->session, &event);
    for (int i = 0; i < 2000 && c->deciding && c->refused == 0; i++) {
        deliver(c->world, 2);
        pass(c->world, 0);
    }
}

void sasl(struct amqp_connection *c, const char *mechanism, struct slice bytes)
{
    happens(c,
            (struct amqp_event){.kind = AMQP_SASL_INIT, .mechanism = slice_text(mechanism), .bytes = bytes});
    assert_true(c->admitted != (c->refused != 0));
}

void say_open(struct amqp_connection *c, bool after_sasl)
{
    happens(c, (struct amqp_event){.kind = AMQP_OPENED, .sasl = after_sasl});
}

// authorize NUL user NUL token for `resource`; \1 in authorize is none.
void plain(struct amqp_connection *c, const char *authorize, const char *user, const char *resource)
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

const char *amqp_version = "2019-03-31";

struct amqp_link *attach_as(struct amqp_connection *c, bool to_peer, const char *address, const char *name,
                            const char *client)
{
    struct amqp_link *link = &links[link_count++];
    assert_true(link_count < sizeof links / sizeof links[0]);
    *link = (struct amqp_link){.connection = c, .to_peer = to_peer};
    happens(c, (struct amqp_event){.kind = AMQP_ATTACHED,
                                   .link = link,
                                   .to_peer = to_peer,
                                   .address = slice_text(address),
                                   .link_name = slice_text(name),
                                   .api_version = slice_text(amqp_version),
                                   .client_version = slice_text(client)});
    assert_true(link->accepted != (link->refused[0] != '\0'));
    return link;
}

struct amqp_link *attach(struct amqp_connection *c, bool to_peer, const char *id)
{
    char address[200];
    (void)snprintf(address, sizeof address, SCOPE "/registrations/%s", id);
    return attach_as(c, to_peer, address, "link", "");
}

// dev1, let in by its key, its receiver attached; *sender is the other link.
struct amqp_connection *dev1(struct world *w, struct amqp_link **sender)
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

struct amqp_message registration(const char *body)
{
    return (struct amqp_message){
        .properties = {{SLICE("iotdps-operation-type"), SLICE("iotdps-register")}},
        .property_count = 1,
        .body_kind = AMQP_BODY_DATA,
        .body = slice_text(body),
    };
}

struct amqp_delivery *send_message(struct amqp_link *sender, const struct amqp_message *message)
{
    struct amqp_delivery *delivery = &deliveries[delivery_count++];
    assert_true(delivery_count < sizeof deliveries / sizeof deliveries[0]);
    *delivery = (struct amqp_delivery){0};
    happens(sender->connection,
            (struct amqp_event){
                .kind = AMQP_DELIVERED, .link = sender, .delivery = delivery, .message = message});
    return delivery;
}

void until_settled(struct world *w, const struct amqp_delivery *delivery)
{
    for (int i = 0; i < 2000 && delivery->outcome_at == 0; i++) {
        deliver(w, 2);
        pass(w, i % 4 == 3 ? 1 : 0);
    }
    assert_true(delivery->outcome_at != 0);
}

struct amqp_delivery *ask_and_wait(struct amqp_link *sender, const struct amqp_message *message)
{
    struct amqp_delivery *delivery = send_message(sender, message);
    until_settled(sender->connection->world, delivery);
    return delivery;
}

struct amqp_delivery *enroll(struct amqp_link *sender)
{
    struct amqp_message message = registration("{\"registrationId\":\"dev1\"}");
    message.body = (struct slice){0};
    message.body_kind = AMQP_BODY_NONE;
    return ask_and_wait(sender, &message);
}

int amqp_setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    struct world *w = *state;
    connection_count = link_count = delivery_count = 0;
    connections[0].told = 0;
    api = NULL;
    amqp_serve(w);
    return 0;
}

int amqp_teardown(void **state)
{
    while (connection_count > 0)
        hang_up(&connections[--connection_count]);
    until_idle(*state);
    device_api_free(api);
    return pki_teardown(state);
}

void amqp_serve(struct world *w)
{
    struct device_api_settings settings = {.flow = w->flow, .poller = &w->poller, .clock = &w->clock};
    device_api_free(api);
    assert_false(failed(device_api_new(&settings, &api)));
}
