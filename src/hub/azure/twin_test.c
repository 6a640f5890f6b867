// What is made of a twin that a hub tells, and what is sent of one.
#include "hub/azure/twin.h"

#include "base/testing.h"

#define DEV1 SLICE("dev1")

static struct err tell(struct arena *arena, const char *answer, struct hub_request *request)
{
    *request = (struct hub_request){.verb = HUB_READ, .identity.device_id = DEV1, .arena = arena};
    return azure_twin_tell(slice_text(answer), request);
}

static void a_twin_is_told_without_what_the_hub_adds(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 20);
    struct hub_request request;
    assert_false(failed(
        tell(&arena,
             "{\"deviceId\":\"dev1\",\"etag\":\"AAAA\",\"version\":7,\"tags\":{\"site\":{\"$version\":1}},"
             "\"properties\":{\"desired\":{\"d\":[1.50,null],\"$metadata\":{\"$lastUpdated\":\"x\"},"
             "\"$version\":3},\"reported\":{\"$metadata\":{},\"$version\":2,\"fan\":{\"rpm\":900}}},"
             "\"capabilities\":{\"iotEdge\":true}}",
             &request)));
    assert_true(request.found);
    assert_slice(request.twin, "{\"tags\":{\"site\":{\"$version\":1}},\"properties\":"
                               "{\"desired\":{\"d\":[1.5,null]}}}");
    assert_slice(request.reported, "{\"fan\":{\"rpm\":900}}");
    assert_int_equal(request.identity.iot_edge, SWITCH_ON);
    arena_release(&arena);
}

static void an_empty_twin_is_told_as_such(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 20);
    struct hub_request request;
    assert_false(failed(tell(&arena,
                             "{\"deviceId\":\"dev1\",\"properties\":{\"desired\":{\"$version\":1},"
                             "\"reported\":{\"$version\":1}}}",
                             &request)));
    assert_slice(request.twin, "{\"tags\":{},\"properties\":{\"desired\":{}}}");
    assert_slice(request.reported, "{}");
    assert_int_equal(request.identity.iot_edge, SWITCH_OFF);
    arena_release(&arena);
}

// What is missing would be missing at the next hub.
static void half_a_twin_is_none(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{\"deviceId\":\"dev1\"}",
        "{\"deviceId\":\"dev1\",\"properties\":{\"desired\":{}}}",
        "{\"deviceId\":\"dev1\",\"properties\":{\"desired\":[],\"reported\":{}}}",
        "{\"deviceId\":\"dev1\",\"properties\":{\"desired\":{},\"reported\":null}}",
        "[]",
        "",
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct arena arena = arena_capped(1 << 20);
        struct hub_request request;
        assert_int_equal(tell(&arena, answers[i], &request).code, ERR_HUB_UNAVAILABLE);
        assert_false(request.found);
        arena_release(&arena);
    }
}

static void the_twin_of_another_device_is_not_taken(void **state)
{
    (void)state;
    struct arena arena = arena_capped(1 << 20);
    struct hub_request request;
    assert_int_equal(
        tell(&arena, "{\"deviceId\":\"dev2\",\"properties\":{\"desired\":{},\"reported\":{}}}", &request)
            .code,
        ERR_HUB_REFUSED);
    assert_false(request.found);
    arena_release(&arena);
}

static void a_twin_that_is_not_json_is_refused(void **state)
{
    (void)state;
    struct buf out = buf_capped(4096);
    struct why why;
    assert_int_equal(azure_twin_write(&out, SLICE("dev1"), SLICE("{\"tags\":"), &why).code, ERR_HUB_REFUSED);
    assert_int_equal(out.len, 0);
    buf_release(&out);
}

static void reported_properties_go_in_a_bulk_call_of_one(void **state)
{
    (void)state;
    struct buf out = buf_capped(4096);
    assert_false(failed(azure_reported_write(&out, SLICE("d\"1"), SLICE("{\"r\":{\"a\":1}}"), NULL)));
    assert_slice(buf_slice(&out), "[{\"id\":\"d\\\"1\",\"importMode\":\"updateTwin\",\"properties\":"
                                  "{\"reported\":{\"r\":{\"a\":1}}}}]");
    buf_clear(&out);
    assert_int_equal(azure_reported_write(&out, DEV1, SLICE("{"), NULL).code, ERR_HUB_REFUSED);
    buf_release(&out);
}

static void nothing_reported_needs_no_call(void **state)
{
    (void)state;
    assert_false(azure_reported_any((struct slice){0}));
    assert_false(azure_reported_any(SLICE(" { } ")));
    assert_true(azure_reported_any(SLICE("{\"a\":null}")));
}

static void only_a_hub_that_says_so_took_them(void **state)
{
    (void)state;
    assert_true(azure_reported_taken(SLICE("{\"isSuccessful\":true,\"errors\":[],\"warnings\":[]}")));
    assert_false(azure_reported_taken(SLICE("{\"isSuccessful\":false,\"errors\":[{}]}")));
    assert_false(azure_reported_taken(SLICE("{}")));
    assert_false(azure_reported_taken(SLICE("")));
}

static void what_stands_is_compared_value_by_value(void **state)
{
    (void)state;
    static const struct {
        const char *reported;
        bool stands;
    } table[] = {
        {"{\"a\":{\"x\":1},\"b\":\"two\"}", true},
        {"{\"b\":\"two\"}", true},
        {"", true},
        {"{\"a\":{\"x\":2}}", false},
        {"{\"a\":{\"x\":1,\"y\":1}}", false},
        {"{\"c\":1}", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        bool stands = !table[i].stands;
        assert_false(failed(azure_twin_check(SLICE("{\"deviceId\":\"dev1\",\"properties\":{\"reported\":"
                                                   "{\"$version\":2,\"b\":\"two\",\"a\":{\"x\":1}}}}"),
                                             DEV1, slice_text(table[i].reported), &stands, NULL)));
        if (stands != table[i].stands)
            fail_msg("%s", table[i].reported);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_twin_is_told_without_what_the_hub_adds),
        cmocka_unit_test(an_empty_twin_is_told_as_such),
        cmocka_unit_test(half_a_twin_is_none),
        cmocka_unit_test(the_twin_of_another_device_is_not_taken),
        cmocka_unit_test(a_twin_that_is_not_json_is_refused),
        cmocka_unit_test(reported_properties_go_in_a_bulk_call_of_one),
        cmocka_unit_test(nothing_reported_needs_no_call),
        cmocka_unit_test(only_a_hub_that_says_so_took_them),
        cmocka_unit_test(what_stands_is_compared_value_by_value),
    };
    return cmocka_run_group_tests_name("azure twin", tests, NULL, NULL);
}
