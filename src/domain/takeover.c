// Two devices, one name: whoever came first keeps the registration as long as the group that let it in is
// there (threats B10).
#include "domain/match.h"

static bool same(const struct enrollment *a, const struct enrollment *b)
{
    return a->kind == b->kind && slice_equal_nocase(a->id, b->id);
}

// An operator who enrolls exactly this device means it, whichever group it came from.
static bool is_of_this_device(const struct admission *admission, const struct enrollment *e)
{
    return e->kind == ENROLLMENT_INDIVIDUAL && slice_equal_nocase(e->id, admission->registration_id);
}

static struct err vouches(const struct admission *admission, const struct enrollment *group,
                          struct arena *arena)
{
    switch (admission->credential.kind) {
    case CREDENTIAL_X509:
        return match_group_vouches(admission, group, arena);
    case CREDENTIAL_TPM:
        return match_group_endorses(admission, group, arena);
    default:
        return match_group_made_it(admission, group, arena);
    }
}

struct err takeover_check(const struct admission *admission, const struct decision *out, struct trace *trace,
                          struct arena *arena, struct why *why)
{
    const struct registration *prior = admission->prior;
    const struct enrollment *former = admission->former;
    if (prior == NULL || former == NULL || prior->enrollment_kind != ENROLLMENT_GROUP)
        return OK;
    if (same(former, out->enrollment) || is_of_this_device(admission, out->enrollment))
        return OK;
    struct err e = vouches(admission, former, arena);
    if (!failed(e)) {
        trace_add(trace, arena, "takeover", "it was registered through group %.*s, which vouches for it too",
                  SLICE_ARG(former->id));
        return OK;
    }
    if (err_info(e)->class != ERR_CLASS_AUTH)
        return e;
    return why_fail(why, ERR_REGISTRATION_TAKEN,
                    "%.*s is registered through enrollment group %.*s, which does not vouch for this device "
                    "(%.*s does): rename one of the two devices, or delete that registration or group",
                    SLICE_ARG(slice_to(admission->registration_id, 40)), SLICE_ARG(slice_to(former->id, 32)),
                    SLICE_ARG(slice_to(out->enrollment->id, 32)));
}
