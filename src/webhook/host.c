// Who may call a host, and when: so many at once, the others wait with a deadline, and nobody while it is
// down. One function's trouble is kept to the devices that need it (threats D2, F10).
#include <stdlib.h>

#include "webhook/internal.h"

enum { SWEEP_MS = 20 };

static void log_host(const struct webhook_host *host, enum err_level level, const char *event, struct err e,
                     const struct why *why)
{
    struct log_line line;
    log_begin(&line, host->caller->settings.log, level, event);
    log_text(&line, LOG_detail, slice_text(host->name));
    if (failed(e))
        log_failure(&line, e, why);
    log_end(&line);
}

// --- entries
// -----------------------------------------------------------------------------------------------------------

// Names come from operators' enrollments: those that nobody asks about make room for new ones.
static bool nothing_known(const struct webhook_host *host, int64_t now_us)
{
    bool open = host->breaker.open && now_us < host->breaker.until_us;
    return host->active == 0 && host->waiting_count == 0 && !open;
}

static void forget_idle(struct webhook_caller *caller)
{
    int64_t now_us = webhook_now_us(caller);
    struct map kept;
    map_init(&kept, caller->hosts.seed);
    struct slice name;
    void *value = NULL;
    bool moved = true;
    for (size_t at = 0; map_next(&caller->hosts, &at, &name, &value) && moved;) {
        struct webhook_host *host = value;
        if (!nothing_known(host, now_us))
            moved = !failed(map_put(&kept, name, host, NULL));
    }
    if (!moved) {
        map_release(&kept);
        return;
    }
    for (size_t at = 0; map_next(&caller->hosts, &at, &name, &value);) {
        if (map_get(&kept, name) == NULL)
            webhook_host_free(value);
    }
    map_release(&caller->hosts);
    caller->hosts = kept;
}

static void waited_too_long(struct poll_timer *timer);

static struct webhook_host *host_new(struct webhook_caller *caller, struct slice name)
{
    if (caller->hosts.count >= WEBHOOK_HOSTS_MAX)
        forget_idle(caller);
    if (caller->hosts.count >= WEBHOOK_HOSTS_MAX)
        return NULL;
    struct webhook_host *host = calloc(1, sizeof *host + name.len + 1);
    if (host == NULL)
        return NULL;
    host->caller = caller;
    memcpy(host->name, name.at, name.len);
    list_init(&host->waiting);
    host->expiry = (struct poll_timer){.fire = waited_too_long, .context = host};
    if (failed(map_put(&caller->hosts, name, host, NULL))) {
        free(host);
        return NULL;
    }
    return host;
}

struct webhook_host *webhook_host_of(struct webhook_caller *caller, const char *name)
{
    struct webhook_host *host = map_get(&caller->hosts, slice_text(name));
    return host != NULL ? host : host_new(caller, slice_text(name));
}

void webhook_host_free(struct webhook_host *host)
{
    if (host == NULL)
        return;
    INVARIANT(host->active == 0 && host->waiting_count == 0);
    poller_timer_release(host->caller->settings.poller, &host->expiry);
    free(host);
}

// --- waiting
// -----------------------------------------------------------------------------------------------------------

static void leave(struct webhook_host *host, struct webhook_call *call)
{
    list_remove(&call->link);
    host->waiting_count--;
}

static void watch_expiry(struct webhook_host *host, int64_t expires_us, int64_t now_us)
{
    int64_t ms = (expires_us - now_us) / 1000 + 1;
    struct poller *poller = host->caller->settings.poller;
    bool runs = !failed(poller_timer_start(poller, &host->expiry, ms > SWEEP_MS ? ms : SWEEP_MS));
    host->expiry_us = runs ? expires_us : 0;
}

// Deadlines differ, so all are looked at; at most every SWEEP_MS.
static void waited_too_long(struct poll_timer *timer)
{
    struct webhook_host *host = timer->context;
    int64_t now_us = webhook_now_us(host->caller);
    int64_t next_us = INT64_MAX;
    host->expiry_us = 0;
    LIST_EACH (at, &host->waiting) {
        struct webhook_call *call = CONTAINER_OF(at, struct webhook_call, link);
        if (call->expires_us > now_us) {
            next_us = call->expires_us < next_us ? call->expires_us : next_us;
            continue;
        }
        leave(host, call);
        webhook_answer(host->caller, call,
                       why_fail(&call->request->why, ERR_WEBHOOK,
                                "out of time while the webhook %s was asked about others", host->name));
    }
    if (next_us != INT64_MAX)
        watch_expiry(host, next_us, now_us);
}

static void wait_in_line(struct webhook_host *host, struct webhook_call *call)
{
    if (host->waiting_count >= WEBHOOK_WAITING_MAX)
        return webhook_answer(
            host->caller, call,
            why_fail(&call->request->why, ERR_WEBHOOK, "too much is waiting for the webhook %s", host->name));
    list_append(&host->waiting, &call->link);
    host->waiting_count++;
    if (host->expiry_us == 0 || call->expires_us < host->expiry_us)
        watch_expiry(host, call->expires_us, webhook_now_us(host->caller));
}

// --- asking for leave
// --------------------------------------------------------------------------------------------------------------

static void refuse(struct webhook_host *host, struct webhook_call *call)
{
    webhook_answer(host->caller, call,
                   why_fail(&call->request->why, ERR_WEBHOOK,
                            "the webhook %s failed again and again and is left alone for a while",
                            host->name));
}

// The call holds one of the host's places from here to webhook_call_end.
static void start(struct webhook_host *host, struct webhook_call *call, enum outbound_gate how)
{
    call->probe = how == OUTBOUND_GATE_PROBE;
    call->transfer = outbound_transfer_take(&host->caller->transport);
    host->active++;
    if (call->transfer == NULL) {
        struct err e = why_fail(&call->request->why, ERR_WEBHOOK,
                                "out of memory while calling the webhook %s", host->name);
        return webhook_call_end(call, e, WEBHOOK_UNKNOWN);
    }
    webhook_call_begin(call);
}

// Only a closed breaker has a line to wait in; the one call that tries an open one does not wait.
void webhook_host_submit(struct webhook_host *host, struct webhook_call *call)
{
    int64_t ignored = 0;
    enum outbound_gate how = outbound_breaker_ask(&host->breaker, webhook_now_us(host->caller), &ignored);
    bool full = host->waiting_count > 0 || host->active >= WEBHOOK_CALLS_MAX;
    if (how == OUTBOUND_GATE_REFUSE)
        refuse(host, call);
    else if (how == OUTBOUND_GATE_PASS && full)
        wait_in_line(host, call);
    else
        start(host, call, how);
}

// Starts as many of the line as there are places, or sends it away. A call may end at once and come back
// here: the outer loop goes on for it.
static void pump(struct webhook_host *host)
{
    if (host->pumping)
        return;
    host->pumping = true;
    while (host->waiting_count > 0 && (host->breaker.open || host->active < WEBHOOK_CALLS_MAX)) {
        struct webhook_call *call = CONTAINER_OF(host->waiting.next, struct webhook_call, link);
        int64_t ignored = 0;
        enum outbound_gate how = outbound_breaker_ask(&host->breaker, webhook_now_us(host->caller), &ignored);
        leave(host, call);
        if (how == OUTBOUND_GATE_REFUSE)
            refuse(host, call);
        else
            start(host, call, how);
    }
    host->pumping = false;
}

static void learn(struct webhook_host *host, const struct webhook_call *call, struct err e,
                  enum webhook_health health)
{
    uint32_t chance = 0;
    switch (health) {
    case WEBHOOK_HEALTHY:
        if (outbound_breaker_succeeded(&host->breaker))
            log_host(host, ERR_LEVEL_INFO, "webhook.circuit_closed", OK, NULL);
        break;
    case WEBHOOK_SICK:
        random_fill_from(host->caller->settings.random, &chance, sizeof chance);
        if (outbound_breaker_failed(&host->breaker, call->probe, webhook_now_us(host->caller), chance))
            log_host(host, ERR_LEVEL_WARN, "webhook.circuit_open", e, &call->request->why);
        break;
    case WEBHOOK_UNKNOWN:
    default:
        outbound_breaker_undecided(&host->breaker, call->probe);
    }
}

void webhook_call_end(struct webhook_call *call, struct err error, enum webhook_health health)
{
    struct webhook_host *host = call->host;
    if (call->transfer != NULL)
        outbound_transfer_give_back(call->transfer);
    call->transfer = NULL;
    host->active--;
    learn(host, call, error, health);
    webhook_answer(host->caller, call, error);
    pump(host);
}
