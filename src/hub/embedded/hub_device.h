// What a HUB_ASSIGN makes of a device's record, and what a HUB_READ says of it. Pure, but for etags. Not for
// storing it: that is hub_embedded.c.
#pragma once

#include "domain/twin.h"
#include "ports/hub.h"
#include "ports/random.h"

// The twin that a request brings, read. A zeroed one is empty; released by hub_twin_release.
struct hub_twin_parts {
    struct json_doc twin;
    struct json_doc reported;
    struct twin_parts parts;
};

// Nothing is read of a request that keeps the twin. ERR_MALFORMED, ERR_CAPPED or ERR_INVALID with why.
struct err hub_twin_read(struct hub_request *request, struct hub_twin_parts *out);
void hub_twin_release(struct hub_twin_parts *twin);

// The device that there is none of yet. ERR_INVALID with request->why, ERR_NO_MEMORY.
struct err hub_device_make(struct arena *arena, struct random *random, struct hub_request *request,
                           const struct hub_twin_parts *twin, struct device *out);
// The one that is there. *changed: credentials or capabilities are others, or it is as if it had been removed
// and made anew. *same: nothing is to be written.
struct err hub_device_change(struct arena *arena, struct random *random, const struct hub_request *request,
                             const struct hub_twin_parts *twin, struct device *device, bool *changed,
                             bool *same, struct why *why);
// Fills in the answer of a HUB_READ, in request->arena. device NULL: there is none.
struct err hub_device_tell(struct hub_request *request, const struct device *device);
