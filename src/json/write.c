// The streaming writer.
#include "json/write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

void json_begin(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

// The level that is open, as its bit; 0 at the top and where the buffer is broken by too much depth.
static uint64_t level_of(const struct json_writer *w)
{
    return w->depth == 0 || w->depth > JSON_WRITER_DEPTH ? 0 : 1ULL << (w->depth - 1);
}

// Puts what must stand before a value: the comma of an array; in an object the key did it.
static void before_value(struct json_writer *w)
{
    uint64_t level = level_of(w);
    if (level == 0)
        return;
    if ((w->objects & level) != 0) {
        INVARIANT(w->keyed);
        w->keyed = false;
        return;
    }
    if ((w->filled & level) != 0)
        buf_u8(w->out, ',');
    w->filled |= level;
}

static void open_level(struct json_writer *w, bool object)
{
    before_value(w);
    w->depth++;
    uint64_t level = level_of(w);
    if (level == 0) {
        w->out->broken = ERR_CAPPED;
        return;
    }
    w->filled &= ~level;
    w->objects = object ? w->objects | level : w->objects & ~level;
    buf_u8(w->out, object ? '{' : '[');
}

static void close_level(struct json_writer *w, bool object)
{
    uint64_t level = level_of(w);
    INVARIANT(w->depth > 0 && !w->keyed);
    INVARIANT(level == 0 || ((w->objects & level) != 0) == object);
    w->depth--;
    buf_u8(w->out, object ? '}' : ']');
}

void json_object_open(struct json_writer *w)
{
    open_level(w, true);
}

void json_object_close(struct json_writer *w)
{
    close_level(w, true);
}

void json_array_open(struct json_writer *w)
{
    open_level(w, false);
}

void json_array_close(struct json_writer *w)
{
    close_level(w, false);
}

// How many bytes the UTF-8 character at the start of s has (RFC 3629 4); 0 when it is not well-formed.
static size_t character(struct slice s)
{
    uint8_t c = s.at[0];
    if (c < 0x80)
        return 1;
    size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((s.at[i] & 0xc0) != 0x80)
            return 0;
    }
    uint8_t second = s.at[1];
    bool overlong = (c == 0xe0 && second < 0xa0) || (c == 0xf0 && second < 0x90);
    bool surrogate = c == 0xed && second > 0x9f;
    bool beyond = c == 0xf4 && second > 0x8f;
    return overlong || surrogate || beyond ? 0 : len;
}

static void escape(struct buf *out, uint8_t c)
{
    static const char shorts[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    buf_u8(out, '\\');
    if (c == '"' || c == '\\') {
        buf_u8(out, c);
    } else if (shorts[c] != '\0') {
        buf_u8(out, (uint8_t)shorts[c]);
    } else {
        buf_text(out, "u00");
        hex_encode_lower(out, slice_of(&c, 1));
    }
}

static void quoted(struct buf *out, struct slice text)
{
    buf_u8(out, '"');
    size_t plain = 0; // bytes that go out as they are
    while (plain < text.len) {
        uint8_t c = text.at[plain];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            plain++;
            continue;
        }
        struct slice rest = slice_from(text, plain);
        size_t len = character(rest);
        if (len > 1) {
            plain += len;
            continue;
        }
        buf_bytes(out, slice_to(text, plain));
        if (len == 1)
            escape(out, c);
        else
            buf_text(out, "\xef\xbf\xbd"); // U+FFFD
        text = slice_from(rest, 1);
        plain = 0;
    }
    buf_bytes(out, text);
    buf_u8(out, '"');
}

void json_key_slice(struct json_writer *w, struct slice key)
{
    uint64_t level = level_of(w);
    if (level == 0) {
        INVARIANT(w->depth > 0);
        return;
    }
    INVARIANT((w->objects & level) != 0 && !w->keyed);
    if ((w->filled & level) != 0)
        buf_u8(w->out, ',');
    w->filled |= level;
    w->keyed = true;
    quoted(w->out, key);
    buf_u8(w->out, ':');
}

void json_key(struct json_writer *w, const char *key)
{
    json_key_slice(w, slice_text(key));
}

void json_text(struct json_writer *w, struct slice text)
{
    before_value(w);
    quoted(w->out, text);
}

void json_number(struct json_writer *w, int64_t number)
{
    before_value(w);
    if (number < 0)
        buf_u8(w->out, '-');
    buf_decimal(w->out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void json_decimal(struct json_writer *w, double number)
{
    if (!isfinite(number)) {
        json_nothing(w);
        return;
    }
    before_value(w);
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buf_text(w->out, text);
    if (strpbrk(text, ".e") == NULL)
        buf_text(w->out, ".0"); // else it would be read back as an integer
}

void json_bool(struct json_writer *w, bool value)
{
    json_raw(w, value ? SLICE("true") : SLICE("false"));
}

void json_nothing(struct json_writer *w)
{
    json_raw(w, SLICE("null"));
}

void json_raw(struct json_writer *w, struct slice text)
{
    before_value(w);
    buf_bytes(w->out, text);
}

// Recurses as deep as the tree, which json_read kept under JSON_DEPTH_MAX.
static void members(struct json_writer *w, const struct json *object)
{
    json_object_open(w);
    for (struct json_each m = json_each(object); json_next(&m);) {
        json_key_slice(w, m.key);
        json_node(w, m.value);
    }
    json_object_close(w);
}

static void elements(struct json_writer *w, const struct json *array)
{
    json_array_open(w);
    for (size_t i = 0; i < json_count(array); i++)
        json_node(w, json_at(array, i));
    json_array_close(w);
}

void json_node(struct json_writer *w, const struct json *value)
{
    int64_t integer = 0;
    double real = 0;
    bool truth = false;
    switch (json_kind(value)) {
    case JSON_KIND_OBJECT:
        members(w, value);
        return;
    case JSON_KIND_ARRAY:
        elements(w, value);
        return;
    case JSON_KIND_STRING:
        json_text(w, json_as_string(value));
        return;
    case JSON_KIND_INTEGER:
        (void)json_as_int(value, &integer);
        json_number(w, integer);
        return;
    case JSON_KIND_REAL:
        (void)json_as_real(value, &real);
        json_decimal(w, real);
        return;
    case JSON_KIND_BOOLEAN:
        (void)json_as_bool(value, &truth);
        json_bool(w, truth);
        return;
    case JSON_KIND_NULL:
    case JSON_KIND_ABSENT:
        json_nothing(w);
    }
}

void json_field_text(struct json_writer *w, const char *key, struct slice text)
{
    json_key(w, key);
    json_text(w, text);
}

void json_field_number(struct json_writer *w, const char *key, int64_t number)
{
    json_key(w, key);
    json_number(w, number);
}

void json_field_bool(struct json_writer *w, const char *key, bool value)
{
    json_key(w, key);
    json_bool(w, value);
}

void json_field_raw(struct json_writer *w, const char *key, struct slice text)
{
    json_key(w, key);
    json_raw(w, text);
}

void json_field_node(struct json_writer *w, const char *key, const struct json *value)
{
    json_key(w, key);
    json_node(w, value);
}

void json_field_text_if(struct json_writer *w, const char *key, struct slice text)
{
    if (!slice_empty(text))
        json_field_text(w, key, text);
}
