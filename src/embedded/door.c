// Admits a device to its hub: whose user name it is, and whether its token counts. All refusals look the same
// from outside (threats B1, B6); the log says which it was.
#include "embedded/embedded.h"

#include <stdlib.h>

#include "base/text.h"
#include "domain/device.h"
#include "domain/identifier.h"
#include "embedded/session.h"
#include "hub/embedded/device_update.h"

enum { SESSION_ARENA_CAP = 16 * 1024, PACKET_MAX = EMBEDDED_MESSAGE_MAX + 8 * 1024 };

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

// ---- the token ----------------------------------------------------------------------------------
struct err embedded_token_names(const struct sas_token *token, struct slice id, struct arena *scratch,
                                struct why *why)
{
    struct slice resource;
    struct slice part = {0};
    TRY(percent_decode(scratch, token->resource, &resource));
    for (int i = 0; i < 3; i++) { // {host}, "devices" or "twins", {id}
        if (!slice_cut(&resource, '/', &part) || slice_empty(part))
            return OK;
    }
    if (slice_equal(part, id))
        return OK;
    return why_fail(why, ERR_SAS_RESOURCE, "sr names another device");
}

static struct err token_covers(struct session *s, struct why *why)
{
    struct slice path;
    struct arena scratch = arena_capped(3 * SAS_TOKEN_MAX);
    struct err e = arena_printf(&scratch, &path, "devices/%.*s", (int)s->id.len, (const char *)s->id.at);
    if (!failed(e))
        e = sas_resource_covers(&s->token, &scratch, s->hub->host, path, why);
    if (!failed(e))
        e = embedded_token_names(&s->token, s->id, &scratch, why);
    arena_release(&scratch);
    return e;
}

static struct err policy_verify(struct session *s, struct slice name, struct why *why)
{
    const struct policy *policy = hub_settings_policy(&s->hub->settings, name);
    struct err e = sas_verify(&s->token, policy != NULL ? &policy->primary : NULL,
                              policy != NULL ? &policy->secondary : NULL);
    if (failed(e))
        return why_fail(why, e.code, "no key of policy '%.*s' made the signature",
                        SLICE_ARG(slice_to(name, 64)));
    if (policy == NULL || (policy->rights & HUB_DEVICE_CONNECT) == 0)
        return why_fail(why, ERR_RIGHT_MISSING, "the policy lacks DeviceConnect");
    return OK;
}

// device: NULL when there is none of that ID, which takes as long.
static struct err token_verify(struct session *s, const struct device *device, struct why *why)
{
    struct slice policy;
    TRY(sas_policy(&s->token, &s->arena, &policy, why));
    if (!slice_empty(policy)) {
        TRY(policy_verify(s, policy, why));
    } else {
        bool keys = device != NULL && device->authentication == HUB_AUTH_SAS;
        struct err e =
            sas_verify(&s->token, keys ? &device->primary_key : NULL, keys ? &device->secondary_key : NULL);
        if (failed(e) && device != NULL)
            return why_fail(why, e.code, "neither of the device's keys made the signature");
    }
    if (device == NULL)
        return why_fail(why, ERR_HUB_DEVICE_NOT_FOUND, "the hub has no such device");
    TRY(token_covers(s, why));
    if (sas_expired(&s->token, embedded_wall_us(s->embedded), 0))
        return why_fail(why, ERR_SAS_EXPIRED, "the token ended at %lld", (long long)s->token.expiry_s);
    if (device->status == DEVICE_DISABLED)
        return why_fail(why, ERR_HUB_CALLER, "the device is disabled");
    return OK;
}

static void accept(struct session *s)
{
    struct embedded *e = s->embedded;
    int64_t left = s->token.expiry_s * 1000000 - embedded_wall_us(e);
    mqtt_link_accept(s->link, PACKET_MAX);
    mqtt_link_expires(s->link, clock_monotonic_us(e->settings.clock) + left,
                      "a new token: the one given has expired");
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

static void device_read_for_connect(struct store_request *request)
{
    struct session *s = request->context;
    struct why why = request->why;
    struct err e = request->result;
    if (s->link != NULL) {
        if (s->embedded->stopping)
            e = FAIL(ERR_STOPPING);
        else if (!failed(e) || e.code == ERR_ABSENT)
            e = token_verify(s, request->found, &why);
        if (failed(e))
            refuse(s, e, &why);
        else
            accept(s);
    }
    struct lookup *lookup = CONTAINER_OF(request, struct lookup, request);
    arena_release(&lookup->arena);
    free(lookup);
    session_let_go(s);
}

// ---- CONNECT ------------------------------------------------------------------------------------
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
        .done = device_read_for_connect,
        .context = s,
    };
    s->holds++;
    store_submit(s->embedded->settings.store, &lookup->request);
    return OK;
}

// What can be judged without the device's record.
static struct err connect_check(struct session *s, const struct mqtt_connect *connect,
                                const struct user_name *name, struct why *why)
{
    struct slice password;
    if (s->embedded->stopping)
        return FAIL(ERR_STOPPING);
    if (!slice_empty(name->module))
        return why_fail(why, ERR_HUB_CALLER, "modules do not connect to this hub");
    TRY(device_id_check(s->id, "the device ID of the user name", why));
    if (!slice_equal(connect->client_id, s->id))
        return why_fail(why, ERR_IDENTITY_MISMATCH, "the client ID is not the device ID of the user name");
    if (!connect->has_password || slice_empty(connect->password))
        return why_fail(why, ERR_CREDENTIAL_MISSING, "the password holds no token");
    TRY(arena_copy(&s->arena, connect->password, &password));
    return sas_parse(password, &s->token, why);
}

static struct session *session_new(struct embedded *e, struct mqtt_link *link, const struct user_name *name)
{
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->arena = (struct arena){.cap = SESSION_ARENA_CAP, .wipe = true};
    struct slice id = slice_to(name->device, 4 * DEVICE_ID_MAX);
    if (failed(arena_copy(&s->arena, id, &s->id))) {
        free(s);
        return NULL;
    }
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
    struct session *s = session_new(context, link, &name);
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
