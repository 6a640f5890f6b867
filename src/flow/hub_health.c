// One record per host that ever failed; a bit for each loop that finds it failing.
#include "flow/hub_health.h"

#include <stdlib.h>

#include "base/map.h"

enum { HOST_MAX_BYTES = 300, HOSTS_MAX = 10000, LOOPS_MAX = 64 };

struct health {
    uint64_t failing; // by loop
    int64_t since_us;
    struct why why;
};

struct hub_health {
    const struct clock *clock;
    struct map map;
};

struct hub_health *hub_health_new(const struct clock *clock, uint64_t seed)
{
    struct hub_health *health = calloc(1, sizeof *health);
    if (health == NULL)
        return NULL;
    health->clock = clock;
    map_init(&health->map, seed);
    return health;
}

void hub_health_free(struct hub_health *health)
{
    if (health == NULL)
        return;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(&health->map, &at, &key, &value))
        free(value);
    map_release(&health->map);
    free(health);
}

static struct slice lower(struct slice host, uint8_t room[HOST_MAX_BYTES])
{
    struct buf key = {.at = room, .room = HOST_MAX_BYTES, .cap = HOST_MAX_BYTES};
    for (size_t i = 0; i < host.len; i++)
        buf_u8(&key, host.at[i] >= 'A' && host.at[i] <= 'Z' ? host.at[i] | 0x20 : host.at[i]);
    return buf_slice(&key);
}

// NULL: no memory, or far more hosts than are ever linked; it then counts as well.
static struct health *health_at(struct hub_health *health, struct slice key)
{
    struct health *h = map_get(&health->map, key);
    if (h != NULL)
        return h;
    h = health->map.count < HOSTS_MAX ? calloc(1, sizeof *h) : NULL;
    if (h != NULL && failed(map_put(&health->map, key, h, NULL))) {
        free(h);
        return NULL;
    }
    return h;
}

void hub_health_set(struct hub_health *health, struct slice host, unsigned loop, bool failing,
                    const struct why *why)
{
    INVARIANT(loop < LOOPS_MAX);
    uint8_t room[HOST_MAX_BYTES];
    struct slice key = lower(host, room);
    struct health *h = failing ? health_at(health, key) : map_get(&health->map, key);
    if (h == NULL)
        return;
    uint64_t bit = (uint64_t)1 << loop;
    bool before = h->failing != 0;
    h->failing = failing ? h->failing | bit : h->failing & ~bit;
    if (before != (h->failing != 0))
        h->since_us = clock_wall_us(health->clock);
    if (failing && why != NULL)
        h->why = *why;
}

struct hub_health_state hub_health_of(const struct hub_health *health, struct slice host)
{
    uint8_t room[HOST_MAX_BYTES];
    const struct health *h = map_get(&health->map, lower(host, room));
    if (h == NULL)
        return (struct hub_health_state){0};
    return (struct hub_health_state){.failing = h->failing != 0, .since_us = h->since_us, .why = h->why};
}
