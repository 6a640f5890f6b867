// The connector to Mosquitto brokers with the dynamic security plugin: a client, a role and retained messages
// for each device. Behind ports/hub.h; only the server that wires it includes this.
#pragma once

#include "base/log.h"
#include "ports/clock.h"
#include "ports/hub.h"
#include "ports/poller.h"
#include "ports/random.h"

// All must outlive the connector.
struct hub_mosquitto_settings {
    struct poller *poller;   // of the loop that submits
    struct mailbox *replies; // of the same loop: `done` is called from there
    const struct clock *clock;
    struct random *random;
    const struct log *log; // NULL: no lines
    // Connectors that share what a hub takes a minute, each of which calls it as often; 0: it is the only
    // one.
    unsigned shares;
    struct hub_watch watch;
    // A broker that fails is asked how it is after that time, and again, until it is well; 0: ten seconds.
    int64_t probe_pause_ms;
    struct slice ca_file; // path of a PEM file of the CAs to trust, copied; empty: the system's
};

// TLS only, and certificates are always verified: there is no setting for either. ERR_NO_MEMORY.
struct err hub_mosquitto_new(const struct hub_mosquitto_settings *settings, struct hub_connector **out);
