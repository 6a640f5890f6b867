// Builds one loop's share of the daemon and takes it down again.
#include "server/worker.h"

#include <stdlib.h>

#include "base/text.h"
#include "hub/azure/azure.h"
#include "hub/embedded/hub_embedded.h"
#include "hub/embedded/hub_settings.h"
#include "hub/mosquitto/hub_mosquitto.h"
#include "server/daemon.h"
#include "server/files.h"
#include "server/health.h"
#include "server/webhooks.h"
#include "json/write.h"

// Of each loop. A fleet has far fewer CA certificates than that; its revocation lists fit, or are read anew.
enum { ISSUERS_MAX = 4096, ISSUERS_CRL_BYTES = 8 << 20 };

static void write_status(void *context, struct json_writer *w)
{
    const struct daemon *daemon = ((struct worker *)context)->daemon;
    const struct config *config = daemon->config;
    const struct {
        const char *protocol;
        struct slice address;
        uint16_t port;
    } doors[] = {
        {"https", config->https_address, daemon->https_port},
        {"mqtt", config->mqtt_address, daemon->mqtt_port},
        {"amqp", config->amqp_address, daemon->amqp_port},
    };
    json_array_open(w);
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++) {
        json_object_open(w);
        json_field_text(w, "protocol", slice_text(doors[i].protocol));
        json_field_text(w, "address", doors[i].address);
        json_field_number(w, "port", doors[i].port);
        json_object_close(w);
    }
    json_array_close(w);
}

static void count_hub(void *context, struct slice host, int64_t *telemetry, int64_t *connected)
{
    const struct daemon *daemon = ((struct worker *)context)->daemon;
    uint64_t messages = 0;
    uint64_t devices = 0;
    embedded_counts(daemon->peers, daemon->worker_count, host, &messages, &devices);
    *telemetry = (int64_t)messages;
    *connected = (int64_t)devices;
}

static void write_key(struct json_writer *w, const char *name, const struct secret *key)
{
    char text[2 * SECRET_MAX];
    struct buf out = {.at = (uint8_t *)text, .room = sizeof text, .cap = sizeof text};
    b64_encode(&out, secret_slice(key));
    json_field_text(w, name, buf_slice(&out));
    bytes_wipe(text, sizeof text);
}

static struct err write_hub_policies(void *context, struct slice document, struct json_writer *w,
                                     struct why *why)
{
    (void)context;
    struct arena arena = arena_capped(1 << 20);
    struct hub_settings settings = {0};
    arena.wipe = true;
    struct err e = hub_settings_read(&arena, document, &settings, why);
    json_array_open(w);
    for (size_t i = 0; i < settings.policy_count && !failed(e); i++) {
        const struct policy *policy = &settings.policies[i];
        struct buf rights = buf_capped(256);
        hub_rights_write(&rights, policy->rights);
        json_object_open(w);
        json_field_text(w, "keyName", policy->name);
        write_key(w, "primaryKey", &policy->primary);
        write_key(w, "secondaryKey", &policy->secondary);
        json_field_text(w, "rights", buf_slice(&rights));
        json_object_close(w);
        buf_release(&rights);
    }
    json_array_close(w);
    arena_release(&arena);
    return e;
}

static void settings_changed(void *context, struct directory_wait *wait)
{
    daemon_settings_changed(context, wait);
}

static bool may_log(void *context)
{
    return loop_may_log(((struct worker *)context)->loop);
}

static struct err make_flow(struct worker *w)
{
    struct daemon *d = w->daemon;
    const struct config *c = d->config;
    struct flow_settings settings = {
        .inline_wait_ms = c->inline_wait_ms,
        .strict_polling = c->strict_polling,
        .retry_after_s = (uint32_t)c->retry_after_s,
        .operation_ms = c->operation_minutes * 60000,
        .device_requests_per_s = (unsigned)c->device_requests_per_s,
        .hub_call_ms = c->hub_call_ms,
        .webhook_ms = c->webhook_ms,
        .expired_anchors = c->expired_anchors,
    };
    TRY(issuers_new(ISSUERS_MAX, ISSUERS_CRL_BYTES, &w->issuers));
    if (w->index == 0) // the first one to be made, and its loop ends when no flow has anything under way
        TRY(challenges_new(loop_mailbox(w->loop), &d->clock, random_etag(&d->random), &d->challenges));
    TRY(challenges_client_new(d->challenges, loop_mailbox(w->loop), &w->challenges));
    if (d->atlas != NULL)
        TRY(places_new(atlas_share(d->atlas), random_etag(&d->random), &w->places));
    struct flow_ports ports = {
        .store = w->store,
        .places = w->places,
        .webhook = w->webhook,
        .health = w->health,
        .clock = &d->clock,
        .random = &d->random,
        .log = &d->log,
        .directory = w->directory,
        .issuers = w->issuers,
        .challenges = w->challenges,
        .poller = loop_poller(w->loop),
        .may_log = may_log,
        .may_log_context = w,
    };
    memcpy(ports.hubs, w->hubs, sizeof ports.hubs);
    return flow_new(&settings, &ports, &w->flow);
}

static void identity_changed(void *context, struct slice host, struct slice device_id)
{
    struct worker *w = context;
    embedded_identity_changed(w->embedded, host, device_id);
}

static struct err make_hubs(struct worker *w, struct why *why)
{
    struct daemon *d = w->daemon;
    w->health = hub_health_new(&d->clock, random_etag(&d->random));
    if (w->health == NULL)
        return FAIL(ERR_NO_MEMORY);
    w->hubs[HUB_KIND_EMBEDDED] =
        hub_embedded_new(w->store, &d->random, loop_mailbox(w->loop),
                         (struct hub_embedded_watch){.changed = identity_changed, .context = w});
    if (w->hubs[HUB_KIND_EMBEDDED] == NULL)
        return FAIL(ERR_NO_MEMORY);
    struct buf ca = buf_capped(FILE_MAX);
    struct err e = OK;
    if (d->config->hub_ca_file.len > 0)
        e = file_read((const char *)d->config->hub_ca_file.at, false, &ca, why);
    struct hub_azure_settings azure = {
        .poller = loop_poller(w->loop),
        .replies = loop_mailbox(w->loop),
        .clock = &d->clock,
        .random = &d->random,
        .log = &d->log,
        .ca_pem = buf_slice(&ca),
        .shares = d->worker_count,
        .watch = health_watch(w),
    };
    if (!failed(e))
        e = hub_azure_new(&azure, &w->hubs[HUB_KIND_AZURE], why);
    buf_release(&ca);
    struct hub_mosquitto_settings mosquitto = {
        .poller = loop_poller(w->loop),
        .replies = loop_mailbox(w->loop),
        .clock = &d->clock,
        .random = &d->random,
        .log = &d->log,
        .ca_file = d->config->hub_ca_file,
        .shares = d->worker_count,
        .watch = health_watch(w),
    };
    if (!failed(e))
        e = hub_mosquitto_new(&mosquitto, &w->hubs[HUB_KIND_MOSQUITTO]);
    if (failed(e))
        return e;
    struct embedded_settings embedded = {
        .store = w->store,
        .clock = &d->clock,
        .random = &d->random,
        .log = &d->log,
        .poller = loop_poller(w->loop),
        .peers = d->peers,
        .peer_count = d->worker_count,
        .index = w->index,
    };
    return embedded_new(&embedded, &w->embedded);
}

static int64_t server_expires_us(void *context)
{
    const struct worker *w = context;
    return tls_context_expires_us(w->tls);
}

// One look through the store is enough for the daemon; its figures are asked for over the control socket,
// which is the first worker's.
static struct err make_expiry(struct worker *w)
{
    struct daemon *d = w->daemon;
    struct expiry_settings settings = {
        .store = w->store,
        .directory = w->directory,
        .clock = &d->clock,
        .poller = loop_poller(w->loop),
        .log = &d->log,
        .server_expires_us = server_expires_us,
        .server_file = d->config->tls_certificate,
        .context = w,
    };
    return w->index == 0 ? expiry_new(&settings, &w->expiry) : OK;
}

// Likewise of the first worker: what runs for an operator.
static struct err make_dry_runs(struct worker *w)
{
    struct daemon *d = w->daemon;
    struct dry_runs_settings settings = {
        .store = w->store,
        .poller = loop_poller(w->loop),
        .clock = &d->clock,
        .random = &d->random,
        .places = w->places,
        .health = w->health,
    };
    return w->index == 0 ? dry_runs_new(&settings, &w->dry_runs) : OK;
}

static struct err make_apis(struct worker *w)
{
    struct daemon *d = w->daemon;
    struct mqtt_front_settings mqtt = {.loop = w->loop, .clock = &d->clock, .log = &d->log};
    TRY(mqtt_front_new(&mqtt, &w->mqtt));
    struct amqp_front_settings amqp = {.loop = w->loop, .clock = &d->clock, .log = &d->log};
    TRY(amqp_front_new(&amqp, &w->amqp));
    struct device_api_settings device = {
        .flow = w->flow,
        .mqtt = w->mqtt,
        .amqp = w->amqp,
        .poller = loop_poller(w->loop),
        .clock = &d->clock,
        .log = &d->log,
    };
    TRY(device_api_new(&device, &w->device));
    struct service_api_settings service = {
        .store = w->store,
        .directory = w->directory,
        .clock = &d->clock,
        .random = &d->random,
        .log = &d->log,
        .continuation_key = d->continuation_key,
    };
    TRY(service_api_new(&service, &w->service));
    struct control_api_settings control = {
        .store = w->store,
        .directory = w->directory,
        .clock = &d->clock,
        .random = &d->random,
        .log = &d->log,
        .settings_changed = settings_changed,
        .status = write_status,
        .hub_counts = count_hub,
        .hub_policies = write_hub_policies,
        .health = w->health,
        .expiry = w->expiry,
        .dry_runs = w->dry_runs,
        .version = USHER_VERSION,
        .context = w,
    };
    return control_api_new(&control, &w->control);
}

static struct err make_fronts(struct worker *w)
{
    struct daemon *d = w->daemon;
    struct mqtt_door doors[] = {device_mqtt_door(w->device), embedded_door(w->embedded)};
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++)
        mqtt_front_add(w->mqtt, &doors[i]);
    struct amqp_door amqp = device_amqp_door(w->device);
    amqp_front_serve(w->amqp, &amqp);
    // what is spoken in WebSocket on the HTTPS port, by subprotocol (device-protocol 1.3)
    const struct websocket_door websockets[] = {
        {"mqtt", &mqtt_protocol, w->mqtt},
        {"MQTT", &mqtt_protocol, w->mqtt},
        {"AMQPWSB10", &amqp_protocol, w->amqp},
    };
    struct http_front_settings http = {
        .loop = w->loop,
        .clock = &d->clock,
        .random = &d->random,
        .log = &d->log,
        .areas = {control_http_area(w->control), service_http_area(w->service), device_http_area(w->device),
                  embedded_area(w->embedded)},
        .area_count = 4,
    };
    http.websocket_count = sizeof websockets / sizeof websockets[0];
    memcpy(http.websockets, websockets, sizeof websockets);
    TRY(http_front_new(&http, &w->https));
    http.local = true;
    http.websocket_count = 0;
    return http_front_new(&http, &w->local);
}

// What one loop may have of a limit of the process; 0 stays 0.
static size_t share(const struct daemon *daemon, int64_t limit)
{
    return limit == 0 ? 0 : (size_t)limit / daemon->worker_count + 1;
}

struct err worker_init(struct worker *w, struct daemon *daemon, unsigned index, struct why *why)
{
    w->daemon = daemon;
    w->index = index;
    struct loop_settings loop = {
        .log = &daemon->log,
        .max_connections = share(daemon, daemon->config->max_connections),
        .max_per_address = share(daemon, daemon->config->max_per_address),
        .new_per_address = share(daemon, daemon->config->new_per_address),
        .seed = random_etag(&daemon->random),
        .noise_per_second =
            ((unsigned)daemon->config->log_anonymous_per_s + daemon->worker_count - 1) / daemon->worker_count,
    };
    TRY(loop_new(&loop, &w->loop, why));
    daemon->peers[index].mailbox = loop_mailbox(w->loop);
    TRY(store_client_new(daemon->store, loop_mailbox(w->loop), &w->store));
    TRY(directory_new(w->store, &daemon->log, &w->directory));
    TRY(make_hubs(w, why));
    TRY(webhooks_make(daemon, w->loop, &w->webhook, why));
    TRY(make_flow(w));
    TRY(make_expiry(w));
    TRY(make_dry_runs(w));
    TRY(make_apis(w));
    return make_fronts(w);
}

// `localhost` is both loopback addresses: what a client takes the name for is its own affair (Node.js 18 asks
// for ::1 first). A machine without IPv6, or with the port taken there, is served on 127.0.0.1 alone.
static struct err listen_at(struct worker *w, struct slice address, struct listener_settings *settings,
                            struct listener **listener, struct listener **on_ipv6,
                            const struct listener *first_on_ipv6, struct why *why)
{
    TRY(listener_new(w->loop, settings, listener, why));
    bool first = w->index == 0;
    if (!slice_equal_nocase(address, SLICE("localhost")) || (!first && first_on_ipv6 == NULL))
        return OK;
    struct why ignored;
    settings->host = "::1";
    settings->port = listener_port(*listener);
    settings->join = !first;
    if (failed(listener_new(w->loop, settings, on_ipv6, &ignored)))
        *on_ipv6 = NULL;
    return OK;
}

struct err worker_listen(struct worker *w, struct why *why)
{
    const struct daemon *d = w->daemon;
    const struct config *c = d->config;
    const struct worker *first = &d->workers[0];
    struct listener_settings https = {
        .protocol = &http_protocol,
        .context = w->https,
        .tls = w->tls,
        .host = (const char *)c->https_address.at,
        .port = d->https_port,
        .join = w->index > 0,
        .proxies = d->proxies,
        .proxy_count = c->proxy_networks.count,
    };
    struct listener_settings mqtt = {
        .protocol = &mqtt_protocol,
        .context = w->mqtt,
        .tls = w->tls,
        .host = (const char *)c->mqtt_address.at,
        .port = d->mqtt_port,
        .join = w->index > 0,
        .proxies = d->proxies,
        .proxy_count = c->proxy_networks.count,
    };
    struct listener_settings amqp = {
        .protocol = &amqp_protocol,
        .context = w->amqp,
        .tls = w->tls,
        .host = (const char *)c->amqp_address.at,
        .port = d->amqp_port,
        .join = w->index > 0,
        .proxies = d->proxies,
        .proxy_count = c->proxy_networks.count,
    };
    struct listener_settings control = {
        .protocol = &http_protocol,
        .context = w->local,
        .unix_path = (const char *)c->control_socket.at,
    };
    TRY(listen_at(w, c->https_address, &https, &w->https_listener, &w->https_on_ipv6, first->https_on_ipv6,
                  why));
    TRY(listen_at(w, c->mqtt_address, &mqtt, &w->mqtt_listener, &w->mqtt_on_ipv6, first->mqtt_on_ipv6, why));
    TRY(listen_at(w, c->amqp_address, &amqp, &w->amqp_listener, &w->amqp_on_ipv6, first->amqp_on_ipv6, why));
    return w->index == 0 ? listener_new(w->loop, &control, &w->control_listener, why) : OK;
}

static void *run(void *context)
{
    struct worker *w = context;
    loop_run(w->loop);
    return NULL;
}

struct err worker_start(struct worker *w, struct why *why)
{
    if (w->index == 0) {
        flow_resume(w->flow);
        flow_tidy(w->flow);
        TRY(expiry_start(w->expiry));
    }
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        return why_fail(why, ERR_SYSTEM, "no thread can be started");
    w->started = true;
    return OK;
}

// ---- stopping
// ----------------------------------------------------------------------------------------------------------------------

static void became_idle(void *context)
{
    struct worker *w = context;
    if (--w->stopping == 0)
        daemon_worker_idle(w->daemon);
}

static void stop_here(struct mail *mail)
{
    struct worker *w = CONTAINER_OF(mail, struct worker, stop_mail);
    daemon_stop_heard(w->daemon, flow_under_way(w->flow),
                      http_front_under_way(w->https) + http_front_under_way(w->local),
                      loop_connections(w->loop));
    listener_free(w->https_listener);
    listener_free(w->mqtt_listener);
    listener_free(w->amqp_listener);
    struct listener *on_ipv6[] = {w->https_on_ipv6, w->mqtt_on_ipv6, w->amqp_on_ipv6};
    for (size_t i = 0; i < sizeof on_ipv6 / sizeof on_ipv6[0]; i++) {
        if (on_ipv6[i] != NULL)
            listener_free(on_ipv6[i]);
    }
    w->https_on_ipv6 = w->mqtt_on_ipv6 = w->amqp_on_ipv6 = NULL;
    listener_free(w->control_listener);
    w->https_listener = w->mqtt_listener = w->amqp_listener = w->control_listener = NULL;
    w->stopping = (size_t)4 + (w->expiry != NULL) + (w->dry_runs != NULL);
    http_front_stop(w->https, became_idle, w);
    http_front_stop(w->local, became_idle, w);
    flow_stop(w->flow, became_idle, w);
    embedded_stop(w->embedded, became_idle, w);
    if (w->expiry != NULL)
        expiry_stop(w->expiry, became_idle, w);
    if (w->dry_runs != NULL)
        dry_runs_stop(w->dry_runs, became_idle, w);
}

void worker_stop(struct worker *w)
{
    w->stop_mail.deliver = stop_here;
    mailbox_post(loop_mailbox(w->loop), &w->stop_mail);
}

static void use_tls_here(struct mail *mail)
{
    struct worker *w = CONTAINER_OF(mail, struct worker, tls_mail);
    tls_context_free(w->tls);
    w->tls = atomic_exchange(&w->next_tls, NULL);
    if (w->https_listener == NULL) // stopping
        return;
    struct listener *with_tls[] = {w->https_listener, w->mqtt_listener, w->amqp_listener,
                                   w->https_on_ipv6,  w->mqtt_on_ipv6,  w->amqp_on_ipv6};
    for (size_t i = 0; i < sizeof with_tls / sizeof with_tls[0]; i++) {
        if (with_tls[i] != NULL)
            listener_set_tls(with_tls[i], w->tls);
    }
}

void worker_use_tls(struct worker *w, struct tls_context *tls)
{
    struct tls_context *passed_over = atomic_exchange(&w->next_tls, tls);
    if (passed_over != NULL) { // the mail is on its way, and brings what is the latest when it arrives
        tls_context_free(passed_over);
        return;
    }
    w->tls_mail.deliver = use_tls_here;
    mailbox_post(loop_mailbox(w->loop), &w->tls_mail);
}

static void use_atlas_here(struct mail *mail)
{
    struct worker *w = CONTAINER_OF(mail, struct worker, atlas_mail);
    places_use(w->places, atomic_exchange(&w->next_atlas, NULL));
}

void worker_use_atlas(struct worker *w, struct atlas *atlas)
{
    struct atlas *passed_over = atomic_exchange(&w->next_atlas, atlas);
    if (passed_over != NULL) { // as with certificates
        atlas_free(passed_over);
        return;
    }
    w->atlas_mail.deliver = use_atlas_here;
    mailbox_post(loop_mailbox(w->loop), &w->atlas_mail);
}

bool worker_drain(struct worker *w)
{
    return w->loop != NULL && mailbox_deliver(loop_mailbox(w->loop)) > 0;
}

bool worker_release(struct worker *w)
{
    if (w->loop == NULL)
        return true;
    bool busy = (w->flow != NULL && flow_under_way(w->flow) > 0) ||
                (w->https != NULL && http_front_under_way(w->https) > 0) ||
                (w->local != NULL && http_front_under_way(w->local) > 0) ||
                (w->expiry != NULL && expiry_looking(w->expiry)) ||
                (w->dry_runs != NULL && dry_runs_running(w->dry_runs));
    if (busy)
        return false;
    device_api_free(w->device);
    flow_free(w->flow);
    places_free(w->places);
    atlas_free(atomic_exchange(&w->next_atlas, NULL));
    challenges_client_free(w->challenges);
    issuers_free(w->issuers);
    embedded_free(w->embedded);
    service_api_free(w->service);
    control_api_free(w->control);
    expiry_free(w->expiry);
    dry_runs_free(w->dry_runs);
    http_front_free(w->https);
    http_front_free(w->local);
    mqtt_front_free(w->mqtt);
    amqp_front_free(w->amqp);
    webhook_free(w->webhook);
    for (size_t i = 0; i < HUB_KIND_COUNT; i++)
        hub_connector_free(w->hubs[i]);
    hub_health_free(w->health);
    directory_free(w->directory);
    store_client_free(w->store);
    tls_context_free(w->tls);
    tls_context_free(atomic_exchange(&w->next_tls, NULL));
    loop_free(w->loop);
    *w = (struct worker){0};
    return true;
}
