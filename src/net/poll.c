// The poller port on this loop: timers and descriptors for modules below net/ that must wait.
#include <stdlib.h>

#include "net/internal.h"

struct inner_timer {
    uv_timer_t handle;
    struct poll_timer *timer;
};

struct inner_watch {
    uv_poll_t handle;
    struct poll_watch *watch;
    int fd;
};

static struct loop *loop_of(struct poller *poller)
{
    return CONTAINER_OF(poller, struct loop, poller);
}

static void free_inner(uv_handle_t *handle)
{
    free(handle->data);
}

static void fired(uv_timer_t *handle)
{
    struct inner_timer *inner = handle->data;
    inner->timer->fire(inner->timer);
}

static struct err timer_start(struct poller *poller, struct poll_timer *timer, int64_t ms)
{
    struct inner_timer *inner = timer->inner;
    if (inner == NULL) {
        inner = calloc(1, sizeof *inner);
        if (inner == NULL)
            return FAIL(ERR_NO_MEMORY);
        (void)uv_timer_init(&loop_of(poller)->uv, &inner->handle);
        inner->handle.data = inner;
        inner->timer = timer;
        timer->inner = inner;
    }
    (void)uv_timer_start(&inner->handle, fired, ms > 0 ? (uint64_t)ms : 0, 0);
    return OK;
}

static void timer_release(struct poller *poller, struct poll_timer *timer)
{
    (void)poller;
    struct inner_timer *inner = timer->inner;
    timer->inner = NULL;
    if (inner != NULL)
        uv_close((uv_handle_t *)&inner->handle, free_inner);
}

static void ready(uv_poll_t *handle, int status, int events)
{
    struct inner_watch *inner = handle->data;
    unsigned which = (events & UV_READABLE ? POLL_READ : 0) | (events & UV_WRITABLE ? POLL_WRITE : 0);
    inner->watch->ready(inner->watch, inner->fd, status != 0 ? POLL_READ | POLL_WRITE : which);
}

static void unwatch(struct poller *poller, struct poll_watch *watch)
{
    (void)poller;
    struct inner_watch *inner = watch->inner;
    watch->inner = NULL;
    if (inner != NULL)
        uv_close((uv_handle_t *)&inner->handle, free_inner);
}

static struct err begin_watch(struct loop *loop, struct poll_watch *watch, int fd)
{
    struct inner_watch *inner = calloc(1, sizeof *inner);
    if (inner == NULL)
        return FAIL(ERR_NO_MEMORY);
    if (uv_poll_init(&loop->uv, &inner->handle, fd) != 0) {
        free(inner);
        return FAIL(ERR_SYSTEM);
    }
    inner->handle.data = inner;
    inner->watch = watch;
    inner->fd = fd;
    watch->inner = inner;
    return OK;
}

static struct err watch_events(struct poller *poller, struct poll_watch *watch, int fd, unsigned events)
{
    struct inner_watch *inner = watch->inner;
    if (inner != NULL && inner->fd != fd)
        unwatch(poller, watch);
    if (watch->inner == NULL)
        TRY(begin_watch(loop_of(poller), watch, fd));
    inner = watch->inner;
    int wanted = (events & POLL_READ ? UV_READABLE : 0) | (events & POLL_WRITE ? UV_WRITABLE : 0);
    int result = wanted != 0 ? uv_poll_start(&inner->handle, wanted, ready) : uv_poll_stop(&inner->handle);
    return result == 0 ? OK : FAIL(ERR_SYSTEM);
}

const struct poller_methods loop_poller_methods = {
    .timer_start = timer_start,
    .timer_release = timer_release,
    .watch = watch_events,
    .unwatch = unwatch,
};
