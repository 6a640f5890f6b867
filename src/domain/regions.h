// The names of cloud regions, so that a hub can be placed by one. Inside the domain only.
#pragma once

#include <stddef.h>

struct region {
    const char *name; // small letters, no spaces
    double latitude;
    double longitude;
};

extern const struct region regions[]; // in the order of their names
extern const size_t region_count;
