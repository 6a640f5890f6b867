// A hub in the same store: identity and registration in one transaction, and what happens when that cannot
// be.
#include "flow/flow_bench_test.h"

// A connector that enlists: the device is a record under the hub's name, as the embedded hub keeps it.
static size_t enlist_calls;
static bool declines;

static bool enlist(struct hub_connector *connector, struct hub_request *request, struct store_request *put)
{
    (void)connector;
    enlist_calls++;
    if (declines)
        return false;
    struct device *device = arena_take(request->arena, sizeof *device);
    assert_non_null(device);
    *device = (struct device){.id = request->identity.device_id, .etag = 76 + enlist_calls};
    *put = (struct store_request){.verb = STORE_PUT,
                                  .table = STORE_DEVICE,
                                  .partition = SLICE(HUB_HOST),
                                  .key = device->id,
                                  .condition = STORE_IF_ABSENT,
                                  .record = device};
    return true;
}

static struct hub_methods enlisting;

static int setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    struct world *w = *state;
    enlisting = *w->hub.methods;
    enlisting.enlist = enlist;
    w->hub.methods = &enlisting;
    enlist_calls = 0;
    declines = false;
    return 0;
}

static const struct device *stored_device(struct world *w, struct slice id)
{
    struct store_request get = {
        .verb = STORE_GET, .table = STORE_DEVICE, .partition = SLICE(HUB_HOST), .key = id};
    store_do(w, &get);
    return failed(get.result) ? NULL : get.found;
}

static void put_device(struct world *w, const char *id, uint64_t etag)
{
    struct device device = {.id = slice_text(id), .etag = etag};
    struct store_request put = {.verb = STORE_PUT,
                                .table = STORE_DEVICE,
                                .partition = SLICE(HUB_HOST),
                                .key = device.id,
                                .record = &device};
    store_do(w, &put);
    assert_false(failed(put.result));
}

static void a_new_device_is_settled_without_calling_the_hub(void **state)
{
    struct world *w = *state;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 1);
    assert_false(failed(w->result));
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, HUB_HOST);
    assert_int_equal(w->hub_calls, 0);
    const struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_int_equal(r->substatus, SUBSTATUS_INITIAL_ASSIGNMENT);
    assert_slice(r->device_id, "dev1");
    assert_int_equal(r->intended_hub.len, 0);
    assert_non_null(stored_device(w, SLICE("dev1")));
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    ask(w, FLOW_OPERATION, "dev1", operation);
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void a_device_that_the_hub_has_already_is_adopted_step_by_step(void **state)
{
    struct world *w = *state;
    put_device(w, "dev1", 5);
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    const struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_int_equal(r->status, STATUS_ASSIGNING); // the intent comes first, as with any hub
    assert_slice(r->intended_hub, HUB_HOST);
    answer_hub(w, OK);
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_int_equal(stored_registration(w, SLICE("dev1"))->status, STATUS_ASSIGNED);
    assert_int_equal(stored_device(w, SLICE("dev1"))->etag, 5); // nothing was written over it
    assert_int_equal(enlist_calls, 1);
}

static void what_the_hub_will_not_enlist_is_submitted(void **state)
{
    struct world *w = *state;
    declines = true;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_int_equal(w->hub_calls, 1);
    assert_null(stored_device(w, SLICE("dev1")));
}

static void two_requests_at_once_are_settled_once(void **state)
{
    struct world *w = *state;
    ask(w, FLOW_REGISTER, "dev1", "");
    ask(w, FLOW_REGISTER, "DEV1", "");
    until_answers(w, 1);
    char first[80];
    memcpy(first, w->operation, sizeof first);
    uint64_t etag = stored_device(w, SLICE("dev1"))->etag;
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, HUB_HOST);
    until_idle(w);
    const struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_slice(r->operation_id, w->operation);
    assert_int_equal(enlist_calls, 2); // both began before either had ended
    assert_int_equal(w->hub_calls, 1);
    // the loser refreshed what the winner had made: nothing is left over
    assert_int_equal(stored_device(w, SLICE("dev1"))->etag, etag);
    struct store_request count = {.verb = STORE_COUNT, .table = STORE_DEVICE};
    store_do(w, &count);
    assert_int_equal(count.count, 1);
    ask(w, FLOW_OPERATION, "dev1", first);
    until_answers(w, 3);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void registering_again_refreshes_by_the_hub(void **state)
{
    struct world *w = *state;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 1);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_int_equal(w->hub_calls, 1);
    assert_int_equal(enlist_calls, 1);
}

static void a_device_that_may_be_there_already_is_not_settled_anew(void **state)
{
    struct world *w = *state;
    w->hub.methods = &(struct hub_methods){.submit = enlisting.submit};
    w->hub_result = FAIL(ERR_HUB_UNAVAILABLE);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    for (int i = 0; i < 400 && flow_under_way(w->flow) > 0; i++) {
        deliver(w, 2);
        pass(w, 1000);
    }
    assert_int_equal(stored_registration(w, SLICE("dev1"))->status, STATUS_FAILED);
    w->hub.methods = &enlisting;
    w->hub_result = OK;
    size_t calls = w->hub_calls, answers = w->answers;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_answers(w, answers + 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_int_equal(w->hub_calls, calls + 1);
    assert_int_equal(enlist_calls, 0);
}

static void strict_polling_answers_assigning_first_here_too(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
        TEST(a_new_device_is_settled_without_calling_the_hub),
        TEST(a_device_that_the_hub_has_already_is_adopted_step_by_step),
        TEST(what_the_hub_will_not_enlist_is_submitted),
        TEST(two_requests_at_once_are_settled_once),
        TEST(registering_again_refreshes_by_the_hub),
        TEST(a_device_that_may_be_there_already_is_not_settled_anew),
        TEST(strict_polling_answers_assigning_first_here_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
