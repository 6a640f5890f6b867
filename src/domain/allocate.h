// Choosing a hub (service-api D.1, D.2): which hubs may the device go to, and which of them does the policy
// pick.
#pragma once

#include "domain/enrollment.h"
#include "domain/service.h"
#include "domain/trace.h"

// The hubs of `service` that the enrollment allows and that take part in allocation, each once: in the order
// of the enrollment's list if it has one, else in that of the service. *out is an array in the arena.
struct err allocate_candidates(const struct service *service, const struct enrollment *enrollment,
                               struct arena *arena, const struct linked_hub ***out, size_t *count);
// Weighted rendezvous hashing over the canonical registration ID: each hub scores -weight / ln(h(id, hub)), h
// uniform in (0,1); the highest wins. Adding a hub moves only devices that go to it. count > 0.
// ERR_NO_MEMORY.
struct err allocate_hashed(const struct linked_hub *const *hubs, size_t count, struct slice canonical_id,
                           const struct linked_hub **out);
// The enrollment's policy, or else the service's, over the candidates. ERR_NO_HUB when there is none;
// ERR_WEBHOOK for custom allocation, which cannot be carried out yet.
struct err allocate_hub(const struct service *service, const struct enrollment *enrollment,
                        struct slice canonical_id, struct arena *arena, const struct linked_hub **out,
                        struct trace *trace, struct why *why);
