// Twins as a hub takes and tells them (service-api H.2): tags and desired properties, and reported ones,
// which hubs take in bulk calls only (H.3). Pure.
#pragma once

#include "base/buf.h"
#include "ports/hub.h"

// twin: an InitialTwin or empty. ERR_HUB_REFUSED when it is no JSON object; else what broke out.
struct err azure_twin_write(struct buf *out, struct slice device_id, struct slice twin, struct why *why);
// The answer is this device's twin. *reported_stands: what was `reported` (JSON text, or empty) is in it.
// Errors as azure_identity_check.
struct err azure_twin_check(struct slice answer, struct slice device_id, struct slice reported,
                            bool *reported_stands, struct why *why);
// The answer to a HUB_READ from the hub's: found, twin, reported, iot_edge, without $metadata and $version.
// Errors as azure_identity_check, or ERR_NO_MEMORY.
struct err azure_twin_tell(struct slice answer, struct hub_request *request);

// There is something to be reported: more than an empty object.
bool azure_reported_any(struct slice reported);
// A bulk call with this device as its only item. ERR_HUB_REFUSED when `reported` is no JSON object.
struct err azure_reported_write(struct buf *out, struct slice device_id, struct slice reported,
                                struct why *why);
// Whether the answer to it says that all went well.
bool azure_reported_taken(struct slice answer);
