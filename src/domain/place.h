// Where on Earth a hub or a device is, for geoLatency (service-api D.2).
#pragma once

#include "base/arena.h"

enum { PLACE_TEXT_MAX = 100 };

struct place {
    bool known;      // there are coordinates
    double latitude; // degrees, north and east positive
    double longitude;
    struct slice zone; // of a device: what a table of latencies calls it; or empty
    const char *by;    // of a device: how it was found, for the trace; static text
};

// A region's name (regions.c) without case and spaces, or "latitude,longitude" in degrees. ERR_INVALID says
// what may stand there.
struct err place_read(struct slice text, struct place *out, struct why *why);
// Great-circle distance in kilometres; both are known.
double place_distance_km(const struct place *a, const struct place *b);
