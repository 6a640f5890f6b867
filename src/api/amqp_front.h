// Speaks AMQP 1.0 on a listener: bytes to the engine and back, caps and deadlines; who devices are and what
// they ask for is the business of the door (amqp_connection.h).
#pragma once

#include "api/amqp_connection.h"
#include "net/protocol.h"
#include "ports/clock.h"

struct amqp_front_settings {
    struct loop *loop;
    const struct clock *clock;
    const struct log *log;
};

// One per loop.
struct err amqp_front_new(const struct amqp_front_settings *settings, struct amqp_front **out);
void amqp_front_free(struct amqp_front *front); // no connection of it is left
// Before the first connection. There is one door: no hub speaks AMQP here.
void amqp_front_serve(struct amqp_front *front, const struct amqp_door *door);
// The protocol of a listener; its context is the front.
extern const struct protocol amqp_protocol;
