// The table of what operators may do with enrollments and registrations, and the area that serves it.
#include "api/service/service.h"

#include <stdlib.h>

#include "api/operator.h"
#include "api/service/work.h"
#include "api/version.h"
#include "domain/identifier.h"

#define READ   RIGHT_ENROLLMENT_READ
#define WRITE  RIGHT_ENROLLMENT_WRITE
#define STATES RIGHT_REGISTRATION_READ
#define FORGET RIGHT_REGISTRATION_WRITE

// Reading keys needs the right to write them (service-api A.3).
#define ENROLLMENT_ROUTES(path)                                                                              \
    {"GET", path "/{}", READ, CALL_BODY_IGNORED, {enrollment_load, enrollment_load_state, enrollment_show}}, \
        {"PUT",                                                                                              \
         path "/{}",                                                                                         \
         WRITE,                                                                                              \
         CALL_BODY_NEEDED,                                                                                   \
         {enrollment_begin_put, enrollment_reload, enrollment_make, enrollment_put,                          \
          enrollment_show_written}},                                                                         \
        {"DELETE", path "/{}", WRITE, CALL_BODY_IGNORED, {enrollment_delete, enrollment_deleted}},           \
        {"POST", path "/query", READ, CALL_BODY_OPTIONAL, {listing_begin, listing_ask, listing_write}},      \
        {"POST",                                                                                             \
         path "/{}/attestationmechanism",                                                                    \
         WRITE,                                                                                              \
         CALL_BODY_IGNORED,                                                                                  \
         {enrollment_load, enrollment_show_attestation}},                                                    \
    {                                                                                                        \
        "POST", path, WRITE, CALL_BODY_NEEDED,                                                               \
        {                                                                                                    \
            bulk_begin, bulk_load, bulk_make, bulk_apply, bulk_note                                          \
        }                                                                                                    \
    }

static const struct call_route routes[] = {
    ENROLLMENT_ROUTES("enrollments"),
    ENROLLMENT_ROUTES("enrollmentGroups"),
    {"GET", "registrations/{}", STATES, CALL_BODY_IGNORED, {registration_load, registration_show}},
    {"DELETE", "registrations/{}", FORGET, CALL_BODY_IGNORED, {registration_delete, registration_deleted}},
    {"POST",
     "registrations/{}/query",
     STATES,
     CALL_BODY_OPTIONAL,
     {registration_list, listing_ask, listing_write}},
    {"", "registrations", 0, CALL_BODY_IGNORED, {NULL}}, // 405: the ID is missing
};

static struct err admit(struct call *call)
{
    struct work *work = work_of(call);
    struct slice first = call->x->segments[0];
    work->api = call->area->api;
    TRY(operator_service(call->x, call->held, &call->service, &call->why));
    TRY(operator_check(call->x, call->service, call->route->right, call->now_us, &call->why));
    work->table = STORE_ENROLLMENT;
    if (slice_equal_nocase(first, SLICE("enrollmentGroups"))) {
        work->kind = ENROLLMENT_GROUP;
        work->table = STORE_GROUP;
    } else if (slice_equal_nocase(first, SLICE("registrations"))) {
        work->table = STORE_REGISTRATION;
    }
    return api_version_check(call->x, &call->why);
}

enum err_code work_not_found(const struct work *work)
{
    if (work->table == STORE_REGISTRATION)
        return ERR_REGISTRATION_NOT_FOUND;
    return work->kind == ENROLLMENT_GROUP ? ERR_GROUP_NOT_FOUND : ERR_ENROLLMENT_NOT_FOUND;
}

enum log_key work_log_key(const struct work *work)
{
    if (work->table == STORE_REGISTRATION)
        return LOG_registrationId;
    return work->kind == ENROLLMENT_GROUP ? LOG_group : LOG_enrollment;
}

struct err work_key(struct call *call, struct slice *key)
{
    if (failed(registration_id_check(call->names[0], "the ID", NULL)))
        return FAIL(work_not_found(work_of(call)));
    return arena_lower(&call->x->arena, call->names[0], key);
}

static bool claims(void *context, const struct exchange *x)
{
    (void)context;
    static const char *const mine[] = {"enrollments", "enrollmentGroups", "registrations"};
    for (size_t i = 0; i < sizeof mine / sizeof mine[0] && x->segment_count > 0; i++) {
        if (slice_equal_nocase(x->segments[0], slice_text(mine[i])))
            return true;
    }
    return false;
}

struct err service_api_new(const struct service_api_settings *settings, struct service_api **out)
{
    struct service_api *api = calloc(1, sizeof *api);
    *out = api;
    if (api == NULL)
        return FAIL(ERR_NO_MEMORY);
    api->continuation_key = settings->continuation_key;
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

void service_api_free(struct service_api *api)
{
    if (api == NULL)
        return;
    secret_wipe(&api->continuation_key);
    free(api);
}

struct http_area service_http_area(struct service_api *api)
{
    return (struct http_area){
        .name = "service", .claims = claims, .handle = call_begin, .context = &api->area};
}
