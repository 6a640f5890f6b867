// The bench of flow/: its ports, and how a test moves its world.
#include "flow/flow_bench_test.h"

#include <stdio.h>

#include "crypto/keys.h"
#include "store/memory/memory.h"

// ---- ports
// ---------------------------------------------------------------------------------------------------------------------

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
    size_t free_slot = TIMERS;
    for (size_t i = TIMERS; i-- > 0;) {
        if (w->timers[i] == timer || w->timers[i] == NULL)
            free_slot = w->timers[i] == timer                                 ? i
                        : free_slot < TIMERS && w->timers[free_slot] == timer ? free_slot
                                                                              : i;
    }
    assert_true(free_slot < TIMERS);
    w->timers[free_slot] = timer;
    w->due_us[free_slot] = w->now_us + ms * 1000;
    return OK;
}

static void timer_release(struct poller *poller, struct poll_timer *timer)
{
    struct world *w = CONTAINER_OF(poller, struct world, poller);
    for (size_t i = 0; i < TIMERS; i++) {
        if (w->timers[i] == timer)
            w->timers[i] = NULL;
    }
}

static const struct poller_methods poller_methods = {.timer_start = timer_start,
                                                     .timer_release = timer_release};

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
        request->left_there = w->hub_left_there;
        mailbox_post(&w->replies, &request->mail);
    } else {
        w->calls[w->call_count++] = request;
    }
}

static const struct hub_methods hub_methods = {.submit = hub_take};

// ---- moving the world
// ------------------------------------------------------------------------------------------------------------

void deliver(struct world *w, int wait_ms)
{
    struct mail *mail = mailbox_wait(&w->replies, wait_ms);
    for (struct mail *next; mail != NULL; mail = next) {
        next = mail->next;
        mail->deliver(mail);
    }
}

void pass(struct world *w, int64_t ms)
{
    w->now_us += ms * 1000;
    for (size_t i = 0; i < TIMERS; i++) {
        struct poll_timer *timer = w->timers[i];
        if (timer != NULL && w->due_us[i] <= w->now_us) {
            w->timers[i] = NULL;
            timer->fire(timer);
        }
    }
}

void until_answers(struct world *w, size_t answers)
{
    for (int i = 0; i < 2000 && w->answers < answers; i++) {
        deliver(w, 2);
        pass(w, i % 4 == 3 ? 1 : 0);
    }
    assert_int_equal(w->answers, answers);
}

void until_hub_called(struct world *w, size_t calls)
{
    for (int i = 0; i < 2000 && w->hub_calls < calls; i++) {
        deliver(w, 2);
        pass(w, 0);
    }
    assert_int_equal(w->hub_calls, calls);
}

void until_idle(struct world *w)
{
    for (int i = 0; i < 2000 && flow_under_way(w->flow) > 0; i++) {
        deliver(w, 2);
        pass(w, 1);
    }
    assert_int_equal(flow_under_way(w->flow), 0);
}

void answer_hub(struct world *w, struct err result)
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

void store_do(struct world *w, struct store_request *request)
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

struct registration *stored_registration(struct world *w, struct slice id)
{
    struct store_request get = {
        .verb = STORE_GET, .table = STORE_REGISTRATION, .partition = SLICE(SCOPE), .key = id};
    store_do(w, &get);
    return failed(get.result) ? NULL : get.found;
}

void delete_registration(struct world *w, const char *id)
{
    struct store_request gone = {
        .verb = STORE_DELETE, .table = STORE_REGISTRATION, .partition = SLICE(SCOPE), .key = slice_text(id)};
    store_do(w, &gone);
    assert_false(failed(gone.result));
}

static void answered(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct world *w = request->context;
    w->answers++;
    w->result = outcome->result;
    w->retry_after_s = outcome->retry_after_s;
    w->why = outcome->why;
    w->attestation = outcome->attestation;
    (void)snprintf(w->group, sizeof w->group, "%.*s", SLICE_ARG(outcome->group_id));
    w->challenge_len = outcome->challenge.len;
    w->authentication_key_len = outcome->authentication_key.len;
    if (request->verb == FLOW_REGISTER && !failed(outcome->result) && w->challenge_len == 0)
        assert_non_null(outcome->registration); // there is nothing else to say
    if (outcome->registration != NULL) {
        const struct registration *r = outcome->registration;
        w->status = r->status;
        (void)snprintf(w->hub_name, sizeof w->hub_name, "%.*s", SLICE_ARG(r->assigned_hub));
        (void)snprintf(w->operation, sizeof w->operation, "%.*s", SLICE_ARG(r->operation_id));
    }
}

struct secret device_key(void)
{
    struct secret key = {0};
    assert_true(secret_set(&key, SLICE("0123456789abcdef0123456789abcdef")));
    return key;
}

void hand_over(struct world *w, struct flow_request *request, enum flow_verb verb, const char *id,
               const char *operation)
{
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

void ask_showing(struct world *w, enum flow_verb verb, const char *id, const char *operation,
                 struct chain *chain)
{
    struct flow_request *request = flow_request_new(w->flow);
    assert_non_null(request);
    request->credential.kind = CREDENTIAL_X509;
    request->credential.chain = chain_hold(chain);
    hand_over(w, request, verb, id, operation);
}

void ask(struct world *w, enum flow_verb verb, const char *id, const char *operation)
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
    hand_over(w, request, verb, id, operation);
}

void put_enrollment(struct world *w, const char *id, enum provisioning_status status)
{
    struct enrollment e = {.id = slice_text(id), .provisioning_status = status, .etag = ++w->next_random};
    e.attestation = (struct attestation){
        .type = ATTESTATION_SYMMETRIC_KEY, .primary_key = device_key(), .secondary_key = device_key()};
    struct store_request put = {
        .verb = STORE_PUT, .table = STORE_ENROLLMENT, .partition = SLICE(SCOPE), .key = e.id, .record = &e};
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
    struct linked_hub hub = {
        .host = SLICE(HUB_HOST), .kind = HUB_KIND_EMBEDDED, .weight = 1, .allocate = true};
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

static void count_line(void *context, struct slice line)
{
    struct world *w = context;
    w->lines++;
    (void)snprintf(w->line, sizeof w->line, "%.*s", SLICE_ARG(line));
}

static bool may_log(void *context)
{
    return !((struct world *)context)->silent;
}

void make_flow(struct world *w)
{
    struct flow_ports ports = {.store = w->client,
                               .hubs = {&w->hub, &w->hub},
                               .webhook = w->webhook,
                               .places = w->places,
                               .health = w->health,
                               .clock = &w->clock,
                               .random = &w->random,
                               .log = &w->log,
                               .directory = w->directory,
                               .issuers = w->issuers,
                               .challenges = w->asking,
                               .poller = &w->poller,
                               .may_log = may_log,
                               .may_log_context = w};
    assert_false(failed(flow_new(&w->settings, &ports, &w->flow)));
}

int world_setup(void **state)
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
    w->log = (struct log){.least = ERR_LEVEL_INFO, .write = count_line, .context = w};
    mailbox_init(&w->replies, NULL, NULL);
    assert_false(failed(store_memory_new(&(struct store_memory_options){0}, &w->store, NULL)));
    assert_false(failed(store_client_new(w->store, &w->replies, &w->client)));
    assert_false(failed(directory_new(w->client, NULL, &w->directory)));
    assert_false(failed(issuers_new(64, 1 << 20, &w->issuers)));
    assert_false(failed(challenges_new(&w->replies, &w->clock, 1, &w->challenges)));
    assert_false(failed(challenges_client_new(w->challenges, &w->replies, &w->asking)));
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

int world_teardown(void **state)
{
    struct world *w = *state;
    until_idle(w);
    flow_free(w->flow);
    challenges_client_free(w->asking);
    challenges_free(w->challenges);
    issuers_free(w->issuers);
    directory_free(w->directory);
    store_client_free(w->client);
    store_free(w->store);
    mailbox_release(&w->replies);
    arena_release(&w->arena);
    free(w);
    return 0;
}
