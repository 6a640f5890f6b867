// What one client knows of the groups that admit devices by key, per partition: reading and opening thousands
// of them for each device would cost more than all the rest. What is known counts until a commit changes some
// group.
#pragma once

#include "store/sqlite/row.h"

enum { GROUPS_KEPT = 4, GROUPS_MEMORY_MAX = 64 << 20 };

struct groups_kept {
    struct arena arena; // holds everything below; of no use when version is 0
    struct slice partition;
    uint64_t version; // of the writer's group_changes, plus 1
    uint64_t used;    // when, in calls
    struct enrollment **list;
    struct slice *keys;
    size_t count;
};

struct groups {
    struct groups_kept kept[GROUPS_KEPT];
    uint64_t calls;
};

void groups_release(struct groups *g);
// Puts a copy of each group of the request's partition into its admission. `changes`: the writer's
// group_changes, read before the transaction began that the connection is in.
struct err groups_admit(struct groups *g, struct connection *c, uint64_t changes,
                        struct store_request *request);
