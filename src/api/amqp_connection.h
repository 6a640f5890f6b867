// One AMQP connection, as the door behind it sees it. The amqp front (amqp_front.c) carries bytes between the
// connection and the engine, keeps deadlines and caps, and hands over what the peer does. The door answers:
// for the connection with the calls here, for links and deliveries with those of the engine.
#pragma once

#include "api/ticket.h"
#include "base/log.h"
#include "crypto/chain.h"
#include "wire/amqp/amqp.h"

struct amqp_connection;
struct amqp_front;

struct amqp_door {
    // A session for each connection; NULL: out of memory, it is closed.
    void *(*open)(void *context, struct amqp_connection *connection);
    // All but AMQP_CLOSED and AMQP_BROKEN, in order.
    void (*event)(void *session, const struct amqp_event *event);
    // The connection is gone: forget it, its links and its deliveries.
    void (*closed)(void *session);
    void *context;
};

struct link_ticket amqp_connection_ticket(const struct amqp_connection *connection);
// NULL when it is gone or ending. `front` is the amqp front of this loop (amqp_front.h).
struct amqp_connection *amqp_connection_of(struct amqp_front *front, struct link_ticket ticket);
void *amqp_connection_session(const struct amqp_connection *connection); // what the door's open returned

// A decision is under way: no event comes until amqp_connection_go_on, which the door calls once it was
// taken.
void amqp_connection_decide(struct amqp_connection *connection);
void amqp_connection_go_on(struct amqp_connection *connection);

// SASL: a challenge, at most AMQP_CHALLENGE_MAX bytes. A peer that gets one has half a minute, in all, to be
// done with SASL: it may have to ask a TPM.
void amqp_connection_challenge(struct amqp_connection *connection, struct slice bytes);
// SASL ends well.
void amqp_connection_admit(struct amqp_connection *connection);
// Answers the peer's open.
void amqp_connection_open(struct amqp_connection *connection);
// The peer has attached what it wanted: from now on it may be idle.
void amqp_connection_ready(struct amqp_connection *connection);
// Bytes of the largest message that is taken from now on.
void amqp_connection_limit(struct amqp_connection *connection, size_t max_message);
// SASL outcome 1, or a close with the condition that fits e; one log line `connect.refused`.
void amqp_connection_refuse(struct amqp_connection *connection, struct err e, const struct why *why);
// The same where somebody else has logged why.
void amqp_connection_refuse_quietly(struct amqp_connection *connection, struct err e);
// A close, with one log line when e is an error.
void amqp_connection_close(struct amqp_connection *connection, struct err e, const struct why *why);
// Sends what the engine was told outside of an event.
void amqp_connection_flush(struct amqp_connection *connection);
// Closes it at this time (monotonic, microseconds) whatever happens; 0: never. `awaited` (static text) is
// what it waited for in vain, for the log.
void amqp_connection_expires(struct amqp_connection *connection, int64_t at_us, const char *awaited);

// The certificates that the device showed in the TLS handshake, or NULL; the connection's, as long as it
// lives (chain_hold to keep it). Decoded when first asked for; NULL too when memory is out.
struct chain *amqp_connection_chain(struct amqp_connection *connection);
uint64_t amqp_connection_id(const struct amqp_connection *connection);       // for logs
struct slice amqp_connection_peer(const struct amqp_connection *connection); // for logs
// One line `device.refused` for a request or a link.
void amqp_connection_log_refusal(struct amqp_connection *connection, struct slice registration_id,
                                 struct err e, const struct why *why);
