// The life of a connection outside its bytes: slots and tickets, what protocols may ask for, the end.
#include <stdlib.h>

#include "net/internal.h"

static atomic_uint_fast64_t last_id;

bool slots_take(struct loop *loop, struct conn *conn)
{
    if (loop->free_slot == NO_SLOT) {
        uint32_t count = loop->slot_count == 0 ? 64 : loop->slot_count * 2;
        struct slot *slots = realloc(loop->slots, count * sizeof *slots);
        if (slots == NULL)
            return false;
        for (uint32_t i = loop->slot_count; i < count; i++)
            slots[i] = (struct slot){.generation = 1, .next_free = i + 1 < count ? i + 1 : NO_SLOT};
        loop->free_slot = loop->slot_count;
        loop->slots = slots;
        loop->slot_count = count;
    }
    conn->slot = loop->free_slot;
    loop->free_slot = loop->slots[conn->slot].next_free;
    loop->slots[conn->slot].conn = conn;
    return true;
}

void slots_forget_tickets(struct loop *loop, struct conn *conn)
{
    struct slot *slot = &loop->slots[conn->slot];
    if (++slot->generation == 0)
        slot->generation = 1;
}

void slots_give(struct loop *loop, struct conn *conn)
{
    struct slot *slot = &loop->slots[conn->slot];
    slots_forget_tickets(loop, conn);
    slot->conn = NULL;
    slot->next_free = loop->free_slot;
    loop->free_slot = conn->slot;
}

static void settle_arrived(struct mail *mail)
{
    struct conn *conn = CONTAINER_OF(mail, struct conn, settle);
    conn->settling = false;
    if (conn->state == CONN_DEAD)
        conn_free_when_done(conn);
    else
        pump_settle(conn);
}

// At the end of the loop: what connections posted to themselves is theirs to free, all other mail is
// forgotten.
void conn_drop_mail(struct loop *loop)
{
    for (struct mail *mail = mailbox_take(&loop->mailbox), *next; mail != NULL; mail = next) {
        next = mail->next;
        if (mail->deliver == settle_arrived)
            mail->deliver(mail);
    }
}

static void settle_soon(struct conn *conn)
{
    if (conn->inside || conn->settling || conn->state == CONN_DEAD)
        return;
    conn->settling = true;
    mailbox_post(&conn->loop->mailbox, &conn->settle);
}

static bool accept_stream(struct conn *conn, const struct listener *listener)
{
    uv_loop_t *uv = &conn->loop->uv;
    int result = conn->over_unix ? uv_pipe_init(uv, &conn->io.pipe, 0) : uv_tcp_init(uv, &conn->io.tcp);
    if (result != 0)
        return false;
    conn->open_handles++;
    conn->io.handle.data = conn;
    (void)uv_timer_init(uv, &conn->timer);
    conn->open_handles++;
    conn->timer.data = conn;
    return uv_accept((uv_stream_t *)&listener->io.stream, &conn->io.stream) == 0;
}

struct conn *conn_new(struct loop *loop, const struct listener *listener)
{
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    if (!slots_take(loop, conn)) {
        free(conn);
        return NULL;
    }
    if (++loop->connections > loop->most_connections)
        loop->most_connections = loop->connections;
    conn->loop = loop;
    conn->over_unix = listener->unix_path != NULL;
    loop->unix_connections += conn->over_unix;
    conn->settle.deliver = settle_arrived;
    conn->protocol = listener->settings.protocol;
    conn->context = listener->settings.context;
    conn->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    conn->output = buf_capped(CONN_OUTPUT_MAX);
    conn->rest = buf_capped(CONN_REST_MAX + PLAIN_MAX);
    if (!accept_stream(conn, listener) ||
        (listener->settings.tls != NULL &&
         failed(tls_session_new(listener->settings.tls, NULL, &conn->tls)))) {
        conn_kill(conn);
        return NULL;
    }
    struct ip peer;
    address_of_peer(conn, &peer);
    for (size_t i = 0; i < listener->settings.proxy_count && !conn->over_unix && !conn->proxied; i++)
        conn->proxied = ip_network_holds(&listener->settings.proxies[i], &peer);
    return conn;
}

void conn_free_when_done(struct conn *conn)
{
    if (conn->open_handles > 0 || conn->settling)
        return;
    crowd_leave(conn);
    tls_session_free(conn->tls);
    chain_release(conn->chain);
    websocket_free(conn->websocket);
    websocket_free(conn->becoming.websocket);
    buf_release(&conn->output);
    buf_release(&conn->rest);
    conn->loop->unix_connections -= conn->over_unix;
    loop_connection_gone(conn->loop);
    free(conn);
}

static void handle_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    conn->open_handles--;
    conn_free_when_done(conn);
}

// Ends it now. Not with a protocol's call into conn.h on the stack.
void conn_kill(struct conn *conn)
{
    if (conn->state == CONN_DEAD)
        return;
    INVARIANT(!conn->inside);
    conn->state = CONN_DEAD;
    slots_give(conn->loop, conn);
    if (conn->session != NULL)
        conn->protocol->closed(conn->session);
    conn->session = NULL;
    unsigned handles = conn->open_handles;
    if (handles > 0)
        uv_close(&conn->io.handle, handle_closed);
    if (handles > 1)
        uv_close((uv_handle_t *)&conn->timer, handle_closed);
    if (handles == 0)
        conn_free_when_done(conn);
}

struct buf *conn_output(struct conn *conn)
{
    return &conn->output;
}

void conn_make_room(struct conn *conn, size_t bytes)
{
    // not beside what waits already: a peer that asks on and on and never reads would have room for all of it
    size_t wanted = CONN_OUTPUT_MAX + bytes;
    if (wanted > conn->output.cap)
        conn->output.cap = wanted;
}

void conn_flush(struct conn *conn)
{
    settle_soon(conn);
}

static void timer_fired(uv_timer_t *timer)
{
    struct conn *conn = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    if (conn->due_ms > now_ms)
        (void)uv_timer_start(timer, timer_fired, conn->due_ms - now_ms, 0);
    else if (conn->due_ms != 0)
        pump_overdue(conn);
}

// What is waited for changes with most of what a peer sends, and hardly ever takes its time. So the timer
// moves only to fire sooner; put off, or for nothing any more, it fires once in vain.
void conn_wait(struct conn *conn, int64_t ms)
{
    uv_timer_t *timer = &conn->timer;
    conn->due_ms = ms > 0 ? uv_now(timer->loop) + (uint64_t)ms : 0;
    bool soon = uv_is_active((uv_handle_t *)timer) && uv_timer_get_due_in(timer) <= (uint64_t)ms;
    if (ms > 0 && !soon)
        (void)uv_timer_start(timer, timer_fired, (uint64_t)ms, 0);
}

void conn_deadline(struct conn *conn, int64_t ms, const char *phase)
{
    if (conn->state != CONN_OPEN || conn->closing)
        return;
    conn->phase = phase;
    conn->phase_ms = ms;
    conn_wait(conn, ms);
}

void conn_close_after_flush(struct conn *conn)
{
    conn->closing = true;
    settle_soon(conn);
}

void conn_abort(struct conn *conn)
{
    conn->aborted = true;
    settle_soon(conn);
}

void conn_pause(struct conn *conn)
{
    conn->paused = true;
}

void conn_resume(struct conn *conn)
{
    conn->paused = false;
    conn->again = true;
    settle_soon(conn);
}

void conn_become(struct conn *conn, const struct protocol *protocol, void *context,
                 struct websocket *websocket)
{
    INVARIANT(conn->inside && conn->websocket == NULL && conn->becoming.protocol == NULL);
    conn->becoming = (struct becoming){protocol, context, websocket};
}

struct ticket conn_ticket(const struct conn *conn)
{
    if (conn->state == CONN_DEAD) // its slot may be somebody else's by now
        return (struct ticket){NO_SLOT, 0};
    return (struct ticket){conn->slot, conn->loop->slots[conn->slot].generation};
}

struct conn *conn_by_ticket(struct loop *loop, struct ticket ticket)
{
    if (ticket.slot >= loop->slot_count || loop->slots[ticket.slot].generation != ticket.generation)
        return NULL;
    struct conn *conn = loop->slots[ticket.slot].conn;
    return conn != NULL && conn->state == CONN_OPEN && !conn->closing && !conn->aborted ? conn : NULL;
}

void *conn_session(const struct conn *conn)
{
    return conn->session;
}

uint64_t conn_id(const struct conn *conn)
{
    return conn->id;
}

struct slice conn_peer(const struct conn *conn)
{
    return slice_text(conn->peer);
}

struct tls_session *conn_tls(const struct conn *conn)
{
    return conn->tls;
}

struct chain *conn_chain(struct conn *conn)
{
    if (conn->chain == NULL && conn->tls != NULL && failed(tls_take_chain(conn->tls, &conn->chain)))
        conn->chain = NULL;
    return conn->chain;
}

bool conn_peer_uid(const struct conn *conn, uint32_t *uid)
{
    *uid = conn->uid;
    return conn->over_unix && conn->uid != UINT32_MAX;
}

struct loop *conn_loop(const struct conn *conn)
{
    return conn->loop;
}

void conn_log_noise(struct conn *conn, const char *event, struct err e, const struct why *why)
{
    if (!loop_may_log(conn->loop))
        return;
    struct log_line line;
    log_begin(&line, conn->loop->settings.log, ERR_LEVEL_INFO, event);
    log_number(&line, LOG_connection, (int64_t)conn->id);
    log_text(&line, LOG_peer, conn_peer(conn));
    log_text(&line, LOG_protocol, slice_text(conn->protocol->name));
    log_failure(&line, e, why);
    log_end(&line);
}
