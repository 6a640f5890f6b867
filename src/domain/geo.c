// Which hub is nearest? First by what was measured, then by distance.
#include "domain/geo.h"

#include "domain/allocate.h"

#define UNKNOWN    (-1.0)
#define EQUALLY_KM 1.0 // nobody is the better for a distance smaller than this

// How far each hub is, in one unit, and how that is said.
struct farness {
    double *of;   // UNKNOWN: that hub does not count
    double equal; // a difference that is none
    const char *unit;
    int decimals;
    size_t known;
};

// One pass, as there may be thousands of figures.
static void measure(const struct admission *admission, const struct linked_hub *const *hubs, size_t count,
                    struct farness *out)
{
    const struct service *service = admission->service;
    for (size_t i = 0; i < service->latency_count && admission->place.zone.len > 0; i++) {
        const struct latency *figure = &service->latencies[i];
        if (!slice_equal_nocase(figure->zone, admission->place.zone))
            continue;
        for (size_t j = 0; j < count; j++) {
            if (!slice_equal_nocase(figure->hub, hubs[j]->host) || out->of[j] >= 0)
                continue;
            out->of[j] = (double)figure->us / 1000;
            out->known++;
        }
    }
}

static void span(const struct admission *admission, const struct linked_hub *const *hubs, size_t count,
                 struct farness *out)
{
    for (size_t i = 0; i < count && admission->place.known; i++) {
        if (!hubs[i]->place.known)
            continue;
        out->of[i] = place_distance_km(&admission->place, &hubs[i]->place);
        out->known++;
    }
}

static bool say(struct phrase *phrase, const struct linked_hub *hub, double far, const struct farness *all)
{
    struct slice host = slice_to(hub->host, 100);
    if (far < 0)
        return phrase_add(phrase, "%.*s unknown", SLICE_ARG(host));
    return phrase_add(phrase, "%.*s %.*f %s", SLICE_ARG(host), all->decimals, far, all->unit);
}

static void tell(const struct linked_hub *const *hubs, size_t count, const struct farness *all,
                 struct trace *trace, struct arena *arena)
{
    struct phrase phrase = {0};
    for (size_t i = 0; i < count; i++) {
        if (say(&phrase, hubs[i], all->of[i], all))
            continue;
        trace_add(trace, arena, "allocate", "how far: %s", phrase.text);
        phrase = (struct phrase){0};
        (void)say(&phrase, hubs[i], all->of[i], all);
    }
    trace_add(trace, arena, "allocate", "how far: %s", phrase.text);
}

static struct err choose_nearest(const struct linked_hub *const *hubs, size_t count,
                                 const struct farness *all, struct slice canonical_id, struct arena *arena,
                                 const struct linked_hub **out, struct trace *trace)
{
    const struct linked_hub **equals = arena_take_many(arena, count, sizeof *equals);
    size_t equal = 0;
    double least = UNKNOWN;
    if (equals == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < count; i++) {
        if (all->of[i] >= 0 && (least < 0 || all->of[i] < least))
            least = all->of[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (all->of[i] >= 0 && all->of[i] <= least + all->equal)
            equals[equal++] = hubs[i];
    }
    tell(hubs, count, all, trace, arena);
    if (equal > 1)
        trace_add(trace, arena, "allocate", "%zu hubs are equally near: hashed by weight", equal);
    return allocate_hashed(equals, equal, canonical_id, out);
}

static struct err reset(struct farness *out, size_t count, struct arena *arena)
{
    out->of = arena_take_many(arena, count, sizeof *out->of);
    for (size_t i = 0; i < count && out->of != NULL; i++)
        out->of[i] = UNKNOWN;
    return out->of != NULL ? OK : FAIL(ERR_NO_MEMORY);
}

struct err geo_choose(const struct admission *admission, const struct linked_hub *const *hubs, size_t count,
                      struct slice canonical_id, struct arena *arena, const struct linked_hub **out,
                      struct trace *trace)
{
    const struct place *place = &admission->place;
    struct farness measured = {.unit = "ms", .decimals = 1};
    struct farness distance = {.unit = "km", .equal = EQUALLY_KM};
    INVARIANT(count > 0);
    TRY(reset(&measured, count, arena));
    TRY(reset(&distance, count, arena));
    measure(admission, hubs, count, &measured);
    if (measured.known > 0) {
        trace_add(trace, arena, "allocate", "geoLatency: by what was measured from zone %.*s",
                  SLICE_ARG(slice_to(place->zone, 60)));
        return choose_nearest(hubs, count, &measured, canonical_id, arena, out, trace);
    }
    span(admission, hubs, count, &distance);
    if (distance.known > 0) {
        trace_add(trace, arena, "allocate", "geoLatency: by distance from %.2f,%.2f (%s)", place->latitude,
                  place->longitude, place->by != NULL ? place->by : "as given");
        return choose_nearest(hubs, count, &distance, canonical_id, arena, out, trace);
    }
    trace_add(trace, arena, "allocate", "geoLatency: %s, so hashed by weight",
              place->known ? "no hub that may take it has a location" : "where the device is is not known");
    return allocate_hashed(hubs, count, canonical_id, out);
}
