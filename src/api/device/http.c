// The device API over HTTPS: three routes, each one flow request.
#include "api/device/api.h"

#include "api/device/messages.h"
#include "api/device/quirks.h"
#include "api/media.h"
#include "api/version.h"

// Path: /{scope}/registrations/{id} and then `rest`; one more segment holds the operation ID when
// takes_operation.
static const struct route {
    const char *method;
    const char *rest;
    size_t segments;
    enum flow_verb verb;
} routes[] = {
    {"PUT", "register", 4, FLOW_REGISTER},
    {"GET", "operations", 5, FLOW_OPERATION},
    {"POST", "", 3, FLOW_LOOKUP},
};

static bool claims(void *context, const struct exchange *x)
{
    (void)context;
    return x->segment_count >= 3 && slice_equal_nocase(x->segments[1], SLICE("registrations"));
}

static bool path_fits(const struct route *route, const struct exchange *x)
{
    return x->segment_count == route->segments &&
           (route->segments == 3 || slice_equal_nocase(x->segments[3], slice_text(route->rest)));
}

static const struct route *route_of(const struct exchange *x, struct err *why_not)
{
    *why_not = FAIL(ERR_ROUTE);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!path_fits(&routes[i], x))
            continue;
        if (slice_equal(x->request.method_text, slice_text(routes[i].method)))
            return &routes[i];
        *why_not = FAIL(ERR_METHOD);
    }
    return NULL;
}

static void answer_outcome(struct exchange *x, const struct flow_request *request,
                           const struct flow_outcome *outcome)
{
    bool final = outcome->registration->status != STATUS_ASSIGNING;
    char seconds[12];
    if (!final) {
        struct buf text = {.at = (uint8_t *)seconds, .room = sizeof seconds, .cap = sizeof seconds};
        buf_decimal(&text, outcome->retry_after_s);
        struct slice kept = {0};
        if (!failed(arena_copy(&x->arena, buf_slice(&text), &kept)))
            exchange_header(x, "Retry-After", kept);
    }
    if (request->verb == FLOW_LOOKUP)
        device_result_write(&x->body, outcome, request->api_version);
    else
        device_operation_write(&x->body, outcome, request->api_version);
    // 202 to a register call even when assigned: C# and the identity service take nothing else
    // (device-protocol 3.3)
    exchange_answer(x, request->verb == FLOW_REGISTER || !final ? 202 : 200);
}

// 401 and nothing else, with a body that is no error's (device-protocol 3.4).
static void answer_challenge(struct exchange *x, const struct flow_outcome *outcome)
{
    device_challenge_write(&x->body, outcome);
    x->challenges = true;
    exchange_answer(x, 401);
}

static void done(struct flow_request *request, const struct flow_outcome *outcome)
{
    struct exchange *x = request->context;
    memcpy(x->tracking_id, request->tracking_id, GUID_TEXT);
    x->logged = true;
    bool disabled = outcome->registration != NULL && outcome->registration->status == STATUS_DISABLED;
    if (failed(outcome->result))
        exchange_refuse(x, outcome->result, &outcome->why);
    else if (disabled)
        exchange_refuse(x, FAIL(ERR_ENROLLMENT_DISABLED), NULL);
    else if (outcome->challenge.len > 0)
        answer_challenge(x, outcome);
    else
        answer_outcome(x, request, outcome);
}

// A token counts, whatever else the device shows; without one its TPM does, which then gets a challenge, and
// without that its certificate. Whoever says what its TPM is gets a challenge for a token that is none, too.
static struct err credential_fill(struct exchange *x, struct flow_request *request, struct why *why)
{
    struct slice token = http_header(&x->request, SLICE("Authorization"));
    struct credential *credential = &request->credential;
    struct chain *chain = exchange_chain(x);
    bool has_tpm = credential->tpm.endorsement_key.len > 0;
    if (chain != NULL && (token.len > 0 || has_tpm))
        chain_rest(chain); // else TLS holds it, decoded, as long as the connection lives
    if (token.len > 0) {
        TRY(arena_copy(&request->arena, token, &token));
        struct err e = sas_parse(token, &credential->sas, why);
        credential->kind = failed(e) && has_tpm ? CREDENTIAL_TPM : CREDENTIAL_SAS;
        return has_tpm ? OK : e;
    }
    if (has_tpm) {
        credential->kind = CREDENTIAL_TPM;
        return OK;
    }
    if (chain == NULL)
        return why_fail(why, ERR_CREDENTIAL_MISSING,
                        "send a SAS token in the Authorization header, or show a certificate");
    credential->kind = CREDENTIAL_X509;
    credential->chain = chain_hold(chain);
    return OK;
}

static struct err body_fill(struct exchange *x, struct flow_request *request, struct why *why)
{
    struct device_tpm tpm;
    TRY(device_body_read_tpm(x->request.body, request->registration_id, &request->arena, &request->payload,
                             &tpm, why));
    request->credential.tpm = tpm.identity;
    request->credential.chain = tpm.chain;
    return OK;
}

static struct err fill(struct exchange *x, const struct route *route, struct flow_request *request,
                       struct why *why)
{
    struct arena *arena = &request->arena;
    struct slice agent = http_header(&x->request, SLICE("User-Agent"));
    if (agent.len == 0)
        agent = http_header(&x->request, SLICE("UserAgent")); // the C SDK spells it so
    const struct quirk *quirk = quirk_of_http(agent);
    request->verb = route->verb;
    request->protocol = SLICE("http");
    request->client = quirk->client[0] != '\0' ? slice_text(quirk->client) : agent;
    request->connection = x->connection;
    TRY(api_version_check(x, why));
    TRY(http_query_get(x->request.query, SLICE("api-version"), arena, &request->api_version));
    TRY(arena_copy(arena, request->api_version,
                   &request->api_version)); // the operation outlives the exchange
    if (route->verb != FLOW_OPERATION)      // a GET's body is not read: Node sends "{}"
        TRY(media_check(&x->request, why));
    TRY(arena_copy(arena, request->client, &request->client));
    TRY(arena_copy(arena, x->peer, &request->peer));
    TRY(arena_copy(arena, x->segments[0], &request->id_scope));
    TRY(arena_copy(arena, x->segments[2], &request->registration_id));
    if (route->verb == FLOW_OPERATION)
        TRY(arena_copy(arena, x->segments[4], &request->operation_id));
    else
        TRY(body_fill(x, request, why));
    return credential_fill(x, request, why);
}

static void handle(void *context, struct exchange *x)
{
    struct device_api *api = context;
    struct err e = OK;
    const struct route *route = route_of(x, &e);
    if (route == NULL) {
        exchange_refuse(x, e, NULL);
        return;
    }
    if (x->request.length_missing) {
        exchange_refuse(x, FAIL(ERR_LENGTH_REQUIRED), NULL);
        return;
    }
    struct flow_request *request = flow_request_new(api->flow);
    if (request == NULL) {
        exchange_refuse(x, FAIL(ERR_OVERLOADED), NULL);
        return;
    }
    struct why why = {0};
    e = fill(x, route, request, &why);
    if (failed(e)) {
        flow_request_free(api->flow, request);
        exchange_refuse(x, e, &why);
        return;
    }
    request->done = done;
    request->context = x;
    flow_submit(api->flow, request);
}

struct http_area device_http_area(struct device_api *api)
{
    return (struct http_area){.name = "device", .claims = claims, .handle = handle, .context = api};
}
