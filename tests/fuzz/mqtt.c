// Fuzzes the MQTT decoder: the first byte says which end it plays and in what pieces the rest arrives. Beyond
// not crashing: packets are the same whole and in pieces, and what is encoded again decodes to the same
// bytes.
#include "wire/mqtt/mqtt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void begin(struct mqtt_decoder *d, uint8_t control)
{
    if (control & 1)
        mqtt_decoder_init_client(d, 8192);
    else
        mqtt_decoder_init(d, 8192);
    d->started = control & 2;
}

static void encode(struct buf *out, const struct mqtt_packet *p)
{
    switch (p->type) {
    case MQTT_CONNECT:
        mqtt_encode_connect(out, &p->connect);
        break;
    case MQTT_CONNACK:
        mqtt_encode_connack(out, &p->connack);
        break;
    case MQTT_PUBLISH:
        mqtt_encode_publish(out, &p->publish);
        break;
    case MQTT_SUBSCRIBE:
        mqtt_encode_subscribe(out, &p->subscribe);
        break;
    case MQTT_UNSUBSCRIBE:
        mqtt_encode_unsubscribe(out, &p->subscribe);
        break;
    case MQTT_SUBACK:
        mqtt_encode_suback(out, &p->suback);
        break;
    default:
        buf_printf(out, "%d %u", (int)p->type, p->type == MQTT_PUBACK ? p->ack.packet_id : 0);
    }
}

// Everything that the stream says, encoded again, and how it ended.
static enum mqtt_result run(struct slice bytes, uint8_t control, size_t step, struct buf *said)
{
    struct mqtt_decoder d;
    begin(&d, control);
    enum mqtt_result result = MQTT_MORE;
    for (size_t at = 0; at < bytes.len && result != MQTT_BAD; at += step) {
        struct slice in = slice_to(slice_from(bytes, at), step);
        struct mqtt_packet p;
        while ((result = mqtt_decode(&d, &in, &p, NULL)) == MQTT_PACKET)
            encode(said, &p);
        INVARIANT(result == MQTT_BAD || in.len == 0);
        INVARIANT(d.held.room <= 8192);
    }
    mqtt_decoder_release(&d);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice bytes = slice_of(data + 1, size - 1);
    struct buf whole = buf_capped(1 << 22);
    struct buf pieces = buf_capped(1 << 22);
    enum mqtt_result first = run(bytes, data[0], bytes.len, &whole);
    enum mqtt_result second = run(bytes, data[0], (size_t)(data[0] >> 2) + 1, &pieces);
    INVARIANT(first == second);
    INVARIANT(whole.broken == 0 && slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    buf_release(&whole);
    buf_release(&pieces);
    return 0;
}
