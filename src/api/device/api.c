// The device API of one loop, and what its doors do alike.
#include "api/device/api.h"

#include <stdlib.h>

enum {
    DELAYED_MAX = 4096, // replies of one loop that wait for their time
    RETRY_BUSY_S = 5,
};

struct err token_keep(struct arena *arena, const struct sas_token *token, struct sas_token *kept)
{
    struct sas_token copy = *token;
    TRY(arena_copy(arena, token->resource, &copy.resource));
    TRY(arena_copy(arena, token->expiry_text, &copy.expiry_text));
    TRY(arena_copy(arena, token->policy, &copy.policy));
    *kept = copy;
    return OK;
}

struct err credential_keep(struct flow_request *request, const struct credential *credential)
{
    struct arena *arena = &request->arena;
    struct credential *kept = &request->credential;
    if (credential->chain != NULL)
        kept->chain = chain_hold(credential->chain);
    TRY(arena_copy(arena, credential->tpm.endorsement_key, &kept->tpm.endorsement_key));
    TRY(arena_copy(arena, credential->tpm.storage_root_key, &kept->tpm.storage_root_key));
    kept->kind = credential->kind;
    return token_keep(arena, &credential->sas, &kept->sas);
}

struct err outcome_error(const struct flow_outcome *outcome)
{
    bool disabled = outcome->registration != NULL && outcome->registration->status == STATUS_DISABLED;
    return disabled ? FAIL(ERR_ENROLLMENT_DISABLED) : outcome->result;
}

uint32_t error_retry_s(struct err e)
{
    const struct err_info *info = err_info(e);
    bool retryable = info->class == ERR_CLASS_BUSY || info->class == ERR_CLASS_FAULT;
    return retryable && info->http >= 429 ? RETRY_BUSY_S : 0;
}

// ---- replies that wait for their time
// ----------------------------------------------------------------------------------------

static void delayed_end(struct delayed *delayed)
{
    struct device_api *api = delayed->api;
    list_remove(&delayed->links);
    api->delayed_count--;
    poller_timer_release(api->poller, &delayed->timer);
    delayed->free(delayed);
}

static void delayed_fire(struct poll_timer *timer)
{
    struct delayed *delayed = timer->context;
    delayed->send(delayed);
    delayed_end(delayed);
}

struct err delayed_start(struct delayed *delayed, uint32_t ms)
{
    struct device_api *api = delayed->api;
    if (api->delayed_count >= DELAYED_MAX) {
        delayed->free(delayed);
        return FAIL(ERR_OVERLOADED);
    }
    list_append(&api->delayed, &delayed->links);
    api->delayed_count++;
    delayed->timer.fire = delayed_fire;
    delayed->timer.context = delayed;
    if (failed(poller_timer_start(api->poller, &delayed->timer, ms)))
        delayed_fire(&delayed->timer);
    return OK;
}

// ---- the API
// -----------------------------------------------------------------------------------------------------------------

struct err device_api_new(const struct device_api_settings *settings, struct device_api **out)
{
    struct device_api *api = calloc(1, sizeof *api);
    *out = api;
    if (api == NULL)
        return FAIL(ERR_NO_MEMORY);
    *api = (struct device_api){
        .flow = settings->flow,
        .mqtt = settings->mqtt,
        .amqp = settings->amqp,
        .poller = settings->poller,
        .clock = settings->clock,
        .log = settings->log,
    };
    list_init(&api->delayed);
    return OK;
}

void device_api_free(struct device_api *api)
{
    if (api == NULL)
        return;
    LIST_EACH (at, &api->delayed)
        delayed_end(CONTAINER_OF(at, struct delayed, links));
    free(api);
}
