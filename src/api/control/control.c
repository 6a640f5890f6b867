// The table of what can be asked and changed of the daemon's services, and the area that serves it.
#include "api/control/control.h"

#include <stdlib.h>

#include "api/control/work.h"
#include "api/operator.h"

#define SERVICE  "control/services/{}"
#define HUB      SERVICE "/linkedHubs/{}"
#define POLICY   SERVICE "/policies/{}"
#define CERT     SERVICE "/certificates/{}"
#define CONFIG   RIGHT_SERVICE_CONFIG
#define LOCAL    0
#define NOTHING  CALL_BODY_IGNORED
#define OPTIONAL CALL_BODY_OPTIONAL
#define NEEDED   CALL_BODY_NEEDED
#define LARGE    CALL_BODY_LARGE

static const struct call_route routes[] = {
    {"GET", "control/status", LOCAL, NOTHING, {status_show}},
    {"GET", "control/metrics", LOCAL, NOTHING, {metrics_look, metrics_show}},
    {"GET", "control/services", LOCAL, NOTHING, {service_list}},
    {"GET", SERVICE, CONFIG, NOTHING, {settings_load, service_show}},
    {"PUT",
     SERVICE,
     CONFIG,
     CALL_BODY_LARGE_OPTIONAL, // thousands of latencies
     {settings_begin, settings_load, service_put, settings_saved, service_put_told}},
    {"DELETE",
     SERVICE,
     LOCAL,
     NOTHING,
     {settings_begin, settings_load, service_check_unused, service_counted, settings_saved, service_deleted}},
    {"POST", SERVICE "/listkeys", CONFIG, NOTHING, {settings_load, policy_list_keys}},

    {"GET", SERVICE "/linkedHubs", CONFIG, NOTHING, {settings_load, linked_hub_list}},
    {"GET", HUB, CONFIG, NOTHING, {settings_load, linked_hub_count, linked_hub_show}},
    {"PUT",
     HUB,
     CONFIG,
     NEEDED,
     {linked_hub_check_embedded, linked_hub_begin, settings_load, linked_hub_put, settings_saved,
      linked_hub_put_told}},
    {"DELETE",
     HUB,
     CONFIG,
     NOTHING,
     {settings_begin, settings_load, linked_hub_delete, settings_saved, service_deleted}},

    {"POST", SERVICE "/dryRuns", LOCAL, LARGE, {settings_load, dry_run_read, dry_run_ask, dry_run_take}},
    {"GET", SERVICE "/dryRuns/{}", LOCAL, NOTHING, {settings_load, dry_run_show}},

    {"GET",
     SERVICE "/registrations/{}",
     RIGHT_SERVICE_CONFIG | RIGHT_REGISTRATION_READ,
     NOTHING,
     {settings_load, registration_find, registration_show_all}},

    {"GET", SERVICE "/policies", CONFIG, NOTHING, {settings_load, policy_list}},
    {"GET", POLICY, CONFIG, NOTHING, {settings_load, policy_show}},
    {"PUT",
     POLICY,
     CONFIG,
     NEEDED,
     {settings_begin, settings_load, policy_put, settings_saved, policy_put_told}},
    {"DELETE",
     POLICY,
     CONFIG,
     NOTHING,
     {settings_begin, settings_load, policy_delete, settings_saved, service_deleted}},
    {"POST", POLICY "/listkeys", CONFIG, NOTHING, {settings_load, policy_show_keys}},

    {"GET", SERVICE "/certificates", CONFIG, NOTHING, {certificate_list, certificate_list_page}},
    {"GET", CERT, CONFIG, NOTHING, {certificate_begin, certificate_load, certificate_show}},
    {"PUT",
     CERT,
     CONFIG,
     NEEDED,
     {certificate_begin, certificate_load, certificate_prepare, certificate_put, certificate_put_saved,
      certificate_put_done}},
    {"DELETE",
     CERT,
     CONFIG,
     NOTHING,
     {certificate_begin_delete, certificate_load, certificate_count_groups, certificate_groups_counted,
      certificate_delete, certificate_deleted, certificate_gone}},
    {"POST",
     CERT "/generateVerificationCode",
     CONFIG,
     OPTIONAL,
     {certificate_begin, certificate_load, proof_make_code, proof_code_made}},
    {"POST",
     CERT "/verify",
     CONFIG,
     NEEDED,
     {certificate_begin, certificate_load, proof_verify, proof_verified}},
    {"GET", CERT "/crl", CONFIG, NOTHING, {certificate_begin, certificate_load, crl_load, crl_show}},
    {"PUT", CERT "/crl", CONFIG, LARGE, {certificate_begin, certificate_load, crl_put, crl_put_done}},
    {"DELETE",
     CERT "/crl",
     CONFIG,
     NOTHING,
     {certificate_begin, certificate_load, crl_load, crl_delete, crl_deleted, crl_gone}},

    {"GET",
     "control/hubs",
     LOCAL,
     NOTHING,
     {embedded_hub_list, embedded_hub_listed, embedded_hub_next, embedded_hub_counted}},
    {"GET",
     "control/hubs/{}",
     LOCAL,
     NOTHING,
     {embedded_hub_load, embedded_hub_found, embedded_hub_count, embedded_hub_show}},
    {"POST", "control/hubs/{}/listkeys", LOCAL, NOTHING, {embedded_hub_load, embedded_hub_show_keys}},
};

struct err status_show(struct call *call)
{
    const struct control_api *api = work_of(call)->api;
    struct json_writer w;
    json_begin(&w, &call->x->body);
    json_object_open(&w);
    json_field_text(&w, "version", slice_text(api->settings.version));
    json_field_number(&w, "uptimeSeconds", (clock_monotonic_us(api->area.clock) - api->started_us) / 1000000);
    json_key(&w, "listeners");
    api->settings.status(api->settings.context, &w);
    json_field_number(&w, "services", (int64_t)directory_count(call->held));
    json_object_close(&w);
    return buf_err(&call->x->body);
}

// The policy that counts is one of the very service that the path names.
static struct err admit(struct call *call)
{
    const struct exchange *x = call->x;
    work_of(call)->api = call->area->api;
    bool names_service = x->segment_count > 2 && slice_equal_nocase(x->segments[1], SLICE("services"));
    const struct service *service = names_service ? directory_by_name(call->held, call->names[0])
                                                  : directory_by_host(call->held, x->request.host);
    TRY(operator_check(call->x, service, call->route->right, call->now_us, &call->why));
    call->service = names_service ? service : NULL;
    return names_service ? arena_lower(&call->x->arena, call->names[0], &work_of(call)->key) : OK;
}

static bool claims(void *context, const struct exchange *x)
{
    (void)context;
    return x->segment_count > 0 && slice_equal_nocase(x->segments[0], SLICE("control"));
}

struct err control_api_new(const struct control_api_settings *settings, struct control_api **out)
{
    struct control_api *api = calloc(1, sizeof *api);
    *out = api;
    if (api == NULL)
        return FAIL(ERR_NO_MEMORY);
    api->settings = *settings;
    api->started_us = clock_monotonic_us(settings->clock);
    api->area = (struct call_area){
        .api = api,
        .store = settings->store,
        .directory = settings->directory,
        .clock = settings->clock,
        .random = settings->random,
        .log = settings->log,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .state_size = sizeof(struct work),
        .admit = admit,
    };
    return OK;
}

void control_api_free(struct control_api *api)
{
    free(api);
}

struct http_area control_http_area(struct control_api *api)
{
    return (struct http_area){.name = "control",
                              .claims = claims,
                              .handle = call_begin,
                              .context = &api->area,
                              .local_body_max = CALL_BODY_LARGE_MAX};
}
