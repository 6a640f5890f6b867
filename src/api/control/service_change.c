// Applies what the body of PUT says to a service, but for its host name, which only the directory can judge.
// What is left out stays. Without the store: a dry run reads its changes with the same function.
#include "api/control/work.h"

#include "domain/identifier.h"

enum { MILLISECONDS_MAX = 600000 };

static struct err read_allocation(const struct json_in *in, struct service *service, struct why *why)
{
    unsigned policy = ALLOCATION_UNSET;
    struct slice word = {0};
    TRY(json_want_string(in, "allocationPolicy", JSON_OPTIONAL, 64, &word, why));
    if (word.len == 0)
        return OK;
    if (!name_read(&allocation_policy_names, word, &policy) || policy == ALLOCATION_CUSTOM)
        return json_refuse(in, "allocationPolicy", why, "must be Hashed, GeoLatency or Static");
    service->allocation = (enum allocation_policy)policy;
    return OK;
}

static struct err read_tpm_certificates(const struct json_in *in, struct service *service, struct why *why)
{
    unsigned value = 0;
    struct slice word = {0};
    TRY(json_want_string(in, "tpmEndorsementCertificates", JSON_OPTIONAL, 64, &word, why));
    if (word.len == 0)
        return OK;
    if (!name_read(&tpm_certificate_names, word, &value))
        return json_refuse(in, "tpmEndorsementCertificates", why, "must be required or optional");
    service->tpm_certificate_required = value != 0;
    return OK;
}

// null is the default again.
static struct err read_unreachable(const struct json_in *in, struct service *service, struct why *why)
{
    unsigned rule = UNREACHABLE_UNSET;
    struct slice word = {0};
    if (json_get(in->object, "unreachableHub") == NULL)
        return OK;
    TRY(json_want_string(in, "unreachableHub", JSON_OPTIONAL, 64, &word, why));
    if (word.len > 0 && !name_read(&unreachable_rule_names, word, &rule))
        return json_refuse(in, "unreachableHub", why, "must be wait, proceed or null");
    service->unreachable = (enum unreachable_rule)rule;
    return OK;
}

static struct err read_latency(struct arena *arena, const struct json_in *in, const struct service *service,
                               struct latency *out, struct why *why)
{
    struct slice zone = {0}, hub = {0};
    double milliseconds = 0;
    TRY(json_want_string(in, "zone", JSON_REQUIRED, PLACE_TEXT_MAX, &zone, why));
    if (zone.len == 0)
        return json_refuse(in, "zone", why, "is empty");
    TRY(json_want_string(in, "hub", JSON_REQUIRED, CONNECTION_STRING_MAX, &hub, why));
    if (service_hub(service, hub) == NULL)
        return json_refuse(in, "hub", why, "is not linked to the service");
    TRY(json_want_real(in, "milliseconds", JSON_REQUIRED, 0, MILLISECONDS_MAX, &milliseconds, why));
    out->us = (int64_t)(milliseconds * 1000 + 0.5);
    TRY(arena_copy(arena, zone, &out->zone));
    return arena_copy(arena, hub, &out->hub);
}

// All of them anew; null is none.
static struct err read_latencies(struct arena *arena, const struct json_in *in, struct service *service,
                                 struct why *why)
{
    const struct json *array = NULL;
    if (json_get(in->object, "latencies") == NULL)
        return OK;
    TRY(json_want_array(in, "latencies", JSON_OPTIONAL, SERVICE_LATENCIES_MAX, &array, why));
    struct latency *latencies = arena_take_many(arena, json_count(array) + 1, sizeof *latencies);
    if (latencies == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < json_count(array); i++) {
        struct json_in latency;
        TRY(json_want_element(in, "latencies", i, &latency, why));
        TRY(read_latency(arena, &latency, service, &latencies[i], why));
    }
    service->latencies = latencies;
    service->latency_count = json_count(array);
    return OK;
}

struct err service_change(struct arena *arena, const struct json_in *in, struct service *service,
                          struct why *why)
{
    TRY(read_allocation(in, service, why));
    TRY(read_tpm_certificates(in, service, why));
    if (json_get(in->object, "avoidFailingHubs") != NULL) {
        service->avoid_failing_hubs = false;
        TRY(json_want_bool(in, "avoidFailingHubs", JSON_OPTIONAL, &service->avoid_failing_hubs, why));
    }
    TRY(read_unreachable(in, service, why));
    return read_latencies(arena, in, service, why);
}
