// poll(2) with an absolute deadline.
#include "client/wait.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

int64_t wait_now_us(void)
{
    struct timespec now;
    INVARIANT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t wait_wall_s(void)
{
    struct timespec now;
    INVARIANT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec;
}

struct err wait_for(int descriptor, short events, int64_t deadline_us, struct why *why)
{
    for (;;) {
        int64_t left_us = deadline_us - wait_now_us();
        if (left_us <= 0)
            return why_fail(why, ERR_TIMEOUT, "no answer in time");
        int64_t left_ms = left_us / 1000 + 1;
        struct pollfd wanted = {.fd = descriptor, .events = events};
        int ready = poll(&wanted, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (ready > 0)
            return OK;
        if (ready < 0 && errno != EINTR)
            return why_fail(why, ERR_SYSTEM, "cannot wait for an answer: %s", strerror(errno));
    }
}

void wait_until(int64_t until_us)
{
    for (int64_t left_us; (left_us = until_us - wait_now_us()) > 0;)
        (void)poll(NULL, 0, left_us > 60000000 ? 60000 : (int)(left_us / 1000 + 1));
}
