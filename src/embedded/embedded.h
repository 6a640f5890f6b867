// The bench hub of one loop: what it serves over HTTP and MQTT, and what it counts. Everything on the loop's
// thread but embedded_counts.
#pragma once

#include <stdatomic.h>

#include "api/exchange.h"
#include "api/link.h"
#include "ports/clock.h"
#include "ports/poller.h"
#include "ports/random.h"
#include "ports/store.h"

struct embedded;

enum { EMBEDDED_HUBS_MAX = 32 };

// What a loop counts for one hub. Written by that loop, read by any.
struct embedded_count {
    _Atomic uint64_t hub; // hash of its name; 0: free
    _Atomic uint64_t telemetry;
    _Atomic uint64_t connected;
};

// One per loop in an array that all loops share and that outlives them. The server fills `mailbox`; the rest,
// zeroed at first, belongs to that loop's instance.
struct embedded_peer {
    struct mailbox *mailbox;
    struct embedded *embedded; // used on its own thread only
    struct embedded_count counts[EMBEDDED_HUBS_MAX];
};

struct embedded_settings {
    struct store_client *store;
    const struct clock *clock;
    struct random *random;
    const struct log *log;
    struct poller *poller;
    struct embedded_peer *peers;
    size_t peer_count; // at most 256
    size_t index;      // which of them this loop is
};

// Caller's storage until loaded is called.
struct embedded_wait {
    void (*loaded)(struct embedded_wait *wait, struct err result);
    void *context;
    struct embedded_wait *next; // the instance's
};

// All that settings name outlives it. It knows no hub before embedded_reload has called back.
struct err embedded_new(const struct embedded_settings *settings, struct embedded **out);
// Stopped and idle, and every session closed.
void embedded_free(struct embedded *embedded);
// Reads the hubs anew from the store; wait->loaded (wait may be NULL) is called once, later, with OK or why
// not: the old ones then stay. A reload asked for while one is under way is run after it. Connected devices
// keep their connections.
void embedded_reload(struct embedded *embedded, struct embedded_wait *wait);
// An identity was changed or removed, but not through embedded_area: the device's connection is closed unless
// what it showed still holds. host: as in the store, in lower case.
void embedded_identity_changed(struct embedded *embedded, struct slice host, struct slice device_id);
// Refuses new requests, answers those that wait for a device and closes the devices' connections;
// idle(context) is called, later, once nothing is under way.
void embedded_stop(struct embedded *embedded, void (*idle)(void *context), void *context);

// /devices…, /twins… and /statistics/….
struct http_area embedded_area(struct embedded *embedded);
// User names {host}/{device}/[?]api-version=… with the host of an embedded hub.
struct mqtt_door embedded_door(struct embedded *embedded);

// Messages taken and devices connected over all loops, for a hub's name (case does not matter). Any thread.
void embedded_counts(const struct embedded_peer *peers, size_t peer_count, struct slice host,
                     uint64_t *telemetry, uint64_t *connected);
