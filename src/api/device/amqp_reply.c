// Answers over AMQP: an outcome of the device's message, and for what succeeds a message of our own behind
// it; at once, or when its client can take it (quirks.c).
#include <stdlib.h>

#include "api/device/amqp.h"
#include "api/error_body.h"

enum { REFUSED_MAX = 8 }; // answers in a row after which the connection is closed

void amqp_session_refused(struct amqp_session *s)
{
    // asking costs little, judging certificates much more: who goes on pays for another handshake (A8)
    if (++s->refused >= REFUSED_MAX)
        amqp_connection_close(s->connection, OK, NULL);
}

// Outcome first, then the message (device-protocol 4.6).
static void answer_send(struct amqp_session *s, const struct amqp_answer *answer, struct slice body)
{
    struct amqp_call *call = &s->calls[answer->origin.call];
    struct amqp_delivery *delivery = call->delivery;
    *call = (struct amqp_call){0};
    if (failed(answer->e)) {
        if (delivery != NULL)
            amqp_reject(delivery, slice_text(err_info(answer->e)->amqp), body, answer->retry_after_s);
        amqp_connection_flush(s->connection);
        if (err_info(answer->e)->class == ERR_CLASS_AUTH)
            amqp_session_refused(s);
        return;
    }
    char seconds[12];
    struct buf text = {.at = (uint8_t *)seconds, .room = sizeof seconds, .cap = sizeof seconds};
    buf_decimal(&text, answer->retry_after_s);
    const struct amqp_property properties[] = {
        {SLICE("iotdps-status"), slice_text(answer->status)},
        {SLICE("retry-after"), buf_slice(&text)}, // the one is read by C, Node and Java, the other by C#
        {SLICE("Retry-After"), buf_slice(&text)},
    };
    if (delivery != NULL)
        amqp_accept(delivery);
    if (s->receiver != NULL) {
        struct err e = amqp_send(s->receiver, &answer->origin.correlation, properties,
                                 answer->retry_after_s > 0 ? 3 : 1, body);
        if (failed(e))
            amqp_connection_close(s->connection, e, &(struct why){"the peer does not take its answers"});
    }
    amqp_connection_flush(s->connection);
}

// An answer that must not be too fast for its client.
struct late_answer {
    struct delayed delayed;
    struct link_ticket ticket;
    struct amqp_answer answer;
    struct buf body;
};

static void late_answer_free(struct delayed *delayed)
{
    struct late_answer *late = CONTAINER_OF(delayed, struct late_answer, delayed);
    buf_release(&late->body);
    free(late);
}

static void late_answer_send(struct delayed *delayed)
{
    struct late_answer *late = CONTAINER_OF(delayed, struct late_answer, delayed);
    struct amqp_connection *c = amqp_connection_of(delayed->api->amqp, late->ticket);
    if (c != NULL)
        answer_send(amqp_connection_session(c), &late->answer, buf_slice(&late->body));
}

// Takes over the body.
static struct err answer_later(struct amqp_session *s, const struct amqp_answer *answer, struct buf *body)
{
    struct late_answer *late = calloc(1, sizeof *late);
    if (late == NULL)
        return FAIL(ERR_NO_MEMORY);
    *late = (struct late_answer){
        .delayed = {.api = s->api, .send = late_answer_send, .free = late_answer_free},
        .ticket = amqp_connection_ticket(s->connection),
        .answer = *answer,
        .body = *body,
    };
    *body = buf_capped(0);
    return delayed_start(&late->delayed, s->quirk->reply_delay_ms);
}

void amqp_reply(struct amqp_session *s, const struct amqp_answer *answer, struct buf *body)
{
    struct err e = buf_err(body);
    if (!failed(e) && s->quirk->reply_delay_ms > 0)
        e = answer_later(s, answer, body);
    else if (!failed(e))
        answer_send(s, answer, buf_slice(body));
    if (failed(e))
        amqp_connection_close(s->connection, e, NULL);
    buf_release(body);
}

void amqp_reply_error(struct amqp_session *s, const struct amqp_origin *origin, struct err e,
                      const struct why *why, const char *tracking_id)
{
    struct amqp_answer answer = {.origin = *origin, .e = e, .retry_after_s = error_retry_s(e)};
    struct buf body = buf_capped(AMQP_REPLY_MAX);
    error_body_write(&body, e, why, slice_of(tracking_id, GUID_TEXT), clock_wall_us(s->api->clock));
    amqp_reply(s, &answer, &body);
}

void amqp_reply_reject(struct amqp_session *s, struct amqp_delivery *delivery, struct err e,
                       const struct why *why)
{
    static const char none[GUID_TEXT + 1] = "00000000-0000-0000-0000-000000000000";
    struct buf body = buf_capped(AMQP_REPLY_MAX);
    amqp_connection_log_refusal(s->connection, s->registration_id, e, why);
    error_body_write(&body, e, why, slice_of(none, GUID_TEXT), clock_wall_us(s->api->clock));
    amqp_reject(delivery, slice_text(err_info(e)->amqp), buf_slice(&body), error_retry_s(e));
    buf_release(&body);
}
