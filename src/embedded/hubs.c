// Snapshots of the embedded hubs.
#include "embedded/hubs.h"

#include <stdlib.h>

enum { HUBS_ARENA_CAP = 1 << 20 };

struct hubs *hubs_new(void)
{
    struct hubs *hubs = calloc(1, sizeof *hubs);
    if (hubs == NULL)
        return NULL;
    hubs->holders = 1;
    hubs->arena = (struct arena){.cap = HUBS_ARENA_CAP, .wipe = true};
    return hubs;
}

struct hubs *hubs_hold(struct hubs *hubs)
{
    hubs->holders++;
    return hubs;
}

void hubs_release(struct hubs *hubs)
{
    if (hubs == NULL || --hubs->holders > 0)
        return;
    arena_release(&hubs->arena);
    free(hubs);
}

struct err hubs_fill(struct hubs *hubs, void *const *records, size_t count, struct why *why)
{
    hubs->list = arena_take_many(&hubs->arena, count, sizeof *hubs->list);
    if (hubs->list == NULL && count > 0)
        return FAIL(ERR_NO_MEMORY);
    for (size_t i = 0; i < count; i++) {
        const struct hub_record *record = records[i];
        struct hub *hub = &hubs->list[i];
        TRY(arena_lower(&hubs->arena, record->host, &hub->host));
        TRY(hub_settings_read(&hubs->arena, record->document, &hub->settings, why));
        hubs->count++;
    }
    return OK;
}

static struct slice without_port(struct slice host)
{
    return slice_to(host, slice_find_byte(host, ':'));
}

const struct hub *hubs_find(const struct hubs *hubs, struct slice host)
{
    const struct hub *found = NULL;
    for (size_t i = 0; i < hubs->count; i++) {
        const struct hub *hub = &hubs->list[i];
        if (slice_equal_nocase(hub->host, host))
            return hub;
        if (found == NULL && slice_equal_nocase(without_port(hub->host), without_port(host)))
            found = hub;
    }
    return found;
}
