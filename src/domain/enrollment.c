// What can be asked about an enrollment: does it lack keys, are its hubs linked.
#include "domain/enrollment.h"

#include "domain/service.h"

bool enrollment_needs_keys(const struct enrollment *e)
{
    return e->attestation.type == ATTESTATION_SYMMETRIC_KEY &&
           (e->attestation.primary_key.len == 0 || e->attestation.secondary_key.len == 0);
}

static struct err check_hub(const struct service *service, struct slice host, const char *name,
                            struct why *why)
{
    if (service_hub(service, host) != NULL)
        return OK;
    return why_fail(why, ERR_INVALID, "%s: %.*s is not linked to the service", name,
                    SLICE_ARG(slice_to(host, 128)));
}

struct err enrollment_check_hubs(const struct service *service, const struct enrollment *e, struct why *why)
{
    struct json_doc hubs = {0};
    struct err result = OK;
    if (e->hub_host_name.len > 0)
        TRY(check_hub(service, e->hub_host_name, "iotHubHostName", why));
    if (e->hubs.len == 0)
        return OK;
    TRY(json_read(e->hubs, JSON_LIMITS_DEFAULT, &hubs, why));
    for (size_t i = 0; i < json_count(json_root(&hubs)) && !failed(result); i++)
        result = check_hub(service, json_as_string(json_at(json_root(&hubs), i)), "iotHubs", why);
    json_doc_release(&hubs);
    return result;
}
