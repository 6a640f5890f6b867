// What the end of a call says about its hub: whether it answers, wants quiet, knows the service, and by which
// of its keys; and telling so to whoever watches.
#include "hub/azure/internal.h"

enum { QUIET_MS = 1000, QUIET_LONGEST_MS = 60000 };

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

// --- the watch
// -----------------------------------------------------------------------------------------------------------

static void tell(struct azure_hub *hub, bool failing, const struct why *why)
{
    const struct hub_watch *watch = &hub->azure->settings.watch;
    if (failing == hub->failing)
        return;
    hub->failing = failing;
    if (watch->changed != NULL)
        watch->changed(watch->context, slice_text(hub->host), (struct slice){0}, failing, why);
}

void azure_hub_forget_health(struct azure_hub *hub)
{
    tell(hub, false, &(struct why){0});
    LIST_EACH (at, &hub->accounts)
        azure_account_tell(CONTAINER_OF(at, struct azure_account, link), false, &(struct why){0});
}

// Who is never asked never answers: without this a hub that gets no devices because it failed would get none
// for ever.
void azure_hub_health_is_old(struct poll_timer *timer)
{
    tell(timer->context, false, &(struct why){0});
}

static void tell_health(struct azure_hub *hub, const struct azure_call *call)
{
    bool failing = hub->breaker.open || hub->quiet;
    tell(hub, failing, failing ? &call->request->why : &(struct why){0});
    if (failing) // without the timer it stays failing until it answers
        (void)!failed(
            poller_timer_start(hub->azure->settings.poller, &hub->stale, hub->azure->settings.stale_ms));
    // whom it turns down is turned down for himself
    bool unauthorized = call->account->unauthorized;
    azure_account_tell(call->account, unauthorized, unauthorized ? &call->request->why : &(struct why){0});
}

// --- either key
// ----------------------------------------------------------------------------------------------------------

// Keys of a hub's policy are rolled one after the other, so one of the two always works (service-api B.3).
bool azure_hub_other_key(struct azure_call *call)
{
    if (call->other_key || call->request->hub->policy_key_secondary.len == 0)
        return false;
    call->other_key = true;
    call->account->second = !call->second; // somebody else's call may have said so already
    return true;
}

static void learn_key(struct azure_hub *hub, const struct azure_call *call)
{
    if (!call->other_key || call->account->second_told == call->second)
        return;
    struct log_line line;
    call->account->second_told = call->second;
    log_begin(&line, hub->azure->settings.log, ERR_LEVEL_WARN, "hub.other_key");
    log_text(&line, LOG_hub, slice_text(hub->host));
    log_text(&line, LOG_reason,
             call->second ? SLICE("the hub turned the primary key down and took the secondary one")
                          : SLICE("the hub turned the secondary key down and took the primary one"));
    log_end(&line);
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
    hub->quiet = true;
    if (now_us >= hub->paused_until_us)
        log_hub(hub, ERR_LEVEL_INFO, "hub.throttled", result->error, &call->request->why);
    if (now_us + ms * 1000 > hub->paused_until_us)
        hub->paused_until_us = now_us + ms * 1000;
    result->retry_after_ms = azure_spread(hub->azure, ms);
}

// Once per change, because it is somebody's job to mend it (service-api B.3: keys were rolled at the hub).
static void learn_rights(struct azure_hub *hub, const struct azure_call *call, struct err e)
{
    struct azure_account *account = call->account;
    bool unauthorized = e.code == ERR_HUB_UNAUTHORIZED;
    if (unauthorized)
        azure_token_forget(&account->token);
    if (unauthorized && !account->unauthorized)
        log_hub(hub, ERR_LEVEL_ERROR, "hub.unauthorized", e, &call->request->why);
    if (unauthorized || !failed(e))
        account->unauthorized = unauthorized;
}

void azure_hub_learn(struct azure_hub *hub, const struct azure_call *call, struct azure_result *result,
                     bool throttled)
{
    learn_health(hub, call, result->health, result->error);
    if (throttled)
        learn_quiet(hub, call, result);
    else if (result->health == AZURE_HEALTHY && azure_now_us(hub->azure) >= hub->paused_until_us)
        hub->quiet = false;
    learn_rights(hub, call, result->error);
    if (!failed(result->error))
        learn_key(hub, call);
    tell_health(hub, call);
}
