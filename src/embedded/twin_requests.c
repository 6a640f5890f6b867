// A device's twin requests over MQTT, one after the other: reading the twin, patching reported properties.
#include <stdlib.h>

#include "api/error_body.h"
#include "base/text.h"
#include "domain/twin.h"
#include "embedded/session.h"
#include "hub/embedded/device_update.h"

enum { TWIN_BODY_MAX = 128 * 1024 };

struct twin_request {
    struct list links;
    struct session *session; // held while under way
    bool patch;
    struct slice rid;
    struct json_doc change;
    struct device_update update;
    uint8_t bytes[]; // of rid and body
};

static void start_next(struct session *s);

static void request_free(struct twin_request *r)
{
    json_doc_release(&r->change);
    device_update_release(&r->update);
    free(r);
}

static void respond(struct session *s, unsigned status, struct slice rid, int64_t version, struct slice body)
{
    char topic[256];
    struct buf out = {.at = (uint8_t *)topic, .room = sizeof topic, .cap = sizeof topic};
    if (s->link == NULL || (s->subscriptions & SUBSCRIBED_TWIN_RESULTS) == 0)
        return;
    buf_printf(&out, "$iothub/twin/res/%u/?$rid=%.*s", status, SLICE_ARG(rid));
    if (version > 0)
        buf_printf(&out, "&$version=%lld", (long long)version);
    (void)mqtt_link_publish(s->link, buf_slice(&out), body, 0); // false: the link is being closed
}

// Status and JSON body: Node's client looks at the body only (service-api H.4).
static void respond_error(struct session *s, struct slice rid, struct err e, const struct why *why)
{
    uint8_t random[16];
    char tracking_id[GUID_TEXT];
    struct buf body = buf_capped(2048);
    if (e.code == ERR_ABSENT)
        e = FAIL(ERR_HUB_DEVICE_NOT_FOUND);
    random_fill_from(s->embedded->settings.random, random, sizeof random);
    guid_format(random, tracking_id);
    error_body_write(&body, e, why, slice_of(tracking_id, sizeof tracking_id), embedded_wall_us(s->embedded));
    respond(s, err_info(e)->http, rid, 0, buf_slice(&body));
    buf_release(&body);
    if (s->link == NULL || !mqtt_link_may_log(s->link))
        return; // a device can ask wrongly without end
    struct log_line line;
    log_begin(&line, s->embedded->settings.log, err_info(e)->level, "hub.twin_refused");
    log_text(&line, LOG_trackingId, slice_of(tracking_id, sizeof tracking_id));
    log_text(&line, LOG_hub, s->hub->host);
    log_text(&line, LOG_deviceId, s->id);
    log_failure(&line, e, why);
    log_end(&line);
}

static struct err bring_reported(struct device_update *u, struct device *device)
{
    struct twin_request *r = u->context;
    u->unchanged = !r->patch;
    if (!r->patch)
        return OK;
    return twin_change(&u->arena, device, TWIN_REPORTED, TWIN_MERGE, json_root(&r->change),
                       embedded_wall_us(r->session->embedded), &u->why);
}

static void request_done(struct device_update *u)
{
    struct twin_request *r = u->context;
    struct session *s = r->session;
    if (failed(u->result)) {
        respond_error(s, r->rid, u->result, &u->why);
    } else if (r->patch) {
        respond(s, 204, r->rid, u->device->reported_version, (struct slice){0});
    } else {
        struct buf body = buf_capped(TWIN_BODY_MAX);
        twin_write_for_device(&body, u->device);
        if (failed(buf_err(&body)))
            respond_error(s, r->rid, buf_err(&body), NULL);
        else
            respond(s, 200, r->rid, 0, buf_slice(&body));
        buf_release(&body);
    }
    request_free(r);
    s->twin_busy = false;
    start_next(s);
    session_let_go(s);
}

static void start_next(struct session *s)
{
    struct list *next = s->twin_busy ? NULL : list_take_first(&s->twin_requests);
    if (next == NULL)
        return;
    struct twin_request *r = CONTAINER_OF(next, struct twin_request, links);
    s->twin_busy = true;
    s->twin_count--;
    s->holds++;
    r->update = (struct device_update){
        .store = s->embedded->settings.store,
        .random = s->embedded->settings.random,
        .hub = s->hub->host,
        .id = s->id,
        .change = bring_reported,
        .done = request_done,
        .context = r,
    };
    device_update_start(&r->update);
}

static struct twin_request *request_new(struct session *s, bool patch, struct slice rid)
{
    struct twin_request *r = calloc(1, sizeof *r + rid.len);
    if (r == NULL)
        return NULL;
    memcpy(r->bytes, rid.at, rid.len);
    r->session = s;
    r->patch = patch;
    r->rid = slice_of(r->bytes, rid.len);
    return r;
}

static void add(struct session *s, bool patch, struct slice rid, struct slice payload)
{
    struct why why = {0};
    struct err e = OK;
    struct twin_request *r = NULL;
    if (s->twin_count >= EMBEDDED_SESSION_TWINS_MAX)
        e = why_fail(&why, ERR_THROTTLED, "%zu twin requests of the device are waiting", s->twin_count);
    else if ((r = request_new(s, patch, rid)) == NULL)
        e = FAIL(ERR_NO_MEMORY);
    if (!failed(e) && patch)
        e = json_read(payload, JSON_LIMITS_DEFAULT, &r->change, &why);
    if (failed(e)) {
        respond_error(s, rid, e, &why);
        if (r != NULL)
            request_free(r);
        return;
    }
    list_append(&s->twin_requests, &r->links);
    s->twin_count++;
    start_next(s);
}

bool session_twin_publish(struct session *s, const struct mqtt_publish *publish)
{
    static const char get[] = "$iothub/twin/GET/";
    static const char patch[] = "$iothub/twin/PATCH/properties/reported/";
    struct slice rid;
    bool is_get = slice_starts_with(publish->topic, SLICE("$iothub/twin/GET/"));
    if (!is_get && !slice_starts_with(publish->topic, SLICE("$iothub/twin/PATCH/properties/reported/")))
        return false;
    if (!session_rid(slice_from(publish->topic, (is_get ? sizeof get : sizeof patch) - 1), &rid))
        return false;
    add(s, !is_get, rid, publish->payload);
    return true;
}

// The one under way is freed when its store call ends; nobody is answered any more.
void session_twin_forget(struct session *s)
{
    LIST_EACH (at, &s->twin_requests) {
        list_remove(at);
        s->twin_count--;
        request_free(CONTAINER_OF(at, struct twin_request, links));
    }
}
