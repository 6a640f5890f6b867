// What is known about where a device is, and what follows from it. Inside the decision only.
#pragma once

#include "domain/decide.h"

enum situation {
    SITUATION_NEW,       // it is nowhere
    SITUATION_UNDER_WAY, // an operation was taking it somewhere and may have arrived
    SITUATION_SETTLED,   // it is at a hub where it may stay
    SITUATION_HOMELESS,  // it is at a hub that is no longer linked or allowed
};

// Where the device is or was going; empty when NEW.
struct standing {
    enum situation situation;
    const struct linked_hub *hub; // UNDER_WAY: where to; SETTLED: where it is; else NULL
    struct slice device_id;       // the one that it has or was getting; empty when NEW
};

struct err reprovision_standing(const struct admission *admission, const struct enrollment *enrollment,
                                struct standing *out);
