// Speaks HTTP/1.1 on a listener: takes requests off connections, makes exchanges of them, and hands each to
// the first area that claims it. One request of a connection is under way at a time; those that follow wait
// in the connection. A request for WebSocket takes its connection to another protocol.
#pragma once

#include "api/exchange.h"
#include "api/websocket_upgrade.h"
#include "net/protocol.h"
#include "ports/clock.h"
#include "ports/random.h"

struct http_front;

enum { HTTP_FRONT_AREAS_MAX = 8 };

struct http_front_settings {
    struct loop *loop;
    const struct clock *clock;
    struct random *random;
    const struct log *log;
    bool local; // behind the control socket
    struct http_area areas[HTTP_FRONT_AREAS_MAX];
    size_t area_count;
    struct websocket_door websockets[WEBSOCKET_DOORS_MAX];
    size_t websocket_count; // 0: WebSocket is not served
};

// One per loop and kind of listener.
struct err http_front_new(const struct http_front_settings *settings, struct http_front **out);
// No connection of it is left and no exchange under way.
void http_front_free(struct http_front *front);
// From now on requests are refused, and answers to those under way end their connections; idle(context) is
// called once, maybe at once, when all are answered.
void http_front_stop(struct http_front *front, void (*idle)(void *context), void *context);
size_t http_front_under_way(const struct http_front *front);
// The protocol of a listener; its context is the front.
extern const struct protocol http_protocol;
