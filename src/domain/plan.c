// The table of what is to be done.
#include "domain/plan.h"

static const struct plan_rule rules[] = {
    {.situation = SITUATION_NEW,
     .allocates = true,
     .steps = PLAN_ASSIGN_IDENTITY,
     .twin_if_given = true, // without one, a device that the hub has already keeps its twin (service-api H.3)
     .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,
     .says = "not registered yet: assign it for the first time"},
    {.situation = SITUATION_UNDER_WAY, .carries_on = true, .says = "an operation was under way: carry it on"},
    {.situation = SITUATION_SETTLED,
     .steps = PLAN_ASSIGN_IDENTITY,
     .substatus = SUBSTATUS_NONE,
     .says = "registered before: it stays where it is, and its credentials are refreshed"},
    {.situation = SITUATION_HOMELESS,
     .allocates = true,
     .steps = PLAN_ASSIGN_IDENTITY | PLAN_SET_TWIN,
     .substatus = SUBSTATUS_DATA_RESET,
     .says = "its hub is no longer linked: assign it anew, with the initial twin"},
};

const struct plan_rule *plan_rule_for(enum situation situation)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].situation == situation)
            return &rules[i];
    }
    INVARIANT(false);
}

// A device that is somewhere keeps its device ID: a changed one takes effect once the registration is deleted
// (service-api A.10).
static struct slice device_id_of(const struct standing *standing, const struct admission *admission,
                                 const struct enrollment *enrollment)
{
    if (standing->device_id.len > 0)
        return standing->device_id;
    if (enrollment->device_id.len > 0)
        return enrollment->device_id;
    if (enrollment->kind == ENROLLMENT_INDIVIDUAL)
        return enrollment->id;
    // device-protocol 7.1: as the certificate spells it, which is what the hub will see of the device
    bool shown = admission->credential.kind == CREDENTIAL_X509;
    return shown ? chain_common_name(admission->credential.chain) : admission->registration_id;
}

static enum registration_substatus substatus_before(const struct registration *prior)
{
    return prior != NULL && prior->substatus != SUBSTATUS_NONE ? prior->substatus
                                                               : SUBSTATUS_INITIAL_ASSIGNMENT;
}

struct err plan_fill(const struct plan_rule *rule, const struct standing *standing,
                     const struct admission *admission, struct arena *arena, struct decision *out)
{
    const struct registration *prior = admission->prior;
    struct slice home = prior != NULL ? prior->assigned_hub : (struct slice){0};
    out->steps = rule->carries_on ? (uint32_t)prior->plan_steps | PLAN_ASSIGN_IDENTITY : rule->steps;
    if (rule->twin_if_given && out->enrollment->initial_twin.len > 0)
        out->steps |= PLAN_SET_TWIN;
    out->substatus = rule->substatus != SUBSTATUS_NONE ? rule->substatus : substatus_before(prior);
    out->moves = home.len > 0 && !slice_equal_nocase(home, out->hub->host);
    return arena_copy(arena, device_id_of(standing, admission, out->enrollment), &out->device_id);
}
