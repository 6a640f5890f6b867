// What the tests with proton's own client as the other side share.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/testing.h"

#include <proton/codec.h>
#include <proton/connection.h>
#include <proton/connection_driver.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/message.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include "wire/amqp/testing.h"

struct client {
    struct amqp_stage stage;
    pn_connection_driver_t driver;
    pn_session_t *session;
    pn_link_t *receiver, *sender;
    pn_delivery_t *answer, *request;
    bool miser;   // gives no credit
    bool refused; // by SASL or a transport error
};

static inline void client_init(struct client *c, const char *user, const char *password)
{
    memset(c, 0, sizeof *c);
    amqp_stage_init(&c->stage);
    assert_int_equal(pn_connection_driver_init(&c->driver, NULL, NULL), 0);
    pn_connection_set_container(c->driver.connection, "prov_connection");
    pn_connection_set_hostname(c->driver.connection, "dps.example");
    if (user != NULL) {
        pn_connection_set_user(c->driver.connection, user);
        pn_connection_set_password(c->driver.connection, password);
        pn_sasl_set_allow_insecure_mechs(pn_sasl(c->driver.transport), true);
        pn_sasl_allowed_mechs(pn_sasl(c->driver.transport), "PLAIN");
    }
    pn_connection_driver_bind(&c->driver);
    pn_connection_open(c->driver.connection);
}

static inline void client_release(struct client *c)
{
    pn_connection_driver_destroy(&c->driver);
    amqp_stage_release(&c->stage);
}

static inline void client_begin(struct client *c)
{
    c->session = pn_session(c->driver.connection);
    pn_session_open(c->session);
}

static inline void client_attach(struct client *c, bool receiver, const char *address)
{
    pn_link_t *link = receiver ? pn_receiver(c->session, "recv_link") : pn_sender(c->session, "sender_link");
    pn_terminus_t *where = receiver ? pn_link_source(link) : pn_link_target(link);
    pn_terminus_set_address(where, address);
    pn_data_fill(pn_link_properties(link), "{SS}", "com.microsoft:api-version", "2019-03-31");
    pn_link_open(link);
    if (receiver && !c->miser)
        pn_link_flow(link, 10);
    *(receiver ? &c->receiver : &c->sender) = link;
}

static inline void client_events(struct client *c)
{
    pn_event_t *e;
    while ((e = pn_connection_driver_next_event(&c->driver)) != NULL) {
        if (pn_event_type(e) == PN_TRANSPORT_ERROR)
            c->refused = true;
        if (pn_event_type(e) != PN_DELIVERY)
            continue;
        pn_delivery_t *delivery = pn_event_delivery(e);
        *(pn_link_is_receiver(pn_event_link(e)) ? &c->answer : &c->request) = delivery;
    }
}

// Carries bytes to and fro until neither side has any.
static inline void run(struct client *c)
{
    for (bool moved = true; moved;) {
        moved = false;
        client_events(c);
        pn_bytes_t out = pn_connection_driver_write_buffer(&c->driver);
        if (out.size > 0) {
            amqp_stage_feed(&c->stage, slice_of(out.start, out.size));
            pn_connection_driver_write_done(&c->driver, out.size);
            moved = true;
        }
        struct slice in = buf_slice(&c->stage.out);
        pn_rwbytes_t room = pn_connection_driver_read_buffer(&c->driver);
        in = slice_to(in, room.size);
        if (in.len > 0) {
            memcpy(room.start, in.at, in.len);
            pn_connection_driver_read_done(&c->driver, in.len);
            buf_consume(&c->stage.out, in.len);
            moved = true;
        }
    }
    client_events(c);
}

static inline void send_request(struct client *c, const char *body, pn_atom_t correlation)
{
    char encoded[1 << 17];
    size_t len = sizeof encoded;
    pn_message_t *m = pn_message();
    pn_data_fill(pn_message_properties(m), "{SSSoSi}", "iotdps-operation-type", "iotdps-register", "force",
                 false, "number", -7);
    pn_message_set_correlation_id(m, correlation);
    pn_message_set_inferred(m, true); // a data section
    pn_data_put_binary(pn_message_body(m), pn_bytes(strlen(body), body));
    assert_int_equal(pn_message_encode(m, encoded, &len), 0);
    pn_message_free(m);
    pn_delivery(c->sender, pn_dtag("t", 1));
    assert_int_equal(pn_link_send(c->sender, encoded, len), len);
    pn_link_advance(c->sender);
}

static inline pn_message_t *read_answer(struct client *c)
{
    static char bytes[1 << 17];
    assert_non_null(c->answer);
    ssize_t len = pn_link_recv(c->receiver, bytes, sizeof bytes);
    assert_true(len > 0);
    pn_message_t *m = pn_message();
    assert_int_equal(pn_message_decode(m, bytes, (size_t)len), 0);
    return m;
}

static inline pn_atom_t text_id(const char *text)
{
    return (pn_atom_t){.type = PN_STRING, .u.as_bytes = pn_bytes(strlen(text), text)};
}
