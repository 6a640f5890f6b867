// What an admitted device may subscribe to and publish; telemetry. Twin requests and methods have files of
// their own.
#include "embedded/session.h"

#include <stdlib.h>

#include "base/text.h"

void session_let_go(struct session *s)
{
    if (--s->holds > 0)
        return;
    struct embedded *e = s->embedded;
    hubs_release(s->hubs);
    bytes_wipe(s->text, s->text_len);
    free(s);
    embedded_let_go(e);
}

void session_closed(void *session)
{
    struct session *s = session;
    s->link = NULL;
    if (s->stamp != 0) {
        presence_end(s->embedded, s->hub->host, s->id, s->stamp);
        if (s->count != NULL)
            atomic_fetch_sub(&s->count->connected, 1);
    }
    session_methods_end(s);
    session_twin_forget(s);
    session_let_go(s);
}

void session_displace(struct session *s)
{
    static const struct why anew = {"the device has connected anew"};
    if (s->link != NULL)
        mqtt_link_close(s->link, FAIL(ERR_CONFLICT), &anew);
}

void session_stop(struct session *s)
{
    if (s->link != NULL)
        mqtt_link_close(s->link, OK, NULL);
}

// ---- subscriptions ------------------------------------------------------------------------------
// 0 when it is none of those that a device has.
static unsigned subscription_of(const struct session *s, struct slice filter)
{
    if (slice_equal(filter, SLICE("$iothub/twin/res/#")))
        return SUBSCRIBED_TWIN_RESULTS;
    if (slice_equal(filter, SLICE("$iothub/twin/PATCH/properties/desired/#")))
        return SUBSCRIBED_DESIRED;
    if (slice_equal(filter, SLICE("$iothub/methods/POST/#")))
        return SUBSCRIBED_METHODS;
    size_t head = sizeof "devices/" - 1;
    struct slice rest = slice_from(filter, head);
    bool devicebound = slice_starts_with(filter, SLICE("devices/")) && slice_starts_with(rest, s->id) &&
                       slice_equal(slice_from(rest, s->id.len), SLICE("/messages/devicebound/#"));
    return devicebound ? SUBSCRIBED_DEVICEBOUND : 0;
}

uint8_t session_subscribe(void *session, struct slice filter, uint8_t qos)
{
    struct session *s = session;
    unsigned bit = subscription_of(s, filter);
    if (bit == 0)
        return MQTT_SUBSCRIPTION_FAILED;
    s->subscriptions |= bit;
    return qos > 1 ? 1 : qos;
}

void session_unsubscribe(void *session, struct slice filter)
{
    struct session *s = session;
    s->subscriptions &= ~subscription_of(s, filter);
}

// ---- publishing ---------------------------------------------------------------------------------
// devices/{id}/messages/events[/{properties}]
static bool telemetry(struct session *s, const struct mqtt_publish *publish)
{
    struct slice rest = publish->topic;
    struct slice part;
    if (!slice_cut(&rest, '/', &part) || !slice_equal(part, SLICE("devices")) ||
        !slice_cut(&rest, '/', &part) || !slice_equal(part, s->id))
        return false;
    if (!slice_equal(rest, SLICE("messages/events")) && !slice_starts_with(rest, SLICE("messages/events/")))
        return false;
    if (publish->payload.len > EMBEDDED_MESSAGE_MAX)
        return false;
    if (s->count != NULL)
        atomic_fetch_add(&s->count->telemetry, 1);
    return true;
}

bool session_publish(void *session, const struct mqtt_publish *publish)
{
    struct session *s = session;
    if (publish->qos > 1)
        return false;
    return telemetry(s, publish) || session_twin_publish(s, publish) || session_method_publish(s, publish);
}

bool session_rid(struct slice query, struct slice *rid)
{
    struct slice parameter;
    if (query.len == 0 || query.at[0] != '?')
        return false;
    query = slice_from(query, 1);
    while (slice_cut(&query, '&', &parameter)) {
        if (!slice_starts_with(parameter, SLICE("$rid=")))
            continue;
        *rid = slice_from(parameter, sizeof "$rid=" - 1);
        return rid->len > 0 && rid->len <= 128;
    }
    return false;
}

void session_push_desired(struct session *s, int64_t version, struct slice body)
{
    char topic[96];
    struct buf out = {.at = (uint8_t *)topic, .room = sizeof topic, .cap = sizeof topic};
    if (s->link == NULL || (s->subscriptions & SUBSCRIBED_DESIRED) == 0)
        return;
    buf_printf(&out, "$iothub/twin/PATCH/properties/desired/?$version=%lld", (long long)version);
    (void)mqtt_link_publish(s->link, buf_slice(&out), body, 0); // false: the link is being closed
}
