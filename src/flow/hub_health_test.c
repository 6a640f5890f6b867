// What one loop knows of how the hubs are.
#include "flow/hub_health.h"

#include "base/testing.h"

static int64_t now;

static int64_t wall(const struct clock *clock)
{
    (void)clock;
    return now;
}

static const struct clock the_clock = {wall, wall};

static void a_hub_that_nobody_spoke_of_is_well(void **state)
{
    (void)state;
    struct hub_health *health = hub_health_new(&the_clock, 7);
    struct hub_health_state s = hub_health_of(health, SLICE("a.hub"));
    assert_false(s.failing);
    assert_int_equal(s.since_us, 0);
    hub_health_set(health, SLICE("a.hub"), 0, false, NULL); // and stays so
    assert_int_equal(hub_health_of(health, SLICE("a.hub")).since_us, 0);
    hub_health_free(health);
}

static void a_hub_fails_as_long_as_one_loop_finds_it_failing(void **state)
{
    (void)state;
    struct hub_health *health = hub_health_new(&the_clock, 7);
    struct why first = {.text = "no answer"}, second = {.text = "a wrong certificate"};
    now = 100;
    hub_health_set(health, SLICE("A.Hub:8883"), 0, true, &first);
    now = 200;
    hub_health_set(health, SLICE("a.hub:8883"), HUB_HEALTH_LOOPS_MAX - 1, true, &second);
    struct hub_health_state s = hub_health_of(health, SLICE("a.HUB:8883"));
    assert_true(s.failing);
    assert_int_equal(s.since_us, 100);
    assert_string_equal(s.why.text, "a wrong certificate");
    now = 300;
    hub_health_set(health, SLICE("a.hub:8883"), 0, false, NULL);
    assert_true(hub_health_of(health, SLICE("a.hub:8883")).failing);
    now = 400;
    hub_health_set(health, SLICE("a.hub:8883"), HUB_HEALTH_LOOPS_MAX - 1, false, NULL);
    s = hub_health_of(health, SLICE("a.hub:8883"));
    assert_false(s.failing);
    assert_int_equal(s.since_us, 400);
    assert_string_equal(s.why.text, "a wrong certificate"); // what it was, for who asks afterwards
    assert_false(hub_health_of(health, SLICE("a.hub")).failing);
    hub_health_free(health);
}

static void what_is_wrong_with_one_link_is_wrong_with_no_other(void **state)
{
    (void)state;
    struct hub_health *health = hub_health_new(&the_clock, 7);
    struct why wrong = {.text = "a wrong key"}, dead = {.text = "no answer"};
    now = 100;
    hub_health_set_link(health, SLICE("A.hub"), SLICE("0ne1"), 0, true, &wrong);
    assert_true(hub_health_of_link(health, SLICE("a.HUB"), SLICE("0ne1")).failing);
    assert_string_equal(hub_health_of_link(health, SLICE("a.hub"), SLICE("0ne1")).why.text, "a wrong key");
    assert_false(hub_health_of_link(health, SLICE("a.hub"), SLICE("0ne2")).failing);
    assert_false(hub_health_of(health, SLICE("a.hub")).failing);
    now = 200;
    hub_health_set(health, SLICE("a.hub"), 0, true, &dead);
    assert_true(hub_health_of_link(health, SLICE("a.hub"), SLICE("0ne2")).failing);
    assert_string_equal(hub_health_of_link(health, SLICE("a.hub"), SLICE("0ne1")).why.text, "no answer");
    now = 300;
    hub_health_set(health, SLICE("a.hub"), 0, false, NULL);
    assert_true(hub_health_of_link(health, SLICE("a.hub"), SLICE("0ne1")).failing);
    assert_int_equal(hub_health_of_link(health, SLICE("a.hub"), SLICE("0ne1")).since_us, 100);
    assert_false(hub_health_of_link(health, SLICE("a.hub"), SLICE("0ne2")).failing);
    now = 400;
    hub_health_set_link(health, SLICE("a.hub"), SLICE("0ne1"), 0, false, NULL);
    assert_false(hub_health_of_link(health, SLICE("a.hub"), SLICE("0ne1")).failing);
    hub_health_free(health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_that_nobody_spoke_of_is_well),
        cmocka_unit_test(what_is_wrong_with_one_link_is_wrong_with_no_other),
        cmocka_unit_test(a_hub_fails_as_long_as_one_loop_finds_it_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
