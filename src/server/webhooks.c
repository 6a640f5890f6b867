// From settings to the caller of webhooks.
#include "server/webhooks.h"

#include "net/loop.h"
#include "server/daemon.h"
#include "server/files.h"

_Static_assert((int)GUARD_NETWORKS_MAX >= (int)CONFIG_LIST_MAX &&
                   (int)GUARD_PORTS_MAX >= (int)CONFIG_LIST_MAX,
               "what the settings may list fits");

struct err webhook_guard(const struct config *config, struct guard *out, struct why *why)
{
    *out = (struct guard){.http = config->webhook_http};
    for (size_t i = 0; i < config->webhook_networks.count; i++) {
        struct why detail = {0};
        struct slice text = config->webhook_networks.items[i];
        if (failed(ip_network_read(text, &out->allowed[out->allowed_count++], &detail)))
            return why_fail(why, ERR_CONFIG, "webhook.allowAddresses: %.180s", detail.text);
    }
    for (size_t i = 0; i < config->webhook_ports.count; i++) {
        uint64_t port = 0;
        struct slice text = config->webhook_ports.items[i];
        if (!slice_to_u64(text, &port) || port == 0 || port > 65535)
            return why_fail(why, ERR_CONFIG, "webhook.ports: \"%.*s\" is no port",
                            SLICE_ARG(slice_to(text, 32)));
        out->ports[out->port_count++] = (uint16_t)port;
    }
    return OK;
}

struct err webhooks_make(struct daemon *daemon, struct loop *loop, struct webhook **out, struct why *why)
{
    struct webhook_settings settings = {
        .poller = loop_poller(loop),
        .replies = loop_mailbox(loop),
        .clock = &daemon->clock,
        .random = &daemon->random,
        .log = &daemon->log,
    };
    TRY(webhook_guard(daemon->config, &settings.guard, why));
    struct buf ca = buf_capped(FILE_MAX);
    struct err e = OK;
    if (daemon->config->webhook_ca_file.len > 0)
        e = file_read((const char *)daemon->config->webhook_ca_file.at, false, &ca, why);
    settings.ca_pem = buf_slice(&ca);
    if (!failed(e))
        e = webhook_new(&settings, out, why);
    buf_release(&ca);
    return e;
}
