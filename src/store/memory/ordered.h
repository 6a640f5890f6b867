// Records in the order of (partition, key): a skip list. Not thread-safe.
#pragma once

#include "base/err.h"
#include "base/slice.h"

struct ordered_node;

struct ordered {
    struct ordered_node *head;
    uint64_t coin; // state of the coin that decides heights; only speed depends on it
};

struct err ordered_init(struct ordered *o); // ERR_NO_MEMORY
// All nodes must have been removed.
void ordered_release(struct ordered *o);

// NULL when absent.
struct ordered_node *ordered_find(const struct ordered *o, struct slice partition, struct slice key);
// The first node behind the place (with `or_at`: at or behind it), or NULL. An empty key stands before all
// keys.
struct ordered_node *ordered_after(const struct ordered *o, struct slice partition, struct slice key,
                                   bool or_at);
struct ordered_node *ordered_next(const struct ordered_node *node);
// The place must be free. The node's value is NULL.
struct err ordered_insert(struct ordered *o, struct slice partition, struct slice key,
                          struct ordered_node **out);
void ordered_remove(struct ordered *o, struct ordered_node *node);

void **ordered_value(struct ordered_node *node);
struct slice ordered_partition(const struct ordered_node *node);
struct slice ordered_key(const struct ordered_node *node);
