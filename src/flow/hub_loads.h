// How many devices of a service are at a hub, as one loop knows it: counted in the store at most once a
// second, and what this loop itself assigned since. Other loops count for themselves, so a hub's capacity may
// be passed by what they all assign within a second: it is a limit for planning, not a guard.
#pragma once

#include "ports/clock.h"
#include "ports/store.h"

struct hub_loads;

// A count begins, and ends.
struct hub_loads_watch {
    void (*begins)(void *context);
    void (*ends)(void *context);
    void *context;
};

struct hub_loads *hub_loads_new(struct store_client *store, const struct clock *clock, uint64_t seed,
                                struct hub_loads_watch watch);
void hub_loads_free(struct hub_loads *loads); // no count is under way

// -1: not counted yet. Begins to count when the last time is more than a second ago.
int64_t hub_loads_of(struct hub_loads *loads, struct slice id_scope, struct slice host);
// The registration of one more device says that it is there.
void hub_loads_add(struct hub_loads *loads, struct slice id_scope, struct slice host);
