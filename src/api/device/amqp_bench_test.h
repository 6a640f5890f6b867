// For unit tests only: the AMQP door of the device API with connections, links and deliveries that can be
// looked at, in place of the front and the engine.
#pragma once

#include "api/device/device.h"
#include "flow/flow_pki_test.h"

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
    char why[256];        // of the refusal
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

// A connection of a peer that shows these certificates (or NULL), from now on its own.
struct amqp_connection *dial(struct world *w, struct chain *chain);
void hang_up(struct amqp_connection *c);
// The door hears of it, and takes the decisions that follow.
void happens(struct amqp_connection *c, struct amqp_event event);
void sasl(struct amqp_connection *c, const char *mechanism, struct slice bytes);
void say_open(struct amqp_connection *c, bool after_sasl);
// PLAIN, with a token for `resource` made with the key of dev1.
void plain(struct amqp_connection *c, const char *authorize, const char *user, const char *resource);
extern const char *amqp_version; // com.microsoft:api-version of the links attached from now on
struct amqp_link *attach_as(struct amqp_connection *c, bool to_peer, const char *address, const char *name,
                            const char *client);
struct amqp_link *attach(struct amqp_connection *c, bool to_peer, const char *id);
// dev1, let in by its key, its receiver attached; *sender is the other link.
struct amqp_connection *dev1(struct world *w, struct amqp_link **sender);
struct amqp_message registration(const char *body);
struct amqp_delivery *send_message(struct amqp_link *sender, const struct amqp_message *message);
void until_settled(struct world *w, const struct amqp_delivery *delivery);
struct amqp_delivery *ask_and_wait(struct amqp_link *sender, const struct amqp_message *message);
// A register call without a body.
struct amqp_delivery *enroll(struct amqp_link *sender);
int amqp_setup(void **state);
int amqp_teardown(void **state);
// The door of w->flow as it is now.
void amqp_serve(struct world *w);
