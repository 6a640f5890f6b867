// A device that registers over AMQP, without I/O, for the load generator: the frames that Azure's Node SDK
// (rhea) sends, byte for byte but for its random names, in the flights in which it sends them: it waits for
// the answer to each before it sends the next, but that the flow and the second link go out together. Not a
// client for other purposes: it looks at no more than what kind of frame comes.
#pragma once

#include "base/buf.h"

// All but PIPELINED open as the SDKs for Node and C# do: SASL header; init; header and open; begin; link to
// receive; flow and link to send; message.
enum amqp_client_order {
    AMQP_CLIENT_CLOSE,     // then close, as the SDK for C# ends
    AMQP_CLIENT_DETACH,    // then detach, detach, end and close, waiting for each, as that for Node ends
    AMQP_CLIENT_PIPELINED, // SASL header and init; all up to both links; message; close
};

enum amqp_client_result {
    AMQP_CLIENT_MORE,
    AMQP_CLIENT_ANSWERED, // a message came: see `answer`; amqp_client_leave says goodbye
    AMQP_CLIENT_REFUSED,  // `answer` is the frame
    AMQP_CLIENT_GONE,     // the peer closed in order
};

struct amqp_client {
    enum amqp_client_order order;
    bool sasl_over;
    bool header_seen;
    int attached;
    bool credit;
    bool said;
    bool leaving;
    int detached;
    const char *id_scope, *id; // the caller's
    struct buf in;
    size_t taken;        // of it, by the last call
    struct slice answer; // of the last call
    // Each call of it is one write of the SDK's.
    void (*write)(void *context, struct slice bytes);
    void *context;
};

void amqp_client_release(struct amqp_client *c);
// SASL PLAIN with this token; empty: no SASL layer. Says the first thing.
void amqp_client_begin(struct amqp_client *c, struct slice token);
// Takes bytes off *in up to the next thing that happened.
enum amqp_client_result amqp_client_feed(struct amqp_client *c, struct slice *in, struct slice token);
// The answer is accepted; then, goodbye.
void amqp_client_settle(struct amqp_client *c);
void amqp_client_leave(struct amqp_client *c);
