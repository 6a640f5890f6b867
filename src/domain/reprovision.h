// What is known about where a device is, and whether it may be taken elsewhere. Inside the decision only.
#pragma once

#include "domain/decide.h"

enum situation {
    SITUATION_NEW,       // it is nowhere
    SITUATION_UNDER_WAY, // an operation was taking it somewhere and may have arrived
    SITUATION_SETTLED,   // it is at a hub that is linked
    SITUATION_HOMELESS,  // it is at a hub that is no longer linked
};

// Where the device is or was going; empty when NEW.
struct standing {
    enum situation situation;
    const struct linked_hub *hub; // UNDER_WAY: where to; SETTLED: where it is; else NULL
    struct slice device_id;       // the one that it has or was getting; empty when NEW
};

struct standing reprovision_standing(const struct admission *admission);

// What the enrollment wants of a device that is somewhere already (service-api D.3). Bits, for sets of them.
enum reprovision_policy {
    REPROVISION_NEVER = 1 << 0,   // it stays
    REPROVISION_MIGRATE = 1 << 1, // where allocation says, with its data
    REPROVISION_RESET = 1 << 2,   // where allocation says, as on its first day
    REPROVISION_ANY = REPROVISION_NEVER | REPROVISION_MIGRATE | REPROVISION_RESET,
};

// An enrollment without a policy lets old clients stay, and others move with their data.
enum reprovision_policy reprovision_policy(const struct enrollment *e, struct slice api_version);
// Whether a hub is chosen; else the standing's is the one.
bool reprovision_allocates(const struct standing *standing, enum reprovision_policy policy);
// The device ID as the device spells it, also when it is not here (decide_resume): the device's key was
// derived from that. A record has it in lower case; but where the device ID was made from the registration ID
// it kept the device's spelling.
struct slice reprovision_spelling(const struct admission *admission);
