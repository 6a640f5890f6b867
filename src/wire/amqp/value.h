// Reads values of AMQP's type system (AMQP 1.0 part 1) in place: what frames and messages are made of. Nobody
// outside this folder includes it.
#pragma once

#include "base/cursor.h"

enum {
    AMQP_DEPTH_MAX = 8,    // of values within values
    AMQP_VALUES_MAX = 256, // within one frame's performative
};

enum amqp_code {
    AMQP_DESCRIBED = 0x00,
    AMQP_NULL = 0x40,
    AMQP_TRUE = 0x41,
    AMQP_FALSE = 0x42,
    AMQP_UINT0 = 0x43,
    AMQP_ULONG0 = 0x44,
    AMQP_LIST0 = 0x45,
    AMQP_UBYTE = 0x50,
    AMQP_BYTE = 0x51,
    AMQP_SMALLUINT = 0x52,
    AMQP_SMALLULONG = 0x53,
    AMQP_SMALLINT = 0x54,
    AMQP_SMALLLONG = 0x55,
    AMQP_BOOLEAN = 0x56,
    AMQP_USHORT = 0x60,
    AMQP_SHORT = 0x61,
    AMQP_UINT = 0x70,
    AMQP_INT = 0x71,
    AMQP_ULONG = 0x80,
    AMQP_LONG = 0x81,
    AMQP_UUID = 0x98,
    AMQP_BINARY8 = 0xa0,
    AMQP_STRING8 = 0xa1,
    AMQP_SYMBOL8 = 0xa3,
    AMQP_BINARY32 = 0xb0,
    AMQP_STRING32 = 0xb1,
    AMQP_SYMBOL32 = 0xb3,
    AMQP_LIST8 = 0xc0,
    AMQP_MAP8 = 0xc1,
    AMQP_LIST32 = 0xd0,
    AMQP_MAP32 = 0xd1,
    AMQP_ARRAY8 = 0xe0,
    AMQP_ARRAY32 = 0xf0,
};

// One value. All zero is not a value; one that is absent is AMQP_NULL.
struct amqp_value {
    uint8_t code;
    bool described;
    uint32_t count;      // elements of a list, map (keys and values) or array
    uint64_t descriptor; // of a described value, if it is a number; else UINT64_MAX
    struct slice body;  // a string's bytes, a number's; the elements of a list or map; an array's constructor
                        // and elements
    struct slice whole; // all of it as it is on the wire, descriptor and code included; empty when absent
};

// The next value of *c, without looking into it. False: malformed, and the cursor is broken.
bool amqp_value_read(struct cursor *c, struct amqp_value *out);
// Reads the first `room` elements of a list; those that are absent are null. Looks into all of all elements:
// known types, sizes and counts that agree, at most AMQP_DEPTH_MAX deep and AMQP_VALUES_MAX values in all.
// False: malformed.
bool amqp_list_read(const struct amqp_value *list, struct amqp_value *out, size_t room);

// The elements of a list or map, one after the other; null after the last. An element that is malformed reads
// as null too and breaks the cursor.
struct amqp_elements {
    struct cursor at;
    uint32_t left;
};
bool amqp_is_list(const struct amqp_value *v);
bool amqp_is_map(const struct amqp_value *v);
// Of a value that is neither: none.
struct amqp_elements amqp_elements_of(const struct amqp_value *v);
struct amqp_value amqp_element(struct amqp_elements *e);
void amqp_elements_skip(struct amqp_elements *e, size_t count);

static inline bool amqp_is_null(const struct amqp_value *v)
{
    return v->code == AMQP_NULL;
}

// False: the value is of another type, null too.
bool amqp_to_bool(const struct amqp_value *v, bool *out);
bool amqp_to_ubyte(const struct amqp_value *v, uint8_t *out);
bool amqp_to_uint(const struct amqp_value *v, uint32_t *out);
bool amqp_to_ulong(const struct amqp_value *v, uint64_t *out);
// A whole number of any type: its magnitude and sign.
bool amqp_to_number(const struct amqp_value *v, uint64_t *magnitude, bool *negative);
// Empty when it is not of the type.
struct slice amqp_to_string(const struct amqp_value *v);
struct slice amqp_to_symbol(const struct amqp_value *v);
struct slice amqp_to_text(const struct amqp_value *v); // a string or a symbol
struct slice amqp_to_binary(const struct amqp_value *v);
bool amqp_is_string(const struct amqp_value *v);
bool amqp_is_symbol(const struct amqp_value *v);
bool amqp_is_binary(const struct amqp_value *v);
