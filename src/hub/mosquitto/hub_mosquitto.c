// The connector's life, what comes in and what goes out.
#include "hub/mosquitto/hub_mosquitto.h"

#include <stdlib.h>

#include "hub/mosquitto/internal.h"

int64_t hub_mosquitto_now_us(const struct hub_mosquitto *connector)
{
    return clock_monotonic_us(connector->settings.clock);
}

static void deliver(struct mail *mail)
{
    struct hub_request *request = CONTAINER_OF(mail, struct hub_request, mail);
    request->done(request);
}

void hub_mosquitto_answer(struct hub_mosquitto *connector, struct hub_request *request, struct err e,
                          int64_t retry_after_ms)
{
    if (!failed(e))
        request->why = (struct why){0};
    request->result = e;
    request->retry_after_ms = failed(e) ? retry_after_ms : 0;
    request->connector = NULL;
    request->mail.deliver = deliver;
    mailbox_post(connector->settings.replies, &request->mail);
}

static void submit(struct hub_connector *port, struct hub_request *request)
{
    struct hub_mosquitto *connector = CONTAINER_OF(port, struct hub_mosquitto, connector);
    struct broker *broker = NULL;
    struct call *call = NULL;
    request->why = (struct why){0};
    request->found = request->left_there = false;
    struct err e =
        command_device_check(request->identity.device_id, request->hub->policy_name, &request->why);
    // Such a device cannot be there: what reads or removes it is answered so.
    if (failed(e) && request->verb != HUB_ASSIGN)
        return hub_mosquitto_answer(connector, request, OK, 0);
    if (!failed(e) && (broker = broker_of(connector, request->hub, request->id_scope, &request->why)) == NULL)
        e = FAIL(ERR_HUB_UNAVAILABLE);
    if (!failed(e) && (call = calloc(1, sizeof *call)) == NULL)
        e = why_fail(&request->why, ERR_HUB_UNAVAILABLE, "out of memory");
    if (failed(e))
        return hub_mosquitto_answer(connector, request, e, 0);
    call->broker = broker;
    call->request = request;
    call->expires_us = hub_mosquitto_now_us(connector) + request->deadline_ms * 1000;
    request->connector = call;
    broker_submit(broker, call);
}

static void connector_free(struct hub_connector *port)
{
    struct hub_mosquitto *connector = CONTAINER_OF(port, struct hub_mosquitto, connector);
    LIST_EACH (at, &connector->brokers)
        broker_free(CONTAINER_OF(at, struct broker, link));
    link_free_retired(&connector->retired);
    free(connector->ca_text);
    free(connector);
    link_library_release();
}

static const struct hub_methods methods = {.submit = submit, .free = connector_free};

struct err hub_mosquitto_new(const struct hub_mosquitto_settings *settings, struct hub_connector **out)
{
    struct hub_mosquitto *connector = calloc(1, sizeof *connector);
    *out = NULL;
    if (connector == NULL)
        return FAIL(ERR_NO_MEMORY);
    link_library_init();
    connector->connector.methods = &methods;
    connector->settings = *settings;
    if (settings->probe_pause_ms <= 0)
        connector->settings.probe_pause_ms = BROKER_PROBE_PAUSE_MS;
    if (settings->shares == 0)
        connector->settings.shares = 1;
    list_init(&connector->brokers);
    list_init(&connector->retired);
    connector->id = random_etag(settings->random);
    if (settings->ca_file.len > 0) {
        connector->ca_text = strndup((const char *)settings->ca_file.at, settings->ca_file.len);
        if (connector->ca_text == NULL) {
            connector_free(&connector->connector);
            return FAIL(ERR_NO_MEMORY);
        }
    }
    connector->settings.ca_file = slice_text(connector->ca_text);
    *out = &connector->connector;
    return OK;
}
