// Speaks MQTT 3.1.1 on a listener: the first packet, acknowledgements, keep-alive, caps and deadlines; what
// connections are for is the business of the doors (link.h).
#pragma once

#include "api/link.h"
#include "net/protocol.h"
#include "ports/clock.h"

enum { MQTT_FRONT_DOORS_MAX = 4 };

struct mqtt_front_settings {
    struct loop *loop;
    const struct clock *clock;
    const struct log *log;
};

// One per loop.
struct err mqtt_front_new(const struct mqtt_front_settings *settings, struct mqtt_front **out);
void mqtt_front_free(struct mqtt_front *front); // no connection of it is left
// Before the first connection.
void mqtt_front_add(struct mqtt_front *front, const struct mqtt_door *door);
// The protocol of a listener; its context is the front.
extern const struct protocol mqtt_protocol;
