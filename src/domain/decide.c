// The story of a decision, on one screen: is this device let in, and where is it taken?
#include "domain/decide.h"

#include "domain/allocate.h"
#include "domain/match.h"
#include "domain/plan.h"
#include "domain/reprovision.h"

static struct err refuse_disabled(const struct enrollment *e, struct why *why)
{
    return why_fail(why, ERR_ENROLLMENT_DISABLED, "%s %.*s is disabled: enable it to let the device in",
                    e->kind == ENROLLMENT_GROUP ? "enrollment group" : "individual enrollment",
                    SLICE_ARG(e->id));
}

static struct err match(const struct admission *admission, struct arena *arena, struct decision *out,
                        struct trace *trace, struct why *why)
{
    switch (admission->credential.kind) {
    case CREDENTIAL_X509:
        return match_certificate(admission, out, trace, arena, why);
    case CREDENTIAL_TPM:
        return match_tpm(admission, out, trace, arena, why);
    default:
        return match_key(admission, out, trace, arena, why);
    }
}

static struct err admit(const struct admission *admission, struct arena *arena, struct decision *out,
                        struct trace *trace, struct why *why)
{
    // is there a proof, and is it for this device?
    TRY(attest_credential(admission, arena, why));
    // which enrollment speaks for the device, and does its proof hold there?
    TRY(match(admission, arena, out, trace, why));
    attest_tell(admission, trace, arena);
    // who has proved nothing yet learns nothing of what follows
    if (out->challenge)
        return OK;
    // is the name another device's?
    TRY(takeover_check(admission, out, trace, arena, why));
    return enrollment_disabled(out->enrollment) ? refuse_disabled(out->enrollment, why) : OK;
}

struct err decide_admission(const struct admission *admission, struct arena *arena, struct decision *out,
                            struct trace *trace, struct why *why)
{
    *out = (struct decision){0};
    struct err e = admit(admission, arena, out, trace, why);
    if (failed(e)) {
        trace_add(trace, arena, "attest", "refused: %s", err_info(e)->name);
        match_forget(out);
    }
    return e;
}

struct err decide_plan(const struct admission *admission, struct arena *arena, struct decision *out,
                       struct trace *trace, struct why *why)
{
    struct standing standing = reprovision_standing(admission);
    struct slice canonical_id;
    TRY(arena_lower(arena, admission->registration_id, &canonical_id));
    const struct plan_rule *rule = plan_rule_for(standing.situation);
    trace_add(trace, arena, "reprovision", "%s", rule->says);
    out->hub = standing.hub;
    if (rule->allocates)
        TRY(allocate_hub(admission->service, out->enrollment, canonical_id, arena, &out->hub, trace, why));
    TRY(plan_fill(rule, &standing, admission, arena, out));
    trace_add(trace, arena, "plan", "device %.*s at %.*s%s", SLICE_ARG(out->device_id),
              SLICE_ARG(out->hub->host), (out->steps & PLAN_SET_TWIN) != 0 ? ", with the initial twin" : "");
    return OK;
}
