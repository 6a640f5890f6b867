// Assigning a device is one conditional put of a fresh record; only a device that is there already is read
// and changed.
#include "hub/embedded/hub_embedded.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "hub/embedded/device_update.h"
#include "hub/embedded/hub_device.h"

struct hub_embedded {
    struct hub_connector connector;
    struct store_client *store;
    struct random *random;
    struct mailbox *replies;
    struct hub_embedded_watch watch;
    struct map known; // hub names that are in the store; the value is the connector itself
};

// One request under way.
struct assignment {
    struct hub_embedded *hub;
    struct hub_request *request;
    struct slice host; // lower case
    struct hub_twin_parts twin;
    struct store_request store; // of the hub's record, HUB_REMOVE and HUB_READ
    struct device fresh;
    struct device_update update;
    bool identity_changed; // by the last try of the update
};

static void finish(struct assignment *a, struct err result)
{
    struct hub_request *request = a->request;
    enum err_class class = err_info(result)->class;
    if (failed(result) && result.code != ERR_HUB_REFUSED)
        result = FAIL(class == ERR_CLASS_INPUT ? ERR_HUB_REFUSED : ERR_HUB_UNAVAILABLE);
    request->result = result;
    hub_twin_release(&a->twin);
    device_update_release(&a->update);
    bytes_wipe(a, sizeof *a);
    free(a);
    request->done(request);
}

static void later(struct mail *mail)
{
    struct hub_request *request = CONTAINER_OF(mail, struct hub_request, mail);
    finish(request->connector, request->result);
}

// From within submit, where done may not be called.
static void finish_later(struct assignment *a, struct err result)
{
    a->request->result = result;
    a->request->mail.deliver = later;
    mailbox_post(a->hub->replies, &a->request->mail);
}

static struct err refresh(struct device_update *update, struct device *device)
{
    struct assignment *a = update->context;
    return hub_device_change(&update->arena, a->hub->random, a->request, &a->twin, device,
                             &a->identity_changed, &update->unchanged, &update->why);
}

static void tell(const struct assignment *a)
{
    const struct hub_embedded_watch *watch = &a->hub->watch;
    if (watch->changed != NULL)
        watch->changed(watch->context, a->host, a->request->identity.device_id);
}

static void updated(struct device_update *update)
{
    struct assignment *a = update->context;
    if (failed(update->result))
        a->request->why = update->why;
    else if (a->identity_changed)
        tell(a);
    finish(a, update->result);
}

static void removed(struct store_request *store)
{
    struct assignment *a = store->context;
    a->request->why = store->why;
    if (!failed(store->result))
        tell(a);
    finish(a, store->result.code == ERR_ABSENT ? OK : store->result);
}

static void was_read(struct store_request *store)
{
    struct assignment *a = store->context;
    struct err e = store->result;
    a->request->why = store->why;
    if (!failed(e))
        e = hub_device_tell(a->request, store->found);
    else if (e.code == ERR_ABSENT)
        e = hub_device_tell(a->request, NULL);
    finish(a, e);
}

static void ask_store(struct assignment *a, enum store_verb verb, void (*done)(struct store_request *))
{
    a->store = (struct store_request){
        .verb = verb,
        .table = STORE_DEVICE,
        .partition = a->host,
        .key = a->request->identity.device_id,
        .arena = a->request->arena,
        .done = done,
        .context = a,
    };
    store_submit(a->hub->store, &a->store);
}

static struct err assign(struct assignment *a)
{
    a->update = (struct device_update){
        .store = a->hub->store,
        .random = a->hub->random,
        .hub = a->host,
        .id = a->request->identity.device_id,
        .change = refresh,
        .done = updated,
        .context = a,
        .arena = {.cap = DEVICE_UPDATE_ARENA_CAP, .wipe = true},
    };
    TRY(hub_twin_read(a->request, &a->twin));
    TRY(hub_device_make(&a->update.arena, a->hub->random, a->request, &a->twin, &a->fresh));
    device_update_create(&a->update, &a->fresh);
    return OK;
}

// Leads to a store request whose answer ends the assignment; an error means that nothing was submitted.
static struct err carry_out(struct assignment *a)
{
    switch (a->request->verb) {
    case HUB_REMOVE:
        ask_store(a, STORE_DELETE, removed);
        return OK;
    case HUB_READ:
        ask_store(a, STORE_GET, was_read);
        return OK;
    case HUB_ASSIGN:
    default:
        return assign(a);
    }
}

static void hub_looked_up(struct store_request *store)
{
    struct assignment *a = store->context;
    struct err e = store->result;
    if (e.code == ERR_ABSENT)
        e = why_fail(&a->request->why, ERR_HUB_REFUSED, "there is no embedded hub of that name");
    else if (!failed(e)) // without memory the name is only looked up again
        (void)map_put(&a->hub->known, a->host, a->hub, NULL).code;
    if (!failed(e))
        e = carry_out(a);
    if (failed(e))
        finish(a, e);
}

static void look_up_hub(struct assignment *a)
{
    a->store = (struct store_request){
        .verb = STORE_GET,
        .table = STORE_HUB,
        .key = a->host,
        .arena = a->request->arena,
        .done = hub_looked_up,
        .context = a,
    };
    store_submit(a->hub->store, &a->store);
}

static void no_memory(struct mail *mail)
{
    struct hub_request *request = CONTAINER_OF(mail, struct hub_request, mail);
    request->result = FAIL(ERR_HUB_UNAVAILABLE);
    request->done(request);
}

static void submit(struct hub_connector *connector, struct hub_request *request)
{
    struct hub_embedded *hub = CONTAINER_OF(connector, struct hub_embedded, connector);
    struct assignment *a = calloc(1, sizeof *a);
    if (a == NULL) {
        request->mail.deliver = no_memory;
        mailbox_post(hub->replies, &request->mail);
        return;
    }
    a->hub = hub;
    a->request = request;
    request->connector = a;
    struct err e = arena_lower(request->arena, request->hub->host, &a->host);
    if (!failed(e) && map_get(&hub->known, a->host) == NULL)
        look_up_hub(a);
    else if (!failed(e))
        e = carry_out(a);
    if (failed(e))
        finish_later(a, e);
}

static bool enlist(struct hub_connector *connector, struct hub_request *request, struct store_request *put)
{
    struct hub_embedded *hub = CONTAINER_OF(connector, struct hub_embedded, connector);
    struct hub_twin_parts twin = {0};
    struct slice host;
    struct device *device = arena_take(request->arena, sizeof *device);
    if (device == NULL || request->verb != HUB_ASSIGN ||
        failed(arena_lower(request->arena, request->hub->host, &host)) || map_get(&hub->known, host) == NULL)
        return false;
    struct err e = hub_twin_read(request, &twin);
    if (!failed(e))
        e = hub_device_make(request->arena, hub->random, request, &twin, device);
    hub_twin_release(&twin);
    device->etag = random_etag(hub->random);
    *put = (struct store_request){
        .verb = STORE_PUT,
        .table = STORE_DEVICE,
        .partition = host,
        .key = request->identity.device_id,
        .condition = STORE_IF_ABSENT,
        .record = device,
    };
    return !failed(e);
}

static void connector_free(struct hub_connector *connector)
{
    struct hub_embedded *hub = CONTAINER_OF(connector, struct hub_embedded, connector);
    map_release(&hub->known);
    free(hub);
}

static const struct hub_methods methods = {.submit = submit, .free = connector_free, .enlist = enlist};

struct hub_connector *hub_embedded_new(struct store_client *store, struct random *random,
                                       struct mailbox *replies, struct hub_embedded_watch watch)
{
    struct hub_embedded *hub = calloc(1, sizeof *hub);
    if (hub == NULL)
        return NULL;
    *hub = (struct hub_embedded){
        .connector.methods = &methods,
        .store = store,
        .random = random,
        .replies = replies,
        .watch = watch,
    };
    map_init(&hub->known, random_etag(random));
    return &hub->connector;
}
