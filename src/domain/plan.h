// What is to be done for a device, given where it stands. Inside the decision only.
#pragma once

#include "domain/reprovision.h"

// What follows from a situation. Reprovisioning policies become further rows.
struct plan_rule {
    enum situation situation;
    bool allocates;                        // choose a hub; else the standing's
    bool carries_on;                       // the steps and substatus are those of the prior registration
    uint32_t steps;                        // enum plan_step bits
    bool twin_if_given;                    // and PLAN_SET_TWIN when the enrollment has an initial twin
    enum registration_substatus substatus; // NONE: as it was before
    const char *says;
};

const struct plan_rule *plan_rule_for(enum situation situation);
// Fills everything but enrollment, keys, thumbprints and hub.
struct err plan_fill(const struct plan_rule *rule, const struct standing *standing,
                     const struct admission *admission, struct arena *arena, struct decision *out);
