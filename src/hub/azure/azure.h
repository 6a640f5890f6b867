// The connector to Azure IoT hubs, and to anything that speaks their REST API: device identities and twins
// over HTTPS, by libcurl on the loop (service-api H.1 to H.3). Behind ports/hub.h; only the server that wires
// it includes this.
#pragma once

#include "base/log.h"
#include "ports/clock.h"
#include "ports/hub.h"
#include "ports/poller.h"
#include "ports/random.h"

// Calls a minute that change or read a hub's device registry, for hubs of Azure whose link names no figure:
// an S1 unit takes 100 (service-api H.3).
enum { HUB_AZURE_CALLS_PER_MINUTE = 90 };

// All but ca_pem must outlive the connector.
struct hub_azure_settings {
    struct poller *poller;   // of the loop that submits
    struct mailbox *replies; // of the same loop: `done` is called from there
    const struct clock *clock;
    struct random *random;
    const struct log *log; // NULL: no lines
    struct slice ca_pem;   // PEM of the CAs to trust, copied; empty: the system's
    // Connectors that share what a hub takes a minute, each of which calls it as often; 0: it is the only
    // one.
    unsigned shares;
    // How long a hub that failed and was not called since is told to fail; 0: half a minute.
    int64_t stale_ms;
    struct hub_watch watch; // may be called from within submit
};

// Certificates are always verified and proxies of the environment never used: there is no setting for either.
// ERR_CONFIG with why when ca_pem holds no certificate, ERR_NO_MEMORY, ERR_SYSTEM.
struct err hub_azure_new(const struct hub_azure_settings *settings, struct hub_connector **out,
                         struct why *why);
