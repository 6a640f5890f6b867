// The frames of a device over AMQP and their order.
#include "amqp_client.h"

#include <stdio.h>

enum code {
    OPEN = 0x10,
    BEGIN = 0x11,
    ATTACH = 0x12,
    FLOW = 0x13,
    TRANSFER = 0x14,
    DISPOSITION = 0x15,
    DETACH = 0x16,
    END = 0x17,
    CLOSE = 0x18,
    SASL_MECHANISMS = 0x40,
    SASL_INIT = 0x41,
    SASL_OUTCOME = 0x44,
};

enum { HEADER = 8, FRAME_CAP = 64 * 1024, UUID_TEXT = 36 };

#define BYTES(literal) buf_bytes(&b, SLICE(literal))

static const struct slice sasl_header = {(const uint8_t *)"AMQP\3\1\0\0", HEADER};
static const struct slice plain_header = {(const uint8_t *)"AMQP\0\1\0\0", HEADER};

// ---- frames
// --------------------------------------------------------------------------------------------------------------------

static void put_u32_at(struct buf *b, size_t at, size_t value)
{
    for (size_t i = 0; i < 4 && at + i < b->len; i++)
        b->at[at + i] = (uint8_t)(value >> (8 * (3 - i)));
}

// A frame with a list of `count` fields, which follow.
static struct buf frame(uint8_t type, enum code code, uint32_t count)
{
    struct buf b = buf_capped(FRAME_CAP);
    buf_u32(&b, 0);
    buf_u8(&b, 2);
    buf_u8(&b, type);
    buf_u16(&b, 0);
    BYTES("\x00\x53");
    buf_u8(&b, (uint8_t)code);
    BYTES("\xd0");
    buf_u32(&b, 0);
    buf_u32(&b, count);
    return b;
}

static void end_list(struct buf *b)
{
    enum { SIZE_AT = 12 };
    put_u32_at(b, SIZE_AT, b->len - SIZE_AT - 4);
}

static void send_frame(struct amqp_client *c, struct buf *b)
{
    put_u32_at(b, 0, b->len);
    if (!failed(buf_err(b)))
        c->write(c->context, buf_slice(b));
    buf_release(b);
}

// A string, binary or symbol: `small` is the code of those up to 255 bytes.
static void put(struct buf *b, uint8_t small, struct slice s)
{
    bool large = s.len > 255;
    buf_u8(b, large ? (uint8_t)(small | 0x10) : small);
    if (large)
        buf_u32(b, (uint32_t)s.len);
    else
        buf_u8(b, (uint8_t)s.len);
    buf_bytes(b, s);
}

static void put_string(struct buf *b, const char *text)
{
    put(b, 0xa1, slice_text(text));
}

// As long as the random names of the SDK.
static void put_name(struct buf *b, const char *prefix, const char *id)
{
    char name[96];
    (void)snprintf(name, sizeof name, "%s%0*d", prefix, UUID_TEXT, 0);
    size_t len = strlen(name), id_len = strlen(id);
    memcpy(name + len - (id_len < UUID_TEXT ? id_len : UUID_TEXT), id,
           id_len < UUID_TEXT ? id_len : UUID_TEXT);
    put_string(b, name);
}

// ---- what is said
// --------------------------------------------------------------------------------------------------------------

static void say_init(struct amqp_client *c, struct slice token)
{
    struct buf response = buf_capped(FRAME_CAP);
    buf_u8(&response, 0);
    buf_printf(&response, "%s/registrations/%s", c->id_scope, c->id);
    buf_u8(&response, 0);
    buf_bytes(&response, token);
    struct buf b = frame(1, SASL_INIT, 3);
    put(&b, 0xa3, SLICE("PLAIN"));
    put(&b, 0xa0, buf_slice(&response));
    put_string(&b, "localhost");
    end_list(&b);
    send_frame(c, &b);
    buf_release(&response);
}

static void say_open(struct amqp_client *c)
{
    c->write(c->context, plain_header);
    struct buf b = frame(0, OPEN, 2);
    put_name(&b, "", c->id);
    put_string(&b, "localhost");
    end_list(&b);
    send_frame(c, &b);
}

static void say_begin(struct amqp_client *c)
{
    struct buf b = frame(0, BEGIN, 4);
    BYTES("\x40\x43\x70\x00\x00\x08\x00\x70\xff\xff\xff\xff");
    end_list(&b);
    send_frame(c, &b);
}

static void put_terminus(struct amqp_client *c, struct buf *b, uint8_t code)
{
    buf_bytes(b, SLICE("\x00\x53"));
    buf_u8(b, code);
    buf_u8(b, 0xd0);
    size_t at = b->len;
    char address[200];
    (void)snprintf(address, sizeof address, "%s/registrations/%s", c->id_scope, c->id);
    buf_u32(b, 0);
    buf_u32(b, 1);
    put_string(b, address);
    put_u32_at(b, at, b->len - at - 4);
}

static void put_properties(struct buf *b)
{
    buf_u8(b, 0xd1);
    size_t at = b->len;
    buf_u32(b, 0);
    buf_u32(b, 4);
    put(b, 0xa3, SLICE("com.microsoft:client-version"));
    put_string(b, "azure-iot-provisioning-device/1.9.1");
    put(b, 0xa3, SLICE("com.microsoft:api-version"));
    put_string(b, "2019-03-31");
    put_u32_at(b, at, b->len - at - 4);
}

static void say_attach_receiver(struct amqp_client *c)
{
    struct buf b = frame(0, ATTACH, 14);
    put_name(&b, "rheaReceiver_", c->id);
    BYTES("\x43\x41\x40\x40");
    put_terminus(c, &b, 0x28);
    BYTES("\x00\x53\x29\x45\x40\x40\x40\x40\x40\x40");
    put_properties(&b);
    end_list(&b);
    send_frame(c, &b);
}

static void say_flow_and_attach_sender(struct amqp_client *c)
{
    struct buf b = frame(0, FLOW, 7);
    BYTES("\x43\x70\x00\x00\x08\x00\x43\x70\xff\xff\xff\xff\x43\x43\x70\x00\x00\x03\xe8");
    end_list(&b);
    send_frame(c, &b);
    b = frame(0, ATTACH, 14);
    put_name(&b, "rheaSender_", c->id);
    BYTES("\x52\x01\x42\x40\x40\x00\x53\x28\x45");
    put_terminus(c, &b, 0x29);
    BYTES("\x40\x40\x43\x40\x40\x40");
    put_properties(&b);
    end_list(&b);
    send_frame(c, &b);
}

static void say_register(struct amqp_client *c)
{
    char body[120];
    (void)snprintf(body, sizeof body, "{\"registrationId\":\"%s\"}", c->id);
    struct buf b = frame(0, TRANSFER, 6);
    BYTES("\x52\x01\x43\xa0\x01\x30\x43\x42\x42");
    end_list(&b);
    BYTES("\x00\x53\x70\x45\x00\x53\x73\xd0\x00\x00\x00\x2f\x00\x00\x00\x06\x40\x40\x40\x40\x40");
    put_name(&b, "", c->id);
    BYTES("\x00\x53\x74\xd1\x00\x00\x00\x47\x00\x00\x00\x04");
    put_string(&b, "iotdps-operation-type");
    put_string(&b, "iotdps-register");
    put_string(&b, "iotdps-forceRegistration");
    BYTES("\x42\x00\x53\x75");
    put(&b, 0xa0, slice_text(body));
    send_frame(c, &b);
    c->said = true;
}

static void say_fields(struct amqp_client *c, enum code code, uint32_t count, struct slice fields)
{
    struct buf b = frame(0, code, count);
    buf_bytes(&b, fields);
    end_list(&b);
    send_frame(c, &b);
}

static void say_empty(struct amqp_client *c, enum code code)
{
    struct buf b = buf_capped(FRAME_CAP);
    BYTES("\x00\x00\x00\x00\x02\x00\x00\x00\x00\x53");
    buf_u8(&b, (uint8_t)code);
    BYTES("\x45");
    send_frame(c, &b);
}

void amqp_client_settle(struct amqp_client *c)
{
    say_fields(c, DISPOSITION, 5, SLICE("\x41\x43\x43\x41\x00\x53\x24\x45"));
}

void amqp_client_leave(struct amqp_client *c)
{
    c->leaving = true;
    if (c->order == AMQP_CLIENT_DETACH)
        say_fields(c, DETACH, 2, SLICE("\x52\x01\x41"));
    else
        say_empty(c, CLOSE);
}

// ---- in order
// ------------------------------------------------------------------------------------------------------------------

void amqp_client_release(struct amqp_client *c)
{
    buf_release(&c->in);
}

static void open_up(struct amqp_client *c)
{
    say_open(c);
    if (c->order != AMQP_CLIENT_PIPELINED)
        return;
    say_begin(c);
    say_attach_receiver(c);
    say_flow_and_attach_sender(c);
}

void amqp_client_begin(struct amqp_client *c, struct slice token)
{
    c->in = buf_capped(FRAME_CAP);
    c->sasl_over = token.len == 0;
    if (c->sasl_over) {
        open_up(c);
        return;
    }
    c->write(c->context, sasl_header);
    if (c->order == AMQP_CLIENT_PIPELINED)
        say_init(c, token);
}

static enum amqp_client_result take_sasl(struct amqp_client *c, uint8_t code, struct slice rest,
                                         struct slice token)
{
    if (code == SASL_MECHANISMS) {
        if (c->order != AMQP_CLIENT_PIPELINED)
            say_init(c, token);
        return AMQP_CLIENT_MORE;
    }
    bool good = code == SASL_OUTCOME && slice_equal(rest, SLICE("\xc0\x03\x01\x50\x00"));
    if (!good)
        return AMQP_CLIENT_REFUSED;
    c->sasl_over = true;
    c->header_seen = false;
    open_up(c);
    return AMQP_CLIENT_MORE;
}

// Links are answered in the order in which they were asked for: first the one to receive, then that to send.
static void attached(struct amqp_client *c)
{
    if (++c->attached == 1 && c->order != AMQP_CLIENT_PIPELINED)
        say_flow_and_attach_sender(c);
}

static void detached(struct amqp_client *c)
{
    if (++c->detached == 1)
        say_fields(c, DETACH, 2, SLICE("\x43\x41"));
    else
        say_empty(c, END);
}

static enum amqp_client_result take_frame(struct amqp_client *c, uint8_t code, struct slice frame_bytes)
{
    bool waits = c->order != AMQP_CLIENT_PIPELINED;
    if (code == OPEN && waits)
        say_begin(c);
    else if (code == BEGIN && waits)
        say_attach_receiver(c);
    else if (code == ATTACH)
        attached(c);
    else if (code == FLOW)
        c->credit = c->attached == 2;
    else if (code == DETACH && c->leaving)
        detached(c);
    else if (code == END && c->leaving)
        say_empty(c, CLOSE);
    else if (code == CLOSE && c->leaving)
        return AMQP_CLIENT_GONE;
    if (code == TRANSFER)
        return AMQP_CLIENT_ANSWERED;
    bool rejected = code == DISPOSITION && slice_find(frame_bytes, SLICE("\x00\x53\x25")) < frame_bytes.len;
    if (rejected || ((code == DETACH || code == CLOSE) && !c->leaving))
        return AMQP_CLIENT_REFUSED;
    if (c->credit && !c->said)
        say_register(c);
    return AMQP_CLIENT_MORE;
}

// Of a header or a frame; of what its size is in, while that is not there yet.
static size_t size_of_next(const struct amqp_client *c)
{
    if (!c->header_seen || c->in.len < HEADER)
        return HEADER;
    const uint8_t *at = c->in.at;
    return ((size_t)at[0] << 24) + ((size_t)at[1] << 16) + ((size_t)at[2] << 8) + at[3];
}

static enum amqp_client_result take(struct amqp_client *c, struct slice unit, struct slice token)
{
    enum { CODE_AT = 10 };
    c->answer = unit;
    if (!c->header_seen) {
        c->header_seen = true;
        bool good = slice_equal(unit, c->sasl_over ? plain_header : sasl_header);
        return good ? AMQP_CLIENT_MORE : AMQP_CLIENT_REFUSED;
    }
    if (unit.len <= CODE_AT)
        return AMQP_CLIENT_MORE; // a heartbeat
    return c->sasl_over ? take_frame(c, unit.at[CODE_AT], unit)
                        : take_sasl(c, unit.at[CODE_AT], slice_from(unit, CODE_AT + 1), token);
}

enum amqp_client_result amqp_client_feed(struct amqp_client *c, struct slice *in, struct slice token)
{
    enum amqp_client_result result = AMQP_CLIENT_MORE;
    buf_bytes(&c->in, *in);
    *in = slice_from(*in, in->len);
    while (result == AMQP_CLIENT_MORE) {
        buf_consume(&c->in, c->taken);
        c->taken = 0;
        size_t size = size_of_next(c);
        if (c->in.len < size || failed(buf_err(&c->in)))
            break;
        c->taken = size;
        result = take(c, slice_of(c->in.at, size), token);
    }
    return result;
}
