// The connector's life, what comes in and what goes out.
#include <stdlib.h>

#include "domain/identifier.h"
#include "hub/azure/internal.h"
#include "hub/azure/message.h"

enum { STALE_MS = 30000 };

int64_t azure_now_us(const struct azure *azure)
{
    return clock_monotonic_us(azure->settings.clock);
}

int64_t azure_spread(struct azure *azure, int64_t ms)
{
    uint32_t chance = 0;
    random_fill_from(azure->settings.random, &chance, sizeof chance);
    return ms + (int64_t)chance % (ms / 4 + 1);
}

static void deliver(struct mail *mail)
{
    struct hub_request *request = CONTAINER_OF(mail, struct hub_request, mail);
    request->done(request);
}

static void answer(struct azure *azure, struct hub_request *request, struct err error, int64_t retry_after_ms)
{
    request->result = error;
    request->retry_after_ms = retry_after_ms;
    request->connector = NULL;
    request->mail.deliver = deliver;
    mailbox_post(azure->settings.replies, &request->mail);
}

static void azure_call_free(struct azure_call *call)
{
    if (call->body.len > 0)
        bytes_wipe(call->body.at, call->body.len);
    buf_release(&call->body);
    free(call);
}

void azure_answer(struct azure *azure, struct azure_call *call, struct err error, int64_t retry_after_ms)
{
    struct hub_request *request = call->request;
    call->account->calls--;
    if (!failed(error) && !call->lossy)
        request->why = (struct why){0};
    azure_call_free(call);
    answer(azure, request, error, retry_after_ms);
}

static struct err place(struct azure *azure, struct hub_request *request, struct azure_hub **hub)
{
    uint8_t host[HOST_MAX + 8];
    struct why *why = &request->why;
    struct why detail = {0};
    // It becomes part of a URL: nothing but a name and a port.
    if (failed(host_check(request->hub->host, "the hub's host", &detail)) ||
        request->hub->host.len > sizeof host)
        return why_fail(why, ERR_HUB_REFUSED, "the linked hub cannot be called: %.160s", detail.text);
    for (size_t i = 0; i < request->hub->host.len; i++) {
        uint8_t c = request->hub->host.at[i];
        host[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
    }
    *hub = azure_hub_of(azure, slice_of(host, request->hub->host.len));
    return *hub != NULL ? OK : why_fail(why, ERR_HUB_UNAVAILABLE, "no room to call one more hub");
}

static void submit(struct hub_connector *connector, struct hub_request *request)
{
    struct azure *azure = CONTAINER_OF(connector, struct azure, connector);
    struct azure_hub *hub = NULL;
    request->why = (struct why){0};
    struct err e = place(azure, request, &hub);
    struct azure_account *account = failed(e) ? NULL : azure_account_of(hub, request->id_scope);
    struct azure_call *call = account == NULL ? NULL : calloc(1, sizeof *call);
    if (call == NULL) {
        if (!failed(e))
            e = why_fail(&request->why, ERR_HUB_UNAVAILABLE, "out of memory");
        return answer(azure, request, e, 0);
    }
    *call = (struct azure_call){
        .hub = hub,
        .account = account,
        .request = request,
        .renews = request->verb == HUB_ASSIGN &&
                  (request->twin_how == HUB_TWIN_RESET || request->twin_how == HUB_TWIN_IMPORT),
        .body = buf_capped(OUTBOUND_BODY_MAX),
        .expires_us = azure_now_us(azure) + request->deadline_ms * 1000,
    };
    account->calls++;
    request->connector = call;
    azure_hub_submit(hub, call);
}

static void azure_free(struct hub_connector *connector)
{
    struct azure *azure = CONTAINER_OF(connector, struct azure, connector);
    void *hub = NULL;
    struct slice host;
    for (size_t at = 0; map_next(&azure->hubs, &at, &host, &hub);)
        azure_hub_free(hub);
    map_release(&azure->hubs);
    outbound_release(&azure->transport);
    free(azure);
}

static const struct hub_methods azure_methods = {.submit = submit, .free = azure_free};

struct err hub_azure_new(const struct hub_azure_settings *settings, struct hub_connector **out,
                         struct why *why)
{
    *out = NULL;
    struct slice begin = SLICE("-----BEGIN CERTIFICATE-----");
    if (settings->ca_pem.len > 0 && slice_find(settings->ca_pem, begin) == settings->ca_pem.len)
        return why_fail(why, ERR_CONFIG, "the file of CAs to trust for hubs holds no PEM certificate");
    struct azure *azure = calloc(1, sizeof *azure);
    if (azure == NULL)
        return FAIL(ERR_NO_MEMORY);
    uint64_t seed = 0;
    random_fill_from(settings->random, &seed, sizeof seed);
    map_init(&azure->hubs, seed);
    azure->connector.methods = &azure_methods;
    azure->settings = *settings;
    azure->settings.ca_pem = (struct slice){0};
    if (azure->settings.stale_ms <= 0)
        azure->settings.stale_ms = STALE_MS;
    struct err e = outbound_init(&azure->transport, settings->poller, settings->ca_pem);
    outbound_restrict(&azure->transport, &(struct outbound_rules){.answer_max = AZURE_ANSWER_MAX});
    if (failed(e)) {
        azure_free(&azure->connector);
        return why_fail(why, e.code, "no HTTPS calls can be made: libcurl cannot be set up");
    }
    *out = &azure->connector;
    return OK;
}
