// One connection: its life, and what goes to and comes from proton's connection driver.
#include <stdlib.h>
#include <string.h>

#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/event.h>
#include <proton/logger.h>
#include <proton/transport.h>

#include "base/secret.h"
#include "wire/amqp/internal.h"

static void configure(struct amqp_peer *peer)
{
    pn_transport_t *transport = peer->driver.transport;
    pn_logger_reset_mask(pn_transport_logger(transport), PN_SUBSYSTEM_ALL, PN_LEVEL_ALL);
    pn_transport_set_server(transport);
    pn_transport_require_auth(transport, false); // the caller decides, with OPENED
    pn_transport_set_max_frame(transport, AMQP_FRAME_MAX);
    (void)pn_transport_set_channel_max(transport, AMQP_SESSIONS_MAX - 1);
    // proton tells the peer half of it, as AMQP 1.0, 2.4.5 advises, and waits for all of it.
    pn_transport_set_idle_timeout(transport, (pn_millis_t)(2 * peer->settings->idle_ms));
    pn_connection_set_container(peer->driver.connection, peer->settings->container);
}

struct err amqp_peer_new(const struct amqp_settings *settings, struct amqp_peer **out)
{
    *out = NULL;
    struct amqp_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return FAIL(ERR_NO_MEMORY);
    peer->settings = settings;
    peer->message_max = AMQP_MESSAGE_MAX;
    peer->held = buf_capped(AMQP_HELD_MAX + AMQP_FRAME_MAX);
    peer->out = buf_capped(AMQP_OUTPUT_MAX);
    *out = peer;
    return OK;
}

bool amqp_drive(struct amqp_peer *peer)
{
    if (peer->driven)
        return true;
    if (pn_connection_driver_init(&peer->driver, NULL, NULL) != 0)
        return false;
    peer->driven = true;
    configure(peer);
    (void)pn_connection_driver_bind(&peer->driver);
    return true;
}

void amqp_peer_free(struct amqp_peer *peer)
{
    if (peer == NULL)
        return;
    if (peer->driven)
        pn_connection_driver_destroy(&peer->driver);
    amqp_inbox_free(peer->inbox);
    if (peer->held.len > 0 && peer->phase <= AMQP_AT_PLAIN_HEADER)
        bytes_wipe(peer->held.at, peer->held.len);
    buf_release(&peer->held);
    buf_release(&peer->out);
    free(peer->why);
    free(peer);
}

static void end(struct amqp_peer *peer, enum amqp_event_kind how)
{
    if (peer->over)
        return;
    peer->over = true;
    peer->has_last = true;
    peer->last = how;
}

static void explain(struct amqp_peer *peer, const char *condition, const char *text)
{
    if (peer->why == NULL)
        peer->why = calloc(1, sizeof *peer->why);
    (void)why_fail(peer->why, ERR_PROTOCOL, "%s: %s", condition, text);
}

void amqp_set_condition(pn_condition_t *to, struct slice condition, struct slice description)
{
    char text[AMQP_DESCRIPTION_MAX + 1];
    struct slice parts[] = {condition, description};
    for (size_t i = 0; i < 2; i++) {
        struct slice part = slice_to(parts[i], AMQP_DESCRIPTION_MAX);
        if (part.len > 0)
            memcpy(text, part.at, part.len);
        text[part.len] = '\0';
        (void)(i == 0 ? pn_condition_set_name(to, text) : pn_condition_set_description(to, text));
    }
}

static void send_close(struct amqp_peer *peer, struct slice condition, struct slice description)
{
    pn_connection_t *connection = peer->driver.connection;
    if (peer->closing)
        return;
    peer->closing = true;
    pn_connection_open(connection); // does nothing when it is
    if (!slice_empty(condition))
        amqp_set_condition(pn_connection_condition(connection), condition, description);
    pn_connection_close(connection);
}

void amqp_break(struct amqp_peer *peer, const char *condition, const char *format, ...)
{
    if (peer->over)
        return;
    char text[sizeof peer->why->text];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    explain(peer, condition, text);
    peer->stirred = true;
    if (peer->driven && (pn_connection_state(peer->driver.connection) & PN_REMOTE_ACTIVE)) {
        send_close(peer, slice_text(condition), slice_text(text));
    } else if (peer->phase == AMQP_AT_OPEN) { // there is no open to answer: proton sends its own, and close
        pn_connection_driver_errorf(&peer->driver, condition, "%s", text);
        pn_connection_driver_read_close(&peer->driver);
    }
    end(peer, AMQP_BROKEN);
}

// proton found fault with the peer, and has put a close into its output.
static void transport_failed(struct amqp_peer *peer)
{
    pn_condition_t *condition = pn_transport_condition(peer->driver.transport);
    const char *name = pn_condition_get_name(condition), *text = pn_condition_get_description(condition);
    if (!peer->over)
        explain(peer, name != NULL ? name : "amqp:internal-error", text != NULL ? text : "");
    end(peer, AMQP_BROKEN);
}

static void peer_closed(struct amqp_peer *peer)
{
    pn_condition_t *condition = pn_connection_remote_condition(peer->driver.connection);
    const char *text = pn_condition_get_description(condition);
    if (pn_condition_is_set(condition) && pn_condition_get_name(condition)[0] != '\0')
        explain(peer, pn_condition_get_name(condition), text != NULL ? text : "");
    send_close(peer, (struct slice){0}, (struct slice){0});
    end(peer, AMQP_CLOSED);
}

static void take_event(struct amqp_peer *peer, pn_event_t *event)
{
    switch (pn_event_type(event)) {
    case PN_SESSION_REMOTE_OPEN:
        amqp_session_begun(peer, pn_event_session(event));
        break;
    case PN_SESSION_REMOTE_CLOSE:
        amqp_session_ended(peer, pn_event_session(event));
        break;
    case PN_LINK_REMOTE_OPEN:
        amqp_link_attached(peer, pn_event_link(event));
        break;
    case PN_LINK_REMOTE_DETACH:
    case PN_LINK_REMOTE_CLOSE:
        amqp_link_detached(pn_event_link(event), pn_event_type(event) == PN_LINK_REMOTE_CLOSE);
        break;
    case PN_LINK_FLOW:
        amqp_link_flowed(pn_event_link(event));
        break;
    case PN_DELIVERY:
        amqp_delivery_changed(peer, pn_event_delivery(event));
        break;
    case PN_CONNECTION_REMOTE_CLOSE:
        peer_closed(peer);
        break;
    case PN_TRANSPORT_ERROR:
        transport_failed(peer);
        break;
    default:
        break;
    }
}

static void pump(struct amqp_peer *peer)
{
    for (;;) {
        pn_bytes_t bytes = pn_connection_driver_write_buffer(&peer->driver);
        if (bytes.size == 0)
            return;
        buf_bytes(&peer->out, slice_of(bytes.start, bytes.size));
        (void)pn_connection_driver_write_done(&peer->driver, bytes.size);
    }
}

void amqp_turn(struct amqp_peer *peer)
{
    peer->stirred = false;
    if (!peer->driven)
        return;
    do {
        pn_event_t *event;
        while ((event = pn_connection_driver_next_event(&peer->driver)) != NULL)
            take_event(peer, event);
        pump(peer);
    } while (pn_connection_driver_has_event(&peer->driver));
    if (peer->out.broken != 0 && !peer->over) {
        explain(peer, "amqp:internal-error", "too much output waits for the peer");
        end(peer, AMQP_BROKEN);
    }
}

void amqp_feed(struct amqp_peer *peer, struct slice *in)
{
    amqp_advance(peer, in);
}

static bool take_waiting(struct amqp_peer *peer, struct amqp_event *event)
{
    if (peer->has_event) {
        *event = peer->event;
        peer->has_event = false;
        return true;
    }
    struct amqp_link *gone = amqp_link_gone(peer);
    if (gone != NULL) {
        gone->state = AMQP_LINK_OVER;
        *event = (struct amqp_event){.kind = AMQP_DETACHED, .link = gone};
        return true;
    }
    if (!peer->has_last)
        return false;
    peer->has_last = false;
    *event = (struct amqp_event){.kind = peer->last};
    return true;
}

bool amqp_next(struct amqp_peer *peer, struct amqp_event *event)
{
    struct slice none = {0};
    if (take_waiting(peer, event))
        return true;
    amqp_advance(peer, &none);
    return take_waiting(peer, event);
}

void amqp_output(struct amqp_peer *peer, struct buf *out)
{
    buf_bytes(out, buf_slice(&peer->out));
    buf_release(&peer->out);
}

bool amqp_is_over(const struct amqp_peer *peer)
{
    return peer->over;
}

bool amqp_is_amid(const struct amqp_peer *peer)
{
    bool amid = peer->held.len > peer->frame;
    for (size_t i = 0; i < AMQP_LINKS_MAX; i++)
        amid |= peer->links[i].state != AMQP_LINK_FREE && peer->links[i].partial;
    return amid && !peer->over;
}

int64_t amqp_tick(struct amqp_peer *peer, int64_t now_ms)
{
    if (peer->over || !peer->driven)
        return 0;
    int64_t next = pn_transport_tick(peer->driver.transport, now_ms);
    amqp_turn(peer);
    return peer->over ? 0 : next;
}

void amqp_limit(struct amqp_peer *peer, size_t max_message)
{
    peer->message_max = max_message < AMQP_MESSAGE_MAX ? max_message : AMQP_MESSAGE_MAX;
}

const struct why *amqp_why(const struct amqp_peer *peer)
{
    static const struct why none;
    return peer->why != NULL ? peer->why : &none;
}

void amqp_open(struct amqp_peer *peer)
{
    if (peer->over || peer->closing || !peer->blocked || peer->phase != AMQP_AT_FRAMES)
        return;
    pn_connection_open(peer->driver.connection);
    peer->blocked = false;
    amqp_turn(peer);
}

void amqp_close(struct amqp_peer *peer, struct slice condition, struct slice description)
{
    if (peer->over)
        return;
    if (peer->phase != AMQP_AT_FRAMES) {
        peer->over = true;
        return;
    }
    send_close(peer, condition, description);
    peer->blocked = peer->has_event = false;
    amqp_turn(peer);
}
