// SUBSCRIBE, SUBACK and UNSUBSCRIBE (MQTT 3.8 to 3.10).
#include "wire/mqtt/packet.h"

enum { RESERVED_FLAGS = 2 }; // MQTT-3.8.1-1, MQTT-3.10.1-1

struct err mqtt_decode_filters(struct slice body, bool with_qos, struct mqtt_subscribe *out, struct why *why)
{
    const char *name = with_qos ? "SUBSCRIBE" : "UNSUBSCRIBE";
    struct cursor c = cursor_over(body);
    out->packet_id = cursor_u16(&c);
    out->count = 0;
    if (out->packet_id == 0)
        return why_fail(why, ERR_PROTOCOL, "%s has the packet identifier 0 (MQTT-2.3.1-1)", name);
    while (c.rest.len > 0) {
        if (out->count == MQTT_MAX_FILTERS)
            return why_fail(why, ERR_PROTOCOL, "%s has more than %d topic filters", name, MQTT_MAX_FILTERS);
        struct mqtt_filter *filter = &out->filters[out->count++];
        filter->topic = mqtt_take_bytes(&c);
        filter->qos = with_qos ? cursor_u8(&c) : 0;
        if (!cursor_ok(&c))
            return why_fail(why, ERR_PROTOCOL, "%s ends within a topic filter (MQTT 3.8.3, 3.10.3)", name);
        if (!mqtt_filter_valid(filter->topic))
            return why_fail(why, ERR_PROTOCOL,
                            "%s has a topic filter that is empty, not UTF-8 or has a misplaced wildcard "
                            "(MQTT-4.7.1-2, -3, MQTT-4.7.3-1)",
                            name);
        if (filter->qos > 2)
            return why_fail(why, ERR_PROTOCOL, "SUBSCRIBE asks for a QoS over 2 (MQTT-3.8.3-4)");
    }
    if (out->count == 0)
        return why_fail(why, ERR_PROTOCOL, "%s has no topic filter (MQTT-3.8.3-3, MQTT-3.10.3-2)", name);
    return OK;
}

static void encode_filters(struct buf *out, enum mqtt_type type, bool with_qos,
                           const struct mqtt_subscribe *subscribe)
{
    size_t len = 2;
    if (subscribe->count == 0 || subscribe->count > MQTT_MAX_FILTERS) {
        out->broken = out->broken != 0 ? out->broken : ERR_INVALID;
        return;
    }
    for (size_t i = 0; i < subscribe->count; i++) {
        if (!mqtt_string_fits(out, subscribe->filters[i].topic))
            return;
        len += 2 + subscribe->filters[i].topic.len + (with_qos ? 1 : 0);
    }
    uint8_t *to = mqtt_frame_begin(out, (uint8_t)(type << 4 | RESERVED_FLAGS), len);
    if (to == NULL)
        return;
    to = mqtt_put_u16(to, subscribe->packet_id);
    for (size_t i = 0; i < subscribe->count; i++) {
        to = mqtt_put_bytes(to, subscribe->filters[i].topic);
        if (with_qos)
            *to++ = subscribe->filters[i].qos & 3;
    }
    mqtt_frame_end(out, to);
}

void mqtt_encode_subscribe(struct buf *out, const struct mqtt_subscribe *subscribe)
{
    encode_filters(out, MQTT_SUBSCRIBE, true, subscribe);
}

void mqtt_encode_unsubscribe(struct buf *out, const struct mqtt_subscribe *unsubscribe)
{
    encode_filters(out, MQTT_UNSUBSCRIBE, false, unsubscribe);
}

struct err mqtt_decode_suback(struct slice body, struct mqtt_suback *out, struct why *why)
{
    struct cursor c = cursor_over(body);
    out->packet_id = cursor_u16(&c);
    out->codes = c.rest;
    if (out->packet_id == 0)
        return why_fail(why, ERR_PROTOCOL, "SUBACK has the packet identifier 0 (MQTT-2.3.1-1)");
    for (size_t i = 0; i < out->codes.len; i++) {
        if (out->codes.at[i] > 2 && out->codes.at[i] != MQTT_SUBSCRIPTION_FAILED)
            return why_fail(why, ERR_PROTOCOL, "SUBACK has a reserved return code (MQTT-3.9.3-2)");
    }
    return OK;
}

void mqtt_encode_suback(struct buf *out, const struct mqtt_suback *suback)
{
    uint8_t *to = mqtt_frame_begin(out, MQTT_SUBACK << 4, 2 + suback->codes.len);
    if (to != NULL)
        mqtt_frame_end(out, mqtt_put_raw(mqtt_put_u16(to, suback->packet_id), suback->codes));
}
