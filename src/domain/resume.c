// Deciding without a proof: an operation that a restart interrupted goes on for a device that proved itself
// before.
#include "domain/decide.h"

#include "domain/match.h"
#include "domain/reprovision.h"

static const struct enrollment *enrollment_of(const struct admission *admission)
{
    const struct registration *prior = admission->prior;
    if (prior->enrollment_kind == ENROLLMENT_INDIVIDUAL)
        return admission->individual;
    for (size_t i = 0; i < admission->group_count; i++) {
        if (slice_equal_nocase(admission->groups[i]->id, prior->enrollment_id))
            return admission->groups[i];
    }
    return NULL;
}

// The device's key was derived from the ID as the device spells it. A record has it in lower case; but where
// the device ID was made from the registration ID it kept the device's spelling.
static struct slice spelling_of(const struct admission *admission)
{
    struct slice device_id = admission->prior->intended_device_id;
    return slice_equal_nocase(device_id, admission->registration_id) ? device_id : admission->registration_id;
}

static struct err take_keys(const struct admission *admission, const struct enrollment *e,
                            struct decision *out, struct why *why)
{
    if (e->attestation.type != ATTESTATION_SYMMETRIC_KEY)
        return why_fail(why, ERR_ENROLLMENT_NOT_FOUND, "enrollment %.*s no longer has symmetric keys",
                        SLICE_ARG(e->id));
    if (e->kind == ENROLLMENT_GROUP)
        return match_group_keys(e, spelling_of(admission), &out->primary_key, &out->secondary_key);
    out->primary_key = e->attestation.primary_key;
    out->secondary_key = e->attestation.secondary_key;
    return OK;
}

static struct err readmit(const struct admission *admission, struct arena *arena, struct decision *out,
                          struct trace *trace, struct why *why)
{
    const struct enrollment *e = enrollment_of(admission);
    if (e == NULL)
        return why_fail(why, ERR_ENROLLMENT_NOT_FOUND, "the enrollment that admitted the device is gone");
    trace_add(trace, arena, "match", "enrollment %.*s, which admitted it before", SLICE_ARG(e->id));
    if (enrollment_disabled(e))
        return why_fail(why, ERR_ENROLLMENT_DISABLED, "enrollment %.*s was disabled meanwhile",
                        SLICE_ARG(e->id));
    if (reprovision_standing(admission).situation != SITUATION_UNDER_WAY)
        return why_fail(why, ERR_NO_HUB,
                        "the hub %.*s, where the device was being taken, is no longer linked",
                        SLICE_ARG(admission->prior->intended_hub));
    out->enrollment = e;
    return take_keys(admission, e, out, why);
}

struct err decide_resume(const struct admission *admission, struct arena *arena, struct decision *out,
                         struct trace *trace, struct why *why)
{
    *out = (struct decision){0};
    struct err e = readmit(admission, arena, out, trace, why);
    if (!failed(e))
        e = decide_plan(admission, arena, out, trace, why);
    if (failed(e)) {
        secret_wipe(&out->primary_key);
        secret_wipe(&out->secondary_key);
    }
    return e;
}
