// AMQP 1.0 part 1, section 1.6: a code says what the value is, and its upper half how its size is told.
#include "wire/amqp/value.h"

enum { DESCRIPTORS_MAX = 4 }; // of a value that is described again and again

// How many bytes a code's value has.
enum kind {
    UNKNOWN,
    FIXED,    // `width` of them
    SIZED,    // as many as the `width` bytes before them say
    COMPOUND, // that too, and a count of elements, as wide
    ARRAY,    // that too
};

static const struct shape {
    uint8_t kind;
    uint8_t width;
} shapes[UINT8_MAX + 1] = {
    [AMQP_NULL... AMQP_LIST0] = {FIXED, 0},
    [AMQP_UBYTE... AMQP_BOOLEAN] = {FIXED, 1},
    [AMQP_USHORT] = {FIXED, 2},
    [AMQP_SHORT] = {FIXED, 2},
    [0x70 ... 0x74] = {FIXED, 4}, // uint, int, float, char, decimal32
    [0x80 ... 0x84] = {FIXED, 8}, // ulong, long, double, timestamp, decimal64
    [0x94] = {FIXED, 16},         // decimal128
    [AMQP_UUID] = {FIXED, 16},
    [AMQP_BINARY8] = {SIZED, 1},
    [AMQP_STRING8] = {SIZED, 1},
    [AMQP_SYMBOL8] = {SIZED, 1},
    [AMQP_BINARY32] = {SIZED, 4},
    [AMQP_STRING32] = {SIZED, 4},
    [AMQP_SYMBOL32] = {SIZED, 4},
    [AMQP_LIST8] = {COMPOUND, 1},
    [AMQP_MAP8] = {COMPOUND, 1},
    [AMQP_LIST32] = {COMPOUND, 4},
    [AMQP_MAP32] = {COMPOUND, 4},
    [AMQP_ARRAY8] = {ARRAY, 1},
    [AMQP_ARRAY32] = {ARRAY, 4},
};

static bool fail(struct cursor *c)
{
    c->broken = true;
    return false;
}

static uint32_t read_size(struct cursor *c, uint8_t width)
{
    return width == 1 ? cursor_u8(c) : cursor_u32(c);
}

// Size, which covers the count; count; elements. None is smaller than a byte, but in an array of nulls and
// the like, of which nobody needs more than one.
static bool read_compound(struct cursor *c, uint8_t width, struct amqp_value *out)
{
    struct cursor all = cursor_over(cursor_bytes(c, read_size(c, width)));
    out->count = read_size(&all, width);
    out->body = all.rest;
    if (c->broken || all.broken || out->count > out->body.len)
        return fail(c);
    if (amqp_is_map(out) && out->count % 2 != 0)
        return fail(c);
    return true;
}

static inline bool read_body(struct cursor *c, struct amqp_value *out)
{
    struct shape shape = shapes[out->code];
    switch ((enum kind)shape.kind) {
    case FIXED:
        out->body = cursor_bytes(c, shape.width);
        if (out->code == AMQP_BOOLEAN && cursor_ok(c) && out->body.at[0] > 1)
            return fail(c);
        return cursor_ok(c);
    case SIZED:
        out->body = cursor_bytes(c, read_size(c, shape.width));
        return cursor_ok(c);
    case COMPOUND:
    case ARRAY:
        return read_compound(c, shape.width, out);
    case UNKNOWN:
        break;
    }
    return fail(c);
}

// A descriptor is a number or a symbol here: others exist on paper only.
static bool read_descriptor(struct cursor *c, struct amqp_value *out)
{
    struct amqp_value descriptor = {.code = cursor_u8(c)};
    if (c->broken || descriptor.code == AMQP_DESCRIBED || !read_body(c, &descriptor))
        return fail(c);
    if (!out->described)
        out->descriptor = UINT64_MAX;
    uint64_t number;
    if (amqp_to_ulong(&descriptor, &number)) {
        if (!out->described)
            out->descriptor = number;
    } else if (!amqp_is_symbol(&descriptor)) {
        return fail(c);
    }
    out->described = true;
    return true;
}

static bool read_descriptors(struct cursor *c, struct amqp_value *out)
{
    for (int i = 0; out->code == AMQP_DESCRIBED && !c->broken; i++) {
        if (i == DESCRIPTORS_MAX || !read_descriptor(c, out))
            return fail(c);
        out->code = cursor_u8(c);
    }
    return cursor_ok(c);
}

static inline bool read_code(struct cursor *c, struct amqp_value *out)
{
    *out = (struct amqp_value){.code = cursor_u8(c)};
    return out->code == AMQP_DESCRIBED ? read_descriptors(c, out) : cursor_ok(c);
}

bool amqp_value_read(struct cursor *c, struct amqp_value *out)
{
    struct slice begin = c->rest;
    bool ok = read_code(c, out) && read_body(c, out);
    if (!ok)
        *out = (struct amqp_value){.code = AMQP_NULL};
    else
        out->whole = slice_to(begin, begin.len - c->rest.len);
    return ok;
}

static bool check(struct cursor *c, struct amqp_value *v, int depth, uint32_t *left);
static bool check_inside(const struct amqp_value *v, int depth, uint32_t *left);

// Each element is the same as a value but for the code, which they share.
static bool check_array(const struct amqp_value *array, int depth, uint32_t *left)
{
    struct cursor c = cursor_over(array->body);
    struct amqp_value element;
    if (array->count == 0 && array->body.len == 0)
        return true;
    if (!read_code(&c, &element) || array->count > *left)
        return false;
    *left -= array->count;
    struct shape shape = shapes[element.code];
    if (shape.kind == FIXED)
        return (size_t)shape.width * array->count == c.rest.len;
    for (uint32_t i = 0; i < array->count; i++) {
        struct amqp_value one = {.code = element.code};
        if (!read_body(&c, &one) || !check_inside(&one, depth, left))
            return false;
    }
    return cursor_done(&c) && shape.kind != UNKNOWN;
}

static bool check_inside(const struct amqp_value *v, int depth, uint32_t *left)
{
    uint8_t kind = shapes[v->code].kind;
    if (kind != ARRAY && kind != COMPOUND)
        return true;
    if (depth == 0)
        return false;
    if (kind == ARRAY)
        return check_array(v, depth - 1, left);
    struct cursor inner = cursor_over(v->body);
    struct amqp_value element;
    for (uint32_t i = 0; i < v->count; i++)
        if (!check(&inner, &element, depth - 1, left))
            return false;
    return cursor_done(&inner);
}

static bool check(struct cursor *c, struct amqp_value *v, int depth, uint32_t *left)
{
    if (*left == 0 || !amqp_value_read(c, v))
        return fail(c);
    --*left;
    return check_inside(v, depth, left) || fail(c);
}

bool amqp_list_read(const struct amqp_value *list, struct amqp_value *out, size_t room)
{
    uint32_t left = AMQP_VALUES_MAX;
    struct cursor c = cursor_over(list->body);
    struct amqp_value beyond;
    for (uint32_t i = 0; i < list->count; i++)
        if (!check(&c, i < room ? &out[i] : &beyond, AMQP_DEPTH_MAX, &left))
            return false;
    for (size_t i = list->count; i < room; i++)
        out[i] = (struct amqp_value){.code = AMQP_NULL};
    return cursor_done(&c);
}

bool amqp_is_list(const struct amqp_value *v)
{
    return v->code == AMQP_LIST0 || v->code == AMQP_LIST8 || v->code == AMQP_LIST32;
}

bool amqp_is_map(const struct amqp_value *v)
{
    return v->code == AMQP_MAP8 || v->code == AMQP_MAP32;
}

struct amqp_elements amqp_elements_of(const struct amqp_value *v)
{
    if (!amqp_is_list(v) && !amqp_is_map(v))
        return (struct amqp_elements){0};
    return (struct amqp_elements){.at = cursor_over(v->body), .left = v->count};
}

struct amqp_value amqp_element(struct amqp_elements *e)
{
    struct amqp_value v = {.code = AMQP_NULL};
    if (e->left == 0)
        return v;
    e->left--;
    (void)amqp_value_read(&e->at, &v);
    return v;
}

void amqp_elements_skip(struct amqp_elements *e, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)amqp_element(e);
}

static uint64_t big_endian(struct slice s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n = n << 8 | s.at[i];
    return n;
}

bool amqp_to_bool(const struct amqp_value *v, bool *out)
{
    *out = v->code == AMQP_TRUE || (v->code == AMQP_BOOLEAN && v->body.at[0] == 1);
    return *out || v->code == AMQP_FALSE || v->code == AMQP_BOOLEAN;
}

bool amqp_to_ubyte(const struct amqp_value *v, uint8_t *out)
{
    *out = 0;
    if (v->code != AMQP_UBYTE)
        return false;
    *out = v->body.at[0];
    return true;
}

bool amqp_to_uint(const struct amqp_value *v, uint32_t *out)
{
    *out = 0;
    if (v->code != AMQP_UINT && v->code != AMQP_SMALLUINT && v->code != AMQP_UINT0)
        return false;
    *out = (uint32_t)big_endian(v->body);
    return true;
}

bool amqp_to_ulong(const struct amqp_value *v, uint64_t *out)
{
    *out = 0;
    if (v->code != AMQP_ULONG && v->code != AMQP_SMALLULONG && v->code != AMQP_ULONG0)
        return false;
    *out = big_endian(v->body);
    return true;
}

static bool is_signed(uint8_t code)
{
    return code == AMQP_BYTE || code == AMQP_SHORT || code == AMQP_INT || code == AMQP_SMALLINT ||
           code == AMQP_LONG || code == AMQP_SMALLLONG;
}

bool amqp_to_number(const struct amqp_value *v, uint64_t *magnitude, bool *negative)
{
    uint32_t number;
    *negative = false;
    if (amqp_to_ulong(v, magnitude))
        return true;
    *magnitude = big_endian(slice_to(v->body, 8));
    if (amqp_to_uint(v, &number) || v->code == AMQP_USHORT || v->code == AMQP_UBYTE)
        return true;
    if (!is_signed(v->code) || v->body.len == 0 || v->body.len > 8)
        return false;
    unsigned bits = (unsigned)v->body.len * 8;
    *negative = *magnitude >> (bits - 1) & 1;
    if (*negative) // two's complement of that many bits
        *magnitude = (~*magnitude + 1) & (UINT64_MAX >> (64 - bits));
    return true;
}

bool amqp_is_string(const struct amqp_value *v)
{
    return v->code == AMQP_STRING8 || v->code == AMQP_STRING32;
}

bool amqp_is_symbol(const struct amqp_value *v)
{
    return v->code == AMQP_SYMBOL8 || v->code == AMQP_SYMBOL32;
}

bool amqp_is_binary(const struct amqp_value *v)
{
    return v->code == AMQP_BINARY8 || v->code == AMQP_BINARY32;
}

struct slice amqp_to_string(const struct amqp_value *v)
{
    return amqp_is_string(v) ? v->body : (struct slice){0};
}

struct slice amqp_to_symbol(const struct amqp_value *v)
{
    return amqp_is_symbol(v) ? v->body : (struct slice){0};
}

struct slice amqp_to_text(const struct amqp_value *v)
{
    return amqp_is_string(v) || amqp_is_symbol(v) ? v->body : (struct slice){0};
}

struct slice amqp_to_binary(const struct amqp_value *v)
{
    return amqp_is_binary(v) ? v->body : (struct slice){0};
}
