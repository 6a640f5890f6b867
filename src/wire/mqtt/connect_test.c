// CONNECT and CONNACK: what a device says about itself arrives unchanged.
#include "wire/mqtt/mqtt_test.h"

static void a_device_connect_arrives_with_all_its_fields(void **state)
{
    (void)state;
    struct mqtt_connect sent = {
        .clean_session = true,
        .keep_alive_s = 180,
        .client_id = SLICE("dev1"),
        .has_user_name = true,
        .user_name = SLICE("0ne00000001/registrations/dev1/api-version=2019-03-31"),
        .has_password = true,
        .password = SLICE("SharedAccessSignature sr=a&sig=b&se=1"),
    };
    struct buf bytes = buf_capped(4096);
    mqtt_encode_connect(&bytes, &sent);
    assert_false(failed(buf_err(&bytes)));
    struct mqtt_decoder d;
    mqtt_decoder_init(&d, 4096);
    struct mqtt_packet p;
    decode_one(&d, &bytes, &p);
    assert_int_equal(p.type, MQTT_CONNECT);
    assert_false(p.connect.unsupported_level);
    assert_true(p.connect.clean_session);
    assert_int_equal(p.connect.keep_alive_s, 180);
    assert_slice(p.connect.client_id, "dev1");
    assert_slice(p.connect.user_name, "0ne00000001/registrations/dev1/api-version=2019-03-31");
    assert_true(p.connect.has_password);
    assert_slice(p.connect.password, "SharedAccessSignature sr=a&sig=b&se=1");
    assert_false(p.connect.has_will);
    buf_release(&bytes);
    mqtt_decoder_release(&d);
}

// The bytes of MQTT 3.1.2.4's example, written out by hand from the standard: flags 0xCE, keep alive 10.
static void the_example_of_the_standard_is_understood(void **state)
{
    (void)state;
    struct slice in = BYTES(0x10, 26, 0, 4, 'M', 'Q', 'T', 'T', 4, 0xce, 0, 10, 0, 1, 'c', 0, 1, 't', 0, 1,
                            'p', 0, 1, 'u', 0, 2, 's', 'e');
    struct mqtt_decoder d;
    mqtt_decoder_init(&d, 4096);
    struct mqtt_packet p;
    struct why why = {0};
    assert_int_equal(mqtt_decode(&d, &in, &p, &why), MQTT_PACKET);
    assert_true(p.connect.clean_session);
    assert_int_equal(p.connect.keep_alive_s, 10);
    assert_true(p.connect.has_will);
    assert_int_equal(p.connect.will_qos, 1);
    assert_false(p.connect.will_retain);
    assert_slice(p.connect.will_topic, "t");
    assert_slice(p.connect.will_payload, "p");
    assert_slice(p.connect.user_name, "u");
    assert_slice(p.connect.password, "se");
}

static void a_will_survives_the_round_trip(void **state)
{
    (void)state;
    struct mqtt_connect sent = {
        .client_id = SLICE("d"),
        .has_will = true,
        .will_topic = SLICE("devices/d/messages/events/"),
        .will_payload = SLICE("gone"),
        .will_qos = 2,
        .will_retain = true,
    };
    struct buf bytes = buf_capped(4096);
    mqtt_encode_connect(&bytes, &sent);
    struct mqtt_decoder d;
    mqtt_decoder_init(&d, 4096);
    struct mqtt_packet p;
    decode_one(&d, &bytes, &p);
    assert_false(p.connect.clean_session);
    assert_int_equal(p.connect.will_qos, 2);
    assert_true(p.connect.will_retain);
    assert_slice(p.connect.will_topic, "devices/d/messages/events/");
    assert_slice(p.connect.will_payload, "gone");
    assert_false(p.connect.has_user_name);
    buf_release(&bytes);
}

static void another_protocol_level_is_reported_so_that_it_can_be_answered(void **state)
{
    (void)state;
    struct slice versions[] = {
        BYTES(0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 0, 0, 0),           // MQTT 5
        BYTES(0x10, 14, 0, 6, 'M', 'Q', 'I', 's', 'd', 'p', 3, 2, 0, 60, 0, 0),    // MQTT 3.1
        BYTES(0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 3, 2, 0, 60, 0, 0),              // made up
        BYTES(0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 0x84, 2, 0, 60, 0, 2, 'a', 'b'), // bridge bit
    };
    const uint8_t levels[] = {5, 3, 3, 0x84};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct mqtt_decoder d;
        mqtt_decoder_init(&d, 4096);
        struct mqtt_packet p;
        assert_int_equal(mqtt_decode(&d, &versions[i], &p, NULL), MQTT_PACKET);
        assert_true(p.connect.unsupported_level);
        assert_int_equal(p.connect.level, levels[i]);
    }
}

static void a_string_too_long_for_mqtt_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    uint8_t *big = calloc(1, 70000);
    struct buf bytes = buf_capped(200000);
    mqtt_encode_connect(&bytes, &(struct mqtt_connect){.client_id = slice_of(big, 65536)});
    assert_int_equal(buf_err(&bytes).code, ERR_INVALID);
    assert_int_equal(bytes.len, 0);
    buf_release(&bytes);
    free(big);
}

static void a_connack_round_trips_and_a_refusal_never_has_a_session(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(64);
    mqtt_encode_connack(&bytes,
                        &(struct mqtt_connack){.session_present = true, .code = MQTT_REFUSED_UNAUTHORIZED});
    assert_int_equal(bytes.len, 4);
    assert_memory_equal(bytes.at, "\x20\x02\x00\x05", 4);
    struct mqtt_decoder d;
    mqtt_decoder_init_client(&d, 4096);
    struct mqtt_packet p;
    decode_one(&d, &bytes, &p);
    assert_int_equal(p.type, MQTT_CONNACK);
    assert_int_equal(p.connack.code, MQTT_REFUSED_UNAUTHORIZED);
    assert_false(p.connack.session_present);
    buf_clear(&bytes);
    mqtt_encode_connack(&bytes, &(struct mqtt_connack){.session_present = true});
    assert_memory_equal(bytes.at, "\x20\x02\x01\x00", 4);
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_connect_arrives_with_all_its_fields),
        cmocka_unit_test(the_example_of_the_standard_is_understood),
        cmocka_unit_test(a_will_survives_the_round_trip),
        cmocka_unit_test(another_protocol_level_is_reported_so_that_it_can_be_answered),
        cmocka_unit_test(a_string_too_long_for_mqtt_is_refused_and_nothing_is_written),
        cmocka_unit_test(a_connack_round_trips_and_a_refusal_never_has_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
