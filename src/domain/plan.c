// The table of what is to be done (service-api D.3, D.4).
#include "domain/plan.h"

enum {
    // What is no longer wanted at the old hub goes last: nothing is removed before its copy stands.
    BRING_DATA = PLAN_ASSIGN_IDENTITY | PLAN_MIGRATE | PLAN_REMOVE_LEFT,
    BEGIN_AFRESH = PLAN_ASSIGN_IDENTITY | PLAN_SET_TWIN | PLAN_RESET,
};

static const struct plan_rule rules[] = {
    {.situation = SITUATION_NEW,
     .policies = REPROVISION_ANY,
     .where = PLAN_ANYWHERE,
     .steps = PLAN_ASSIGN_IDENTITY,
     .twin_if_given = true, // without one, a device that the hub has already keeps its twin (service-api H.3)
     .substatus = SUBSTATUS_INITIAL_ASSIGNMENT,
     .says = "not registered yet: assign it for the first time"},
    {.situation = SITUATION_UNDER_WAY,
     .policies = REPROVISION_ANY,
     .where = PLAN_ANYWHERE,
     .carries_on = true,
     .says = "an operation was under way: carry it on"},
    {.situation = SITUATION_SETTLED,
     .policies = REPROVISION_NEVER,
     .where = PLAN_STAYS,
     .steps = PLAN_ASSIGN_IDENTITY,
     .substatus = SUBSTATUS_NONE,
     .says = "it stays where it is, and its credentials are refreshed"},
    {.situation = SITUATION_SETTLED,
     .policies = REPROVISION_MIGRATE,
     .where = PLAN_STAYS,
     .steps = PLAN_ASSIGN_IDENTITY,
     .substatus = SUBSTATUS_REPROVISIONED,
     .says = "the hub is the one where it is: it keeps its data, and its credentials are refreshed"},
    {.situation = SITUATION_SETTLED,
     .policies = REPROVISION_MIGRATE,
     .where = PLAN_MOVES,
     .steps = BRING_DATA,
     .substatus = SUBSTATUS_DATA_MIGRATED,
     .says = "it moves with its data"},
    {.situation = SITUATION_SETTLED,
     .policies = REPROVISION_RESET,
     .where = PLAN_STAYS,
     .steps = BEGIN_AFRESH,
     .substatus = SUBSTATUS_DATA_RESET,
     .says = "the hub is the one where it is: it begins afresh there"},
    {.situation = SITUATION_SETTLED,
     .policies = REPROVISION_RESET,
     .where = PLAN_MOVES,
     .steps = BEGIN_AFRESH | PLAN_REMOVE_LEFT,
     .substatus = SUBSTATUS_DATA_RESET,
     .says = "it moves and begins afresh"},
    {.situation = SITUATION_HOMELESS,
     .policies = REPROVISION_ANY,
     .where = PLAN_ANYWHERE,
     .steps = PLAN_ASSIGN_IDENTITY | PLAN_SET_TWIN,
     .substatus = SUBSTATUS_DATA_RESET,
     .says = "its hub is no longer linked: assign it anew, with the initial twin"},
};

static const struct plan_rule *rule_for(enum situation situation, enum reprovision_policy policy,
                                        enum plan_where where)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].situation == situation && (rules[i].policies & policy) != 0 &&
            (rules[i].where & where) != 0)
            return &rules[i];
    }
    INVARIANT(false);
}

// A device that is somewhere keeps its device ID: a changed one takes effect once the registration is deleted
// (service-api A.10).
struct err plan_device_id(const struct standing *standing, const struct admission *admission,
                          struct arena *arena, struct decision *out)
{
    const struct enrollment *enrollment = out->enrollment;
    bool shown = admission->credential.kind == CREDENTIAL_X509;
    if (standing->device_id.len > 0)
        return arena_copy(arena, standing->device_id, &out->device_id);
    if (enrollment->device_id.len > 0)
        return arena_copy(arena, enrollment->device_id, &out->device_id);
    if (enrollment->kind == ENROLLMENT_INDIVIDUAL)
        return arena_copy(arena, enrollment->id, &out->device_id);
    // device-protocol 7.1: as the certificate spells it, which is what the hub will see of the device
    return arena_copy(
        arena, shown ? chain_common_name(admission->credential.chain) : reprovision_spelling(admission),
        &out->device_id);
}

static enum registration_substatus substatus_before(const struct registration *prior)
{
    return prior != NULL && prior->substatus != SUBSTATUS_NONE ? prior->substatus
                                                               : SUBSTATUS_INITIAL_ASSIGNMENT;
}

// What the record will name as left behind. It has room for one: what can still be removed comes before what
// was unlinked, and what was left last before what was left earlier (decide_plan moves no device of which
// there is something else to remove).
static void name_left(const struct standing *standing, const struct admission *admission,
                      struct decision *out)
{
    const struct registration *prior = admission->prior;
    const struct linked_hub *earlier = service_hub(admission->service, prior->left_hub);
    bool leaves = out->moves && standing->situation != SITUATION_UNDER_WAY;
    bool former_goal = standing->situation != SITUATION_UNDER_WAY && prior->intended_hub.len > 0;
    out->left_host = prior->left_hub;
    out->left_device_id = prior->left_device_id;
    if (leaves && (standing->hub != NULL || earlier == NULL || earlier == out->hub)) {
        out->left_host = prior->assigned_hub;
        out->left_device_id = prior->device_id;
    } else if (earlier == out->hub || prior->left_hub.len == 0) {
        // back at the one that it had left; and a hub that an operation was going to may have it
        out->left_host = former_goal ? prior->intended_hub : (struct slice){0};
        out->left_device_id = former_goal ? prior->intended_device_id : (struct slice){0};
    }
}

// A device that proved itself anew brings what its identity is to have; of one that is not here all was told
// to the hub that had been told already (service-api D.3, last line).
static void carry_on(const struct admission *admission, struct decision *out)
{
    const struct registration *prior = admission->prior;
    bool here = admission->credential.kind != CREDENTIAL_NONE;
    out->steps = (uint32_t)prior->plan_steps;
    if (here || out->steps == 0)
        out->steps |= PLAN_ASSIGN_IDENTITY;
    out->payload = prior->payload;
    out->substatus =
        prior->intended_substatus != SUBSTATUS_NONE ? prior->intended_substatus : substatus_before(prior);
    if (prior->twin.len > 0)
        out->twin = prior->twin;
}

// The hub that the device leaves may have been unlinked while it was leaving: its data cannot be had.
static void find_left(const struct admission *admission, struct decision *out)
{
    if ((out->steps & (PLAN_MIGRATE | PLAN_REMOVE_LEFT)) == 0)
        return;
    out->left = service_hub(admission->service, out->left_host);
    if (out->left != NULL && out->left != out->hub)
        return;
    out->left = NULL;
    if ((out->steps & PLAN_MIGRATE) != 0) {
        out->steps |= PLAN_SET_TWIN;
        out->substatus = SUBSTATUS_DATA_RESET;
    }
    out->steps &= ~(uint32_t)(PLAN_MIGRATE | PLAN_REMOVE_LEFT);
}

void plan_fill(const struct standing *standing, enum reprovision_policy policy,
               const struct admission *admission, struct decision *out, const char **says)
{
    const struct registration *prior = admission->prior;
    struct slice home = prior != NULL ? prior->assigned_hub : (struct slice){0};
    out->moves = home.len > 0 && !slice_equal_nocase(home, out->hub->host);
    const struct plan_rule *rule =
        rule_for(standing->situation, policy, out->moves ? PLAN_MOVES : PLAN_STAYS);
    *says = rule->says;
    out->steps = rule->steps;
    out->substatus = rule->substatus != SUBSTATUS_NONE ? rule->substatus : substatus_before(prior);
    bool stays_unasked = standing->situation == SITUATION_SETTLED && policy == REPROVISION_NEVER;
    if (prior != NULL && (rule->carries_on || stays_unasked))
        out->payload = prior->payload; // nobody was asked for another one
    if (rule->carries_on)
        carry_on(admission, out);
    if (out->twin.len == 0)
        out->twin = out->enrollment->initial_twin;
    if (rule->twin_if_given && out->twin.len > 0)
        out->steps |= PLAN_SET_TWIN;
    if (prior != NULL)
        name_left(standing, admission, out);
    find_left(admission, out);
}
