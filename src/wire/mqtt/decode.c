// Cuts a stream of bytes into packets: judges the fixed header, gathers what came in pieces, and hands the
// body to the reader of its family.
#include "wire/mqtt/packet.h"

enum sender { CLIENT = 1, SERVER = 2, BOTH = CLIENT | SERVER };
enum { FREE = 0xff }; // flags that mean something

// What the fixed header of each type must look like (MQTT 2.2.1, 2.2.2; MQTT-2.2.2-2). The least lengths are
// those of the fields that are always there.
static const struct rule {
    const char *name;
    uint8_t senders;
    uint8_t flags;
    uint32_t least;
    uint32_t most;
} rules[16] = {
    [0] = {"type 0", 0, 0, 0, 0},
    [MQTT_CONNECT] = {"CONNECT", CLIENT, 0, 7, UINT32_MAX},
    [MQTT_CONNACK] = {"CONNACK", SERVER, 0, 2, 2},
    [MQTT_PUBLISH] = {"PUBLISH", BOTH, FREE, 3, UINT32_MAX},
    [MQTT_PUBACK] = {"PUBACK", BOTH, 0, 2, 2},
    [MQTT_PUBREC] = {"PUBREC", BOTH, 0, 2, 2},
    [MQTT_PUBREL] = {"PUBREL", BOTH, 2, 2, 2},
    [MQTT_PUBCOMP] = {"PUBCOMP", BOTH, 0, 2, 2},
    [MQTT_SUBSCRIBE] = {"SUBSCRIBE", CLIENT, 2, 6, UINT32_MAX},
    [MQTT_SUBACK] = {"SUBACK", SERVER, 0, 3, UINT32_MAX},
    [MQTT_UNSUBSCRIBE] = {"UNSUBSCRIBE", CLIENT, 2, 5, UINT32_MAX},
    [MQTT_UNSUBACK] = {"UNSUBACK", SERVER, 0, 2, 2},
    [MQTT_PINGREQ] = {"PINGREQ", CLIENT, 0, 0, 0},
    [MQTT_PINGRESP] = {"PINGRESP", SERVER, 0, 0, 0},
    [MQTT_DISCONNECT] = {"DISCONNECT", CLIENT, 0, 0, 0},
    [15] = {"type 15", 0, 0, 0, 0},
};

const char *mqtt_type_name(enum mqtt_type type)
{
    return rules[type & 15].name;
}

void mqtt_decoder_init(struct mqtt_decoder *d, size_t limit)
{
    *d = (struct mqtt_decoder){.limit = limit, .most = limit};
}

void mqtt_decoder_init_client(struct mqtt_decoder *d, size_t limit)
{
    *d = (struct mqtt_decoder){.limit = limit, .most = limit, .from_server = true};
}

void mqtt_decoder_release(struct mqtt_decoder *d)
{
    if (d == NULL)
        return;
    buf_release(&d->held);
    *d = (struct mqtt_decoder){0};
}

void mqtt_decoder_limit(struct mqtt_decoder *d, size_t limit)
{
    mqtt_decoder_ask_above(d, limit, limit);
}

void mqtt_decoder_ask_above(struct mqtt_decoder *d, size_t limit, size_t most)
{
    d->limit = limit;
    d->most = most;
}

bool mqtt_decoder_within_packet(const struct mqtt_decoder *d)
{
    return d->header_len > 0;
}

// Who the peer may be that does not begin with CONNECT: words for the log.
static const char *foreign(uint8_t first)
{
    if (first == 'A')
        return "; AMQP begins like this: a wrong port?";
    return first >= 'B' && first <= 'Z' ? "; HTTP begins like this: a wrong port?" : "";
}

static struct err judge_first_byte(const struct mqtt_decoder *d, struct why *why)
{
    unsigned type = d->first >> 4;
    const struct rule *rule = &rules[type];
    unsigned opening = d->from_server ? MQTT_CONNACK : MQTT_CONNECT;
    if (rule->senders == 0)
        return why_fail(why, ERR_PROTOCOL, "%s is reserved (MQTT 2.2.1)", rule->name);
    if (!(rule->senders & (d->from_server ? SERVER : CLIENT)))
        return why_fail(why, ERR_PROTOCOL, "%s came from the wrong end (MQTT 2.2.1)", rule->name);
    if (!d->started && type != opening)
        return why_fail(why, ERR_PROTOCOL, "%s came before %s (MQTT-3.1.0-1, MQTT-3.2.0-1)%s", rule->name,
                        rules[opening].name, d->from_server ? "" : foreign(d->first));
    if (d->started && type == opening)
        return why_fail(why, ERR_PROTOCOL, "a second %s came (MQTT-3.1.0-2)", rule->name);
    if (rule->flags != FREE && (d->first & 15) != rule->flags)
        return why_fail(why, ERR_PROTOCOL, "%s has wrong flags %u in its fixed header (MQTT-2.2.2-2)",
                        rule->name, d->first & 15);
    return OK;
}

static size_t size_of(const struct mqtt_decoder *d)
{
    return (size_t)d->remaining + d->header_len;
}

static struct err judge_length(const struct mqtt_decoder *d, struct why *why)
{
    const struct rule *rule = &rules[d->first >> 4];
    if (d->remaining < rule->least || d->remaining > rule->most)
        return why_fail(why, ERR_PROTOCOL, "%s cannot have the remaining length %u", rule->name,
                        d->remaining);
    if (size_of(d) > d->most)
        return why_fail(why, ERR_CAPPED, "%s of %zu bytes is larger than the %zu taken here", rule->name,
                        size_of(d), d->most);
    return OK;
}

// Byte by byte until the length is complete (MQTT 2.2.3). d->judged says whether it is.
static struct err take_fixed_header(struct mqtt_decoder *d, struct slice *in, struct why *why)
{
    while (!d->judged && in->len > 0) {
        uint8_t byte = in->at[0];
        *in = slice_from(*in, 1);
        d->header_len++;
        if (d->header_len == 1) {
            d->first = byte;
            d->remaining = 0;
            TRY(judge_first_byte(d, why));
            continue;
        }
        d->remaining |= (uint32_t)(byte & 127) << (7 * (d->header_len - 2));
        if (byte < 128) {
            TRY(judge_length(d, why));
            d->judged = true;
        } else if (d->header_len == 5) {
            return why_fail(why, ERR_PROTOCOL, "the remaining length has more than four bytes (MQTT 2.2.3)");
        }
    }
    return OK;
}

// The body as one piece, a view of *in when it is whole there. False when more must come, or memory is out
// (d->held.broken).
static bool take_body(struct mqtt_decoder *d, struct slice *in, struct slice *body)
{
    size_t missing = d->remaining - d->held.len;
    size_t taken = in->len < missing ? in->len : missing;
    *body = slice_to(*in, taken);
    if (taken == missing && d->held.len == 0) {
        *in = slice_from(*in, taken);
        return true;
    }
    d->held.cap = d->remaining;
    buf_bytes(&d->held, *body);
    *in = slice_from(*in, taken);
    *body = buf_slice(&d->held);
    return d->held.broken == 0 && taken == missing;
}

static struct err read_packet(struct mqtt_decoder *d, struct slice body, struct mqtt_packet *out,
                              struct why *why)
{
    out->type = (enum mqtt_type)(d->first >> 4);
    switch (out->type) {
    case MQTT_CONNECT:
        return mqtt_decode_connect(body, &out->connect, why);
    case MQTT_CONNACK:
        return mqtt_decode_connack(body, &out->connack, why);
    case MQTT_PUBLISH:
        return mqtt_decode_publish(d->first & 15, body, &out->publish, why);
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
    case MQTT_UNSUBACK:
        return mqtt_decode_ack(out->type, body, &out->ack, why);
    case MQTT_SUBSCRIBE:
        return mqtt_decode_filters(body, true, &out->subscribe, why);
    case MQTT_UNSUBSCRIBE:
        return mqtt_decode_filters(body, false, &out->subscribe, why);
    case MQTT_SUBACK:
        return mqtt_decode_suback(body, &out->suback, why);
    case MQTT_PINGREQ:
    case MQTT_PINGRESP:
    case MQTT_DISCONNECT:
        break;
    }
    return OK;
}

static enum mqtt_result bad(struct mqtt_decoder *d, struct err e)
{
    d->broken = e.code;
    buf_release(&d->held);
    return MQTT_BAD;
}

enum mqtt_result mqtt_decode(struct mqtt_decoder *d, struct slice *in, struct mqtt_packet *out,
                             struct why *why)
{
    if (d->broken != 0)
        return bad(d, why_fail(why, d->broken, "the connection was given up before"));
    if (d->header_len == 0 && d->held.at != NULL)
        buf_release(&d->held); // the packet of the last call
    struct err e = take_fixed_header(d, in, why);
    if (failed(e))
        return bad(d, e);
    if (d->judged && d->held.len == 0 && size_of(d) > d->limit)
        return MQTT_LARGE;
    struct slice body;
    if (!d->judged || !take_body(d, in, &body)) {
        if (d->held.broken != 0)
            return bad(d, why_fail(why, d->held.broken, "no memory for a packet of %u bytes", d->remaining));
        return MQTT_MORE;
    }
    d->header_len = 0;
    d->judged = false;
    d->started = true;
    e = read_packet(d, body, out, why);
    return failed(e) ? bad(d, e) : MQTT_PACKET;
}
