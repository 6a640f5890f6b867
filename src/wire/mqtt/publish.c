// PUBLISH and the acknowledgements that are nothing but a packet identifier (MQTT 3.3 to 3.7, 3.11).
#include "wire/mqtt/packet.h"

enum { FLAG_RETAIN = 1, FLAG_QOS_SHIFT = 1, FLAG_DUP = 8 };

struct err mqtt_decode_publish(uint8_t flags, struct slice body, struct mqtt_publish *out, struct why *why)
{
    *out = (struct mqtt_publish){
        .dup = flags & FLAG_DUP,
        .qos = flags >> FLAG_QOS_SHIFT & 3,
        .retain = flags & FLAG_RETAIN,
    };
    if (out->qos == 3)
        return why_fail(why, ERR_PROTOCOL, "PUBLISH has QoS 3 (MQTT-3.3.1-4)");
    if (out->dup && out->qos == 0)
        return why_fail(why, ERR_PROTOCOL, "PUBLISH has DUP with QoS 0 (MQTT-3.3.1-2)");
    struct cursor c = cursor_over(body);
    out->topic = mqtt_take_bytes(&c);
    if (out->qos > 0)
        out->packet_id = cursor_u16(&c);
    if (!cursor_ok(&c))
        return why_fail(why, ERR_PROTOCOL, "PUBLISH ends within its topic or packet identifier (MQTT 3.3.2)");
    if (!mqtt_topic_valid(out->topic))
        return why_fail(
            why, ERR_PROTOCOL,
            "PUBLISH has a topic that is empty, not UTF-8 or holds a wildcard (MQTT-3.3.2-1, -2)");
    if (out->qos > 0 && out->packet_id == 0)
        return why_fail(why, ERR_PROTOCOL, "PUBLISH has the packet identifier 0 (MQTT-2.3.1-1)");
    out->payload = c.rest;
    return OK;
}

void mqtt_encode_publish(struct buf *out, const struct mqtt_publish *publish)
{
    if (!mqtt_string_fits(out, publish->topic))
        return;
    uint8_t qos = publish->qos & 3;
    uint8_t first = (uint8_t)(MQTT_PUBLISH << 4 | qos << FLAG_QOS_SHIFT |
                              (publish->retain ? FLAG_RETAIN : 0) | (publish->dup && qos > 0 ? FLAG_DUP : 0));
    size_t fixed = 2 + publish->topic.len + (qos > 0 ? 2 : 0);
    if (publish->payload.len > SIZE_MAX - fixed) {
        out->broken = ERR_INVALID;
        return;
    }
    uint8_t *to = mqtt_frame_begin(out, first, fixed + publish->payload.len);
    if (to == NULL)
        return;
    to = mqtt_put_bytes(to, publish->topic);
    if (qos > 0)
        to = mqtt_put_u16(to, publish->packet_id);
    mqtt_frame_end(out, mqtt_put_raw(to, publish->payload));
}

struct err mqtt_decode_ack(enum mqtt_type type, struct slice body, struct mqtt_ack *out, struct why *why)
{
    struct cursor c = cursor_over(body);
    out->packet_id = cursor_u16(&c);
    // C#'s device client acknowledges QoS 0 messages too, with the identifier 0 (device-protocol 2.2)
    if (out->packet_id == 0 && type != MQTT_PUBACK)
        return why_fail(why, ERR_PROTOCOL, "%s has the packet identifier 0 (MQTT-2.3.1-1)",
                        mqtt_type_name(type));
    return OK;
}

static void encode_ack(struct buf *out, uint8_t first, uint16_t packet_id)
{
    uint8_t *to = mqtt_frame_begin(out, first, 2);
    if (to != NULL)
        mqtt_frame_end(out, mqtt_put_u16(to, packet_id));
}

void mqtt_encode_puback(struct buf *out, uint16_t packet_id)
{
    encode_ack(out, MQTT_PUBACK << 4, packet_id);
}

void mqtt_encode_unsuback(struct buf *out, uint16_t packet_id)
{
    encode_ack(out, MQTT_UNSUBACK << 4, packet_id);
}
