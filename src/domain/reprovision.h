// What is known about where a device is, and what follows from it. Inside the decision only.
#pragma once

#include "domain/decide.h"

enum situation {
    SITUATION_NEW,       // it is nowhere
    SITUATION_UNDER_WAY, // an operation was taking it somewhere and may have arrived
    SITUATION_SETTLED,   // it is at a hub that is linked: there it stays
    SITUATION_HOMELESS,  // it is at a hub that is no longer linked
};

// Where the device is or was going; empty when NEW.
struct standing {
    enum situation situation;
    const struct linked_hub *hub; // UNDER_WAY: where to; SETTLED: where it is; else NULL
    struct slice device_id;       // the one that it has or was getting; empty when NEW
};

struct standing reprovision_standing(const struct admission *admission);
