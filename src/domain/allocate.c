// Which hubs may a device go to, and which one does the policy pick. One function per policy.
#include "domain/allocate.h"

#include <math.h>

#include "crypto/hmac.h"
#include "json/json.h"

// ---- candidates
// ------------------------------------------------------------------------------------------------------

// The legacy member iotHubHostName, which is static allocation to that hub where no policy is given.
static bool legacy_hub(const struct enrollment *e)
{
    return e->hub_host_name.len > 0 && e->hubs.len == 0 &&
           (e->allocation == ALLOCATION_UNSET || e->allocation == ALLOCATION_STATIC);
}

static void add_once(const struct linked_hub **list, size_t *count, const struct linked_hub *hub)
{
    if (hub == NULL || !hub->allocate)
        return;
    for (size_t i = 0; i < *count; i++) {
        if (list[i] == hub)
            return;
    }
    list[(*count)++] = hub;
}

struct err allocate_candidates(const struct service *service, const struct enrollment *enrollment,
                               struct arena *arena, const struct linked_hub ***out, size_t *count)
{
    struct json_doc hubs = {0};
    const struct linked_hub **list = arena_take_many(arena, service->hub_count, sizeof *list);
    *out = list;
    *count = 0;
    if (list == NULL)
        return FAIL(ERR_NO_MEMORY);
    if (legacy_hub(enrollment)) {
        if (service->hub_count > 0)
            add_once(list, count, service_hub(service, enrollment->hub_host_name));
        return OK;
    }
    for (size_t i = 0; i < service->hub_count && enrollment->hubs.len == 0; i++)
        add_once(list, count, &service->hubs[i]);
    if (enrollment->hubs.len == 0)
        return OK;
    TRY(json_read(enrollment->hubs, JSON_LIMITS_DEFAULT, &hubs, NULL));
    for (size_t i = 0; i < json_count(json_root(&hubs)); i++)
        add_once(list, count, service_hub(service, json_as_string(json_at(json_root(&hubs), i))));
    json_doc_release(&hubs);
    return OK;
}

// ---- hashed
// ----------------------------------------------------------------------------------------------------------

// Uniform in (0,1): the first 53 bits of SHA-256(registration ID, 0, host in lower case), moved off both ends
// by half a step, so that the logarithm is finite and not zero.
static struct err hash_unit(struct slice canonical_id, struct slice host, double *out)
{
    uint8_t text[512];
    uint8_t digest[SHA256_SIZE];
    size_t len = 0;
    uint64_t bits = 0;
    for (size_t i = 0; i < canonical_id.len && len < sizeof text / 2 - 1; i++)
        text[len++] = canonical_id.at[i];
    text[len++] = 0;
    for (size_t i = 0; i < host.len && len < sizeof text; i++)
        text[len++] = host.at[i] >= 'A' && host.at[i] <= 'Z' ? (uint8_t)(host.at[i] + 32) : host.at[i];
    TRY(sha256(slice_of(text, len), digest));
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | digest[i];
    *out = ((double)(bits >> 11) + 0.5) * 0x1p-53;
    return OK;
}

struct err allocate_hashed(const struct linked_hub *const *hubs, size_t count, struct slice canonical_id,
                           const struct linked_hub **out)
{
    double best = -1;
    *out = NULL;
    INVARIANT(count > 0);
    for (size_t i = 0; i < count; i++) {
        double unit = 0;
        TRY(hash_unit(canonical_id, hubs[i]->host, &unit));
        double score = -(double)hubs[i]->weight / log(unit);
        if (score > best) {
            best = score;
            *out = hubs[i];
        }
    }
    return OK;
}

// ---- policies
// --------------------------------------------------------------------------------------------------------

struct choice {
    const struct linked_hub *const *hubs;
    size_t count; // > 0
    struct slice canonical_id;
    const struct linked_hub **out;
    struct why *why;
};

static struct err choose_hashed(const struct choice *c)
{
    return allocate_hashed(c->hubs, c->count, c->canonical_id, c->out);
}

static struct err choose_first(const struct choice *c)
{
    *c->out = c->hubs[0];
    return OK;
}

static struct err choose_by_webhook(const struct choice *c)
{
    return why_fail(c->why, ERR_WEBHOOK,
                    "custom allocation is not available yet: give the enrollment another allocationPolicy");
}

static const struct {
    struct err (*choose)(const struct choice *choice);
    const char *says;
} policies[] = {
    [ALLOCATION_UNSET] = {choose_hashed, "hashed by weight"},
    [ALLOCATION_HASHED] = {choose_hashed, "hashed by weight"},
    [ALLOCATION_GEO_LATENCY] = {choose_hashed, "geoLatency: no latencies are known yet, so hashed by weight"},
    [ALLOCATION_STATIC] = {choose_first, "static: the first hub"},
    [ALLOCATION_CUSTOM] = {choose_by_webhook, "custom"},
};

struct err allocate_hub(const struct service *service, const struct enrollment *enrollment,
                        struct slice canonical_id, struct arena *arena, const struct linked_hub **out,
                        struct trace *trace, struct why *why)
{
    const struct linked_hub **candidates = NULL;
    size_t count = 0;
    enum allocation_policy policy = enrollment->allocation;
    if (legacy_hub(enrollment))
        policy = ALLOCATION_STATIC;
    else if (policy == ALLOCATION_UNSET)
        policy = service->allocation;
    *out = NULL;
    TRY(allocate_candidates(service, enrollment, arena, &candidates, &count));
    trace_add(trace, arena, "allocate", "%zu of %zu linked hubs may take it", count, service->hub_count);
    if (count == 0)
        return why_fail(why, ERR_NO_HUB, "no linked hub is left to assign to: %s",
                        service->hub_count == 0
                            ? "link one to the service"
                            : "see which hubs the enrollment names and which take part in allocation");
    struct choice choice = {candidates, count, canonical_id, out, why};
    TRY(policies[policy].choose(&choice));
    trace_add(trace, arena, "allocate", "%s of %zu: %.*s", policies[policy].says, count,
              SLICE_ARG((*out)->host));
    return OK;
}
