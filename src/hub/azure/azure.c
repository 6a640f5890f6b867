// The connector's life.
#include "hub/azure/azure.h"

#include <stdlib.h>

#include "base/list.h"

struct azure {
    struct hub_connector connector;
    struct hub_azure_settings settings;
};

static void deliver(struct mail *mail)
{
    struct hub_request *request = CONTAINER_OF(mail, struct hub_request, mail);
    request->done(request);
}

static void submit(struct hub_connector *connector, struct hub_request *request)
{
    struct azure *azure = CONTAINER_OF(connector, struct azure, connector);
    request->result = why_fail(&request->why, ERR_HUB_UNAVAILABLE, "no calls are made yet");
    request->retry_after_ms = 0;
    request->mail.deliver = deliver;
    mailbox_post(azure->settings.replies, &request->mail);
}

static void azure_free(struct hub_connector *connector)
{
    free(CONTAINER_OF(connector, struct azure, connector));
}

static const struct hub_methods azure_methods = {.submit = submit, .free = azure_free};

struct err hub_azure_new(const struct hub_azure_settings *settings, struct hub_connector **out, struct why *why)
{
    (void)why;
    struct azure *azure = calloc(1, sizeof *azure);
    if (azure == NULL)
        return FAIL(ERR_NO_MEMORY);
    azure->connector.methods = &azure_methods;
    azure->settings = *settings;
    azure->settings.ca_pem = (struct slice){0};
    *out = &azure->connector;
    return OK;
}
