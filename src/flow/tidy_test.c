// What devices left behind is removed later by itself; and how full, how well and how near the hubs are.
#include "flow/flow_hubs_test.h"

#include <stdio.h>

#include "flow/hub_health.h"

static const struct registration *of(struct world *w, const char *id)
{
    const struct registration *r = stored_registration(w, slice_text(id));
    assert_non_null(r);
    return r;
}

// dev1 is at b.hub, and a.hub did not answer when it left.
static void leave_behind(struct world *w)
{
    enroll(w, "a", RESET);
    enter_dev1(w);
    enroll(w, "b", RESET);
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, -1, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_slice(of(w, "dev1")->assigned_hub, "b.hub");
    assert_slice(of(w, "dev1")->left_hub, "a.hub");
    assert_int_equal(identities(), 2);
    hubs_of()->journal[0] = '\0';
}

static void assert_tidy(struct world *w)
{
    const struct registration *r = of(w, "dev1");
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_slice(r->assigned_hub, "b.hub");
    assert_int_equal(r->left_hub.len, 0);
    assert_int_equal(r->left_device_id.len, 0);
    assert_int_equal(r->intended_hub.len, 0);
    assert_int_equal(r->plan_steps, 0);
    assert_non_null(identity_at("b.hub", "dev1"));
    assert_int_equal(identities(), 1);
    assert_names_hold();
}

// ---- leftovers
// ---------------------------------------------------------------------------------------------------------------

static void what_was_left_behind_is_removed_once_the_hub_answers_again(void **state)
{
    struct world *w = *state;
    leave_behind(w);
    int64_t updated_us = of(w, "dev1")->updated_us;
    flow_tidy(w->flow); // at start
    run_down(w, 1);
    assert_string_equal(hubs_of()->journal, "put,remove a.hub,put,");
    assert_slice(of(w, "dev1")->left_hub, "a.hub");
    assert_int_equal(of(w, "dev1")->intended_hub.len, 0);
    no_trouble();
    pass(w, 60000); // by itself, a minute later
    run_down(w, 1);
    assert_tidy(w);
    assert_int_equal(of(w, "dev1")->updated_us, updated_us); // the device did nothing
    hubs_of()->journal[0] = '\0';
    pass(w, 60000);
    run_down(w, 1);
    assert_string_equal(hubs_of()->journal, ""); // there is nothing any more
}

static void a_hub_that_is_known_to_fail_is_not_asked(void **state)
{
    struct world *w = *state;
    leave_behind(w);
    no_trouble();
    struct why why = {.text = "it does not answer"};
    hub_health_set(w->health, SLICE("A.hub"), 1, true, &why);
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_string_equal(hubs_of()->journal, "");
    hub_health_set(w->health, SLICE("a.hub"), 1, false, NULL);
    pass(w, 60000);
    run_down(w, 1);
    assert_tidy(w);
}

static void a_hub_that_is_not_linked_keeps_what_was_left_until_it_is_linked_again(void **state)
{
    struct world *w = *state;
    leave_behind(w);
    no_trouble();
    link_hubs(w, "bc", UNREACHABLE_UNSET);
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_slice(of(w, "dev1")->left_hub, "a.hub");
    link_hubs(w, "abc", UNREACHABLE_UNSET);
    pass(w, 60000);
    run_down(w, 1);
    assert_tidy(w);
}

static void tidying_that_is_cut_off_anywhere_is_done_at_the_next_start(void **state)
{
    struct world *w = *state;
    for (int event = 1; event <= 3; event++) {
        for (int after = 0; after < 2; after++) {
            leave_behind(w);
            no_trouble();
            hubs_of()->events = 0;
            hubs_of()->dies_at = event;
            hubs_of()->dies_after = after != 0;
            flow_tidy(w->flow);
            run_down(w, 1);
            assert_true(hubs_of()->dead);
            start_again(w);
            assert_int_equal(of(w, "dev1")->status, STATUS_ASSIGNED); // whatever a device asks meanwhile
            flow_tidy(w->flow);
            run_down(w, 1);
            assert_tidy(w);
            delete_registration(w, "dev1");
            memset(hubs_of()->identities, 0, sizeof hubs_of()->identities);
            hubs_of()->record = (struct registration){0};
            hubs_of()->was_assigned = false;
        }
    }
}

static bool came;

static void come_back(struct hubs *hubs, const struct hub_request *request)
{
    if (request->verb != HUB_REMOVE)
        return;
    hubs->before = NULL;
    came = true;
    struct world *w = hubs->world;
    enroll(w, "a", MIGRATE);
    size_t answers = w->answers;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, answers + 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void a_device_that_would_go_back_meanwhile_is_not_removed_there(void **state)
{
    struct world *w = *state;
    leave_behind(w);
    no_trouble();
    came = false;
    hubs_of()->before = come_back;
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_true(came);
    assert_tidy(w); // it stayed for that once
    enter_dev1(w);
    assert_slice(of(w, "dev1")->assigned_hub, "a.hub");
    assert_non_null(identity_at("a.hub", "dev1"));
    assert_int_equal(identities(), 1);
    assert_names_hold();
}

static void a_device_that_goes_on_has_what_it_left_removed_first(void **state)
{
    struct world *w = *state;
    leave_behind(w);
    no_trouble();
    enroll(w, "c", RESET);
    enter_dev1(w);
    assert_string_equal(hubs_of()->journal, "put,assign b.hub keep,put,remove a.hub,put,"
                                            "put,assign c.hub reset,put,remove b.hub,put,");
    assert_slice(of(w, "dev1")->assigned_hub, "c.hub");
    assert_int_equal(of(w, "dev1")->left_hub.len, 0);
    assert_int_equal(identities(), 1);
    assert_names_hold();
}

static void a_device_stays_while_what_it_left_before_cannot_be_removed(void **state)
{
    struct world *w = *state;
    leave_behind(w);
    enroll(w, "c", RESET);
    enter_dev1(w);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_slice(of(w, "dev1")->assigned_hub, "b.hub");
    assert_slice(of(w, "dev1")->left_hub, "a.hub");
    assert_null(identity_at("c.hub", "dev1"));
    assert_names_hold();
}

static void many_leftovers_are_removed_in_pages(void **state)
{
    enum { MANY = 130 };
    struct world *w = *state;
    char ids[MANY][16];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "left-%03d", i % 1000);
        struct registration r = {.id = slice_text(ids[i]),
                                 .status = i % 3 == 0 ? STATUS_DISABLED : STATUS_ASSIGNED,
                                 .assigned_hub = SLICE("b.hub"),
                                 .device_id = slice_text(ids[i]),
                                 .left_hub = SLICE("a.hub"),
                                 .left_device_id = slice_text(ids[i]),
                                 .operation_id = SLICE("5.0.x"),
                                 .created_us = T0,
                                 .updated_us = T0,
                                 .etag = ++w->next_random};
        struct store_request put = {.verb = STORE_PUT,
                                    .table = STORE_REGISTRATION,
                                    .partition = SLICE(SCOPE),
                                    .key = r.id,
                                    .record = &r};
        store_do(w, &put);
        assert_false(failed(put.result));
    }
    hubs_of()->quiet = true;
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_int_equal(w->hub_calls, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(of(w, ids[i])->left_hub.len, 0);
}

static void a_stop_waits_for_no_leftovers(void **state)
{
    struct world *w = *state;
    leave_behind(w);
    flow_tidy(w->flow);
    hubs_of()->dead = true; // nothing is done any more
    run_down(w, 1);
    assert_int_equal(flow_under_way(w->flow), 0);
    start_again(w);
}

// ---- how the hubs are
// -------------------------------------------------------------------------------------------------------

static void enter(struct world *w, const char *id)
{
    ask(w, FLOW_REGISTER, id, "");
    run_down(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void a_hub_that_is_full_takes_no_more_devices(void **state)
{
    struct world *w = *state;
    link_full(w, "abc", 2);
    const char *const ids[] = {"dev1", "dev2", "dev3", "dev4"};
    for (size_t i = 0; i < 4; i++) {
        enroll_other(w, ids[i], "ab");
        enter(w, ids[i]);
    }
    assert_slice(of(w, "dev1")->assigned_hub, "a.hub");
    assert_slice(of(w, "dev2")->assigned_hub, "a.hub"); // counted, though no second has passed
    assert_slice(of(w, "dev3")->assigned_hub, "b.hub");
    assert_slice(of(w, "dev4")->assigned_hub, "b.hub");
    delete_registration(w, "dev2");
    pass(w, 1100);
    enroll_other(w, "dev5", "ab");
    ask(w, FLOW_REGISTER, "dev5", ""); // the count is begun anew
    run_down(w, 1);
    enroll_other(w, "dev6", "ab");
    enter(w, "dev6");
    assert_slice(of(w, "dev6")->assigned_hub, "a.hub");
}

static void what_was_assigned_before_the_start_counts(void **state)
{
    struct world *w = *state;
    link_full(w, "abc", 1);
    enroll_other(w, "dev1", "ab");
    enter(w, "dev1");
    start_again(w);
    enroll_other(w, "dev2", "ab");
    enter(w, "dev2");
    assert_slice(of(w, "dev2")->assigned_hub, "b.hub");
}

static void a_hub_that_fails_gets_no_new_devices_until_it_is_well(void **state)
{
    struct world *w = *state;
    struct why why = {.text = "it does not answer"};
    hub_health_set(w->health, SLICE("a.hub"), 3, true, &why);
    enroll_other(w, "dev1", "ab");
    enter(w, "dev1");
    assert_slice(of(w, "dev1")->assigned_hub, "b.hub");
    hub_health_set(w->health, SLICE("a.hub"), 3, false, NULL);
    enroll_other(w, "dev2", "ab");
    enter(w, "dev2");
    assert_slice(of(w, "dev2")->assigned_hub, "a.hub");
}

static bool find(struct places *places, struct slice address, struct place *out)
{
    (void)places;
    bool tokyo = slice_equal(address, SLICE("198.51.100.7:40312"));
    bool york = slice_equal(address, SLICE("[2001:db8::7]:40312"));
    *out = (struct place){.known = tokyo || york,
                          .latitude = tokyo ? 35.6 : 40.7,
                          .longitude = tokyo ? 139.7 : -74.0,
                          .by = "the test"};
    return tokyo || york;
}

static void a_device_goes_to_the_hub_that_is_nearest_to_where_it_asks_from(void **state)
{
    static const struct places_methods methods = {.find = find};
    struct places places = {&methods};
    struct world *w = *state;
    w->places = &places;
    start_again(w);
    enroll_near(w, "abc");
    ask_from(w, "198.51.100.7:40312", "");
    run_down(w, 1);
    assert_slice(of(w, "dev1")->assigned_hub, "c.hub");
    assert_slice(of(w, "dev1")->address, "198.51.100.7");
    ask_from(w, "[2001:db8::7]:40312", "");
    run_down(w, 1);
    assert_slice(of(w, "dev1")->assigned_hub, "b.hub");
    assert_slice(of(w, "dev1")->address, "2001:db8::7");
    w->places = NULL;
    start_again(w);
}

static int setup(void **state)
{
    if (hubs_setup(state) != 0)
        return -1;
    struct world *w = *state;
    w->health = hub_health_new(&w->clock, 1);
    assert_non_null(w->health);
    start_again(w);
    return 0;
}

static int teardown(void **state)
{
    struct hub_health *health = ((struct world *)*state)->health;
    int result = hubs_teardown(state);
    hub_health_free(health);
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(what_was_left_behind_is_removed_once_the_hub_answers_again),
        TEST(a_hub_that_is_known_to_fail_is_not_asked),
        TEST(a_hub_that_is_not_linked_keeps_what_was_left_until_it_is_linked_again),
        TEST(tidying_that_is_cut_off_anywhere_is_done_at_the_next_start),
        TEST(a_device_that_would_go_back_meanwhile_is_not_removed_there),
        TEST(a_device_that_goes_on_has_what_it_left_removed_first),
        TEST(a_device_stays_while_what_it_left_before_cannot_be_removed),
        TEST(many_leftovers_are_removed_in_pages),
        TEST(a_stop_waits_for_no_leftovers),
        TEST(a_hub_that_is_full_takes_no_more_devices),
        TEST(what_was_assigned_before_the_start_counts),
        TEST(a_device_goes_to_the_hub_that_is_nearest_to_where_it_asks_from),
        TEST(a_hub_that_fails_gets_no_new_devices_until_it_is_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
