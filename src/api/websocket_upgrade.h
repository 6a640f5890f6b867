// The opening handshake of WebSocket (RFC 6455 4.2) on the HTTPS port: which protocol a request asks for, and
// the answer 101. Not for frames (wire/websocket) nor for the change of protocols (conn_become). The path,
// Origin, cookies and offered extensions mean nothing: what travels inside brings its own credentials
// (device-protocol 1.3; threats A9, A12).
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "net/protocol.h"
#include "wire/http/http.h"
#include "wire/websocket/websocket.h"

enum { WEBSOCKET_DOORS_MAX = 4 };

// What is spoken in the frames of a subprotocol. Names compare exactly.
struct websocket_door {
    const char *subprotocol; // "mqtt"; static text
    const struct protocol *protocol;
    void *context;
};

struct websocket_upgrade {
    const struct websocket_door *door;
    char accept[WEBSOCKET_ACCEPT_TEXT];
};

// The first offered subprotocol for which there is a door. ERR_WEBSOCKET_VERSION for any version but 13;
// ERR_MALFORMED for a bad key; ERR_INVALID when no known subprotocol is offered, with those that are known in
// why.
struct err websocket_upgrade_judge(const struct http_request *request, const struct websocket_door *doors,
                                   size_t count, struct websocket_upgrade *out, struct why *why);
// Appends the answer 101, with the subprotocol as it was offered.
void websocket_upgrade_answer(const struct websocket_upgrade *upgrade, struct buf *out);
