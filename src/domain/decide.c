// The story of a decision, on one screen: is this device let in, and where is it taken?
#include "domain/decide.h"

#include "domain/allocate.h"
#include "domain/match.h"
#include "domain/plan.h"
#include "domain/reprovision.h"

enum { LONG_LIVED_S = 366 * 24 * 3600 };

static struct err refuse_disabled(const struct enrollment *e, struct why *why)
{
    return why_fail(why, ERR_ENROLLMENT_DISABLED, "%s %.*s is disabled: enable it to let the device in",
                    e->kind == ENROLLMENT_GROUP ? "enrollment group" : "individual enrollment",
                    SLICE_ARG(e->id));
}

static struct err admit(const struct admission *admission, struct arena *arena, struct decision *out,
                        struct trace *trace, struct why *why)
{
    TRY(attest_credential(admission, arena, why));
    if (admission->individual != NULL) {
        TRY(match_individual(admission, out, trace, arena, why));
    } else if (admission->group_count > 0) {
        TRY(match_group(admission, out, trace, arena, why));
    } else {
        attest_nothing(&admission->credential);
        return why_fail(
            why, ERR_REGISTRATION_UNKNOWN,
            "no enrollment has the registration ID %.*s, and the service has no enrollment group for "
            "symmetric keys: create one of them",
            SLICE_ARG(admission->registration_id));
    }
    // threats B5: warned of, not refused, because there are clients that sign for years
    bool long_lived = admission->credential.sas.expiry_s - admission->now_us / 1000000 > LONG_LIVED_S;
    trace_add(trace, arena, "attest", "the shared access signature holds%s",
              long_lived ? ", for more than a year: whoever reads the token can use it as long" : "");
    return enrollment_disabled(out->enrollment) ? refuse_disabled(out->enrollment, why) : OK;
}

struct err decide_admission(const struct admission *admission, struct arena *arena, struct decision *out,
                            struct trace *trace, struct why *why)
{
    *out = (struct decision){0};
    struct err e = admit(admission, arena, out, trace, why);
    if (failed(e)) {
        trace_add(trace, arena, "attest", "refused: %s", err_info(e)->name);
        secret_wipe(&out->primary_key);
        secret_wipe(&out->secondary_key);
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
