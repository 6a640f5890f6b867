// Which hubs may a device go to, and why are the others left out (service-api D.1)? Inside the decision only.
#pragma once

#include "domain/decide.h"

// The legacy member iotHubHostName, which is static allocation to that hub where no policy is given.
bool candidates_legacy(const struct enrollment *e);

// Fills out->candidates and out->candidate_count: each hub once, in the order of the enrollment's list if it
// has one, else in that of the service. `home`, where the device is and may stay, counts even when it takes
// no new devices, unless it is draining; NULL for none. Who was left out is in the trace. ERR_NO_HUB, with
// the reason of each hub, when nobody is left.
struct err candidates_find(const struct admission *admission, const struct enrollment *enrollment,
                           const struct linked_hub *home, struct arena *arena, struct decision *out,
                           struct trace *trace, struct why *why);
