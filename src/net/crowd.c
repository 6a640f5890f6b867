// How many connections an address has and makes (threats A1, B7), so that one peer cannot take the room and
// the time of all others. Addresses are counted by hash in a fixed number of corners: no memory for a peer to
// fill, and two addresses that share a corner share its generous limit.
#include "base/bucket.h"
#include "base/map.h"
#include "net/internal.h"

enum { SAVED_UP_S = 10 };

static bool too_fast(struct corner *corner, const struct loop *loop)
{
    if (loop->settings.new_per_address == 0)
        return false;
    int64_t each_us = 1000000 / (int64_t)loop->settings.new_per_address;
    return !bucket_take(&corner->full_until_us, loop_now_us(loop), each_us, SAVED_UP_S * (int64_t)1000000);
}

bool crowd_enter(struct conn *conn, struct why *why)
{
    struct loop *loop = conn->loop;
    struct slice origin = slice_of(conn->origin, conn->origin_len);
    if (origin.len == 0)
        return true;
    struct corner *corner = &loop->crowd[map_hash(loop->settings.seed, origin) % CORNERS];
    size_t most = loop->settings.max_per_address;
    if (most > 0 && corner->connections >= most) {
        (void)why_fail(why, ERR_OVERLOADED, "this address has %zu connections already", most);
        return false;
    }
    if (too_fast(corner, loop)) {
        (void)why_fail(why, ERR_OVERLOADED, "this address makes more than %zu connections a second",
                       loop->settings.new_per_address);
        return false;
    }
    corner->connections++;
    conn->corner = corner;
    return true;
}

void crowd_leave(struct conn *conn)
{
    if (conn->corner != NULL)
        conn->corner->connections--;
    conn->corner = NULL;
}
