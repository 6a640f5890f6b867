// One service at a hub: what its link makes of it. Two services may have linked the same hub with other keys
// and another pace, and what one of them does wrong is none of the other's business.
#include <stdlib.h>

#include "hub/azure/internal.h"

static struct slice scope_of(const struct azure_account *account)
{
    return slice_of(account->scope, account->scope_len);
}

static void account_free(struct azure_account *account)
{
    INVARIANT(account->calls == 0);
    list_remove(&account->link);
    account->hub->account_count--;
    azure_token_release(&account->token);
    poller_timer_release(account->hub->azure->settings.poller, &account->stale);
    free(account);
}

// The one that nobody used for the longest time makes room.
static void forget_oldest(struct azure_hub *hub)
{
    struct azure_account *oldest = NULL;
    LIST_EACH (at, &hub->accounts) {
        struct azure_account *account = CONTAINER_OF(at, struct azure_account, link);
        if (account->calls == 0 && (oldest == NULL || account->used_us < oldest->used_us))
            oldest = account;
    }
    if (oldest == NULL)
        return;
    azure_account_tell(oldest, false, &(struct why){0});
    account_free(oldest);
}

static void health_is_old(struct poll_timer *timer)
{
    azure_account_tell(timer->context, false, &(struct why){0});
}

static struct azure_account *account_new(struct azure_hub *hub, struct slice id_scope)
{
    if (hub->account_count >= AZURE_ACCOUNTS_MAX)
        forget_oldest(hub);
    if (hub->account_count >= AZURE_ACCOUNTS_MAX)
        return NULL;
    struct azure_account *account = calloc(1, sizeof *account);
    if (account == NULL)
        return NULL;
    account->hub = hub;
    account->scope_len = id_scope.len;
    if (id_scope.len > 0)
        memcpy(account->scope, id_scope.at, id_scope.len);
    account->stale = (struct poll_timer){.fire = health_is_old, .context = account};
    list_append(&hub->accounts, &account->link);
    hub->account_count++;
    return account;
}

struct azure_account *azure_account_of(struct azure_hub *hub, struct slice id_scope)
{
    struct azure_account *found = NULL;
    if (id_scope.len > ID_SCOPE_MAX)
        return NULL;
    LIST_EACH (at, &hub->accounts) {
        struct azure_account *account = CONTAINER_OF(at, struct azure_account, link);
        if (slice_equal(scope_of(account), id_scope))
            found = account;
    }
    if (found == NULL)
        found = account_new(hub, id_scope);
    if (found != NULL)
        found->used_us = azure_now_us(hub->azure);
    return found;
}

void azure_accounts_free(struct azure_hub *hub)
{
    LIST_EACH (at, &hub->accounts)
        account_free(CONTAINER_OF(at, struct azure_account, link));
}

void azure_account_tell(struct azure_account *account, bool failing, const struct why *why)
{
    const struct hub_azure_settings *settings = &account->hub->azure->settings;
    if (failing) // without the timer it stays failing until it answers
        (void)!failed(poller_timer_start(settings->poller, &account->stale, settings->stale_ms));
    if (failing == account->failing)
        return;
    account->failing = failing;
    if (settings->watch.changed != NULL)
        settings->watch.changed(settings->watch.context, slice_text(account->hub->host), scope_of(account),
                                failing, why);
}
