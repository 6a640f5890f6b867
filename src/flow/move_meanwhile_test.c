// What others do while a device moves from one hub to another: other calls of it, and operators.
#include "flow/flow_hubs_test.h"

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

static struct store_client *gate;
static struct store_request *late; // the second write of a registration, which waits
static size_t writes;

static void hold_second(struct store_client *client, struct store_request *request)
{
    (void)client;
    if (request->verb == STORE_PUT && request->table == STORE_REGISTRATION && ++writes == 2)
        late = request;
    else
        store_submit(gate, request);
}

static void of_two_calls_at_once_the_slower_has_the_answer_of_the_faster(void **state)
{
    static const struct store_methods methods = {.submit = hold_second};
    static struct store holder = {.methods = &methods};
    struct store_client client = {.store = &holder};
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    gate = w->client;
    late = NULL;
    writes = 0;
    w->client = &client;
    start_again(w);
    size_t answers = w->answers;
    ask(w, FLOW_REGISTER, "dev1", "");
    ask(w, FLOW_REGISTER, "dev1", ""); // both find it at a.hub
    until_answers(w, answers + 1);
    assert_non_null(late);
    char first[sizeof w->operation];
    memcpy(first, w->operation, sizeof first);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    store_submit(gate, late);
    until_answers(w, answers + 2);
    run_down(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->operation, first);
    assert_string_equal(hubs_of()->journal, "put,read a.hub,assign b.hub import,put,remove a.hub,put,put,");
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    w->client = gate;
    start_again(w);
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

// dev1 moves to b.hub, which takes it although nothing comes back; somebody deletes its registration between
// two tries.
static void delete_between_tries(struct world *w, bool answered)
{
    settle_at_a(w);
    enroll(w, "b", RESET);
    hubs_of()->was_assigned = false;
    trouble("b.hub", HUB_ASSIGN, ERR_HUB_UNAVAILABLE, answered ? 6 : 1, true);
    size_t answers = w->answers;
    ask(w, FLOW_REGISTER, "dev1", "");
    for (int i = 0; i < 3000 && (answered ? w->answers == answers : identity_at("b.hub", "dev1") == NULL);
         i++) {
        deliver(w, 1);
        pass(w, 1);
    }
    assert_non_null(identity_at("b.hub", "dev1"));
    for (int i = 0; i < 5; i++) // until it sleeps
        deliver(w, 1);
    forget(w);
}

static void
what_is_at_the_new_hub_is_named_though_the_registration_was_deleted_between_two_tries(void **state)
{
    struct world *w = *state;
    delete_between_tries(w, true);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    run_down(w, 10);
    assert_int_equal(dev1(w)->status, STATUS_FAILED);
    assert_slice(dev1(w)->assigned_hub, "a.hub");
    assert_slice(dev1(w)->intended_hub, "b.hub");
    assert_slice(dev1(w)->left_hub, "a.hub");
    no_trouble();
    enter_dev1(w);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_RESET);
}

static void a_device_that_waits_is_taken_to_the_same_hub_when_its_registration_was_deleted(void **state)
{
    struct world *w = *state;
    delete_between_tries(w, false);
    enroll(w, "c", RESET);
    run_down(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_RESET);
}

static void
a_registration_deleted_between_two_tries_is_written_again_though_the_settings_changed(void **state)
{
    struct world *w = *state;
    delete_between_tries(w, false);
    link_hubs(w, "abc", UNREACHABLE_WAIT);
    run_down(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_RESET);
}

static void a_service_deleted_between_two_tries_ends_the_operation(void **state)
{
    struct world *w = *state;
    delete_between_tries(w, false);
    size_t calls = w->hub_calls;
    delete_service(w);
    run_down(w, 1);
    assert_int_equal(w->result.code, ERR_SCOPE_UNKNOWN);
    assert_int_equal(w->hub_calls, calls);
}

static void a_copy_that_stands_is_recorded_though_the_registration_was_deleted_between_two_tries(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, 2, false);
    ask(w, FLOW_REGISTER, "dev1", "");
    for (int i = 0; i < 3000 && dev1(w)->plan_steps != PLAN_REMOVE_LEFT; i++)
        deliver(w, 1);
    for (int i = 0; i < 5; i++)
        deliver(w, 1);
    forget(w);
    run_down(w, 10);
    assert_int_equal(dev1(w)->status, STATUS_ASSIGNED);
    assert_slice(dev1(w)->assigned_hub, "b.hub");
    assert_slice(dev1(w)->left_hub, "a.hub");
    no_trouble();
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("b.hub");
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

static void
what_is_at_a_hub_is_named_though_the_device_was_registered_elsewhere_between_two_tries(void **state)
{
    struct world *w = *state;
    delete_between_tries(w, false);
    enroll(w, "c", RESET);
    size_t answers = w->answers;
    ask(w, FLOW_REGISTER, "dev1", "");
    for (int i = 0; i < 3000 && w->answers == answers; i++) // no time passes: the first call sleeps
        deliver(w, 1);
    assert_string_equal(w->hub_name, "c.hub");
    run_down(w, 10);
    assert_int_equal(w->answers, answers + 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "c.hub"); // both calls are told the same
    assert_slice(dev1(w)->left_hub, "b.hub");
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_null(identity_at("b.hub", "dev1"));
    assert_non_null(identity_at("c.hub", "dev1"));
    assert_int_equal(dev1(w)->left_hub.len, 0);
}

static void a_move_that_did_nothing_yet_names_nothing_when_the_device_was_registered_elsewhere(void **state)
{
    struct world *w = *state;
    trouble("a.hub", HUB_READ, ERR_HUB_UNAVAILABLE, 1, false);
    hubs_of()->was_assigned = false;
    move_while(w, HUB_READ, forget_and_register_at_c);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "c.hub");
    assert_slice(dev1(w)->assigned_hub, "c.hub");
    assert_int_equal(dev1(w)->left_hub.len, 0);
    assert_null(identity_at("b.hub", "dev1"));
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

static void a_late_removal_whose_answer_is_lost_does_not_take_away_a_device_that_came_back(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    trouble("a.hub", HUB_REMOVE, ERR_HUB_UNAVAILABLE, 1, true);
    act = forget_and_register_at_a;
    act_at = HUB_REMOVE;
    hubs_of()->before = before;
    enter_dev1(w);
    run_down(w, 10);
    assert_int_equal(dev1(w)->status, STATUS_ASSIGNED);
    assert_slice(dev1(w)->assigned_hub, "a.hub");
    assert_non_null(identity_at("a.hub", "dev1"));
    assert_has_initial_twin("a.hub");
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_int_equal(identities(), 1);
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
        TEST(two_calls_at_once_make_one_move),
        TEST(of_two_calls_at_once_the_slower_has_the_answer_of_the_faster),
        TEST(an_enrollment_disabled_during_a_move_lets_nobody_in_and_loses_nothing),
        TEST(an_enrollment_disabled_while_the_old_identity_is_removed_leaves_that_named),
        TEST(a_registration_deleted_during_a_move_is_written_again),
        TEST(what_is_at_the_new_hub_is_named_though_the_registration_was_deleted_between_two_tries),
        TEST(a_device_that_waits_is_taken_to_the_same_hub_when_its_registration_was_deleted),
        TEST(a_registration_deleted_between_two_tries_is_written_again_though_the_settings_changed),
        TEST(a_service_deleted_between_two_tries_ends_the_operation),
        TEST(a_copy_that_stands_is_recorded_though_the_registration_was_deleted_between_two_tries),
        TEST(what_a_move_brought_to_a_hub_stays_named_when_the_device_was_registered_elsewhere_meanwhile),
        TEST(what_is_at_a_hub_is_named_though_the_device_was_registered_elsewhere_between_two_tries),
        TEST(a_move_that_did_nothing_yet_names_nothing_when_the_device_was_registered_elsewhere),
        TEST(a_late_removal_whose_answer_is_lost_does_not_take_away_a_device_that_came_back),
        TEST(a_late_removal_does_not_take_away_a_device_that_came_back),
        TEST(a_hub_unlinked_while_a_device_leaves_it_is_still_named),
        TEST(a_hub_unlinked_while_a_device_goes_there_is_named_until_it_may_be_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
