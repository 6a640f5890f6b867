// Who may call a hub, and when: so many at once, the others wait with a deadline, and nobody while it is down
// or asked for quiet, and never more a minute than its link allows. One hub's trouble is kept to itself
// (threats F8, F9).
#include <stdlib.h>

#include "hub/azure/internal.h"

enum { SWEEP_MS = 20, COME_BACK_LONGEST_MS = 60000 };

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
        if (map_get(&kept, host) != NULL)
            continue;
        azure_hub_forget_health(value);
        azure_hub_free(value);
    }
    map_release(&azure->hubs);
    azure->hubs = kept;
}

static void waited_too_long(struct poll_timer *timer);
static void turn_has_come(struct poll_timer *timer);

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
    list_init(&hub->accounts);
    hub->expiry = (struct poll_timer){.fire = waited_too_long, .context = hub};
    hub->turn = (struct poll_timer){.fire = turn_has_come, .context = hub};
    hub->stale = (struct poll_timer){.fire = azure_hub_health_is_old, .context = hub};
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
    azure_accounts_free(hub);
    poller_timer_release(hub->azure->settings.poller, &hub->expiry);
    poller_timer_release(hub->azure->settings.poller, &hub->turn);
    poller_timer_release(hub->azure->settings.poller, &hub->stale);
    free(hub);
}

// --- waiting
// -----------------------------------------------------------------------------------------------------------

static void leave(struct azure_hub *hub, struct azure_call *call)
{
    list_remove(&call->link);
    hub->waiting_count--;
    call->account->waiting_count--;
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
    call->account->waiting_count++;
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

// A HUB_READ takes nothing from the registry (see ask in call.c) and need not wait for those who do.
static bool paced(const struct azure_call *call)
{
    return call->request->verb != HUB_READ;
}

// The call's turn would come too late: better to come back than to wait for nothing.
static bool too_late(struct azure_hub *hub, struct azure_call *call)
{
    const struct azure_account *account = call->account;
    int64_t wait_ms = azure_pace_wait_ms(&account->pace, account->waiting_count);
    if (azure_now_us(hub->azure) + wait_ms * 1000 < call->expires_us)
        return false;
    (void)!failed(why_fail(&call->request->why, ERR_HUB_UNAVAILABLE,
                           "%zu wait for %s already, which takes %u calls a minute", account->waiting_count,
                           hub->host, account->pace.per_minute));
    refuse(hub, call, wait_ms < COME_BACK_LONGEST_MS ? wait_ms : COME_BACK_LONGEST_MS);
    return true;
}

static void pump(struct azure_hub *hub);

// Only a closed breaker has a line to wait in; the one call that tries an open one does not wait.
void azure_hub_submit(struct azure_hub *hub, struct azure_call *call)
{
    int64_t wait_ms = 0;
    azure_pace_set(&call->account->pace, azure_pace_of(call->request->hub), hub->azure->settings.shares,
                   azure_now_us(hub->azure));
    enum outbound_gate how = gate(hub, &call->request->why, &wait_ms);
    bool full = hub->active >= AZURE_CONNECTIONS_MAX;
    if (paced(call))
        full = full || call->account->waiting_count > 0 || !azure_pace_free(&call->account->pace);
    if (how == OUTBOUND_GATE_REFUSE)
        return refuse(hub, call, wait_ms);
    if (how != OUTBOUND_GATE_PASS || !full)
        return start(hub, call, how);
    if (paced(call) && too_late(hub, call))
        return;
    wait_in_line(hub, call);
    pump(hub); // nobody may be under way whose end would do it
}

// The first of the line who may go, as far as the pace goes.
static struct azure_call *next_in_line(struct azure_hub *hub)
{
    LIST_EACH (at, &hub->waiting) {
        struct azure_call *call = CONTAINER_OF(at, struct azure_call, link);
        if (!paced(call) || azure_pace_free(&call->account->pace))
            return call;
    }
    return NULL;
}

static void wait_for_turn(struct azure_hub *hub)
{
    int64_t ms = INT64_MAX;
    LIST_EACH (at, &hub->waiting) {
        int64_t wait_ms = azure_pace_wait_ms(&CONTAINER_OF(at, struct azure_call, link)->account->pace, 0);
        ms = wait_ms < ms ? wait_ms : ms;
    }
    (void)!failed(poller_timer_start(hub->azure->settings.poller, &hub->turn, ms > 0 ? ms : 1));
}

static void turn_has_come(struct poll_timer *timer)
{
    pump(timer->context);
}

// Starts as many of the line as there are places, or sends it away. A call may end at once and come back
// here: the outer loop goes on for it.
static void pump(struct azure_hub *hub)
{
    if (hub->pumping)
        return;
    hub->pumping = true;
    LIST_EACH (at, &hub->accounts)
        azure_pace_fill(&CONTAINER_OF(at, struct azure_account, link)->pace, azure_now_us(hub->azure));
    while (hub->waiting_count > 0) {
        struct azure_call *call = next_in_line(hub);
        int64_t wait_ms = 0;
        bool full = call == NULL || hub->active >= AZURE_CONNECTIONS_MAX;
        if (full && !hub->breaker.open && azure_now_us(hub->azure) >= hub->paused_until_us)
            break;
        if (call == NULL)
            call = CONTAINER_OF(hub->waiting.next, struct azure_call, link);
        enum outbound_gate how = gate(hub, &call->request->why, &wait_ms);
        leave(hub, call);
        if (how == OUTBOUND_GATE_REFUSE)
            refuse(hub, call, wait_ms);
        else
            start(hub, call, how);
    }
    if (hub->waiting_count > 0 && next_in_line(hub) == NULL)
        wait_for_turn(hub);
    hub->pumping = false;
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
    azure_hub_learn(hub, call, &result, throttled);
    azure_answer(hub->azure, call, result.error, result.retry_after_ms);
    pump(hub);
}
