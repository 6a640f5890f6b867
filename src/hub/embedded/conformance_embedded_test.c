// The embedded hub is a hub like the others.
#include <stdlib.h>

#include "domain/twin.h"
#include "hub/conformance_test.h"
#include "hub/embedded/hub_embedded.h"
#include "store/memory/memory.h"

#define HOST SLICE("hub.local:8884")

struct world {
    struct random random;
    uint8_t next;
    struct mailbox replies;
    struct store *store;
    struct store_client *client;
    struct arena arena;
    size_t left;
};

static void fill(struct random *random, void *at, size_t len)
{
    struct world *w = (struct world *)((char *)random - offsetof(struct world, random));
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)at)[i] = w->next++;
}

static void await(struct hub_subject *subject, const size_t *left)
{
    struct world *w = subject->own;
    while (*left > 0) {
        struct mail *mail = mailbox_wait(&w->replies, 10000);
        assert_non_null(mail);
        for (struct mail *next; mail != NULL; mail = next) {
            next = mail->next;
            mail->deliver(mail);
        }
    }
}

static void on_loop(struct hub_subject *subject, void (*run)(void *argument), void *argument)
{
    (void)subject;
    run(argument);
}

static void stored(struct store_request *request)
{
    ((struct world *)request->context)->left--;
}

static struct err ask_store(struct hub_subject *subject, struct store_request *request)
{
    struct world *w = subject->own;
    request->arena = &w->arena;
    request->done = stored;
    request->context = w;
    w->left = 1;
    store_submit(w->client, request);
    await(subject, &w->left);
    return request->result;
}

static void begin(struct hub_subject *subject)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    *w = (struct world){.random.fill = fill, .arena = arena_capped(8 << 20)};
    subject->own = w;
    mailbox_init(&w->replies, NULL, NULL);
    assert_false(failed(store_memory_new(&(struct store_memory_options){0}, &w->store, NULL)));
    assert_false(failed(store_client_new(w->store, &w->replies, &w->client)));
    subject->connector = hub_embedded_new(w->client, &w->random, &w->replies, (struct hub_embedded_watch){0});
    subject->hub = (struct linked_hub){.host = HOST, .kind = HUB_KIND_EMBEDDED};
    struct hub_record hub = {.host = HOST, .document = SLICE("{}"), .etag = 1};
    struct store_request put = {.verb = STORE_PUT, .table = STORE_HUB, .key = HOST, .record = &hub};
    assert_false(failed(ask_store(subject, &put)));
}

static void end(struct hub_subject *subject)
{
    struct world *w = subject->own;
    hub_connector_free(subject->connector);
    store_client_free(w->client);
    store_free(w->store);
    mailbox_release(&w->replies);
    arena_release(&w->arena);
    free(w);
}

static const struct device *find(struct hub_subject *subject, const char *device_id)
{
    struct store_request get = {
        .verb = STORE_GET, .table = STORE_DEVICE, .partition = HOST, .key = slice_text(device_id)};
    return failed(ask_store(subject, &get)) ? NULL : get.found;
}

static void report(struct hub_subject *subject, const char *device_id, const char *reported)
{
    struct world *w = subject->own;
    struct device device = *find(subject, device_id);
    struct json_doc doc = {0};
    assert_false(failed(json_read(slice_text(reported), JSON_LIMITS_DEFAULT, &doc, NULL)));
    assert_false(failed(
        twin_change(&w->arena, &device, TWIN_REPORTED, TWIN_MERGE, json_root(&doc), INT64_C(1), NULL)));
    json_doc_release(&doc);
    struct store_request put = {
        .verb = STORE_PUT, .table = STORE_DEVICE, .partition = HOST, .key = device.id, .record = &device};
    assert_false(failed(ask_store(subject, &put)));
}

static bool admits(struct hub_subject *subject, const char *device_id, const struct secret *key)
{
    const struct device *device = find(subject, device_id);
    return device != NULL && device->authentication == HUB_AUTH_SAS &&
           (secret_equal(&device->primary_key, key) || secret_equal(&device->secondary_key, key));
}

int main(void)
{
    struct hub_subject subject = {.name = "hub embedded conformance",
                                  .begin = begin,
                                  .end = end,
                                  .on_loop = on_loop,
                                  .await = await,
                                  .report = report,
                                  .admits = admits,
                                  .in_our_store = true};
    return hub_conformance(&subject);
}
