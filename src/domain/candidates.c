// Which hubs may a device go to? One question per hub, and its answer in words.
#include "domain/candidates.h"

#include <stdio.h>

#include "json/json.h"

enum verdict { TAKEN, UNLINKED, NO_PART, DRAINING, CORDONED, FULL, FAILING };

static const char *const verdict_says[] = {
    [TAKEN] = "may take it", [UNLINKED] = "not linked", [NO_PART] = "takes no part in allocation",
    [DRAINING] = "draining", [CORDONED] = "cordoned",   [FULL] = "full",
    [FAILING] = "failing",
};

struct named_hub {
    struct slice host;
    const struct linked_hub *hub; // NULL: UNLINKED
    enum verdict verdict;
};

struct named_hubs {
    struct named_hub *list;
    size_t count;
};

bool candidates_legacy(const struct enrollment *e)
{
    return e->hub_host_name.len > 0 && e->hubs.len == 0 &&
           (e->allocation == ALLOCATION_UNSET || e->allocation == ALLOCATION_STATIC);
}

static struct hub_condition condition_of(const struct admission *admission, const struct linked_hub *hub)
{
    static const struct hub_condition well;
    return admission->conditions != NULL ? admission->conditions[hub - admission->service->hubs] : well;
}

// The order is that of what an operator would have to change first.
static enum verdict judge(const struct admission *admission, const struct linked_hub *hub,
                          const struct linked_hub *home)
{
    struct hub_condition condition = condition_of(admission, hub);
    if (!hub->allocate)
        return NO_PART;
    if (hub->state == HUB_DRAINING)
        return DRAINING;
    if (hub == home)
        return TAKEN;
    if (hub->state == HUB_CORDONED)
        return CORDONED;
    if (hub->capacity > 0 && condition.devices >= (int64_t)hub->capacity)
        return FULL;
    return admission->service->avoid_failing_hubs && condition.failing ? FAILING : TAKEN;
}

static struct err name_hub(struct named_hubs *hubs, const struct service *service, struct arena *arena,
                           struct slice host)
{
    struct named_hub named = {.hub = service_hub(service, host)};
    if (named.hub != NULL)
        named.host = named.hub->host;
    else
        TRY(arena_copy(arena, host, &named.host));
    for (size_t i = 0; i < hubs->count; i++) {
        if (slice_equal_nocase(hubs->list[i].host, named.host))
            return OK;
    }
    hubs->list[hubs->count++] = named;
    return OK;
}

static struct err name_those_of_list(const struct json *list, const struct service *service,
                                     struct arena *arena, struct named_hubs *out)
{
    out->list = arena_take_many(arena, json_count(list) + 1, sizeof *out->list);
    if (out->list == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < json_count(list); i++)
        TRY(name_hub(out, service, arena, json_as_string(json_at(list, i))));
    return OK;
}

// The hubs that the enrollment names, or else all that are linked.
static struct err name_hubs(const struct service *service, const struct enrollment *enrollment,
                            struct arena *arena, struct named_hubs *out)
{
    if (enrollment->hubs.len > 0) {
        struct json_doc hubs = {0};
        TRY(json_read(enrollment->hubs, JSON_LIMITS_DEFAULT, &hubs, NULL));
        struct err e = name_those_of_list(json_root(&hubs), service, arena, out);
        json_doc_release(&hubs);
        return e;
    }
    out->list = arena_take_many(arena, service->hub_count + 1, sizeof *out->list);
    if (out->list == NULL)
        return FAIL(ERR_NO_MEMORY);
    if (candidates_legacy(enrollment))
        return name_hub(out, service, arena, enrollment->hub_host_name);
    for (size_t i = 0; i < service->hub_count; i++)
        TRY(name_hub(out, service, arena, service->hubs[i].host));
    return OK;
}

static void judge_all(const struct admission *admission, const struct linked_hub *home,
                      struct named_hubs *hubs)
{
    for (size_t i = 0; i < hubs->count; i++) {
        struct named_hub *named = &hubs->list[i];
        named->verdict = named->hub != NULL ? judge(admission, named->hub, home) : UNLINKED;
    }
}

static size_t count_of(const struct named_hubs *hubs, enum verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < hubs->count; i++)
        count += hubs->list[i].verdict == verdict;
    return count;
}

static bool say_verdict(struct phrase *phrase, const struct admission *admission,
                        const struct named_hub *named)
{
    struct slice host = slice_to(named->host, 100);
    if (named->verdict == FULL)
        return phrase_add(phrase, "%.*s (full: %lld of %u devices)", SLICE_ARG(host),
                          (long long)condition_of(admission, named->hub).devices, named->hub->capacity);
    return phrase_add(phrase, "%.*s (%s)", SLICE_ARG(host), verdict_says[named->verdict]);
}

static void tell_left_out(const struct admission *admission, const struct named_hubs *hubs,
                          struct trace *trace, struct arena *arena)
{
    struct phrase phrase = {0};
    for (size_t i = 0; i < hubs->count; i++) {
        if (hubs->list[i].verdict == TAKEN || say_verdict(&phrase, admission, &hubs->list[i]))
            continue;
        trace_add(trace, arena, "allocate", "left out: %s", phrase.text);
        phrase = (struct phrase){0};
        (void)say_verdict(&phrase, admission, &hubs->list[i]);
    }
    if (phrase.len > 0)
        trace_add(trace, arena, "allocate", "left out: %s", phrase.text);
}

static struct err nobody_left(const struct admission *admission, const struct named_hubs *hubs,
                              struct why *why)
{
    struct phrase phrase = {0};
    size_t said = 0;
    if (hubs->count == 0)
        return why_fail(why, ERR_NO_HUB, "no linked hub is left to assign to: link one to the service");
    while (said < hubs->count && say_verdict(&phrase, admission, &hubs->list[said]))
        said++;
    if (said == hubs->count)
        return why_fail(why, ERR_NO_HUB, "no linked hub is left to assign to: %s", phrase.text);
    return why_fail(why, ERR_NO_HUB, "no linked hub is left to assign to: %s, and %zu more", phrase.text,
                    hubs->count - said);
}

// A hub that fails is better than none: the operation waits for it.
static void take_failing(struct named_hubs *hubs, struct trace *trace, struct arena *arena)
{
    for (size_t i = 0; i < hubs->count; i++) {
        if (hubs->list[i].verdict == FAILING)
            hubs->list[i].verdict = TAKEN;
    }
    trace_add(trace, arena, "allocate",
              "all hubs that could take it are failing: so these count all the same");
}

struct err candidates_find(const struct admission *admission, const struct enrollment *enrollment,
                           const struct linked_hub *home, struct arena *arena, struct decision *out,
                           struct trace *trace, struct why *why)
{
    struct named_hubs hubs = {0};
    TRY(name_hubs(admission->service, enrollment, arena, &hubs));
    judge_all(admission, home, &hubs);
    tell_left_out(admission, &hubs, trace, arena);
    if (count_of(&hubs, TAKEN) == 0 && count_of(&hubs, FAILING) > 0)
        take_failing(&hubs, trace, arena);
    if (count_of(&hubs, TAKEN) == 0)
        return nobody_left(admission, &hubs, why);
    const struct linked_hub **list = arena_take_many(arena, hubs.count, sizeof *list);
    if (list == NULL)
        return FAIL(ERR_NO_MEMORY);
    out->candidates = list;
    out->candidate_count = 0;
    for (size_t i = 0; i < hubs.count; i++) {
        if (hubs.list[i].verdict == TAKEN)
            list[out->candidate_count++] = hubs.list[i].hub;
    }
    trace_add(trace, arena, "allocate", "%zu of %zu linked hubs may take it", out->candidate_count,
              admission->service->hub_count);
    return OK;
}
