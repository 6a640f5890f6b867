// The client's side of WebSocket for the load generator, without I/O: what asks for the upgrade, masked
// frames out, frames in. It believes the server; what a server has to make sure of is wire/websocket's.
#pragma once

#include "base/buf.h"

enum { WEBSOCKET_CLIENT_BINARY = 2, WEBSOCKET_CLIENT_CLOSE = 8 };

struct websocket_client {
    uint8_t head[10];
    size_t head_len;
    uint64_t left; // of the frame's payload
    bool closed;   // a Close came
};

// The request of an SDK that wants this subprotocol.
void websocket_client_ask(struct buf *out, const char *subprotocol);
// One frame of all of the payload.
void websocket_client_frame(struct buf *out, uint8_t opcode, struct slice payload);
// Appends the payload of the frames in `in`. False: a frame is masked, or not one that our servers send.
bool websocket_client_feed(struct websocket_client *w, struct slice in, struct buf *payload);
