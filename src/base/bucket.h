// A leaky bucket in one number, the time at which it will have run empty: so many things a second, and some
// more at once after a quiet time. Not a clock: the time comes in.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Puts one thing into the bucket *until. each_us: what one takes to leak away; room_us: how much the bucket
// holds, in the same measure. False when it is full; then it stays as it was. A clock that was set back
// empties it.
static inline bool bucket_take(int64_t *until, int64_t now_us, int64_t each_us, int64_t room_us)
{
    bool empty = *until < now_us || *until > now_us + room_us;
    int64_t next = (empty ? now_us : *until) + each_us;
    if (next > now_us + room_us)
        return false;
    *until = next;
    return true;
}
