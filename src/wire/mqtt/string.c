// Strings, topic names and topic filters of MQTT, and the framing that all writers share.
#include "base/text.h"
#include "wire/mqtt/packet.h"

enum { REMAINING_MAX = 268435455, STRING_MAX = 65535 }; // MQTT 2.2.3, 1.5.3

struct slice mqtt_take_bytes(struct cursor *c)
{
    return cursor_bytes(c, cursor_u16(c));
}

bool mqtt_text_valid(struct slice s)
{
    size_t i = 0;
    while (i < s.len) {
        size_t len = s.at[i] == 0 ? 0 : utf8_character(slice_from(s, i)); // MQTT-1.5.3-2
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

bool mqtt_topic_valid(struct slice s)
{
    return s.len > 0 && slice_find_byte(s, '#') == s.len && slice_find_byte(s, '+') == s.len &&
           mqtt_text_valid(s);
}

bool mqtt_filter_valid(struct slice s)
{
    if (s.len == 0 || !mqtt_text_valid(s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] != '#' && s.at[i] != '+')
            continue;
        bool starts_level = i == 0 || s.at[i - 1] == '/';
        bool ends_level = i + 1 == s.len || (s.at[i] == '+' && s.at[i + 1] == '/');
        if (!starts_level || !ends_level)
            return false;
    }
    return true;
}

// The first level of *rest, which goes on after its '/'; NULL `at` in *rest once there is no further level.
static struct slice take_level(struct slice *rest)
{
    size_t len = slice_find_byte(*rest, '/');
    struct slice level = slice_to(*rest, len);
    *rest = len < rest->len ? slice_of(rest->at + len + 1, rest->len - len - 1) : (struct slice){0};
    return level;
}

bool mqtt_filter_matches(struct slice filter, struct slice topic)
{
    if (filter.len == 0 || topic.len == 0)
        return false;
    if (topic.at[0] == '$' && filter.at[0] != '$')
        return false;
    while (filter.at != NULL) {
        struct slice want = take_level(&filter);
        if (slice_equal(want, SLICE("#")))
            return true;
        if (topic.at == NULL)
            return false;
        struct slice have = take_level(&topic);
        if (!slice_equal(want, SLICE("+")) && !slice_equal(want, have))
            return false;
        // "sport/#" also matches "sport" (MQTT 4.7.1.2)
        if (topic.at == NULL && slice_equal(filter, SLICE("#")))
            return true;
    }
    return topic.at == NULL;
}

uint8_t *mqtt_frame_begin(struct buf *out, uint8_t first, size_t remaining)
{
    if (remaining > REMAINING_MAX) {
        out->broken = out->broken != 0 ? out->broken : ERR_INVALID;
        return NULL;
    }
    uint8_t header[5] = {first};
    size_t len = 1;
    size_t left = remaining;
    do {
        header[len++] = (uint8_t)((left & 127) | (left > 127 ? 128 : 0));
        left >>= 7;
    } while (left > 0);
    uint8_t *to = buf_reserve(out, len + remaining);
    return to != NULL ? mqtt_put_raw(to, slice_of(header, len)) : NULL;
}

void mqtt_frame_end(struct buf *out, const uint8_t *end)
{
    buf_added(out, (size_t)(end - (out->at + out->len)));
}

uint8_t *mqtt_put_u16(uint8_t *to, uint16_t v)
{
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
    return to + 2;
}

uint8_t *mqtt_put_raw(uint8_t *to, struct slice s)
{
    if (s.len > 0)
        memcpy(to, s.at, s.len);
    return to + s.len;
}

uint8_t *mqtt_put_bytes(uint8_t *to, struct slice s)
{
    return mqtt_put_raw(mqtt_put_u16(to, (uint16_t)s.len), s);
}

bool mqtt_string_fits(struct buf *out, struct slice s)
{
    if (s.len <= STRING_MAX)
        return true;
    out->broken = out->broken != 0 ? out->broken : ERR_INVALID;
    return false;
}
