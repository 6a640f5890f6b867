// geoLatency: cities all over the world go to the nearest of six regions; what was measured outranks that.
#include "domain/geo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EUROPE, AMERICA, ASIA, BRAZIL, AUSTRALIA, AFRICA, REGIONS };
static const char *const regions[REGIONS] = {"westeurope",  "eastus",        "southeastasia",
                                             "brazilsouth", "australiaeast", "southafricanorth"};

// The nearest region is by a good margin that of the map.
static const struct {
    const char *city;
    const char *place;
    int nearest;
} cities[] = {
    {"London", "51.51,-0.13", EUROPE},
    {"Berlin", "52.52,13.40", EUROPE},
    {"Madrid", "40.42,-3.70", EUROPE},
    {"Rome", "41.90,12.50", EUROPE},
    {"Oslo", "59.91,10.75", EUROPE},
    {"Moscow", "55.76,37.62", EUROPE},
    {"Istanbul", "41.01,28.98", EUROPE},
    {"Reykjavik", "64.15,-21.94", EUROPE},
    {"Casablanca", "33.57,-7.59", EUROPE},
    {"Cairo", "30.04,31.24", EUROPE},
    {"New York", "40.71,-74.01", AMERICA},
    {"Chicago", "41.88,-87.63", AMERICA},
    {"Miami", "25.76,-80.19", AMERICA},
    {"Toronto", "43.65,-79.38", AMERICA},
    {"Mexico City", "19.43,-99.13", AMERICA},
    {"Los Angeles", "34.05,-118.24", AMERICA},
    {"Seattle", "47.61,-122.33", AMERICA},
    {"Anchorage", "61.22,-149.90", AMERICA},
    {"Bogota", "4.71,-74.07", AMERICA},
    {"Honolulu", "21.31,-157.86", AMERICA},
    {"Singapore", "1.35,103.82", ASIA},
    {"Jakarta", "-6.21,106.85", ASIA},
    {"Bangkok", "13.76,100.50", ASIA},
    {"Manila", "14.60,120.98", ASIA},
    {"Hong Kong", "22.32,114.17", ASIA},
    {"Tokyo", "35.68,139.77", ASIA},
    {"Seoul", "37.57,126.98", ASIA},
    {"Beijing", "39.90,116.40", ASIA},
    {"Mumbai", "19.08,72.88", ASIA},
    {"Delhi", "28.61,77.21", ASIA},
    {"Rio de Janeiro", "-22.91,-43.17", BRAZIL},
    {"Buenos Aires", "-34.60,-58.38", BRAZIL},
    {"Santiago", "-33.45,-70.67", BRAZIL},
    {"Lima", "-12.05,-77.04", BRAZIL},
    {"Recife", "-8.05,-34.88", BRAZIL},
    {"La Paz", "-16.50,-68.15", BRAZIL},
    {"Melbourne", "-37.81,144.96", AUSTRALIA},
    {"Brisbane", "-27.47,153.03", AUSTRALIA},
    {"Perth", "-31.95,115.86", AUSTRALIA},
    {"Auckland", "-36.85,174.76", AUSTRALIA},
    {"Suva", "-18.14,178.44", AUSTRALIA},
    {"Nome", "64.50,-165.41", AMERICA},
    {"Cape Town", "-33.92,18.42", AFRICA},
    {"Durban", "-29.86,31.02", AFRICA},
    {"Harare", "-17.83,31.05", AFRICA},
    {"Nairobi", "-1.29,36.82", AFRICA},
    {"Luanda", "-8.84,13.23", AFRICA},
    {"Antananarivo", "-18.88,47.51", AFRICA},
};

struct geo {
    struct arena arena;
    struct linked_hub hubs[REGIONS];
    const struct linked_hub *list[REGIONS];
    struct latency latencies[4];
    struct service service;
    struct admission admission;
    struct trace trace;
};

static struct geo *geo_set_up(void)
{
    static struct geo g;
    g = (struct geo){.arena = arena_capped(1 << 20)};
    for (size_t i = 0; i < REGIONS; i++) {
        g.hubs[i] = (struct linked_hub){.host = slice_text(regions[i]), .weight = 1, .allocate = true};
        assert_false(failed(place_read(slice_text(regions[i]), &g.hubs[i].place, NULL)));
        g.list[i] = &g.hubs[i];
    }
    g.service.latencies = g.latencies;
    g.admission.service = &g.service;
    return &g;
}

static void put_at(struct geo *g, const char *place)
{
    assert_false(failed(place_read(slice_text(place), &g->admission.place, NULL)));
}

static int choose(struct geo *g, const char *id)
{
    const struct linked_hub *out = NULL;
    g->trace.count = 0;
    assert_false(
        failed(geo_choose(&g->admission, g->list, REGIONS, slice_text(id), &g->arena, &out, &g->trace)));
    return (int)(out - g->hubs);
}

static bool told(const struct geo *g, const char *text)
{
    for (size_t i = 0; i < g->trace.count; i++) {
        struct slice line = g->trace.lines[i].text;
        if (slice_find(line, slice_text(text)) < line.len)
            return true;
    }
    return false;
}

static void devices_go_to_the_nearest_region(void **state)
{
    (void)state;
    _Static_assert(sizeof cities / sizeof cities[0] >= 40, "at least forty of them");
    struct geo *g = geo_set_up();
    for (size_t i = 0; i < sizeof cities / sizeof cities[0]; i++) {
        put_at(g, cities[i].place);
        int chosen = choose(g, "dev");
        if (chosen != cities[i].nearest)
            fail_msg("%s goes to %s", cities[i].city, regions[chosen]);
    }
    arena_release(&g->arena);
}

static void an_operator_reads_how_far_each_hub_is(void **state)
{
    (void)state;
    struct geo *g = geo_set_up();
    put_at(g, "52.37,4.90"); // where the region is
    g->admission.place.by = "the operator's networks";
    g->hubs[AFRICA].place.known = false;
    assert_int_equal(choose(g, "dev"), EUROPE);
    assert_true(told(g, "by distance from 52.37,4.90 (the operator's networks)"));
    assert_true(told(g, "westeurope 0 km"));
    assert_true(told(g, "southafricanorth unknown"));
    arena_release(&g->arena);
}

static void what_was_measured_outranks_distance(void **state)
{
    (void)state;
    struct geo *g = geo_set_up();
    put_at(g, "52.37,4.90");
    g->admission.place.zone = slice_text("nl");
    g->latencies[0] = (struct latency){slice_text("DE"), slice_text("australiaeast"), 1};
    g->latencies[1] = (struct latency){slice_text("NL"), slice_text("BrazilSouth"), 12500};
    g->latencies[2] = (struct latency){slice_text("NL"), slice_text("eastus"), 80000};
    g->latencies[3] = (struct latency){slice_text("NL"), slice_text("no-candidate"), 1};
    g->service.latency_count = 4;
    assert_int_equal(choose(g, "dev"), BRAZIL);
    assert_true(told(g, "measured from zone nl"));
    assert_true(told(g, "brazilsouth 12.5 ms"));
    assert_true(told(g, "eastus 80.0 ms"));
    assert_true(told(g, "westeurope unknown"));
    // of a zone without figures nothing is measured
    g->admission.place.zone = slice_text("BE");
    assert_int_equal(choose(g, "dev"), EUROPE);
    // a zone may be known of a device that has no coordinates
    g->admission.place = (struct place){.zone = slice_text("DE")};
    assert_int_equal(choose(g, "dev"), AUSTRALIA);
    arena_release(&g->arena);
}

static void equally_near_hubs_share_by_weight(void **state)
{
    (void)state;
    enum { DEVICES = 20000 };
    struct geo *g = geo_set_up();
    unsigned heavy = 0;
    put_at(g, "52.0,4.0");
    g->hubs[AFRICA].place = g->hubs[EUROPE].place;
    g->hubs[AFRICA].place.latitude += 0.005; // some 550 m
    g->hubs[AFRICA].weight = 3;
    for (unsigned i = 0; i < DEVICES; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "device-%u", i);
        if (i % 1000 == 0) {
            arena_release(&g->arena);
            g->arena = arena_capped(16 << 20);
        }
        int chosen = choose(g, id);
        assert_true(chosen == AFRICA || chosen == EUROPE);
        heavy += chosen == AFRICA;
    }
    assert_true(told(g, "2 hubs are equally near: hashed by weight"));
    assert_in_range(heavy, DEVICES * 74 / 100, DEVICES * 76 / 100); // three quarters, within one point
    g->hubs[AFRICA].place.latitude += 0.1;                          // some 11 km: the other one is nearer
    assert_int_equal(choose(g, "device-1"), EUROPE);
    assert_int_equal(choose(g, "device-2"), EUROPE);
    assert_int_equal(choose(g, "device-3"), EUROPE);
    arena_release(&g->arena);
}

static void a_device_that_cannot_be_placed_is_hashed_and_the_trace_says_so(void **state)
{
    (void)state;
    struct geo *g = geo_set_up();
    bool chosen[REGIONS] = {0};
    for (unsigned i = 0; i < 200; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "device-%u", i);
        chosen[choose(g, id)] = true;
    }
    for (size_t i = 0; i < REGIONS; i++)
        assert_true(chosen[i]);
    assert_true(told(g, "not known, so hashed by weight"));
    put_at(g, "52.37,4.90");
    for (size_t i = 0; i < REGIONS; i++)
        g->hubs[i].place.known = false;
    (void)choose(g, "dev");
    assert_true(told(g, "has a location, so hashed by weight"));
    arena_release(&g->arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_go_to_the_nearest_region),
        cmocka_unit_test(an_operator_reads_how_far_each_hub_is),
        cmocka_unit_test(what_was_measured_outranks_distance),
        cmocka_unit_test(equally_near_hubs_share_by_weight),
        cmocka_unit_test(a_device_that_cannot_be_placed_is_hashed_and_the_trace_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
