// Choosing a hub (service-api D.1, D.2).
#pragma once

#include "domain/enrollment.h"
#include "domain/service.h"

// The hubs of `service` that the enrollment allows and that take part in allocation. *out is an array in the arena.
struct err allocate_candidates(const struct service *service, const struct enrollment *enrollment, struct arena *arena,
                               const struct linked_hub ***out, size_t *count);
// Weighted rendezvous hashing over the canonical registration ID: each hub scores -weight / ln(h(id, hub)), h uniform in
// (0,1); the highest wins. Adding a hub moves only devices that go to it. count > 0.
const struct linked_hub *allocate_hashed(const struct linked_hub *const *hubs, size_t count, struct slice canonical_id);
