// The head of a frame and the body of a Close, judged. wslay tells of a frame only when the first byte of its
// payload is there; what is wrong with it is heard here with the byte that makes it wrong, and a length that
// is too large before anything is waited for (threats A4).
#include "wire/websocket/frame.h"

#include "base/cursor.h"
#include "base/text.h"

static struct err violation(enum websocket_status *status, struct why *why, const char *text)
{
    *status = WEBSOCKET_VIOLATION;
    return why_fail(why, ERR_PROTOCOL, "%s", text);
}

static bool is_control(uint8_t first)
{
    return first & 0x08;
}

static struct err judge_first(uint8_t first, bool in_message, enum websocket_status *status, struct why *why)
{
    bool fin = first & 0x80;
    if (first & 0x70) // no extension was negotiated
        return violation(status, why, "a frame has reserved bits set (RFC 6455 5.2)");
    switch (first & 0x0f) {
    case FRAME_CONTINUATION:
        return in_message ? OK : violation(status, why, "a continuation of no message (RFC 6455 5.4)");
    case FRAME_TEXT:
        *status = WEBSOCKET_NOT_BINARY;
        return why_fail(why, ERR_PROTOCOL, "a text message; only binary ones are spoken here");
    case FRAME_BINARY:
        return !in_message ? OK : violation(status, why, "a message within another one (RFC 6455 5.4)");
    case FRAME_CLOSE:
    case FRAME_PING:
    case FRAME_PONG:
        return fin ? OK : violation(status, why, "a control frame in fragments (RFC 6455 5.5)");
    default:
        return violation(status, why, "a frame with a reserved opcode (RFC 6455 5.2)");
    }
}

static size_t length_bytes(uint8_t second)
{
    uint8_t length = second & 0x7f;
    return length == 126 ? 2 : length == 127 ? 8 : 0;
}

static struct err judge_second(const struct frame_head *head, enum websocket_status *status, struct why *why)
{
    if (!(head->bytes[1] & 0x80))
        return violation(status, why, "a frame that is not masked (RFC 6455 5.1)");
    if (is_control(head->bytes[0]) && length_bytes(head->bytes[1]) > 0)
        return violation(status, why, "a control frame of more than 125 bytes (RFC 6455 5.5)");
    return OK;
}

static struct err judge_length(const struct frame_head *head, enum websocket_status *status, struct why *why)
{
    uint64_t length = frame_head_payload(head);
    bool wide = length_bytes(head->bytes[1]) == 8;
    if (wide && length >> 63)
        return violation(status, why, "a frame of 2^63 bytes or more (RFC 6455 5.2)");
    if (length < (wide ? 1u << 16 : 126u))
        return violation(status, why, "the length of a frame is not in its shortest form (RFC 6455 5.2)");
    if (length <= WEBSOCKET_FRAME_MAX)
        return OK;
    *status = WEBSOCKET_TOO_BIG;
    return why_fail(why, ERR_CAPPED, "a frame of %llu bytes; %d are taken", (unsigned long long)length,
                    WEBSOCKET_FRAME_MAX);
}

struct err frame_head_add(struct frame_head *head, uint8_t byte, bool in_message,
                          enum websocket_status *status, struct why *why)
{
    head->bytes[head->len++] = byte;
    if (head->len == 1)
        return judge_first(byte, in_message, status, why);
    if (head->len == 2)
        return judge_second(head, status, why);
    size_t wide = length_bytes(head->bytes[1]);
    return wide > 0 && head->len == 2 + wide ? judge_length(head, status, why) : OK;
}

bool frame_head_whole(const struct frame_head *head)
{
    return head->len >= 2 && head->len == 2 + length_bytes(head->bytes[1]) + 4;
}

uint64_t frame_head_payload(const struct frame_head *head)
{
    size_t wide = length_bytes(head->bytes[1]);
    uint64_t length = wide > 0 ? 0 : head->bytes[1] & 0x7f;
    for (size_t i = 0; i < wide; i++)
        length = length << 8 | head->bytes[2 + i];
    return length;
}

enum frame_opcode frame_head_opcode(const struct frame_head *head)
{
    return (enum frame_opcode)(head->bytes[0] & 0x0f);
}

bool frame_head_fin(const struct frame_head *head)
{
    return head->bytes[0] & 0x80;
}

// What RFC 6455 7.4 and the registry it founded let an endpoint send: 1004 to 1006 and 1015 never are.
static bool status_may_be_sent(uint16_t status)
{
    return (status >= 1000 && status <= 1003) || (status >= 1007 && status <= 1014) ||
           (status >= 3000 && status <= 4999);
}

struct err frame_close_judge(struct slice payload, enum websocket_status *status, struct why *why)
{
    struct cursor c = cursor_over(payload);
    if (payload.len == 0)
        return OK;
    uint16_t sent = cursor_u16(&c);
    if (!cursor_ok(&c))
        return violation(status, why, "a Close frame of one byte (RFC 6455 5.5.1)");
    if (!status_may_be_sent(sent)) {
        *status = WEBSOCKET_VIOLATION;
        return why_fail(why, ERR_PROTOCOL, "a Close frame with status %u (RFC 6455 7.4)", sent);
    }
    if (utf8_valid(c.rest))
        return OK;
    *status = WEBSOCKET_NOT_UTF8;
    return why_fail(why, ERR_PROTOCOL, "the reason in a Close frame is not UTF-8 (RFC 6455 5.5.1)");
}
