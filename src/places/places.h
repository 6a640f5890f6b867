// The atlas that all loops share, and a loop's view of it behind ports/places.h.
#pragma once

#include "base/buf.h"
#include "ports/places.h"

// What the files said when they were read. Never changed, so any thread may ask.
struct atlas;

struct atlas_settings {
    const char *networks; // path; "" or NULL: none
    const char *database; // path; "" or NULL: none
};

// Reads both whole, which takes a second for a large database: not on a loop. The database stays mapped.
// ERR_CONFIG with why, which names the file, and the line of the networks.
struct err atlas_read(const struct atlas_settings *settings, struct atlas **out, struct why *why);
struct atlas *atlas_share(struct atlas *atlas);
// Gives a share back; NULL is fine.
void atlas_free(struct atlas *atlas);
// What was read, for the log: "3 networks, 2 of them with coordinates; GeoLite2-City of 2024-05-21".
void atlas_describe(const struct atlas *atlas, struct buf *out);

// Takes the share over. seed: random. The zones that it hands out live until places_free, whatever atlas
// they came from.
struct err places_new(struct atlas *atlas, uint64_t seed, struct places **out);
// From now on; takes the share over. On the loop that owns it.
void places_use(struct places *places, struct atlas *atlas);
