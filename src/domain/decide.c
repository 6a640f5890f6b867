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

static const char *standing_words(const struct standing *standing)
{
    static const char *const words[] = {
        [SITUATION_NEW] = "it is nowhere yet",
        [SITUATION_UNDER_WAY] = "it was being taken to",
        [SITUATION_SETTLED] = "it is at",
        [SITUATION_HOMELESS] = "it was at a hub that is no longer linked:",
    };
    return words[standing->situation];
}

static const char *policy_words(const struct standing *standing, enum reprovision_policy policy)
{
    if (standing->situation != SITUATION_SETTLED)
        return "";
    return policy == REPROVISION_NEVER     ? "; reprovisioning policy: never"
           : policy == REPROVISION_MIGRATE ? "; reprovisioning policy: choose again, keep its data"
                                           : "; reprovisioning policy: choose again, begin afresh";
}

static void tell_standing(const struct admission *admission, const struct standing *standing,
                          enum reprovision_policy policy, struct trace *trace, struct arena *arena)
{
    struct slice where = standing->hub != NULL                       ? standing->hub->host
                         : standing->situation == SITUATION_HOMELESS ? admission->prior->assigned_hub
                                                                     : (struct slice){0};
    trace_add(trace, arena, "reprovision", "%s%s%.*s%s", standing_words(standing), where.len > 0 ? " " : "",
              SLICE_ARG(slice_to(where, 100)), policy_words(standing, policy));
}

// A record names one identity that is left behind. As long as there is one to remove elsewhere, a further
// move would leave another that nobody knows of (I4).
static bool must_not_leave(const struct admission *admission, const struct standing *standing,
                           const struct decision *out)
{
    if (standing->situation != SITUATION_SETTLED || out->hub == standing->hub)
        return false;
    const struct linked_hub *behind = service_hub(admission->service, admission->prior->left_hub);
    return behind != NULL && behind != standing->hub && behind != out->hub;
}

static struct err choose(const struct admission *admission, const struct standing *standing,
                         enum reprovision_policy *policy, struct arena *arena, struct decision *out,
                         struct trace *trace, struct why *why)
{
    struct slice canonical_id;
    TRY(arena_lower(arena, admission->registration_id, &canonical_id));
    TRY(allocate_hub(admission, standing->hub, canonical_id, arena, out, trace, why));
    if (out->ask)
        return OK;
    if (*policy == REPROVISION_MIGRATE && out->twin.len > 0) {
        trace_add(trace, arena, "reprovision",
                  "the webhook gave it a twin, which counts instead of its data");
        *policy = REPROVISION_RESET;
    }
    if (!must_not_leave(admission, standing, out))
        return OK;
    trace_add(trace, arena, "reprovision", "what it left behind at %.*s is to be removed first: it stays",
              SLICE_ARG(slice_to(admission->prior->left_hub, 100)));
    out->hub = standing->hub;
    out->held_back = true;
    *policy = REPROVISION_NEVER;
    return OK;
}

struct err decide_plan(const struct admission *admission, struct arena *arena, struct decision *out,
                       struct trace *trace, struct why *why)
{
    // where is it, and may it be taken elsewhere?
    struct standing standing = reprovision_standing(admission);
    enum reprovision_policy policy = reprovision_policy(out->enrollment, admission->api_version);
    tell_standing(admission, &standing, policy, trace, arena);
    out->hub = standing.hub;
    out->twin = out->payload = (struct slice){0};
    TRY(plan_device_id(&standing, admission, arena, out));
    // where to?
    if (reprovision_allocates(&standing, policy))
        TRY(choose(admission, &standing, &policy, arena, out, trace, why));
    if (out->ask)
        return OK;
    // and what is to be done for that?
    const char *says = NULL;
    plan_fill(&standing, policy, admission, out, &says);
    trace_add(trace, arena, "plan", "device %.*s at %.*s: %s%s", SLICE_ARG(slice_to(out->device_id, 60)),
              SLICE_ARG(slice_to(out->hub->host, 80)), says,
              (out->steps & PLAN_SET_TWIN) != 0 ? ", with the initial twin" : "");
    return OK;
}
