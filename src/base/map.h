// Hash map from bytes to pointers. Keys are copied; values are the caller's. Keyed hashing (SipHash-like
// strength is not needed behind authentication, but the seed keeps a peer from choosing colliding keys).
#pragma once

#include "base/err.h"
#include "base/slice.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t room; // a power of two, or 0
    size_t count;
    uint64_t seed;
};

// seed: random per process.
void map_init(struct map *m, uint64_t seed);
void map_release(struct map *m); // values are not touched
// NULL when absent.
void *map_get(const struct map *m, struct slice key);
// value must not be NULL. *old (may be NULL) receives what was there, or NULL. ERR_NO_MEMORY changes nothing.
struct err map_put(struct map *m, struct slice key, void *value, void **old);
// The value that was there, or NULL.
void *map_remove(struct map *m, struct slice key);
// What the map does with its keys: the same bytes come to the same number under the same seed, and nobody who
// does not know the seed can tell which others do.
uint64_t map_hash(uint64_t seed, struct slice key);
// Walks all entries in no order: start with *at = 0; false at the end. Do not change the map meanwhile.
bool map_next(const struct map *m, size_t *at, struct slice *key, void **value);
