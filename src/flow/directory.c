// Snapshots of the services: read from the store page by page, published whole.
#include "flow/directory.h"

#include <stdlib.h>

enum { PAGE = 100, SNAPSHOT_CAP = 64 << 20 };

struct directory_snapshot {
    struct arena arena;
    struct service **services;
    size_t count;
    size_t room;
    size_t holders;
};

struct directory {
    struct store_client *store;
    const struct log *log;
    struct directory_snapshot *current;
    struct directory_snapshot *loading; // under way
    bool again;                         // asked for while loading
    struct store_request request;
    struct directory_wait *waiting; // for the load under way
    struct directory_wait *joined;  // for the load after it
};

static struct directory_snapshot *snapshot_new(void)
{
    struct directory_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL)
        return NULL;
    snapshot->arena = arena_capped(SNAPSHOT_CAP);
    snapshot->arena.wipe = true;
    snapshot->holders = 1;
    return snapshot;
}

void directory_release(struct directory_snapshot *snapshot)
{
    if (snapshot == NULL || --snapshot->holders > 0)
        return;
    free((void *)snapshot->services);
    arena_release(&snapshot->arena);
    free(snapshot);
}

struct directory_snapshot *directory_hold(struct directory *directory)
{
    directory->current->holders++;
    return directory->current;
}

struct err directory_new(struct store_client *store, const struct log *log, struct directory **out)
{
    struct directory *d = calloc(1, sizeof *d);
    *out = NULL;
    if (d == NULL)
        return FAIL(ERR_NO_MEMORY);
    d->store = store;
    d->log = log;
    d->current = snapshot_new();
    if (d->current == NULL) {
        free(d);
        return FAIL(ERR_NO_MEMORY);
    }
    *out = d;
    return OK;
}

void directory_free(struct directory *directory)
{
    if (directory == NULL)
        return;
    INVARIANT(directory->loading == NULL);
    directory_release(directory->current);
    free(directory);
}

static struct err snapshot_add(struct directory_snapshot *snapshot, const struct service_record *record,
                               struct why *why)
{
    if (snapshot->count == snapshot->room) {
        size_t room = snapshot->room == 0 ? 8 : snapshot->room * 2;
        void *grown = realloc((void *)snapshot->services, room * sizeof *snapshot->services);
        if (grown == NULL)
            return FAIL(ERR_NO_MEMORY);
        snapshot->services = grown;
        snapshot->room = room;
    }
    struct service *service = arena_take(&snapshot->arena, sizeof *service);
    if (service == NULL)
        return FAIL(ERR_NO_MEMORY);
    TRY(service_document_read(&snapshot->arena, record->document, service, why));
    service->created_us = record->created_us;
    service->updated_us = record->updated_us;
    service->etag = record->etag;
    snapshot->services[snapshot->count++] = service;
    return OK;
}

static void page_read(struct store_request *request);

static void ask_page(struct directory *d, struct slice after)
{
    d->request = (struct store_request){
        .verb = STORE_QUERY,
        .table = STORE_SERVICE,
        .limit = PAGE,
        .after = after,
        .arena = &d->loading->arena,
        .done = page_read,
        .context = d,
    };
    store_submit(d->store, &d->request);
}

static void load(struct directory *d)
{
    d->loading = snapshot_new();
    INVARIANT(d->loading != NULL); // without memory for its settings the daemon had better start again
    ask_page(d, (struct slice){0});
}

static void finish(struct directory *d, struct err result)
{
    struct directory_snapshot *old = failed(result) ? d->loading : d->current;
    if (!failed(result))
        d->current = d->loading;
    d->loading = NULL;
    directory_release(old);
    struct directory_wait *waiting = d->waiting;
    d->waiting = NULL;
    if (d->again) {
        d->again = false;
        d->waiting = d->joined;
        d->joined = NULL;
        load(d);
    }
    for (struct directory_wait *next; waiting != NULL; waiting = next) {
        next = waiting->next;
        waiting->loaded(waiting, result);
    }
}

static void page_read(struct store_request *request)
{
    struct directory *d = request->context;
    struct err result = request->result;
    struct why why = request->why;
    for (size_t i = 0; i < request->count && !failed(result); i++)
        result = snapshot_add(d->loading, request->rows[i], &why);
    if (failed(result)) {
        struct log_line line;
        log_begin(&line, d->log, ERR_LEVEL_ERROR, "settings.unreadable");
        log_failure(&line, result, &why);
        log_end(&line);
    }
    if (!failed(result) && request->more)
        ask_page(d, request->last);
    else
        finish(d, result);
}

void directory_reload(struct directory *directory, struct directory_wait *wait)
{
    bool busy = directory->loading != NULL;
    if (wait != NULL) {
        struct directory_wait **list = busy ? &directory->joined : &directory->waiting;
        wait->next = *list;
        *list = wait;
    }
    if (busy)
        directory->again = true;
    else
        load(directory);
}

size_t directory_count(const struct directory_snapshot *snapshot)
{
    return snapshot->count;
}

const struct service *directory_at(const struct directory_snapshot *snapshot, size_t index)
{
    return index < snapshot->count ? snapshot->services[index] : NULL;
}

const struct service *directory_by_scope(const struct directory_snapshot *snapshot, struct slice id_scope)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (slice_equal_nocase(snapshot->services[i]->id_scope, id_scope))
            return snapshot->services[i];
    }
    return NULL;
}

const struct service *directory_by_name(const struct directory_snapshot *snapshot, struct slice name)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (slice_equal_nocase(snapshot->services[i]->name, name))
            return snapshot->services[i];
    }
    return NULL;
}

const struct service *directory_by_host(const struct directory_snapshot *snapshot, struct slice host)
{
    struct slice bare = slice_to(host, slice_find_byte(host, ':'));
    for (size_t i = 0; i < snapshot->count; i++) {
        if (slice_equal_nocase(snapshot->services[i]->host_name, bare))
            return snapshot->services[i];
    }
    return snapshot->count == 1 ? snapshot->services[0] : NULL;
}
