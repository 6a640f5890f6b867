// The life of a registration.
#include "flow/flow_bench_test.h"

// ---- what devices notice
// ---------------------------------------------------------------------------------------------------------

static void a_device_is_assigned_in_its_first_round_trip(void **state)
{
    struct world *w = *state;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 1);
    assert_false(failed(w->result));
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, HUB_HOST);
    assert_int_equal(w->retry_after_s, 0);
    struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_non_null(r);
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_int_equal(r->intended_hub.len, 0);
}

static void the_intent_is_durable_before_the_hub_is_called(void **state)
{
    struct world *w = *state;
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_non_null(r);
    assert_int_equal(r->status, STATUS_ASSIGNING);
    assert_slice(r->intended_hub, HUB_HOST);
    assert_int_equal(w->answers, 0);
    answer_hub(w, OK);
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void what_takes_long_is_answered_assigning_and_can_be_polled(void **state)
{
    struct world *w = *state;
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    pass(w, 1600);
    assert_int_equal(w->answers, 1);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    assert_int_equal(w->retry_after_s, 2);
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    ask(w, FLOW_OPERATION, "dev1", operation);
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    answer_hub(w, OK);
    until_idle(w);
    ask(w, FLOW_OPERATION, "dev1", operation);
    until_answers(w, 3);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    ask(w, FLOW_OPERATION, "dev1", "5.0000000000000000.none");
    until_answers(w, 4);
    assert_int_equal(w->result.code, ERR_OPERATION_NOT_FOUND);
}

static void strict_polling_answers_assigning_first(void **state)
{
    struct world *w = *state;
    flow_free(w->flow);
    w->settings.strict_polling = true;
    make_flow(w);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    until_idle(w);
    ask(w, FLOW_OPERATION, "dev1", w->operation);
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void two_requests_at_once_end_in_one_operation_and_equal_answers(void **state)
{
    struct world *w = *state;
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    ask(w, FLOW_REGISTER, "DEV1", "");
    until_hub_called(w, 1);
    for (int i = 0; i < 50; i++) {
        deliver(w, 1);
        pass(w, 5);
    }
    assert_int_equal(w->hub_calls, 1);
    answer_hub(w, OK);
    until_answers(w, 1);
    char first[80];
    memcpy(first, w->operation, sizeof first);
    until_answers(w, 2);
    assert_string_equal(w->operation, first);
    assert_int_equal(w->hub_calls, 1);
}

static void registering_again_stays_and_refreshes(void **state)
{
    struct world *w = *state;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 1);
    char first[80];
    memcpy(first, w->operation, sizeof first);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_int_equal(w->hub_calls, 2);
    assert_string_not_equal(w->operation, first);
    ask(w, FLOW_OPERATION, "dev1", first); // a slow poller of the operation before
    until_answers(w, 3);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void a_hub_that_cannot_be_reached_is_tried_again(void **state)
{
    struct world *w = *state;
    w->hub_result = FAIL(ERR_HUB_UNAVAILABLE);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    for (int i = 0; i < 20; i++) {
        deliver(w, 2);
        pass(w, 100);
    }
    assert_true(w->hub_calls > 2);
    assert_int_equal(w->answers, 1);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    w->hub_result = OK;
    for (int i = 0; i < 400 && flow_under_way(w->flow) > 0; i++) {
        deliver(w, 2);
        pass(w, 100);
    }
    assert_int_equal(stored_registration(w, SLICE("dev1"))->status, STATUS_ASSIGNED);
}

static void a_hub_that_stays_away_ends_the_operation_but_not_its_trace(void **state)
{
    struct world *w = *state;
    w->hub_result = FAIL(ERR_HUB_UNAVAILABLE);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    for (int i = 0; i < 400 && flow_under_way(w->flow) > 0; i++) {
        deliver(w, 2);
        pass(w, 1000);
    }
    struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_int_equal(r->status, STATUS_FAILED);
    assert_slice(r->intended_hub, HUB_HOST); // what the hub may hold stays named (I4)
    assert_int_equal(r->error_code, 503006);
}

static void a_hub_that_refuses_fails_the_registration_at_once(void **state)
{
    struct world *w = *state;
    w->hub_result = FAIL(ERR_HUB_UNAUTHORIZED);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 1);
    assert_false(failed(w->result));
    assert_int_equal(w->status, STATUS_FAILED);
    struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_int_equal(r->error_code, 400209);
    assert_int_equal(r->intended_hub.len, 0);
}

// A hub that took the identity and refused the rest: where the device goes next, and what is recorded.
static void what_a_refusing_hub_holds_stays_named(void **state)
{
    struct world *w = *state;
    w->hub_result = FAIL(ERR_HUB_UNAUTHORIZED);
    w->hub_left_there = true;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_FAILED);
    assert_slice(stored_registration(w, SLICE("dev1"))->intended_hub, HUB_HOST);
    w->hub_left_there = false; // refused before anything was done, but what is there is still there
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 2);
    assert_slice(stored_registration(w, SLICE("dev1"))->intended_hub, HUB_HOST);
    w->hub_result = OK;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 3);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_int_equal(stored_registration(w, SLICE("dev1"))->intended_hub.len, 0);
}

static void a_refusal_after_an_unknown_outcome_does_not_unname_what_may_be_there(void **state)
{
    struct world *w = *state;
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    answer_hub(w, FAIL(ERR_HUB_UNAVAILABLE)); // it may have been done
    for (int i = 0; i < 100 && w->hub_calls < 2; i++) {
        deliver(w, 2);
        pass(w, 10);
    }
    answer_hub(w, FAIL(ERR_HUB_UNAUTHORIZED));
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_FAILED);
    assert_slice(stored_registration(w, SLICE("dev1"))->intended_hub, HUB_HOST);
}

static void a_disabled_enrollment_refuses_and_leaves_a_record(void **state)
{
    struct world *w = *state;
    put_enrollment(w, "dev2", PROVISIONING_DISABLED);
    ask(w, FLOW_AUTHENTICATE, "dev2", "");
    until_answers(w, 1);
    assert_false(failed(w->result));
    ask(w, FLOW_REGISTER, "dev2", "");
    until_answers(w, 2);
    assert_int_equal(w->result.code, ERR_ENROLLMENT_DISABLED);
    assert_int_equal(stored_registration(w, SLICE("dev2"))->status, STATUS_DISABLED);
    assert_int_equal(w->hub_calls, 0);
}

static void a_device_that_asks_without_end_is_slowed_down_and_no_other(void **state)
{
    struct world *w = *state;
    w->flow->settings.device_requests_per_s = 1;
    put_enrollment(w, "dev2", PROVISIONING_ENABLED);
    put_enrollment(w, "dev3", PROVISIONING_DISABLED);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 1);
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    unsigned answers = 1;
    for (; answers < 10; until_answers(w, answers)) {
        ask(w, FLOW_OPERATION, "DEV1", operation);
        answers++;
    }
    assert_false(failed(w->result));
    ask(w, FLOW_OPERATION, "dev1", operation);
    until_answers(w, ++answers);
    assert_int_equal(w->result.code, ERR_THROTTLED);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, ++answers);
    assert_int_equal(w->result.code, ERR_THROTTLED);
    ask(w, FLOW_REGISTER, "dev2", "");
    until_answers(w, ++answers);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    pass(w, 1000);
    ask(w, FLOW_OPERATION, "dev1", operation);
    until_answers(w, ++answers);
    assert_false(failed(w->result));
    for (int i = 0; i < 11; i++) { // each time a record would be written
        ask(w, FLOW_REGISTER, "dev3", "");
        until_answers(w, ++answers);
    }
    assert_int_equal(w->result.code, ERR_THROTTLED);
}

static void strangers_are_refused_without_a_record(void **state)
{
    struct world *w = *state;
    ask(w, FLOW_REGISTER, "nobody", "");
    until_answers(w, 1);
    assert_int_equal(w->result.code, ERR_REGISTRATION_UNKNOWN);
    assert_null(stored_registration(w, SLICE("nobody")));
}

static void refusals_leave_no_line_when_there_were_enough(void **state)
{
    struct world *w = *state;
    put_enrollment(w, "dev2", PROVISIONING_DISABLED);
    ask(w, FLOW_REGISTER, "nobody", "");
    until_answers(w, 1);
    assert_int_equal(w->lines, 1);
    ask(w, FLOW_REGISTER, "dev2", "");
    until_answers(w, 2);
    assert_int_equal(w->lines, 2);
    w->silent = true;
    ask(w, FLOW_REGISTER, "nobody", "");
    until_answers(w, 3);
    assert_int_equal(w->result.code, ERR_REGISTRATION_UNKNOWN);
    ask(w, FLOW_REGISTER, "dev2", ""); // it has proved who it is, and may ask without end all the same
    until_answers(w, 4);
    assert_int_equal(w->result.code, ERR_ENROLLMENT_DISABLED);
    ask(w, FLOW_OPERATION, "dev1", "5.0000000000000000.none");
    until_answers(w, 5);
    assert_int_equal(w->result.code, ERR_OPERATION_NOT_FOUND);
    assert_int_equal(w->lines, 2);
}

static void an_unfinished_operation_is_taken_up_after_a_restart(void **state)
{
    struct world *w = *state;
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    pass(w, 1600); // answered `assigning`
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    struct flow *crashed = w->flow; // its call at the hub is never answered
    make_flow(w);
    w->hub_answers = true;
    flow_resume(w->flow);
    until_hub_called(w, 2);
    until_idle(w);
    ask(w, FLOW_OPERATION, "dev1", operation);
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, HUB_HOST);
    // the crashed one's late answer finds that somebody else finished, and changes nothing
    struct flow *resumed = w->flow;
    uint64_t etag = stored_registration(w, SLICE("dev1"))->etag;
    w->flow = crashed;
    answer_hub(w, OK);
    until_idle(w);
    flow_free(w->flow);
    w->flow = resumed;
    assert_true(stored_registration(w, SLICE("dev1"))->etag == etag);
}

static void stop_waits_for_what_is_under_way(void **state)
{
    struct world *w = *state;
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    flow_stop(w->flow, (void (*)(void *))abort, NULL); // must not be idle yet
    assert_null(flow_request_new(w->flow));
    w->flow->idle = NULL;
    answer_hub(w, OK);
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(a_device_is_assigned_in_its_first_round_trip),
        TEST(the_intent_is_durable_before_the_hub_is_called),
        TEST(what_takes_long_is_answered_assigning_and_can_be_polled),
        TEST(strict_polling_answers_assigning_first),
        TEST(two_requests_at_once_end_in_one_operation_and_equal_answers),
        TEST(registering_again_stays_and_refreshes),
        TEST(a_hub_that_cannot_be_reached_is_tried_again),
        TEST(a_hub_that_stays_away_ends_the_operation_but_not_its_trace),
        TEST(a_hub_that_refuses_fails_the_registration_at_once),
        TEST(what_a_refusing_hub_holds_stays_named),
        TEST(a_refusal_after_an_unknown_outcome_does_not_unname_what_may_be_there),
        TEST(a_disabled_enrollment_refuses_and_leaves_a_record),
        TEST(a_device_that_asks_without_end_is_slowed_down_and_no_other),
        TEST(strangers_are_refused_without_a_record),
        TEST(refusals_leave_no_line_when_there_were_enough),
        TEST(an_unfinished_operation_is_taken_up_after_a_restart),
        TEST(stop_waits_for_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
