// Messages (AMQP 1.0, 3.2): their sections, read in place, and ours written.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/amqp/internal.h"

enum section {
    HEADER = 0x70,
    DELIVERY_ANNOTATIONS,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    APPLICATION_PROPERTIES,
    DATA,
    SEQUENCE,
    VALUE,
    FOOTER,
};

enum { CORRELATION_ID = 5 }; // fields of properties before it

static void read_properties(struct amqp_message *m, const struct amqp_value *section)
{
    struct amqp_elements fields = amqp_elements_of(section);
    amqp_elements_skip(&fields, CORRELATION_ID);
    struct amqp_value id = amqp_element(&fields);
    uint64_t number;
    bool known =
        amqp_is_string(&id) || amqp_is_binary(&id) || id.code == AMQP_UUID || amqp_to_ulong(&id, &number);
    if (!known || id.described)
        return;
    struct slice encoded = slice_from(id.whole, 1); // behind the code
    if (encoded.len > sizeof m->correlation.bytes)
        return;
    m->correlation.kind = id.code;
    m->correlation.len = (uint16_t)encoded.len;
    if (encoded.len > 0)
        memcpy(m->correlation.bytes, encoded.at, encoded.len);
}

static struct slice in_words(const struct amqp_value *v, char *number, size_t room)
{
    bool flag, negative;
    uint64_t magnitude;
    if (amqp_to_bool(v, &flag))
        return flag ? SLICE("true") : SLICE("false");
    if (!amqp_to_number(v, &magnitude, &negative))
        return amqp_to_text(v);
    int len = snprintf(number, room, "%s%llu", negative ? "-" : "", (unsigned long long)magnitude);
    return slice_of(number, (size_t)len);
}

// False: a key that is no text, or an element that is malformed.
static bool read_application_properties(struct amqp_inbox *inbox, const struct amqp_value *section)
{
    struct amqp_message *m = &inbox->message;
    struct amqp_elements map = amqp_elements_of(section);
    if (!amqp_is_map(section))
        return false;
    while (map.left > 0) {
        struct amqp_value key = amqp_element(&map), value = amqp_element(&map);
        if (map.at.broken || (!amqp_is_string(&key) && !amqp_is_symbol(&key)))
            return false;
        if (m->property_count == AMQP_PROPERTIES_MAX)
            continue;
        size_t i = m->property_count++;
        m->properties[i].name = key.body;
        m->properties[i].value = in_words(&value, inbox->numbers[i], sizeof inbox->numbers[i]);
    }
    return cursor_done(&map.at);
}

// A further data section moves up to the end of those before it.
static void read_data(struct amqp_inbox *inbox, const struct amqp_value *section)
{
    struct amqp_message *m = &inbox->message;
    m->body_kind = AMQP_BODY_DATA;
    if (m->body.len == 0) {
        m->body = section->body;
        return;
    }
    if (section->body.len == 0)
        return;
    uint8_t *end = inbox->bytes.at + (m->body.at - inbox->bytes.at) + m->body.len;
    memmove(end, section->body.at, section->body.len);
    m->body.len += section->body.len;
}

static bool read_section(struct amqp_inbox *inbox, const struct amqp_value *section)
{
    struct amqp_message *m = &inbox->message;
    switch (section->descriptor) {
    case HEADER:
        return amqp_is_list(section);
    case DELIVERY_ANNOTATIONS:
    case MESSAGE_ANNOTATIONS:
    case FOOTER:
        return amqp_is_map(section);
    case PROPERTIES:
        read_properties(m, section);
        return amqp_is_list(section);
    case APPLICATION_PROPERTIES:
        return read_application_properties(inbox, section);
    case DATA:
        if (!amqp_is_binary(section))
            return false;
        read_data(inbox, section);
        return true;
    case SEQUENCE:
        m->body_kind = AMQP_BODY_VALUE;
        return amqp_is_list(section);
    case VALUE:
        m->body_kind = AMQP_BODY_VALUE;
        m->body = amqp_to_string(section);
        return true;
    default:
        return false;
    }
}

// Sections come in their order, and but for bodies once; there is one kind of body.
static bool follows(uint64_t last, uint64_t next)
{
    if (next == last)
        return next == DATA || next == SEQUENCE;
    bool second_body = last >= DATA && last <= VALUE && next <= VALUE;
    return next > last && !second_body;
}

bool amqp_message_decode(struct amqp_inbox *inbox)
{
    struct cursor c = cursor_over(buf_slice(&inbox->bytes));
    uint64_t last = 0;
    while (c.rest.len > 0) {
        struct amqp_value section;
        if (!amqp_value_read(&c, &section) || !section.described || !follows(last, section.descriptor))
            return false;
        last = section.descriptor;
        if (!read_section(inbox, &section))
            return false;
    }
    return true;
}

void amqp_message_encode(struct buf *out, const struct amqp_correlation *correlation,
                         const struct amqp_property *properties, size_t property_count, struct slice body)
{
    if (correlation != NULL && correlation->kind != 0) {
        struct amqp_compound section = amqp_list(out, PROPERTIES);
        for (int i = 0; i < CORRELATION_ID; i++)
            amqp_put_null(&section);
        buf_u8(out, correlation->kind);
        buf_bytes(out, slice_of(correlation->bytes, correlation->len));
        section.count++;
        amqp_end(&section);
    }
    if (property_count > 0) {
        struct amqp_compound section = amqp_map(out, APPLICATION_PROPERTIES);
        for (size_t i = 0; i < property_count; i++) {
            amqp_put_string(&section, properties[i].name);
            amqp_put_string(&section, properties[i].text);
        }
        amqp_end(&section);
    }
    amqp_binary(out, DATA, body);
}

void amqp_inbox_free(struct amqp_inbox *inbox)
{
    if (inbox == NULL)
        return;
    buf_release(&inbox->bytes);
    free(inbox);
}
