// The JSON that goes to a hub and comes back: device identities and twins (service-api H.2), and what the hub
// echoes checked against what was asked for (threats D3). Pure.
#pragma once

#include "base/buf.h"
#include "ports/hub.h"

// A new identity, enabled. Keys are in `out` afterwards. What broke out.
struct err azure_identity_create(struct buf *out, const struct hub_identity *identity);
// The identity that the hub has, with only its authentication and (when iot_edge says so) capabilities
// replaced. etag: that of the answer, without quotes; empty when it has none. Errors as azure_identity_check,
// or what broke out or etag.
struct err azure_identity_adopt(struct slice answer, const struct hub_identity *identity, struct buf *out,
                                struct buf *etag, struct why *why);
// The answer names this device and holds the credentials that were sent. ERR_HUB_REFUSED when they are
// others; ERR_HUB_UNAVAILABLE when it is not an identity at all, so that nobody knows what happened.
struct err azure_identity_check(struct slice answer, const struct hub_identity *identity, struct why *why);

// twin: an InitialTwin or empty. ERR_HUB_REFUSED when it is no JSON object; else what broke out.
struct err azure_twin_write(struct buf *out, struct slice device_id, struct slice twin, struct why *why);
// The answer is this device's twin. Errors as azure_identity_check.
struct err azure_twin_check(struct slice answer, struct slice device_id, struct why *why);

// What a hub's error body says, for people: its Message, or all of it when it has none. Empty when there is
// nothing that may be shown: no body, or one in which keys or tokens are repeated (invariant I10).
struct slice azure_error_text(struct slice body, bool whole, const struct hub_request *request,
                              struct buf *room);
