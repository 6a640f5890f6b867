// The device API over AMQP: SASL, or the first link of a device with a certificate, is one flow request; each
// register or poll another. How they are answered is in amqp_reply.c, how a TPM proves itself in sasl_tpm.c.
#include "api/device/amqp.h"

#include <stdlib.h>

#include "api/device/messages.h"
#include "api/error_body.h"

enum {
    UNPROVEN_MESSAGE_MAX = 4096,
    PROOF_MS = 30000, // a device whose certificate was not let in has so long to register after all
};

// ---- who it is
// -----------------------------------------------------------------------------------------------------------------

bool amqp_identity_split(struct slice text, struct slice *id_scope, struct slice *registration_id)
{
    struct slice registrations = SLICE("/registrations/");
    size_t at = slice_find(text, registrations);
    if (at == text.len || device_is_token(text)) // whose sr= may look like it
        return false;
    struct slice before = slice_to(text, at);
    for (size_t slash; (slash = slice_find_byte(before, '/')) < before.len;)
        before = slice_from(before, slash + 1);
    *id_scope = before;
    *registration_id = slice_from(text, at + registrations.len);
    return before.len > 0 && registration_id->len > 0;
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

// A token is in it.
static void forget_text(uint8_t *text, size_t len)
{
    if (text != NULL)
        bytes_wipe(text, len);
    free(text);
}

static size_t text_len(const struct amqp_session *s)
{
    return s->id_scope.len + s->registration_id.len + s->token.len;
}

struct err amqp_session_identify(struct amqp_session *s, struct slice id_scope, struct slice registration_id,
                                 struct slice token)
{
    uint8_t *at = malloc(id_scope.len + registration_id.len + token.len + 1);
    if (at == NULL)
        return FAIL(ERR_NO_MEMORY);
    uint8_t *before = s->text;
    size_t before_len = text_len(s);
    s->text = at;
    s->id_scope = keep(&at, id_scope);
    s->registration_id = keep(&at, registration_id);
    s->token = keep(&at, token);
    forget_text(before, before_len); // the arguments may be what was in it
    return OK;
}

// ---- requests
// ------------------------------------------------------------------------------------------------------------------

struct err amqp_request_fill(struct amqp_session *s, enum flow_verb verb, struct flow_request *request)
{
    struct arena *arena = &request->arena;
    request->verb = verb;
    request->protocol = SLICE("amqp");
    request->connection = amqp_connection_id(s->connection);
    request->challenge_channel = request->connection;
    request->context_word = link_ticket_word(amqp_connection_ticket(s->connection));
    request->context = s->api;
    TRY(arena_copy(arena, amqp_connection_peer(s->connection), &request->peer));
    TRY(arena_copy(arena, s->id_scope, &request->id_scope));
    TRY(arena_copy(arena, s->registration_id, &request->registration_id));
    TRY(arena_copy(arena, slice_of(s->client, s->client_len), &request->client));
    TRY(arena_copy(arena, slice_of(s->api_version, s->api_version_len), &request->api_version));
    return credential_keep(request, &s->credential);
}

struct amqp_session *amqp_session_of(const struct flow_request *request)
{
    struct device_api *api = request->context;
    struct amqp_connection *c = amqp_connection_of(api->amqp, link_ticket_of(request->context_word));
    return c != NULL ? amqp_connection_session(c) : NULL;
}

struct err amqp_authenticate(struct amqp_session *s,
                             void (*done)(struct flow_request *request, const struct flow_outcome *outcome))
{
    struct flow_request *request = flow_request_new(s->api->flow);
    if (request == NULL)
        return FAIL(ERR_OVERLOADED);
    struct err e = amqp_request_fill(s, FLOW_AUTHENTICATE, request);
    if (failed(e)) {
        flow_request_free(s->api->flow, request);
        return e;
    }
    request->done = done;
    amqp_connection_decide(s->connection);
    flow_submit(s->api->flow, request);
    return OK;
}

// ---- SASL
// --------------------------------------------------------------------------------------------------------------------

static void authenticated(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct amqp_session *s = amqp_session_of(request);
    if (s != NULL)
        amqp_sasl_decided(s, outcome);
}

void amqp_sasl_decided(struct amqp_session *s, const struct flow_outcome *outcome)
{
    if (failed(outcome->result)) {
        amqp_connection_refuse_quietly(s->connection, outcome->result);
        return;
    }
    if (outcome->challenge.len > 0) { // what was answered, if anything, is not what this TPM was asked
        struct why why;
        struct err e = why_fail(&why, ERR_CHALLENGE_UNKNOWN, "a TPM proves itself by the mechanism TPM");
        amqp_connection_refuse(s->connection, e, &why);
        return;
    }
    s->proven = s->judged = true;
    amqp_connection_admit(s->connection);
    amqp_connection_go_on(s->connection);
}

struct err amqp_take_token(struct amqp_session *s, struct why *why)
{
    struct chain *chain = amqp_connection_chain(s->connection);
    if (chain != NULL)
        chain_rest(chain); // else TLS holds it, decoded, as long as the connection lives
    s->credential.kind = CREDENTIAL_SAS;
    TRY(sas_parse(s->token, &s->credential.sas, why));
    return amqp_authenticate(s, authenticated);
}

// authzid NUL {scope}/registrations/{id} NUL token (device-protocol 4.2, RFC 4616).
static struct err sasl_plain(struct amqp_session *s, struct slice bytes, struct why *why)
{
    struct slice authorize, name, id_scope, registration_id;
    size_t separators = 0;
    for (size_t i = 0; i < bytes.len; i++)
        separators += bytes.at[i] == 0;
    if (separators != 2)
        return why_fail(why, ERR_CREDENTIAL_MISSING, "the response of PLAIN has not three parts");
    (void)slice_cut(&bytes, 0, &authorize);
    (void)slice_cut(&bytes, 0, &name);
    if (!amqp_identity_split(name, &id_scope, &registration_id) || id_scope.at != name.at)
        return why_fail(why, ERR_CREDENTIAL_MISSING,
                        "the user of PLAIN is \"%.*s\", and not {idScope}/registrations/{id}",
                        SLICE_ARG(device_shown(name)));
    if (authorize.len > 0 && !slice_equal_nocase(authorize, name))
        return why_fail(why, ERR_IDENTITY_MISMATCH, "PLAIN asks to act as \"%.*s\" for \"%.*s\"",
                        SLICE_ARG(device_shown(authorize)), SLICE_ARG(name));
    TRY(amqp_session_identify(s, id_scope, registration_id, bytes));
    return amqp_take_token(s, why);
}

// Whoever brings no proof in SASL is judged by its certificate: once it has said, with its first link, which
// device it is.
static struct err rely_on_certificate(struct amqp_session *s, struct why *why)
{
    s->credential.kind = CREDENTIAL_X509;
    s->credential.chain = amqp_connection_chain(s->connection);
    return s->credential.chain != NULL ? OK
                                       : why_fail(why, ERR_CREDENTIAL_MISSING,
                                                  "use SASL PLAIN with a SAS token, or show a certificate");
}

static void sasl_begins(struct amqp_session *s, const struct amqp_event *event)
{
    struct why why = {0};
    struct err e;
    struct slice mechanism = event->mechanism;
    if (slice_equal(mechanism, SLICE("PLAIN"))) {
        e = sasl_plain(s, event->bytes, &why);
    } else if (slice_equal(mechanism, SLICE("TPM"))) {
        e = sasl_tpm_begin(s, event, &why);
    } else if (slice_equal(mechanism, SLICE("EXTERNAL")) || slice_equal(mechanism, SLICE("ANONYMOUS"))) {
        e = rely_on_certificate(s, &why);
        if (!failed(e))
            amqp_connection_admit(s->connection);
    } else {
        e = why_fail(&why, ERR_CREDENTIAL_MISSING, "the SASL mechanism \"%.*s\" is not offered",
                     SLICE_ARG(device_shown(mechanism)));
    }
    if (failed(e))
        amqp_connection_refuse(s->connection, e, &why);
}

static void sasl_goes_on(struct amqp_session *s, const struct amqp_event *event)
{
    struct why why = {0};
    struct err e = sasl_tpm_response(s, event->bytes, &why);
    if (failed(e))
        amqp_connection_refuse(s->connection, e, &why);
}

static void opened(struct amqp_session *s)
{
    struct why why = {0};
    struct err e = s->credential.kind == CREDENTIAL_NONE ? rely_on_certificate(s, &why) : OK;
    if (failed(e))
        amqp_connection_refuse(s->connection, e, &why);
    else
        amqp_connection_open(s->connection);
}

// ---- links
// -----------------------------------------------------------------------------------------------------------------------

static void accept_link(struct amqp_session *s, struct amqp_link *link, bool to_peer)
{
    if (to_peer)
        s->receiver = link;
    amqp_connection_limit(s->connection, s->proven ? AMQP_MESSAGE_MAX : UNPROVEN_MESSAGE_MAX);
    amqp_link_accept(link);
    amqp_connection_ready(s->connection);
}

// As over MQTT: a certificate that is not let in may come in all the same, and is told why not when it
// registers (device-protocol 7.4); nothing else can be told in a way that an SDK shows.
static void certificate_judged(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct amqp_session *s = amqp_session_of(request);
    if (s == NULL)
        return;
    s->judged = true;
    s->proven = !failed(outcome->result);
    if (!s->proven) {
        int64_t now_us = clock_monotonic_us(s->api->clock);
        amqp_connection_expires(s->connection, now_us + PROOF_MS * INT64_C(1000),
                                "a register call that is let in");
    }
    struct amqp_link *link = s->first;
    s->first = NULL;
    accept_link(s, link, s->first_to_peer);
    amqp_connection_go_on(s->connection);
}

// All links are those of one device: the one that SASL named, or with a certificate the first link
// (threats B1).
static struct err link_check(struct amqp_session *s, const struct amqp_event *event, struct why *why)
{
    struct slice id_scope, registration_id;
    if (!amqp_identity_split(event->address, &id_scope, &registration_id))
        return why_fail(why, ERR_INVALID,
                        "the link's address is \"%.*s\", and not …{idScope}/registrations/{id}",
                        SLICE_ARG(device_shown(event->address)));
    if (s->registration_id.len == 0)
        TRY(amqp_session_identify(s, id_scope, registration_id, (struct slice){0}));
    if (!slice_equal_nocase(id_scope, s->id_scope) ||
        !slice_equal_nocase(registration_id, s->registration_id))
        return why_fail(
            why, ERR_IDENTITY_MISMATCH,
            "the link's address is \"%.*s\", but the connection is that of %.*s/registrations/%.*s",
            SLICE_ARG(event->address), SLICE_ARG(s->id_scope), SLICE_ARG(s->registration_id));
    if (event->to_peer && s->receiver != NULL)
        return why_fail(why, ERR_INVALID, "there is a link to receive answers already");
    return OK;
}

static void note_client(struct amqp_session *s, const struct amqp_event *event)
{
    s->quirk = quirk_of_amqp(event->link_name, event->client_version);
    bool known = s->quirk->client[0] != '\0';
    struct slice client = known ? slice_text(s->quirk->client) : event->client_version;
    s->client_len = client.len < sizeof s->client ? client.len : sizeof s->client;
    if (s->client_len > 0)
        memcpy(s->client, client.at, s->client_len);
}

static void note_api_version(struct amqp_session *s, struct slice version)
{
    version = slice_to(version, sizeof s->api_version);
    if (s->api_version_len > 0 || version.len == 0)
        return;
    memcpy(s->api_version, version.at, version.len);
    s->api_version_len = version.len;
}

static void attached(struct amqp_session *s, const struct amqp_event *event)
{
    struct why why = {0};
    struct err e = link_check(s, event, &why);
    if (!failed(e) && s->quirk->client[0] == '\0')
        note_client(s, event);
    if (!failed(e))
        note_api_version(s, event->api_version);
    if (!failed(e) && !s->judged) {
        s->first = event->link;
        s->first_to_peer = event->to_peer;
        e = amqp_authenticate(s, certificate_judged);
    } else if (!failed(e)) {
        accept_link(s, event->link, event->to_peer);
    }
    if (!failed(e))
        return;
    amqp_connection_log_refusal(s->connection, s->registration_id, e, &why);
    struct why sentence = error_sentence(e, &why);
    amqp_link_refuse(event->link, slice_text(err_info(e)->amqp), slice_text(sentence.text));
    amqp_session_refused(s);
}

static void detached(struct amqp_session *s, const struct amqp_link *link)
{
    if (s->receiver == link)
        s->receiver = NULL;
    for (size_t i = 0; i < AMQP_UNDER_WAY_MAX; i++) {
        if (s->calls[i].link == link)
            s->calls[i].delivery = NULL;
    }
}

// ---- answers
// -------------------------------------------------------------------------------------------------------------------

static void registered(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct amqp_session *s = amqp_session_of(request);
    if (s == NULL)
        return;
    struct amqp_origin origin;
    memcpy(&origin, request->correlation.at, sizeof origin);
    struct err e = outcome_error(outcome);
    if (!failed(e) && outcome->registration == NULL) // its challenge is no longer kept: it must begin anew
        e = FAIL(ERR_CHALLENGE_UNKNOWN);
    if (failed(e)) {
        amqp_reply_error(s, &origin, e, &outcome->why, request->tracking_id);
        return;
    }
    s->refused = 0;
    if (!s->proven) {
        s->proven = true;
        amqp_connection_expires(s->connection, 0, NULL);
        amqp_connection_limit(s->connection, AMQP_MESSAGE_MAX);
    }
    bool assigning = outcome->registration->status == STATUS_ASSIGNING;
    struct amqp_answer answer = {
        .origin = origin, .status = assigning ? "202" : "200", .retry_after_s = outcome->retry_after_s};
    struct buf body = buf_capped(AMQP_REPLY_MAX);
    device_operation_write(&body, outcome, request->api_version);
    amqp_reply(s, &answer, &body);
}

// ---- messages
// ------------------------------------------------------------------------------------------------------------------

static struct slice property(const struct amqp_message *message, struct slice name)
{
    for (size_t i = 0; i < message->property_count; i++) {
        if (slice_equal(message->properties[i].name, name))
            return message->properties[i].value;
    }
    return (struct slice){0};
}

// The identity is the connection's, so a body is needed for nothing but a payload (device-protocol 4.5).
static struct err message_fill(struct amqp_session *s, const struct amqp_message *message,
                               const struct amqp_origin *origin, struct flow_request *request,
                               struct why *why)
{
    struct slice type = property(message, SLICE("iotdps-operation-type"));
    bool registers = slice_equal(type, SLICE("iotdps-register"));
    if (!registers && !slice_equal(type, SLICE("iotdps-get-operationstatus")))
        return why_fail(
            why, ERR_INVALID,
            "the application property iotdps-operation-type is \"%.*s\"; it must be iotdps-register "
            "or iotdps-get-operationstatus",
            SLICE_ARG(device_shown(type)));
    if (s->receiver == NULL)
        return why_fail(why, ERR_INVALID, "attach a link to receive the answer first");
    TRY(amqp_request_fill(s, registers ? FLOW_REGISTER : FLOW_OPERATION, request));
    TRY(arena_copy(&request->arena, slice_of(origin, sizeof *origin), &request->correlation));
    if (registers)
        return device_body_read(message->body, s->registration_id, &request->arena, &request->payload, why);
    return arena_copy(&request->arena, property(message, SLICE("iotdps-operation-id")),
                      &request->operation_id);
}

static size_t free_call(const struct amqp_session *s)
{
    size_t i = 0;
    while (i < AMQP_UNDER_WAY_MAX && s->calls[i].link != NULL)
        i++;
    return i;
}

static void too_large(struct amqp_session *s, const struct amqp_event *event)
{
    struct why why;
    struct err e = why_fail(&why, ERR_CAPPED, "a message of more than %zu bytes", event->limit);
    amqp_reply_reject(s, event->delivery, e, &why);
    amqp_session_refused(s);
}

static void delivered(struct amqp_session *s, const struct amqp_event *event)
{
    struct amqp_origin origin = {.call = free_call(s), .correlation = event->message->correlation};
    struct flow_request *request = origin.call < AMQP_UNDER_WAY_MAX ? flow_request_new(s->api->flow) : NULL;
    if (request == NULL) {
        amqp_reply_reject(s, event->delivery,
                          FAIL(origin.call < AMQP_UNDER_WAY_MAX ? ERR_OVERLOADED : ERR_THROTTLED), NULL);
        return;
    }
    struct why why = {0};
    s->calls[origin.call] = (struct amqp_call){.link = event->link, .delivery = event->delivery};
    struct err e = message_fill(s, event->message, &origin, request, &why);
    if (!failed(e)) {
        request->done = registered;
        flow_submit(s->api->flow, request);
        return;
    }
    amqp_connection_log_refusal(s->connection, s->registration_id, e, &why);
    amqp_reply_error(s, &origin, e, &why, request->tracking_id);
    flow_request_free(s->api->flow, request);
}

// ---- the door
// ------------------------------------------------------------------------------------------------------------------

static void *session_open(void *context, struct amqp_connection *connection)
{
    struct amqp_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->api = context;
    s->connection = connection;
    s->quirk = quirk_of_amqp((struct slice){0}, (struct slice){0});
    return s;
}

static void happened(void *session, const struct amqp_event *event)
{
    struct amqp_session *s = session;
    switch (event->kind) {
    case AMQP_SASL_INIT:
        sasl_begins(s, event);
        break;
    case AMQP_SASL_RESPONSE:
        sasl_goes_on(s, event);
        break;
    case AMQP_OPENED:
        opened(s);
        break;
    case AMQP_ATTACHED:
        attached(s, event);
        break;
    case AMQP_DETACHED:
        detached(s, event->link);
        break;
    case AMQP_DELIVERED:
        delivered(s, event);
        break;
    case AMQP_TOO_LARGE:
        too_large(s, event);
        break;
    case AMQP_CLOSED:
    case AMQP_BROKEN:
        break;
    }
}

static void closed(void *session)
{
    struct amqp_session *s = session;
    sasl_tpm_free(s->tpm);
    forget_text(s->text, text_len(s));
    bytes_wipe(s, sizeof *s); // what was read of the token
    free(s);
}

struct amqp_door device_amqp_door(struct device_api *api)
{
    return (struct amqp_door){.open = session_open, .event = happened, .closed = closed, .context = api};
}
