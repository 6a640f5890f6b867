// The proof itself, as far as it does not depend on who the device is (device-protocol 5).
#include "domain/match.h"

enum { CLOCK_SKEW_S = 5 * 60 };

// A device may say that its token is for registering; nothing else (device-protocol 5).
static struct err check_policy(const struct sas_token *token, struct arena *arena, struct why *why)
{
    struct slice policy = {0};
    TRY(sas_policy(token, arena, &policy, why));
    if (policy.len == 0 || slice_equal_nocase(policy, SLICE("registration")))
        return OK;
    return why_fail(why, ERR_POLICY_UNKNOWN, "a device's token has skn=registration or no skn, not %.*s",
                    SLICE_ARG(slice_to(policy, 64)));
}

struct err attest_credential(const struct admission *admission, struct arena *arena, struct why *why)
{
    struct slice resource = {0};
    const struct credential *credential = &admission->credential;
    if (credential->kind != CREDENTIAL_SAS)
        return why_fail(why, ERR_CREDENTIAL_MISSING, "the device sent no shared access signature");
    TRY(arena_printf(arena, &resource, "%.*s/registrations/%.*s", SLICE_ARG(admission->service->id_scope),
                     SLICE_ARG(admission->registration_id)));
    TRY(sas_resource_is(&credential->sas, arena, resource, why));
    TRY(check_policy(&credential->sas, arena, why));
    if (sas_expired(&credential->sas, admission->now_us, CLOCK_SKEW_S)) {
        return why_fail(
            why, ERR_SAS_EXPIRED,
            "the token expired %lld s ago: check the device's clock, or make a new token before each "
            "registration",
            (long long)(admission->now_us / 1000000 - credential->sas.expiry_s));
    }
    return OK;
}

void attest_nothing(const struct credential *credential)
{
    struct secret no_key = {.len = 32};
    struct err e = sas_verify(&credential->sas, &no_key, &no_key);
    (void)e; // whatever it found, it was not a key of anybody
}
