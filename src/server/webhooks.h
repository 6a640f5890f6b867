// What the daemon's settings say about webhooks, and the caller of them that each loop has. Wiring only.
#pragma once

#include "server/config.h"
#include "webhook/webhook.h"

struct daemon;
struct loop;

// The settings webhook.*, read. ERR_CONFIG with why: a network or a port that is none.
struct err webhook_guard(const struct config *config, struct guard *out, struct why *why);
// For this loop; the daemon outlives it. As above, and what the file of CAs is wrong with.
struct err webhooks_make(struct daemon *daemon, struct loop *loop, struct webhook **out, struct why *why);
