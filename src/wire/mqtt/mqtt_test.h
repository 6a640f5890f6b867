// What the tests of this folder share: cmocka and one-packet decoding.
#pragma once

#include "base/testing.h"
#include "wire/mqtt/mqtt.h"

// A decoder that is past CONNECT or CONNACK.
static inline struct mqtt_decoder started_decoder(bool from_server)
{
    struct mqtt_decoder d;
    if (from_server)
        mqtt_decoder_init_client(&d, 300 * 1024);
    else
        mqtt_decoder_init(&d, 300 * 1024);
    d.started = true;
    return d;
}

// Decodes exactly one packet that is the whole of what the buffer holds.
static inline void decode_one(struct mqtt_decoder *d, const struct buf *bytes, struct mqtt_packet *out)
{
    struct slice in = buf_slice(bytes);
    struct why why = {0};
    enum mqtt_result result = mqtt_decode(d, &in, out, &why);
    if (result != MQTT_PACKET)
        fail_msg("not a packet: %s", why.text);
    assert_int_equal(in.len, 0);
}
