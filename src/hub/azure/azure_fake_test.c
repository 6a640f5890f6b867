// The scripted hub: what it answers, the connector that calls it, and calls.
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "hub/azure/azure_test.h"

static struct fake_answer next_answer(struct fake *fake, struct slice request)
{
    if (fake->silent_host != NULL && slice_find(request, slice_text(fake->silent_host)) < request.len)
        return (struct fake_answer){.manner = PEER_SILENT};
    if (fake->use_always)
        return fake->always;
    if (fake->scripted == 0)
        return (struct fake_answer){0};
    struct fake_answer next = fake->script[0];
    memmove(fake->script, fake->script + 1, --fake->scripted * sizeof next);
    return next;
}

static void write_answer(const struct fake_answer *answer, struct slice request, struct slice body,
                         struct buf *out)
{
    bool removal = slice_starts_with(request, SLICE("DELETE"));
    int status = answer->status != 0 ? answer->status : removal ? 204 : 200;
    struct slice text = answer->body != NULL ? slice_text(answer->body)
                        : status == 204      ? (struct slice){0}
                                             : body;
    buf_printf(out, "HTTP/1.1 %d Scripted\r\n%s", status, answer->headers != NULL ? answer->headers : "");
    if (status != 204)
        buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", text.len);
    buf_text(out, "\r\n");
    buf_bytes(out, text);
}

static enum peer_manner answer(void *context, struct slice request, struct slice body, struct buf *out)
{
    struct fake *fake = context;
    struct fake_answer next = next_answer(fake, request);
    if (!peer_responds(next.manner))
        return next.manner;
    if (fake->registry != NULL && next.status == 0 && next.body == NULL)
        registry_answer(fake->registry, request, body, out);
    else
        write_answer(&next, request, body, out);
    return next.manner;
}

// --- the connector
// ---------------------------------------------------------------------------------------------------------

static void note_health(void *context, struct slice host, struct slice id_scope, bool failing,
                        const struct why *why)
{
    struct fake *fake = context;
    (void)host;
    (void)snprintf(fake->told_scope, sizeof fake->told_scope, "%.*s", SLICE_ARG(id_scope));
    fake->told++;
    fake->told_failing = failing;
    fake->told_why = *why;
}

struct making {
    struct fake *fake;
    struct slice trusted_pem;
    struct err e;
};

static void make(void *argument)
{
    struct making *making = argument;
    struct fake *fake = making->fake;
    struct peer *peer = &fake->peer;
    struct hub_azure_settings settings = {
        .poller = loop_poller(peer->bench.loop),
        .replies = loop_mailbox(peer->bench.loop),
        .clock = &peer->clock,
        .random = &peer->random,
        .log = &peer->bench.log,
        .ca_pem = making->trusted_pem,
        .stale_ms = FAKE_STALE_MS,
        .watch = {.changed = note_health, .context = fake},
    };
    making->e = hub_azure_new(&settings, &fake->connector, NULL);
}

void fake_start_as(struct fake *fake, const char *name, int64_t age_days, bool trusted)
{
    struct peer *peer = &fake->peer;
    *fake = (struct fake){0};
    struct peer_settings hub = {.answer = answer, .context = fake, .name = name, .age_days = age_days};
    peer_start(peer, &hub);
    (void)snprintf(fake->host, sizeof fake->host, "localhost:%u", peer->port);
    struct making making = {
        .fake = fake, .trusted_pem = buf_slice(trusted ? &peer->ca_pem : &peer->bench.certificates.ca_pem)};
    bench_do(&peer->bench, make, &making);
    assert_false(failed(making.e));
}

void fake_start(struct fake *fake)
{
    fake_start_as(fake, "localhost", 0, true);
}

static void unmake(void *argument)
{
    struct fake *fake = argument;
    hub_connector_free(fake->connector);
}

void fake_end(struct fake *fake)
{
    bench_do(&fake->peer.bench, unmake, fake);
    peer_end(&fake->peer);
}

void fake_say(struct fake *fake, int status, const char *headers, const char *body)
{
    assert_true(fake->scripted < FAKE_SCRIPT_MAX);
    fake->script[fake->scripted++] = (struct fake_answer){PEER_ANSWER, status, headers, body};
}

void fake_behave(struct fake *fake, enum peer_manner manner)
{
    assert_true(fake->scripted < FAKE_SCRIPT_MAX);
    fake->script[fake->scripted++] = (struct fake_answer){.manner = manner};
}

int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    fake_start(&w->fake);
    w->fake.registry = &w->registry;
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    struct world *w = *state;
    fake_end(&w->fake);
    free(w);
    return 0;
}

// --- calls
// -------------------------------------------------------------------------------------------------------------

static void done(struct hub_request *request)
{
    outcome_arrive(&((struct shot *)request->context)->outcome);
}

void shot_init(struct shot *shot, struct fake *fake, const char *device_id)
{
    *shot = (struct shot){.fake = fake};
    outcome_init(&shot->outcome);
    shot->hub = (struct linked_hub){.host = slice_text(fake->host),
                                    .kind = HUB_KIND_AZURE,
                                    .policy_name = SLICE("iothubowner"),
                                    .weight = 1,
                                    .allocate = true};
    assert_true(secret_set(&shot->hub.policy_key, SLICE("the key of the hub's own policy")));
    shot->request = (struct hub_request){
        .verb = HUB_ASSIGN,
        .hub = &shot->hub,
        .identity = {.device_id = slice_text(device_id), .authentication = HUB_AUTH_SAS},
        .now_us = bench_clock_us(CLOCK_REALTIME),
        .deadline_ms = 10000,
        .done = done,
        .context = shot,
    };
    assert_true(secret_set(&shot->request.identity.primary_key, SLICE("primary key of the device")));
    assert_true(secret_set(&shot->request.identity.secondary_key, SLICE("secondary key of the device")));
}

static void submit(void *element)
{
    struct shot *shot = element;
    shot->outcome.starting = true;
    hub_submit(shot->fake->connector, &shot->request);
    shot->outcome.starting = false;
}

void shots_fire(struct shot *shots, size_t count)
{
    bench_do_each(&shots[0].fake->peer.bench, submit, shots, count, sizeof *shots);
}

void shot_fire(struct shot *shot)
{
    shots_fire(shot, 1);
}

void shot_wait(struct shot *shot)
{
    outcome_await(&shot->outcome);
}

struct err shot_run(struct shot *shot)
{
    shot_fire(shot);
    shot_wait(shot);
    return shot->request.result;
}
