// The caller's life, what comes in and what goes out.
#include "webhook/webhook.h"

#include <stdlib.h>

#include "webhook/internal.h"

int64_t webhook_now_us(const struct webhook_caller *caller)
{
    return clock_monotonic_us(caller->settings.clock);
}

static void deliver(struct mail *mail)
{
    struct webhook_request *request = CONTAINER_OF(mail, struct webhook_request, mail);
    request->done(request);
}

static void answer(struct webhook_caller *caller, struct webhook_request *request, struct err error)
{
    if (!failed(error))
        request->why = (struct why){0};
    request->result = error;
    request->connector = NULL;
    request->mail.deliver = deliver;
    mailbox_post(caller->settings.replies, &request->mail);
}

void webhook_answer(struct webhook_caller *caller, struct webhook_call *call, struct err error)
{
    struct webhook_request *request = call->request;
    free(call);
    answer(caller, request, error);
}

static void submit(struct webhook *webhook, struct webhook_request *request)
{
    struct webhook_caller *caller = CONTAINER_OF(webhook, struct webhook_caller, webhook);
    struct guard_url url;
    INVARIANT(request->deadline_ms > 0);
    request->why = (struct why){0};
    request->answer = (struct slice){0};
    request->status = 0;
    struct err e = guard_url_read(&caller->settings.guard, request->url, &url, &request->why);
    if (failed(e))
        return answer(caller, request, e);
    struct webhook_host *host = webhook_host_of(caller, url.host);
    struct webhook_call *call = host == NULL ? NULL : calloc(1, sizeof *call);
    if (call == NULL)
        return answer(caller, request,
                      why_fail(&request->why, ERR_WEBHOOK, "no room to call one more webhook"));
    *call = (struct webhook_call){
        .host = host, .request = request, .expires_us = webhook_now_us(caller) + request->deadline_ms * 1000};
    request->connector = call;
    webhook_host_submit(host, call);
}

static void caller_free(struct webhook *webhook)
{
    struct webhook_caller *caller = CONTAINER_OF(webhook, struct webhook_caller, webhook);
    void *host = NULL;
    struct slice name;
    for (size_t at = 0; map_next(&caller->hosts, &at, &name, &host);)
        webhook_host_free(host);
    map_release(&caller->hosts);
    outbound_release(&caller->transport);
    free(caller);
}

static const struct webhook_methods caller_methods = {.submit = submit, .free = caller_free};

static void usual_ports(struct guard *guard)
{
    if (guard->port_count > 0)
        return;
    guard->ports[0] = 443;
    guard->ports[1] = 8443;
    guard->port_count = 2;
}

struct err webhook_new(const struct webhook_settings *settings, struct webhook **out, struct why *why)
{
    *out = NULL;
    struct slice begin = SLICE("-----BEGIN CERTIFICATE-----");
    if (settings->ca_pem.len > 0 && slice_find(settings->ca_pem, begin) == settings->ca_pem.len)
        return why_fail(why, ERR_CONFIG, "the file of CAs to trust for webhooks holds no PEM certificate");
    struct webhook_caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL)
        return FAIL(ERR_NO_MEMORY);
    uint64_t seed = 0;
    random_fill_from(settings->random, &seed, sizeof seed);
    map_init(&caller->hosts, seed);
    caller->webhook.methods = &caller_methods;
    caller->settings = *settings;
    caller->settings.ca_pem = (struct slice){0};
    usual_ports(&caller->settings.guard);
    struct err e = outbound_init(&caller->transport, settings->poller, settings->ca_pem);
    if (failed(e)) {
        caller_free(&caller->webhook);
        return why_fail(why, e.code, "no webhooks can be called: libcurl cannot be set up");
    }
    outbound_restrict(&caller->transport, &(struct outbound_rules){.http = settings->guard.http,
                                                                   .answer_max = WEBHOOK_ANSWER_MAX,
                                                                   .may_connect = webhook_may_connect});
    *out = &caller->webhook;
    return OK;
}
