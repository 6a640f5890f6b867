// A store without a disk: for tests, demonstrations and simulation. Everything is gone when it is freed. It
// keeps the same promises as the others, durability apart.
#pragma once

#include "ports/store.h"

struct store_memory_options {
    size_t under_way_cap; // requests at once; one more is answered ERR_OVERLOADED. 0: 8192
};

// Starts the thread that owns the records. ERR_NO_MEMORY or ERR_SYSTEM with why. store_free stops it.
struct err store_memory_new(const struct store_memory_options *options, struct store **out, struct why *why);
