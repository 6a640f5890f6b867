// The stream of packets: cut right however it arrives, refused right away when it is wrong, costing no
// memory.
#include "wire/mqtt/mqtt_test.h"

enum { CLIENT_NEW, CLIENT, SERVER_NEW, SERVER };

static struct mqtt_decoder decoder_of(int kind)
{
    struct mqtt_decoder d = started_decoder(kind == SERVER_NEW || kind == SERVER);
    d.started = kind == CLIENT || kind == SERVER;
    return d;
}

#define ROW(name, from, ...)                                                                                 \
    {                                                                                                        \
        name, from, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[])                                  \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define MQTT4 0, 4, 'M', 'Q', 'T', 'T', 4

static const struct {
    const char *name;
    int from;
    const uint8_t *bytes;
    size_t len;
} malformed[] = {
    ROW("type 0", CLIENT, 0x00, 0),
    ROW("type 15", CLIENT, 0xf0, 0),
    ROW("PINGREQ before CONNECT", CLIENT_NEW, 0xc0, 0),
    ROW("PUBLISH before CONNECT", CLIENT_NEW, 0x30, 3, 0, 1, 'a'),
    ROW("TLS hello instead of MQTT", CLIENT_NEW, 0x16, 0x03, 0x01, 0x02, 0x00),
    ROW("HTTP instead of MQTT", CLIENT_NEW, 'G', 'E', 'T', ' ', '/'),
    ROW("second CONNECT", CLIENT, 0x10, 12, MQTT4, 2, 0, 0, 0, 0),
    ROW("CONNACK from a client", CLIENT, 0x20, 2, 0, 0),
    ROW("SUBACK from a client", CLIENT, 0x90, 3, 0, 1, 0),
    ROW("UNSUBACK from a client", CLIENT, 0xb0, 2, 0, 1),
    ROW("PINGRESP from a client", CLIENT, 0xd0, 0),
    ROW("CONNECT from a server", SERVER_NEW, 0x10, 12, MQTT4, 2, 0, 0, 0, 0),
    ROW("PUBLISH from a server before CONNACK", SERVER_NEW, 0x30, 3, 0, 1, 'a'),
    ROW("SUBSCRIBE from a server", SERVER, 0x82, 6, 0, 1, 0, 1, 'a', 0),
    ROW("DISCONNECT from a server", SERVER, 0xe0, 0),
    ROW("CONNECT with header flags", CLIENT_NEW, 0x11, 12, MQTT4, 2, 0, 0, 0, 0),
    ROW("SUBSCRIBE without header flags", CLIENT, 0x80, 6, 0, 1, 0, 1, 'a', 0),
    ROW("UNSUBSCRIBE without header flags", CLIENT, 0xa0, 5, 0, 1, 0, 1, 'a'),
    ROW("PUBREL without header flags", CLIENT, 0x60, 2, 0, 1),
    ROW("PUBACK with header flags", CLIENT, 0x42, 2, 0, 1),
    ROW("PINGREQ with header flags", CLIENT, 0xc1, 0),
    ROW("DISCONNECT with header flags", CLIENT, 0xe8, 0),
    ROW("length of five bytes", CLIENT, 0x30, 0x80, 0x80, 0x80, 0x80, 0x01),
    ROW("length of 256 MB", CLIENT, 0x30, 0xff, 0xff, 0xff, 0x7f),
    ROW("CONNECT of 256 MB", CLIENT_NEW, 0x10, 0xff, 0xff, 0xff, 0x7f),
    ROW("PINGREQ with a body", CLIENT, 0xc0, 1, 0),
    ROW("DISCONNECT with a body", CLIENT, 0xe0, 1, 0),
    ROW("PUBACK too short", CLIENT, 0x40, 1, 0),
    ROW("PUBACK too long", CLIENT, 0x40, 3, 0, 1, 0),
    ROW("PUBREC with identifier 0", CLIENT, 0x50, 2, 0, 0),
    ROW("PUBREL with identifier 0", CLIENT, 0x62, 2, 0, 0),
    ROW("CONNECT empty", CLIENT_NEW, 0x10, 0),
    ROW("CONNECT with another protocol", CLIENT_NEW, 0x10, 12, 0, 4, 'M', 'Q', 'T', 'X', 4, 2, 0, 0, 0, 0),
    ROW("CONNECT with a protocol in small letters", CLIENT_NEW, 0x10, 12, 0, 4, 'm', 'q', 't', 't', 4, 2, 0,
        0, 0, 0),
    ROW("CONNECT with a protocol longer than itself", CLIENT_NEW, 0x10, 7, 0, 200, 'M', 'Q', 'T', 'T', 4),
    ROW("CONNECT without flags", CLIENT_NEW, 0x10, 7, MQTT4),
    ROW("CONNECT without client identifier", CLIENT_NEW, 0x10, 10, MQTT4, 2, 0, 0),
    ROW("CONNECT with the reserved flag", CLIENT_NEW, 0x10, 12, MQTT4, 3, 0, 0, 0, 0),
    ROW("CONNECT with will QoS without will", CLIENT_NEW, 0x10, 12, MQTT4, 0x08, 0, 0, 0, 0),
    ROW("CONNECT with will retain without will", CLIENT_NEW, 0x10, 12, MQTT4, 0x20, 0, 0, 0, 0),
    ROW("CONNECT with will QoS 3", CLIENT_NEW, 0x10, 18, MQTT4, 0x1c, 0, 0, 0, 0, 0, 1, 't', 0, 1, 'p'),
    ROW("CONNECT with a will and nothing of it", CLIENT_NEW, 0x10, 12, MQTT4, 0x04, 0, 0, 0, 0),
    ROW("CONNECT with an empty will topic", CLIENT_NEW, 0x10, 16, MQTT4, 0x04, 0, 0, 0, 0, 0, 0, 0, 0),
    ROW("CONNECT with a wildcard in the will topic", CLIENT_NEW, 0x10, 17, MQTT4, 0x04, 0, 0, 0, 0, 0, 1, '#',
        0, 0),
    ROW("CONNECT with a password without user name", CLIENT_NEW, 0x10, 15, MQTT4, 0x42, 0, 0, 0, 0, 0, 1,
        'p'),
    ROW("CONNECT with an announced user name missing", CLIENT_NEW, 0x10, 12, MQTT4, 0x82, 0, 0, 0, 0),
    ROW("CONNECT with an announced password missing", CLIENT_NEW, 0x10, 15, MQTT4, 0xc2, 0, 0, 0, 0, 0, 1,
        'u'),
    ROW("CONNECT with bytes left over", CLIENT_NEW, 0x10, 13, MQTT4, 2, 0, 0, 0, 0, 'x'),
    ROW("CONNECT with a NUL in the client identifier", CLIENT_NEW, 0x10, 14, MQTT4, 2, 0, 0, 0, 2, 'a', 0),
    ROW("CONNECT with a broken client identifier", CLIENT_NEW, 0x10, 14, MQTT4, 2, 0, 0, 0, 2, 0xc0, 0x80),
    ROW("CONNECT with a surrogate in the user name", CLIENT_NEW, 0x10, 17, MQTT4, 0x82, 0, 0, 0, 0, 0, 3,
        0xed, 0xa0, 0x80),
    ROW("PUBLISH with QoS 3", CLIENT, 0x36, 5, 0, 1, 'a', 0, 1),
    ROW("PUBLISH with DUP and QoS 0", CLIENT, 0x38, 3, 0, 1, 'a'),
    ROW("PUBLISH with an empty topic", CLIENT, 0x30, 3, 0, 0, 'a'),
    ROW("PUBLISH with a topic longer than itself", CLIENT, 0x30, 3, 0, 9, 'a'),
    ROW("PUBLISH with # in the topic", CLIENT, 0x30, 3, 0, 1, '#'),
    ROW("PUBLISH with + in the topic", CLIENT, 0x30, 5, 0, 3, 'a', '/', '+'),
    ROW("PUBLISH with NUL in the topic", CLIENT, 0x30, 5, 0, 3, 'a', 0, 'b'),
    ROW("PUBLISH with a broken topic", CLIENT, 0x30, 4, 0, 2, 'a', 0xff),
    ROW("PUBLISH with identifier 0", CLIENT, 0x32, 5, 0, 1, 'a', 0, 0),
    ROW("PUBLISH without its identifier", CLIENT, 0x32, 4, 0, 1, 'a', 0),
    ROW("PUBLISH without a topic", CLIENT, 0x30, 0),
    ROW("SUBSCRIBE without filters", CLIENT, 0x82, 2, 0, 1),
    ROW("SUBSCRIBE with identifier 0", CLIENT, 0x82, 6, 0, 0, 0, 1, 'a', 0),
    ROW("SUBSCRIBE with QoS 3", CLIENT, 0x82, 6, 0, 1, 0, 1, 'a', 3),
    ROW("SUBSCRIBE with reserved QoS bits", CLIENT, 0x82, 6, 0, 1, 0, 1, 'a', 0x41),
    ROW("SUBSCRIBE without a QoS", CLIENT, 0x82, 6, 0, 1, 0, 2, 'a', 'b'),
    ROW("SUBSCRIBE with an empty filter", CLIENT, 0x82, 6, 0, 1, 0, 0, 0, 0),
    ROW("SUBSCRIBE with a misplaced wildcard", CLIENT, 0x82, 8, 0, 1, 0, 3, '#', '/', 'a', 0),
    ROW("SUBSCRIBE with a broken filter", CLIENT, 0x82, 6, 0, 1, 0, 1, 0xfe, 0),
    ROW("SUBSCRIBE with a second filter cut off", CLIENT, 0x82, 8, 0, 1, 0, 1, 'a', 0, 0, 9),
    ROW("UNSUBSCRIBE without filters", CLIENT, 0xa2, 2, 0, 1),
    ROW("UNSUBSCRIBE with identifier 0", CLIENT, 0xa2, 5, 0, 0, 0, 1, 'a'),
    ROW("UNSUBSCRIBE cut off", CLIENT, 0xa2, 5, 0, 1, 0, 9, 'a'),
    ROW("CONNACK with reserved flags", SERVER_NEW, 0x20, 2, 2, 0),
    ROW("CONNACK with a reserved code", SERVER_NEW, 0x20, 2, 0, 6),
    ROW("CONNACK refusing with a session", SERVER_NEW, 0x20, 2, 1, 5),
    ROW("CONNACK too long", SERVER_NEW, 0x20, 3, 0, 0, 0),
    ROW("SUBACK with a reserved code", SERVER, 0x90, 3, 0, 1, 3),
    ROW("SUBACK with identifier 0", SERVER, 0x90, 3, 0, 0, 0),
    ROW("SUBACK without codes", SERVER, 0x90, 2, 0, 1),
};

static void every_malformed_packet_is_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        for (int piecewise = 0; piecewise < 2; piecewise++) {
            struct mqtt_decoder d = decoder_of(malformed[i].from);
            struct why why = {0};
            struct mqtt_packet p;
            enum mqtt_result result = MQTT_MORE;
            size_t step = piecewise ? 1 : malformed[i].len;
            for (size_t at = 0; at < malformed[i].len && result == MQTT_MORE; at += step) {
                struct slice in = slice_of(malformed[i].bytes + at, step);
                result = mqtt_decode(&d, &in, &p, &why);
            }
            if (result != MQTT_BAD || why.text[0] == 0 || d.broken == 0)
                fail_msg("%s: result %d", malformed[i].name, result);
            assert_null(d.held.at);
            mqtt_decoder_release(&d);
        }
    }
}

static void a_client_of_another_protocol_is_told_apart_in_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *first, *words;
    } rows[] = {
        {"AMQP", "AMQP begins like this"}, {"GET /", "HTTP begins like this"}, {"PUT /", "HTTP begins"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mqtt_decoder d = decoder_of(CLIENT_NEW);
        struct mqtt_packet p;
        struct why why = {0};
        struct slice in = slice_text(rows[i].first);
        assert_int_equal(mqtt_decode(&d, &in, &p, &why), MQTT_BAD);
        assert_non_null(strstr(why.text, rows[i].words));
        mqtt_decoder_release(&d);
    }
    struct mqtt_decoder d = decoder_of(CLIENT_NEW);
    struct mqtt_packet p;
    struct why why = {0};
    struct slice in = BYTES(0xc0, 0);
    assert_int_equal(mqtt_decode(&d, &in, &p, &why), MQTT_BAD);
    assert_null(strstr(why.text, "begins like this"));
    mqtt_decoder_release(&d);
}

static void a_bad_connection_stays_bad(void **state)
{
    (void)state;
    struct mqtt_decoder d = decoder_of(CLIENT);
    struct mqtt_packet p;
    struct slice in = BYTES(0xf0, 0);
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_BAD);
    in = BYTES(0xc0, 0);
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_BAD);
}

// A whole conversation of a device, for feeding in pieces of every size.
static void conversation(struct buf *out)
{
    mqtt_encode_connect(
        out, &(struct mqtt_connect){.client_id = SLICE("dev1"),
                                    .has_user_name = true,
                                    .user_name = SLICE("0ne/registrations/dev1/api-version=2019-03-31")});
    mqtt_encode_subscribe(out, &(struct mqtt_subscribe){.packet_id = 1,
                                                        .count = 1,
                                                        .filters = {{SLICE("$dps/registrations/res/#"), 1}}});
    mqtt_encode_publish(out, &(struct mqtt_publish){.qos = 1,
                                                    .packet_id = 2,
                                                    .topic = SLICE("$dps/registrations/x"),
                                                    .payload = SLICE("{\"registrationId\":\"dev1\"}")});
    mqtt_encode_pingreq(out);
    mqtt_encode_puback(out, 0);
    mqtt_encode_disconnect(out);
}

static void a_stream_is_cut_into_the_same_packets_however_it_arrives(void **state)
{
    (void)state;
    static const enum mqtt_type want[] = {MQTT_CONNECT, MQTT_SUBSCRIBE, MQTT_PUBLISH,
                                          MQTT_PINGREQ, MQTT_PUBACK,    MQTT_DISCONNECT};
    struct buf bytes = buf_capped(4096);
    conversation(&bytes);
    for (size_t step = 1; step <= bytes.len; step++) {
        struct mqtt_decoder d = decoder_of(CLIENT_NEW);
        size_t count = 0;
        for (size_t at = 0; at < bytes.len; at += step) {
            struct slice in = slice_to(slice_from(buf_slice(&bytes), at), step);
            struct mqtt_packet p;
            struct why why = {0};
            enum mqtt_result result;
            while ((result = mqtt_decode(&d, &in, &p, &why)) == MQTT_PACKET) {
                assert_true(count < sizeof want / sizeof *want);
                assert_int_equal(p.type, want[count++]);
                if (p.type == MQTT_PUBLISH)
                    assert_slice(p.publish.payload, "{\"registrationId\":\"dev1\"}");
                if (p.type == MQTT_CONNECT)
                    assert_slice(p.connect.user_name, "0ne/registrations/dev1/api-version=2019-03-31");
            }
            assert_int_equal(result, MQTT_MORE);
            assert_int_equal(in.len, 0);
        }
        assert_int_equal(count, sizeof want / sizeof *want);
        assert_false(mqtt_decoder_within_packet(&d));
        mqtt_decoder_release(&d);
    }
    buf_release(&bytes);
}

static void a_whole_packet_is_not_copied(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(4096);
    mqtt_encode_publish(&bytes, &(struct mqtt_publish){.topic = SLICE("topic"), .payload = SLICE("payload")});
    struct mqtt_decoder d = decoder_of(CLIENT);
    struct mqtt_packet p;
    decode_one(&d, &bytes, &p);
    assert_ptr_equal(p.publish.payload.at, bytes.at + 9);
    assert_null(d.held.at);
    buf_release(&bytes);
}

static void the_declared_length_costs_no_memory_until_the_bytes_come(void **state)
{
    (void)state;
    struct mqtt_decoder d = decoder_of(CLIENT);
    struct mqtt_packet p;
    struct slice in = BYTES(0x30, 0x80, 0x80, 0x10, 0, 5, 't'); // declares 256 KB
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_MORE);
    assert_true(mqtt_decoder_within_packet(&d));
    assert_true(d.held.room <= 256);
    mqtt_decoder_release(&d);
}

static void the_limit_counts_the_whole_packet_and_can_be_raised_after_connect(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(8192);
    uint8_t payload[100] = {0};
    mqtt_encode_publish(&bytes,
                        &(struct mqtt_publish){.topic = SLICE("t"), .payload = slice_of(payload, 100)});
    struct mqtt_decoder d = decoder_of(CLIENT);
    struct mqtt_packet p;
    struct slice in = buf_slice(&bytes);
    mqtt_decoder_limit(&d, bytes.len);
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_PACKET);
    in = buf_slice(&bytes);
    mqtt_decoder_limit(&d, bytes.len - 1);
    assert_int_equal(mqtt_decode(&d, &in, &p, NULL), MQTT_BAD);
    assert_int_equal(d.broken, ERR_CAPPED);
    buf_release(&bytes);
}

// One byte at a time, so that the question comes before anything is held.
static void a_large_packet_waits_until_somebody_lets_it(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(8192);
    uint8_t payload[300] = {7};
    mqtt_encode_publish(&bytes,
                        &(struct mqtt_publish){.topic = SLICE("t"), .payload = slice_of(payload, 300)});
    struct mqtt_decoder d = decoder_of(CLIENT);
    struct mqtt_packet p;
    mqtt_decoder_ask_above(&d, 100, bytes.len);
    struct slice rest = buf_slice(&bytes);
    enum mqtt_result result = MQTT_MORE;
    while (result == MQTT_MORE && rest.len > 0) {
        struct slice one = slice_to(rest, 1);
        result = mqtt_decode(&d, &one, &p, NULL);
        rest = slice_from(rest, 1 - one.len);
    }
    assert_int_equal(result, MQTT_LARGE);
    assert_int_equal(rest.len, bytes.len - 3); // the fixed header, and nothing else
    assert_null(d.held.at);
    assert_int_equal(mqtt_decode(&d, &rest, &p, NULL), MQTT_LARGE); // still
    assert_int_equal(rest.len, bytes.len - 3);
    mqtt_decoder_limit(&d, bytes.len);
    assert_int_equal(mqtt_decode(&d, &rest, &p, NULL), MQTT_PACKET);
    assert_int_equal(p.publish.payload.len, 300);
    assert_int_equal(rest.len, 0);
    mqtt_decoder_ask_above(&d, 100, bytes.len - 1); // beyond what may be asked about
    rest = buf_slice(&bytes);
    assert_int_equal(mqtt_decode(&d, &rest, &p, NULL), MQTT_BAD);
    assert_int_equal(d.broken, ERR_CAPPED);
    buf_release(&bytes);
}

static void an_idle_connection_gives_its_memory_back(void **state)
{
    (void)state;
    struct buf bytes = buf_capped(4096);
    mqtt_encode_publish(&bytes, &(struct mqtt_publish){.topic = SLICE("topic"), .payload = SLICE("payload")});
    struct mqtt_decoder d = decoder_of(CLIENT);
    struct mqtt_packet p;
    struct slice first = slice_to(buf_slice(&bytes), 6);
    struct slice second = slice_from(buf_slice(&bytes), 6);
    assert_int_equal(mqtt_decode(&d, &first, &p, NULL), MQTT_MORE);
    assert_int_equal(mqtt_decode(&d, &second, &p, NULL), MQTT_PACKET);
    assert_slice(p.publish.payload, "payload");
    struct slice none = {0};
    assert_int_equal(mqtt_decode(&d, &none, &p, NULL), MQTT_MORE);
    assert_null(d.held.at);
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_malformed_packet_is_refused_with_a_reason),
        cmocka_unit_test(a_client_of_another_protocol_is_told_apart_in_the_reason),
        cmocka_unit_test(a_bad_connection_stays_bad),
        cmocka_unit_test(a_stream_is_cut_into_the_same_packets_however_it_arrives),
        cmocka_unit_test(a_whole_packet_is_not_copied),
        cmocka_unit_test(the_declared_length_costs_no_memory_until_the_bytes_come),
        cmocka_unit_test(the_limit_counts_the_whole_packet_and_can_be_raised_after_connect),
        cmocka_unit_test(a_large_packet_waits_until_somebody_lets_it),
        cmocka_unit_test(an_idle_connection_gives_its_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
