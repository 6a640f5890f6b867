// Read, change, compare-and-set.
#include "hub/embedded/device_update.h"

static void finish(struct device_update *u, struct err result)
{
    u->result = result;
    u->done(u);
}

static void answered(struct store_request *request);

static void submit(struct device_update *u, enum store_verb verb, enum store_condition condition,
                   uint64_t match)
{
    u->request = (struct store_request){
        .verb = verb,
        .table = STORE_DEVICE,
        .partition = u->hub,
        .key = u->id,
        .condition = condition,
        .match = match,
        .record = verb == STORE_PUT ? u->device : NULL,
        .arena = &u->arena,
        .done = answered,
        .context = u,
    };
    store_submit(u->store, &u->request);
}

static void revise(struct device_update *u, const struct device *found)
{
    struct device *copy = arena_take(&u->arena, sizeof *copy);
    if (copy == NULL) {
        finish(u, FAIL(ERR_NO_MEMORY));
        return;
    }
    *copy = *found;
    u->unchanged = u->remove = u->created = false;
    u->device = copy;
    struct err e = u->change(u, copy);
    if (failed(e) || u->unchanged) {
        finish(u, e);
        return;
    }
    copy->etag = random_etag(u->random);
    submit(u, u->remove ? STORE_DELETE : STORE_PUT, STORE_IF_MATCH, found->etag);
}

// Another write came first. What is there now came with the refusal, or is read.
static void try_again(struct device_update *u, const struct device *found)
{
    if (++u->tries >= DEVICE_UPDATE_TRIES)
        finish(u, why_fail(&u->why, ERR_OVERLOADED, "the device was changed by others %u times meanwhile",
                           u->tries));
    else if (found != NULL)
        revise(u, found);
    else
        submit(u, STORE_GET, STORE_ALWAYS, 0);
}

static void answered(struct store_request *request)
{
    struct device_update *u = request->context;
    struct err e = request->result;
    bool raced = request->verb != STORE_GET && (e.code == ERR_CONFLICT || e.code == ERR_ETAG);
    if (raced && u->change != NULL) {
        try_again(u, request->found);
    } else if (!failed(e) && request->verb == STORE_GET) {
        revise(u, request->found);
    } else {
        if (failed(e))
            u->why = request->why;
        finish(u, e);
    }
}

void device_update_start(struct device_update *u)
{
    if (u->arena.cap == 0)
        u->arena = (struct arena){.cap = DEVICE_UPDATE_ARENA_CAP, .wipe = true};
    submit(u, STORE_GET, STORE_ALWAYS, 0);
}

void device_update_create(struct device_update *u, struct device *device)
{
    if (u->arena.cap == 0)
        u->arena = (struct arena){.cap = DEVICE_UPDATE_ARENA_CAP, .wipe = true};
    u->device = device;
    u->created = true;
    device->etag = random_etag(u->random);
    submit(u, STORE_PUT, STORE_IF_ABSENT, 0);
}

void device_update_release(struct device_update *u)
{
    arena_release(&u->arena);
}
