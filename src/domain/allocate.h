// Choosing a hub (service-api D.1, D.2): which of the hubs that the device may go to does the policy pick?
#pragma once

#include "domain/decide.h"

// Weighted rendezvous hashing over the canonical registration ID: each hub scores -weight / ln(h(id, hub)), h
// uniform in (0,1); the highest wins. Adding a hub moves only devices that go to it. count > 0.
// ERR_NO_MEMORY.
struct err allocate_hashed(const struct linked_hub *const *hubs, size_t count, struct slice canonical_id,
                           const struct linked_hub **out);
// The policy of out->enrollment, or else the service's, over the candidates (candidates.h): fills candidates
// and hub of *out; with custom allocation ask, or, from admission->answer, hub, twin and payload. `home`:
// where the device is and may stay, or NULL. ERR_NO_HUB when there is no candidate; ERR_WEBHOOK when the
// webhook's answer names none of them.
struct err allocate_hub(const struct admission *admission, const struct linked_hub *home,
                        struct slice canonical_id, struct arena *arena, struct decision *out,
                        struct trace *trace, struct why *why);
