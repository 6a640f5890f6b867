// Reading the two files into an atlas, and a loop's view of it.
#include "places/places.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ip.h"
#include "base/list.h"
#include "base/map.h"
#include "places/database.h"
#include "places/networks.h"

// ---- the atlas
// -------------------------------------------------------------------------------------------------------------------

struct atlas {
    atomic_uint shares;
    struct networks *networks; // or NULL
    struct database *database; // or NULL
};

static struct err read_file(const char *path, struct buf *out, struct why *why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return why_fail(why, ERR_CONFIG, "%s: cannot be opened: %s", path, strerror(errno));
    static const size_t step = 64 * 1024;
    for (bool more = true; more;) {
        uint8_t *room = buf_reserve(out, step);
        size_t got = room != NULL ? fread(room, 1, step, file) : 0;
        if (got > 0)
            buf_added(out, got);
        more = got > 0;
    }
    bool broken = ferror(file) != 0;
    (void)fclose(file);
    if (broken)
        return why_fail(why, ERR_CONFIG, "%s: cannot be read", path);
    if (failed(buf_err(out)))
        return why_fail(why, ERR_CONFIG, "%s: longer than %d bytes", path, NETWORKS_BYTES_MAX);
    return OK;
}

static struct err read_networks(const char *path, struct networks **out, struct why *why)
{
    struct buf text = buf_capped(NETWORKS_BYTES_MAX + 64 * 1024);
    struct why inner = {0};
    struct err e = read_file(path, &text, why);
    if (!failed(e)) {
        e = networks_read(buf_slice(&text), out, &inner);
        if (failed(e) && e.code != ERR_NO_MEMORY)
            e = why_fail(why, ERR_CONFIG, "%s: %.200s", path, inner.text);
    }
    buf_release(&text);
    return e;
}

static bool given(const char *path)
{
    return path != NULL && path[0] != '\0';
}

struct err atlas_read(const struct atlas_settings *settings, struct atlas **out, struct why *why)
{
    *out = NULL;
    struct atlas *atlas = calloc(1, sizeof *atlas);
    if (atlas == NULL)
        return FAIL(ERR_NO_MEMORY);
    atomic_store(&atlas->shares, 1);
    struct err e = OK;
    if (given(settings->networks))
        e = read_networks(settings->networks, &atlas->networks, why);
    if (!failed(e) && given(settings->database))
        e = database_open(settings->database, &atlas->database, why);
    if (failed(e))
        atlas_free(atlas);
    else
        *out = atlas;
    return e;
}

struct atlas *atlas_share(struct atlas *atlas)
{
    atomic_fetch_add(&atlas->shares, 1);
    return atlas;
}

void atlas_free(struct atlas *atlas)
{
    if (atlas == NULL || atomic_fetch_sub(&atlas->shares, 1) > 1)
        return;
    networks_free(atlas->networks);
    database_close(atlas->database);
    free(atlas);
}

void atlas_describe(const struct atlas *atlas, struct buf *out)
{
    if (atlas->networks != NULL)
        buf_printf(out, "%zu networks, %zu of them with coordinates", networks_count(atlas->networks),
                   networks_placed(atlas->networks));
    if (atlas->networks != NULL && atlas->database != NULL)
        buf_text(out, "; ");
    if (atlas->database != NULL)
        database_describe(atlas->database, out);
}

// ---- a loop's view
// -------------------------------------------------------------------------------------------------------------------

enum { ZONES_BYTES_MAX = 32 << 20 };

struct view {
    struct places places;
    struct atlas *atlas;
    // Every zone that was handed out, because a request may hold one while the files are read again. Grows
    // only by zones that are new; beyond its cap they are left out.
    struct map zones; // name -> struct slice of the same, in the arena
    struct arena names;
};

static struct slice keep_zone(struct view *view, struct slice zone)
{
    struct slice *kept = zone.len > 0 ? map_get(&view->zones, zone) : NULL;
    if (zone.len == 0 || kept != NULL)
        return kept != NULL ? *kept : (struct slice){0};
    kept = arena_take(&view->names, sizeof *kept);
    if (kept == NULL || failed(arena_copy(&view->names, zone, kept)) ||
        failed(map_put(&view->zones, zone, kept, NULL)))
        return (struct slice){0};
    return *kept;
}

// A line of the networks that only names a zone says nothing of where that is: then the database may.
static bool find(struct places *places, struct slice address, struct place *out)
{
    struct view *view = CONTAINER_OF(places, struct view, places);
    const struct atlas *atlas = view->atlas;
    struct ip ip;
    *out = (struct place){0};
    if (!ip_read(address, &ip))
        return false;
    const struct place *line = atlas->networks != NULL ? networks_find(atlas->networks, &ip) : NULL;
    struct place in_database = {0};
    if ((line == NULL || !line->known) && atlas->database != NULL)
        (void)database_find(atlas->database, &ip, &in_database);
    *out = line != NULL && line->known ? *line : in_database;
    if (line != NULL)
        out->zone = line->zone;
    out->zone = keep_zone(view, out->zone);
    out->by = line == NULL        ? "the database of cities"
              : in_database.known ? "the table of networks and the database of cities"
                                  : "the table of networks";
    if (!out->known && out->zone.len == 0)
        *out = (struct place){0};
    return out->known || out->zone.len > 0;
}

static void free_view(struct places *places)
{
    struct view *view = CONTAINER_OF(places, struct view, places);
    atlas_free(view->atlas);
    map_release(&view->zones);
    arena_release(&view->names);
    free(view);
}

static const struct places_methods methods = {find, free_view};

struct err places_new(struct atlas *atlas, uint64_t seed, struct places **out)
{
    struct view *view = calloc(1, sizeof *view);
    *out = NULL;
    if (view == NULL) {
        atlas_free(atlas);
        return FAIL(ERR_NO_MEMORY);
    }
    view->places.methods = &methods;
    view->atlas = atlas;
    view->names = arena_capped(ZONES_BYTES_MAX);
    map_init(&view->zones, seed);
    *out = &view->places;
    return OK;
}

void places_use(struct places *places, struct atlas *atlas)
{
    struct view *view = CONTAINER_OF(places, struct view, places);
    atlas_free(view->atlas);
    view->atlas = atlas;
}
