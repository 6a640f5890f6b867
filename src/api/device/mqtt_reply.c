// What devices are answered over MQTT, and when: some clients cannot take an answer at once (quirks.c).
#include "api/device/mqtt_session.h"

#include <stdlib.h>

#include "api/error_body.h"

enum { DELAYED_MAX = 4096 }; // replies of one loop that wait for their time

// A reply that must not be too fast for its client (quirks.c).
struct delayed {
    struct list links;
    struct device_api *api;
    struct link_ticket ticket;
    struct poll_timer timer;
    struct buf topic;
    struct buf body;
};

static void delayed_free(struct delayed *d)
{
    list_remove(&d->links);
    d->api->delayed_count--;
    poller_timer_release(d->api->poller, &d->timer);
    buf_release(&d->topic);
    buf_release(&d->body);
    free(d);
}

static void send_delayed(struct poll_timer *timer)
{
    struct delayed *d = timer->context;
    struct mqtt_link *link = mqtt_link_of(d->api->front, d->ticket);
    if (link != NULL) {
        struct session *s = mqtt_link_session(link);
        (void)mqtt_link_publish(link, buf_slice(&d->topic), buf_slice(&d->body), s->qos);
    }
    delayed_free(d);
}

// Takes over both buffers.
static void send_later(struct session *s, struct buf *topic, struct buf *body)
{
    struct device_api *api = s->api;
    struct delayed *d = api->delayed_count < DELAYED_MAX ? calloc(1, sizeof *d) : NULL;
    if (d == NULL) {
        mqtt_link_close(s->link, FAIL(ERR_OVERLOADED), NULL);
        return;
    }
    *d = (struct delayed){.api = api, .ticket = mqtt_link_ticket(s->link), .topic = *topic, .body = *body};
    *topic = buf_capped(0);
    *body = buf_capped(0);
    list_append(&api->delayed, &d->links);
    api->delayed_count++;
    d->timer.fire = send_delayed;
    d->timer.context = d;
    if (failed(poller_timer_start(api->poller, &d->timer, s->quirk->reply_delay_ms)))
        send_delayed(&d->timer);
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
    enum { RETRY_BUSY_S = 5 };
    const struct err_info *info = err_info(e);
    struct buf body = buf_capped(REPLY_MAX);
    bool retryable = info->class == ERR_CLASS_BUSY || info->class == ERR_CLASS_FAULT;
    error_body_write(&body, e, why, tracking_id, clock_wall_us(s->api->clock));
    mqtt_reply(s, info->http, rid, retryable && info->http >= 429 ? RETRY_BUSY_S : 0, &body);
    buf_release(&body);
}

void mqtt_replies_drop(struct device_api *api)
{
    LIST_EACH (at, &api->delayed)
        delayed_free(CONTAINER_OF(at, struct delayed, links));
}
