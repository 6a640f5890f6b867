// The device API over MQTT: a CONNECT with a token is one flow request, each register or poll another. A
// certificate is judged when the device asks for something.
#include "api/device/mqtt_session.h"

#include <stdlib.h>

#include "api/device/messages.h"

enum {
    UNDER_WAY_MAX = 4, // requests of one device at once
    PROOF_MS = 30000,  // a device that is not let in yet has so long to register
    SILENT_MS = 2000,  // one that asks for nothing is judged by then, and what judging needs is given back
};

#define REGISTER_TOPIC SLICE("$dps/registrations/PUT/iotdps-register/?")
#define POLL_TOPIC     SLICE("$dps/registrations/GET/iotdps-get-operationstatus/?")
#define REPLY_FILTER   SLICE("$dps/registrations/res/#")

// ---- the user name
// -----------------------------------------------------------------------------------------------------------

struct user_name {
    struct slice id_scope;
    struct slice registration_id;
    struct slice api_version;
    struct slice client_version; // percent-encoded, or empty
    bool tpm;
};

// {scope}/registrations/{id}/api-version={v}[&ClientVersion=…][&…] (device-protocol 2.1).
static bool user_name_split(struct slice text, struct user_name *out)
{
    struct slice registrations = SLICE("/registrations/");
    struct slice version = SLICE("/api-version=");
    size_t at = slice_find(text, registrations);
    if (at == text.len || device_is_token(text)) // whose sr= may look like it
        return false;
    struct slice rest = slice_from(text, at + registrations.len);
    size_t end = slice_find(rest, version);
    if (end == rest.len)
        return false;
    struct slice options = slice_from(rest, end + version.len);
    *out = (struct user_name){.id_scope = slice_to(text, at), .registration_id = slice_to(rest, end)};
    (void)slice_cut(&options, '&', &out->api_version);
    out->tpm = mqtt_tpm_wanted(options);
    struct slice client = SLICE("ClientVersion=");
    if (slice_starts_with(options, client)) // the rest of it may hold an unencoded '&'
        out->client_version = slice_from(options, client.len);
    return true;
}

static bool claims(void *context, const struct mqtt_connect *connect)
{
    (void)context;
    struct user_name name;
    return connect->has_user_name && user_name_split(connect->user_name, &name);
}

// ---- requests
// ------------------------------------------------------------------------------------------------------------------

static struct err request_fill(struct session *s, enum flow_verb verb, struct flow_request *request)
{
    struct arena *arena = &request->arena;
    request->verb = verb;
    request->protocol = SLICE("mqtt");
    request->connection = mqtt_link_connection(s->link);
    request->challenge_channel = request->connection;
    request->context_word = link_ticket_word(mqtt_link_ticket(s->link));
    request->context = s->api;
    TRY(arena_copy(arena, mqtt_link_peer(s->link), &request->peer));
    TRY(arena_copy(arena, s->id_scope, &request->id_scope));
    TRY(arena_copy(arena, s->registration_id, &request->registration_id));
    TRY(arena_copy(arena, s->client, &request->client));
    TRY(arena_copy(arena, s->api_version, &request->api_version));
    if (s->tpm)
        return mqtt_tpm_credential(s, request);
    return credential_keep(request, &s->credential);
}

static struct session *session_of(const struct flow_request *request)
{
    struct device_api *api = request->context;
    struct mqtt_link *link = mqtt_link_of(api->mqtt, link_ticket_of(request->context_word));
    return link != NULL ? mqtt_link_session(link) : NULL;
}

// ---- CONNECT
// -------------------------------------------------------------------------------------------------------------------

static void authenticated(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct session *s = session_of(request);
    if (s == NULL)
        return;
    if (failed(outcome->result)) {
        mqtt_link_refuse_quietly(s->link, outcome->result);
        return;
    }
    s->proven = true;
    mqtt_link_accept(s->link, MESSAGE_MAX);
}

static void refuse_large(struct session *s)
{
    struct why why;
    mqtt_link_close(s->link,
                    why_fail(&why, ERR_CAPPED,
                             "a packet of more than %d bytes from a device that is not let in",
                             MQTT_LIMIT_BEFORE_CONNECT),
                    &why);
}

static void judged(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct session *s = session_of(request);
    if (s == NULL || s->proven)
        return;
    s->judging = false;
    if (!failed(outcome->result))
        mqtt_session_proven(s);
    else if (s->large)
        refuse_large(s);
}

// Asks whether the device is let in, when it has not asked for anything that shows it.
static struct err judge(struct session *s)
{
    if (s->judging)
        return OK;
    struct flow_request *request = flow_request_new(s->api->flow);
    struct err e = request == NULL ? FAIL(ERR_OVERLOADED) : request_fill(s, FLOW_AUTHENTICATE, request);
    if (failed(e)) {
        flow_request_free(s->api->flow, request);
        return e;
    }
    s->judging = true;
    request->done = judged;
    flow_submit(s->api->flow, request);
    return OK;
}

static void been_silent(struct poll_timer *timer)
{
    struct session *s = timer->context;
    poller_timer_release(s->api->poller, timer);
    if (failed(judge(s)) && s->credential.chain != NULL)
        chain_rest(s->credential.chain);
}

// Its first message may be as large as any (device-protocol 2.3): the device is let in first.
static void large(void *session)
{
    struct session *s = session;
    struct err e = judge(s);
    s->large = true;
    if (failed(e))
        mqtt_link_close(s->link, e, NULL);
}

// As the real service does (device-protocol 2.1): a certificate that is not let in may connect all the same,
// and is told why not when it registers. So CONNECT does not ask: the register call that follows would look
// at all of it once more.
static void accept_unproven(struct session *s)
{
    int64_t now_us = clock_monotonic_us(s->api->clock);
    s->silent.fire = been_silent;
    s->silent.context = s;
    if (failed(poller_timer_start(s->api->poller, &s->silent, SILENT_MS))) {
        mqtt_link_refuse(s->link, FAIL(ERR_NO_MEMORY), NULL);
        return;
    }
    mqtt_link_expires(s->link, now_us + PROOF_MS * INT64_C(1000), "a register call that is let in");
    mqtt_link_accept(s->link, MQTT_LIMIT_BEFORE_CONNECT);
    mqtt_link_may_ask(s->link, MESSAGE_MAX);
}

// Copies to where `*at` is, and moves it on.
static struct slice keep(uint8_t **at, struct slice text)
{
    struct slice kept = slice_of(*at, text.len);
    if (text.len > 0)
        memcpy(*at, text.at, text.len);
    *at += text.len;
    return kept;
}

static struct session *session_new(struct device_api *api, struct mqtt_link *link,
                                   const struct user_name *name, struct slice token)
{
    const struct quirk *quirk = quirk_of_mqtt(name->api_version, name->client_version);
    bool known = quirk->client[0] != '\0';
    struct slice client = known ? slice_text(quirk->client) : name->client_version;
    struct slice api_version = slice_to(name->api_version, API_VERSION_MAX);
    size_t size = sizeof(struct session) + name->id_scope.len + name->registration_id.len + client.len +
                  api_version.len + token.len;
    struct session *s = calloc(1, size);
    if (s == NULL)
        return NULL;
    uint8_t *at = s->text;
    s->size = size;
    s->api = api;
    s->link = link;
    s->quirk = quirk;
    s->id_scope = keep(&at, name->id_scope);
    s->registration_id = keep(&at, name->registration_id);
    s->client = keep(&at, client);
    s->api_version = keep(&at, api_version);
    s->credential.sas.resource = keep(&at, token); // until it is read
    s->tpm = name->tpm && token.len == 0;
    return s;
}

// A password counts, whatever else the device shows; without one its certificate does.
static struct err credential_fill(struct session *s, struct why *why)
{
    struct credential *credential = &s->credential;
    struct slice token = credential->sas.resource;
    struct chain *chain = mqtt_link_chain(s->link);
    if (token.len > 0) {
        if (chain != NULL)
            chain_rest(chain); // else TLS holds it, decoded, as long as the connection lives
        credential->kind = CREDENTIAL_SAS;
        return sas_parse(token, &credential->sas, why);
    }
    if (chain == NULL)
        return why_fail(why, ERR_CREDENTIAL_MISSING,
                        "send a SAS token as the password, or show a certificate");
    credential->kind = CREDENTIAL_X509;
    credential->chain = chain;
    return OK;
}

static struct err session_fill(struct session *s, const struct user_name *name,
                               const struct mqtt_connect *connect, struct why *why)
{
    if (!slice_equal_nocase(connect->client_id, name->registration_id)) {
        return why_fail(why, ERR_IDENTITY_MISMATCH,
                        "the client ID is \"%.*s\", but the user name says \"%.*s\"",
                        SLICE_ARG(device_shown(connect->client_id)), SLICE_ARG(name->registration_id));
    }
    return s->tpm ? OK : credential_fill(s, why);
}

static void *connected(void *context, struct mqtt_link *link, const struct mqtt_connect *connect)
{
    struct device_api *api = context;
    struct user_name name = {0};
    (void)user_name_split(connect->user_name, &name);
    struct session *s =
        session_new(api, link, &name, connect->has_password ? connect->password : (struct slice){0});
    if (s == NULL)
        return NULL;
    struct why why = {0};
    struct err e = session_fill(s, &name, connect, &why);
    if (s->tpm && !failed(e)) {
        mqtt_tpm_connect(s);
        return s;
    }
    // a wrong ID scope and a service in trouble are no matter of the certificate: the flow says so at once
    if (!failed(e) && s->credential.kind == CREDENTIAL_X509 &&
        flow_expects(api->flow, s->id_scope, s->registration_id)) {
        accept_unproven(s);
        return s;
    }
    struct flow_request *request = failed(e) ? NULL : flow_request_new(api->flow);
    if (!failed(e))
        e = request == NULL ? FAIL(ERR_OVERLOADED) : request_fill(s, FLOW_AUTHENTICATE, request);
    if (failed(e)) {
        flow_request_free(api->flow, request);
        mqtt_link_refuse(link, e, &why);
        return s;
    }
    request->done = authenticated;
    flow_submit(api->flow, request);
    return s;
}

// ---- answers
// -------------------------------------------------------------------------------------------------------------------

void mqtt_session_proven(struct session *s)
{
    s->refused = s->challenged = 0;
    if (s->proven)
        return;
    s->proven = true;
    s->large = false;
    poller_timer_release(s->api->poller, &s->silent);
    mqtt_link_expires(s->link, 0, NULL);
    mqtt_link_limit(s->link, MESSAGE_MAX);
}

static void registered(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct session *s = session_of(request);
    if (s == NULL)
        return;
    s->under_way--;
    if (outcome->challenge.len > 0) {
        mqtt_tpm_challenge(s, outcome, request->correlation);
        return;
    }
    struct slice rid = request->correlation;
    struct slice tracking_id = slice_of(request->tracking_id, GUID_TEXT);
    struct err e = outcome_error(outcome);
    if (failed(e)) {
        mqtt_reply_error(s, e, &outcome->why, rid, tracking_id);
        // asking costs little, judging certificates much more: who goes on pays for another handshake (A8)
        if (err_info(e)->class == ERR_CLASS_AUTH && ++s->refused >= REFUSED_MAX)
            mqtt_link_close(s->link, OK, NULL);
        return;
    }
    mqtt_session_proven(s);
    if (s->tpm && request->verb == FLOW_REGISTER)
        mqtt_tpm_admitted(s, request);
    struct buf body = buf_capped(REPLY_MAX);
    device_operation_write(&body, outcome, request->api_version);
    mqtt_reply(s, outcome->registration->status == STATUS_ASSIGNING ? 202 : 200, rid, outcome->retry_after_s,
               &body);
    buf_release(&body);
}

// ---- PUBLISH
// -------------------------------------------------------------------------------------------------------------------

// The value of a parameter of the topic's query, as it stands there.
static struct slice parameter(struct slice query, struct slice name)
{
    struct slice part;
    while (slice_cut(&query, '&', &part)) {
        struct slice key;
        if (slice_cut(&part, '=', &key) && slice_equal(key, name))
            return part;
    }
    return (struct slice){0};
}

static struct err publish_fill(struct session *s, enum flow_verb verb, struct slice query,
                               const struct mqtt_publish *publish, struct flow_request *request,
                               struct why *why)
{
    TRY(request_fill(s, verb, request));
    TRY(arena_copy(&request->arena, parameter(query, SLICE("$rid")), &request->correlation));
    if (verb == FLOW_REGISTER && s->tpm)
        return mqtt_tpm_register(s, publish->payload, request, why);
    if (verb == FLOW_REGISTER)
        return device_body_read(publish->payload, s->registration_id, &request->arena, &request->payload,
                                why);
    return arena_copy(&request->arena, parameter(query, SLICE("operationId")), &request->operation_id);
}

static bool published(void *session, const struct mqtt_publish *publish)
{
    struct session *s = session;
    bool registers = slice_starts_with(publish->topic, REGISTER_TOPIC);
    if (!registers && !slice_starts_with(publish->topic, POLL_TOPIC))
        return false;
    struct slice query = slice_from(publish->topic, registers ? REGISTER_TOPIC.len : POLL_TOPIC.len);
    struct flow_request *request = s->under_way < UNDER_WAY_MAX ? flow_request_new(s->api->flow) : NULL;
    struct why why = {0};
    struct err e = FAIL(s->under_way < UNDER_WAY_MAX ? ERR_OVERLOADED : ERR_THROTTLED);
    if (request != NULL)
        e = publish_fill(s, registers ? FLOW_REGISTER : FLOW_OPERATION, query, publish, request, &why);
    if (!failed(e)) {
        s->under_way++;
        request->done = registered;
        flow_submit(s->api->flow, request);
        return true;
    }
    char tracking_id[GUID_TEXT] = "00000000-0000-0000-0000-000000000000";
    if (request != NULL)
        memcpy(tracking_id, request->tracking_id, GUID_TEXT);
    mqtt_link_log_refusal(s->link, s->registration_id, e, &why);
    mqtt_reply_error(s, e, &why, parameter(query, SLICE("$rid")), slice_of(tracking_id, GUID_TEXT));
    flow_request_free(s->api->flow, request);
    return true;
}

// ---- the rest of the door
// --------------------------------------------------------------------------------------------------------

static uint8_t subscribed(void *session, struct slice filter, uint8_t qos)
{
    struct session *s = session;
    if (!slice_equal(filter, REPLY_FILTER))
        return MQTT_SUBSCRIPTION_FAILED;
    s->subscribed = true;
    s->qos = qos > 0 ? 1 : 0;
    return s->qos;
}

static void unsubscribed(void *session, struct slice filter)
{
    struct session *s = session;
    if (slice_equal(filter, REPLY_FILTER))
        s->subscribed = false;
}

static void closed(void *session)
{
    struct session *s = session;
    poller_timer_release(s->api->poller, &s->silent);
    mqtt_tpm_closed(s);
    bytes_wipe(s, s->size); // a token is in it
    free(s);
}

struct mqtt_door device_mqtt_door(struct device_api *api)
{
    return (struct mqtt_door){
        .name = "device",
        .claims = claims,
        .connect = connected,
        .publish = published,
        .subscribe = subscribed,
        .unsubscribe = unsubscribed,
        .large = large,
        .closed = closed,
        .answers_publishes = true,
        .context = api,
    };
}
