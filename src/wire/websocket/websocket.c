// One connection's WebSocket: frames in their order, control frames answered, the end. wslay takes the mask
// off and writes frames; its context, which holds more than 4 KiB, is a connection's only while a frame is
// under way.
#include "wire/websocket/websocket.h"

#include <stdlib.h>

#include <wslay/wslay.h>

#include "base/bucket.h"
#include "wire/websocket/frame.h"

// wslay's context, and for whom it works.
struct websocket_machine {
    wslay_frame_context_ptr wslay;
    struct websocket *owner;
};

struct websocket {
    struct websocket_machine *machine; // while a frame is under way
    struct websocket_spare *spare;     // NULL: none
    enum websocket_state state;
    enum err_code failure;
    struct frame_head head;
    bool in_payload; // the head is whole
    bool in_message; // a message has begun, and its last fragment has not
    uint8_t control_len;
    uint8_t control[FRAME_CONTROL_MAX]; // the payload of a control frame, as far as it came
    uint64_t left;                      // of the payload
    struct slice in;                    // what wslay is given, while it reads
    struct buf out;
    int64_t control_until_us;
    struct why *why; // owned; NULL unless it failed, because it is as large as all the rest
};

static const struct why nothing;

// ---- wslay
// -------------------------------------------------------------------------------------------------------------------------

static ssize_t read_in(uint8_t *to, size_t room, int flags, void *context)
{
    (void)flags;
    struct websocket *ws = ((struct websocket_machine *)context)->owner;
    struct slice part = slice_to(ws->in, room);
    if (part.len == 0)
        return -1; // no more for now
    memcpy(to, part.at, part.len);
    ws->in = slice_from(ws->in, part.len);
    return (ssize_t)part.len;
}

static ssize_t write_out(const uint8_t *data, size_t len, int flags, void *context)
{
    (void)flags;
    struct websocket *ws = ((struct websocket_machine *)context)->owner;
    buf_bytes(&ws->out, slice_of(data, len));
    return ws->out.broken == 0 ? (ssize_t)len : -1;
}

static const struct wslay_frame_callbacks callbacks = {.send_callback = write_out, .recv_callback = read_in};

static void machine_free(struct websocket_machine *machine)
{
    if (machine != NULL)
        wslay_frame_context_free(machine->wslay);
    free(machine);
}

static struct websocket_machine *machine_new(void)
{
    struct websocket_machine *machine = calloc(1, sizeof *machine);
    if (machine != NULL && wslay_frame_context_init(&machine->wslay, &callbacks, machine) != 0) {
        free(machine);
        return NULL;
    }
    return machine;
}

void websocket_spare_release(struct websocket_spare *spare)
{
    machine_free(spare->machine);
    spare->machine = NULL;
}

static bool hold_wslay(struct websocket *ws)
{
    if (ws->machine != NULL)
        return true;
    if (ws->spare != NULL) {
        ws->machine = ws->spare->machine;
        ws->spare->machine = NULL;
    }
    if (ws->machine == NULL)
        ws->machine = machine_new();
    if (ws->machine != NULL)
        ws->machine->owner = ws;
    return ws->machine != NULL;
}

// whole: no frame is under way, in either direction, so that it can be another connection's next.
static void leave_wslay(struct websocket *ws, bool whole)
{
    if (whole && ws->spare != NULL && ws->spare->machine == NULL)
        ws->spare->machine = ws->machine;
    else
        machine_free(ws->machine);
    ws->machine = NULL;
}

// A whole frame into the output, or nothing and the output broken.
static void send_frame(struct websocket *ws, enum frame_opcode opcode, struct slice payload)
{
    bool held = ws->machine != NULL;
    size_t before = ws->out.len;
    struct wslay_frame_iocb frame = {.fin = 1,
                                     .opcode = (uint8_t)opcode,
                                     .payload_length = payload.len,
                                     .data = payload.at,
                                     .data_length = payload.len};
    bool sent = hold_wslay(ws) && wslay_frame_send(ws->machine->wslay, &frame) == (ssize_t)payload.len;
    if (!sent) {
        ws->out.len = before;
        ws->out.broken = ws->out.broken != 0 ? ws->out.broken : ERR_NO_MEMORY;
    }
    if (!held)
        leave_wslay(ws, sent);
}

// ---- the end
// -----------------------------------------------------------------------------------------------------------------------

static void send_close(struct websocket *ws, uint16_t status)
{
    const uint8_t body[] = {(uint8_t)(status >> 8), (uint8_t)status};
    send_frame(ws, FRAME_CLOSE, slice_of(body, sizeof body));
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
        send_frame(ws, FRAME_CLOSE, slice_to(payload, 2)); // its status back to it (RFC 6455 5.5.1)
    ws->state = WEBSOCKET_CLOSED;
    return OK;
}

static struct err control_arrived(struct websocket *ws, int64_t now_ms)
{
    enum { SECOND_US = 1000000 };
    struct slice payload = slice_of(ws->control, ws->control_len);
    enum frame_opcode opcode = frame_head_opcode(&ws->head);
    ws->control_len = 0;
    if (opcode == FRAME_CLOSE)
        return close_arrived(ws, payload);
    if (!bucket_take(&ws->control_until_us, now_ms * 1000, SECOND_US / WEBSOCKET_CONTROL_PER_SECOND,
                     SECOND_US))
        return fail_saying(ws, WEBSOCKET_POLICY, ERR_THROTTLED, "more than 10 pings or pongs in a second");
    if (opcode == FRAME_PONG || ws->state != WEBSOCKET_OPEN)
        return OK;
    if (ws->out.len > WEBSOCKET_PONGS_MAX)
        return fail_saying(ws, WEBSOCKET_POLICY, ERR_THROTTLED, "pings, and the answers are not read");
    send_frame(ws, FRAME_PONG, payload);
    return OK;
}

// ---- frames
// ------------------------------------------------------------------------------------------------------------------------

static struct err take_part(struct websocket *ws, struct slice part, struct buf *payload)
{
    ws->left -= part.len;
    if (frame_head_opcode(&ws->head) >= FRAME_CLOSE) {
        memcpy(ws->control + ws->control_len, part.at, part.len);
        ws->control_len = (uint8_t)(ws->control_len + part.len);
        return OK;
    }
    if (ws->state != WEBSOCKET_OPEN)
        return OK;
    buf_bytes(payload, part);
    return payload->broken == 0 ? OK : fail_saying(ws, WEBSOCKET_FAULT, payload->broken, "out of memory");
}

// Gives wslay bytes that are of the frame under way and not beyond.
static struct err decode(struct websocket *ws, struct slice bytes, struct buf *payload)
{
    struct wslay_frame_iocb part;
    ssize_t got;
    ws->in = bytes;
    while ((got = wslay_frame_recv(ws->machine->wslay, &part)) > 0)
        TRY(take_part(ws, slice_of(part.data, part.data_length), payload));
    if (got == 0 || got == WSLAY_ERR_WANT_READ)
        return OK;
    return fail_saying(ws, WEBSOCKET_VIOLATION, ERR_PROTOCOL, "a malformed frame (RFC 6455 5.2)");
}

static struct err take_head(struct websocket *ws, struct slice *in, struct buf *payload)
{
    struct why why;
    enum websocket_status status = WEBSOCKET_VIOLATION;
    struct err e = frame_head_add(&ws->head, in->at[0], ws->in_message, &status, &why);
    *in = slice_from(*in, 1);
    if (failed(e))
        return fail(ws, status, e, &why);
    if (!frame_head_whole(&ws->head))
        return OK;
    if (!hold_wslay(ws))
        return fail_saying(ws, WEBSOCKET_FAULT, ERR_NO_MEMORY, "out of memory");
    ws->in_payload = true;
    ws->left = frame_head_payload(&ws->head);
    return decode(ws, slice_of(ws->head.bytes, ws->head.len), payload);
}

static struct err take_payload(struct websocket *ws, struct slice *in, struct buf *payload)
{
    struct slice part = ws->left < in->len ? slice_to(*in, (size_t)ws->left) : *in;
    *in = slice_from(*in, part.len);
    return decode(ws, part, payload);
}

static struct err frame_ended(struct websocket *ws, int64_t now_ms)
{
    struct err e = OK;
    if (frame_head_opcode(&ws->head) >= FRAME_CLOSE)
        e = control_arrived(ws, now_ms);
    else
        ws->in_message = !frame_head_fin(&ws->head);
    ws->head.len = 0;
    ws->in_payload = false;
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
        e = ws->in_payload ? take_payload(ws, in, payload) : take_head(ws, in, payload);
        if (!failed(e) && ws->in_payload && ws->left == 0)
            e = frame_ended(ws, now_ms);
    }
    *in = (struct slice){0};
    if (ws->machine != NULL && (!ws->in_payload || !takes_frames(ws)))
        leave_wslay(ws, !ws->in_payload && ws->out.broken == 0);
    return FAIL(ws->failure);
}

void websocket_write(struct websocket *ws, struct slice payload)
{
    if (ws->state == WEBSOCKET_OPEN && payload.len > 0)
        send_frame(ws, FRAME_BINARY, payload);
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

void websocket_share(struct websocket *ws, struct websocket_spare *spare)
{
    ws->spare = spare;
}

void websocket_free(struct websocket *ws)
{
    if (ws == NULL)
        return;
    machine_free(ws->machine);
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
