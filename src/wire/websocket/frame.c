// What a frame looks like (RFC 6455 5.2): its head, the mask, the body of a Close. What is wrong with a head
// is heard with the byte that makes it wrong, and a length that is too large before anything is waited for
// (threats A4).
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

static uint64_t head_length(const struct frame_head *head)
{
    size_t wide = length_bytes(head->bytes[1]);
    uint64_t length = wide > 0 ? 0 : head->bytes[1] & 0x7f;
    for (size_t i = 0; i < wide; i++)
        length = length << 8 | head->bytes[2 + i];
    return length;
}

static struct err judge_length(const struct frame_head *head, enum websocket_status *status, struct why *why)
{
    uint64_t length = head_length(head);
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

// What its last byte makes wrong with it.
static struct err judge(const struct frame_head *head, bool in_message, enum websocket_status *status,
                        struct why *why)
{
    if (head->len == 1)
        return judge_first(head->bytes[0], in_message, status, why);
    if (head->len == 2)
        return judge_second(head, status, why);
    size_t wide = length_bytes(head->bytes[1]);
    return wide > 0 && head->len == 2 + wide ? judge_length(head, status, why) : OK;
}

struct err frame_head_take(struct frame_head *head, struct slice *in, bool in_message,
                           enum websocket_status *status, struct why *why)
{
    while (in->len > 0 && !frame_head_whole(head)) {
        head->bytes[head->len++] = in->at[0];
        *in = slice_from(*in, 1);
        TRY(judge(head, in_message, status, why));
    }
    return OK;
}

bool frame_head_whole(const struct frame_head *head)
{
    return head->len >= 2 && head->len == 2 + length_bytes(head->bytes[1]) + 4;
}

size_t frame_head_payload(const struct frame_head *head)
{
    return (size_t)head_length(head);
}

enum frame_opcode frame_head_opcode(const struct frame_head *head)
{
    return (enum frame_opcode)(head->bytes[0] & 0x0f);
}

bool frame_head_fin(const struct frame_head *head)
{
    return head->bytes[0] & 0x80;
}

void frame_unmask(const struct frame_head *head, size_t at, struct slice part, uint8_t *to)
{
    uint8_t mask[8]; // twice, from where `part` begins, to take off eight bytes at a time
    for (size_t i = 0; i < sizeof mask; i++)
        mask[i] = head->bytes[head->len - 4u + (at + i) % 4];
    uint64_t wide, eight;
    memcpy(&wide, mask, sizeof wide);
    size_t i = 0;
    for (; part.len - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, part.at + i, sizeof eight);
        eight ^= wide;
        memcpy(to + i, &eight, sizeof eight);
    }
    for (; i < part.len; i++)
        to[i] = part.at[i] ^ mask[i % 4];
}

void frame_put(struct buf *out, enum frame_opcode opcode, struct slice payload)
{
    size_t wide = payload.len < 126 ? 0 : payload.len < 1 << 16 ? 2 : 8;
    uint8_t *head = buf_reserve(out, 2 + wide + payload.len);
    if (head == NULL)
        return;
    head[0] = (uint8_t)(0x80 | opcode);
    head[1] = (uint8_t)(wide == 0 ? payload.len : wide == 2 ? 126 : 127);
    for (size_t i = 0; i < wide; i++)
        head[2 + i] = (uint8_t)(payload.len >> 8 * (wide - 1 - i));
    buf_added(out, 2 + wide);
    buf_bytes(out, payload);
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
