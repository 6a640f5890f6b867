// geoLatency (service-api D.2): the hub with the lowest latency to the device, as far as that is known.
// Inside the decision only.
#pragma once

#include "domain/decide.h"

// Measured latencies from the device's zone outrank distance; hubs that are equally near share by weight;
// when nothing is known of the device or of the hubs, all share by weight, and the trace says so. count > 0.
struct err geo_choose(const struct admission *admission, const struct linked_hub *const *hubs, size_t count,
                      struct slice canonical_id, struct arena *arena, const struct linked_hub **out,
                      struct trace *trace);
