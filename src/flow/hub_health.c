// One record per host that ever failed, and per service's link to one; a bit for each loop that finds it
// failing.
#include "flow/hub_health.h"

#include <stdlib.h>

#include "base/map.h"

enum { KEY_MAX_BYTES = 300 + 1 + ID_SCOPE_MAX, HOSTS_MAX = 10000 };

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

// The host in small letters; for a link with the service's scope, which no host has in it.
static struct slice key_write(struct slice host, struct slice id_scope, uint8_t room[KEY_MAX_BYTES])
{
    struct buf key = {.at = room, .room = KEY_MAX_BYTES, .cap = KEY_MAX_BYTES};
    buf_lower(&key, host);
    if (id_scope.len > 0)
        buf_u8(&key, '\n');
    buf_bytes(&key, id_scope);
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

void hub_health_set_link(struct hub_health *health, struct slice host, struct slice id_scope, unsigned loop,
                         bool failing, const struct why *why)
{
    INVARIANT(loop < HUB_HEALTH_LOOPS_MAX);
    uint8_t room[KEY_MAX_BYTES];
    struct slice key = key_write(host, id_scope, room);
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

void hub_health_set(struct hub_health *health, struct slice host, unsigned loop, bool failing,
                    const struct why *why)
{
    hub_health_set_link(health, host, (struct slice){0}, loop, failing, why);
}

struct hub_health_state hub_health_of(const struct hub_health *health, struct slice host)
{
    uint8_t room[KEY_MAX_BYTES];
    const struct health *h = map_get(&health->map, key_write(host, (struct slice){0}, room));
    if (h == NULL)
        return (struct hub_health_state){0};
    return (struct hub_health_state){.failing = h->failing != 0, .since_us = h->since_us, .why = h->why};
}

struct hub_health_state hub_health_of_link(const struct hub_health *health, struct slice host,
                                           struct slice id_scope)
{
    uint8_t room[KEY_MAX_BYTES];
    struct hub_health_state hub = hub_health_of(health, host);
    const struct health *h = map_get(&health->map, key_write(host, id_scope, room));
    if (h == NULL || hub.failing || (h->failing == 0 && h->since_us <= hub.since_us))
        return hub;
    return (struct hub_health_state){.failing = h->failing != 0, .since_us = h->since_us, .why = h->why};
}
