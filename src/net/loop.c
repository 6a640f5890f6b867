// Turns of the loop: mail before and after the poll, noise, and the way to the end.
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>

#include "net/internal.h"

// The loop that runs on this thread. Lets a post from the same thread do without a wake-up.
static _Thread_local struct loop *running;

static void wake(void *context)
{
    struct loop *loop = context;
    if (running != loop)
        (void)uv_async_send(&loop->woken);
}

static void no_waiting(uv_idle_t *handle)
{
    (void)handle; // an active idle handle is all that it takes
}

// Delivers mail, and what that mail posts, for some rounds; what is left then makes the next poll return at
// once.
static void deliver_mail(struct loop *loop)
{
    for (int round = 0; round < MAIL_ROUNDS_MAX; round++) {
        if (mailbox_deliver(&loop->mailbox) == 0) {
            (void)uv_idle_stop(&loop->hurry);
            return;
        }
    }
    (void)uv_idle_start(&loop->hurry, no_waiting);
}

static void before_poll(uv_prepare_t *handle)
{
    deliver_mail(handle->data);
}

static void after_poll(uv_check_t *handle)
{
    deliver_mail(handle->data);
}

static void end_when_empty(struct loop *loop)
{
    if (loop->stopping && loop->connections == 0)
        uv_stop(&loop->uv);
}

// After a crowd the heap is full of holes, which malloc keeps: once most of a crowd has gone, the kernel gets
// them.
static void crowd_gone(struct loop *loop)
{
    enum { CROWD = 512, MOST_OF_IT = 8 };
    if (loop->most_connections < CROWD || loop->connections > loop->most_connections / MOST_OF_IT)
        return;
    loop->most_connections = loop->connections;
    (void)malloc_trim(0);
}

void loop_connection_gone(struct loop *loop)
{
    loop->connections--;
    crowd_gone(loop);
    end_when_empty(loop);
}

static void each_connection(struct loop *loop, void (*visit)(struct conn *conn))
{
    for (uint32_t i = 0; i < loop->slot_count; i++)
        if (loop->slots[i].conn != NULL)
            visit(loop->slots[i].conn);
}

static void grace_is_over(uv_timer_t *timer)
{
    each_connection(timer->data, conn_kill);
}

static void begin_stop(struct loop *loop, int64_t grace_ms)
{
    if (!loop->stopping) {
        loop->stopping = true;
        LIST_EACH (at, &loop->listeners)
            listener_close(CONTAINER_OF(at, struct listener, in_loop));
        each_connection(loop, pump_stop);
    }
    if (grace_ms <= 0)
        each_connection(loop, conn_kill);
    else
        (void)uv_timer_start(&loop->grace, grace_is_over, (uint64_t)grace_ms, 0);
    end_when_empty(loop);
}

static void woken(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    int64_t grace_ms = atomic_exchange(&loop->stop_ms, -1);
    if (grace_ms >= 0)
        begin_stop(loop, grace_ms);
}

static void apply_defaults(struct loop_settings *settings)
{
    if (settings->max_connections == 0)
        settings->max_connections = MAX_CONNECTIONS;
    if (settings->handshake_ms == 0)
        settings->handshake_ms = HANDSHAKE_MS;
    if (settings->closing_ms == 0)
        settings->closing_ms = CLOSING_MS;
    if (settings->noise_per_second == 0)
        settings->noise_per_second = NOISE_PER_SECOND;
}

static int start_handles(struct loop *loop)
{
    int result = uv_async_init(&loop->uv, &loop->woken, woken);
    if (result != 0)
        return result;
    (void)uv_prepare_init(&loop->uv, &loop->before_poll);
    (void)uv_check_init(&loop->uv, &loop->after_poll);
    (void)uv_idle_init(&loop->uv, &loop->hurry);
    (void)uv_timer_init(&loop->uv, &loop->grace);
    (void)uv_timer_init(&loop->uv, &loop->noise_timer);
    loop->woken.data = loop;
    loop->before_poll.data = loop;
    loop->after_poll.data = loop;
    loop->grace.data = loop;
    loop->noise_timer.data = loop;
    (void)uv_prepare_start(&loop->before_poll, before_poll);
    (void)uv_check_start(&loop->after_poll, after_poll);
    return 0;
}

struct err loop_new(const struct loop_settings *settings, struct loop **out, struct why *why)
{
    *out = NULL;
    struct loop *loop = calloc(1, sizeof *loop);
    char *read_room = malloc(READ_MAX);
    int result = loop != NULL && read_room != NULL ? uv_loop_init(&loop->uv) : UV_ENOMEM;
    if (result == 0 && (result = start_handles(loop)) != 0)
        (void)uv_loop_close(&loop->uv);
    if (result != 0) {
        free(loop);
        free(read_room);
        return why_fail(why, ERR_SYSTEM, "the event loop cannot be made: %s", uv_strerror(result));
    }
    mailbox_init(&loop->mailbox, wake, loop);
    loop->settings = *settings;
    apply_defaults(&loop->settings);
    loop->poller.methods = &loop_poller_methods;
    loop->free_slot = NO_SLOT;
    loop->plain = buf_capped(PLAIN_MAX);
    loop->payload = buf_capped(CONN_REST_MAX + PLAIN_MAX);
    loop->read_room = read_room;
    atomic_init(&loop->stop_ms, -1);
    list_init(&loop->listeners);
    *out = loop;
    return OK;
}

static void tell_left_out(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    struct log_line line;
    log_begin(&line, loop->settings.log, ERR_LEVEL_WARN, "log.suppressed");
    log_number(&line, LOG_count, (int64_t)loop->noise_left_out);
    log_end(&line);
    loop->noise_left_out = 0;
}

static void close_handles(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->woken, NULL);
    uv_close((uv_handle_t *)&loop->before_poll, NULL);
    uv_close((uv_handle_t *)&loop->after_poll, NULL);
    uv_close((uv_handle_t *)&loop->hurry, NULL);
    uv_close((uv_handle_t *)&loop->grace, NULL);
    uv_close((uv_handle_t *)&loop->noise_timer, NULL);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    running = loop; // what connections post while they end is delivered below
    LIST_EACH (at, &loop->listeners)
        listener_close(CONTAINER_OF(at, struct listener, in_loop));
    each_connection(loop, conn_kill);
    close_handles(loop);
    for (int round = 0; round < MAIL_ROUNDS_MAX && uv_loop_alive(&loop->uv); round++)
        (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    conn_drop_mail(loop);
    running = NULL;
    if (loop->noise_left_out > 0)
        tell_left_out(&loop->noise_timer);
    INVARIANT(uv_loop_close(&loop->uv) == 0); // else a timer or watch of the poller was not released
    mailbox_release(&loop->mailbox);
    buf_release(&loop->plain);
    buf_release(&loop->payload);
    free(loop->read_room);
    free(loop->slots);
    free(loop);
}

void loop_run(struct loop *loop)
{
    // libuv writes without MSG_NOSIGNAL: a peer that is gone must give EPIPE, not end the process
    sigset_t broken_pipe;
    (void)sigemptyset(&broken_pipe);
    (void)sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    running = loop;
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    running = NULL;
}

void loop_stop(struct loop *loop, int64_t grace_ms)
{
    atomic_store(&loop->stop_ms, grace_ms > 0 ? grace_ms : 0);
    (void)uv_async_send(&loop->woken);
}

struct mailbox *loop_mailbox(struct loop *loop)
{
    return &loop->mailbox;
}

struct poller *loop_poller(struct loop *loop)
{
    return &loop->poller;
}

int64_t loop_now_us(const struct loop *loop)
{
    return (int64_t)uv_now(&loop->uv) * 1000;
}

size_t loop_connections(const struct loop *loop)
{
    return loop->connections;
}

bool loop_may_log(struct loop *loop)
{
    int64_t now_us = loop_now_us(loop);
    if (loop->noise_said == 0 || now_us - loop->noise_from_us >= 1000000) {
        loop->noise_from_us = now_us;
        loop->noise_said = 0;
    }
    if (loop->noise_said < loop->settings.noise_per_second) {
        loop->noise_said++;
        return true;
    }
    if (loop->noise_left_out++ == 0)
        (void)uv_timer_start(&loop->noise_timer, tell_left_out, 1000, 0);
    return false;
}
