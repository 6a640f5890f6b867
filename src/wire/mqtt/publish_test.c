// PUBLISH and acknowledgements: requests and answers arrive byte for byte.
#include "wire/mqtt/mqtt_test.h"

static void a_request_with_qos_1_keeps_topic_payload_and_identifier(void **state)
{
    (void)state;
    struct mqtt_publish sent = {
        .qos = 1,
        .packet_id = 0xabcd,
        .topic = SLICE("$dps/registrations/PUT/iotdps-register/?$rid=1"),
        .payload = SLICE("{\"registrationId\":\"dev1\"}"),
    };
    struct buf bytes = buf_capped(4096);
    mqtt_encode_publish(&bytes, &sent);
    struct mqtt_decoder d = started_decoder(false);
    struct mqtt_packet p;
    decode_one(&d, &bytes, &p);
    assert_int_equal(p.type, MQTT_PUBLISH);
    assert_int_equal(p.publish.qos, 1);
    assert_int_equal(p.publish.packet_id, 0xabcd);
    assert_slice(p.publish.topic, "$dps/registrations/PUT/iotdps-register/?$rid=1");
    assert_slice(p.publish.payload, "{\"registrationId\":\"dev1\"}");
    assert_false(p.publish.dup);
    assert_false(p.publish.retain);
    buf_release(&bytes);
}

static void an_empty_body_is_an_empty_body(void **state)
{
    (void)state;
    struct slice in = BYTES(0x30, 4, 0, 2, 'a', '/');
    struct mqtt_decoder d = started_decoder(false);
    struct mqtt_packet p;
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_PACKET);
    assert_slice(p.publish.topic, "a/");
    assert_int_equal(p.publish.payload.len, 0);
    assert_int_equal(p.publish.qos, 0);
}

static void flags_are_read_and_written_where_the_standard_puts_them(void **state)
{
    (void)state;
    struct slice in = BYTES(0x3d, 6, 0, 1, 'a', 0, 7, 'x'); // dup, QoS 2, retain
    struct mqtt_decoder d = started_decoder(false);
    struct mqtt_packet p;
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_PACKET);
    assert_true(p.publish.dup);
    assert_int_equal(p.publish.qos, 2);
    assert_true(p.publish.retain);
    assert_int_equal(p.publish.packet_id, 7);
    struct buf bytes = buf_capped(64);
    mqtt_encode_publish(&bytes, &p.publish);
    assert_int_equal(bytes.len, 8);
    assert_memory_equal(bytes.at, "\x3d\x06\x00\x01\x61\x00\x07x", 8);
    buf_release(&bytes);
}

static void lengths_are_right_at_each_size_of_the_length_field(void **state)
{
    (void)state;
    const size_t payloads[] = {0, 124, 125, 16380, 16381, 200000};
    const size_t headers[] = {2, 2, 3, 3, 4, 4};
    uint8_t *zeros = calloc(1, 200000);
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct buf bytes = buf_capped(300000);
        mqtt_encode_publish(
            &bytes, &(struct mqtt_publish){.topic = SLICE("t"), .payload = slice_of(zeros, payloads[i])});
        assert_int_equal(bytes.len, headers[i] + 3 + payloads[i]);
        struct mqtt_decoder d = started_decoder(true);
        struct mqtt_packet p;
        decode_one(&d, &bytes, &p);
        assert_int_equal(p.publish.payload.len, payloads[i]);
        buf_release(&bytes);
    }
    free(zeros);
}

static void a_publish_beyond_the_buffer_leaves_no_half_packet(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(16);
    mqtt_encode_pingresp(&bytes);
    mqtt_encode_publish(&bytes,
                        &(struct mqtt_publish){.topic = SLICE("t"), .payload = SLICE("more than fits in")});
    assert_int_equal(buf_err(&bytes).code, ERR_CAPPED);
    assert_int_equal(bytes.len, 2);
    buf_release(&bytes);
}

static void the_csharp_client_may_acknowledge_identifier_0_nobody_else_may(void **state)
{
    (void)state;
    struct slice in = BYTES(0x40, 2, 0, 0, 0x40, 2, 1, 2, 0x50, 2, 0, 0);
    struct mqtt_decoder d = started_decoder(false);
    struct mqtt_packet p;
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_PACKET);
    assert_int_equal(p.type, MQTT_PUBACK);
    assert_int_equal(p.ack.packet_id, 0);
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_PACKET);
    assert_int_equal(p.ack.packet_id, 0x0102);
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_BAD);
}

static void acknowledgements_are_written_as_the_standard_says(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(64);
    mqtt_encode_puback(&bytes, 0x1234);
    mqtt_encode_unsuback(&bytes, 5);
    mqtt_encode_pingreq(&bytes);
    mqtt_encode_pingresp(&bytes);
    mqtt_encode_disconnect(&bytes);
    static const char want[] = "\x40\x02\x12\x34\xb0\x02\x00\x05\xc0\x00\xd0\x00\xe0";
    assert_int_equal(bytes.len, sizeof want);
    assert_memory_equal(bytes.at, want, sizeof want);
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_with_qos_1_keeps_topic_payload_and_identifier),
        cmocka_unit_test(an_empty_body_is_an_empty_body),
        cmocka_unit_test(flags_are_read_and_written_where_the_standard_puts_them),
        cmocka_unit_test(lengths_are_right_at_each_size_of_the_length_field),
        cmocka_unit_test(a_publish_beyond_the_buffer_leaves_no_half_packet),
        cmocka_unit_test(the_csharp_client_may_acknowledge_identifier_0_nobody_else_may),
        cmocka_unit_test(acknowledgements_are_written_as_the_standard_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
