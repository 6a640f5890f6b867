// What one client knows of the groups that admit devices by key, per partition: reading and opening thousands
// of them for each device would cost more than all the rest. What is known counts until a commit changes some
// group.
#pragma once

#include "store/sqlite/row.h"

enum { GROUPS_KEPT = 4, GROUPS_MEMORY_MAX = 64 << 20 };

struct groups_kept;

struct groups {
    struct groups_kept *kept[GROUPS_KEPT];
    uint64_t calls;
};

void groups_release(struct groups *g);
// Puts the groups of the request's partition into its admission: not copies, for there may be thousands, but
// what is kept, which stays until the request's arena is released. `changes`: the writer's group_changes,
// read before the transaction began that the connection is in.
struct err groups_admit(struct groups *g, struct connection *c, uint64_t changes,
                        struct store_request *request);
