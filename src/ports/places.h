// The port to what knows where an address is: an operator's table of networks, a database of cities.
#pragma once

#include "domain/place.h"

struct places;

struct places_methods {
    // `address`: IPv4 or IPv6, with or without a port, as logs show it. False, and *out zeroed, when nothing
    // is known of it. The zone lives as long as `places`. At once, and only on the loop that owns it.
    bool (*find)(struct places *places, struct slice address, struct place *out);
    void (*free)(struct places *places);
};

// One per loop.
struct places {
    const struct places_methods *methods;
};

static inline bool places_find(struct places *places, struct slice address, struct place *out)
{
    *out = (struct place){0};
    return places != NULL && places->methods->find(places, address, out);
}

static inline void places_free(struct places *places)
{
    if (places != NULL)
        places->methods->free(places);
}
