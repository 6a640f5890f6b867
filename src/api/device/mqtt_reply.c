// What devices are answered over MQTT, and when: some clients cannot take an answer at once (quirks.c).
#include "api/device/mqtt_session.h"

#include <stdlib.h>

#include "api/error_body.h"

// A reply that must not be too fast for its client (quirks.c).
struct late_publish {
    struct delayed delayed;
    struct link_ticket ticket;
    struct buf topic;
    struct buf body;
};

static void late_publish_free(struct delayed *delayed)
{
    struct late_publish *late = CONTAINER_OF(delayed, struct late_publish, delayed);
    buf_release(&late->topic);
    buf_release(&late->body);
    free(late);
}

static void late_publish_send(struct delayed *delayed)
{
    struct late_publish *late = CONTAINER_OF(delayed, struct late_publish, delayed);
    struct mqtt_link *link = mqtt_link_of(delayed->api->mqtt, late->ticket);
    if (link == NULL)
        return;
    struct session *s = mqtt_link_session(link);
    (void)mqtt_link_publish(link, buf_slice(&late->topic), buf_slice(&late->body), s->qos);
}

// Takes over both buffers.
static void send_later(struct session *s, struct buf *topic, struct buf *body)
{
    struct late_publish *late = calloc(1, sizeof *late);
    if (late == NULL) {
        mqtt_link_close(s->link, FAIL(ERR_NO_MEMORY), NULL);
        return;
    }
    *late = (struct late_publish){
        .delayed = {.api = s->api, .send = late_publish_send, .free = late_publish_free},
        .ticket = mqtt_link_ticket(s->link),
        .topic = *topic,
        .body = *body,
    };
    *topic = buf_capped(0);
    *body = buf_capped(0);
    struct err e = delayed_start(&late->delayed, s->quirk->reply_delay_ms);
    if (failed(e))
        mqtt_link_close(s->link, e, NULL);
}

// $dps/registrations/res/{status}/?$rid={rid}[&retry-after={s}], exactly (device-protocol 2.4).
void mqtt_reply(struct session *s, unsigned status, struct slice rid, uint32_t retry_after_s,
                struct buf *body)
{
    struct buf topic = buf_capped(4096);
    buf_text(&topic, "$dps/registrations/res/");
    buf_decimal(&topic, status);
    buf_text(&topic, "/?$rid=");
    buf_bytes(&topic, rid);
    if (retry_after_s > 0) {
        buf_text(&topic, "&retry-after=");
        buf_decimal(&topic, retry_after_s);
    }
    if (failed(buf_err(&topic)) || failed(buf_err(body)))
        mqtt_link_close(s->link, FAIL(ERR_NO_MEMORY), NULL);
    else if (s->subscribed && s->quirk->reply_delay_ms > 0)
        send_later(s, &topic, body);
    else if (s->subscribed)
        (void)mqtt_link_publish(s->link, buf_slice(&topic), buf_slice(body), s->qos);
    else
        mqtt_link_acknowledge(s->link);
    buf_release(&topic);
}

void mqtt_reply_error(struct session *s, struct err e, const struct why *why, struct slice rid,
                      struct slice tracking_id)
{
    struct buf body = buf_capped(REPLY_MAX);
    error_body_write(&body, e, why, tracking_id, clock_wall_us(s->api->clock));
    mqtt_reply(s, err_info(e)->http, rid, error_retry_s(e), &body);
    buf_release(&body);
}
