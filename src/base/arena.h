// The memory of one request: taken in steps, never given back one by one, released whole. Capped, so that no
// request takes more than its share; a failed allocation fails that request only.
#pragma once

#include "base/err.h"
#include "base/slice.h"

struct arena_block;
struct arena_cleanup;

struct arena {
    struct arena_block *blocks;
    size_t used; // bytes handed out so far, over all blocks
    size_t cap;
    struct arena_cleanup *cleanups;
    bool wipe; // secrets are kept in it: overwritten before it is given back
};

static inline struct arena arena_capped(size_t cap)
{
    return (struct arena){.cap = cap};
}

void arena_release(struct arena *a);
// Calls run(context) when the arena is released, the last one asked for first: for what the request uses and
// does not own. ERR_NO_MEMORY: it will not be called.
struct err arena_on_release(struct arena *a, void (*run)(void *context), void *context);
// Zeroed, aligned for anything; NULL when the cap is reached or memory is out.
void *arena_take(struct arena *a, size_t size);
// `count` zeroed elements of `size` bytes; NULL on overflow too.
void *arena_take_many(struct arena *a, size_t count, size_t size);
// A copy; the empty slice of an empty slice. *out is empty and the result ERR_NO_MEMORY when there is no
// room.
struct err arena_copy(struct arena *a, struct slice s, struct slice *out);
// A NUL-terminated copy, or NULL. A NUL inside s is kept as it is.
char *arena_cstr(struct arena *a, struct slice s);
// ASCII letters made small.
struct err arena_lower(struct arena *a, struct slice s, struct slice *out);
struct err arena_printf(struct arena *a, struct slice *out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
