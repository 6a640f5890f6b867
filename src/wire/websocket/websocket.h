// The service's side of WebSocket (RFC 6455) without I/O, over wslay: after the opening handshake, frames in
// and payload out, and the other way round. The payload is a stream of bytes: where messages and frames begin
// means nothing to what travels in them (device-protocol 1.3). Strict: frames from the peer are masked,
// reserved bits are 0, control frames are whole and short, fragments in order, only binary messages.
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
    WEBSOCKET_ACCEPT_TEXT = 28,        // characters of Sec-WebSocket-Accept
    WEBSOCKET_CONTROL_PER_SECOND = 10, // pings, pongs; more ends the connection (threats A12)
    WEBSOCKET_FRAME_MAX = 1024 * 1024, // bytes of a frame from the peer
};

// Sec-WebSocket-Accept of this Sec-WebSocket-Key (RFC 6455 4.2.2). ERR_MALFORMED when the key is not base64
// of 16 bytes.
struct err websocket_accept(struct slice key, char out[WEBSOCKET_ACCEPT_TEXT], struct why *why);

struct websocket;

struct err websocket_new(struct websocket **out); // ERR_NO_MEMORY
void websocket_free(struct websocket *websocket); // NULL is fine

enum websocket_state {
    WEBSOCKET_OPEN,
    WEBSOCKET_CLOSING, // we sent Close and wait for the peer's
    WEBSOCKET_CLOSED,  // both did, or the peer did and our answer is in the output
    WEBSOCKET_FAILED,  // it did not keep to the protocol: a Close with the status is in the output
};
enum websocket_state websocket_state(const struct websocket *websocket);

// Takes all of *in and appends its payload to `payload`. Answers Ping and Close by itself. now_ms: monotonic,
// for the budget of control frames. After CLOSED and FAILED input is thrown away. ERR_PROTOCOL, ERR_THROTTLED
// or ERR_NO_MEMORY when it failed, now or earlier.
struct err websocket_feed(struct websocket *websocket, struct slice *in, int64_t now_ms, struct buf *payload);
// One binary frame of all of `payload`, into the output. Quietly nothing unless OPEN.
void websocket_write(struct websocket *websocket, struct slice payload);
// Close with this status (RFC 6455 7.4.1), once.
void websocket_close(struct websocket *websocket, uint16_t status);
// What is to be sent; consume it.
struct buf *websocket_output(struct websocket *websocket);
const struct why *websocket_why(const struct websocket *websocket); // for the log; empty unless FAILED
