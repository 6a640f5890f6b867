// What the files of this folder share: the head of a frame, judged as its bytes come. Nobody else includes
// it.
#pragma once

#include "wire/websocket/websocket.h"

enum {
    FRAME_HEAD_MAX = 14,     // two bytes, eight of length, four of mask
    FRAME_CONTROL_MAX = 125, // bytes of a control frame's payload (RFC 6455 5.5)
};

// RFC 6455 5.2.
enum frame_opcode {
    FRAME_CONTINUATION = 0,
    FRAME_TEXT = 1,
    FRAME_BINARY = 2,
    FRAME_CLOSE = 8,
    FRAME_PING = 9,
    FRAME_PONG = 10,
};

struct frame_head {
    uint8_t bytes[FRAME_HEAD_MAX];
    uint8_t len; // bytes that are here
};

// Adds one byte, which the head still lacks. in_message: a message has begun and its last fragment has not
// come. A failure says in *status which one to close with, and why.
struct err frame_head_add(struct frame_head *head, uint8_t byte, bool in_message,
                          enum websocket_status *status, struct why *why);
bool frame_head_whole(const struct frame_head *head);
// Of a whole head.
uint64_t frame_head_payload(const struct frame_head *head);
enum frame_opcode frame_head_opcode(const struct frame_head *head);
bool frame_head_fin(const struct frame_head *head);

// The payload of a Close frame (RFC 6455 5.5.1, 7.4): nothing, or a status that may be sent and a reason.
struct err frame_close_judge(struct slice payload, enum websocket_status *status, struct why *why);
