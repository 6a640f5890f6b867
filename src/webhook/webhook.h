// The caller of webhooks: POSTs a question to the function that an operator named, and brings back what it
// said. Behind ports/webhook.h; only the server that wires it includes this.
#pragma once

#include "base/log.h"
#include "ports/clock.h"
#include "ports/poller.h"
#include "ports/random.h"
#include "ports/webhook.h"
#include "webhook/guard.h"

// The longest answer that is read (threats D2): that of domain/custom.h.
enum { WEBHOOK_ANSWER_MAX = 64 * 1024 };

// All but ca_pem and guard must outlive the caller.
struct webhook_settings {
    struct poller *poller;   // of the loop that submits
    struct mailbox *replies; // of the same loop: `done` is called from there
    const struct clock *clock;
    struct random *random;
    const struct log *log; // NULL: no lines
    struct slice ca_pem;   // PEM of the CAs to trust, copied; empty: the system's
    struct guard guard;    // copied; no port: 443 and 8443
};

// Certificates are always verified, redirects never followed and proxies of the environment never used: there
// is no setting for any of it. ERR_CONFIG with why when ca_pem holds no certificate, ERR_NO_MEMORY,
// ERR_SYSTEM.
struct err webhook_new(const struct webhook_settings *settings, struct webhook **out, struct why *why);
