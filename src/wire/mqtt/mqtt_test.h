// What the tests of this folder share: cmocka and one-packet decoding.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/mqtt/mqtt.h"

#define BYTES(...) slice_of((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

static inline void assert_slice(struct slice have, const char *want)
{
    assert_int_equal(have.len, strlen(want));
    assert_memory_equal(have.len > 0 ? (const void *)have.at : "", want, have.len);
}

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
