// Making, reloading, counting and stopping an instance.
#include "embedded/embedded.h"

#include <stdlib.h>

#include "embedded/core.h"
#include "embedded/methods.h"
#include "embedded/presence.h"

struct err embedded_new(const struct embedded_settings *settings, struct embedded **out)
{
    struct embedded *e = calloc(1, sizeof *e);
    struct hubs *hubs = hubs_new();
    *out = e;
    if (e == NULL || hubs == NULL) {
        *out = NULL;
        free(e);
        hubs_release(hubs);
        return FAIL(ERR_NO_MEMORY);
    }
    INVARIANT(settings->peer_count <= METHOD_LOOPS_MAX && settings->index < settings->peer_count);
    e->settings = *settings;
    e->hubs = hubs;
    map_init(&e->presence, random_etag(settings->random));
    list_init(&e->admitting);
    list_init(&e->methods);
    settings->peers[settings->index].embedded = e;
    return OK;
}

void embedded_free(struct embedded *e)
{
    if (e == NULL)
        return;
    INVARIANT(e->under_way == 0);
    e->settings.peers[e->settings.index].embedded = NULL;
    poller_timer_release(e->settings.poller, &e->idle_timer);
    presence_release(e);
    hubs_release(e->hubs);
    free(e);
}

void embedded_hold(struct embedded *e)
{
    e->under_way++;
}

static void idle_now(struct poll_timer *timer)
{
    struct embedded *e = timer->context;
    void (*idle)(void *context) = e->idle;
    if (idle == NULL || e->under_way > 0)
        return;
    e->idle = NULL;
    idle(e->idle_context);
}

// Later: the last holder may still be on the stack.
static void tell_idle(struct embedded *e)
{
    if (e->idle == NULL || e->under_way > 0)
        return;
    e->idle_timer.fire = idle_now;
    e->idle_timer.context = e;
    INVARIANT(!failed(poller_timer_start(e->settings.poller, &e->idle_timer, 0)));
}

void embedded_let_go(struct embedded *e)
{
    INVARIANT(e->under_way > 0);
    e->under_way--;
    tell_idle(e);
}

void embedded_stop(struct embedded *e, void (*idle)(void *context), void *context)
{
    e->stopping = true;
    e->idle = idle;
    e->idle_context = context;
    methods_fail_all(e, FAIL(ERR_STOPPING));
    presence_close_all(e);
    tell_idle(e);
}

// ---- hubs ---------------------------------------------------------------------------------------
static void ask_hubs(struct embedded *e);

static void reload_ended(struct embedded *e, struct err result)
{
    struct embedded_wait *waiting = e->waiting;
    e->loading = NULL;
    e->reloading = false;
    e->waiting = e->joined;
    e->joined = NULL;
    if (e->reload_again) {
        e->reload_again = false;
        ask_hubs(e);
    }
    for (struct embedded_wait *next; waiting != NULL; waiting = next) {
        next = waiting->next;
        waiting->loaded(waiting, result);
    }
    embedded_let_go(e);
}

static void hubs_read(struct store_request *request)
{
    struct embedded *e = request->context;
    struct err result = request->result;
    struct why why = request->why;
    if (!failed(result))
        result = hubs_fill(e->loading, request->rows, request->count, &why);
    if (!failed(result)) {
        hubs_release(e->hubs);
        e->hubs = e->loading;
    } else {
        struct log_line line;
        log_begin(&line, e->settings.log, ERR_LEVEL_ERROR, "hub.settings_unreadable");
        log_failure(&line, result, &why);
        log_end(&line);
        hubs_release(e->loading);
    }
    reload_ended(e, result);
}

static void ask_hubs(struct embedded *e)
{
    e->loading = hubs_new();
    INVARIANT(e->loading != NULL); // without memory for its settings the daemon had better start again
    e->reloading = true;
    embedded_hold(e);
    e->reload = (struct store_request){
        .verb = STORE_QUERY,
        .table = STORE_HUB,
        .limit = EMBEDDED_HUBS_MAX,
        .arena = &e->loading->arena,
        .done = hubs_read,
        .context = e,
    };
    store_submit(e->settings.store, &e->reload);
}

void embedded_reload(struct embedded *e, struct embedded_wait *wait)
{
    if (wait != NULL) {
        struct embedded_wait **list = e->reloading ? &e->joined : &e->waiting;
        wait->next = *list;
        *list = wait;
    }
    if (e->reloading)
        e->reload_again = true;
    else
        ask_hubs(e);
}

// ---- counts -------------------------------------------------------------------------------------
// FNV-1a over the name in lower case; never 0.
static uint64_t hash_of(struct slice host)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.at[i];
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + ('a' - 'A'));
        hash = (hash ^ c) * UINT64_C(1099511628211);
    }
    return hash == 0 ? 1 : hash;
}

struct embedded_count *embedded_count_of(struct embedded_peer *peer, struct slice host)
{
    uint64_t hash = hash_of(host);
    for (size_t i = 0; i < EMBEDDED_HUBS_MAX; i++) {
        uint64_t there = atomic_load(&peer->counts[i].hub);
        if (there == 0)
            atomic_store(&peer->counts[i].hub, hash);
        if (there == 0 || there == hash)
            return &peer->counts[i];
    }
    return NULL;
}

void embedded_counts(const struct embedded_peer *peers, size_t peer_count, struct slice host,
                     uint64_t *telemetry, uint64_t *connected)
{
    uint64_t hash = hash_of(host);
    *telemetry = *connected = 0;
    for (size_t i = 0; i < peer_count * EMBEDDED_HUBS_MAX; i++) {
        const struct embedded_count *count = &peers[i / EMBEDDED_HUBS_MAX].counts[i % EMBEDDED_HUBS_MAX];
        if (atomic_load(&count->hub) != hash)
            continue;
        *telemetry += atomic_load(&count->telemetry);
        *connected += atomic_load(&count->connected);
    }
}
