// Checks an operator's token.
#include "api/operator.h"

#include "crypto/sas.h"

enum { SKEW_S = 300 }; // how long after its expiry a token still counts

struct err operator_service(const struct exchange *x, const struct directory_snapshot *services,
                            const struct service **out, struct why *why)
{
    struct slice name = http_header(&x->request, SLICE("x-usher-service"));
    *out = x->local && name.len > 0 ? directory_by_name(services, name)
                                    : directory_by_host(services, x->request.host);
    if (*out != NULL)
        return OK;
    return why_fail(why, ERR_SERVICE_NOT_FOUND, "no service is called %.*s",
                    SLICE_ARG(slice_to(x->local && name.len > 0 ? name : x->request.host, 100)));
}

// The audience is the service's host name, or what the caller knows the service by.
static struct err check_resource(struct exchange *x, const struct service *service,
                                 const struct sas_token *token, struct why *why)
{
    struct slice path = {0};
    TRY(percent_decode(&x->arena, x->request.path, &path));
    struct err e = sas_resource_covers(token, &x->arena, service->host_name, path, why);
    if (e.code != ERR_SAS_RESOURCE)
        return e;
    return sas_resource_covers(token, &x->arena, x->request.host, path, why);
}

static struct err check_token(struct exchange *x, const struct service *service, int64_t now_us,
                              uint32_t *rights, struct why *why)
{
    struct sas_token token = {0};
    struct slice name = {0};
    struct slice header = http_header(&x->request, SLICE("Authorization"));
    if (header.len == 0)
        return why_fail(why, ERR_CREDENTIAL_MISSING, "send a SAS token in the Authorization header");
    TRY(sas_parse(header, &token, why));
    TRY(sas_policy(&token, &x->arena, &name, why));
    const struct policy *policy = service != NULL && name.len > 0 ? service_policy(service, name) : NULL;
    if (policy != NULL)
        TRY(arena_copy(&x->arena, policy->name, &x->caller));
    // an unknown policy takes as long as a known one (threats B6)
    struct err e = sas_verify(&token, policy != NULL ? &policy->primary : NULL,
                              policy != NULL ? &policy->secondary : NULL);
    if (policy == NULL)
        return why_fail(why, ERR_POLICY_UNKNOWN, "no access policy \"%.*s\"", SLICE_ARG(slice_to(name, 64)));
    TRY(e);
    if (sas_expired(&token, now_us, SKEW_S))
        return why_fail(why, ERR_SAS_EXPIRED, "expired at %.*s", SLICE_ARG(slice_to(token.expiry_text, 20)));
    TRY(check_resource(x, service, &token, why));
    *rights = policy->rights;
    return OK;
}

struct err operator_check(struct exchange *x, const struct service *service, uint32_t right, int64_t now_us,
                          struct why *why)
{
    uint32_t rights = 0;
    if (x->local) {
        x->caller = SLICE("(control socket)");
        return OK;
    }
    TRY(check_token(x, service, now_us, &rights, why));
    // policies made before may lack what their write rights include
    if (rights & RIGHT_ENROLLMENT_WRITE)
        rights |= RIGHT_ENROLLMENT_READ;
    if (rights & RIGHT_REGISTRATION_WRITE)
        rights |= RIGHT_REGISTRATION_READ;
    if (right == 0 || (rights & right) != right)
        return why_fail(why, ERR_RIGHT_MISSING,
                        right == 0 ? "only over the control socket" : "the policy lacks the right");
    return OK;
}
