// A front in miniature, and frames made by hand.
#include <stdarg.h>
#include <stdlib.h>

#include <proton/codec.h>

#include "wire/amqp/testing.h"

static const struct amqp_settings settings = {
    .mechanisms = "PLAIN TPM EXTERNAL ANONYMOUS",
    .container = "stage",
    .idle_ms = 60000,
};

void amqp_stage_init(struct amqp_stage *stage)
{
    *stage = (struct amqp_stage){.said = buf_capped(1 << 22), .out = buf_capped(1 << 22)};
    INVARIANT(!failed(amqp_peer_new(&settings, &stage->peer)));
}

void amqp_stage_release(struct amqp_stage *stage)
{
    amqp_peer_free(stage->peer);
    buf_release(&stage->said);
    buf_release(&stage->out);
}

static void say(struct amqp_stage *stage, const char *label, struct slice s)
{
    buf_text(&stage->said, " ");
    buf_text(&stage->said, label);
    buf_text(&stage->said, "=");
    for (size_t i = 0; i < s.len && i < 200; i++) {
        if (s.at[i] >= ' ' && s.at[i] < 127)
            buf_u8(&stage->said, s.at[i]);
        else
            buf_printf(&stage->said, "<%02x>", s.at[i]);
    }
}

static void answer_init(struct amqp_stage *stage, const struct amqp_event *e)
{
    say(stage, "mechanism", e->mechanism);
    say(stage, "bytes", e->bytes);
    say(stage, "host", e->hostname);
    if (stage->silent)
        return;
    if (slice_equal(e->mechanism, SLICE("TPM")))
        amqp_sasl_challenge(stage->peer, slice_of("\0", 1));
    else
        amqp_sasl_end(stage->peer, !stage->deny && slice_equal(e->mechanism, SLICE("PLAIN")));
}

static void answer_response(struct amqp_stage *stage, const struct amqp_event *e)
{
    say(stage, "bytes", e->bytes);
    if (slice_starts_with(e->bytes, slice_of("\0SRK", 4)))
        amqp_sasl_challenge(stage->peer, SLICE("\x80one"));
    else if (e->bytes.len == 1)
        amqp_sasl_challenge(stage->peer, SLICE("\xc1two"));
    else
        amqp_sasl_end(stage->peer, !stage->deny);
}

static void answer_attach(struct amqp_stage *stage, const struct amqp_event *e)
{
    say(stage, e->to_peer ? "from" : "to", e->address);
    say(stage, "name", e->link_name);
    say(stage, "api", e->api_version);
    say(stage, "client", e->client_version);
    stage->last_link = e->link;
    if (slice_find(e->address, SLICE("nowhere")) < e->address.len) {
        amqp_link_refuse(e->link, SLICE("amqp:not-found"), SLICE("no such place"));
        return;
    }
    if (e->to_peer)
        stage->to_peer = e->link;
    amqp_link_accept(e->link);
}

static void answer_delivery(struct amqp_stage *stage, const struct amqp_event *e)
{
    const struct amqp_message *m = e->message;
    for (size_t i = 0; i < m->property_count; i++) {
        say(stage, "property", m->properties[i].name);
        say(stage, "value", m->properties[i].value);
    }
    buf_printf(&stage->said, " correlation=%02x:%u kind=%d", m->correlation.kind, m->correlation.len,
               (int)m->body_kind);
    say(stage, "body", m->body);
    stage->correlation = m->correlation;
    if (stage->hold) {
        INVARIANT(stage->kept_count < STAGE_DELIVERIES_MAX);
        stage->kept_of[stage->kept_count] = e->link;
        stage->kept[stage->kept_count++] = e->delivery;
        return;
    }
    if (stage->reject) {
        amqp_reject(e->delivery, SLICE("amqp:unauthorized-access"), SLICE("{\"errorCode\":401002}"), 5);
        return;
    }
    amqp_accept(e->delivery);
    struct amqp_property status = {SLICE("iotdps-status"), SLICE("200")};
    if (stage->to_peer != NULL && failed(amqp_send(stage->to_peer, &m->correlation, &status, 1, m->body)))
        buf_text(&stage->said, " unsent");
}

static void forget_kept(struct amqp_stage *stage, const struct amqp_link *link)
{
    size_t left = 0;
    for (size_t i = 0; i < stage->kept_count; i++) {
        if (stage->kept_of[i] == link)
            continue;
        stage->kept_of[left] = stage->kept_of[i];
        stage->kept[left++] = stage->kept[i];
    }
    stage->kept_count = left;
}

static void answer(struct amqp_stage *stage, const struct amqp_event *e)
{
    static const char *const names[] = {"sasl-init", "sasl-response", "opened", "attached", "detached",
                                        "delivered", "too-large",     "closed", "broken"};
    buf_text(&stage->said, names[e->kind]);
    switch (e->kind) {
    case AMQP_SASL_INIT:
        answer_init(stage, e);
        break;
    case AMQP_SASL_RESPONSE:
        answer_response(stage, e);
        break;
    case AMQP_OPENED:
        buf_text(&stage->said, e->sasl ? " after SASL" : " without SASL");
        say(stage, "container", e->container);
        say(stage, "host", e->hostname);
        if (!stage->silent)
            amqp_open(stage->peer);
        break;
    case AMQP_ATTACHED:
        answer_attach(stage, e);
        break;
    case AMQP_DETACHED:
        if (e->link == stage->to_peer)
            stage->to_peer = NULL;
        stage->last_link = NULL;
        forget_kept(stage, e->link);
        break;
    case AMQP_DELIVERED:
        answer_delivery(stage, e);
        break;
    case AMQP_TOO_LARGE:
        buf_printf(&stage->said, " limit=%zu", e->limit);
        amqp_reject(e->delivery, SLICE("amqp:link:message-size-exceeded"), SLICE("too large"), 0);
        break;
    case AMQP_CLOSED:
    case AMQP_BROKEN:
        say(stage, "why", slice_text(amqp_why(stage->peer)->text));
        stage->to_peer = stage->last_link = NULL;
        break;
    }
    buf_text(&stage->said, "\n");
}

void amqp_stage_events(struct amqp_stage *stage)
{
    struct amqp_event event;
    while (amqp_next(stage->peer, &event)) {
        answer(stage, &event);
        amqp_output(stage->peer, &stage->out);
    }
    amqp_output(stage->peer, &stage->out);
}

void amqp_stage_feed(struct amqp_stage *stage, struct slice bytes)
{
    while (bytes.len > 0) {
        struct slice in = slice_to(bytes, stage->split > 0 ? stage->split : bytes.len);
        bytes = slice_from(bytes, in.len);
        while (in.len > 0) {
            size_t before = in.len;
            amqp_feed(stage->peer, &in);
            amqp_stage_events(stage);
            INVARIANT(in.len < before);
        }
    }
}

static void put_frame(struct buf *out, uint8_t type, uint16_t channel, struct slice payload,
                      const char *format, va_list args)
{
    char encoded[16384];
    pn_data_t *data = pn_data(16);
    INVARIANT(data != NULL && pn_data_vfill(data, format, args) == 0);
    ssize_t len = pn_data_encode(data, encoded, sizeof encoded);
    INVARIANT(len >= 0);
    pn_data_free(data);
    buf_u32(out, (uint32_t)(8 + (size_t)len + payload.len));
    buf_u8(out, 2);
    buf_u8(out, type);
    buf_u16(out, channel);
    buf_bytes(out, slice_of(encoded, (size_t)len));
    buf_bytes(out, payload);
}

void amqp_frame(struct buf *out, uint8_t type, uint16_t channel, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_frame(out, type, channel, (struct slice){0}, format, args);
    va_end(args);
}

void amqp_frame_with(struct buf *out, uint16_t channel, struct slice payload, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_frame(out, 0, channel, payload, format, args);
    va_end(args);
}
