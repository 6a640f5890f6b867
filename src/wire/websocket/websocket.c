// One connection's WebSocket: frames in their order, control frames answered, the end. What a frame looks
// like is frame.h's.
#include "wire/websocket/websocket.h"

#include <stdlib.h>

#include "base/bucket.h"
#include "wire/websocket/frame.h"

struct websocket {
    enum websocket_state state;
    enum err_code failure;
    struct frame_head head;             // of the frame under way
    bool in_message;                    // a message has begun, and its last fragment has not
    size_t taken;                       // of the payload of the frame under way
    uint8_t control[FRAME_CONTROL_MAX]; // that of a control frame, as far as it came
    struct buf out;
    int64_t control_until_us;
    struct why *why; // owned; NULL unless it failed, because it is as large as all the rest
};

static const struct why nothing;

// ---- the end
// -----------------------------------------------------------------------------------------------------------------------

static void send_close(struct websocket *ws, uint16_t status)
{
    const uint8_t body[] = {(uint8_t)(status >> 8), (uint8_t)status};
    frame_put(&ws->out, FRAME_CLOSE, slice_of(body, sizeof body));
}

static struct err fail(struct websocket *ws, enum websocket_status status, struct err e,
                       const struct why *why)
{
    if (ws->state == WEBSOCKET_OPEN)
        send_close(ws, (uint16_t)status);
    ws->state = WEBSOCKET_FAILED;
    ws->failure = (enum err_code)e.code;
    ws->why = calloc(1, sizeof *ws->why);
    if (ws->why != NULL)
        *ws->why = *why;
    return e;
}

static struct err fail_saying(struct websocket *ws, enum websocket_status status, enum err_code code,
                              const char *text)
{
    struct why why;
    return fail(ws, status, why_fail(&why, code, "%s", text), &why);
}

void websocket_close(struct websocket *ws, enum websocket_status status)
{
    if (ws->state != WEBSOCKET_OPEN)
        return;
    send_close(ws, (uint16_t)status);
    ws->state = WEBSOCKET_CLOSING;
}

// ---- control frames
// ----------------------------------------------------------------------------------------------------------------

static struct err close_arrived(struct websocket *ws, struct slice payload)
{
    struct why why;
    enum websocket_status status = WEBSOCKET_VIOLATION;
    struct err e = frame_close_judge(payload, &status, &why);
    if (failed(e))
        return fail(ws, status, e, &why);
    if (ws->state == WEBSOCKET_OPEN)
        frame_put(&ws->out, FRAME_CLOSE, slice_to(payload, 2)); // its status back to it (RFC 6455 5.5.1)
    ws->state = WEBSOCKET_CLOSED;
    return OK;
}

static struct err control_arrived(struct websocket *ws, int64_t now_ms)
{
    enum { SECOND_US = 1000000 };
    struct slice payload = slice_of(ws->control, ws->taken);
    enum frame_opcode opcode = frame_head_opcode(&ws->head);
    if (opcode == FRAME_CLOSE)
        return close_arrived(ws, payload);
    if (!bucket_take(&ws->control_until_us, now_ms * 1000, SECOND_US / WEBSOCKET_CONTROL_PER_SECOND,
                     SECOND_US))
        return fail_saying(ws, WEBSOCKET_POLICY, ERR_THROTTLED, "more than 10 pings or pongs in a second");
    if (opcode == FRAME_PONG || ws->state != WEBSOCKET_OPEN)
        return OK;
    if (ws->out.len > WEBSOCKET_PONGS_MAX)
        return fail_saying(ws, WEBSOCKET_POLICY, ERR_THROTTLED, "pings, and the answers are not read");
    frame_put(&ws->out, FRAME_PONG, payload);
    return OK;
}

// ---- frames
// ------------------------------------------------------------------------------------------------------------------------

static struct err take_head(struct websocket *ws, struct slice *in)
{
    struct why why;
    enum websocket_status status = WEBSOCKET_VIOLATION;
    struct err e = frame_head_take(&ws->head, in, ws->in_message, &status, &why);
    return failed(e) ? fail(ws, status, e, &why) : OK;
}

static struct err take_payload(struct websocket *ws, struct slice *in, struct buf *payload)
{
    struct slice part = slice_to(*in, frame_head_payload(&ws->head) - ws->taken);
    size_t at = ws->taken;
    *in = slice_from(*in, part.len);
    ws->taken += part.len;
    if (frame_head_opcode(&ws->head) >= FRAME_CLOSE) {
        frame_unmask(&ws->head, at, part, ws->control + at);
        return OK;
    }
    if (ws->state != WEBSOCKET_OPEN)
        return OK;
    uint8_t *to = buf_reserve(payload, part.len);
    if (to == NULL)
        return fail_saying(ws, WEBSOCKET_FAULT, payload->broken, "out of memory");
    frame_unmask(&ws->head, at, part, to);
    buf_added(payload, part.len);
    return OK;
}

static bool frame_is_whole(const struct websocket *ws)
{
    return frame_head_whole(&ws->head) && ws->taken == frame_head_payload(&ws->head);
}

static struct err frame_ended(struct websocket *ws, int64_t now_ms)
{
    struct err e = OK;
    if (frame_head_opcode(&ws->head) >= FRAME_CLOSE)
        e = control_arrived(ws, now_ms);
    else
        ws->in_message = !frame_head_fin(&ws->head);
    ws->head.len = 0;
    ws->taken = 0;
    return e;
}

static bool takes_frames(const struct websocket *ws)
{
    return ws->state == WEBSOCKET_OPEN || ws->state == WEBSOCKET_CLOSING;
}

struct err websocket_feed(struct websocket *ws, struct slice *in, int64_t now_ms, struct buf *payload)
{
    struct err e = OK;
    while (in->len > 0 && takes_frames(ws) && !failed(e)) {
        e = frame_head_whole(&ws->head) ? take_payload(ws, in, payload) : take_head(ws, in);
        if (!failed(e) && frame_is_whole(ws))
            e = frame_ended(ws, now_ms);
    }
    *in = (struct slice){0};
    return FAIL(ws->failure);
}

void websocket_write(struct websocket *ws, struct slice payload)
{
    if (ws->state == WEBSOCKET_OPEN && payload.len > 0)
        frame_put(&ws->out, FRAME_BINARY, payload);
}

struct err websocket_new(struct websocket **out)
{
    struct websocket *ws = calloc(1, sizeof *ws);
    *out = ws;
    if (ws == NULL)
        return FAIL(ERR_NO_MEMORY);
    ws->out = buf_capped(WEBSOCKET_OUTPUT_MAX);
    return OK;
}

void websocket_free(struct websocket *ws)
{
    if (ws == NULL)
        return;
    buf_release(&ws->out);
    free(ws->why);
    free(ws);
}

enum websocket_state websocket_state(const struct websocket *ws)
{
    return ws->state;
}

struct buf *websocket_output(struct websocket *ws)
{
    return &ws->out;
}

const struct why *websocket_why(const struct websocket *ws)
{
    return ws->why != NULL ? ws->why : &nothing;
}
