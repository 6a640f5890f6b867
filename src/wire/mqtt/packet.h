// What the files of the packet families share: the reading of strings, the writing of frames. Not for other
// folders.
#pragma once

#include "base/cursor.h"
#include "wire/mqtt/mqtt.h"

// The reader of a family gets what follows the fixed header. `flags` are the low four bits of the first byte.
struct err mqtt_decode_connect(struct slice body, struct mqtt_connect *out, struct why *why);
struct err mqtt_decode_connack(struct slice body, struct mqtt_connack *out, struct why *why);
struct err mqtt_decode_publish(uint8_t flags, struct slice body, struct mqtt_publish *out, struct why *why);
struct err mqtt_decode_ack(enum mqtt_type type, struct slice body, struct mqtt_ack *out, struct why *why);
// with_qos: SUBSCRIBE, else UNSUBSCRIBE.
struct err mqtt_decode_filters(struct slice body, bool with_qos, struct mqtt_subscribe *out, struct why *why);
struct err mqtt_decode_suback(struct slice body, struct mqtt_suback *out, struct why *why);

// A length of two bytes and as many bytes (MQTT 1.5.3); a broken cursor when they are not there.
struct slice mqtt_take_bytes(struct cursor *c);
// Well-formed UTF-8 without U+0000 (MQTT-1.5.3-1, -2).
bool mqtt_text_valid(struct slice s);
// At least one character, no wildcards (MQTT-4.7.3-1, MQTT-3.3.2-2); UTF-8 is checked too.
bool mqtt_topic_valid(struct slice s);
// '#' only last and alone in its level, '+' only alone in its level (MQTT-4.7.1-2, -3).
bool mqtt_filter_valid(struct slice s);

// Room for a whole packet: writes the fixed header and returns where the `remaining` bytes after it go, or
// NULL with *out broken. mqtt_frame_end says that all of them were written, up to `end`.
uint8_t *mqtt_frame_begin(struct buf *out, uint8_t first, size_t remaining);
void mqtt_frame_end(struct buf *out, const uint8_t *end);
uint8_t *mqtt_put_u16(uint8_t *to, uint16_t v);
uint8_t *mqtt_put_raw(uint8_t *to, struct slice s);
// With its length in front; s is at most 65,535 bytes.
uint8_t *mqtt_put_bytes(uint8_t *to, struct slice s);
// True when s fits into a string field; else *out is broken with ERR_INVALID.
bool mqtt_string_fits(struct buf *out, struct slice s);
