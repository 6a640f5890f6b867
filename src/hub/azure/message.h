// The JSON that goes to a hub and comes back: device identities (service-api H.2), and what the hub echoes
// checked against what was asked for (threats D3). Twins are twin.h. Pure.
#pragma once

#include "base/buf.h"
#include "ports/hub.h"
#include "json/json.h"

// A twin of the largest size with the stamps of all its properties takes some hundred kilobytes.
enum { AZURE_ANSWER_MAX = 1 << 20 };

// A new identity, enabled. Keys are in `out` afterwards. What broke out.
struct err azure_identity_create(struct buf *out, const struct hub_identity *identity);
// The identity that the hub has, with only its authentication and (when iot_edge says so) capabilities
// replaced. etag: that of the answer, without quotes; empty when it has none. Errors as azure_identity_check,
// or what broke out or etag.
struct err azure_identity_adopt(struct slice answer, const struct hub_identity *identity, struct buf *out,
                                struct buf *etag, struct why *why);
// The identity that is made in place of the one that the hub has, when that is removed: with its status and
// capabilities, which are its operator's. etag and errors as azure_identity_adopt.
struct err azure_identity_renew(struct slice answer, const struct hub_identity *identity, struct buf *out,
                                struct buf *etag, struct why *why);
// The answer names this device and holds the credentials that were sent. ERR_HUB_REFUSED when they are
// others; ERR_HUB_UNAVAILABLE when it is not an identity at all, so that nobody knows what happened.
struct err azure_identity_check(struct slice answer, const struct hub_identity *identity, struct why *why);
// The answer as an object that is about this device; on success the caller releases doc. Errors as
// azure_identity_check.
struct err azure_answer_read(struct slice answer, struct slice device_id, struct json_doc *doc,
                             struct why *why);

// The body of a 404 is about the device, and not about a path or a host that does not exist.
bool azure_error_is_absent(struct slice body);
// What a hub's error body says, for people: its Message, or all of it when it has none. Empty when there is
// nothing that may be shown: no body, or one in which keys or tokens are repeated, or might be in a writing
// that cannot be looked through (invariant I10).
struct slice azure_error_text(struct slice body, bool whole, const struct hub_request *request,
                              struct buf *room);
