// Devices that go from one hub to another: the order of what is done, what becomes of their data, hubs that
// cannot be reached, and what others do meanwhile.
#include "flow/flow_hubs_test.h"

#include <stdio.h>

static const struct registration *dev1(struct world *w)
{
    const struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_non_null(r);
    return r;
}

// dev1 is at a.hub, with data of its own.
static void settle_at_a(struct world *w)
{
    enter_dev1(w);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "a.hub");
    set_twin("a.hub", "{\"tags\":{\"own\":1}}", "{\"seen\":2}");
}

static void assert_is_only_at(struct world *w, const char *hub, enum registration_substatus substatus)
{
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_int_equal(r->substatus, substatus);
    assert_slice(r->assigned_hub, hub);
    assert_slice(r->device_id, "dev1");
    assert_int_equal(r->intended_hub.len, 0);
    assert_int_equal(r->left_hub.len, 0);
    assert_int_equal(r->plan_steps, 0);
    assert_non_null(identity_at(hub, "dev1"));
    assert_int_equal(identities(), 1);
    assert_names_hold();
}

static void assert_has_own_data(const char *hub)
{
    assert_string_equal(identity_at(hub, "dev1")->twin, "{\"tags\":{\"own\":1}}");
    assert_string_equal(identity_at(hub, "dev1")->reported, "{\"seen\":2}");
}

static void assert_has_initial_twin(const char *hub)
{
    assert_string_equal(identity_at(hub, "dev1")->twin, "{\"tags\":{\"initial\":1}}");
    assert_string_equal(identity_at(hub, "dev1")->reported, "");
}

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
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, 6, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 100);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_RESET);
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

// ---- meanwhile
// ------------------------------------------------------------------------------------------------------------

static void act_once(struct hubs *hubs, const struct hub_request *request, enum hub_verb verb,
                     void (*act)(struct world *w))
{
    if (request->verb != verb)
        return;
    hubs->meanwhile = NULL;
    act(hubs->world);
}

static bool acted;
static void (*act)(struct world *w);
static enum hub_verb act_at;

static void meanwhile(struct hubs *hubs, const struct hub_request *request)
{
    if (request->verb == act_at)
        acted = true;
    act_once(hubs, request, act_at, act);
}

static void before(struct hubs *hubs, const struct hub_request *request)
{
    if (request->verb != act_at)
        return;
    hubs->before = NULL;
    act(hubs->world);
}

// dev1 moves from a.hub to b.hub; somebody acts when that call was carried out, before it is answered.
static void move_while(struct world *w, enum hub_verb verb, void (*what)(struct world *w))
{
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    act = what;
    act_at = verb;
    acted = false;
    hubs_of()->meanwhile = meanwhile;
    enter_dev1(w);
    hubs_of()->meanwhile = NULL;
    assert_true(acted);
}

static void register_once_more(struct world *w)
{
    ask(w, FLOW_REGISTER, "DEV1", "");
}

static void two_calls_at_once_make_one_move(void **state)
{
    static const enum hub_verb verbs[] = {HUB_READ, HUB_ASSIGN, HUB_REMOVE};
    struct world *w = *state;
    for (size_t i = 0; i < 3; i++) {
        enroll(w, "a", MIGRATE);
        enter_dev1(w);
        move_while(w, verbs[i], register_once_more);
        assert_int_equal(w->status, STATUS_ASSIGNED);
        assert_string_equal(w->hub_name, "b.hub");
        assert_string_equal(hubs_of()->journal, "put,read a.hub,assign b.hub import,put,remove a.hub,put,");
        assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
        assert_has_own_data("b.hub");
    }
}

static void disable(struct world *w)
{
    put_enrollment(w, "dev1", PROVISIONING_DISABLED);
}

static void an_enrollment_disabled_during_a_move_lets_nobody_in_and_loses_nothing(void **state)
{
    struct world *w = *state;
    trouble("b.hub", HUB_ASSIGN, ERR_HUB_UNAVAILABLE, 1, true); // so that it is looked at once more
    move_while(w, HUB_ASSIGN, disable);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_DISABLED);
    assert_slice(r->assigned_hub, "a.hub");
    assert_slice(r->intended_hub, "b.hub");
    assert_int_equal(identities(), 2);
    assert_names_hold();
    enroll(w, "b", MIGRATE);
    enter_dev1(w);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
}

static void an_enrollment_disabled_while_the_old_identity_is_removed_leaves_that_named(void **state)
{
    struct world *w = *state;
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, 1, false);
    move_while(w, HUB_REMOVE, disable);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_DISABLED);
    assert_slice(r->assigned_hub, "b.hub");
    assert_slice(r->left_hub, "a.hub");
    assert_int_equal(r->intended_hub.len, 0);
    assert_names_hold();
}

static void forget(struct world *w)
{
    delete_registration(w, "dev1");
}

static void a_registration_deleted_during_a_move_is_written_again(void **state)
{
    static const enum hub_verb verbs[] = {HUB_READ, HUB_ASSIGN, HUB_REMOVE};
    struct world *w = *state;
    for (size_t i = 0; i < 3; i++) {
        enroll(w, "a", MIGRATE);
        enter_dev1(w);
        move_while(w, verbs[i], forget);
        assert_int_equal(w->status, STATUS_ASSIGNED);
        assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    }
}

static void forget_and_register_at_c(struct world *w)
{
    delete_registration(w, "dev1");
    enroll(w, "c", MIGRATE);
    size_t answers = w->answers;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, answers + 1);
}

static void
what_a_move_brought_to_a_hub_stays_named_when_the_device_was_registered_elsewhere_meanwhile(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    hubs_of()->was_assigned = false; // who deletes a registration gives up what it named
    act = forget_and_register_at_c;
    act_at = HUB_ASSIGN;
    hubs_of()->meanwhile = meanwhile;
    enter_dev1(w);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_slice(r->assigned_hub, "c.hub");
    assert_slice(r->left_hub, "b.hub");
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_null(identity_at("b.hub", "dev1"));
    assert_non_null(identity_at("c.hub", "dev1"));
    assert_int_equal(dev1(w)->left_hub.len, 0);
}

static void forget_and_register_at_a(struct world *w)
{
    delete_registration(w, "dev1");
    enroll(w, "a", MIGRATE);
    size_t answers = w->answers;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, answers + 1);
    assert_string_equal(w->hub_name, "a.hub");
}

static void a_late_removal_does_not_take_away_a_device_that_came_back(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    act = forget_and_register_at_a;
    act_at = HUB_REMOVE;
    hubs_of()->before = before;
    enter_dev1(w);
    assert_int_equal(dev1(w)->status, STATUS_ASSIGNED);
    assert_slice(dev1(w)->assigned_hub, "a.hub");
    assert_non_null(identity_at("a.hub", "dev1"));
    assert_has_initial_twin("a.hub");
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_int_equal(identities(), 1);
}

static void unlink_a(struct world *w)
{
    link_hubs(w, "bc", UNREACHABLE_UNSET);
}

static void a_hub_unlinked_while_a_device_leaves_it_is_still_named(void **state)
{
    struct world *w = *state;
    trouble("a.hub", HUB_READ, ERR_HUB_UNAVAILABLE, 1, false);
    move_while(w, HUB_READ, unlink_a);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_int_equal(r->substatus, SUBSTATUS_DATA_RESET); // its data could not be had
    assert_slice(r->assigned_hub, "b.hub");
    assert_slice(r->left_hub, "a.hub");
    assert_has_initial_twin("b.hub");
    assert_names_hold();
}

static void unlink_b(struct world *w)
{
    link_hubs(w, "ac", UNREACHABLE_UNSET);
}

static void a_hub_unlinked_while_a_device_goes_there_is_named_until_it_may_be_removed(void **state)
{
    struct world *w = *state;
    trouble("b.hub", HUB_ASSIGN, ERR_HUB_UNAVAILABLE, 1, true);
    move_while(w, HUB_ASSIGN, unlink_b);
    assert_int_equal(dev1(w)->status, STATUS_FAILED);
    assert_slice(dev1(w)->assigned_hub, "a.hub");
    assert_slice(dev1(w)->intended_hub, "b.hub");
    enroll(w, "a", MIGRATE);
    enter_dev1(w);
    assert_int_equal(dev1(w)->status, STATUS_ASSIGNED);
    assert_slice(dev1(w)->assigned_hub, "a.hub");
    assert_slice(dev1(w)->left_hub, "b.hub");
    assert_names_hold();
    link_hubs(w, "abc", UNREACHABLE_UNSET);
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_is_only_at(w, "a.hub", SUBSTATUS_REPROVISIONED);
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
        TEST(once_the_copy_stands_no_removal_makes_a_registration_fail),
        TEST(a_new_hub_that_refuses_leaves_the_device_where_it_was),
        TEST(a_new_hub_that_may_have_taken_the_device_is_still_named_when_the_operation_fails),
        TEST(two_calls_at_once_make_one_move),
        TEST(an_enrollment_disabled_during_a_move_lets_nobody_in_and_loses_nothing),
        TEST(an_enrollment_disabled_while_the_old_identity_is_removed_leaves_that_named),
        TEST(a_registration_deleted_during_a_move_is_written_again),
        TEST(what_a_move_brought_to_a_hub_stays_named_when_the_device_was_registered_elsewhere_meanwhile),
        TEST(a_late_removal_does_not_take_away_a_device_that_came_back),
        TEST(a_hub_unlinked_while_a_device_leaves_it_is_still_named),
        TEST(a_hub_unlinked_while_a_device_goes_there_is_named_until_it_may_be_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
