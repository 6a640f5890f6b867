// What the files of this folder share: a frame from the peer, judged as the bytes of its head come, and one
// of ours. Nobody else includes it.
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

// Takes from *in what the head still lacks, as far as it is there, up to the byte that makes it wrong.
// in_message: a message has begun and its last fragment has not come. A failure says in *status which one to
// close with, and why.
struct err frame_head_take(struct frame_head *head, struct slice *in, bool in_message,
                           enum websocket_status *status, struct why *why);
bool frame_head_whole(const struct frame_head *head);
// Of a whole head. The payload is at most WEBSOCKET_FRAME_MAX bytes, FRAME_CONTROL_MAX of a control frame.
size_t frame_head_payload(const struct frame_head *head);
enum frame_opcode frame_head_opcode(const struct frame_head *head);
bool frame_head_fin(const struct frame_head *head);
// Takes the mask of a whole head off `part`, which is at byte `at` of the payload, into `to`.
void frame_unmask(const struct frame_head *head, size_t at, struct slice part, uint8_t *to);

// The payload of a Close frame (RFC 6455 5.5.1, 7.4): nothing, or a status that may be sent and a reason.
struct err frame_close_judge(struct slice payload, enum websocket_status *status, struct why *why);

// A whole frame of ours, the last or only one of its message and without a mask (RFC 6455 5.1), or nothing
// and `out` broken.
void frame_put(struct buf *out, enum frame_opcode opcode, struct slice payload);
