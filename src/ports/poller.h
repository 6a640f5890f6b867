// The port to a loop's timers and file descriptors, for code below net/ that must wait: the flow's retries, a
// hub connector's sockets. Everything on the loop's thread; callbacks never come from within the call that
// starts them.
#pragma once

#include "base/err.h"

struct poller;

// One-shot. Zeroed storage of the caller's with fire and context set; lives until poller_timer_release.
struct poll_timer {
    void (*fire)(struct poll_timer *timer);
    void *context;
    void *inner; // the poller's
};

enum { POLL_READ = 1, POLL_WRITE = 2 };

// Zeroed storage of the caller's with ready and context set; lives until poller_unwatch.
struct poll_watch {
    void (*ready)(struct poll_watch *watch, int fd,
                  unsigned events); // events: POLL_READ | POLL_WRITE; both on an error
    void *context;
    void *inner; // the poller's
};

struct poller_methods {
    // Fires once after ms, 0 meaning soon; starting again replaces the earlier time. ERR_NO_MEMORY.
    struct err (*timer_start)(struct poller *poller, struct poll_timer *timer, int64_t ms);
    // Stops it and gives back what it held; safe on one never started.
    void (*timer_release)(struct poller *poller, struct poll_timer *timer);
    // Level-triggered; calling again changes the events. The descriptor stays the caller's.
    struct err (*watch)(struct poller *poller, struct poll_watch *watch, int fd, unsigned events);
    void (*unwatch)(struct poller *poller, struct poll_watch *watch);
};

struct poller {
    const struct poller_methods *methods;
};

static inline struct err poller_timer_start(struct poller *poller, struct poll_timer *timer, int64_t ms)
{
    return poller->methods->timer_start(poller, timer, ms);
}

static inline void poller_timer_release(struct poller *poller, struct poll_timer *timer)
{
    poller->methods->timer_release(poller, timer);
}

static inline struct err poller_watch(struct poller *poller, struct poll_watch *watch, int fd,
                                      unsigned events)
{
    return poller->methods->watch(poller, watch, fd, events);
}

static inline void poller_unwatch(struct poller *poller, struct poll_watch *watch)
{
    poller->methods->unwatch(poller, watch);
}
