// The hub's REST API: which requests are its own, the one table of path x method x right, and who may pass
// (threats D7). What is not in the table is refused.
#include "crypto/sas.h"
#include "domain/identifier.h"
#include "embedded/call.h"

#include <stdlib.h>

enum shape { ALL, ONE, SUB }; // /first, /first/{id}, /first/{id}/third

static const struct route {
    const char *first;
    enum shape shape;
    const char *word; // ALL: the second segment, or NULL; SUB: the third
    enum http_method method;
    uint32_t rights; // any of these
    void (*handle)(struct call *call);
} routes[] = {
    {"devices", ALL, NULL, HTTP_METHOD_GET, HUB_REGISTRY_READ, devices_list},
    {"devices", ALL, NULL, HTTP_METHOD_POST, HUB_REGISTRY_WRITE, devices_bulk},
    {"devices", ALL, "query", HTTP_METHOD_POST, HUB_SERVICE_CONNECT, devices_query},
    {"devices", ONE, NULL, HTTP_METHOD_GET, HUB_REGISTRY_READ, device_get},
    {"devices", ONE, NULL, HTTP_METHOD_PUT, HUB_REGISTRY_WRITE, device_put},
    {"devices", ONE, NULL, HTTP_METHOD_DELETE, HUB_REGISTRY_WRITE, device_delete},
    {"statistics", ALL, "devices", HTTP_METHOD_GET, HUB_REGISTRY_READ, statistics_devices},
    {"statistics", ALL, "service", HTTP_METHOD_GET, HUB_REGISTRY_READ | HUB_SERVICE_CONNECT,
     statistics_service},
    {"twins", ONE, NULL, HTTP_METHOD_GET, HUB_SERVICE_CONNECT, twin_get},
    {"twins", ONE, NULL, HTTP_METHOD_PATCH, HUB_SERVICE_CONNECT, twin_patch},
    {"twins", ONE, NULL, HTTP_METHOD_PUT, HUB_SERVICE_CONNECT, twin_put},
    {"twins", SUB, "methods", HTTP_METHOD_POST, HUB_SERVICE_CONNECT, method_invoke},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };

static bool path_is(const struct route *route, const struct exchange *x)
{
    if (x->segment_count == 0 || !slice_equal_nocase(x->segments[0], slice_text(route->first)))
        return false;
    switch (route->shape) {
    case ALL:
        if (route->word == NULL)
            return x->segment_count == 1;
        return x->segment_count == 2 && slice_equal_nocase(x->segments[1], slice_text(route->word));
    case ONE:
        return x->segment_count == 2;
    default:
        return x->segment_count == 3 && slice_equal_nocase(x->segments[2], slice_text(route->word));
    }
}

static struct err route_find(const struct exchange *x, const struct route **out, struct why *why)
{
    bool path = false;
    for (size_t i = 0; i < ROUTES; i++) {
        bool here = path_is(&routes[i], x);
        path = path || here;
        if (here && routes[i].method == x->request.method) {
            *out = &routes[i];
            return OK;
        }
    }
    if (path)
        return FAIL(ERR_METHOD);
    return why_fail(why, ERR_ROUTE, "the hub serves nothing at this path");
}

// ---- who may pass -------------------------------------------------------------------------------
// The hub by the Host field; the only one there is, whatever that says.
static const struct hub *hub_for(const struct hubs *hubs, const struct exchange *x)
{
    const struct hub *hub = hubs_find(hubs, x->request.host);
    return hub == NULL && hubs->count == 1 ? &hubs->list[0] : hub;
}

static struct err authorize_token(struct call *call, const struct sas_token *token, const struct route *route,
                                  struct why *why)
{
    struct exchange *x = call->x;
    struct slice name;
    TRY(sas_policy(token, &x->arena, &name, why));
    const struct policy *policy = hub_settings_policy(&call->hub->settings, name);
    struct err e = sas_verify(token, policy != NULL ? &policy->primary : NULL,
                              policy != NULL ? &policy->secondary : NULL);
    if (policy == NULL)
        return why_fail(why, ERR_POLICY_UNKNOWN, "the hub has no policy '%.*s'", SLICE_ARG(name));
    if (failed(e))
        return why_fail(why, e.code, "neither key of policy '%.*s' made the signature", SLICE_ARG(name));
    struct slice path = slice_from(x->request.path, 1);
    TRY(sas_resource_covers(token, &x->arena, call->hub->host, path, why));
    if (route->shape != ALL)
        TRY(embedded_token_names(token, x->segments[1], &x->arena, why));
    if (sas_expired(token, embedded_wall_us(call->embedded), EMBEDDED_REST_SKEW_S))
        return why_fail(why, ERR_SAS_EXPIRED, "the token ended at %lld", (long long)token->expiry_s);
    TRY(arena_copy(&x->arena, policy->name, &x->caller)); // the policy may be gone before the answer
    if ((policy->rights & route->rights) == 0)
        return why_fail(why, ERR_RIGHT_MISSING, "the policy '%.*s' lacks the right", SLICE_ARG(policy->name));
    return OK;
}

static struct err authorize(struct call *call, const struct route *route, struct why *why)
{
    if (call->x->local)
        return OK;
    struct slice header = http_header(&call->x->request, SLICE("Authorization"));
    if (slice_empty(header))
        return why_fail(why, ERR_CREDENTIAL_MISSING, "there is no Authorization");
    struct sas_token token;
    TRY(sas_parse(header, &token, why));
    return authorize_token(call, &token, route, why);
}

// ---- the request --------------------------------------------------------------------------------
static struct err body_read(struct call *call, struct why *why)
{
    const struct http_request *request = &call->x->request;
    if (slice_empty(slice_trim(request->body)) || request->method == HTTP_METHOD_GET ||
        request->method == HTTP_METHOD_DELETE)
        return OK;
    struct json_limits limits = {.bytes = EXCHANGE_BODY_CAP, .depth = JSON_DEPTH_MAX};
    return json_read(request->body, limits, &call->body, why);
}

static struct err request_read(struct call *call, const struct route *route, struct why *why)
{
    struct exchange *x = call->x;
    struct slice match = http_header(&x->request, SLICE("If-Match"));
    if (!slice_empty(slice_trim(match))) {
        call->has_etag = true;
        hub_etag_read(match, &call->any_etag, &call->etag);
    }
    if (route->shape != ALL) {
        call->id = x->segments[1];
        TRY(device_id_check(call->id, "the device ID of the path", why));
    }
    return body_read(call, why);
}

static struct call *call_new(struct embedded *e, struct exchange *x)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->embedded = e;
    call->x = x;
    call->hubs = hubs_hold(e->hubs);
    call->arena = (struct arena){.cap = CALL_ARENA_CAP, .wipe = true};
    embedded_hold(e);
    return call;
}

static void area_handle(void *context, struct exchange *x)
{
    struct embedded *e = context;
    struct why why = {0};
    const struct route *route = NULL;
    struct call *call = e->stopping ? NULL : call_new(e, x);
    if (call == NULL) {
        exchange_refuse_as_hub(x, FAIL(e->stopping ? ERR_STOPPING : ERR_NO_MEMORY), NULL);
        return;
    }
    struct err error = OK;
    call->hub = hub_for(call->hubs, x);
    if (call->hub == NULL)
        error = why_fail(&why, ERR_ROUTE, "no embedded hub has the name of the Host field");
    if (!failed(error))
        error = route_find(x, &route, &why);
    if (!failed(error))
        error = authorize(call, route, &why);
    if (!failed(error))
        error = request_read(call, route, &why);
    if (failed(error))
        call_refuse(call, error, &why);
    else
        route->handle(call);
}

static bool area_claims(void *context, const struct exchange *x)
{
    (void)context;
    for (size_t i = 0; i < ROUTES && x->segment_count > 0; i++) {
        if (slice_equal_nocase(x->segments[0], slice_text(routes[i].first)))
            return true;
    }
    return false;
}

struct http_area embedded_area(struct embedded *embedded)
{
    return (struct http_area){
        .name = "hub", .claims = area_claims, .handle = area_handle, .context = embedded};
}
