// One small record per hub that somebody asked about; a count that fails is tried again at the next question.
#include "flow/hub_loads.h"

#include <stdlib.h>

#include "base/map.h"

enum { FRESH_US = 1000 * 1000, NAME_MAX_BYTES = 600, HUBS_MAX = 10000 };

struct load {
    struct hub_loads *loads;
    struct slice id_scope;
    struct slice host;
    int64_t counted; // -1: never
    int64_t since;   // assigned since that count was begun
    int64_t before;  // since the one before, while another is under way
    int64_t asked_us;
    bool under_way;
    struct query_value value;
    struct query_node where;
    struct store_request request;
    struct arena answer;
    struct arena names;
};

struct hub_loads {
    struct store_client *store;
    const struct clock *clock;
    struct map map; // "scope\0host", lower case -> struct load
    struct hub_loads_watch watch;
    size_t counting;
};

struct hub_loads *hub_loads_new(struct store_client *store, const struct clock *clock, uint64_t seed,
                                struct hub_loads_watch watch)
{
    struct hub_loads *loads = calloc(1, sizeof *loads);
    if (loads == NULL)
        return NULL;
    loads->store = store;
    loads->clock = clock;
    loads->watch = watch;
    map_init(&loads->map, seed);
    return loads;
}

static void load_free(struct load *load)
{
    arena_release(&load->answer);
    arena_release(&load->names);
    free(load);
}

void hub_loads_free(struct hub_loads *loads)
{
    if (loads == NULL)
        return;
    INVARIANT(loads->counting == 0);
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(&loads->map, &at, &key, &value))
        load_free(value);
    map_release(&loads->map);
    free(loads);
}

// ---- counting
// ---------------------------------------------------------------------------------------------------------------

static void counted(struct store_request *request)
{
    struct load *load = request->context;
    load->under_way = false;
    load->loads->counting--;
    if (failed(request->result))
        load->since += load->before;
    else
        load->counted = (int64_t)request->count;
    load->before = 0;
    load->loads->watch.ends(load->loads->watch.context);
}

static void count(struct load *load, int64_t now_us)
{
    load->asked_us = now_us;
    load->under_way = true;
    load->before = load->since;
    load->since = 0;
    load->loads->counting++;
    load->loads->watch.begins(load->loads->watch.context);
    arena_release(&load->answer);
    load->request = (struct store_request){
        .verb = STORE_COUNT,
        .table = STORE_REGISTRATION,
        .partition = load->id_scope,
        .where = &load->where,
        .arena = &load->answer,
        .done = counted,
        .context = load,
    };
    store_submit(load->loads->store, &load->request);
}

// ---- by name
// ----------------------------------------------------------------------------------------------------------------

static struct slice key_of(struct slice id_scope, struct slice host, uint8_t room[NAME_MAX_BYTES])
{
    struct buf key = {.at = room, .room = NAME_MAX_BYTES, .cap = NAME_MAX_BYTES};
    buf_bytes(&key, id_scope);
    buf_bytes(&key, slice_of("", 1));
    buf_lower(&key, host);
    return buf_slice(&key);
}

static struct load *load_new(struct hub_loads *loads, struct slice key, struct slice id_scope,
                             struct slice host)
{
    struct load *load = loads->map.count < HUBS_MAX ? calloc(1, sizeof *load) : NULL;
    if (load == NULL)
        return NULL;
    load->loads = loads;
    load->counted = -1;
    load->names = arena_capped(4096);
    load->answer = arena_capped(65536);
    load->value = (struct query_value){.kind = QUERY_TEXT};
    load->where =
        (struct query_node){.op = QUERY_EQ, .path = SLICE("assignedHub"), .values = &load->value, .count = 1};
    if (failed(arena_copy(&load->names, id_scope, &load->id_scope)) ||
        failed(arena_copy(&load->names, host, &load->host)) ||
        failed(map_put(&loads->map, key, load, NULL))) {
        load_free(load);
        return NULL;
    }
    load->value.text = load->host;
    return load;
}

int64_t hub_loads_of(struct hub_loads *loads, struct slice id_scope, struct slice host)
{
    uint8_t room[NAME_MAX_BYTES];
    struct slice key = key_of(id_scope, host, room);
    struct load *load = map_get(&loads->map, key);
    if (load == NULL)
        load = load_new(loads, key, id_scope, host);
    if (load == NULL)
        return 0; // more hubs than memory: without a limit
    int64_t now = clock_monotonic_us(loads->clock);
    if (!load->under_way && (load->counted < 0 || now - load->asked_us > FRESH_US))
        count(load, now);
    return load->counted < 0 ? -1 : load->counted + load->before + load->since;
}

void hub_loads_add(struct hub_loads *loads, struct slice id_scope, struct slice host)
{
    uint8_t room[NAME_MAX_BYTES];
    struct load *load = map_get(&loads->map, key_of(id_scope, host, room));
    if (load != NULL)
        load->since++;
}
