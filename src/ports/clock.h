// The port to time. Deadlines use the monotonic clock, tokens and records the wall clock.
#pragma once

#include <stdint.h>

struct clock {
    int64_t (*wall_us)(const struct clock *clock);      // since 1970-01-01T00:00:00Z
    int64_t (*monotonic_us)(const struct clock *clock); // since any fixed point
};

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock);
}

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock);
}
