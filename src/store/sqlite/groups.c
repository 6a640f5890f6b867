// Groups, read once and kept.
#include "store/sqlite/groups.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "store/request.h"

// The groups of one partition at one moment. Does not change once it is read, so that requests share it.
struct groups_kept {
    atomic_uint holders; // the client, and each request that got it
    struct arena arena;
    struct slice partition;
    uint64_t changes; // the writer's group_changes
    uint64_t used;    // when last, in calls
    struct enrollment **list;
    struct slice *keys;
    size_t count;
};

static void let_go(void *kept)
{
    struct groups_kept *k = kept;
    if (k == NULL || atomic_fetch_sub(&k->holders, 1) > 1)
        return;
    arena_release(&k->arena);
    free(k);
}

void groups_release(struct groups *g)
{
    for (size_t i = 0; i < GROUPS_KEPT; i++) {
        let_go(g->kept[i]);
        g->kept[i] = NULL;
    }
}

// Doubles the room of both arrays when they are full; the old ones stay in the arena until it goes.
static struct err make_room(struct groups_kept *k)
{
    if ((k->count & (k->count - 1)) != 0)
        return OK;
    size_t room = k->count == 0 ? 1 : k->count * 2;
    struct enrollment **list = arena_take_many(&k->arena, room, sizeof(struct enrollment *));
    struct slice *keys = arena_take_many(&k->arena, room, sizeof *keys);
    if (list == NULL || keys == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < k->count; i++) {
        list[i] = k->list[i];
        keys[i] = k->keys[i];
    }
    k->list = list;
    k->keys = keys;
    return OK;
}

static struct err add_row(struct groups_kept *k, struct connection *c, sqlite3_stmt *s, struct why *why)
{
    void *group;
    TRY(make_room(k));
    TRY(row_load(c, s, STORE_GROUP, &k->arena, &group, why));
    TRY(arena_copy(&k->arena, row_key(s), &k->keys[k->count]));
    k->list[k->count++] = group;
    return OK;
}

static struct err read_all(struct groups_kept *k, struct connection *c, struct slice partition,
                           struct why *why)
{
    sqlite3_stmt *s;
    TRY(arena_copy(&k->arena, partition, &k->partition));
    TRY(connection_statement(c, SCHEMA_GROUPS, STORE_GROUP, &s));
    bind_slice(s, 1, partition);
    int code;
    struct err e = OK;
    while (!failed(e) && (code = sqlite3_step(s)) == SQLITE_ROW)
        e = add_row(k, c, s, why);
    if (!failed(e))
        e = connection_failure(c, code, why);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return e;
}

// The slot of the partition, else a free one, else the one that was not used for longest.
static struct groups_kept **slot_of(struct groups *g, struct slice partition)
{
    struct groups_kept **best = &g->kept[0];
    for (size_t i = 0; i < GROUPS_KEPT; i++) {
        struct groups_kept **k = &g->kept[i];
        if (*k != NULL && slice_equal((*k)->partition, partition))
            return k;
        if (*best != NULL && (*k == NULL || (*k)->used < (*best)->used))
            best = k;
    }
    return best;
}

static struct err kept_of(struct groups *g, struct connection *c, uint64_t changes,
                          struct store_request *request, struct groups_kept **out)
{
    struct groups_kept **slot = slot_of(g, request->partition);
    struct groups_kept *k = *slot;
    if (k == NULL || k->changes != changes || !slice_equal(k->partition, request->partition)) {
        k = calloc(1, sizeof *k);
        if (k == NULL)
            return FAIL(ERR_NO_MEMORY);
        k->holders = 1;
        k->arena = (struct arena){.cap = GROUPS_MEMORY_MAX, .wipe = true};
        k->changes = changes;
        struct err e = read_all(k, c, request->partition, &request->why);
        if (failed(e)) {
            let_go(k);
            return e;
        }
        let_go(*slot);
        *slot = k;
    }
    k->used = ++g->calls;
    *out = k;
    return OK;
}

// The kept list, with the group that admitted the device before brought to the front.
static struct err in_order(const struct groups_kept *k, struct store_request *request)
{
    struct store_admission *a = &request->admission;
    size_t first = 0;
    while (first < k->count && !store_admitted_before(a->registration, k->keys[first]))
        first++;
    a->groups = k->list;
    a->group_count = k->count;
    if (first == k->count)
        return OK;
    a->former = k->list[first];
    if (first == 0)
        return OK;
    a->groups = arena_take_many(request->arena, k->count, sizeof(struct enrollment *));
    if (a->groups == NULL)
        return FAIL(ERR_NO_MEMORY);
    memcpy(a->groups, k->list, k->count * sizeof(struct enrollment *));
    a->groups[first] = k->list[0];
    a->groups[0] = k->list[first];
    return OK;
}

struct err groups_admit(struct groups *g, struct connection *c, uint64_t changes,
                        struct store_request *request)
{
    struct groups_kept *k;
    TRY(kept_of(g, c, changes, request, &k));
    if (k->count == 0)
        return OK;
    TRY(arena_on_release(request->arena, let_go, k));
    atomic_fetch_add(&k->holders, 1);
    return in_order(k, request);
}
