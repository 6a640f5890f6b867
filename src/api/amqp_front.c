// Connections to engines and back.
#include "api/amqp_front.h"

#include <stdlib.h>

#include "net/conn.h"
#include "net/loop.h"
#include "ports/poller.h"

enum {
    GREETING_MS = 5000,    // until SASL is over, or an open without it has come (threats A2)
    CHALLENGED_MS = 30000, // the same for a peer that was sent a challenge
    DECIDE_MS = 30000,
    LINKS_MS = 10000,   // then, until there is a link
    MESSAGE_MS = 30000, // and then, from the first byte of a message to its last
    IDLE_MS = 240000,   // told to the peer, which sends something as often
    SILENT_MS = IDLE_MS + IDLE_MS / 2,
};

static const struct amqp_settings engine = {
    .mechanisms =
        "PLAIN TPM EXTERNAL ANONYMOUS", // a client takes the first one it knows (device-protocol 4.1)
    .container = "usher",
    .idle_ms = IDLE_MS,
};

struct amqp_front {
    struct amqp_front_settings settings;
    struct amqp_door door;
};

struct amqp_connection {
    struct amqp_front *front;
    struct conn *conn;
    struct amqp_peer *peer;
    void *session;
    bool sasl;       // it has begun, and has no outcome yet
    bool challenged; // in it
    bool opened;     // our open is out
    bool deciding;
    bool busy; // events are being taken
    bool ended;
    int64_t phase_ends_us; // monotonic; 0: it may be idle
    const char *phase;
    int64_t message_ends_us; // monotonic; 0: none has begun
    int64_t expires_us;      // 0: never
    const char *awaited;
    struct poll_timer tick;
};

static int64_t now_us(const struct amqp_connection *c)
{
    return clock_monotonic_us(c->front->settings.clock);
}

// ---- deadlines
// -----------------------------------------------------------------------------------------------------------------

static void arm(struct amqp_connection *c)
{
    int64_t now = now_us(c);
    int64_t at_us = c->phase_ends_us != 0 ? c->phase_ends_us : now + SILENT_MS * INT64_C(1000);
    const char *phase = c->phase_ends_us != 0 ? c->phase : "a frame within the idle time";
    if (!amqp_is_amid(c->peer))
        c->message_ends_us = 0;
    else if (c->message_ends_us == 0)
        c->message_ends_us = now + MESSAGE_MS * INT64_C(1000);
    if (c->message_ends_us != 0 && c->message_ends_us < at_us) {
        at_us = c->message_ends_us;
        phase = "the rest of a message";
    }
    if (c->expires_us != 0 && c->expires_us < at_us) {
        at_us = c->expires_us;
        phase = c->awaited;
    }
    if (c->deciding) {
        at_us = now + DECIDE_MS * INT64_C(1000);
        phase = "a decision about the device";
    }
    int64_t ms = (at_us - now) / 1000 + 1;
    conn_deadline(c->conn, ms > 0 ? ms : 1, phase);
}

static void enter(struct amqp_connection *c, int64_t ms, const char *phase)
{
    c->phase_ends_us = now_us(c) + ms * 1000;
    c->phase = phase;
    arm(c);
}

// ---- the end
// -----------------------------------------------------------------------------------------------------------------

static void end(struct amqp_connection *c)
{
    if (c->ended)
        return;
    c->ended = true;
    amqp_output(c->peer, conn_output(c->conn));
    conn_flush(c->conn);
    conn_close_after_flush(c->conn);
}

static void log_connection(struct amqp_connection *c, const char *event, struct slice registration_id,
                           struct err e, const struct why *why)
{
    struct log_line line;
    if (!loop_may_log(c->front->settings.loop))
        return;
    log_begin(&line, c->front->settings.log, err_info(e)->level, event);
    log_text(&line, LOG_registrationId, registration_id);
    log_text(&line, LOG_protocol, SLICE("amqp"));
    log_number(&line, LOG_connection, (int64_t)conn_id(c->conn));
    log_text(&line, LOG_peer, conn_peer(c->conn));
    log_failure(&line, e, why);
    log_end(&line);
}

void amqp_connection_log_refusal(struct amqp_connection *c, struct slice registration_id, struct err e,
                                 const struct why *why)
{
    log_connection(c, "device.refused", registration_id, e, why);
}

void amqp_connection_refuse_quietly(struct amqp_connection *c, struct err e)
{
    if (c->ended)
        return;
    if (c->sasl)
        amqp_sasl_end(c->peer, false);
    else
        amqp_close(c->peer, slice_text(err_info(e)->amqp), slice_text(err_info(e)->sentence));
    end(c);
}

void amqp_connection_refuse(struct amqp_connection *c, struct err e, const struct why *why)
{
    if (!c->ended)
        log_connection(c, "connect.refused", (struct slice){0}, e, why);
    amqp_connection_refuse_quietly(c, e);
}

void amqp_connection_close(struct amqp_connection *c, struct err e, const struct why *why)
{
    if (c->ended)
        return;
    if (failed(e))
        log_connection(c, "connection.closed", (struct slice){0}, e, why);
    amqp_close(c->peer, slice_text(err_info(e)->amqp),
               failed(e) ? slice_text(err_info(e)->sentence) : (struct slice){0});
    end(c);
}

// ---- bytes and events
// --------------------------------------------------------------------------------------------------------

static void event_arrived(struct amqp_connection *c, const struct amqp_event *event)
{
    switch (event->kind) {
    case AMQP_CLOSED:
        end(c);
        return;
    case AMQP_BROKEN:
        log_connection(c, "request.unreadable", (struct slice){0}, FAIL(ERR_PROTOCOL), amqp_why(c->peer));
        end(c);
        return;
    case AMQP_SASL_INIT:
        c->sasl = true;
        break;
    default:
        break;
    }
    c->front->door.event(c->session, event);
}

static void take_events(struct amqp_connection *c)
{
    struct amqp_event event;
    if (c->busy)
        return;
    c->busy = true;
    while (!c->ended && !c->deciding && amqp_next(c->peer, &event))
        event_arrived(c, &event);
    c->busy = false;
    if (c->ended)
        return;
    amqp_output(c->peer, conn_output(c->conn));
    if (amqp_is_over(c->peer))
        end(c);
}

static void receive(void *session, struct slice *bytes)
{
    struct amqp_connection *c = session;
    size_t left = 0;
    while (!c->ended && !c->deciding && bytes->len != left) {
        left = bytes->len;
        amqp_feed(c->peer, bytes);
        take_events(c);
    }
    if (c->ended)
        *bytes = (struct slice){0};
    else
        arm(c);
}

void amqp_connection_flush(struct amqp_connection *c)
{
    if (c->ended)
        return;
    take_events(c);
    if (!c->ended)
        conn_flush(c->conn);
}

void amqp_connection_decide(struct amqp_connection *c)
{
    if (c->ended)
        return;
    c->deciding = true;
    conn_pause(c->conn);
    arm(c);
}

void amqp_connection_go_on(struct amqp_connection *c)
{
    if (c->ended || !c->deciding)
        return;
    c->deciding = false;
    arm(c);
    conn_resume(c->conn);
    amqp_connection_flush(c);
}

// Heartbeats, and a peer that says nothing any more.
static void tick(struct amqp_connection *c)
{
    int64_t now_ms = now_us(c) / 1000;
    int64_t at_ms = amqp_tick(c->peer, now_ms);
    if (at_ms <= 0)
        return;
    int64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 1;
    if (failed(poller_timer_start(loop_poller(c->front->settings.loop), &c->tick, left_ms)))
        amqp_connection_close(c, FAIL(ERR_NO_MEMORY), NULL);
}

static void tick_due(struct poll_timer *timer)
{
    struct amqp_connection *c = timer->context;
    if (c->ended)
        return;
    tick(c);
    amqp_connection_flush(c);
}

// ---- what the door may do
// ----------------------------------------------------------------------------------------------------------

struct link_ticket amqp_connection_ticket(const struct amqp_connection *c)
{
    struct ticket ticket = conn_ticket(c->conn);
    return (struct link_ticket){ticket.slot, ticket.generation};
}

struct amqp_connection *amqp_connection_of(struct amqp_front *front, struct link_ticket ticket)
{
    struct conn *conn = conn_by_ticket(front->settings.loop, (struct ticket){ticket.slot, ticket.generation});
    struct amqp_connection *c = conn != NULL ? conn_session(conn) : NULL;
    return c != NULL && !c->ended ? c : NULL;
}

void *amqp_connection_session(const struct amqp_connection *c)
{
    return c->session;
}

void amqp_connection_challenge(struct amqp_connection *c, struct slice bytes)
{
    if (c->ended || !c->sasl)
        return;
    if (!c->challenged)
        enter(c, CHALLENGED_MS, "answers to the challenges");
    c->challenged = true;
    amqp_sasl_challenge(c->peer, bytes);
}

void amqp_connection_admit(struct amqp_connection *c)
{
    if (c->ended || !c->sasl)
        return;
    c->sasl = false;
    amqp_sasl_end(c->peer, true);
    enter(c, LINKS_MS, "an open and a link");
}

void amqp_connection_open(struct amqp_connection *c)
{
    if (c->ended)
        return;
    c->opened = true;
    amqp_open(c->peer);
    enter(c, LINKS_MS, "a link");
    tick(c);
}

void amqp_connection_ready(struct amqp_connection *c)
{
    c->phase_ends_us = 0;
    if (!c->ended)
        arm(c);
}

void amqp_connection_limit(struct amqp_connection *c, size_t max_message)
{
    amqp_limit(c->peer, max_message);
}

void amqp_connection_expires(struct amqp_connection *c, int64_t at_us, const char *awaited)
{
    c->expires_us = at_us;
    c->awaited = awaited;
    if (!c->ended)
        arm(c);
}

struct chain *amqp_connection_chain(struct amqp_connection *c)
{
    return conn_chain(c->conn);
}

uint64_t amqp_connection_id(const struct amqp_connection *c)
{
    return conn_id(c->conn);
}

struct slice amqp_connection_peer(const struct amqp_connection *c)
{
    return conn_peer(c->conn);
}

// ---- the protocol of a listener
// ----------------------------------------------------------------------------------------------------

static void *opened(void *context, struct conn *conn)
{
    struct amqp_connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->front = context;
    c->conn = conn;
    c->tick.fire = tick_due;
    c->tick.context = c;
    if (!failed(amqp_peer_new(&engine, &c->peer)))
        c->session = c->front->door.open(c->front->door.context, c);
    if (c->session == NULL) {
        amqp_peer_free(c->peer);
        free(c);
        return NULL;
    }
    enter(c, GREETING_MS, "an AMQP header, and SASL or an open");
    return c;
}

static void stopping(void *session)
{
    struct amqp_connection *c = session;
    if (c->opened && !c->ended)
        amqp_close(c->peer, SLICE("amqp:connection:forced"),
                   slice_text(err_info(FAIL(ERR_STOPPING))->sentence));
    end(c);
}

static void closed(void *session)
{
    struct amqp_connection *c = session;
    c->ended = true;
    c->front->door.closed(c->session);
    poller_timer_release(loop_poller(c->front->settings.loop), &c->tick);
    amqp_peer_free(c->peer);
    free(c);
}

const struct protocol amqp_protocol = {
    .name = "amqp", .open = opened, .receive = receive, .stopping = stopping, .closed = closed};

struct err amqp_front_new(const struct amqp_front_settings *settings, struct amqp_front **out)
{
    struct amqp_front *front = calloc(1, sizeof *front);
    *out = front;
    if (front == NULL)
        return FAIL(ERR_NO_MEMORY);
    front->settings = *settings;
    return OK;
}

void amqp_front_free(struct amqp_front *front)
{
    free(front);
}

void amqp_front_serve(struct amqp_front *front, const struct amqp_door *door)
{
    front->door = *door;
}
