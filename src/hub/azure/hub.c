// Who may call a hub, and when: so many at once, the others wait with a deadline, and nobody while it is down
// or asked for quiet. One hub's trouble is kept to itself (threats F8, F9).
#include <stdlib.h>

#include "hub/azure/internal.h"

enum { QUIET_MS = 1000, QUIET_LONGEST_MS = 60000, SWEEP_MS = 20 };

static void log_hub(const struct azure_hub *hub, enum err_level level, const char *event, struct err e,
                    const struct why *why)
{
    struct log_line line;
    log_begin(&line, hub->azure->settings.log, level, event);
    log_text(&line, LOG_hub, slice_text(hub->host));
    if (failed(e))
        log_failure(&line, e, why);
    log_end(&line);
}

// --- entries
// -----------------------------------------------------------------------------------------------------------

static bool nothing_known(const struct azure_hub *hub, int64_t now_us)
{
    return hub->active == 0 && hub->waiting_count == 0 && !hub->breaker.open &&
           hub->paused_until_us <= now_us;
}

// Hubs that were unlinked long ago make room for new ones.
static void forget_idle(struct azure *azure)
{
    int64_t now_us = azure_now_us(azure);
    struct map kept;
    map_init(&kept, azure->hubs.seed);
    struct slice host;
    void *value = NULL;
    bool moved = true;
    for (size_t at = 0; map_next(&azure->hubs, &at, &host, &value) && moved;) {
        struct azure_hub *hub = value;
        if (!nothing_known(hub, now_us))
            moved = !failed(map_put(&kept, host, hub, NULL));
    }
    if (!moved) {
        map_release(&kept);
        return;
    }
    for (size_t at = 0; map_next(&azure->hubs, &at, &host, &value);) {
        if (map_get(&kept, host) == NULL)
            azure_hub_free(value);
    }
    map_release(&azure->hubs);
    azure->hubs = kept;
}

static void waited_too_long(struct poll_timer *timer);

static struct azure_hub *hub_new(struct azure *azure, struct slice host)
{
    if (azure->hubs.count >= AZURE_HUBS_MAX)
        forget_idle(azure);
    if (azure->hubs.count >= AZURE_HUBS_MAX)
        return NULL;
    struct azure_hub *hub = calloc(1, sizeof *hub + host.len + 1);
    if (hub == NULL)
        return NULL;
    hub->azure = azure;
    memcpy(hub->host, host.at, host.len);
    list_init(&hub->waiting);
    hub->expiry = (struct poll_timer){.fire = waited_too_long, .context = hub};
    if (failed(map_put(&azure->hubs, host, hub, NULL))) {
        free(hub);
        return NULL;
    }
    return hub;
}

struct azure_hub *azure_hub_of(struct azure *azure, struct slice host)
{
    struct azure_hub *hub = map_get(&azure->hubs, host);
    return hub != NULL ? hub : hub_new(azure, host);
}

void azure_hub_free(struct azure_hub *hub)
{
    if (hub == NULL)
        return;
    INVARIANT(hub->active == 0 && hub->waiting_count == 0);
    azure_token_release(&hub->token);
    poller_timer_release(hub->azure->settings.poller, &hub->expiry);
    free(hub);
}

// --- waiting
// -----------------------------------------------------------------------------------------------------------

static void leave(struct azure_hub *hub, struct azure_call *call)
{
    list_remove(&call->link);
    hub->waiting_count--;
}

static void watch_expiry(struct azure_hub *hub, int64_t expires_us, int64_t now_us)
{
    int64_t ms = (expires_us - now_us) / 1000 + 1;
    hub->expiry_runs =
        !failed(poller_timer_start(hub->azure->settings.poller, &hub->expiry, ms > SWEEP_MS ? ms : SWEEP_MS));
}

// Deadlines differ, so all are looked at; at most every SWEEP_MS.
static void waited_too_long(struct poll_timer *timer)
{
    struct azure_hub *hub = timer->context;
    int64_t now_us = azure_now_us(hub->azure);
    int64_t next_us = INT64_MAX;
    hub->expiry_runs = false;
    LIST_EACH (at, &hub->waiting) {
        struct azure_call *call = CONTAINER_OF(at, struct azure_call, link);
        if (call->expires_us > now_us) {
            next_us = call->expires_us < next_us ? call->expires_us : next_us;
            continue;
        }
        leave(hub, call);
        struct err e = why_fail(&call->request->why, ERR_HUB_UNAVAILABLE,
                                "%s: out of time while others were served", hub->host);
        azure_answer(hub->azure, call, e, 0);
    }
    if (next_us != INT64_MAX)
        watch_expiry(hub, next_us, now_us);
}

static void wait_in_line(struct azure_hub *hub, struct azure_call *call)
{
    if (hub->waiting_count >= AZURE_WAITING_MAX) {
        struct err e =
            why_fail(&call->request->why, ERR_HUB_UNAVAILABLE, "too much is waiting for %s", hub->host);
        return azure_answer(hub->azure, call, e, 0);
    }
    list_append(&hub->waiting, &call->link);
    hub->waiting_count++;
    if (!hub->expiry_runs)
        watch_expiry(hub, call->expires_us, azure_now_us(hub->azure));
}

// --- asking for leave
// --------------------------------------------------------------------------------------------------------------

// Whether the hub may be asked now; what it says otherwise is in why, and *wait_ms for how long.
static enum outbound_gate gate(struct azure_hub *hub, struct why *why, int64_t *wait_ms)
{
    int64_t now_us = azure_now_us(hub->azure);
    if (now_us < hub->paused_until_us) {
        *wait_ms = (hub->paused_until_us - now_us + 999) / 1000;
        (void)!failed(why_fail(why, ERR_HUB_UNAVAILABLE, "%s asked to be called less often", hub->host));
        return OUTBOUND_GATE_REFUSE;
    }
    enum outbound_gate gate = outbound_breaker_ask(&hub->breaker, now_us, wait_ms);
    if (gate == OUTBOUND_GATE_REFUSE)
        (void)!failed(why_fail(why, ERR_HUB_UNAVAILABLE,
                               "%s failed again and again and is left alone for a while", hub->host));
    return gate;
}

static void refuse(struct azure_hub *hub, struct azure_call *call, int64_t wait_ms)
{
    azure_answer(hub->azure, call, FAIL(ERR_HUB_UNAVAILABLE), azure_spread(hub->azure, wait_ms));
}

// The call holds one of the hub's places from here to azure_call_end.
static void start(struct azure_hub *hub, struct azure_call *call, enum outbound_gate how)
{
    call->probe = how == OUTBOUND_GATE_PROBE;
    call->transfer = outbound_transfer_take(&hub->azure->transport);
    hub->active++;
    if (call->transfer == NULL) {
        struct err e =
            why_fail(&call->request->why, ERR_HUB_UNAVAILABLE, "out of memory while calling %s", hub->host);
        return azure_call_end(call, (struct azure_result){.error = e, .health = AZURE_UNKNOWN});
    }
    azure_call_begin(call);
}

// Only a closed breaker has a line to wait in; the one call that tries an open one does not wait.
void azure_hub_submit(struct azure_hub *hub, struct azure_call *call)
{
    int64_t wait_ms = 0;
    enum outbound_gate how = gate(hub, &call->request->why, &wait_ms);
    bool full = hub->waiting_count > 0 || hub->active >= AZURE_CONNECTIONS_MAX;
    if (how == OUTBOUND_GATE_REFUSE)
        refuse(hub, call, wait_ms);
    else if (how == OUTBOUND_GATE_PASS && full)
        wait_in_line(hub, call);
    else
        start(hub, call, how);
}

// Starts as many of the line as there are places, or sends it away. A call may end at once and come back
// here: the outer loop goes on for it.
static void pump(struct azure_hub *hub)
{
    if (hub->pumping)
        return;
    hub->pumping = true;
    while (hub->waiting_count > 0) {
        struct azure_call *call = CONTAINER_OF(hub->waiting.next, struct azure_call, link);
        int64_t wait_ms = 0;
        bool full = hub->active >= AZURE_CONNECTIONS_MAX;
        if (full && !hub->breaker.open && azure_now_us(hub->azure) >= hub->paused_until_us)
            break;
        enum outbound_gate how = gate(hub, &call->request->why, &wait_ms);
        leave(hub, call);
        if (how == OUTBOUND_GATE_REFUSE)
            refuse(hub, call, wait_ms);
        else
            start(hub, call, how);
    }
    hub->pumping = false;
}

// --- learning
// ----------------------------------------------------------------------------------------------------------

static void learn_health(struct azure_hub *hub, const struct azure_call *call, enum azure_health health,
                         struct err e)
{
    uint32_t chance = 0;
    switch (health) {
    case AZURE_HEALTHY:
        if (outbound_breaker_succeeded(&hub->breaker))
            log_hub(hub, ERR_LEVEL_INFO, "hub.circuit_closed", OK, NULL);
        break;
    case AZURE_SICK:
        random_fill_from(hub->azure->settings.random, &chance, sizeof chance);
        if (outbound_breaker_failed(&hub->breaker, call->probe, azure_now_us(hub->azure), chance))
            log_hub(hub, ERR_LEVEL_WARN, "hub.circuit_open", e, &call->request->why);
        break;
    case AZURE_UNKNOWN:
    default:
        outbound_breaker_undecided(&hub->breaker, call->probe);
    }
}

static void learn_quiet(struct azure_hub *hub, const struct azure_call *call, struct azure_result *result)
{
    int64_t ms = result->retry_after_ms > 0 ? result->retry_after_ms : QUIET_MS;
    if (ms > QUIET_LONGEST_MS)
        ms = QUIET_LONGEST_MS;
    int64_t now_us = azure_now_us(hub->azure);
    if (now_us >= hub->paused_until_us)
        log_hub(hub, ERR_LEVEL_INFO, "hub.throttled", result->error, &call->request->why);
    if (now_us + ms * 1000 > hub->paused_until_us)
        hub->paused_until_us = now_us + ms * 1000;
    result->retry_after_ms = azure_spread(hub->azure, ms);
}

// Once per change, because it is somebody's job to mend it (service-api B.3: keys were rolled at the hub).
static void learn_rights(struct azure_hub *hub, const struct azure_call *call, struct err e)
{
    bool unauthorized = e.code == ERR_HUB_UNAUTHORIZED;
    if (unauthorized)
        azure_token_forget(&hub->token);
    if (unauthorized && !hub->unauthorized)
        log_hub(hub, ERR_LEVEL_ERROR, "hub.unauthorized", e, &call->request->why);
    if (unauthorized || !failed(e))
        hub->unauthorized = unauthorized;
}

void azure_call_end(struct azure_call *call, struct azure_result result)
{
    struct azure_hub *hub = call->hub;
    bool throttled = call->transfer != NULL && call->transfer->end == OUTBOUND_END_ANSWERED &&
                     call->transfer->status == 429 && result.error.code == ERR_HUB_UNAVAILABLE;
    if (call->transfer != NULL)
        outbound_transfer_give_back(call->transfer);
    call->transfer = NULL;
    hub->active--;
    learn_health(hub, call, result.health, result.error);
    if (throttled)
        learn_quiet(hub, call, &result);
    learn_rights(hub, call, result.error);
    azure_answer(hub->azure, call, result.error, result.retry_after_ms);
    pump(hub);
}
