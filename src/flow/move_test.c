// Devices that go from one hub to another: the order of what is done, what becomes of their data, crashes,
// and hubs that cannot be reached.
#include "flow/flow_hubs_test.h"
#include "flow/hub_health.h"

// ---- in order
// ---------------------------------------------------------------------------------------------------------------

static void a_device_moves_with_its_data_and_nothing_is_removed_before_its_copy_stands(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    enter_dev1(w);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "b.hub");
    assert_string_equal(hubs_of()->journal, "put,read a.hub,assign b.hub import,put,remove a.hub,put,");
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("b.hub");
    assert_non_null(strstr(w->line, "\"event\":\"device.moved\""));
    assert_non_null(strstr(w->line, "\"from\":\"a.hub\""));
    assert_non_null(strstr(w->line, "\"to\":\"b.hub\""));
}

static void a_device_that_is_reset_moves_without_its_data(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", RESET);
    enter_dev1(w);
    assert_string_equal(hubs_of()->journal, "put,assign b.hub reset,put,remove a.hub,put,");
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_RESET);
    assert_has_initial_twin("b.hub");
}

static void a_device_that_is_never_reprovisioned_stays(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", NEVER);
    enter_dev1(w);
    assert_string_equal(hubs_of()->journal, "put,assign a.hub keep,put,");
    assert_is_only_at(w, "a.hub", SUBSTATUS_INITIAL_ASSIGNMENT);
    assert_has_own_data("a.hub");
}

static void a_reset_at_the_same_hub_makes_the_device_anew(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "a", RESET);
    enter_dev1(w);
    assert_string_equal(hubs_of()->journal, "put,assign a.hub reset,put,");
    assert_is_only_at(w, "a.hub", SUBSTATUS_DATA_RESET);
    assert_has_initial_twin("a.hub");
}

static void a_device_that_its_old_hub_does_not_know_begins_with_the_initial_twin(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    identity_at("a.hub", "dev1")->hub[0] = '\0'; // somebody removed it there
    hubs_of()->resets = true;
    enroll(w, "b", MIGRATE);
    enter_dev1(w);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_RESET);
    assert_has_initial_twin("b.hub");
}

static void a_device_goes_back_to_the_hub_that_it_came_from(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    enter_dev1(w);
    enroll(w, "a", MIGRATE);
    enter_dev1(w);
    assert_is_only_at(w, "a.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("a.hub");
}

static void a_device_that_polls_during_its_move_is_told_where_it_came_to(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    flow_free(w->flow);
    w->settings.strict_polling = true;
    make_flow(w);
    enroll(w, "b", MIGRATE);
    size_t answers = w->answers;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, answers + 1);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    run_down(w, 1);
    ask(w, FLOW_OPERATION, "dev1", w->operation);
    until_answers(w, answers + 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "b.hub");
}

// ---- crashes
// -----------------------------------------------------------------------------------------------------------------

// The process dies at each write and each call, before it was done and after; and at each of those of the
// restart.
static void die_everywhere(struct world *w, enum data data, int events, void (*check)(struct world *w))
{
    struct hubs *hubs = hubs_of();
    for (int first = 1; first <= events; first++) {
        for (int second = 0; second <= events; second++) {
            for (int after = 0; after < 4; after++) {
                enroll(w, "a", MIGRATE);
                settle_at_a(w);
                enroll(w, "b", data);
                hubs->events = 0;
                hubs->dies_at = first;
                hubs->dies_after = (after & 1) != 0;
                enter_dev1(w);
                assert_true(hubs->dead);
                start_again(w);
                hubs->events = 0;
                hubs->dies_at = second;
                hubs->dies_after = (after & 2) != 0;
                flow_resume(w->flow);
                run_down(w, 10);
                start_again(w);
                flow_resume(w->flow);
                run_down(w, 10);
                if (first == 1 && !(after & 1)) // the intent was never written: the device asks again
                    enter_dev1(w);
                check(w);
                delete_registration(w, "dev1");
                memset(hubs->identities, 0, sizeof hubs->identities);
                hubs->record = (struct registration){0};
                hubs->was_assigned = false;
                arena_release(&w->arena);
                if (second == 0 && after == 1)
                    break;
            }
        }
    }
}

static void check_migrated(struct world *w)
{
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("b.hub");
}

static void a_move_ends_by_itself_wherever_it_was_cut_off(void **state)
{
    die_everywhere(*state, MIGRATE, 6, check_migrated);
}

static void check_reset(struct world *w)
{
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_RESET);
    assert_has_initial_twin("b.hub");
}

static void a_move_without_data_ends_by_itself_wherever_it_was_cut_off(void **state)
{
    die_everywhere(*state, RESET, 5, check_reset);
}

static void what_a_cut_off_move_may_have_made_stays_named_when_it_is_given_up_at_the_restart(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    hubs_of()->events = 0;
    hubs_of()->dies_at = 3; // the new hub took it, and nobody was told
    hubs_of()->dies_after = true;
    enter_dev1(w);
    start_again(w);
    put_enrollment(w, "dev1", PROVISIONING_DISABLED);
    flow_resume(w->flow);
    run_down(w, 10);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_DISABLED);
    assert_slice(r->assigned_hub, "a.hub");
    assert_slice(r->intended_hub, "b.hub");
    assert_int_equal(identities(), 2);
    assert_names_hold();
    enroll(w, "b", MIGRATE);
    enter_dev1(w);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("b.hub");
}

// ---- hubs that cannot be reached
// ---------------------------------------------------------------------------------------

static void a_migration_waits_for_the_old_hub(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    trouble("a.hub", HUB_READ, ERR_HUB_UNAVAILABLE, 5, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("b.hub");
}

static void a_migration_from_a_hub_that_never_answers_fails_and_the_device_stays(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    trouble("a.hub", HUB_READ, ERR_HUB_UNAUTHORIZED, -1, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 1000);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_FAILED);
    assert_int_equal(r->error_code, err_info(FAIL(ERR_HUB_UNAUTHORIZED))->number);
    assert_slice(r->assigned_hub, "a.hub");
    assert_int_equal(r->intended_hub.len, 0); // nothing was begun at the other one
    assert_int_equal(r->left_hub.len, 0);
    assert_null(identity_at("b.hub", "dev1"));
    assert_names_hold();
    enroll(w, "a", MIGRATE); // and it may still be meant to stay
    enter_dev1(w);
    assert_is_only_at(w, "a.hub", SUBSTATUS_REPROVISIONED);
}

static void a_migration_may_go_on_without_the_data_when_the_operator_says_so(void **state)
{
    struct world *w = *state;
    link_hubs(w, "abc", UNREACHABLE_PROCEED);
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    trouble("a.hub", HUB_READ, ERR_HUB_UNAVAILABLE, -1, false);
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, -1, false);
    int64_t began_us = w->now_us;
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_in_range(w->now_us - began_us, 0, 15 * 1000000);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_int_equal(r->substatus, SUBSTATUS_DATA_RESET);
    assert_slice(r->assigned_hub, "b.hub");
    assert_slice(r->left_hub, "a.hub");
    assert_slice(r->left_device_id, "dev1");
    assert_has_initial_twin("b.hub");
    assert_int_equal(identities(), 2);
    assert_names_hold();
}

static void a_reset_does_not_wait_for_the_old_hub(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", RESET);
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, -1, false);
    int64_t began_us = w->now_us;
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_in_range(w->now_us - began_us, 0, 10 * 1000000);
    assert_int_equal(dev1(w)->status, STATUS_ASSIGNED);
    assert_slice(dev1(w)->assigned_hub, "b.hub");
    assert_slice(dev1(w)->left_hub, "a.hub");
}

static void a_reset_waits_for_the_old_hub_when_the_operator_says_so(void **state)
{
    struct world *w = *state;
    link_hubs(w, "abc", UNREACHABLE_WAIT);
    settle_at_a(w);
    enroll(w, "b", RESET);
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, 5, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_RESET);
}

static void
a_reset_does_not_begin_while_the_old_hub_is_known_to_fail_and_the_operator_waits_for_it(void **state)
{
    struct world *w = *state;
    struct why why = {.text = "it does not answer"};
    w->health = hub_health_new(&w->clock, 1);
    assert_non_null(w->health);
    start_again(w);
    link_hubs(w, "abc", UNREACHABLE_WAIT);
    settle_at_a(w);
    hub_health_set(w->health, SLICE("a.hub"), 1, true, &why);
    enroll(w, "b", RESET);
    trouble("a.hub", HUB_READ, ERR_HUB_UNAVAILABLE, 3, false);
    hubs_of()->journal[0] = '\0';
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_string_equal(
        hubs_of()->journal,
        "put,read a.hub,read a.hub,read a.hub,read a.hub,assign b.hub reset,put,remove a.hub,put,");
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_RESET);
    trouble("b.hub", HUB_READ, ERR_HUB_UNAVAILABLE, -1, false);
    hub_health_set(w->health, SLICE("b.hub"), 1, true, &why);
    enroll(w, "c", RESET);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 1000);
    assert_int_equal(dev1(w)->status, STATUS_FAILED);
    assert_slice(dev1(w)->assigned_hub, "b.hub");
    assert_null(identity_at("c.hub", "dev1"));
    struct hub_health *health = w->health;
    w->health = NULL;
    start_again(w);
    hub_health_free(health);
}

// How often hubs were called in the whole life of an operation that takes dev1 to b.hub.
static size_t calls_while_the_new_hub_is_away(struct world *w)
{
    w->hub_calls = 0;
    hubs_of()->quiet = true;
    trouble("b.hub", HUB_ASSIGN, ERR_HUB_UNAVAILABLE, -1, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_int_equal(dev1(w)->status, STATUS_FAILED);
    hubs_of()->quiet = false;
    no_trouble();
    return w->hub_calls;
}

static void a_new_device_is_tried_ever_more_seldom(void **state)
{
    struct world *w = *state;
    enroll(w, "b", MIGRATE);
    assert_in_range(calls_while_the_new_hub_is_away(w), 4, 15);
}

static void a_device_that_moves_with_its_data_is_tried_ever_more_seldom_too(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    assert_in_range(calls_while_the_new_hub_is_away(w), 2 * 4, 2 * 15); // each try reads at a.hub first
}

static void a_device_whose_old_hub_must_answer_first_is_tried_ever_more_seldom_too(void **state)
{
    struct world *w = *state;
    struct why why = {.text = "it does not answer"};
    w->health = hub_health_new(&w->clock, 1);
    assert_non_null(w->health);
    start_again(w);
    link_hubs(w, "abc", UNREACHABLE_WAIT);
    settle_at_a(w);
    hub_health_set(w->health, SLICE("a.hub"), 1, true, &why); // it was; it answers now
    enroll(w, "b", RESET);
    assert_in_range(calls_while_the_new_hub_is_away(w), 2 * 4, 2 * 15);
    struct hub_health *health = w->health;
    w->health = NULL;
    start_again(w);
    hub_health_free(health);
}

static void a_reset_waits_also_when_only_this_services_link_to_the_old_hub_fails(void **state)
{
    struct world *w = *state;
    struct why why = {.text = "it refuses the key"};
    w->health = hub_health_new(&w->clock, 1);
    assert_non_null(w->health);
    start_again(w);
    link_hubs(w, "abc", UNREACHABLE_WAIT);
    settle_at_a(w);
    hub_health_set_link(w->health, SLICE("a.hub"), SLICE(SCOPE), 1, true, &why);
    enroll(w, "b", RESET);
    trouble("a.hub", HUB_READ, ERR_HUB_UNAVAILABLE, -1, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 1000);
    assert_int_equal(dev1(w)->status, STATUS_FAILED);
    assert_slice(dev1(w)->assigned_hub, "a.hub");
    assert_null(identity_at("b.hub", "dev1"));
    struct hub_health *health = w->health;
    w->health = NULL;
    start_again(w);
    hub_health_free(health);
}

static void what_runs_on_at_the_old_hub_is_waited_for_half_a_minute(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, -1, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    int64_t ms = 0;
    for (; dev1(w)->status != STATUS_ASSIGNED || ms < 1000; ms += 100) {
        assert_true(ms < 40000); // the life of an operation is longer
        deliver(w, 1);
        pass(w, 100);
    }
    assert_true(ms > 20000);
    assert_slice(dev1(w)->assigned_hub, "b.hub");
    assert_slice(dev1(w)->left_hub, "a.hub");
    assert_names_hold();
    no_trouble();
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
}

// a.hub answers nobody any more, and dev1 asks all the same.
static void ask_while_a_is_dead(struct world *w)
{
    trouble("a.hub", HUB_ASSIGN, ERR_HUB_UNAVAILABLE, -1, false);
    trouble("a.hub", HUB_READ, ERR_HUB_UNAVAILABLE, -1, false);
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, -1, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_int_equal(dev1(w)->status, STATUS_FAILED);
}

// From then on it goes where it is sent, and is at b.hub alone once a.hub is back.
static void leave_the_dead_hub(struct world *w, enum registration_substatus substatus)
{
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_int_equal(dev1(w)->status, STATUS_ASSIGNED);
    assert_slice(dev1(w)->assigned_hub, "b.hub");
    assert_slice(dev1(w)->left_hub, "a.hub");
    assert_names_hold();
    no_trouble();
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_is_only_at(w, "b.hub", substatus);
    assert_has_initial_twin("b.hub");
}

static void a_device_that_asked_while_its_hub_was_dead_leaves_it(void **state)
{
    static const enum data data[] = {NEVER, MIGRATE, RESET};
    struct world *w = *state;
    for (size_t i = 0; i < 3; i++) {
        link_hubs(w, "abc", UNREACHABLE_UNSET);
        enroll(w, "a", data[i]);
        settle_at_a(w);
        ask_while_a_is_dead(w);
        assert_slice(dev1(w)->assigned_hub, "a.hub");
        link_hubs(w, "Abc", UNREACHABLE_PROCEED);
        enroll(w, "ab", i == 0 ? MIGRATE : data[i]);
        leave_the_dead_hub(w, SUBSTATUS_DATA_RESET);
        delete_registration(w, "dev1");
        identity_at("b.hub", "dev1")->hub[0] = '\0';
        hubs_of()->was_assigned = false;
    }
}

static void a_device_that_asked_while_its_hub_was_dead_is_refreshed_there_when_it_is_back(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    ask_while_a_is_dead(w);
    no_trouble();
    enter_dev1(w);
    assert_is_only_at(w, "a.hub", SUBSTATUS_REPROVISIONED);
    assert_has_own_data("a.hub");
}

static void a_new_device_that_asked_while_its_hub_was_dead_goes_elsewhere_once_that_is_drained(void **state)
{
    struct world *w = *state;
    ask_while_a_is_dead(w);
    enroll(w, "ab", MIGRATE);
    link_hubs(w, "Abc", UNREACHABLE_UNSET);
    leave_the_dead_hub(w, SUBSTATUS_INITIAL_ASSIGNMENT);
}

static void an_edge_device_stays_one_when_it_moves_unless_its_enrollment_says_otherwise(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    identity_at("a.hub", "dev1")->edge = SWITCH_ON;
    enroll(w, "b", MIGRATE);
    enter_dev1(w);
    assert_int_equal(identity_at("b.hub", "dev1")->edge, SWITCH_ON);
    hubs_of()->edge = SWITCH_OFF;
    enroll(w, "c", MIGRATE);
    enter_dev1(w);
    assert_int_equal(identity_at("c.hub", "dev1")->edge, SWITCH_OFF);
}

static void once_the_copy_stands_no_removal_makes_a_registration_fail(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    trouble("a.hub", HUB_REMOVE, ERR_HUB_REFUSED, -1, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 1000);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_int_equal(r->substatus, SUBSTATUS_DATA_MIGRATED);
    assert_slice(r->assigned_hub, "b.hub");
    assert_slice(r->left_hub, "a.hub");
    assert_int_equal(r->error_code, 0);
    assert_has_own_data("b.hub");
    assert_names_hold();
}

static void a_new_hub_that_refuses_leaves_the_device_where_it_was(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    trouble("b.hub", HUB_ASSIGN, ERR_HUB_REFUSED, -1, false);
    enter_dev1(w);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_FAILED);
    assert_slice(r->assigned_hub, "a.hub");
    assert_int_equal(r->intended_hub.len, 0);
    assert_int_equal(r->left_hub.len, 0);
    assert_has_own_data("a.hub");
    no_trouble();
    enter_dev1(w);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
}

static void a_new_hub_that_may_have_taken_the_device_is_still_named_when_the_operation_fails(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    trouble("b.hub", HUB_ASSIGN, ERR_HUB_UNAVAILABLE, -1, true); // it took it; its answers are lost
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 1000);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_FAILED);
    assert_slice(r->assigned_hub, "a.hub");
    assert_slice(r->intended_hub, "b.hub");
    assert_has_own_data("a.hub");
    assert_names_hold();
    no_trouble();
    enter_dev1(w);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, hubs_setup, hubs_teardown)
        TEST(a_device_moves_with_its_data_and_nothing_is_removed_before_its_copy_stands),
        TEST(a_device_that_is_reset_moves_without_its_data),
        TEST(a_device_that_is_never_reprovisioned_stays),
        TEST(a_reset_at_the_same_hub_makes_the_device_anew),
        TEST(a_device_that_its_old_hub_does_not_know_begins_with_the_initial_twin),
        TEST(a_device_goes_back_to_the_hub_that_it_came_from),
        TEST(a_device_that_polls_during_its_move_is_told_where_it_came_to),
        TEST(a_move_ends_by_itself_wherever_it_was_cut_off),
        TEST(a_move_without_data_ends_by_itself_wherever_it_was_cut_off),
        TEST(what_a_cut_off_move_may_have_made_stays_named_when_it_is_given_up_at_the_restart),
        TEST(a_migration_waits_for_the_old_hub),
        TEST(a_migration_from_a_hub_that_never_answers_fails_and_the_device_stays),
        TEST(a_migration_may_go_on_without_the_data_when_the_operator_says_so),
        TEST(a_reset_does_not_wait_for_the_old_hub),
        TEST(a_reset_waits_for_the_old_hub_when_the_operator_says_so),
        TEST(a_reset_does_not_begin_while_the_old_hub_is_known_to_fail_and_the_operator_waits_for_it),
        TEST(a_new_device_is_tried_ever_more_seldom),
        TEST(a_device_that_moves_with_its_data_is_tried_ever_more_seldom_too),
        TEST(a_device_whose_old_hub_must_answer_first_is_tried_ever_more_seldom_too),
        TEST(a_reset_waits_also_when_only_this_services_link_to_the_old_hub_fails),
        TEST(what_runs_on_at_the_old_hub_is_waited_for_half_a_minute),
        TEST(a_device_that_asked_while_its_hub_was_dead_leaves_it),
        TEST(a_device_that_asked_while_its_hub_was_dead_is_refreshed_there_when_it_is_back),
        TEST(a_new_device_that_asked_while_its_hub_was_dead_goes_elsewhere_once_that_is_drained),
        TEST(an_edge_device_stays_one_when_it_moves_unless_its_enrollment_says_otherwise),
        TEST(once_the_copy_stands_no_removal_makes_a_registration_fail),
        TEST(a_new_hub_that_refuses_leaves_the_device_where_it_was),
        TEST(a_new_hub_that_may_have_taken_the_device_is_still_named_when_the_operation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
