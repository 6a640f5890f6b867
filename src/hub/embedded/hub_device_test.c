// What becomes of a device's record when it is assigned, with each way of treating its twin.
#include "hub/embedded/hub_device.h"

#include <stdlib.h>

#include "base/testing.h"

#define T0 (INT64_C(1700000000) * 1000000)
#define T1 (T0 + INT64_C(1000000))
#define TWIN                                                                                                 \
    "{\"tags\":{\"t\":1},\"properties\":{\"desired\":{\"d\":2,\"$version\":9},\"reported\":{\"no\":1}}}"

static void fill(struct random *random, void *at, size_t len)
{
    (void)random;
    static uint8_t next;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)at)[i] = ++next;
}

struct world {
    struct arena arena;
    struct random random;
    struct hub_request request;
    struct hub_twin_parts twin;
    struct device device;
    bool changed;
    bool same;
};

static struct err again(struct world *w, enum hub_twin how, const char *twin, const char *reported)
{
    w->request.twin_how = how;
    w->request.twin = slice_text(twin);
    w->request.reported = slice_text(reported);
    w->request.now_us = T1;
    hub_twin_release(&w->twin);
    TRY(hub_twin_read(&w->request, &w->twin));
    return hub_device_change(&w->arena, &w->random, &w->request, &w->twin, &w->device, &w->changed, &w->same,
                             &w->request.why);
}

// A device of some age: disabled by hand, an edge gateway, with a twin that went through some versions.
static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->arena = arena_capped(1 << 20);
    w->random.fill = fill;
    w->request = (struct hub_request){.verb = HUB_ASSIGN,
                                      .identity = {.device_id = SLICE("dev1"), .iot_edge = SWITCH_ON},
                                      .now_us = T0,
                                      .arena = &w->arena};
    assert_true(secret_set(&w->request.identity.primary_key, SLICE("0123456789abcdef")));
    assert_false(failed(hub_device_make(&w->arena, &w->random, &w->request, &w->twin, &w->device)));
    w->device.status = DEVICE_DISABLED;
    w->device.status_reason = SLICE("by hand");
    w->device.reported = SLICE("{\"old\":1}");
    w->device.tags = SLICE("{\"old\":1}");
    w->device.reported_version = 7;
    w->device.desired_version = 5;
    w->request.identity.iot_edge = SWITCH_UNSET;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    hub_twin_release(&w->twin);
    arena_release(&w->arena);
    free(w);
    return 0;
}

static void a_reset_device_is_as_new_but_for_what_its_operator_decided(void **state)
{
    struct world *w = *state;
    int64_t generation = w->device.generation;
    int64_t identity = w->device.identity_version;
    assert_false(failed(again(w, HUB_TWIN_RESET, TWIN, "{\"not\":1}")));
    assert_true(w->changed);
    assert_slice(w->device.tags, "{\"t\":1}");
    assert_slice(w->device.desired, "{\"d\":2}");
    assert_slice(w->device.reported, "{}");
    assert_int_equal(w->device.desired_version, 1);
    assert_int_equal(w->device.reported_version, 1);
    assert_int_not_equal(w->device.generation, generation);
    assert_int_not_equal(w->device.identity_version, identity);
    assert_int_equal(w->device.status, DEVICE_DISABLED);
    assert_slice(w->device.status_reason, "by hand");
    assert_int_equal(w->device.iot_edge, SWITCH_ON);
}

static void imported_reported_properties_are_the_second_version(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 2; i++) { // and stay that
        assert_false(failed(again(w, HUB_TWIN_IMPORT, TWIN, "{\"fan\":900,\"$version\":40}")));
        assert_slice(w->device.reported, "{\"fan\":900}");
        assert_int_equal(w->device.reported_version, 2);
        assert_slice(w->device.tags, "{\"t\":1}");
    }
    assert_false(failed(again(w, HUB_TWIN_IMPORT, NULL, "{}")));
    assert_slice(w->device.reported, "{}");
    assert_slice(w->device.tags, "{}");
    assert_int_equal(w->device.reported_version, 1);
}

static void a_device_that_is_new_here_is_imported_alike(void **state)
{
    struct world *w = *state;
    assert_false(failed(again(w, HUB_TWIN_IMPORT, TWIN, "{\"fan\":900}")));
    struct device made;
    assert_false(failed(hub_device_make(&w->arena, &w->random, &w->request, &w->twin, &made)));
    assert_slice(made.reported, "{\"fan\":900}");
    assert_int_equal(made.reported_version, 2);
    assert_int_equal(made.desired_version, w->device.desired_version);
    assert_int_equal(made.twin_version, w->device.twin_version);
}

static void a_set_twin_leaves_what_was_reported(void **state)
{
    struct world *w = *state;
    assert_false(failed(again(w, HUB_TWIN_SET, TWIN, "{\"not\":1}")));
    assert_false(w->changed);
    assert_false(w->same);
    assert_slice(w->device.reported, "{\"old\":1}");
    assert_slice(w->device.tags, "{\"t\":1}");
    assert_int_equal(w->device.desired_version, 6);
    assert_int_equal(w->device.reported_version, 7);
}

static void a_kept_device_is_not_written(void **state)
{
    struct world *w = *state;
    assert_false(failed(again(w, HUB_TWIN_KEEP, "no JSON", "nor this")));
    assert_true(w->same);
    assert_slice(w->device.tags, "{\"old\":1}");
}

static void a_twin_that_breaks_the_rules_changes_nothing(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *twin, *reported;
    } table[] = {
        {"{\"tags\":{\"a.b\":1}}", NULL}, {TWIN, "{\"a.b\":1}"}, {TWIN, "[1]"}, {TWIN, "{"}, {"[]", NULL}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_true(failed(again(w, HUB_TWIN_IMPORT, table[i].twin, table[i].reported)));
        assert_string_not_equal(w->request.why.text, "");
        assert_slice(w->device.tags, "{\"old\":1}");
        assert_slice(w->device.reported, "{\"old\":1}");
        assert_int_equal(w->device.reported_version, 7);
    }
}

static void reading_tells_all_that_moves_with_a_device(void **state)
{
    struct world *w = *state;
    assert_false(failed(again(w, HUB_TWIN_IMPORT, TWIN, "{\"fan\":900}")));
    struct hub_request read = {.verb = HUB_READ, .arena = &w->arena};
    assert_false(failed(hub_device_tell(&read, &w->device)));
    assert_true(read.found);
    assert_slice(read.twin, "{\"tags\":{\"t\":1},\"properties\":{\"desired\":{\"d\":2}}}");
    assert_slice(read.reported, "{\"fan\":900}");
    assert_int_equal(read.identity.iot_edge, SWITCH_ON);
    assert_false(failed(hub_device_tell(&read, NULL)));
    assert_false(read.found);
}

#define WITH_DEVICE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DEVICE(a_reset_device_is_as_new_but_for_what_its_operator_decided),
        WITH_DEVICE(imported_reported_properties_are_the_second_version),
        WITH_DEVICE(a_device_that_is_new_here_is_imported_alike),
        WITH_DEVICE(a_set_twin_leaves_what_was_reported),
        WITH_DEVICE(a_kept_device_is_not_written),
        WITH_DEVICE(a_twin_that_breaks_the_rules_changes_nothing),
        WITH_DEVICE(reading_tells_all_that_moves_with_a_device),
    };
    return cmocka_run_group_tests_name("hub device", tests, NULL, NULL);
}
