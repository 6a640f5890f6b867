// What happens when others act while a registration is under way: operators, the store, a stop.
#include "flow/flow_bench_test.h"

#include <stdio.h>

static void delete_enrollment(struct world *w, const char *id)
{
    struct store_request gone = {
        .verb = STORE_DELETE, .table = STORE_ENROLLMENT, .partition = SLICE(SCOPE), .key = slice_text(id)};
    store_do(w, &gone);
    assert_false(failed(gone.result));
}

static void count_idle(void *context)
{
    ++*(int *)context;
}

// Time goes on in steps of ms until nothing is under way.
static void run_down(struct world *w, int64_t ms)
{
    for (int i = 0; i < 400 && flow_under_way(w->flow) > 0; i++) {
        deliver(w, 2);
        pass(w, ms);
    }
    assert_int_equal(flow_under_way(w->flow), 0);
}

// ---- operators -------------------------------------------------------------------------------------------

static void an_enrollment_disabled_while_the_hub_is_away_lets_nobody_in(void **state)
{
    struct world *w = *state;
    w->hub_result = FAIL(ERR_HUB_UNAVAILABLE);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    put_enrollment(w, "dev1", PROVISIONING_DISABLED);
    size_t calls = w->hub_calls;
    w->hub_result = OK;
    until_answers(w, 1);
    run_down(w, 100);
    assert_int_equal(w->result.code, ERR_ENROLLMENT_DISABLED);
    assert_int_equal(w->hub_calls, calls);
    struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_int_equal(r->status, STATUS_DISABLED);
    assert_slice(r->intended_hub, HUB_HOST); // the call that was not answered may have got there (I4)
}

static void an_enrollment_deleted_while_the_hub_is_away_ends_the_operation(void **state)
{
    struct world *w = *state;
    w->hub_result = FAIL(ERR_HUB_UNAVAILABLE);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    delete_enrollment(w, "dev1");
    w->hub_result = OK;
    until_answers(w, 1);
    run_down(w, 100);
    assert_int_equal(w->status, STATUS_FAILED);
    struct registration *r = stored_registration(w, SLICE("dev1"));
    assert_int_equal(r->status, STATUS_FAILED);
    assert_int_equal(r->assigned_hub.len, 0);
    assert_slice(r->intended_hub, HUB_HOST);
}

static void a_registration_deleted_while_another_request_waits_for_it_is_made_anew(void **state)
{
    struct world *w = *state;
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    ask(w, FLOW_REGISTER, "dev1", "");
    for (int i = 0; i < 5; i++) { // it waits now
        deliver(w, 2);
        pass(w, 1);
    }
    delete_registration(w, "dev1");
    pass(w, 100);
    deliver(w, 1000); // it has seen that there is nothing to wait for, and writes its own intent
    pass(w, 1600);    // when the time for an answer is over
    until_hub_called(w, 2);
    until_answers(w, 2);
    assert_false(failed(w->result));
    assert_int_equal(w->status, STATUS_ASSIGNING);
    answer_hub(w, OK);
    answer_hub(w, OK);
    until_idle(w);
    assert_int_equal(stored_registration(w, SLICE("dev1"))->status, STATUS_ASSIGNED);
}

static void a_registration_deleted_while_the_hub_is_away_is_made_anew_for_who_waits(void **state)
{
    struct world *w = *state;
    w->hub_result = FAIL(ERR_HUB_UNAVAILABLE);
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    delete_registration(w, "dev1");
    w->hub_result = OK;
    until_answers(w, 1);
    assert_false(failed(w->result));
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void what_a_hub_took_is_recorded_even_if_its_record_was_deleted_and_the_flow_stops(void **state)
{
    struct world *w = *state;
    int idle = 0;
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    delete_registration(w, "dev1");
    flow_stop(w->flow, count_idle, &idle);
    answer_hub(w, OK);
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_int_equal(idle, 1);
    assert_int_equal(stored_registration(w, SLICE("dev1"))->status, STATUS_ASSIGNED);
}

// ---- who waits long --------------------------------------------------------------------------------------

static void put_enrollment_with_a_big_twin(struct world *w, const char *id)
{
    static char twin[24 * 1024];
    size_t at = (size_t)snprintf(twin, sizeof twin, "{\"properties\":{\"desired\":{");
    for (int i = 0; i < 10; i++) {
        at += (size_t)snprintf(twin + at, sizeof twin - at, "%s\"p%d\":\"", i > 0 ? "," : "", i);
        memset(twin + at, 'x', 2000);
        at += 2000;
        twin[at++] = '"';
    }
    (void)snprintf(twin + at, sizeof twin - at, "}}}");
    struct enrollment e = {.id = slice_text(id), .initial_twin = slice_text(twin), .etag = 7};
    e.provisioning_status = PROVISIONING_ENABLED;
    e.attestation = (struct attestation){
        .type = ATTESTATION_SYMMETRIC_KEY, .primary_key = device_key(), .secondary_key = device_key()};
    struct store_request put = {
        .verb = STORE_PUT, .table = STORE_ENROLLMENT, .partition = SLICE(SCOPE), .key = e.id, .record = &e};
    store_do(w, &put);
    assert_false(failed(put.result));
}

static void waiting_for_another_request_takes_no_more_memory_the_longer_it_lasts(void **state)
{
    struct world *w = *state;
    flow_free(w->flow);
    w->settings.inline_wait_ms = 60000;
    w->settings.operation_ms = 600000;
    make_flow(w);
    put_enrollment_with_a_big_twin(w, "dev1");
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    ask(w, FLOW_REGISTER, "dev1", "");
    for (int i = 0; i < 120; i++) {
        deliver(w, 2);
        pass(w, 100);
    }
    assert_int_equal(w->answers, 0);
    answer_hub(w, OK);
    until_answers(w, 2);
    assert_false(failed(w->result));
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void trying_a_hub_again_takes_no_more_memory_the_longer_it_lasts(void **state)
{
    struct world *w = *state;
    flow_free(w->flow);
    w->settings.operation_ms = 24 * 3600 * (int64_t)1000;
    make_flow(w);
    put_enrollment_with_a_big_twin(w, "dev1");
    w->hub_result = FAIL(ERR_HUB_UNAVAILABLE);
    ask(w, FLOW_REGISTER, "dev1", "");
    for (int i = 0; i < 4000 && w->hub_calls < 150; i++) {
        deliver(w, 2);
        pass(w, 30000);
    }
    assert_int_equal(w->hub_calls, 150);
    w->hub_result = OK;
    run_down(w, 30000);
    assert_int_equal(stored_registration(w, SLICE("dev1"))->status, STATUS_ASSIGNED);
}

// ---- a store in trouble ----------------------------------------------------------------------------------

// Stands in front of the store of the bench and refuses what a test says.
static struct store_client *behind;
static enum store_verb refused_verb;
static size_t let_through; // of that verb, before
static size_t refusals;    // how many then

static void answer_refused(struct mail *mail)
{
    struct store_request *request = CONTAINER_OF(mail, struct store_request, mail);
    request->done(request);
}

static struct world *current;

static void refuse_some(struct store_client *client, struct store_request *request)
{
    (void)client;
    bool refused = request->verb == refused_verb && let_through == 0 && refusals > 0;
    if (request->verb == refused_verb && let_through > 0)
        let_through--;
    if (!refused) {
        store_submit(behind, request);
        return;
    }
    refusals--;
    request->result = FAIL(ERR_OVERLOADED);
    request->found = NULL;
    request->admission = (struct store_admission){0};
    request->mail.deliver = answer_refused;
    mailbox_post(&current->replies, &request->mail);
}

static const struct store_methods refusing_methods = {.submit = refuse_some};
static struct store refusing_store = {.methods = &refusing_methods};
static struct store_client refusing = {.store = &refusing_store};

// From now on the flow's store refuses `count` requests of that verb, after the first `pass_first` of them.
static void refuse(struct world *w, enum store_verb verb, size_t pass_first, size_t count)
{
    current = w;
    behind = w->client;
    refused_verb = verb;
    let_through = pass_first;
    refusals = count;
    flow_free(w->flow);
    w->client = &refusing;
    make_flow(w);
    w->client = behind;
}

static void a_record_that_cannot_be_written_yet_leaves_no_device_without_an_answer(void **state)
{
    struct world *w = *state;
    refuse(w, STORE_PUT, 1, 1000); // the intent, and no more
    ask(w, FLOW_REGISTER, "dev1", "");
    for (int i = 0; i < 100; i++) {
        deliver(w, 2);
        pass(w, 50);
    }
    assert_int_equal(w->answers, 1);
    assert_false(failed(w->result));
    assert_int_equal(w->status, STATUS_ASSIGNING);
    assert_true(w->retry_after_s > 0);
    refusals = 0;
    run_down(w, 1000);
    ask(w, FLOW_OPERATION, "dev1", w->operation);
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void an_operation_goes_on_when_the_store_could_not_be_read_at_first(void **state)
{
    struct world *w = *state;
    w->hub_answers = false;
    ask(w, FLOW_REGISTER, "dev1", "");
    until_hub_called(w, 1);
    struct flow *crashed = w->flow;
    w->flow = NULL;
    refuse(w, STORE_ADMISSION, 0, 3);
    flow_resume(w->flow);
    w->hub_answers = true;
    run_down(w, 100);
    assert_int_equal(stored_registration(w, SLICE("dev1"))->status, STATUS_ASSIGNED);
    struct flow *resumed = w->flow;
    w->flow = crashed;
    answer_hub(w, OK);
    until_idle(w);
    flow_free(w->flow);
    w->flow = resumed;
}

// ---- stopping and starting -------------------------------------------------------------------------------

static void put_unfinished(struct world *w, const char *id)
{
    struct registration r = {.id = slice_text(id),
                             .status = STATUS_ASSIGNING,
                             .enrollment_kind = ENROLLMENT_INDIVIDUAL,
                             .enrollment_id = slice_text(id),
                             .operation_id = slice_text(id),
                             .intended_hub = SLICE(HUB_HOST),
                             .intended_device_id = slice_text(id),
                             .created_us = T0,
                             .updated_us = T0,
                             .etag = ++w->next_random};
    struct store_request put = {
        .verb = STORE_PUT, .table = STORE_REGISTRATION, .partition = SLICE(SCOPE), .key = r.id, .record = &r};
    store_do(w, &put);
    assert_false(failed(put.result));
    put_enrollment(w, id, PROVISIONING_ENABLED);
}

static void a_flow_is_not_idle_while_it_looks_for_unfinished_operations(void **state)
{
    struct world *w = *state;
    int idle = 0;
    put_unfinished(w, "left");
    flow_resume(w->flow);
    flow_stop(w->flow, count_idle, &idle);
    assert_int_equal(idle, 0);
    until_idle(w);
    assert_int_equal(idle, 1);
    assert_int_equal(stored_registration(w, SLICE("left"))->status, STATUS_ASSIGNING); // for the next start
}

static struct hub_request *held[4096];
static size_t held_count;

static void hold(struct hub_connector *connector, struct hub_request *request)
{
    (void)connector;
    assert_true(held_count < sizeof held / sizeof held[0]);
    held[held_count++] = request;
}

static void answer_held(struct mail *mail)
{
    struct hub_request *request = CONTAINER_OF(mail, struct hub_request, mail);
    request->done(request);
}

static void answer_all_held(struct world *w)
{
    while (held_count > 0) {
        struct hub_request *request = held[--held_count];
        request->result = OK;
        request->mail.deliver = answer_held;
        mailbox_post(&w->replies, &request->mail);
    }
}

static void many_unfinished_operations_are_taken_up_some_at_a_time(void **state)
{
    enum { MANY = 1500, AT_ONCE = 700 };
    struct world *w = *state;
    static const struct hub_methods holding = {.submit = hold};
    char id[16];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "left-%04d", i);
        put_unfinished(w, id);
    }
    w->hub.methods = &holding;
    held_count = 0;
    flow_resume(w->flow);
    size_t most = 0;
    for (int i = 0; i < 4000 && flow_under_way(w->flow) > 0; i++) {
        deliver(w, 2);
        pass(w, 50);
        most = flow_under_way(w->flow) > most ? flow_under_way(w->flow) : most;
        if (i % 10 == 9)
            answer_all_held(w);
    }
    assert_int_equal(flow_under_way(w->flow), 0);
    assert_in_range(most, 200, AT_ONCE);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "left-%04d", i);
        assert_int_equal(stored_registration(w, slice_text(id))->status, STATUS_ASSIGNED);
    }
}

// A hub that is away for the devices whose names begin with "left-".
static bool away;
static size_t taken; // of the others

static void serve_others(struct hub_connector *connector, struct hub_request *request)
{
    struct world *w = CONTAINER_OF(connector, struct world, hub);
    bool left = slice_starts_with(request->identity.device_id, SLICE("left-"));
    taken += !left;
    request->result = left && away ? FAIL(ERR_HUB_UNAVAILABLE) : OK;
    request->mail.deliver = answer_held;
    mailbox_post(&w->replies, &request->mail);
}

// The same for a hub that takes its time.
static void hold_left(struct hub_connector *connector, struct hub_request *request)
{
    if (slice_starts_with(request->identity.device_id, SLICE("left-")))
        hold(connector, request);
    else
        serve_others(connector, request);
}

static void put_many_unfinished(struct world *w, const char *kind, int count)
{
    char id[16];
    for (int i = 0; i < count; i++) {
        (void)snprintf(id, sizeof id, "%s-%04d", kind, i);
        put_unfinished(w, id);
    }
}

// Until so many of the others are at their hub, or most of an operation's life is over.
static void until_taken(struct world *w, size_t count)
{
    for (int64_t began_us = w->now_us; taken < count && w->now_us - began_us < 50000000;) {
        deliver(w, 5);
        pass(w, 50);
    }
    assert_int_equal(taken, count);
}

static void operations_that_wait_for_a_hub_that_is_away_hold_up_no_others(void **state)
{
    enum { LEFT = 450, WELL = 250 }; // more than are taken up at once, and than a page
    struct world *w = *state;
    static const struct hub_methods serving = {.submit = serve_others};
    put_many_unfinished(w, "left", LEFT);
    put_many_unfinished(w, "well", WELL);
    w->hub.methods = &serving;
    away = true;
    taken = 0;
    flow_resume(w->flow);
    until_taken(w, WELL);
    assert_true(flow_under_way(w->flow) >= LEFT); // none of them has ended
    away = false;
    run_down(w, 500);
    assert_int_equal(stored_registration(w, SLICE("left-0449"))->status, STATUS_ASSIGNED);
    assert_int_equal(stored_registration(w, SLICE("well-0249"))->status, STATUS_ASSIGNED);
}

static void devices_that_ask_hold_up_no_operations_that_were_left_unfinished(void **state)
{
    enum { ASKING = 450, WELL = 250 };
    struct world *w = *state;
    static const struct hub_methods holding = {.submit = hold_left};
    w->hub.methods = &holding;
    held_count = taken = 0;
    pass(w, 1); // after the process began
    char id[16];
    for (int i = 0; i < ASKING; i++) {
        (void)snprintf(id, sizeof id, "left-%04d", i);
        put_enrollment(w, id, PROVISIONING_ENABLED);
        ask(w, FLOW_REGISTER, id, "");
    }
    for (int i = 0; i < 2000 && held_count < ASKING; i++)
        deliver(w, 5);
    assert_int_equal(held_count, ASKING);
    put_many_unfinished(w, "well", WELL);
    flow_resume(w->flow);
    until_taken(w, WELL);
    assert_int_equal(held_count, ASKING); // none of them has ended
    answer_all_held(w);
    run_down(w, 50);
}

static void unfinished_operations_leave_room_for_devices_though_all_of_them_sleep(void **state)
{
    enum { LEFT = 700, MAX = 450 };
    struct world *w = *state;
    static const struct hub_methods serving = {.submit = serve_others};
    put_many_unfinished(w, "left", LEFT);
    w->hub.methods = &serving;
    w->flow->resumed_max = MAX;
    away = true;
    flow_resume(w->flow);
    size_t most = 0;
    for (int i = 0; i < 300; i++) {
        deliver(w, 2);
        pass(w, 100);
        most = flow_under_way(w->flow) > most ? flow_under_way(w->flow) : most;
    }
    assert_in_range(most, 200, MAX + 1); // and who looks for them
    away = false;
    run_down(w, 500);
    assert_int_equal(stored_registration(w, SLICE("left-0699"))->status, STATUS_ASSIGNED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(an_enrollment_disabled_while_the_hub_is_away_lets_nobody_in),
        TEST(an_enrollment_deleted_while_the_hub_is_away_ends_the_operation),
        TEST(a_registration_deleted_while_another_request_waits_for_it_is_made_anew),
        TEST(a_registration_deleted_while_the_hub_is_away_is_made_anew_for_who_waits),
        TEST(what_a_hub_took_is_recorded_even_if_its_record_was_deleted_and_the_flow_stops),
        TEST(waiting_for_another_request_takes_no_more_memory_the_longer_it_lasts),
        TEST(trying_a_hub_again_takes_no_more_memory_the_longer_it_lasts),
        TEST(a_record_that_cannot_be_written_yet_leaves_no_device_without_an_answer),
        TEST(an_operation_goes_on_when_the_store_could_not_be_read_at_first),
        TEST(a_flow_is_not_idle_while_it_looks_for_unfinished_operations),
        TEST(operations_that_wait_for_a_hub_that_is_away_hold_up_no_others),
        TEST(devices_that_ask_hold_up_no_operations_that_were_left_unfinished),
        TEST(unfinished_operations_leave_room_for_devices_though_all_of_them_sleep),
        TEST(many_unfinished_operations_are_taken_up_some_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
