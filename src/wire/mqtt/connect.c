// CONNECT and CONNACK (MQTT 3.1, 3.2).
#include "wire/mqtt/packet.h"

enum {
    FLAG_RESERVED = 0x01,
    FLAG_CLEAN_SESSION = 0x02,
    FLAG_WILL = 0x04,
    FLAG_WILL_QOS_SHIFT = 3,
    FLAG_WILL_RETAIN = 0x20,
    FLAG_PASSWORD = 0x40,
    FLAG_USER_NAME = 0x80,
};

static struct err judge_flags(uint8_t flags, struct why *why)
{
    if (flags & FLAG_RESERVED)
        return why_fail(why, ERR_PROTOCOL, "CONNECT sets the reserved connect flag (MQTT-3.1.2-3)");
    uint8_t will_qos = flags >> FLAG_WILL_QOS_SHIFT & 3;
    if (will_qos == 3)
        return why_fail(why, ERR_PROTOCOL, "CONNECT asks for will QoS 3 (MQTT-3.1.2-14)");
    if (!(flags & FLAG_WILL) && (will_qos != 0 || (flags & FLAG_WILL_RETAIN)))
        return why_fail(why, ERR_PROTOCOL,
                        "CONNECT has will QoS or retain without a will (MQTT-3.1.2-13, -15)");
    if ((flags & FLAG_PASSWORD) && !(flags & FLAG_USER_NAME))
        return why_fail(why, ERR_PROTOCOL, "CONNECT has a password without a user name (MQTT-3.1.2-22)");
    return OK;
}

// The fields stand in this order, each only if its flag is set (MQTT-3.1.3-1).
static struct err read_payload(struct cursor *c, uint8_t flags, struct mqtt_connect *out, struct why *why)
{
    out->client_id = mqtt_take_bytes(c);
    if (flags & FLAG_WILL) {
        out->will_topic = mqtt_take_bytes(c);
        out->will_payload = mqtt_take_bytes(c);
    }
    if (flags & FLAG_USER_NAME)
        out->user_name = mqtt_take_bytes(c);
    if (flags & FLAG_PASSWORD)
        out->password = mqtt_take_bytes(c);
    if (!cursor_ok(c))
        return why_fail(why, ERR_PROTOCOL,
                        "CONNECT ends before the fields that its flags announce (MQTT-3.1.3-1)");
    if (!cursor_done(c))
        return why_fail(why, ERR_PROTOCOL, "CONNECT goes on after its last field (MQTT-3.1.3-1)");
    if (!mqtt_text_valid(out->client_id) || !mqtt_text_valid(out->user_name))
        return why_fail(why, ERR_PROTOCOL,
                        "CONNECT has malformed UTF-8 or a NUL in a string (MQTT-1.5.3-1, -2)");
    if ((flags & FLAG_WILL) && !mqtt_topic_valid(out->will_topic))
        return why_fail(why, ERR_PROTOCOL,
                        "CONNECT has a malformed will topic (MQTT-3.1.3-10, MQTT-4.7.1-1)");
    return OK;
}

struct err mqtt_decode_connect(struct slice body, struct mqtt_connect *out, struct why *why)
{
    *out = (struct mqtt_connect){0};
    struct cursor c = cursor_over(body);
    struct slice protocol = mqtt_take_bytes(&c);
    out->level = cursor_u8(&c);
    bool older = slice_equal(protocol, SLICE("MQIsdp")); // MQTT 3.1, level 3
    if (!cursor_ok(&c) || (!older && !slice_equal(protocol, SLICE("MQTT"))))
        return why_fail(why, ERR_PROTOCOL, "CONNECT does not name the protocol MQTT (MQTT-3.1.2-1)");
    if (older || out->level != MQTT_LEVEL) {
        out->unsupported_level = true;
        return OK;
    }
    uint8_t flags = cursor_u8(&c);
    TRY(judge_flags(flags, why));
    out->clean_session = flags & FLAG_CLEAN_SESSION;
    out->has_will = flags & FLAG_WILL;
    out->will_qos = flags >> FLAG_WILL_QOS_SHIFT & 3;
    out->will_retain = flags & FLAG_WILL_RETAIN;
    out->has_user_name = flags & FLAG_USER_NAME;
    out->has_password = flags & FLAG_PASSWORD;
    out->keep_alive_s = cursor_u16(&c);
    return read_payload(&c, flags, out, why);
}

void mqtt_encode_connect(struct buf *out, const struct mqtt_connect *connect)
{
    bool fits = mqtt_string_fits(out, connect->client_id) && mqtt_string_fits(out, connect->will_topic) &&
                mqtt_string_fits(out, connect->will_payload) && mqtt_string_fits(out, connect->user_name) &&
                mqtt_string_fits(out, connect->password);
    if (!fits)
        return;
    size_t len = 10 + 2 + connect->client_id.len;
    uint8_t flags = connect->clean_session ? FLAG_CLEAN_SESSION : 0;
    if (connect->has_will) {
        len += 4 + connect->will_topic.len + connect->will_payload.len;
        flags |= (uint8_t)(FLAG_WILL | (connect->will_qos & 3) << FLAG_WILL_QOS_SHIFT |
                           (connect->will_retain ? FLAG_WILL_RETAIN : 0));
    }
    if (connect->has_user_name) {
        len += 2 + connect->user_name.len;
        flags |= FLAG_USER_NAME;
    }
    if (connect->has_password) {
        len += 2 + connect->password.len;
        flags |= FLAG_PASSWORD;
    }
    uint8_t *to = mqtt_frame_begin(out, MQTT_CONNECT << 4, len);
    if (to == NULL)
        return;
    to = mqtt_put_bytes(to, SLICE("MQTT"));
    *to++ = MQTT_LEVEL;
    *to++ = flags;
    to = mqtt_put_u16(to, connect->keep_alive_s);
    to = mqtt_put_bytes(to, connect->client_id);
    if (connect->has_will)
        to = mqtt_put_bytes(mqtt_put_bytes(to, connect->will_topic), connect->will_payload);
    if (connect->has_user_name)
        to = mqtt_put_bytes(to, connect->user_name);
    if (connect->has_password)
        to = mqtt_put_bytes(to, connect->password);
    mqtt_frame_end(out, to);
}

struct err mqtt_decode_connack(struct slice body, struct mqtt_connack *out, struct why *why)
{
    struct cursor c = cursor_over(body);
    uint8_t flags = cursor_u8(&c);
    out->code = cursor_u8(&c);
    out->session_present = flags & 1;
    if (flags > 1)
        return why_fail(why, ERR_PROTOCOL, "CONNACK sets reserved flags (MQTT 3.2.2.1)");
    if (out->code > MQTT_REFUSED_UNAUTHORIZED)
        return why_fail(why, ERR_PROTOCOL, "CONNACK has the reserved return code %u (MQTT 3.2.2.3)",
                        out->code);
    if (out->code != MQTT_ACCEPTED && out->session_present)
        return why_fail(why, ERR_PROTOCOL, "CONNACK refuses and has a session present (MQTT-3.2.2-4)");
    return OK;
}

void mqtt_encode_connack(struct buf *out, const struct mqtt_connack *connack)
{
    uint8_t *to = mqtt_frame_begin(out, MQTT_CONNACK << 4, 2);
    if (to == NULL)
        return;
    *to++ = connack->session_present && connack->code == MQTT_ACCEPTED; // MQTT-3.2.2-4
    *to++ = connack->code;
    mqtt_frame_end(out, to);
}
