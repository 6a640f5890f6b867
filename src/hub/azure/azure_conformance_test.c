// A hub of Azure, as the registry of the tests plays it, is a hub like the others.
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "hub/azure/azure_test.h"
#include "hub/conformance_test.h"

#define POLICY_KEY SLICE("the key of the hub's own policy")

static void begin(struct hub_subject *subject)
{
    static char silent[32];
    assert_int_equal(world_setup(&subject->own), 0);
    struct world *w = subject->own;
    assert_true(secret_set(&w->registry.keys[0], POLICY_KEY));
    (void)snprintf(silent, sizeof silent, "127.0.0.1:%u", w->fake.peer.port);
    w->fake.silent_host = silent;
    subject->connector = w->fake.connector;
    subject->hub = (struct linked_hub){
        .host = slice_text(w->fake.host), .kind = HUB_KIND_AZURE, .policy_name = SLICE("iothubowner")};
    subject->locked = subject->nowhere = subject->hub;
    assert_true(secret_set(&subject->hub.policy_key, POLICY_KEY));
    assert_true(secret_set(&subject->locked.policy_key, SLICE("some other key")));
    subject->nowhere.host = slice_text(silent);
}

static void end(struct hub_subject *subject)
{
    world_teardown(&subject->own);
}

static void on_loop(struct hub_subject *subject, void (*run)(void *argument), void *argument)
{
    bench_do(&((struct world *)subject->own)->fake.peer.bench, run, argument);
}

struct looked {
    const size_t *left;
    bool over;
};

static void look(void *argument)
{
    struct looked *looked = argument;
    looked->over = *looked->left == 0;
}

static void await(struct hub_subject *subject, const size_t *left)
{
    struct looked looked = {.left = left};
    int64_t until = bench_now_ms() + PATIENCE_MS;
    while (!looked.over && bench_now_ms() < until)
        on_loop(subject, look, &looked);
    assert_true(looked.over);
}

struct reporting {
    struct registry *registry;
    const char *device_id;
    const char *reported;
};

static void set_reported(void *argument)
{
    struct reporting *r = argument;
    struct registry_device *d = registry_find(r->registry, slice_text(r->device_id));
    (void)snprintf(d->reported, sizeof d->reported, "%s", r->reported);
    d->reported_version++;
}

static void report(struct hub_subject *subject, const char *device_id, const char *reported)
{
    struct reporting r = {&((struct world *)subject->own)->registry, device_id, reported};
    on_loop(subject, set_reported, &r);
}

// Nothing is under way: the registry may be looked at from here.
static bool admits(struct hub_subject *subject, const char *device_id, const struct secret *key)
{
    uint8_t room[100];
    struct buf text = {.at = room, .room = sizeof room, .cap = sizeof room};
    b64_encode(&text, secret_slice(key));
    struct registry_device *d =
        registry_find(&((struct world *)subject->own)->registry, slice_text(device_id));
    return d != NULL &&
           slice_find(slice_text(d->authentication), buf_slice(&text)) < strlen(d->authentication);
}

int main(void)
{
    struct hub_subject subject = {.name = "hub azure conformance",
                                  .begin = begin,
                                  .end = end,
                                  .on_loop = on_loop,
                                  .await = await,
                                  .report = report,
                                  .admits = admits};
    return hub_conformance(&subject);
}
