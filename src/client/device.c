// Registering with the provisioning service (device-protocol sections 2, 3, 5 and 9).
#include "client/device.h"

#include <stdarg.h>

#include "base/text.h"
#include "client/device_steps.h"
#include "client/https.h"
#include "client/session.h"
#include "client/wait.h"
#include "json/json.h"
#include "json/write.h"

#define API_VERSION  "2021-06-01"
#define RESPONSES    "$dps/registrations/res/"
#define CONTENT_TYPE "application/json; charset=utf-8"

enum { RETRY_AFTER_S = 2, RETRY_AFTER_MAX_S = 30 }; // what clients take when the service does not say

// One registration under way, over one of the two connections.
struct provisioning {
    const struct device_settings *settings;
    struct arena *arena;
    struct session *mqtt;
    struct https *https;
    const char *token;
    unsigned rid;
    int64_t deadline_us;
};

// What the service said, whichever way it came.
struct reply {
    unsigned status;
    int64_t retry_after_s;
    struct slice body;
};

void device_step(const struct device_settings *settings, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (settings->step != NULL)
        settings->step(settings->context, line);
}

static struct err cstr(struct arena *arena, const char **out, struct slice text)
{
    *out = arena_cstr(arena, text);
    return *out != NULL ? OK : FAIL(ERR_NO_MEMORY);
}

// The status in $dps/registrations/res/{status}/?$rid=…&retry-after={seconds}.
static struct err read_topic(struct slice topic, struct reply *reply, struct why *why)
{
    struct slice rest = slice_from(topic, sizeof RESPONSES - 1), part;
    uint64_t number;
    if (!slice_cut(&rest, '/', &part) || !slice_to_u64(part, &number) || number > 999)
        return why_fail(why, ERR_PROTOCOL, "a response topic without a status: %.*s", SLICE_ARG(topic));
    reply->status = (unsigned)number;
    reply->retry_after_s = RETRY_AFTER_S;
    while (slice_cut(&rest, '&', &part)) {
        if (slice_starts_with(part, SLICE("retry-after=")) && slice_to_u64(slice_from(part, 12), &number))
            reply->retry_after_s = number < RETRY_AFTER_MAX_S ? (int64_t)number : RETRY_AFTER_MAX_S;
    }
    return OK;
}

static struct err ask_mqtt(struct provisioning *p, struct slice operation, struct slice body,
                           struct reply *reply, struct why *why)
{
    struct slice topic;
    const char *text;
    struct session_message message = {0};
    p->rid++;
    if (slice_empty(operation))
        TRY(arena_printf(p->arena, &topic, "$dps/registrations/PUT/iotdps-register/?$rid=%u", p->rid));
    else
        TRY(arena_printf(p->arena, &topic,
                         "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=%u&operationId=%.*s",
                         p->rid, SLICE_ARG(operation)));
    TRY(cstr(p->arena, &text, topic));
    TRY(session_ask(p->mqtt, text, body, RESPONSES, p->rid, p->deadline_us, p->arena, &message, why));
    reply->body = message.payload;
    return read_topic(message.topic, reply, why);
}

static struct err ask_https(struct provisioning *p, struct slice operation, struct slice body,
                            struct reply *reply, struct why *why)
{
    const struct device_settings *settings = p->settings;
    struct slice target;
    uint64_t retry_after;
    struct http_answer answer;
    bool registers = slice_empty(operation);
    struct http_field fields[3] = {{SLICE("Accept"), SLICE("application/json")}};
    size_t field_count = 1;
    if (p->token != NULL)
        fields[field_count++] = (struct http_field){SLICE("Authorization"), slice_text(p->token)};
    if (registers)
        fields[field_count++] = (struct http_field){SLICE("Content-Type"), SLICE(CONTENT_TYPE)};
    TRY(arena_printf(p->arena, &target, "/%.*s/registrations/%.*s/%s%.*s?api-version=" API_VERSION,
                     SLICE_ARG(settings->scope), SLICE_ARG(settings->registration_id),
                     registers ? "register" : "operations/", SLICE_ARG(operation)));
    const struct http_outgoing request = {.method = registers ? SLICE("PUT") : SLICE("GET"),
                                          .target = target,
                                          .host = slice_text(settings->host),
                                          .fields = fields,
                                          .field_count = field_count,
                                          .body = registers ? body : (struct slice){0},
                                          .has_body = registers};
    TRY(https_ask(p->https, &request, p->deadline_us, &answer, why));
    reply->status = answer.status;
    reply->retry_after_s = RETRY_AFTER_S;
    if (slice_to_u64(http_answer_header(&answer, SLICE("Retry-After")), &retry_after))
        reply->retry_after_s = retry_after < RETRY_AFTER_MAX_S ? (int64_t)retry_after : RETRY_AFTER_MAX_S;
    return arena_copy(p->arena, answer.body, &reply->body);
}

static struct err ask(struct provisioning *p, struct slice operation, struct slice body, struct reply *reply,
                      struct why *why)
{
    return p->settings->transport == DEVICE_MQTT ? ask_mqtt(p, operation, body, reply, why)
                                                 : ask_https(p, operation, body, reply, why);
}

static struct err open_mqtt(struct provisioning *p, struct why *why)
{
    const struct device_settings *settings = p->settings;
    struct slice user_name;
    struct session_settings session = {.host = settings->host,
                                       .port = settings->port,
                                       .ca_file = settings->ca_file,
                                       .certificate_file = settings->certificate_file,
                                       .key_file = settings->key_file,
                                       .password = p->token};
    TRY(arena_printf(p->arena, &user_name,
                     "%.*s/registrations/%.*s/api-version=" API_VERSION "%s&ClientVersion=usher",
                     SLICE_ARG(settings->scope), SLICE_ARG(settings->registration_id),
                     settings->tpm != NULL ? "&attestation=tpm" : ""));
    TRY(cstr(p->arena, &session.user_name, user_name));
    TRY(cstr(p->arena, &session.client_id, settings->registration_id));
    TRY(session_open(&session, p->deadline_us, &p->mqtt, why));
    return session_subscribe(p->mqtt, RESPONSES "#", 1, p->deadline_us, why);
}

static struct err make_token(struct provisioning *p, struct why *why)
{
    struct slice resource;
    TRY(arena_printf(p->arena, &resource, "%.*s/registrations/%.*s", SLICE_ARG(p->settings->scope),
                     SLICE_ARG(p->settings->registration_id)));
    return device_token(p->settings, p->arena, resource, SLICE("registration"), &p->token, why);
}

static struct err open_connection(struct provisioning *p, struct why *why)
{
    const struct device_settings *settings = p->settings;
    if (settings->tpm == NULL) // else there is nothing to sign with before the service sent a key
        TRY(make_token(p, why));
    if (settings->transport == DEVICE_MQTT)
        return open_mqtt(p, why);
    const struct https_settings https = {.host = settings->host,
                                         .port = settings->port,
                                         .ca_file = settings->ca_file,
                                         .certificate_file = settings->certificate_file,
                                         .key_file = settings->key_file};
    return https_open(&https, p->deadline_us, &p->https, why);
}

// The error body of device-protocol 8.4 as a line.
static struct err refusal(unsigned status, const struct json *root, struct why *why)
{
    int64_t code = status;
    (void)json_as_int(json_get(root, "errorCode"), &code);
    struct slice message = json_as_string(json_get(root, "message"));
    struct slice tracking = json_as_string(json_get(root, "trackingId"));
    return why_fail(why, ERR_CONFLICT, "%.*s (error %lld%s%.*s)%s",
                    slice_empty(message) ? 7 : (int)(message.len > 140 ? 140 : message.len),
                    slice_empty(message) ? "refused" : (const char *)message.at, (long long)code,
                    slice_empty(tracking) ? "" : ", tracking ID ", SLICE_ARG(tracking),
                    slice_empty(tracking) ? "" : ": usherd's log has the reason under that ID");
}

static struct err keep(struct arena *arena, struct slice *to, const struct json *object, const char *name)
{
    return arena_copy(arena, json_as_string(json_get(object, name)), to);
}

// Takes what the answer says into *result; ERR_CONFLICT when it is a refusal.
static struct err read_answer(struct provisioning *p, const struct reply *reply, struct device_result *result,
                              struct why *why)
{
    struct json_doc doc = {0};
    struct why what;
    if (failed(json_read(reply->body, JSON_LIMITS_DEFAULT, &doc, &what)) && reply->status < 300)
        return why_fail(why, ERR_PROTOCOL, "the answer cannot be read: %s", what.text);
    const struct json *root = json_root(&doc), *state = json_get(root, "registrationState");
    struct err e = OK;
    if (reply->status >= 300) {
        e = refusal(reply->status, root, why);
    } else {
        const struct {
            struct slice *to;
            const struct json *from;
            const char *name;
        } texts[] = {
            {&result->status, root, "status"},        {&result->operation_id, root, "operationId"},
            {&result->substatus, state, "substatus"}, {&result->assigned_hub, state, "assignedHub"},
            {&result->device_id, state, "deviceId"},
        };
        for (size_t i = 0; i < sizeof texts / sizeof *texts && !failed(e); i++)
            e = keep(p->arena, texts[i].to, texts[i].from, texts[i].name);
        if (!failed(e) && p->settings->tpm != NULL && slice_equal(result->status, SLICE("assigned")))
            e = device_take_key(p->settings, p->arena, json_get(state, "tpm"),
                                why); // from now on its key is the one for the hub
        if (!failed(e) && slice_equal(result->status, SLICE("failed"))) {
            int64_t code = 0;
            (void)json_as_int(json_get(state, "errorCode"), &code);
            e = why_fail(why, ERR_CONFLICT, "the registration failed: %.*s (error %lld)",
                         SLICE_ARG(json_as_string(json_get(state, "errorMessage"))), (long long)code);
        }
    }
    json_doc_release(&doc);
    return e;
}

// device-protocol 3.4: the answer to a device that has not proved itself yet.
static struct err take_challenge(struct provisioning *p, const struct reply *reply, bool *taken,
                                 struct why *why)
{
    struct json_doc doc = {0};
    struct why unused;
    struct err e = OK;
    *taken = false;
    if (p->settings->tpm == NULL || reply->status != 401 || p->token != NULL ||
        failed(json_read(reply->body, JSON_LIMITS_DEFAULT, &doc, &unused)))
        return OK;
    if (json_kind(json_get(json_root(&doc), "authenticationKey")) == JSON_KIND_STRING) {
        device_step(p->settings, "challenged: the TPM takes the key that only it can use, and signs with it");
        e = device_take_key(p->settings, p->arena, json_root(&doc), why);
        if (!failed(e))
            e = make_token(p, why);
        *taken = !failed(e);
    }
    json_doc_release(&doc);
    return e;
}

static struct err pause_for(struct provisioning *p, int64_t seconds, struct why *why)
{
    int64_t until_us = wait_now_us() + seconds * 1000000;
    if (until_us > p->deadline_us)
        return why_fail(why, ERR_TIMEOUT, "the registration is not finished after %d seconds",
                        DEVICE_DEADLINE_S);
    if (p->mqtt != NULL)
        return session_idle(p->mqtt, until_us, why);
    wait_until(until_us);
    return OK;
}

static struct err write_body(struct provisioning *p, struct buf *body, struct why *why)
{
    const struct device_settings *settings = p->settings;
    struct json_writer w;
    buf_clear(body);
    json_begin(&w, body);
    json_object_open(&w);
    json_field_text(&w, "registrationId", settings->registration_id);
    if (settings->tpm != NULL)
        device_write_tpm(settings, &w);
    if (settings->tpm != NULL && settings->transport == DEVICE_MQTT && p->token != NULL)
        json_field_text(&w, "authorization", slice_text(p->token)); // docs/tpm-over-mqtt.md
    if (!slice_empty(settings->payload)) {
        struct json_doc doc = {0};
        struct why what;
        if (failed(json_read(settings->payload, JSON_LIMITS_DEFAULT, &doc, &what)))
            return why_fail(why, ERR_INVALID, "the payload: %s", what.text);
        json_field_node(&w, "payload", json_root(&doc));
        json_doc_release(&doc);
    }
    json_object_close(&w);
    return buf_err(body);
}

// Registers, and asks again until the outcome is known. "Busy" is answered by sending the same once more, a
// challenge by sending it with the proof.
static struct err run(struct provisioning *p, struct buf *body, struct device_result *result, struct why *why)
{
    for (;;) {
        struct reply reply = {0};
        bool challenged;
        TRY(write_body(p, body, why));
        TRY(ask(p, result->operation_id, buf_slice(body), &reply, why));
        TRY(take_challenge(p, &reply, &challenged, why));
        if (challenged)
            continue;
        bool busy = reply.status == 429 || reply.status >= 500;
        if (!busy) {
            TRY(read_answer(p, &reply, result, why));
            if (!slice_equal(result->status, SLICE("assigning")))
                return OK;
            if (slice_empty(result->operation_id))
                return why_fail(why, ERR_PROTOCOL, "the service is assigning, and gave no operation ID");
        }
        device_step(p->settings, "%s: asking again in %lld s", busy ? "the service is busy" : "assigning",
                    (long long)reply.retry_after_s);
        TRY(pause_for(p, reply.retry_after_s, why));
    }
}

struct err device_register(const struct device_settings *settings, struct arena *arena,
                           struct device_result *result, struct why *why)
{
    int64_t began_us = wait_now_us();
    struct provisioning p = {
        .settings = settings, .arena = arena, .deadline_us = began_us + INT64_C(1000000) * DEVICE_DEADLINE_S};
    struct buf body = buf_capped(256 * 1024);
    *result = (struct device_result){0};
    struct err e = write_body(&p, &body, why); // before the connection: the payload may be wrong
    if (!failed(e)) {
        device_step(settings, "registering %.*s with %s:%u over %s", SLICE_ARG(settings->registration_id),
                    settings->host, settings->port, settings->transport == DEVICE_MQTT ? "MQTT" : "HTTPS");
        began_us = wait_now_us();
        e = open_connection(&p, why);
    }
    if (!failed(e))
        e = run(&p, &body, result, why);
    result->assigned_us = wait_now_us() - began_us;
    session_close(p.mqtt);
    https_close(p.https);
    buf_release(&body);
    TRY(e);
    if (!slice_equal(result->status, SLICE("assigned")))
        return why_fail(why, ERR_CONFLICT, "the registration ended as '%.*s'", SLICE_ARG(result->status));
    if (slice_empty(result->assigned_hub) || slice_empty(result->device_id))
        return why_fail(why, ERR_PROTOCOL, "assigned, but the answer lacks the hub or the device ID");
    device_step(settings, "assigned to %.*s as %.*s", SLICE_ARG(result->assigned_hub),
                SLICE_ARG(result->device_id));
    return OK;
}
