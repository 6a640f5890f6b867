// Where does the prior registration leave a device, and may it be taken elsewhere?
#include "domain/reprovision.h"

// An operation that failed before the device was anywhere, when its hub is to have no devices any more. It
// goes elsewhere, for the record has room to name what that hub may have (plan_fill).
static bool is_turned_away(const struct registration *prior, const struct linked_hub *intended)
{
    return prior->status != STATUS_ASSIGNING && prior->assigned_hub.len == 0 && prior->left_hub.len == 0 &&
           intended->state == HUB_DRAINING;
}

struct standing reprovision_standing(const struct admission *admission)
{
    const struct registration *prior = admission->prior;
    if (prior == NULL)
        return (struct standing){.situation = SITUATION_NEW};
    // An intention that no operation ended, even one that was given up (failed, disabled): the hub may hold
    // the device already, so nothing else is begun as long as it can be carried on.
    const struct linked_hub *intended = service_hub(admission->service, prior->intended_hub);
    if (prior->intended_hub.len > 0 && intended != NULL && !is_turned_away(prior, intended))
        return (struct standing){SITUATION_UNDER_WAY, intended, prior->intended_device_id};
    if (prior->assigned_hub.len == 0)
        return (struct standing){.situation = SITUATION_NEW};
    const struct linked_hub *home = service_hub(admission->service, prior->assigned_hub);
    return (struct standing){home != NULL ? SITUATION_SETTLED : SITUATION_HOMELESS, home, prior->device_id};
}

// The first API version whose devices knew that they may be moved came after this one (service-api D.3).
static bool may_not_know_of_moving(struct slice api_version)
{
    struct slice last = SLICE("2018-04-01");
    return api_version.len > 0 && slice_compare(slice_to(api_version, last.len), last) <= 0;
}

enum reprovision_policy reprovision_policy(const struct enrollment *e, struct slice api_version)
{
    if (!e->reprovision_set)
        return may_not_know_of_moving(api_version) ? REPROVISION_NEVER : REPROVISION_MIGRATE;
    if (!e->update_hub_assignment)
        return REPROVISION_NEVER;
    return e->migrate_device_data ? REPROVISION_MIGRATE : REPROVISION_RESET;
}

bool reprovision_allocates(const struct standing *standing, enum reprovision_policy policy)
{
    switch (standing->situation) {
    case SITUATION_NEW:
    case SITUATION_HOMELESS:
        return true;
    case SITUATION_SETTLED:
        return policy != REPROVISION_NEVER;
    default:
        return false;
    }
}

struct slice reprovision_spelling(const struct admission *admission)
{
    const struct registration *prior = admission->prior;
    struct slice here = admission->registration_id;
    if (prior == NULL || admission->credential.kind != CREDENTIAL_NONE)
        return here;
    if (slice_equal_nocase(prior->intended_device_id, here))
        return prior->intended_device_id;
    return slice_equal_nocase(prior->device_id, here) ? prior->device_id : here;
}
