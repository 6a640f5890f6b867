// The packets that are nothing but a fixed header: PINGREQ, PINGRESP, DISCONNECT (MQTT 3.12 to 3.14).
#include "wire/mqtt/packet.h"

static void encode_bare(struct buf *out, enum mqtt_type type)
{
    uint8_t *to = mqtt_frame_begin(out, (uint8_t)(type << 4), 0);
    if (to != NULL)
        mqtt_frame_end(out, to);
}

void mqtt_encode_pingreq(struct buf *out)
{
    encode_bare(out, MQTT_PINGREQ);
}

void mqtt_encode_pingresp(struct buf *out)
{
    encode_bare(out, MQTT_PINGRESP);
}

void mqtt_encode_disconnect(struct buf *out)
{
    encode_bare(out, MQTT_DISCONNECT);
}
