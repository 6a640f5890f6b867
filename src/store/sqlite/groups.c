// Groups, read once and kept.
#include "store/sqlite/groups.h"

#include "store/request.h"

static void forget(struct groups_kept *k)
{
    arena_release(&k->arena);
    *k = (struct groups_kept){.arena = {.cap = GROUPS_MEMORY_MAX, .wipe = true}};
}

void groups_release(struct groups *g)
{
    for (size_t i = 0; i < GROUPS_KEPT; i++)
        forget(&g->kept[i]);
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
static struct groups_kept *slot_of(struct groups *g, struct slice partition)
{
    struct groups_kept *best = &g->kept[0];
    for (size_t i = 0; i < GROUPS_KEPT; i++) {
        struct groups_kept *k = &g->kept[i];
        if (k->version != 0 && slice_equal(k->partition, partition))
            return k;
        if (k->used < best->used) // 0 when free
            best = k;
    }
    return best;
}

static struct err kept_of(struct groups *g, struct connection *c, uint64_t changes,
                          struct store_request *request, struct groups_kept **out)
{
    struct groups_kept *k = slot_of(g, request->partition);
    *out = k;
    bool fresh = k->version == changes + 1 && slice_equal(k->partition, request->partition);
    if (!fresh) {
        forget(k);
        struct err e = read_all(k, c, request->partition, &request->why);
        if (failed(e)) {
            forget(k);
            return e;
        }
        k->version = changes + 1;
    }
    k->used = ++g->calls;
    return OK;
}

struct err groups_admit(struct groups *g, struct connection *c, uint64_t changes,
                        struct store_request *request)
{
    struct groups_kept *k;
    TRY(kept_of(g, c, changes, request, &k));
    struct store_admission *a = &request->admission;
    if (k->count == 0)
        return OK;
    a->groups = arena_take_many(request->arena, k->count, sizeof(struct enrollment *));
    if (a->groups == NULL)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < k->count; i++) {
        void *copy;
        TRY(columns_copy(request->arena, STORE_GROUP, k->list[i], &copy));
        a->groups[i] = copy;
        if (store_admitted_before(a->registration, k->keys[i])) {
            a->groups[i] = a->groups[0];
            a->groups[0] = copy;
        }
    }
    a->group_count = k->count;
    return OK;
}
