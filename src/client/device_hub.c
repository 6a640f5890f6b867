// The device at its hub: connect, read the twin, send one message (service-api H.4).
#include "client/device_steps.h"
#include "client/session.h"
#include "client/wait.h"
#include "json/json.h"

#define HUB_API_VERSION "2021-04-12"
#define TWIN_RESPONSES  "$iothub/twin/res/"

enum { HUB_PORT = 8883 };

// "host:port" into its parts. A hub on the standard port has none.
static struct err split_host(struct arena *arena, struct slice hub, struct session_settings *session,
                             struct why *why)
{
    struct slice rest = hub, host;
    uint64_t port = HUB_PORT;
    (void)slice_cut(&rest, ':', &host);
    if (host.len < hub.len && (!slice_to_u64(rest, &port) || port == 0 || port > 65535))
        return why_fail(why, ERR_PROTOCOL, "the assigned hub '%.*s' is no host name", SLICE_ARG(hub));
    session->host = arena_cstr(arena, host);
    session->port = (uint16_t)port;
    return session->host != NULL ? OK : FAIL(ERR_NO_MEMORY);
}

static struct err connect_to_hub(const struct device_settings *settings, struct arena *arena,
                                 const struct device_result *result, int64_t deadline_us,
                                 struct session **session, struct why *why)
{
    struct slice resource, user_name;
    struct session_settings wanted = {.ca_file = settings->ca_file,
                                      .certificate_file = settings->certificate_file,
                                      .key_file = settings->key_file};
    TRY(split_host(arena, result->assigned_hub, &wanted, why));
    if (settings->hub_port != 0)
        wanted.port = settings->hub_port;
    TRY(arena_printf(arena, &resource, "%.*s/devices/%.*s", SLICE_ARG(result->assigned_hub),
                     SLICE_ARG(result->device_id)));
    TRY(device_token(settings, arena, resource, (struct slice){0}, &wanted.password, why));
    TRY(arena_printf(arena, &user_name, "%.*s/%.*s/?api-version=" HUB_API_VERSION "&DeviceClientType=usher",
                     SLICE_ARG(result->assigned_hub), SLICE_ARG(result->device_id)));
    wanted.user_name = arena_cstr(arena, user_name);
    wanted.client_id = arena_cstr(arena, result->device_id);
    if (wanted.user_name == NULL || wanted.client_id == NULL)
        return FAIL(ERR_NO_MEMORY);
    device_step(settings, "connecting to the hub at %s:%u", wanted.host, wanted.port);
    return session_open(&wanted, deadline_us, session, why);
}

static struct err read_twin(struct session *session, struct arena *arena, int64_t deadline_us,
                            struct device_result *result, struct why *why)
{
    struct session_message message = {0};
    struct json_doc doc = {0};
    struct why what;
    TRY(session_subscribe(session, TWIN_RESPONSES "#", 0, deadline_us, why));
    TRY(session_ask(session, "$iothub/twin/GET/?$rid=1", (struct slice){0}, TWIN_RESPONSES, 1, deadline_us,
                    arena, &message, why));
    if (!slice_starts_with(message.topic, SLICE(TWIN_RESPONSES "200/")))
        return why_fail(why, ERR_CONFLICT, "the hub does not give the twin: %.*s", SLICE_ARG(message.topic));
    if (failed(json_read(message.payload, JSON_LIMITS_DEFAULT, &doc, &what)))
        return why_fail(why, ERR_PROTOCOL, "the twin cannot be read: %s", what.text);
    bool whole = json_kind(json_get(json_root(&doc), "desired")) == JSON_KIND_OBJECT;
    json_doc_release(&doc);
    if (!whole)
        return why_fail(why, ERR_PROTOCOL, "the twin has no desired properties");
    result->twin = message.payload;
    return OK;
}

static struct err send_telemetry(struct session *session, struct arena *arena, int64_t deadline_us,
                                 const struct device_result *result, struct why *why)
{
    struct slice topic;
    TRY(arena_printf(arena, &topic, "devices/%.*s/messages/events/", SLICE_ARG(result->device_id)));
    const char *text = arena_cstr(arena, topic);
    if (text == NULL)
        return FAIL(ERR_NO_MEMORY);
    return session_publish(session, text, SLICE("{\"message\":\"hello\"}"), deadline_us, why);
}

struct err device_visit_hub(const struct device_settings *settings, struct arena *arena,
                            struct device_result *result, struct why *why)
{
    int64_t deadline_us = wait_now_us() + INT64_C(1000000) * DEVICE_DEADLINE_S;
    struct session *session = NULL;
    struct err e = connect_to_hub(settings, arena, result, deadline_us, &session, why);
    if (!failed(e)) {
        result->connected = true;
        device_step(settings, "connected; reading the twin");
        e = read_twin(session, arena, deadline_us, result, why);
    }
    if (!failed(e)) {
        device_step(settings, "sending one telemetry message");
        e = send_telemetry(session, arena, deadline_us, result, why);
    }
    result->telemetry_sent = !failed(e);
    session_close(session);
    return e;
}
