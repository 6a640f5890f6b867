// Small databases of cities, written from MaxMind's specification (maxmind.github.io/MaxMind-DB,
// version 2.0). For tests only.
#pragma once

#include "base/buf.h"

struct city {
    const char *network; // of IPv6, or of IPv4
    double latitude;
    double longitude;
    const char *country; // NULL: none
    bool single;         // coordinates as float, as DB-IP writes them; else double, as MaxMind does
    bool nowhere;        // no location
};

struct city_file {
    const struct city *cities;
    size_t count;
    const char *type;
    uint64_t built_s; // 0: some day
    bool only_v4;     // a tree of IPv4
};

// Appends the file. Must succeed.
void city_write(const struct city_file *file, struct buf *out);
// Writes the bytes to a new file in the scratch folder of this test; its path lives until the next call.
const char *city_save(struct slice bytes);
