// Open addressing with linear probing and backward-shift deletion; grows at 3/4.
#include "base/map.h"

#include <stdlib.h>

struct map_slot {
    uint8_t *key; // NULL: free
    size_t len;
    uint64_t hash;
    void *value;
};

void map_init(struct map *m, uint64_t seed)
{
    *m = (struct map){.seed = seed};
}

void map_release(struct map *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->room; i++)
        free(m->slots[i].key);
    free(m->slots);
    map_init(m, m->seed);
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

uint64_t map_hash(uint64_t seed, struct slice key)
{
    uint64_t h = mix(seed ^ key.len);
    size_t i = 0;
    for (; i + 8 <= key.len; i += 8) {
        uint64_t word;
        memcpy(&word, key.at + i, 8);
        h = mix(h ^ word) + seed;
    }
    uint64_t tail = 0;
    for (; i < key.len; i++)
        tail = tail << 8 | key.at[i];
    return mix(h ^ tail);
}

static struct map_slot *find(const struct map *m, struct slice key, uint64_t hash)
{
    size_t i = hash & (m->room - 1);
    while (m->slots[i].key != NULL) {
        struct map_slot *s = &m->slots[i];
        if (s->hash == hash && slice_equal(slice_of(s->key, s->len), key))
            return s;
        i = (i + 1) & (m->room - 1);
    }
    return &m->slots[i];
}

void *map_get(const struct map *m, struct slice key)
{
    if (m->count == 0)
        return NULL;
    return find(m, key, map_hash(m->seed, key))->value;
}

static struct err grow(struct map *m)
{
    size_t room = m->room == 0 ? 16 : m->room * 2;
    struct map_slot *slots = calloc(room, sizeof *slots);
    if (slots == NULL)
        return FAIL(ERR_NO_MEMORY);
    struct map bigger = {.slots = slots, .room = room, .seed = m->seed};
    for (size_t i = 0; i < m->room; i++) {
        if (m->slots[i].key != NULL)
            *find(&bigger, slice_of(m->slots[i].key, m->slots[i].len), m->slots[i].hash) = m->slots[i];
    }
    free(m->slots);
    m->slots = slots;
    m->room = room;
    return OK;
}

struct err map_put(struct map *m, struct slice key, void *value, void **old)
{
    INVARIANT(value != NULL);
    if ((m->count + 1) * 4 > m->room * 3)
        TRY(grow(m));
    uint64_t hash = map_hash(m->seed, key);
    struct map_slot *s = find(m, key, hash);
    if (old != NULL)
        *old = s->value;
    if (s->key == NULL) {
        uint8_t *copy = malloc(key.len + 1);
        if (copy == NULL)
            return FAIL(ERR_NO_MEMORY);
        if (key.len > 0)
            memcpy(copy, key.at, key.len);
        *s = (struct map_slot){.key = copy, .len = key.len, .hash = hash};
        m->count++;
    }
    s->value = value;
    return OK;
}

void *map_remove(struct map *m, struct slice key)
{
    if (m->count == 0)
        return NULL;
    struct map_slot *s = find(m, key, map_hash(m->seed, key));
    if (s->key == NULL)
        return NULL;
    void *value = s->value;
    free(s->key);
    size_t mask = m->room - 1;
    size_t hole = (size_t)(s - m->slots);
    for (size_t i = (hole + 1) & mask; m->slots[i].key != NULL; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        // an entry may fill the hole unless its home lies behind the hole, on the way to where it stands
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_slot){0};
    m->count--;
    return value;
}

bool map_next(const struct map *m, size_t *at, struct slice *key, void **value)
{
    for (; *at < m->room; (*at)++) {
        const struct map_slot *s = &m->slots[*at];
        if (s->key == NULL)
            continue;
        *key = slice_of(s->key, s->len);
        *value = s->value;
        (*at)++;
        return true;
    }
    return false;
}
