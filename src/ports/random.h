// The port to randomness, fit for keys. Filling never fails: an implementation that cannot fill ends the
// process.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct random {
    void (*fill)(struct random *random, void *at, size_t len);
};

static inline void random_fill_from(struct random *random, void *at, size_t len)
{
    random->fill(random, at, len);
}

// Never 0.
static inline uint64_t random_etag(struct random *random)
{
    uint64_t etag = 0;
    while (etag == 0)
        random->fill(random, &etag, sizeof etag);
    return etag;
}
