// Custom allocation: when the webhook is asked, what the device is told meanwhile, and what a restart makes
// of it.
#include "flow/flow_hubs_test.h"

#include <stdio.h>

struct function {
    struct webhook webhook; // first
    struct world *world;
    bool holds;
    struct webhook_request *waiting;
    const char *says; // NULL: it fails
    size_t asked;
    char question[4000];
    char traceparent[64];
    char url[100];
    int64_t deadline_ms;
};

static struct function function;

static void answer(struct mail *mail)
{
    struct webhook_request *request = CONTAINER_OF(mail, struct webhook_request, mail);
    request->done(request);
}

static void function_answers(void)
{
    struct webhook_request *request = function.waiting;
    assert_non_null(request);
    function.waiting = NULL;
    if (function.says != NULL)
        assert_false(failed(arena_copy(request->arena, slice_text(function.says), &request->answer)));
    else
        request->result =
            why_fail(&request->why, ERR_WEBHOOK, "Custom allocation failed with status code: 500");
    request->mail.deliver = answer;
    mailbox_post(&function.world->replies, &request->mail);
}

static void take(struct webhook *webhook, struct webhook_request *request)
{
    (void)webhook;
    function.asked++;
    (void)snprintf(function.question, sizeof function.question, "%.*s", SLICE_ARG(request->body));
    (void)snprintf(function.traceparent, sizeof function.traceparent, "%.*s",
                   SLICE_ARG(request->traceparent));
    (void)snprintf(function.url, sizeof function.url, "%.*s", SLICE_ARG(request->url));
    function.deadline_ms = request->deadline_ms;
    function.waiting = request;
    if (!function.holds)
        function_answers();
}

static const struct webhook_methods function_methods = {.submit = take};

#define GOES_TO_B "{\"iotHubHostName\":\"b.hub\"}"

static int setup(void **state)
{
    if (hubs_setup(state) != 0)
        return -1;
    struct world *w = *state;
    function = (struct function){.webhook = {&function_methods}, .world = w, .says = GOES_TO_B};
    w->webhook = &function.webhook;
    start_again(w);
    enroll_custom(w, "abc", MIGRATE);
    return 0;
}

static void assert_is_at_b(struct world *w, enum registration_substatus substatus)
{
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_ASSIGNED);
    assert_slice(r->assigned_hub, "b.hub");
    assert_int_equal(r->substatus, substatus);
    assert_int_equal(r->question.len, 0);
    assert_int_equal(r->twin.len, 0);
    assert_int_equal(r->intended_hub.len, 0);
    assert_non_null(identity_at("b.hub", "dev1"));
    assert_int_equal(identities(), 1);
    assert_names_hold();
}

// Time goes on until the webhook was asked n times.
static void until_asked(struct world *w, size_t n)
{
    for (int i = 0; i < 2000 && function.asked < n; i++) {
        deliver(w, 1);
        pass(w, 0);
    }
    assert_int_equal(function.asked, n);
}

static void ask_with_payload(struct world *w)
{
    ask_from(w, "[2001:db8::7]:40312", "{\"model\":7}");
}

// ---- in time
// -----------------------------------------------------------------------------------------------------------------

static void the_webhook_chooses_the_hub_and_nothing_is_written_before(void **state)
{
    struct world *w = *state;
    enter_dev1(w);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "b.hub");
    assert_int_equal(function.asked, 1);
    assert_string_equal(function.url, "https://function.example/allocate?code=secret");
    assert_int_equal(function.deadline_ms, 5000);
    assert_string_equal(hubs_of()->journal, "put,assign b.hub set,put,");
    assert_is_at_b(w, SUBSTATUS_INITIAL_ASSIGNMENT);
}

static void each_question_can_be_followed_by_its_trace(void **state)
{
    struct world *w = *state;
    enter_dev1(w);
    assert_int_equal(strlen(function.traceparent), 55);
    assert_memory_equal(function.traceparent, "00-", 3);
    assert_memory_equal(function.traceparent + 52, "-01", 3);
    char key[60], first[64];
    (void)snprintf(key, sizeof key, "\"traceId\":\"%.32s\"", function.traceparent + 3);
    assert_non_null(strstr(w->line, key));
    memcpy(first, function.traceparent, sizeof first);
    enter_dev1(w);
    assert_int_equal(function.asked, 2);
    assert_string_not_equal(function.traceparent, first);
}

static void what_the_webhook_gives_the_device_is_recorded(void **state)
{
    struct world *w = *state;
    function.says = "{\"iotHubHostName\":\"b.hub\",\"payload\":{\"a\":1}}";
    enter_dev1(w);
    assert_slice(dev1(w)->payload, "{\"a\":1}");
    function.says = GOES_TO_B; // and once it gives nothing, there is nothing
    enter_dev1(w);
    assert_int_equal(dev1(w)->payload.len, 0);
}

static void its_twin_counts_instead_of_the_devices_data(void **state)
{
    struct world *w = *state;
    function.says = "{\"iotHubHostName\":\"a.hub\"}";
    enter_dev1(w);
    set_twin("a.hub", "{\"tags\":{\"own\":1}}", "{\"seen\":2}");
    function.says = "{\"iotHubHostName\":\"b.hub\",\"initialTwin\":{\"tags\":{\"given\":1}}}";
    enter_dev1(w);
    assert_is_at_b(w, SUBSTATUS_DATA_RESET);
    assert_string_equal(identity_at("b.hub", "dev1")->twin, "{\"tags\":{\"given\":1}}");
    assert_string_equal(identity_at("b.hub", "dev1")->reported, "");
}

static void a_webhook_that_fails_fails_the_registration_and_says_why(void **state)
{
    struct world *w = *state;
    function.says = NULL;
    enter_dev1(w);
    assert_int_equal(w->status, STATUS_FAILED);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_FAILED);
    assert_int_equal(r->error_code, 400207);
    assert_non_null(strstr(w->line, "Custom allocation failed with status code: 500"));
    assert_null(strstr(w->line, "code=secret"));
    assert_int_equal(identities(), 0);
}

static void a_device_that_has_a_hub_keeps_it_when_the_webhook_fails(void **state)
{
    struct world *w = *state;
    enter_dev1(w);
    function.says = "{\"iotHubHostName\":\"d.hub\"}"; // no candidate
    enter_dev1(w);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_FAILED);
    assert_int_equal(r->error_code, 400207);
    assert_slice(r->assigned_hub, "b.hub");
    assert_int_equal(identities(), 1);
    assert_names_hold();
}

static void a_device_that_is_never_reprovisioned_asks_nobody(void **state)
{
    struct world *w = *state;
    enter_dev1(w);
    enroll_custom(w, "abc", NEVER);
    enter_dev1(w);
    assert_int_equal(function.asked, 1);
    assert_is_at_b(w, SUBSTATUS_INITIAL_ASSIGNMENT);
}

static void without_a_caller_of_webhooks_the_registration_fails(void **state)
{
    struct world *w = *state;
    w->webhook = NULL;
    start_again(w);
    enter_dev1(w);
    assert_int_equal(w->status, STATUS_FAILED);
    assert_int_equal(dev1(w)->error_code, 400207);
}

// ---- not in time
// ------------------------------------------------------------------------------------------------------------

// The device asks, and is told `assigning` when its time for an answer is over.
static void be_told_assigning(struct world *w)
{
    function.holds = true;
    ask_with_payload(w);
    until_asked(w, 1);
    assert_int_equal(w->answers, 0);
    assert_null(stored_registration(w, SLICE("dev1")));
    pass(w, 1600);
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNING);
}

static void a_device_polls_while_the_webhook_is_slow(void **state)
{
    struct world *w = *state;
    be_told_assigning(w);
    const struct registration *r = dev1(w);
    assert_int_equal(r->status, STATUS_ASSIGNING);
    assert_int_equal(r->intended_hub.len, 0);
    assert_slice(r->question, "{\"model\":7}");
    assert_slice(r->operation_id, w->operation);
    assert_slice(r->address, "2001:db8::7");
    char operation[80];
    memcpy(operation, w->operation, sizeof operation);
    ask(w, FLOW_OPERATION, "dev1", operation);
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    function_answers();
    run_down(w, 1);
    ask(w, FLOW_OPERATION, "dev1", operation);
    until_answers(w, 3);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_string_equal(w->hub_name, "b.hub");
    assert_is_at_b(w, SUBSTATUS_INITIAL_ASSIGNMENT);
    assert_int_equal(function.asked, 1);
}

static void a_webhook_that_fails_late_fails_the_operation_that_was_told(void **state)
{
    struct world *w = *state;
    be_told_assigning(w);
    function.says = NULL;
    function_answers();
    run_down(w, 1);
    ask(w, FLOW_OPERATION, "dev1", w->operation);
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_FAILED);
    assert_int_equal(dev1(w)->error_code, 400207);
}

static void the_webhook_may_answer_while_the_question_is_written(void **state)
{
    struct world *w = *state;
    function.holds = true;
    ask_with_payload(w);
    until_asked(w, 1);
    pass(w, 1600); // the question is on its way to the store
    function_answers();
    run_down(w, 1);
    assert_int_equal(w->answers, 1);
    assert_is_at_b(w, SUBSTATUS_INITIAL_ASSIGNMENT);
    assert_slice(dev1(w)->operation_id, w->operation);
}

static void with_strict_polling_the_question_comes_first(void **state)
{
    struct world *w = *state;
    w->settings.strict_polling = true;
    start_again(w);
    function.holds = true;
    ask_with_payload(w);
    until_answers(w, 1);
    assert_int_equal(w->status, STATUS_ASSIGNING);
    function_answers();
    run_down(w, 1);
    ask(w, FLOW_OPERATION, "dev1", w->operation);
    until_answers(w, 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
}

static void another_call_waits_for_the_same_answer(void **state)
{
    struct world *w = *state;
    be_told_assigning(w);
    ask(w, FLOW_REGISTER, "dev1", "");
    for (int i = 0; i < 5; i++) {
        deliver(w, 1);
        pass(w, 5);
    }
    assert_int_equal(function.asked, 1);
    function_answers();
    run_down(w, 5);
    assert_int_equal(w->answers, 2);
    assert_int_equal(w->status, STATUS_ASSIGNED);
    assert_int_equal(function.asked, 1);
    assert_is_at_b(w, SUBSTATUS_INITIAL_ASSIGNMENT);
}

static void a_registration_deleted_while_the_webhook_is_asked_is_made_anew(void **state)
{
    struct world *w = *state;
    be_told_assigning(w);
    delete_registration(w, "dev1");
    function_answers();
    run_down(w, 1);
    assert_is_at_b(w, SUBSTATUS_INITIAL_ASSIGNMENT);
    assert_slice(dev1(w)->operation_id, w->operation);
}

static void a_restart_asks_again(void **state)
{
    struct world *w = *state;
    for (int event = 1; event <= 4; event++) {
        for (int after = 0; after < 2; after++) {
            function.asked = 0;
            w->answers = 0;
            hubs_of()->events = 0;
            hubs_of()->dies_at = event;
            hubs_of()->dies_after = after != 0;
            function.holds = true;
            function.says = "{\"iotHubHostName\":\"b.hub\",\"payload\":{\"a\":1}}";
            ask_with_payload(w);
            until_asked(w, 1);
            pass(w, 1600);
            function.question[0] = '\0';
            for (int i = 0; i < 200 && flow_under_way(w->flow) > 0; i++) {
                if (i == 20)
                    function_answers();
                if (hubs_of()->dead)
                    break;
                deliver(w, 1);
            }
            if (function.waiting != NULL)
                function_answers();
            run_down(w, 1);
            assert_true(hubs_of()->dead);
            start_again(w);
            function.holds = false;
            flow_resume(w->flow);
            run_down(w, 10);
            if (event == 1 && after == 0) { // it was never told anything
                ask_with_payload(w);
                run_down(w, 1);
            }
            if (event == 1) // it was asked once more, the same
                assert_non_null(strstr(function.question, "{\"model\":7}"));
            assert_is_at_b(w, SUBSTATUS_INITIAL_ASSIGNMENT);
            assert_slice(dev1(w)->payload, "{\"a\":1}");
            delete_registration(w, "dev1");
            memset(hubs_of()->identities, 0, sizeof hubs_of()->identities);
            hubs_of()->record = (struct registration){0};
            hubs_of()->was_assigned = false;
        }
    }
}

static void a_restart_remembers_the_twin_that_the_webhook_gave(void **state)
{
    struct world *w = *state;
    function.says = "{\"iotHubHostName\":\"b.hub\",\"initialTwin\":{\"tags\":{\"given\":1}}}";
    hubs_of()->dies_at = 2; // what it chose is durable, and the hub was not called
    enter_dev1(w);
    assert_true(hubs_of()->dead);
    start_again(w);
    flow_resume(w->flow);
    run_down(w, 10);
    assert_int_equal(function.asked, 1);
    assert_is_at_b(w, SUBSTATUS_INITIAL_ASSIGNMENT);
    assert_string_equal(identity_at("b.hub", "dev1")->twin, "{\"tags\":{\"given\":1}}");
}

static void what_the_webhook_gives_is_recorded_also_for_a_device_that_is_never_reprovisioned(void **state)
{
    struct world *w = *state;
    enroll_custom(w, "abc", NEVER);
    function.says = NULL;
    enter_dev1(w);
    assert_int_equal(w->status, STATUS_FAILED);
    function.says = "{\"iotHubHostName\":\"b.hub\",\"payload\":{\"a\":1}}";
    enter_dev1(w);
    assert_int_equal(function.asked, 2);
    assert_slice(dev1(w)->assigned_hub, "b.hub");
    assert_slice(dev1(w)->payload, "{\"a\":1}");
    enter_dev1(w); // nobody is asked, and it is told the same
    assert_int_equal(function.asked, 2);
    assert_slice(dev1(w)->payload, "{\"a\":1}");
}

static void a_device_that_is_never_reprovisioned_is_told_nothing_of_a_hub_that_was_unlinked(void **state)
{
    struct world *w = *state;
    enroll_custom(w, "abc", NEVER);
    function.says = "{\"iotHubHostName\":\"b.hub\",\"payload\":{\"key\":\"of b\"}}";
    enter_dev1(w);
    assert_slice(dev1(w)->payload, "{\"key\":\"of b\"}");
    link_hubs(w, "ac", UNREACHABLE_UNSET);
    enroll_custom(w, "ac", NEVER);
    function.says = "{\"iotHubHostName\":\"c.hub\",\"payload\":{\"key\":\"of c\"}}";
    enter_dev1(w);
    assert_int_equal(function.asked, 2);
    assert_slice(dev1(w)->assigned_hub, "c.hub");
    assert_slice(dev1(w)->payload, "{\"key\":\"of c\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hubs_teardown)
        TEST(the_webhook_chooses_the_hub_and_nothing_is_written_before),
        TEST(each_question_can_be_followed_by_its_trace),
        TEST(what_the_webhook_gives_the_device_is_recorded),
        TEST(its_twin_counts_instead_of_the_devices_data),
        TEST(a_webhook_that_fails_fails_the_registration_and_says_why),
        TEST(a_device_that_has_a_hub_keeps_it_when_the_webhook_fails),
        TEST(a_device_that_is_never_reprovisioned_asks_nobody),
        TEST(without_a_caller_of_webhooks_the_registration_fails),
        TEST(a_device_polls_while_the_webhook_is_slow),
        TEST(a_webhook_that_fails_late_fails_the_operation_that_was_told),
        TEST(the_webhook_may_answer_while_the_question_is_written),
        TEST(with_strict_polling_the_question_comes_first),
        TEST(another_call_waits_for_the_same_answer),
        TEST(a_registration_deleted_while_the_webhook_is_asked_is_made_anew),
        TEST(a_restart_asks_again),
        TEST(a_restart_remembers_the_twin_that_the_webhook_gave),
        TEST(what_the_webhook_gives_is_recorded_also_for_a_device_that_is_never_reprovisioned),
        TEST(a_device_that_is_never_reprovisioned_is_told_nothing_of_a_hub_that_was_unlinked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
