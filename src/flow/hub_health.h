// Which hubs fail, as one loop knows it: what its own connectors noticed, and what other loops told it. For
// the decision (a failing hub may be left out), and for whoever asks how the hubs are.
#pragma once

#include "ports/clock.h"
#include "ports/hub.h"

struct hub_health;

// A bit for each: usherd never has more loops than this, neither by its settings nor by its processors.
enum { HUB_HEALTH_LOOPS_MAX = 64 };

struct hub_health *hub_health_new(const struct clock *clock, uint64_t seed); // NULL: no memory
void hub_health_free(struct hub_health *health);

// `loop` (below HUB_HEALTH_LOOPS_MAX) noticed it. Wakes nobody.
void hub_health_set(struct hub_health *health, struct slice host, unsigned loop, bool failing,
                    const struct why *why);

struct hub_health_state {
    bool failing;
    int64_t since_us; // wall clock; 0: never heard of
    struct why why;   // the last reason
};
struct hub_health_state hub_health_of(const struct hub_health *health, struct slice host);

// The same for what only concerns the link of one service, as its credentials do. What is known of the hub
// counts as well, and first.
void hub_health_set_link(struct hub_health *health, struct slice host, struct slice id_scope, unsigned loop,
                         bool failing, const struct why *why);
struct hub_health_state hub_health_of_link(const struct hub_health *health, struct slice host,
                                           struct slice id_scope);
