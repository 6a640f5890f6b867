// Services as a whole.
#include "api/control/work.h"

#include "base/instant.h"
#include "base/text.h"
#include "domain/identifier.h"

enum { NAME_MIN = 3, NAME_MAX_LENGTH = 50, SCOPE_TRIES = 16 };

static struct slice allocation_word(enum allocation_policy policy)
{
    switch (policy) {
    case ALLOCATION_STATIC:
        return SLICE("Static");
    case ALLOCATION_GEO_LATENCY:
        return SLICE("GeoLatency");
    default:
        return SLICE("Hashed");
    }
}

static const char *const tpm_certificate_words[] = {[false] = "optional", [true] = "required"};
const struct names tpm_certificate_names = {tpm_certificate_words, 2};

static void field_instant(struct json_writer *w, const char *key, int64_t us)
{
    char text[40];
    struct buf out = {.at = (uint8_t *)text, .room = sizeof text, .cap = sizeof text};
    instant_format(&out, us);
    json_field_text(w, key, buf_slice(&out));
}

static void write_latencies(struct json_writer *w, const struct service *service)
{
    json_key(w, "latencies");
    json_array_open(w);
    for (size_t i = 0; i < service->latency_count; i++) {
        const struct latency *latency = &service->latencies[i];
        json_object_open(w);
        json_field_text(w, "zone", latency->zone);
        json_field_text(w, "hub", latency->hub);
        json_key(w, "milliseconds");
        json_decimal(w, (double)latency->us / 1000);
        json_object_close(w);
    }
    json_array_close(w);
}

// `whole`: with the latencies, of which there may be thousands.
static void write_service(struct json_writer *w, const struct control_api *api, const struct service *service,
                          bool whole)
{
    char text[ETAG_TEXT_MAX];
    struct buf etag = {.at = (uint8_t *)text, .room = sizeof text, .cap = sizeof text};
    etag_write(&etag, service->etag);
    json_object_open(w);
    json_field_text(w, "name", service->name);
    json_field_text(w, "etag", buf_slice(&etag));
    json_field_text(w, "idScope", service->id_scope);
    json_field_text(w, "serviceOperationsHostName", service->host_name);
    json_field_text(w, "allocationPolicy", allocation_word(service->allocation));
    json_field_text(w, "tpmEndorsementCertificates",
                    name_of(&tpm_certificate_names, service->tpm_certificate_required));
    json_field_bool(w, "avoidFailingHubs", service->avoid_failing_hubs);
    json_key(w, "unreachableHub");
    if (service->unreachable == UNREACHABLE_UNSET)
        json_nothing(w);
    else
        json_text(w, name_of(&unreachable_rule_names, service->unreachable));
    if (whole)
        write_latencies(w, service);
    json_key(w, "iotHubs");
    json_array_open(w);
    for (size_t i = 0; i < service->hub_count; i++)
        linked_hub_write(w, api, service, &service->hubs[i]);
    json_array_close(w);
    json_key(w, "authorizationPolicies");
    json_array_open(w);
    for (size_t i = 0; i < service->policy_count; i++)
        policy_write(w, &service->policies[i], false);
    json_array_close(w);
    field_instant(w, "createdDateTimeUtc", service->created_us);
    field_instant(w, "lastUpdatedDateTimeUtc", service->updated_us);
    json_object_close(w);
}

static struct err answer_service(struct call *call)
{
    struct json_writer w;
    json_begin(&w, &call->x->body);
    write_service(&w, work_of(call)->api, work_of(call)->service, true);
    return buf_err(&call->x->body);
}

struct err service_list(struct call *call)
{
    struct json_writer w;
    json_begin(&w, &call->x->body);
    json_object_open(&w);
    json_key(&w, "value");
    json_array_open(&w);
    for (size_t i = 0; i < directory_count(call->held); i++)
        write_service(&w, work_of(call)->api, directory_at(call->held, i), false);
    json_array_close(&w);
    json_object_close(&w);
    return buf_err(&call->x->body);
}

struct err service_show(struct call *call)
{
    TRY(settings_loaded_required(call));
    return answer_service(call);
}

// ---- PUT

// service-api B.1
static struct err check_name(struct slice name, struct why *why)
{
    bool good = name.len >= NAME_MIN && name.len <= NAME_MAX_LENGTH && name.at[0] != '-' &&
                name.at[name.len - 1] != '-';
    bool digits = true;
    for (size_t i = 0; i < name.len && good; i++) {
        uint8_t c = name.at[i];
        bool digit = c >= '0' && c <= '9';
        digits = digits && digit;
        good = digit || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    }
    if (good && !digits)
        return OK;
    return why_fail(why, ERR_INVALID,
                    "a service's name has 3 to 50 letters, digits and '-', none of these first or last, and "
                    "not digits only");
}

static struct err new_id_scope(struct call *call, struct slice *out)
{
    for (int i = 0; i < SCOPE_TRIES; i++) {
        uint8_t bytes[4];
        struct buf hex = buf_capped(16);
        random_fill_from(call->area->random, bytes, sizeof bytes);
        buf_text(&hex, "0ne");
        hex_encode_upper(&hex, slice_of(bytes, sizeof bytes));
        struct err e =
            failed(buf_err(&hex)) ? buf_err(&hex) : arena_copy(&call->scratch, buf_slice(&hex), out);
        buf_release(&hex);
        TRY(e);
        if (directory_by_scope(call->held, *out) == NULL)
            return OK;
    }
    return FAIL(ERR_INTERNAL);
}

static struct err make_service(struct call *call)
{
    struct work *work = work_of(call);
    struct service *service = arena_take(&call->scratch, sizeof *service);
    struct policy *owner = arena_take(&call->scratch, sizeof *owner);
    if (service == NULL || owner == NULL)
        return FAIL(ERR_NO_MEMORY);
    TRY(check_name(call->names[0], &call->why));
    service->name = call->names[0];
    service->host_name = call->names[0];
    service->allocation = ALLOCATION_HASHED;
    TRY(new_id_scope(call, &service->id_scope));
    owner->name = SLICE("provisioningserviceowner");
    owner->rights = RIGHT_ALL;
    policy_make_keys(call->area->random, owner);
    service->policies = owner;
    service->policy_count = 1;
    work->service = service;
    return OK;
}

static struct err read_host(struct call *call, const struct json_in *in, struct service *service)
{
    struct slice host = {0};
    TRY(json_want_string(in, "serviceOperationsHostName", JSON_OPTIONAL, HOST_MAX, &host, &call->why));
    if (host.len == 0)
        return OK;
    TRY(host_check(host, "serviceOperationsHostName", &call->why));
    if (slice_find_byte(host, ':') < host.len)
        return json_refuse(in, "serviceOperationsHostName", &call->why,
                           "is compared without a port: give none");
    return arena_copy(&call->scratch, host, &service->host_name);
}

// Of two services with one host name the second could not be reached over HTTPS.
static struct err check_host_unique(struct call *call, const struct service *service)
{
    for (size_t i = 0; i < directory_count(call->held); i++) {
        const struct service *other = directory_at(call->held, i);
        if (!slice_equal_nocase(other->name, service->name) &&
            slice_equal_nocase(other->host_name, service->host_name))
            return why_fail(&call->why, ERR_CONFLICT, "the service %.*s has the host name %.*s",
                            SLICE_ARG(other->name), SLICE_ARG(slice_to(other->host_name, 100)));
    }
    return OK;
}

struct err service_put(struct call *call)
{
    struct work *work = work_of(call);
    struct json_in in = {.index = SIZE_MAX};
    TRY(settings_loaded(call));
    bool exists = work->service != NULL;
    TRY(settings_check_new(call, exists));
    if (!exists)
        TRY(make_service(call));
    if (json_root(&call->body) != NULL)
        TRY(json_in_root(json_root(&call->body), "the body", &in, &call->why));
    TRY(service_change(&call->scratch, &in, work->service, &call->why));
    TRY(read_host(call, &in, work->service));
    TRY(check_host_unique(call, work->service));
    return settings_save(call, exists ? "service.updated" : "service.created", LOG_idScope,
                         work->service->id_scope);
}

struct err service_put_told(struct call *call)
{
    TRY(settings_told(call));
    return answer_service(call);
}

// ---- DELETE

static const struct {
    enum store_table table;
    const char *what;
} uses[] = {{STORE_ENROLLMENT, "enrollments"},
            {STORE_GROUP, "enrollment groups"},
            {STORE_REGISTRATION, "registrations"},
            {STORE_CERTIFICATE, "CA certificates"}};
enum { USES = sizeof uses / sizeof uses[0] };

static struct err count_next(struct call *call)
{
    struct work *work = work_of(call);
    return call_ask(call, (struct store_request){
                              .verb = STORE_COUNT,
                              .table = uses[work->counting].table,
                              .partition = work->service->id_scope,
                          });
}

struct err service_check_unused(struct call *call)
{
    struct work *work = work_of(call);
    if (work->service == NULL)
        TRY(settings_loaded_required(call));
    return count_next(call);
}

struct err service_counted(struct call *call)
{
    struct work *work = work_of(call);
    _Static_assert(USES == sizeof work->counted / sizeof work->counted[0], "a count for each use");
    TRY(call_asked(call, ERR_SERVICE_NOT_FOUND));
    work->counted[work->counting++] = call->request.count;
    if (work->counting < USES) {
        call_go_to(call, service_check_unused);
        return OK;
    }
    const size_t *n = work->counted;
    if (n[0] + n[1] + n[2] + n[3] > 0)
        return why_fail(&call->why, ERR_CONFLICT,
                        "the service still has %zu %s, %zu %s, %zu %s and %zu %s: delete them first", n[0],
                        uses[0].what, n[1], uses[1].what, n[2], uses[2].what, n[3], uses[3].what);
    return settings_remove(call);
}

struct err service_deleted(struct call *call)
{
    TRY(settings_told(call));
    call->status = 204;
    return OK;
}
