// One loop with all that runs on it: a flow, connectors, doors and listeners. Wiring only.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "api/amqp_front.h"
#include "api/control/control.h"
#include "api/device/device.h"
#include "api/http_front.h"
#include "api/mqtt_front.h"
#include "api/service/service.h"
#include "embedded/embedded.h"
#include "flow/challenges.h"
#include "flow/dry_run.h"
#include "flow/expiry.h"
#include "flow/flow.h"
#include "flow/hub_health.h"
#include "net/listener.h"
#include "net/loop.h"
#include "places/places.h"
#include "server/config.h"
#include "wire/tls/tls.h"

struct daemon;

struct worker {
    struct daemon *daemon;
    unsigned index;
    pthread_t thread;
    bool started;
    struct loop *loop;
    struct store_client *store;
    struct directory *directory;
    struct hub_connector *hubs[HUB_KIND_COUNT]; // by enum hub_kind
    struct hub_health *health;
    struct webhook *webhook;
    struct embedded *embedded;
    struct issuers *issuers; // certificates that vouch for devices, decoded
    struct challenges_client *challenges;
    struct places *places; // NULL: no file says where addresses are
    struct flow *flow;
    struct device_api *device;
    struct service_api *service;
    struct control_api *control;
    struct expiry *expiry;     // of the first worker; else NULL
    struct dry_runs *dry_runs; // likewise
    struct http_front *https;
    struct http_front *local; // behind the control socket; on the first worker only
    struct mqtt_front *mqtt;
    struct amqp_front *amqp;
    struct tls_context *tls;
    struct listener *https_listener;
    struct listener *mqtt_listener;
    struct listener *amqp_listener;
    struct listener *https_on_ipv6; // of the address `localhost`, where there is IPv6; else NULL
    struct listener *mqtt_on_ipv6;
    struct listener *amqp_on_ipv6;
    struct listener *control_listener;
    size_t stopping; // what must still become idle before the loops end
    struct mail stop_mail;
    struct mail tls_mail; // in the mailbox while there is a next_tls
    _Atomic(struct tls_context *) next_tls;
    struct mail atlas_mail; // likewise
    _Atomic(struct atlas *) next_atlas;
};

// Everything but the listeners. On the main thread, before worker_start.
struct err worker_init(struct worker *worker, struct daemon *daemon, unsigned index, struct why *why);
// Binds the doors at the daemon's ports; those that the first worker was given are those of all.
struct err worker_listen(struct worker *worker, struct why *why);
// Reads the settings from the store; loaded once, later. On the loop, or while it does not run yet.
struct err worker_start(struct worker *worker, struct why *why);
// Any thread: stop gracefully; use this certificate from now on (takes over the share).
void worker_stop(struct worker *worker);
void worker_use_tls(struct worker *worker, struct tls_context *tls);
void worker_use_atlas(struct worker *worker, struct atlas *atlas); // likewise
// After all loops ended and their threads were joined: delivers what others have posted since. False when
// there was nothing.
bool worker_drain(struct worker *worker);
// After that. False when something was cut off while under way: its memory, which
// others may still write to, stays as it is and the process must end.
bool worker_release(struct worker *worker);
