// Where does the prior registration leave a device?
#include "domain/reprovision.h"

// Only unlinking a hub takes a device away from it. What the enrollment allows counts when a hub is chosen; a
// device that moved because its enrollment changed would leave its identity behind at the old hub (I4).
struct standing reprovision_standing(const struct admission *admission)
{
    const struct registration *prior = admission->prior;
    if (prior == NULL)
        return (struct standing){.situation = SITUATION_NEW};
    // An intention that no operation ended, even one that was given up (failed, disabled): the hub may hold
    // the device already, so nothing else is begun as long as it can be carried on.
    const struct linked_hub *intended = service_hub(admission->service, prior->intended_hub);
    if (prior->intended_hub.len > 0 && intended != NULL)
        return (struct standing){SITUATION_UNDER_WAY, intended, prior->intended_device_id};
    if (prior->assigned_hub.len == 0)
        return (struct standing){.situation = SITUATION_NEW};
    const struct linked_hub *home = service_hub(admission->service, prior->assigned_hub);
    return (struct standing){home != NULL ? SITUATION_SETTLED : SITUATION_HOMELESS, home, prior->device_id};
}
