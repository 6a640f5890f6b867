// Admits a device to its hub: whose user name it is, and its record, which credential.c judges what it showed
// by. All refusals look the same from outside (threats B1, B6); the log says which it was.
#include "embedded/embedded.h"

#include <stdlib.h>

#include "base/text.h"
#include "domain/device.h"
#include "domain/identifier.h"
#include "embedded/credential.h"
#include "hub/embedded/device_update.h"

enum { PACKET_MAX = EMBEDDED_MESSAGE_MAX + 8 * 1024 };

struct user_name {
    struct slice host;
    struct slice device;
    struct slice module; // or empty
};

// {host}/{device}[/{module}]/[?]api-version=…
static bool user_name_read(struct slice text, struct user_name *out)
{
    struct slice part;
    *out = (struct user_name){0};
    if (!slice_cut(&text, '/', &out->host) || !slice_cut(&text, '/', &out->device) ||
        slice_empty(out->device))
        return false;
    for (int i = 0; i < 2; i++) {
        if (slice_starts_with_nocase(text, SLICE("api-version=")) ||
            slice_starts_with_nocase(text, SLICE("?api-version=")))
            return true;
        if (!slice_cut(&text, '/', &part) || slice_empty(part))
            return false;
        out->module = part;
    }
    return false;
}

static bool door_claims(void *context, const struct mqtt_connect *connect)
{
    const struct embedded *e = context;
    struct user_name name;
    return connect->has_user_name && user_name_read(connect->user_name, &name) &&
           hubs_find(e->hubs, name.host) != NULL;
}

static void log_decision(const struct session *s, const char *event, struct err e, const struct why *why)
{
    struct log_line line;
    log_begin(&line, mqtt_link_log(s->link),
              err_info(e)->level == ERR_LEVEL_DEBUG ? ERR_LEVEL_INFO : err_info(e)->level, event);
    log_text(&line, LOG_hub, s->hub->host);
    log_text(&line, LOG_deviceId, s->id);
    log_text(&line, LOG_protocol, SLICE("mqtt"));
    log_number(&line, LOG_connection, (int64_t)mqtt_link_connection(s->link));
    log_text(&line, LOG_peer, mqtt_link_peer(s->link));
    if (failed(e))
        log_failure(&line, e, why);
    log_end(&line);
}

static void refuse(struct session *s, struct err e, const struct why *why)
{
    if (mqtt_link_may_log(s->link))
        log_decision(s, "hub.connect_refused", e, why);
    enum err_class class = err_info(e)->class;
    bool ours = class == ERR_CLASS_BUSY || class == ERR_CLASS_FAULT;
    mqtt_link_refuse_quietly(s->link, ours ? e : FAIL(ERR_HUB_CALLER));
}

// ---- the device's record ------------------------------------------------------------------------
static void accept(struct session *s)
{
    struct embedded *e = s->embedded;
    const char *awaited;
    int64_t left = credential_ends_us(s, &awaited) - embedded_wall_us(e);
    struct chain *chain = mqtt_link_chain(s->link); // with a token too, a certificate may have been shown
    if (chain != NULL)
        chain_rest(chain);
    mqtt_link_accept(s->link, PACKET_MAX);
    mqtt_link_expires(s->link, clock_monotonic_us(e->settings.clock) + left, awaited);
    if (s->count != NULL)
        atomic_fetch_add(&s->count->connected, 1);
    s->stamp = presence_begin(e, s, s->hub->host, s->id);
    log_decision(s, "hub.connected", OK, NULL);
}

// One read of the device's record.
struct lookup {
    struct store_request request;
    struct arena arena;
};

static struct err look_up(struct session *s);

// On the first look-up, and on those after a change of the identity.
static void judge(struct session *s, const struct store_request *request)
{
    struct why why = request->why;
    struct err e = request->result;
    if (s->embedded->stopping)
        e = FAIL(ERR_STOPPING);
    else if (s->look_again)
        e = look_up(s);
    else if (!failed(e) || e.code == ERR_ABSENT)
        e = credential_judge(s, request->found, &why);
    if (failed(e) && s->stamp == 0)
        refuse(s, e, &why);
    else if (failed(e))
        mqtt_link_close(s->link, e, &why);
    else if (!s->looking && s->stamp == 0)
        accept(s);
}

static void record_read(struct store_request *request)
{
    struct session *s = request->context;
    struct embedded *e = s->embedded;
    s->looking = false;
    list_remove(&s->in_admitting);
    if (s->link != NULL)
        judge(s, request);
    struct lookup *lookup = CONTAINER_OF(request, struct lookup, request);
    arena_release(&lookup->arena);
    free(lookup);
    session_let_go(s);
    embedded_let_go(e);
}

static struct err look_up(struct session *s)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return FAIL(ERR_NO_MEMORY);
    lookup->arena = (struct arena){.cap = DEVICE_UPDATE_ARENA_CAP, .wipe = true};
    lookup->request = (struct store_request){
        .verb = STORE_GET,
        .table = STORE_DEVICE,
        .partition = s->hub->host,
        .key = s->id,
        .arena = &lookup->arena,
        .done = record_read,
        .context = s,
    };
    embedded_hold(s->embedded);
    s->holds++;
    s->looking = true;
    s->look_again = false;
    if (s->stamp == 0)
        list_append(&s->embedded->admitting, &s->in_admitting);
    store_submit(s->embedded->settings.store, &lookup->request);
    return OK;
}

void session_recheck(struct session *s)
{
    s->look_again = s->looking;
    if (s->link == NULL || s->looking)
        return;
    struct err e = look_up(s);
    if (failed(e)) // what is not known to hold does not
        mqtt_link_close(s->link, e, NULL);
}

// ---- CONNECT ------------------------------------------------------------------------------------
// What can be judged without the device's record.
static struct err connect_check(struct session *s, const struct mqtt_connect *connect,
                                const struct user_name *name, struct why *why)
{
    if (s->embedded->stopping)
        return FAIL(ERR_STOPPING);
    if (!slice_empty(name->module))
        return why_fail(why, ERR_HUB_CALLER, "modules do not connect to this hub");
    TRY(device_id_check(s->id, "the device ID of the user name", why));
    if (!slice_equal(connect->client_id, s->id))
        return why_fail(why, ERR_IDENTITY_MISMATCH, "the client ID is not the device ID of the user name");
    struct slice password = slice_of(s->text + s->id.len, s->text_len - s->id.len);
    s->has_token = !slice_empty(password);
    return s->has_token ? sas_parse(password, &s->token, why) : OK;
}

static struct session *session_new(struct embedded *e, struct mqtt_link *link,
                                   const struct mqtt_connect *connect, const struct user_name *name)
{
    struct slice id = slice_to(name->device, 4 * DEVICE_ID_MAX);
    struct slice password = connect->has_password ? connect->password : (struct slice){0};
    struct session *s = calloc(1, sizeof *s + id.len + password.len);
    if (s == NULL)
        return NULL;
    memcpy(s->text, id.at, id.len);
    if (password.len > 0)
        memcpy(s->text + id.len, password.at, password.len);
    s->id = slice_of(s->text, id.len);
    s->text_len = id.len + password.len;
    s->embedded = e;
    s->link = link;
    s->hubs = hubs_hold(e->hubs);
    s->hub = hubs_find(s->hubs, name->host);
    s->count = embedded_count_of(&e->settings.peers[e->settings.index], s->hub->host);
    s->holds = 1;
    list_init(&s->twin_requests);
    list_init(&s->methods);
    embedded_hold(e);
    return s;
}

static void *door_connect(void *context, struct mqtt_link *link, const struct mqtt_connect *connect)
{
    struct user_name name;
    struct why why = {0};
    (void)user_name_read(connect->user_name, &name); // it did when the door claimed it
    struct session *s = session_new(context, link, connect, &name);
    if (s == NULL)
        return NULL;
    struct err e = connect_check(s, connect, &name, &why);
    if (!failed(e))
        e = look_up(s);
    if (failed(e))
        refuse(s, e, &why);
    return s;
}

struct mqtt_door embedded_door(struct embedded *embedded)
{
    return (struct mqtt_door){
        .name = "hub",
        .claims = door_claims,
        .connect = door_connect,
        .publish = session_publish,
        .subscribe = session_subscribe,
        .unsubscribe = session_unsubscribe,
        .closed = session_closed,
        .context = embedded,
    };
}
