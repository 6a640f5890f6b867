// Which one of the hubs that a device may go to does the policy pick? One function per policy.
#include "domain/allocate.h"

#include <math.h>

#include "crypto/hmac.h"
#include "domain/candidates.h"
#include "domain/geo.h"

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
    const struct admission *admission;
    struct slice canonical_id;
    struct arena *arena;
    struct decision *out; // has candidates, at least one
    struct trace *trace;
    struct why *why;
};

static struct err choose_hashed(const struct choice *c)
{
    return allocate_hashed(c->out->candidates, c->out->candidate_count, c->canonical_id, &c->out->hub);
}

static struct err choose_first(const struct choice *c)
{
    c->out->hub = c->out->candidates[0];
    return OK;
}

static struct err choose_nearest(const struct choice *c)
{
    return geo_choose(c->admission, c->out->candidates, c->out->candidate_count, c->canonical_id, c->arena,
                      &c->out->hub, c->trace);
}

// Threats D2: nothing else is tried when the answer is of no use.
static struct err choose_by_webhook(const struct choice *c)
{
    const struct custom_answer *answer = c->admission->answer;
    if (c->out->enrollment->webhook_url.len == 0)
        return why_fail(c->why, ERR_WEBHOOK,
                        "the enrollment has no webhook: give it a customAllocationDefinition");
    c->out->ask = answer == NULL;
    if (answer == NULL)
        return OK;
    for (size_t i = 0; i < c->out->candidate_count; i++) {
        if (slice_equal_nocase(c->out->candidates[i]->host, answer->hub))
            c->out->hub = c->out->candidates[i];
    }
    if (c->out->hub == NULL)
        return why_fail(c->why, ERR_WEBHOOK,
                        "the webhook chose %.*s, which is none of the hubs that it may choose",
                        SLICE_ARG(slice_to(answer->hub, 100)));
    c->out->payload = answer->payload;
    if (answer->has_twin)
        c->out->twin = answer->twin.len > 0 ? answer->twin : SLICE("{}");
    return OK;
}

static const struct {
    struct err (*choose)(const struct choice *choice);
    const char *says;
} policies[] = {
    [ALLOCATION_UNSET] = {choose_hashed, "hashed by weight"},
    [ALLOCATION_HASHED] = {choose_hashed, "hashed by weight"},
    [ALLOCATION_GEO_LATENCY] = {choose_nearest, "geoLatency"},
    [ALLOCATION_STATIC] = {choose_first, "static: the first hub"},
    [ALLOCATION_CUSTOM] = {choose_by_webhook, "custom: the webhook's choice"},
};

static enum allocation_policy policy_of(const struct service *service, const struct enrollment *e)
{
    if (candidates_legacy(e))
        return ALLOCATION_STATIC;
    return e->allocation != ALLOCATION_UNSET ? e->allocation : service->allocation;
}

struct err allocate_hub(const struct admission *admission, const struct linked_hub *home,
                        struct slice canonical_id, struct arena *arena, struct decision *out,
                        struct trace *trace, struct why *why)
{
    enum allocation_policy policy = policy_of(admission->service, out->enrollment);
    struct choice choice = {admission, canonical_id, arena, out, trace, why};
    out->hub = NULL;
    TRY(candidates_find(admission, out->enrollment, home, arena, out, trace, why));
    TRY(policies[policy].choose(&choice));
    if (out->ask)
        trace_add(trace, arena, "allocate", "custom: the webhook is to choose among %zu",
                  out->candidate_count);
    else
        trace_add(trace, arena, "allocate", "%s of %zu: %.*s", policies[policy].says, out->candidate_count,
                  SLICE_ARG(slice_to(out->hub->host, 128)));
    return OK;
}
