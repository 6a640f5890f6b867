// The service's side of WebSocket (RFC 6455) without I/O: after the opening handshake, frames in
// and payload out, and the other way round. The payload is a stream of bytes: where messages and frames begin
// means nothing to what travels in them (device-protocol 1.3). Strict: frames from the peer are masked,
// reserved bits are 0, control frames are whole and short, fragments in order, only binary messages.
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
    WEBSOCKET_ACCEPT_TEXT = 28,             // characters of Sec-WebSocket-Accept
    WEBSOCKET_CONTROL_PER_SECOND = 10,      // pings, pongs; more ends the connection (threats A12)
    WEBSOCKET_FRAME_MAX = 1024 * 1024,      // bytes of a frame from the peer
    WEBSOCKET_OUTPUT_MAX = 8 * 1024 * 1024, // bytes waiting to be taken; more breaks the output
    WEBSOCKET_PONGS_MAX = 4096, // of those, when another Ping comes: the peer does not read our answers
};

// Status codes of Close that we send (RFC 6455 7.4.1).
enum websocket_status {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_VIOLATION = 1002,
    WEBSOCKET_NOT_BINARY = 1003,
    WEBSOCKET_NOT_UTF8 = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_FAULT = 1011,
};

// Sec-WebSocket-Accept of this Sec-WebSocket-Key (RFC 6455 4.2.2). ERR_MALFORMED when the key is not base64
// of 16 bytes; ERR_NO_MEMORY.
struct err websocket_accept(struct slice key, char out[WEBSOCKET_ACCEPT_TEXT], struct why *why);

// One connection's WebSocket. One thread at a time. Besides its output it holds a few hundred bytes.
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

// Takes all of *in and appends its payload to `payload`, never more bytes than *in had; what comes after our
// Close is thrown away. Answers Ping and Close by itself. now_ms: monotonic, for the budget of control
// frames. After CLOSED and FAILED input is thrown away. ERR_PROTOCOL, ERR_CAPPED (a frame too long),
// ERR_THROTTLED or ERR_NO_MEMORY when it failed, now or earlier.
struct err websocket_feed(struct websocket *websocket, struct slice *in, int64_t now_ms, struct buf *payload);
// One binary frame of all of `payload`, into the output; an empty one makes none. Quietly nothing unless
// OPEN.
void websocket_write(struct websocket *websocket, struct slice payload);
// Close with this status, once.
void websocket_close(struct websocket *websocket, enum websocket_status status);
// What is to be sent; consume it, or take the whole buf and leave an empty one with the same cap. Broken once
// memory was out or more than WEBSOCKET_OUTPUT_MAX waited: then the connection is of no more use.
struct buf *websocket_output(struct websocket *websocket);
const struct why *websocket_why(const struct websocket *websocket); // for the log; empty unless FAILED
