// The life of a registration, against the memory store, a hub that does what a test says, and time that stands still until
// a test moves it.
#include "base/testing.h"

#include "crypto/keys.h"
#include <stdio.h>

#include "flow/run.h"
#include "store/memory/memory.h"

#define T0       (INT64_C(1700000000) * 1000000)
#define SCOPE    "0ne000A0B1C"
#define HUB_HOST "hub.local"

struct world {
    struct clock clock; // first
    struct random random;
    struct poller poller;
    struct hub_connector hub;
    struct mailbox replies;
    struct store *store;
    struct store_client *client;
    struct directory *directory;
    struct flow *flow;
    struct flow_settings settings;
    struct arena arena;
    int64_t now_us;
    uint64_t next_random;
    struct poll_timer *timers[64];
    int64_t due_us[64];
    struct hub_request *calls[64]; // at the hub, not answered yet
    size_t call_count;
    bool hub_answers; // at once, with hub_result
    struct err hub_result;
    size_t hub_calls;
    // what the last request came to
    size_t answers;
    struct err result;
    enum registration_status status;
    char hub_name[64];
    char operation[80];
    uint32_t retry_after_s;
    bool loaded;
};


// ---- ports ---------------------------------------------------------------------------------------------------------------------

static int64_t now_us(const struct clock *clock)
{
    return ((const struct world *)clock)->now_us;
}

static void fill(struct random *random, void *at, size_t len)
{
    struct world *w = CONTAINER_OF(random, struct world, random);
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)at)[i] = (uint8_t)(++w->next_random * 0x9e3779b97f4a7c15u >> 56);
}

static struct err timer_start(struct poller *poller, struct poll_timer *timer, int64_t ms)
{
    struct world *w = CONTAINER_OF(poller, struct world, poller);
    size_t free_slot = 64;
    for (size_t i = 64; i-- > 0;) {
        if (w->timers[i] == timer || w->timers[i] == NULL)
            free_slot = w->timers[i] == timer ? i : free_slot < 64 && w->timers[free_slot] == timer ? free_slot : i;
    }
    assert_true(free_slot < 64);
    w->timers[free_slot] = timer;
    w->due_us[free_slot] = w->now_us + ms * 1000;
    return OK;
}

static void timer_release(struct poller *poller, struct poll_timer *timer)
{
    struct world *w = CONTAINER_OF(poller, struct world, poller);
    for (size_t i = 0; i < 64; i++) {
        if (w->timers[i] == timer)
            w->timers[i] = NULL;
    }
}

static const struct poller_methods poller_methods = {.timer_start = timer_start, .timer_release = timer_release};

static void hub_deliver(struct mail *mail)
{
    struct hub_request *request = CONTAINER_OF(mail, struct hub_request, mail);
    request->done(request);
}

static void hub_take(struct hub_connector *connector, struct hub_request *request)
{
    struct world *w = CONTAINER_OF(connector, struct world, hub);
    w->hub_calls++;
    request->mail.deliver = hub_deliver;
    if (w->hub_answers) {
        request->result = w->hub_result;
        mailbox_post(&w->replies, &request->mail);
    } else {
        w->calls[w->call_count++] = request;
    }
}

static const struct hub_methods hub_methods = {.submit = hub_take};

// ---- moving the world ------------------------------------------------------------------------------------------------------------

static void deliver(struct world *w, int wait_ms)
{
    struct mail *mail = mailbox_wait(&w->replies, wait_ms);
    for (struct mail *next; mail != NULL; mail = next) {
        next = mail->next;
        mail->deliver(mail);
    }
}

static void pass(struct world *w, int64_t ms)
{
    w->now_us += ms * 1000;
    for (size_t i = 0; i < 64; i++) {
        struct poll_timer *timer = w->timers[i];
        if (timer != NULL && w->due_us[i] <= w->now_us) {
            w->timers[i] = NULL;
            timer->fire(timer);
        }
    }
}

static void until_answers(struct world *w, size_t answers)
{
    for (int i = 0; i < 2000 && w->answers < answers; i++) {
        deliver(w, 2);
        pass(w, i % 4 == 3 ? 1 : 0);
    }
    assert_int_equal(w->answers, answers);
}

static void until_hub_called(struct world *w, size_t calls)
{
    for (int i = 0; i < 2000 && w->hub_calls < calls; i++) {
        deliver(w, 2);
        pass(w, 0);
    }
    assert_int_equal(w->hub_calls, calls);
}

static void until_idle(struct world *w)
{
    for (int i = 0; i < 2000 && flow_under_way(w->flow) > 0; i++) {
        deliver(w, 2);
        pass(w, 1);
    }
    assert_int_equal(flow_under_way(w->flow), 0);
}

static void answer_hub(struct world *w, struct err result)
{
    assert_true(w->call_count > 0);
    struct hub_request *request = w->calls[--w->call_count];
    request->result = result;
    mailbox_post(&w->replies, &request->mail);
}

static void stored(struct store_request *request)
{
    *(bool *)request->context = true;
}

static void store_do(struct world *w, struct store_request *request)
{
    bool done = false;
    request->arena = &w->arena;
    request->done = stored;
    request->context = &done;
    store_submit(w->client, request);
    for (int i = 0; i < 2000 && !done; i++)
        deliver(w, 5);
    assert_true(done);
}

static struct registration *stored_registration(struct world *w, struct slice id)
{
    struct store_request get = {
        .verb = STORE_GET, .table = STORE_REGISTRATION, .partition = SLICE(SCOPE), .key = id};
    store_do(w, &get);
    return failed(get.result) ? NULL : get.found;
}

static void answered(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct world *w = request->context;
    w->answers++;
    w->result = outcome->result;
    w->retry_after_s = outcome->retry_after_s;
    if (outcome->registration != NULL) {
        const struct registration *r = outcome->registration;
        w->status = r->status;
        (void)snprintf(w->hub_name, sizeof w->hub_name, "%.*s", SLICE_ARG(r->assigned_hub));
        (void)snprintf(w->operation, sizeof w->operation, "%.*s", SLICE_ARG(r->operation_id));
    }
}

static struct secret device_key(void)
{
    struct secret key = {0};
    assert_true(secret_set(&key, SLICE("0123456789abcdef0123456789abcdef")));
    return key;
}

static void ask(struct world *w, enum flow_verb verb, const char *id, const char *operation)
{
    struct flow_request *request = flow_request_new(w->flow);
    assert_non_null(request);
    struct buf token = buf_capped(4096);
    char resource[200];
    struct secret key = device_key();
    (void)snprintf(resource, sizeof resource, SCOPE "%%2fregistrations%%2f%s", id);
    sas_sign(&token, slice_text(resource), T0 / 1000000 + 3600, &key, SLICE("registration"));
    struct slice text = {0};
    assert_false(failed(arena_copy(&request->arena, buf_slice(&token), &text)));
    buf_release(&token);
    assert_false(failed(sas_parse(text, &request->credential.sas, NULL)));
    request->credential.kind = CREDENTIAL_SAS;
    request->verb = verb;
    request->id_scope = SLICE(SCOPE);
    assert_false(failed(arena_copy(&request->arena, slice_text(id), &request->registration_id)));
    assert_false(failed(arena_copy(&request->arena, slice_text(operation), &request->operation_id)));
    request->done = answered;
    request->context = w;
    size_t before = w->answers;
    flow_submit(w->flow, request);
    assert_int_equal(w->answers, before); // never from within flow_submit
}

static void put_enrollment(struct world *w, const char *id, enum provisioning_status status)
{
    struct enrollment e = {.id = slice_text(id), .provisioning_status = status, .etag = ++w->next_random};
    e.attestation = (struct attestation){
        .type = ATTESTATION_SYMMETRIC_KEY, .primary_key = device_key(), .secondary_key = device_key()};
    struct store_request put = {.verb = STORE_PUT,
                                .table = STORE_ENROLLMENT,
                                .partition = SLICE(SCOPE),
                                .key = e.id,
                                .record = &e};
    store_do(w, &put);
    assert_false(failed(put.result));
}

static void loaded(struct directory_wait *wait, struct err result)
{
    assert_false(failed(result));
    ((struct world *)wait->context)->loaded = true;
}

static void put_service(struct world *w)
{
    struct linked_hub hub = {.host = SLICE(HUB_HOST), .kind = HUB_KIND_EMBEDDED, .weight = 1, .allocate = true};
    struct service service = {.name = SLICE("bench"),
                              .host_name = SLICE("localhost"),
                              .id_scope = SLICE(SCOPE),
                              .allocation = ALLOCATION_HASHED,
                              .hubs = &hub,
                              .hub_count = 1,
                              .etag = 1};
    struct buf document = buf_capped(65536);
    assert_false(failed(service_document_write(&service, &document)));
    struct service_record record = {
        .name = service.name, .id_scope = service.id_scope, .document = buf_slice(&document), .etag = 1};
    struct store_request put = {
        .verb = STORE_PUT, .table = STORE_SERVICE, .key = service.name, .record = &record};
    store_do(w, &put);
    assert_false(failed(put.result));
    buf_release(&document);
}

static void make_flow(struct world *w)
{
    struct flow_ports ports = {.store = w->client,
                               .hubs = {&w->hub, &w->hub},
                               .clock = &w->clock,
                               .random = &w->random,
                               .directory = w->directory,
                               .poller = &w->poller};
    assert_false(failed(flow_new(&w->settings, &ports, &w->flow)));
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *w = (struct world){
        .clock = {now_us, now_us},
        .random = {fill},
        .poller = {&poller_methods},
        .hub = {&hub_methods},
        .arena = arena_capped(16 << 20),
        .now_us = T0,
        .hub_answers = true,
        .settings = {.inline_wait_ms = 1500, .retry_after_s = 2, .operation_ms = 60000, .hub_call_ms = 5000},
    };
    mailbox_init(&w->replies, NULL, NULL);
    assert_false(failed(store_memory_new(&(struct store_memory_options){0}, &w->store, NULL)));
    assert_false(failed(store_client_new(w->store, &w->replies, &w->client)));
    assert_false(failed(directory_new(w->client, NULL, &w->directory)));
    put_service(w);
    struct directory_wait wait = {.loaded = loaded, .context = w};
    directory_reload(w->directory, &wait);
    for (int i = 0; i < 2000 && !w->loaded; i++)
        deliver(w, 5);
    make_flow(w);
    put_enrollment(w, "dev1", PROVISIONING_ENABLED);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    until_idle(w);
    flow_free(w->flow);
    directory_free(w->directory);
    store_client_free(w->client);
    store_free(w->store);
    mailbox_release(&w->replies);
    arena_release(&w->arena);
    free(w);
    return 0;
}

// ---- what devices notice ---------------------------------------------------------------------------------------------------------

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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_device_is_assigned_in_its_first_round_trip),
        TEST(the_intent_is_durable_before_the_hub_is_called),
        TEST(what_takes_long_is_answered_assigning_and_can_be_polled),
        TEST(strict_polling_answers_assigning_first),
        TEST(two_requests_at_once_end_in_one_operation_and_equal_answers),
        TEST(registering_again_stays_and_refreshes),
        TEST(a_hub_that_cannot_be_reached_is_tried_again),
        TEST(a_hub_that_stays_away_ends_the_operation_but_not_its_trace),
        TEST(a_hub_that_refuses_fails_the_registration_at_once),
        TEST(a_disabled_enrollment_refuses_and_leaves_a_record),
        TEST(a_device_that_asks_without_end_is_slowed_down_and_no_other),
        TEST(strangers_are_refused_without_a_record),
        TEST(an_unfinished_operation_is_taken_up_after_a_restart),
        TEST(stop_waits_for_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
