// SUBSCRIBE, SUBACK, UNSUBSCRIBE.
#include "wire/mqtt/mqtt_test.h"

static void the_subscription_of_a_device_arrives(void **state)
{
    (void)state;
    struct mqtt_subscribe sent = {
        .packet_id = 9,
        .count = 2,
        .filters = {{SLICE("$dps/registrations/res/#"), 1}, {SLICE("$iothub/twin/res/#"), 0}},
    };
    struct buf bytes = buf_capped(4096);
    mqtt_encode_subscribe(&bytes, &sent);
    struct mqtt_decoder d = started_decoder(false);
    struct mqtt_packet p;
    decode_one(&d, &bytes, &p);
    assert_int_equal(p.type, MQTT_SUBSCRIBE);
    assert_int_equal(p.subscribe.packet_id, 9);
    assert_int_equal(p.subscribe.count, 2);
    assert_slice(p.subscribe.filters[0].topic, "$dps/registrations/res/#");
    assert_int_equal(p.subscribe.filters[0].qos, 1);
    assert_slice(p.subscribe.filters[1].topic, "$iothub/twin/res/#");
    assert_int_equal(p.subscribe.filters[1].qos, 0);
    buf_release(&bytes);
}

static void as_many_filters_as_documented_are_taken_and_no_more(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(4096);
    for (unsigned count = MQTT_MAX_FILTERS; count <= MQTT_MAX_FILTERS + 1; count++) {
        buf_clear(&bytes);
        buf_u8(&bytes, 0x82);
        buf_u8(&bytes, (uint8_t)(2 + 4 * count));
        buf_u16(&bytes, 1);
        for (unsigned i = 0; i < count; i++)
            buf_bytes(&bytes, BYTES(0, 1, 'a', 2));
        struct slice in = buf_slice(&bytes);
        struct mqtt_decoder d = started_decoder(false);
        struct mqtt_packet p;
        assert_int_equal(mqtt_decode(&d, &in, &p, NULL), count <= MQTT_MAX_FILTERS ? MQTT_PACKET : MQTT_BAD);
    }
    buf_release(&bytes);
}

static void a_suback_carries_each_granted_qos_and_each_refusal(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(64);
    mqtt_encode_suback(&bytes,
                       &(struct mqtt_suback){.packet_id = 9, .codes = BYTES(1, MQTT_SUBSCRIPTION_FAILED)});
    assert_int_equal(bytes.len, 6);
    assert_memory_equal(bytes.at, "\x90\x04\x00\x09\x01\x80", 6);
    struct mqtt_decoder d = started_decoder(true);
    struct mqtt_packet p;
    decode_one(&d, &bytes, &p);
    assert_int_equal(p.suback.packet_id, 9);
    assert_int_equal(p.suback.codes.len, 2);
    assert_int_equal(p.suback.codes.at[0], 1);
    assert_int_equal(p.suback.codes.at[1], MQTT_SUBSCRIPTION_FAILED);
    buf_release(&bytes);
}

static void an_unsubscribe_round_trips(void **state)
{
    (void)state;
    struct mqtt_subscribe sent = {.packet_id = 3, .count = 1, .filters = {{SLICE("a/+/b"), 0}}};
    struct buf bytes = buf_capped(64);
    mqtt_encode_unsubscribe(&bytes, &sent);
    struct mqtt_decoder d = started_decoder(false);
    struct mqtt_packet p;
    decode_one(&d, &bytes, &p);
    assert_int_equal(p.type, MQTT_UNSUBSCRIBE);
    assert_int_equal(p.subscribe.count, 1);
    assert_slice(p.subscribe.filters[0].topic, "a/+/b");
    buf_release(&bytes);
}

static void a_subscribe_without_filters_is_not_written(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(64);
    mqtt_encode_subscribe(&bytes, &(struct mqtt_subscribe){.packet_id = 3});
    assert_int_equal(buf_err(&bytes).code, ERR_INVALID);
    assert_int_equal(bytes.len, 0);
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_subscription_of_a_device_arrives),
        cmocka_unit_test(as_many_filters_as_documented_are_taken_and_no_more),
        cmocka_unit_test(a_suback_carries_each_granted_qos_and_each_refusal),
        cmocka_unit_test(an_unsubscribe_round_trips),
        cmocka_unit_test(a_subscribe_without_filters_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
