// Where does the prior registration leave a device?
#include "domain/reprovision.h"

#include "domain/allocate.h"

struct place {
    const struct linked_hub *hub; // NULL: no longer linked
    bool allowed;
};

static struct err look_at(const struct admission *admission, const struct enrollment *enrollment,
                          struct slice host, struct place *out)
{
    out->hub = service_hub(admission->service, host);
    return allocate_allows(enrollment, host, &out->allowed);
}

struct err reprovision_standing(const struct admission *admission, const struct enrollment *enrollment,
                                struct standing *out)
{
    const struct registration *prior = admission->prior;
    struct place place = {0};
    *out = (struct standing){.situation = SITUATION_NEW};
    if (prior == NULL)
        return OK;
    // An intention that no operation ended: the hub may hold the device already, so nothing else is begun as
    // long as it can be carried on. One that was given up (failed, disabled) counts only while the enrollment
    // still allows it.
    if (prior->intended_hub.len > 0) {
        TRY(look_at(admission, enrollment, prior->intended_hub, &place));
        if (place.hub != NULL && (place.allowed || prior->status == STATUS_ASSIGNING)) {
            *out = (struct standing){SITUATION_UNDER_WAY, place.hub, prior->intended_device_id};
            return OK;
        }
    }
    if (prior->assigned_hub.len == 0)
        return OK;
    TRY(look_at(admission, enrollment, prior->assigned_hub, &place));
    bool stays = place.hub != NULL && place.allowed;
    *out = (struct standing){stays ? SITUATION_SETTLED : SITUATION_HOMELESS, stays ? place.hub : NULL,
                             prior->device_id};
    return OK;
}
