// What is to be done for a device, given where it stands and which hub was chosen. Inside the decision only.
#pragma once

#include "domain/reprovision.h"

// Whether the hub chosen is the one where the device is. Bits, for sets of them.
enum plan_where {
    PLAN_STAYS = 1 << 0, // or is nowhere yet
    PLAN_MOVES = 1 << 1,
    PLAN_ANYWHERE = PLAN_STAYS | PLAN_MOVES,
};

struct plan_rule {
    enum situation situation;
    unsigned policies;  // enum reprovision_policy bits
    unsigned where;     // enum plan_where bits
    bool carries_on;    // the steps and substatus are those of the prior registration
    uint32_t steps;     // enum plan_step bits
    bool twin_if_given; // and PLAN_SET_TWIN when the enrollment or the webhook has an initial twin
    enum registration_substatus substatus; // NONE: as it was before
    const char *says;
};

// The device ID that the device has, or gets.
struct err plan_device_id(const struct standing *standing, const struct admission *admission,
                          struct arena *arena, struct decision *out);
// Fills moves and all behind the candidates; out->hub is there, and with custom allocation the webhook's twin
// and payload. Says in words what is done.
void plan_fill(const struct standing *standing, enum reprovision_policy policy,
               const struct admission *admission, struct decision *out, const char **says);
