// What is written reads as what it was, at the edges where a value takes another form. Read by proton's
// codec, and, because that believes no sizes, by ours.
#include <string.h>

#include "base/testing.h"

#include <proton/codec.h>

#include "wire/amqp/write.h"

// All of the buffer is one described list or map; its elements come next.
static pn_data_t *read_back(struct buf *out, uint64_t descriptor, bool is_map, size_t count)
{
    pn_data_t *data = pn_data(16);
    assert_int_equal(out->broken, 0);
    struct cursor c = cursor_over(buf_slice(out));
    struct amqp_value whole;
    assert_true(amqp_value_read(&c, &whole) && cursor_done(&c));
    assert_int_equal(whole.count, count);
    assert_int_equal(pn_data_decode(data, (const char *)out->at, out->len), out->len);
    buf_release(out);
    pn_data_rewind(data);
    assert_true(pn_data_next(data) && pn_data_is_described(data) && pn_data_enter(data));
    assert_true(pn_data_next(data) && pn_data_get_ulong(data) == descriptor);
    assert_true(pn_data_next(data));
    assert_int_equal(pn_data_type(data), is_map ? PN_MAP : PN_LIST);
    assert_int_equal(is_map ? pn_data_get_map(data) : pn_data_get_list(data), count);
    assert_true(pn_data_enter(data));
    return data;
}

static void next_is(pn_data_t *data, pn_type_t type)
{
    assert_true(pn_data_next(data));
    assert_int_equal(pn_data_type(data), type);
}

static void same_bytes(pn_bytes_t have, const uint8_t *want, size_t len)
{
    assert_int_equal(have.size, len);
    assert_memory_equal(have.start, want, len);
}

static void text_and_bytes_of_255_and_256_are_read_back(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 254, 255, 256, 257, 70000};
    static uint8_t bytes[70000];
    memset(bytes, 't', sizeof bytes);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct buf out = buf_capped(1 << 20);
        struct slice text = slice_of(bytes, lengths[i]);
        struct amqp_compound list = amqp_list(&out, 0x1d);
        amqp_put_string(&list, text);
        amqp_put_symbol(&list, text);
        amqp_put_binary(&list, text);
        amqp_put_bool(&list, true);
        amqp_end(&list);
        pn_data_t *data = read_back(&out, 0x1d, false, 4);
        next_is(data, PN_STRING);
        same_bytes(pn_data_get_string(data), bytes, text.len);
        next_is(data, PN_SYMBOL);
        same_bytes(pn_data_get_symbol(data), bytes, text.len);
        next_is(data, PN_BINARY);
        same_bytes(pn_data_get_binary(data), bytes, text.len);
        next_is(data, PN_BOOL); // what follows is where it should be
        assert_true(pn_data_get_bool(data));
        assert_false(pn_data_next(data));
        pn_data_free(data);
    }
}

static void numbers_of_every_form_are_read_back(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0, 1, 127, 128, 255, 256, 65535, 65536, INT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct buf out = buf_capped(1 << 10);
        uint32_t n = numbers[i];
        struct amqp_compound list = amqp_list(&out, 0x13);
        amqp_put_uint(&list, n);
        amqp_put_ulong(&list, (uint64_t)n << 32 | ~n);
        amqp_put_int(&list, (int32_t)n);
        amqp_put_ushort(&list, (uint16_t)n);
        amqp_put_ubyte(&list, (uint8_t)n);
        amqp_put_bool(&list, n % 2);
        amqp_put_null(&list);
        amqp_end(&list);
        pn_data_t *data = read_back(&out, 0x13, false, 7);
        next_is(data, PN_UINT);
        assert_int_equal(pn_data_get_uint(data), n);
        next_is(data, PN_ULONG);
        assert_true(pn_data_get_ulong(data) == ((uint64_t)n << 32 | ~n));
        next_is(data, PN_INT);
        assert_int_equal(pn_data_get_int(data), (int32_t)n);
        next_is(data, PN_USHORT);
        assert_int_equal(pn_data_get_ushort(data), (uint16_t)n);
        next_is(data, PN_UBYTE);
        assert_int_equal(pn_data_get_ubyte(data), (uint8_t)n);
        next_is(data, PN_BOOL);
        assert_int_equal(pn_data_get_bool(data), n % 2);
        next_is(data, PN_NULL);
        assert_false(pn_data_next(data));
        pn_data_free(data);
    }
}

// A list in a list, with this many elements of `width` bytes each, and something behind both.
static void lists_are_read_back(size_t count, size_t width)
{
    struct buf out = buf_capped(1 << 20);
    struct amqp_compound outer = amqp_list(&out, 0x18), inner = amqp_list_in(&outer, 0x1d);
    for (size_t i = 0; i < count; i++) {
        if (width == 1)
            amqp_put_null(&inner);
        else
            amqp_put_ubyte(&inner, (uint8_t)i);
    }
    amqp_end(&inner);
    amqp_put_ushort(&outer, 4711);
    amqp_end(&outer);
    pn_data_t *data = read_back(&out, 0x18, false, 2);
    assert_true(pn_data_next(data) && pn_data_is_described(data) && pn_data_enter(data));
    assert_true(pn_data_next(data) && pn_data_get_ulong(data) == 0x1d);
    next_is(data, PN_LIST);
    assert_int_equal(pn_data_get_list(data), count);
    assert_true(pn_data_enter(data));
    for (size_t i = 0; i < count; i++) {
        next_is(data, width == 1 ? PN_NULL : PN_UBYTE);
        if (width > 1)
            assert_int_equal(pn_data_get_ubyte(data), (uint8_t)i);
    }
    assert_true(pn_data_exit(data) && pn_data_exit(data));
    next_is(data, PN_USHORT);
    assert_int_equal(pn_data_get_ushort(data), 4711);
    pn_data_free(data);
}

static void lists_of_255_and_256_bytes_or_elements_are_read_back(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 126, 127, 128, 253, 254, 255, 256, 257, 1000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t width = 1; width <= 2; width++)
            lists_are_read_back(counts[i], width);
}

static void maps_on_their_own_and_in_lists_are_read_back(void **state)
{
    (void)state;
    static uint8_t bytes[300];
    memset(bytes, 'v', sizeof bytes);
    for (size_t len = 240; len < sizeof bytes; len++) {
        struct buf out = buf_capped(1 << 10);
        struct amqp_compound map = amqp_map(&out, 0x74);
        amqp_put_string(&map, SLICE("key"));
        amqp_put_string(&map, slice_of(bytes, len));
        amqp_end(&map);
        pn_data_t *data = read_back(&out, 0x74, true, 2);
        next_is(data, PN_STRING);
        same_bytes(pn_data_get_string(data), (const uint8_t *)"key", 3);
        next_is(data, PN_STRING);
        same_bytes(pn_data_get_string(data), bytes, len);
        pn_data_free(data);

        struct amqp_compound list = amqp_list(&out, 0x1d);
        struct amqp_compound info = amqp_map_in(&list);
        amqp_put_symbol(&info, slice_of(bytes, len));
        amqp_put_int(&info, -5);
        amqp_end(&info);
        amqp_end(&list);
        data = read_back(&out, 0x1d, false, 1);
        next_is(data, PN_MAP);
        assert_int_equal(pn_data_get_map(data), 2);
        assert_true(pn_data_enter(data));
        next_is(data, PN_SYMBOL);
        same_bytes(pn_data_get_symbol(data), bytes, len);
        next_is(data, PN_INT);
        assert_int_equal(pn_data_get_int(data), -5);
        pn_data_free(data);
    }
}

static void an_array_of_symbols_is_read_back(void **state)
{
    (void)state;
    static const char *const names[] = {"PLAIN", "TPM", "X"};
    struct buf out = buf_capped(1 << 10);
    struct amqp_compound list = amqp_list(&out, 0x40);
    amqp_put_symbols(&list, SLICE("PLAIN TPM X"));
    amqp_end(&list);
    struct cursor c = cursor_over(buf_slice(&out));
    struct amqp_value ours, array;
    assert_true(amqp_value_read(&c, &ours) && amqp_list_read(&ours, &array, 1) && array.count == 3);
    pn_data_t *data = read_back(&out, 0x40, false, 1);
    next_is(data, PN_ARRAY);
    assert_int_equal(pn_data_get_array(data), 3);
    assert_int_equal(pn_data_get_array_type(data), PN_SYMBOL);
    assert_true(pn_data_enter(data));
    for (size_t i = 0; i < 3; i++) {
        next_is(data, PN_SYMBOL);
        same_bytes(pn_data_get_symbol(data), (const uint8_t *)names[i], strlen(names[i]));
    }
    assert_false(pn_data_next(data));
    pn_data_free(data);
}

static void a_frame_says_its_size_with_its_payload_and_a_full_buffer_none(void **state)
{
    (void)state;
    static const uint8_t payload[1000];
    struct buf out = buf_capped(1100);
    for (size_t i = 0; i < 2; i++) {
        struct amqp_compound f = amqp_frame_begin(&out, 0, 0x0102, 0x14);
        amqp_put_uint(&f, 3);
        size_t len = amqp_frame_end(&f, slice_of(payload, sizeof payload));
        if (i > 0) { // there is no room for a second one
            assert_int_equal(len, 0);
            break;
        }
        assert_int_equal(len, 8 + 3 + 3 + 2 + sizeof payload);
        assert_int_equal(out.len, len);
        assert_memory_equal(out.at, "\0\0\x03\xf8\2\0\1\2", 8);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_bytes_of_255_and_256_are_read_back),
        cmocka_unit_test(numbers_of_every_form_are_read_back),
        cmocka_unit_test(lists_of_255_and_256_bytes_or_elements_are_read_back),
        cmocka_unit_test(maps_on_their_own_and_in_lists_are_read_back),
        cmocka_unit_test(an_array_of_symbols_is_read_back),
        cmocka_unit_test(a_frame_says_its_size_with_its_payload_and_a_full_buffer_none),
    };
    return cmocka_run_group_tests_name("amqp write", tests, NULL, NULL);
}
