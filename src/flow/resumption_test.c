// What a start takes up: operations that an earlier process left, and none that is running right now.
#include "flow/flow_hubs_test.h"

// dev1 is on its way from a.hub to b.hub, and its data is being read.
static void begin_move(struct world *w)
{
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    pass(w, 1); // after the process began
    hubs_of()->journal[0] = '\0';
    hubs_of()->holds = true;
    size_t calls = w->hub_calls;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, calls + 1);
}

static void let_go(struct world *w)
{
    hubs_of()->holds = false;
    while (w->call_count > 0)
        mailbox_post(&w->replies, &w->calls[--w->call_count]->mail);
}

static void an_operation_that_began_after_the_start_is_left_alone(void **state)
{
    struct world *w = *state;
    begin_move(w);
    flow_resume(w->flow); // listeners accept before it has come to its last page
    for (int i = 0; i < 20; i++)
        deliver(w, 1);
    assert_string_equal(hubs_of()->journal, "put,read a.hub,");
    let_go(w);
    run_down(w, 1);
    assert_string_equal(hubs_of()->journal, "put,read a.hub,assign b.hub import,put,remove a.hub,put,");
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("b.hub");
}

static void an_operation_is_carried_on_by_one_run_alone(void **state)
{
    struct world *w = *state;
    begin_move(w);
    struct registration taken = *dev1(w);
    uint64_t etag = taken.etag;
    run_resume(w->flow, &taken, SLICE(SCOPE));
    size_t calls = w->hub_calls;
    until_hub_called(w, calls + 1); // it reads too
    assert_true(dev1(w)->etag != etag);
    struct hub_request *second = w->calls[--w->call_count];
    let_go(w); // the first
    for (int i = 0; i < 20; i++)
        deliver(w, 1);
    assert_non_null(identity_at("a.hub", "dev1")); // it lost, and removes nothing
    mailbox_post(&w->replies, &second->mail);
    run_down(w, 1);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("b.hub");
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "b.hub");
}

static bool moved;

// The device was moved by somebody who is not known of, and its data is at b.hub.
static void move_it(struct hubs *hubs, const struct hub_request *request)
{
    if (request->verb != HUB_READ)
        return;
    hubs->before = NULL;
    moved = true;
    struct identity *at = identity_at("a.hub", "dev1");
    assert_non_null(at);
    memcpy(at->hub, "b.hub", sizeof "b.hub");
    struct registration r = *dev1(hubs->world);
    r.status = STATUS_ASSIGNED;
    r.substatus = SUBSTATUS_DATA_MIGRATED;
    r.assigned_hub = SLICE("b.hub");
    r.intended_hub = r.intended_device_id = r.left_hub = r.left_device_id = (struct slice){0};
    r.plan_steps = 0;
    r.etag++;
    struct store_request put = {.verb = STORE_PUT,
                                .table = STORE_REGISTRATION,
                                .partition = SLICE(SCOPE),
                                .key = SLICE("dev1"),
                                .record = &r};
    store_do(hubs->world, &put);
}

static void an_old_hub_that_has_nothing_any_more_has_the_record_looked_at_again(void **state)
{
    struct world *w = *state;
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    hubs_of()->before = move_it;
    enter_dev1(w);
    assert_true(moved);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("b.hub");
    assert_string_equal(w->hub_name, "b.hub");
}

static void an_operation_that_nobody_carries_on_is_taken_up_when_none_lives_that_long(void **state)
{
    struct world *w = *state;
    begin_move(w);
    struct registration abandoned = *dev1(w);
    let_go(w);
    run_down(w, 1);
    // as if the store had lost what came after
    abandoned.etag = ++w->next_random;
    struct store_request put = {.verb = STORE_PUT,
                                .table = STORE_REGISTRATION,
                                .partition = SLICE(SCOPE),
                                .key = SLICE("dev1"),
                                .record = &abandoned};
    store_do(w, &put);
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_int_equal(dev1(w)->status, STATUS_ASSIGNING);
    pass(w, w->settings.operation_ms + 2 * 60 * 1000);
    pass(w, 60 * 1000);
    run_down(w, 1);
    assert_int_equal(dev1(w)->status, STATUS_ASSIGNED);
    assert_slice(dev1(w)->assigned_hub, "b.hub");
}

// As if the clock had been ahead by so much when it was written: it was set back since.
static void put_as_written(struct world *w, int64_t ahead_s)
{
    struct registration r = *dev1(w);
    r.updated_us = w->now_us + ahead_s * 1000000;
    struct store_request put = {.verb = STORE_PUT,
                                .table = STORE_REGISTRATION,
                                .partition = SLICE(SCOPE),
                                .key = SLICE("dev1"),
                                .record = &r};
    store_do(w, &put);
    assert_false(failed(put.result));
}

// The move of dev1 is cut off when its intention is durable, and the process starts again.
static void start_after_a_cut(struct world *w, int64_t ahead_s)
{
    settle_at_a(w);
    enroll(w, "b", MIGRATE);
    hubs_of()->events = 0;
    hubs_of()->dies_at = 2;
    ask(w, FLOW_REGISTER, "dev1", "");
    run_down(w, 1);
    assert_true(hubs_of()->dead);
    start_again(w);
    assert_int_equal(dev1(w)->status, STATUS_ASSIGNING);
    put_as_written(w, ahead_s);
}

static void an_operation_is_taken_up_by_a_start_whose_clock_was_set_back(void **state)
{
    struct world *w = *state;
    start_after_a_cut(w, 3600);
    flow_resume(w->flow);
    run_down(w, 1);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
    assert_has_own_data("b.hub");
}

static void an_abandoned_operation_is_taken_up_though_the_clock_was_set_back(void **state)
{
    struct world *w = *state;
    start_after_a_cut(w, 3600);
    flow_tidy(w->flow);
    run_down(w, 1);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
}

static void a_device_does_not_wait_until_a_clock_that_was_set_back_has_caught_up(void **state)
{
    struct world *w = *state;
    start_after_a_cut(w, 3600);
    enter_dev1(w);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "b.hub");
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
}

static void a_clock_that_is_a_little_behind_has_nobodys_operation_taken_up(void **state)
{
    struct world *w = *state;
    begin_move(w);
    put_as_written(w, 30);
    uint64_t etag = dev1(w)->etag;
    size_t calls = w->hub_calls;
    flow_resume(w->flow);
    flow_tidy(w->flow);
    ask(w, FLOW_REGISTER, "dev1", "");
    for (int i = 0; i < 20; i++)
        deliver(w, 1);
    assert_int_equal(dev1(w)->etag, etag);
    assert_int_equal(w->hub_calls, calls);
    let_go(w);
    run_down(w, 1);
    assert_is_only_at(w, "b.hub", SUBSTATUS_DATA_MIGRATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, hubs_setup, hubs_teardown)
        TEST(an_operation_that_began_after_the_start_is_left_alone),
        TEST(an_operation_is_carried_on_by_one_run_alone),
        TEST(an_operation_that_nobody_carries_on_is_taken_up_when_none_lives_that_long),
        TEST(an_operation_is_taken_up_by_a_start_whose_clock_was_set_back),
        TEST(an_abandoned_operation_is_taken_up_though_the_clock_was_set_back),
        TEST(a_device_does_not_wait_until_a_clock_that_was_set_back_has_caught_up),
        TEST(a_clock_that_is_a_little_behind_has_nobodys_operation_taken_up),
        TEST(an_old_hub_that_has_nothing_any_more_has_the_record_looked_at_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
